/* SPDX-License-Identifier: MIT */
/*
 * The blocking client over TLS, with a login when one is given.
 *
 *     tls 127.0.0.1:11211 ca.pem [user password]
 */
#include <mcmeta/mcmeta.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 5) {
        fprintf(stderr, "usage: tls host:port ca.pem [user password]\n");
        return 2;
    }
    struct mcm_server server = {.address = argv[1]};
    struct mcm_tls_config tls = {.ca_file = argv[2]};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.tls = &tls;
    if (argc == 5) {
        config.user = argv[3];
        config.password = argv[4];
    }

    char error[MCM_ERROR_SIZE];
    struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
    if (client == NULL) {
        fprintf(stderr, "tls: %s\n", error);
        return 1;
    }
    struct mcm_result result;
    mcm_set(client, MCM_KEY("secret"), MCM_KEY("kept"), 60, mcm_after(INT64_C(2000000000)),
            &result);
    printf("set: %s\n", mcm_outcome_text(result.outcome));
    mcm_client_free(client);
    return result.outcome == MCM_OK ? 0 : 1;
}
