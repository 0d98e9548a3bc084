/* SPDX-License-Identifier: MIT */
/* In the place of TLS in a library built without it. */
#include "mcmeta/stream.h"

#include <stdio.h>

bool mcm_tls_is_supported(void)
{
    return false;
}

struct mcm_tls *mcm_tls_new(const struct mcm_tls_config *config, char *error, size_t error_size)
{
    (void)config;
    if (error != NULL && error_size > 0)
        snprintf(error, error_size, "this libmcmeta was built without TLS");
    return NULL;
}

void mcm_tls_free(struct mcm_tls *tls)
{
    (void)tls;
}

struct mcm_tls_peer *mcm_tls_peer_new(struct mcm_tls *tls, const char *host)
{
    (void)tls;
    (void)host;
    return NULL;
}

void mcm_tls_peer_counts(struct mcm_tls_peer *peer, uint64_t *handshakes, uint64_t *resumed)
{
    (void)peer;
    *handshakes = *resumed = 0;
}

void mcm_tls_peer_free(struct mcm_tls_peer *peer)
{
    (void)peer;
}

struct mcm_stream *mcm_tls_stream_new(struct mcm_tls_peer *peer, int fd)
{
    (void)peer;
    (void)fd;
    return NULL;
}
