/* SPDX-License-Identifier: MIT */
/*
 * What may stand between a socket and the protocol: a stream that wraps the bytes. There is one
 * kind, TLS; a plain connection has none (NULL). A stream never blocks: when it cannot go on it
 * says what to wait for, and the deadline is kept here.
 *
 * One thread at a time uses a stream.
 */
#ifndef MCMETA_STREAM_H
#define MCMETA_STREAM_H

#include <sys/types.h>

#include <mcmeta/tls.h>

#include "mcmeta/conn.h"

struct mcm_stream {
    const struct mcm_stream_ops *ops;
};

/*
 * What is sent at once becomes one record of so many bytes at most. memcached reads a value that
 * began in an earlier record by itself, and never looks whether the record has more to say: a
 * record that begins inside a request must not go beyond its end. So records hold whole requests,
 * or a part of one.
 */
#define MCM_RECORD_SIZE 16384

/* On -1 errno is set; EAGAIN comes with *writes: wait until the socket is writable, else readable.
 */
struct mcm_stream_ops {
    int (*handshake)(struct mcm_stream *stream, bool *writes); /* 0 when complete */
    ssize_t (*send)(struct mcm_stream *stream, const void *data, size_t size, bool *writes);
    ssize_t (*receive)(struct mcm_stream *stream, void *data, size_t size, bool *writes);
    bool (*is_quiet)(struct mcm_stream *stream); /* open, and nothing to receive */
    void (*free)(struct mcm_stream *stream);     /* sends nothing, leaves the socket open */
};

/* TLS settings of a client, and what is remembered for one of its servers. */
struct mcm_tls;
struct mcm_tls_peer;

/* NULL with a sentence in `error` when a file cannot be used or TLS was not built in. */
struct mcm_tls *mcm_tls_new(const struct mcm_tls_config *config, char *error, size_t error_size);
void mcm_tls_free(struct mcm_tls *tls);

/* `host` is the server's, used unless the configuration names one. The settings must outlive it. */
struct mcm_tls_peer *mcm_tls_peer_new(struct mcm_tls *tls, const char *host);
void mcm_tls_peer_free(struct mcm_tls_peer *peer);

/* Handshakes that were completed, and how many of them resumed a session. */
void mcm_tls_peer_counts(struct mcm_tls_peer *peer, uint64_t *handshakes, uint64_t *resumed);

/* A client stream over a connected socket, before its handshake. NULL when out of memory. */
struct mcm_stream *mcm_tls_stream_new(struct mcm_tls_peer *peer, int fd);

/* NULL is legal. */
void mcm_stream_free(struct mcm_stream *stream);

/* Runs the handshake until `deadline`. MCM_OK, MCM_E_TLS, MCM_E_CONNECT_TIMEOUT, MCM_E_CANCELLED.
 */
enum mcm_outcome mcm_stream_handshake(struct mcm_stream *stream, int fd, mcm_ns deadline,
                                      int *sys_errno);

/* mcm_socket_exchange() over a stream. */
void mcm_stream_exchange(struct mcm_stream *stream, int fd, struct mcm_conn *conn, mcm_ns deadline);

/* mcm_socket_pump() over a stream. */
bool mcm_stream_pump(struct mcm_stream *stream, struct mcm_conn *conn);

/* User and password of a server that wants them, as one command on a new connection. */
struct mcm_auth {
    char *command; /* the set request with its block; NULL: the server wants none */
    size_t size;
};

/* 0, or -1 when memory is short. A NULL user makes an empty one. */
int mcm_auth_init(struct mcm_auth *auth, const char *user, const char *password);
void mcm_auth_deinit(struct mcm_auth *auth);

/* A login under way. Zero it first. */
struct mcm_login {
    size_t sent;
    size_t used;
    char answer[256];
};

/* Goes on as far as it can without waiting: MCM_OUTCOME_COUNT to be called again when the socket is
 * writable (*writes) or else readable; MCM_OK, MCM_E_AUTH or MCM_E_CONNECT when it is over. */
enum mcm_outcome mcm_auth_step(const struct mcm_auth *auth, struct mcm_login *login,
                               struct mcm_stream *stream, int fd, bool *writes, int *sys_errno);

/*
 * Logs in before anything else is sent; `stream` is NULL on a plain socket. MCM_OK, MCM_E_AUTH,
 * MCM_E_CONNECT_TIMEOUT, MCM_E_CANCELLED or MCM_E_CONNECT.
 */
enum mcm_outcome mcm_auth_run(const struct mcm_auth *auth, struct mcm_stream *stream, int fd,
                              mcm_ns deadline, int *sys_errno);

#endif
