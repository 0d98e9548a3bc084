/* SPDX-License-Identifier: MIT */
/* A slow value that many threads want: made once. lease <server> */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include <mcmeta/mcmeta.h>

#define THREADS 8
#define SPAN INT64_C(5000000000)

static atomic_int made;

/* Stands for a query that takes 50 ms. */
static struct mcm_slice make_value(void)
{
    struct timespec pause = {.tv_nsec = 50000000};
    nanosleep(&pause, NULL);
    atomic_fetch_add(&made, 1);
    return MCM_KEY("the answer");
}

static void *read_value(void *client)
{
    struct mcm_lease_options options = MCM_LEASE_OPTIONS_DEFAULT;
    options.patience = SPAN;
    struct mcm_slice key = MCM_KEY("slow");
    struct mcm_fill fill;
    struct mcm_result result;
    char buffer[64];
    switch (mcm_get_or_lease(client, key, buffer, sizeof(buffer), &options, mcm_after(SPAN), &fill,
                             &result)) {
    case MCM_LEASE_WON_MISS:
    case MCM_LEASE_WON_STALE:
        mcm_fill(client, key, make_value(), &fill, 60, mcm_after(SPAN), &result);
        return result.outcome == MCM_OK ? client : NULL;
    case MCM_LEASE_HIT:
    case MCM_LEASE_HIT_STALE: return client;
    case MCM_LEASE_WAIT:
    case MCM_LEASE_ERROR: break;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct mcm_server server = {.address = argc > 1 ? argv[1] : "127.0.0.1:11211"};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    char error[MCM_ERROR_SIZE] = "";
    config.servers = &server;
    config.server_count = 1;
    struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
    if (client == NULL) {
        fprintf(stderr, "lease: %s\n", error);
        return 1;
    }
    pthread_t threads[THREADS];
    int served = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, read_value, client);
    for (int i = 0; i < THREADS; i++) {
        void *ok;
        pthread_join(threads[i], &ok);
        served += ok != NULL;
    }
    printf("%d of %d threads served, value made %d time(s)\n", served, THREADS, atomic_load(&made));
    mcm_client_free(client);
    return served == THREADS && atomic_load(&made) == 1 ? 0 : 1;
}
