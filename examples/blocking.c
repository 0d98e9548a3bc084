/* SPDX-License-Identifier: MIT */
/*
 * The blocking client: stores a value and reads it back.
 *
 *     blocking 127.0.0.1:11211 [more servers]
 */
#include <mcmeta/mcmeta.h>

#include <stdio.h>

#define MILLISECOND INT64_C(1000000)
#define SERVERS_MAX 16

static int say(const char *what, const struct mcm_result *result)
{
    printf("%s: %s\n", what, mcm_outcome_text(result->outcome));
    return result->outcome == MCM_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct mcm_server servers[SERVERS_MAX] = {{0}};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    for (int i = 1; i < argc && i <= SERVERS_MAX; i++)
        servers[config.server_count++].address = argv[i];
    config.servers = servers;

    char error[MCM_ERROR_SIZE];
    struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
    if (client == NULL) {
        fprintf(stderr, "blocking: %s\n", error);
        return 1;
    }
    struct mcm_result result;
    char value[64];
    mcm_set(client, MCM_KEY("greeting"), MCM_KEY("hello"), 60, mcm_after(500 * MILLISECOND),
            &result);
    int failed = say("set", &result);
    mcm_get(client, MCM_KEY("greeting"), value, sizeof(value), mcm_after(500 * MILLISECOND),
            &result);
    failed |= say("get", &result);
    if (result.outcome == MCM_OK)
        printf("%.*s\n", (int)result.value.size, (const char *)result.value.data);
    mcm_client_free(client);
    return failed;
}
