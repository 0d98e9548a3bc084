/* SPDX-License-Identifier: MIT */
/*
 * TLS of the connections of a client. The library can be built without it; then a configuration
 * that asks for it is refused by mcm_client_new().
 */
#ifndef MCMETA_TLS_H
#define MCMETA_TLS_H

#include <stdbool.h>

#include <mcmeta/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zeroes: verify the server by the system's authorities and the host of its address. Strings
 * are copied, files are read by mcm_client_new(). */
struct mcm_tls_config {
    const char *ca_file;          /* PEM, authorities to trust; NULL: the system's */
    const char *certificate_file; /* PEM, the client's own chain; NULL: none */
    const char *key_file;         /* PEM; NULL: in certificate_file */
    const char *server_name; /* in the certificate, and sent as SNI; NULL: host of the address */
    bool insecure;           /* accept any certificate */
};

/* Whether the library was built with TLS. Thread-safe. */
MCM_API bool mcm_tls_is_supported(void);

#ifdef __cplusplus
}
#endif

#endif
