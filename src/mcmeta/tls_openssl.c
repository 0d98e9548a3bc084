/* SPDX-License-Identifier: MIT */
/*
 * TLS by OpenSSL. The sessions speak to the socket through a BIO of our own, since that of OpenSSL
 * would raise SIGPIPE in the caller's process. The last session of each server is kept and resumed.
 */
#include "mcmeta/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct mcm_tls {
    SSL_CTX *context;
    BIO_METHOD *bio;
    char *server_name;
};

struct mcm_tls_peer {
    struct mcm_tls *tls;
    char *name;
    pthread_mutex_t lock; /* session */
    SSL_SESSION *session;
    atomic_uint_least64_t handshakes, resumed;
};

struct tls_stream {
    struct mcm_stream stream;
    SSL *ssl;
    int fd;
};

/* --- The socket as OpenSSL sees it --- */

static int fd_of(BIO *bio)
{
    return ((const struct tls_stream *)BIO_get_data(bio))->fd;
}

static bool may_retry(ssize_t done)
{
    return done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static int bio_write(BIO *bio, const char *data, int size)
{
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(fd_of(bio), data, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (may_retry(sent))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static int bio_read(BIO *bio, char *data, int size)
{
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(fd_of(bio), data, (size_t)size, MSG_DONTWAIT);
    if (may_retry(got))
        BIO_set_retry_read(bio);
    return (int)got;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* --- Streams --- */

static struct tls_stream *of(struct mcm_stream *stream)
{
    return (struct tls_stream *)stream;
}

/* -1 with errno for a call that did not succeed; EAGAIN sets *writes. 0 is the end of the stream.
 */
static int explain(const struct tls_stream *s, int result, bool *writes)
{
    int error = errno;
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        *writes = SSL_get_error(s->ssl, result) == SSL_ERROR_WANT_WRITE;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    /* A peer that closes without a farewell; every value says its size, so none is cut. */
    case SSL_ERROR_SYSCALL: errno = error != 0 && error != EAGAIN ? error : ECONNRESET; break;
    default: errno = EPROTO; break;
    }
    ERR_clear_error();
    return -1;
}

static int stream_handshake(struct mcm_stream *stream, bool *writes)
{
    struct tls_stream *s = of(stream);
    ERR_clear_error();
    errno = 0;
    int result = SSL_connect(s->ssl);
    if (result == 1) {
        struct mcm_tls_peer *peer = SSL_get_app_data(s->ssl);
        atomic_fetch_add_explicit(&peer->handshakes, 1, memory_order_relaxed);
        if (SSL_session_reused(s->ssl))
            atomic_fetch_add_explicit(&peer->resumed, 1, memory_order_relaxed);
        return 0;
    }
    if (explain(s, result, writes) == 0)
        errno = ECONNRESET;
    return -1;
}

static ssize_t stream_send(struct mcm_stream *stream, const void *data, size_t size, bool *writes)
{
    struct tls_stream *s = of(stream);
    ERR_clear_error();
    errno = 0;
    int sent = SSL_write(s->ssl, data, size < INT32_MAX ? (int)size : INT32_MAX);
    if (sent > 0)
        return sent;
    if (explain(s, sent, writes) == 0)
        errno = ECONNRESET;
    return -1;
}

static ssize_t stream_receive(struct mcm_stream *stream, void *data, size_t size, bool *writes)
{
    struct tls_stream *s = of(stream);
    ERR_clear_error();
    errno = 0;
    int got = SSL_read(s->ssl, data, size < INT32_MAX ? (int)size : INT32_MAX);
    if (got > 0)
        return got;
    return explain(s, got, writes);
}

/* Session tickets may wait in the socket of a quiet connection; peeking takes them in. */
static bool stream_is_quiet(struct mcm_stream *stream)
{
    struct tls_stream *s = of(stream);
    char byte;
    bool writes;
    ERR_clear_error();
    errno = 0;
    int got = SSL_peek(s->ssl, &byte, 1);
    return got <= 0 && explain(s, got, &writes) < 0 && errno == EAGAIN;
}

static void stream_free(struct mcm_stream *stream)
{
    struct tls_stream *s = of(stream);
    /* Quiet: it only marks the session as one that may be resumed. */
    SSL_set_quiet_shutdown(s->ssl, 1);
    if (SSL_is_init_finished(s->ssl))
        SSL_shutdown(s->ssl);
    SSL_free(s->ssl);
    ERR_clear_error();
    free(s);
}

static const struct mcm_stream_ops stream_ops = {
    .handshake = stream_handshake,
    .send = stream_send,
    .receive = stream_receive,
    .is_quiet = stream_is_quiet,
    .free = stream_free,
};

static bool is_ip(const char *name)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* Whom we speak to: sent as SNI when it is a name, and checked against the certificate. */
static bool set_name(SSL *ssl, const char *name)
{
    if (is_ip(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

static bool set_up_stream(struct tls_stream *s, struct mcm_tls_peer *peer)
{
    BIO *bio = BIO_new(peer->tls->bio);
    if (bio == NULL)
        return false;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    SSL_set_app_data(s->ssl, peer);
    pthread_mutex_lock(&peer->lock);
    if (peer->session != NULL)
        SSL_set_session(s->ssl, peer->session);
    pthread_mutex_unlock(&peer->lock);
    return set_name(s->ssl, peer->name);
}

struct mcm_stream *mcm_tls_stream_new(struct mcm_tls_peer *peer, int fd)
{
    struct tls_stream *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->stream.ops = &stream_ops;
    s->fd = fd;
    s->ssl = SSL_new(peer->tls->context);
    if (s->ssl == NULL || !set_up_stream(s, peer)) {
        SSL_free(s->ssl);
        ERR_clear_error();
        free(s);
        return NULL;
    }
    return &s->stream;
}

/* --- Settings --- */

/* Keeps the newest session of a server; 1: the reference is ours now. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct mcm_tls_peer *peer = SSL_get_app_data(ssl);
    pthread_mutex_lock(&peer->lock);
    SSL_SESSION *old = peer->session;
    peer->session = session;
    pthread_mutex_unlock(&peer->lock);
    SSL_SESSION_free(old);
    return 1;
}

bool mcm_tls_is_supported(void)
{
    return true;
}

static bool load_files(SSL_CTX *context, const struct mcm_tls_config *config)
{
    const char *key = config->key_file != NULL ? config->key_file : config->certificate_file;
    int trusted = config->ca_file != NULL
                      ? SSL_CTX_load_verify_locations(context, config->ca_file, NULL)
                      : SSL_CTX_set_default_verify_paths(context);
    if (trusted != 1 || config->certificate_file == NULL)
        return trusted == 1;
    return SSL_CTX_use_certificate_chain_file(context, config->certificate_file) == 1 &&
           SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1;
}

static BIO_METHOD *make_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mcmeta socket");
    if (method != NULL) {
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_ctrl(method, bio_control);
    }
    return method;
}

static bool set_up(struct mcm_tls *tls, const struct mcm_tls_config *config)
{
    tls->server_name = config->server_name != NULL ? strdup(config->server_name) : NULL;
    tls->bio = make_bio_method();
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL || tls->bio == NULL ||
        (config->server_name != NULL && tls->server_name == NULL))
        return false;
    SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls->context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* A whole record is taken at once and no more, so what is left shows on the socket. */
    SSL_CTX_set_read_ahead(tls->context, 0);
    SSL_CTX_set_verify(tls->context, config->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(tls->context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls->context, keep_session);
    return load_files(tls->context, config);
}

struct mcm_tls *mcm_tls_new(const struct mcm_tls_config *config, char *error, size_t error_size)
{
    struct mcm_tls *tls = calloc(1, sizeof(*tls));
    ERR_clear_error();
    if (tls != NULL && set_up(tls, config))
        return tls;
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    if (error != NULL && error_size > 0)
        snprintf(error, error_size, "TLS cannot be set up: %s",
                 reason != NULL ? reason : "a file cannot be read, or memory is short");
    ERR_clear_error();
    mcm_tls_free(tls);
    return NULL;
}

void mcm_tls_free(struct mcm_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->bio);
    free(tls->server_name);
    free(tls);
}

struct mcm_tls_peer *mcm_tls_peer_new(struct mcm_tls *tls, const char *host)
{
    struct mcm_tls_peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL)
        return NULL;
    peer->tls = tls;
    peer->name = strdup(tls->server_name != NULL ? tls->server_name : host);
    if (peer->name == NULL) {
        free(peer);
        return NULL;
    }
    pthread_mutex_init(&peer->lock, NULL);
    return peer;
}

void mcm_tls_peer_counts(struct mcm_tls_peer *peer, uint64_t *handshakes, uint64_t *resumed)
{
    *handshakes = atomic_load_explicit(&peer->handshakes, memory_order_relaxed);
    *resumed = atomic_load_explicit(&peer->resumed, memory_order_relaxed);
}

void mcm_tls_peer_free(struct mcm_tls_peer *peer)
{
    if (peer == NULL)
        return;
    SSL_SESSION_free(peer->session);
    pthread_mutex_destroy(&peer->lock);
    free(peer->name);
    free(peer);
}
