/* SPDX-License-Identifier: MIT */
/* Certificates for a test and servers that speak TLS with them. */
#ifndef TESTS_CONTRACT_TLS_FIXTURE_H
#define TESTS_CONTRACT_TLS_FIXTURE_H

#include "memcached.h"

/*
 * Makes a directory with, each with its .key: ca.pem; server.pem for cache.test and 127.0.0.1,
 * expired.pem likewise, and client.pem, all signed by it; other.pem, a stranger. False when it
 * could not; without TLS in the library or openssl to make them there are no certificates.
 */
bool tls_fixture_make(void);
void tls_fixture_remove(void);

/* A path in the directory; of the last eight calls. */
const char *tls_fixture_file(const char *name);

/* Whether there are certificates. */
bool tls_fixture_is_usable(void);

/* A server with a certificate by the name before .pem, and more -o options (each after a comma).
 * False when this memcached has no TLS. */
bool tls_fixture_start(struct memcached *server, const char *name, const char *more);

/* The same that wants a login: user "user", password "secret". */
bool tls_fixture_start_locked(struct memcached *server);

/* A server that wants the login, over plain connections. */
bool tls_fixture_start_plain_locked(struct memcached *server);

#endif
