/* SPDX-License-Identifier: MIT */
/* Life of a client: configuration, creation, interruption, end, and what can be asked about it. */
#include "mcmeta/handle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/time.h"

#define HEALTH_TIMEOUT_DEFAULT NS_PER_SEC
#define MAINTENANCE_PERIOD_MAX (10 * NS_PER_SEC)
#define MAINTENANCE_PERIOD_MIN (5 * NS_PER_MS)

#define DIAL_BACKOFF_ALONE (50 * NS_PER_MS)

/* A breaker keeps back more than dials, and its trials must not find that no dial may start. */
static mcm_ns dial_backoff(const struct mcm_client_config *config)
{
    if (config->dial_backoff != MCM_DIAL_BACKOFF_DEFAULT)
        return config->dial_backoff;
    return config->breaker == NULL ? DIAL_BACKOFF_ALONE : 0;
}

static struct mcm_pool_config pool_config(const struct mcm_client_config *config)
{
    return (struct mcm_pool_config){
        .max_size = config->connections_max,
        .max_waiters = config->waiters_max,
        .min_idle = config->idle_connections_min,
        .max_idle = config->idle_connections_max,
        .dial_concurrency_max = config->dials_max,
        .backoff_base_ns = dial_backoff(config),
        .backoff_max_ns = config->dial_backoff_max,
        .backoff_refuses = config->on_failure != MCM_ON_FAILURE_ERROR,
        .reuse = config->take_turns ? MCM_POOL_FIFO : MCM_POOL_LIFO,
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
        return mcm_refuse(error, error_size, "mode is neither exclusive nor shared");
    if (config->lanes == 0 || config->lanes > MCM_LANES_MAX)
        return mcm_refuse(error, error_size, "lanes must be 1 to %d", MCM_LANES_MAX);
    if (config->lanes >= config->connections_max)
        return mcm_refuse(error, error_size, "connections_max must be larger than lanes");
    if (config->lane_in_flight_max == 0)
        return mcm_refuse(error, error_size, "lane_in_flight_max must be at least 1");
    return 0;
}

static int check_servers(const struct mcm_client_config *config, char *error, size_t error_size)
{
    if ((unsigned)config->on_failure > MCM_ON_FAILURE_GUTTER)
        return mcm_refuse(error, error_size, "on_failure is no policy");
    if (config->on_failure == MCM_ON_FAILURE_GUTTER &&
        mcm_topology_check(config->gutter, config->gutter_count, error, error_size) != 0)
        return -1;
    if ((config->user == NULL) != (config->password == NULL))
        return mcm_refuse(error, error_size, "user and password go together");
    return mcm_topology_check(config->servers, config->server_count, error, error_size);
}

static int check_config(const struct mcm_client_config *config, char *error, size_t error_size)
{
    if (config->size != sizeof(*config))
        return mcm_refuse(error, error_size,
                          "the configuration does not start from MCM_CLIENT_CONFIG_DEFAULT");
    if ((unsigned)config->keys > MCM_KEYS_AUTO_BASE64)
        return mcm_refuse(error, error_size, "the rule for keys is unknown");
    if (config->hooks != NULL && config->hooks->size != sizeof(*config->hooks))
        return mcm_refuse(error, error_size, "the hooks have no size");
    if (config->connections_max == 0)
        return mcm_refuse(error, error_size, "connections_max must be at least 1");
    if (config->value_size_max > MCM_RESPONSE_VALUE_MAX)
        return mcm_refuse(error, error_size, "value_size_max must be at most 1 GiB");
    if (check_lanes(config, error, error_size) != 0)
        return -1;
    struct mcm_pool_config pool = pool_config(config);
    const char *problem = mcm_pool_config_error(&pool);
    if (problem == NULL && config->breaker != NULL)
        problem = mcm_breaker_settings_error(config->breaker);
    /* Written so that a NaN fails it. */
    if (!(config->breaker_share_max >= 0 && config->breaker_share_max <= 1))
        problem = "breaker_share_max must be between 0 and 1";
    if (problem == NULL && config->breaker_share_max > 0 && config->breaker != NULL &&
        config->breaker->quota != NULL)
        problem = "breaker_share_max and a quota of the breaker exclude each other";
    if (problem != NULL)
        return mcm_refuse(error, error_size, "%s", problem);
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

/* Copies of what the lists of servers are built from. */
static int make_parts(struct mcm_client *client, const struct mcm_client_config *config,
                      char *error, size_t error_size)
{
    if (config->user != NULL) {
        client->user = strdup(config->user);
        client->password = strdup(config->password);
        if (client->user == NULL || client->password == NULL)
            return mcm_refuse(error, error_size, "out of memory");
    }
    if (config->tls != NULL) {
        client->tls = mcm_tls_new(config->tls, error, error_size);
        if (client->tls == NULL)
            return -1;
    }
    if (config->breaker != NULL)
        client->breaker = *config->breaker;
    client->breaker_share_max = config->breaker_share_max;
    if (config->breaker_share_max > 0)
        client->breaker.quota = &client->breaker_quota;
    if (config->hooks != NULL)
        client->hooks = *config->hooks;
    client->pool = pool_config(config);
    bool is_shared = config->mode == MCM_MODE_SHARED;
    client->parts.backend = (struct mcm_backend_config){
        .pool = &client->pool,
        .breaker = config->breaker != NULL ? &client->breaker : NULL,
        .connect_timeout = config->connect_timeout,
        .acquire_timeout = config->acquire_timeout,
        .unacked_max = config->unacked_max,
        .resolve_period = config->resolve_period,
        .tls = client->tls,
        .user = client->user,
        .password = client->password,
        .verify = config->verify || is_shared,
        .seed = config->seed,
        .hooks = &client->hooks,
        .stop = &client->stop,
        .missed_max = config->failure_deletes_max,
        .lane_count = is_shared ? config->lanes : 0,
        .lane_in_flight_max = config->lane_in_flight_max,
    };
    client->parts.selector = (struct mcm_selector_config){
        .kind = config->selector, .callback = config->select, .callback_arg = config->select_arg};
    if (config->hash_tag != NULL) {
        /* A longer one stays longer than it may be, and is refused with the servers. */
        snprintf(client->hash_tag, sizeof(client->hash_tag), "%s", config->hash_tag);
        client->parts.selector.hash_tag =
            strlen(config->hash_tag) == 2 ? client->hash_tag : config->hash_tag;
    }
    return 0;
}

void mcm_client_limit_breakers(struct mcm_client *client, size_t count)
{
    count += client->gutter != NULL ? client->gutter->count : 0;
    double max = client->breaker_share_max * (double)count;
    __atomic_store_n(&client->breaker_quota.away_max, max < 1 ? 1 : (uint32_t)max,
                     __ATOMIC_RELAXED);
}

static int make_servers(struct mcm_client *client, const struct mcm_client_config *config,
                        char *error, size_t error_size)
{
    struct mcm_topology *topology = mcm_topology_new(&client->parts, config->servers,
                                                     config->server_count, NULL, error, error_size);
    atomic_store(&client->topology, topology);
    if (topology == NULL)
        return -1;
    if (config->on_failure == MCM_ON_FAILURE_GUTTER) {
        client->gutter = mcm_topology_new(&client->parts, config->gutter, config->gutter_count,
                                          NULL, error, error_size);
        if (client->gutter == NULL)
            return -1;
    }
    mcm_client_limit_breakers(client, config->server_count);
    return 0;
}

/* Anything that becomes due does so after one of these spans at the earliest. */
static mcm_ns maintenance_period(const struct mcm_client_config *config)
{
    bool looks_often = config->idle_connections_min > 0 || config->resolve_period > 0;
    bool probes = config->breaker != NULL && config->breaker->held_probes;
    const mcm_ns spans[] = {config->lifetime_max / 2, config->idle_max, config->health_check_period,
                            looks_often ? NS_PER_SEC : 0,
                            probes ? config->breaker->open_ns / 2 : 0};
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
        mcm_refuse(error, error_size, "out of memory");
        return NULL;
    }
    client->ours = make_mark();
    if (client->ours == NULL) {
        free(client);
        mcm_refuse(error, error_size, "out of memory");
        return NULL;
    }
    client->asks_value_limit = config->value_size_max == 0;
    client->value_size_max =
        config->value_size_max > 0 ? config->value_size_max : MCM_RESPONSE_VALUE_MAX;
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
    client->on_failure = config->on_failure;
    client->failure_choices = config->failure_choices;
    client->failure_ttl_max = config->failure_ttl_max;
    mcm_rate_init(&client->failure_rate, config->failure_rate_max);
    mcm_scratch_init(&client->scratch);
    pthread_mutex_init(&client->change_lock, NULL);
    pthread_mutex_init(&client->retired_lock, NULL);
    if (make_parts(client, config, error, error_size) != 0 ||
        make_servers(client, config, error, error_size) != 0) {
        mcm_client_free(client);
        return NULL;
    }
    if (config->maintenance_thread && mcm_maintenance_start(client) != 0) {
        mcm_refuse(error, error_size, "the maintenance thread could not be started");
        mcm_client_free(client);
        return NULL;
    }
    return client;
}

static void stop_topology(const struct mcm_topology *topology)
{
    for (unsigned i = 0; topology != NULL && i < topology->count; i++)
        mcm_backend_stop(topology->backends[i]);
}

static void stop_calls(struct mcm_client *client, enum mcm_stop stop)
{
    atomic_store(&client->stop, stop);
    unsigned phase = mcm_client_enter(client);
    pthread_mutex_lock(&client->retired_lock);
    for (const struct mcm_topology *t = client->retired; t != NULL; t = t->older)
        stop_topology(t);
    pthread_mutex_unlock(&client->retired_lock);
    stop_topology(atomic_load(&client->topology));
    stop_topology(client->gutter);
    mcm_client_leave(client, phase);
}

static void free_shell(struct mcm_client *client)
{
    munmap((void *)(uintptr_t)client->ours, 1);
    mcm_scratch_deinit(&client->scratch);
    mcm_tls_free(client->tls);
    free(client->user);
    if (client->password != NULL)
        explicit_bzero(client->password, strlen(client->password));
    free(client->password);
    free(client);
}

static void disown(struct mcm_topology *topology)
{
    for (unsigned i = 0; topology != NULL && i < topology->count; i++) {
        if (!topology->is_shared[i]) {
            mcm_backend_disown(topology->backends[i]);
            free(topology->backends[i]);
        }
        topology->backends[i] = NULL;
    }
    mcm_topology_free(topology);
}

/*
 * In a child process. Threads of the parent may have held any lock and been anywhere in a call when
 * it forked: nothing is trusted but the descriptors, which are closed without a word to the peer.
 */
static void free_copy(struct mcm_client *client)
{
    for (struct mcm_topology *older, *t = client->retired; t != NULL; t = older) {
        older = t->older;
        disown(t);
    }
    disown(atomic_load(&client->topology));
    disown(client->gutter);
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
    mcm_client_await_calls(client);
    mcm_client_free_retired(client);
    mcm_topology_free(atomic_load(&client->topology));
    mcm_topology_free(client->gutter);
    pthread_mutex_destroy(&client->change_lock);
    pthread_mutex_destroy(&client->retired_lock);
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

/* Counting itself in does not change what the caller sees of the client. */
static struct mcm_client *writable(const struct mcm_client *client)
{
    return (struct mcm_client *)(uintptr_t)client;
}

unsigned mcm_client_server_index(const struct mcm_client *client, struct mcm_slice key)
{
    unsigned phase = mcm_client_enter(writable(client));
    const struct mcm_topology *topology = atomic_load(&client->topology);
    size_t index = mcm_selector_pick(topology->selector, key.data, key.size);
    mcm_client_leave(writable(client), phase);
    return (unsigned)index;
}

size_t mcm_client_server_count(const struct mcm_client *client)
{
    unsigned phase = mcm_client_enter(writable(client));
    size_t count = atomic_load(&client->topology)->count;
    mcm_client_leave(writable(client), phase);
    return count;
}

const char *mcm_client_server_name(const struct mcm_client *client, unsigned index)
{
    unsigned phase = mcm_client_enter(writable(client));
    const struct mcm_backend *backend = mcm_client_backend(client, index);
    const char *name = backend != NULL ? backend->name : NULL;
    mcm_client_leave(writable(client), phase);
    return name;
}

int mcm_client_stats(struct mcm_client *client, unsigned index, struct mcm_server_stats *stats)
{
    if (stats->size != sizeof(*stats) || mcm_client_is_forked(client))
        return -1;
    unsigned phase = mcm_client_enter(client);
    struct mcm_backend *backend = mcm_client_backend(client, index);
    if (backend != NULL)
        mcm_backend_stats(backend, stats);
    mcm_client_leave(client, phase);
    return backend != NULL ? 0 : -1;
}

int mcm_client_histogram(struct mcm_client *client, unsigned index, enum mcm_measure measure,
                         struct mcm_histogram *histogram)
{
    if ((unsigned)measure >= MCM_MEASURE_COUNT || mcm_client_is_forked(client))
        return -1;
    unsigned phase = mcm_client_enter(client);
    const struct mcm_backend *backend = mcm_client_backend(client, index);
    if (backend != NULL)
        mcm_measure_sum(backend->measures, measure, histogram);
    mcm_client_leave(client, phase);
    return backend != NULL ? 0 : -1;
}

mcm_ns mcm_after(mcm_ns span)
{
    return ns_add(ns_now(), span);
}

struct mcm_slice mcm_slice_of_string(const char *string)
{
    return (struct mcm_slice){.data = string, .size = strlen(string)};
}
