/* SPDX-License-Identifier: MIT */
/* Stores and fetches many keys at once: batch <server> [<server> ...] */
#include <stdio.h>

#include <mcmeta/mcmeta.h>

#define KEYS 1000
#define SPAN INT64_C(2000000000)

static struct mcm_client *connect_to(char **addresses, int count)
{
    struct mcm_server servers[8] = {0};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    char error[MCM_ERROR_SIZE] = "";
    for (int i = 0; i < count && i < 8; i++)
        servers[i].address = addresses[i];
    config.servers = servers;
    config.server_count = (size_t)(count < 8 ? count : 8);
    struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
    if (client == NULL)
        fprintf(stderr, "batch: %s\n", error);
    return client;
}

static void tell(const char *what, const struct mcm_batch_result *result)
{
    printf("%s: %zu ok, %zu answered, %zu failed", what, result->ok, result->answered,
           result->failed);
    if (result->failed > 0)
        printf(" (%s)", mcm_outcome_text(result->outcome));
    printf("\n");
}

static int run(struct mcm_client *client, struct mcm_arena *arena)
{
    static char keys[KEYS][16];
    static struct mcm_batch_item items[KEYS];
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    struct mcm_batch_result result;
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "item-%d", i);
        items[i] = (struct mcm_batch_item){.key = MCM_KEY(keys[i]), .value = MCM_KEY(keys[i])};
    }
    options.deadline = mcm_after(SPAN);
    mcm_multi_set(client, items, KEYS, &options, &result);
    tell("stored", &result);

    /* Values go to the arena and stay until it is reset or freed. */
    options.deadline = mcm_after(SPAN);
    options.arena = arena;
    mcm_multi_get(client, items, KEYS, &options, &result);
    tell("fetched", &result);
    printf("%s = %.*s\n", keys[7], (int)items[7].value.size, (const char *)items[7].value.data);
    return result.status == MCM_BATCH_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: batch <server> [<server> ...]\n");
        return 2;
    }
    struct mcm_client *client = connect_to(argv + 1, argc - 1);
    struct mcm_arena *arena = mcm_arena_new();
    int status = client != NULL && arena != NULL ? run(client, arena) : 1;
    mcm_arena_free(arena);
    mcm_client_free(client);
    return status;
}
