/* SPDX-License-Identifier: MIT */
/* Life of a client: configuration, creation, interruption, end, and what can be asked about it. */
#include "mcmeta/handle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/time.h"

#define HEALTH_TIMEOUT_DEFAULT NS_PER_SEC
#define MAINTENANCE_PERIOD_MAX (10 * NS_PER_SEC)
#define MAINTENANCE_PERIOD_MIN (5 * NS_PER_MS)

__attribute__((format(printf, 3, 4))) static int refuse(char *error, size_t error_size,
                                                        const char *format, ...)
{
    if (error != NULL && error_size > 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error, error_size, format, arguments);
        va_end(arguments);
    }
    return -1;
}

static const char *server_name(const struct mcm_server *server)
{
    return server->name != NULL ? server->name : server->address;
}

static int check_servers(const struct mcm_client_config *config, char *error, size_t error_size)
{
    if (config->server_count == 0 || config->servers == NULL)
        return refuse(error, error_size, "no server is configured");
    if (config->server_count > MCM_SERVERS_MAX)
        return refuse(error, error_size, "more than %d servers", MCM_SERVERS_MAX);
    for (size_t i = 0; i < config->server_count; i++) {
        if (config->servers[i].address == NULL)
            return refuse(error, error_size, "server %zu has no address", i);
        if (!mcm_address_is_valid(config->servers[i].address))
            return refuse(error, error_size, "\"%.100s\" is no address (host:port or unix:/path)",
                          config->servers[i].address);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(server_name(&config->servers[i]), server_name(&config->servers[j])) == 0)
                return refuse(error, error_size, "two servers have the name \"%.100s\"",
                              server_name(&config->servers[i]));
        }
    }
    return 0;
}

static struct mcm_pool_config pool_config(const struct mcm_client_config *config)
{
    return (struct mcm_pool_config){
        .max_size = config->connections_max,
        .max_waiters = config->waiters_max,
        .reuse = MCM_POOL_LIFO,
        .max_lifetime_ns = config->lifetime_max,
        .lifetime_jitter = config->lifetime_jitter,
        .max_idle_time_ns = config->idle_max,
        .health_interval_ns = config->health_check_period,
    };
}

static int check_lanes(const struct mcm_client_config *config, char *error, size_t error_size)
{
    if (config->mode == MCM_MODE_EXCLUSIVE)
        return 0;
    if (config->mode != MCM_MODE_SHARED)
        return refuse(error, error_size, "mode is neither exclusive nor shared");
    if (config->lanes == 0 || config->lanes > MCM_LANES_MAX)
        return refuse(error, error_size, "lanes must be 1 to %d", MCM_LANES_MAX);
    if (config->lanes >= config->connections_max)
        return refuse(error, error_size, "connections_max must be larger than lanes");
    if (config->lane_in_flight_max == 0)
        return refuse(error, error_size, "lane_in_flight_max must be at least 1");
    return 0;
}

static int check_config(const struct mcm_client_config *config, char *error, size_t error_size)
{
    if (config->size != sizeof(*config))
        return refuse(error, error_size,
                      "the configuration does not start from MCM_CLIENT_CONFIG_DEFAULT");
    if ((unsigned)config->keys > MCM_KEYS_AUTO_BASE64)
        return refuse(error, error_size, "the rule for keys is unknown");
    if (config->connections_max == 0)
        return refuse(error, error_size, "connections_max must be at least 1");
    if (config->value_size_max > MCM_RESPONSE_VALUE_MAX)
        return refuse(error, error_size, "value_size_max must be at most 1 GiB");
    if (check_lanes(config, error, error_size) != 0)
        return -1;
    struct mcm_pool_config pool = pool_config(config);
    const char *problem = mcm_pool_config_error(&pool);
    if (problem == NULL && config->breaker != NULL)
        problem = mcm_breaker_settings_error(config->breaker);
    if (problem != NULL)
        return refuse(error, error_size, "%s", problem);
    return check_servers(config, error, error_size);
}

/* A page with a 1 in it, in this process but not in its children. */
static const unsigned char *make_mark(void)
{
    unsigned char *mark = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mark == MAP_FAILED)
        return NULL;
    if (madvise(mark, 1, MADV_WIPEONFORK) != 0) {
        munmap(mark, 1);
        return NULL;
    }
    *mark = 1;
    return mark;
}

static int make_selector(struct mcm_client *client, const struct mcm_client_config *config,
                         char *error, size_t error_size)
{
    struct mcm_selector_server *servers = calloc(config->server_count, sizeof(*servers));
    if (servers == NULL)
        return refuse(error, error_size, "out of memory");
    for (size_t i = 0; i < config->server_count; i++) {
        servers[i].name = server_name(&config->servers[i]);
        servers[i].weight = config->servers[i].weight;
    }
    struct mcm_selector_config selector = {
        .kind = config->selector, .servers = servers, .count = config->server_count};
    const char *problem = mcm_selector_config_error(&selector);
    if (problem == NULL)
        client->selector = mcm_selector_new(&selector);
    free(servers);
    if (client->selector == NULL)
        return refuse(error, error_size, "%s", problem != NULL ? problem : "out of memory");
    return 0;
}

static int make_backends(struct mcm_client *client, const struct mcm_client_config *config,
                         char *error, size_t error_size)
{
    client->backends = calloc(config->server_count, sizeof(*client->backends));
    if (client->backends == NULL)
        return refuse(error, error_size, "out of memory");
    struct mcm_pool_config pool = pool_config(config);
    for (size_t i = 0; i < config->server_count; i++) {
        struct mcm_backend_config backend = {
            .name = server_name(&config->servers[i]),
            .address = config->servers[i].address,
            .pool = &pool,
            .breaker = config->breaker,
            .connect_timeout = config->connect_timeout,
            .verify = config->verify || config->mode == MCM_MODE_SHARED,
            .seed = config->seed + i * UINT64_C(0x9e3779b97f4a7c15),
            .stop = &client->stop,
            .lane_count = config->mode == MCM_MODE_SHARED ? config->lanes : 0,
            .lane_in_flight_max = config->lane_in_flight_max,
        };
        if (mcm_backend_init(&client->backends[i], &backend) != 0)
            return refuse(error, error_size, "out of memory");
        client->backend_count++;
    }
    return 0;
}

/* Anything that becomes due does so after one of these spans at the earliest. */
static mcm_ns maintenance_period(const struct mcm_client_config *config)
{
    const mcm_ns spans[] = {config->lifetime_max / 2, config->idle_max,
                            config->health_check_period};
    mcm_ns period = MAINTENANCE_PERIOD_MAX;
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        if (spans[i] > 0)
            period = ns_min(period, spans[i]);
    }
    return ns_max(period, MAINTENANCE_PERIOD_MIN);
}

struct mcm_client *mcm_client_new(const struct mcm_client_config *config, char *error,
                                  size_t error_size)
{
    if (check_config(config, error, error_size) != 0)
        return NULL;
    struct mcm_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        refuse(error, error_size, "out of memory");
        return NULL;
    }
    client->ours = make_mark();
    if (client->ours == NULL) {
        free(client);
        refuse(error, error_size, "out of memory");
        return NULL;
    }
    client->value_size_max = config->value_size_max;
    client->idle_check = config->idle_check;
    client->keys = config->keys;
    client->allow_flush = config->allow_flush;
    client->lane_store_max = config->lane_store_max;
    client->lane_fetch_max = config->lane_fetch_max;
    client->health_timeout =
        config->health_timeout > 0 ? config->health_timeout : HEALTH_TIMEOUT_DEFAULT;
    client->maintenance_period = maintenance_period(config);
    client->on_breaker = config->on_breaker;
    client->on_breaker_arg = config->on_breaker_arg;
    if (make_selector(client, config, error, error_size) != 0 ||
        make_backends(client, config, error, error_size) != 0) {
        mcm_client_free(client);
        return NULL;
    }
    if (config->maintenance_thread && mcm_maintenance_start(client) != 0) {
        refuse(error, error_size, "the maintenance thread could not be started");
        mcm_client_free(client);
        return NULL;
    }
    return client;
}

static void stop_calls(struct mcm_client *client, enum mcm_stop stop)
{
    atomic_store(&client->stop, stop);
    for (unsigned i = 0; i < client->backend_count; i++)
        mcm_backend_stop(&client->backends[i]);
}

static void free_shell(struct mcm_client *client)
{
    munmap((void *)(uintptr_t)client->ours, 1);
    mcm_selector_free(client->selector);
    free(client->backends);
    free(client);
}

/*
 * In a child process. Threads of the parent may have held any lock and been anywhere in a call when
 * it forked: nothing is trusted but the descriptors, which are closed without a word to the peer.
 */
static void free_copy(struct mcm_client *client)
{
    for (unsigned i = 0; i < client->backend_count; i++)
        mcm_backend_disown(&client->backends[i]);
    free_shell(client);
}

void mcm_client_free(struct mcm_client *client)
{
    if (client == NULL)
        return;
    if (mcm_client_is_forked(client)) {
        free_copy(client);
        return;
    }
    stop_calls(client, MCM_STOP_SHUTDOWN);
    mcm_maintenance_stop(client);
    /* The last thing a call does is to leave the count, so it cannot be told to signal us. */
    while (atomic_load(&client->calls) > 0) {
        struct timespec pause = ns_to_timespec(NS_PER_MS);
        nanosleep(&pause, NULL);
    }
    for (unsigned i = 0; i < client->backend_count; i++)
        mcm_backend_deinit(&client->backends[i]);
    free_shell(client);
}

void mcm_client_interrupt(struct mcm_client *client)
{
    if (!mcm_client_is_forked(client))
        stop_calls(client, MCM_STOP_INTERRUPTED);
}

void mcm_client_resume(struct mcm_client *client)
{
    atomic_store(&client->stop, MCM_STOP_NOT);
}

unsigned mcm_client_server_index(const struct mcm_client *client, struct mcm_slice key)
{
    return (unsigned)mcm_selector_pick(client->selector, key.data, key.size);
}

size_t mcm_client_server_count(const struct mcm_client *client)
{
    return client->backend_count;
}

const char *mcm_client_server_name(const struct mcm_client *client, unsigned index)
{
    return index < client->backend_count ? client->backends[index].name : NULL;
}

int mcm_client_stats(struct mcm_client *client, unsigned index, struct mcm_server_stats *stats)
{
    if (index >= client->backend_count || stats->size != sizeof(*stats) ||
        mcm_client_is_forked(client))
        return -1;
    mcm_backend_stats(&client->backends[index], stats);
    return 0;
}

mcm_ns mcm_after(mcm_ns span)
{
    return ns_add(ns_now(), span);
}

struct mcm_slice mcm_slice_of_string(const char *string)
{
    return (struct mcm_slice){.data = string, .size = strlen(string)};
}
