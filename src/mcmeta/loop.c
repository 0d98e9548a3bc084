/* SPDX-License-Identifier: MIT */
/*
 * The event-driven client: its life, and the turns of its loop. Servers, selector, breakers and
 * statistics are those of an inner client that makes no call itself.
 */
#include "mcmeta/loop_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/time.h"

#define BUFFER_SIZE 65536 /* more than a TLS record */
#define EVENTS_MAX 64

static int check_config(const struct mcm_client_config *config, char *error, size_t error_size)
{
    if (config->size != sizeof(*config))
        return mcm_refuse(error, error_size,
                          "the configuration does not start from MCM_CLIENT_CONFIG_DEFAULT");
    if (config->lanes == 0 || config->lanes > MCM_LANES_MAX)
        return mcm_refuse(error, error_size, "lanes must be 1 to %d", MCM_LANES_MAX);
    if (config->lane_in_flight_max == 0)
        return mcm_refuse(error, error_size, "lane_in_flight_max must be at least 1");
    if (config->idle_connections_min > config->lanes)
        return mcm_refuse(error, error_size, "a loop keeps at most `lanes` connections ready");
    if (config->breaker != NULL && config->breaker->held_probes)
        return mcm_refuse(error, error_size,
                          "a loop makes no trial requests of its own: no held_probes");
    if (config->idle_connections_max != 0)
        return mcm_refuse(error, error_size,
                          "a loop has no spare connections: idle_connections_max must be 0");
    return 0;
}

/* What its pools would do for unused connections is done by the lanes, which hold theirs. */
static struct mcm_client *new_inner_client(const struct mcm_client_config *config, char *error,
                                           size_t error_size)
{
    if (check_config(config, error, error_size) != 0)
        return NULL;
    struct mcm_client_config inner = *config;
    inner.mode = MCM_MODE_EXCLUSIVE;
    inner.connections_max = config->lanes + 1;
    inner.waiters_max = 0;
    inner.idle_connections_min = 0;
    inner.idle_max = 0;
    inner.health_check_period = 0;
    inner.maintenance_thread = false;
    inner.verify = true;
    inner.failure_deletes_max = 0;
    if (config->value_size_max == 0) /* a loop does not ask servers what they take */
        inner.value_size_max = MCM_ITEM_SIZE_DEFAULT;
    return mcm_client_new(&inner, error, error_size);
}

/* Those that wait for as many dials as may run can have their turn. */
static void note_dial(void *self, struct mcm_event_lane *lane)
{
    struct mcm_loop *loop = self;
    unsigned first = (unsigned)(lane - loop->lanes) / loop->lanes_per_server;
    for (unsigned i = 0; i < loop->lanes_per_server; i++) {
        struct mcm_event_lane *other = &loop->lanes[first * loop->lanes_per_server + i];
        if (other->state != MCM_EVENT_LANE_CLOSED || other->dial_at != MCM_NS_NEVER)
            continue;
        other->dial_at = 0;
        mcm_loop_mark_dirty(loop, other);
    }
    /* A failure may have made a lookup due. */
    if (loop->resolve_at != MCM_NS_NEVER && lane->state == MCM_EVENT_LANE_CLOSED)
        loop->resolve_at = 0;
}

static unsigned server_count(const struct mcm_loop *loop)
{
    const struct mcm_topology *gutter = loop->client->gutter;
    return loop->topology->count + (gutter != NULL ? gutter->count : 0);
}

static int make_lanes(struct mcm_loop *loop, const struct mcm_client_config *config)
{
    loop->lane_config = (struct mcm_event_lane_config){
        .idle_max = config->idle_max,
        .health_period = config->health_check_period,
        .health_timeout = loop->client->health_timeout,
    };
    loop->lanes_per_server = config->lanes + 1;
    loop->lane_count = loop->lanes_per_server * server_count(loop);
    loop->lanes = calloc(loop->lane_count, sizeof(*loop->lanes));
    if (loop->lanes == NULL)
        return -1;
    for (unsigned i = 0; i < loop->lane_count; i++) {
        struct mcm_event_lane *lane = &loop->lanes[i];
        lane->backend =
            mcm_client_backend_in(loop->client, loop->topology, i / loop->lanes_per_server);
        lane->config = &loop->lane_config;
        lane->owner = (struct mcm_event_lane_owner){loop, mcm_loop_end_call, note_dial};
        lane->keep_ready = i % loop->lanes_per_server < config->idle_connections_min;
        mcm_event_lane_init(lane, loop->epoll_fd, config->lane_in_flight_max);
    }
    return 0;
}

struct mcm_loop *mcm_loop_new(const struct mcm_client_config *config, char *error,
                              size_t error_size)
{
    struct mcm_client *client = new_inner_client(config, error, error_size);
    if (client == NULL)
        return NULL;
    struct mcm_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        mcm_client_free(client);
        mcm_refuse(error, error_size, "out of memory");
        return NULL;
    }
    loop->client = client;
    loop->topology = atomic_load(&client->topology);
    loop->take_turns = config->take_turns;
    loop->queue_max = config->waiters_max > 0 ? config->waiters_max : MCM_LOOP_QUEUE_MAX;
    loop->acquire_timeout = config->acquire_timeout;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->buffer = malloc(BUFFER_SIZE);
    if (loop->epoll_fd < 0 || loop->buffer == NULL || make_lanes(loop, config) != 0) {
        mcm_refuse(error, error_size, "no memory or descriptor for the loop");
        mcm_loop_free(loop);
        return NULL;
    }
    return loop;
}

void mcm_loop_free(struct mcm_loop *loop)
{
    if (loop == NULL)
        return;
    loop->stopping = true;
    for (unsigned i = 0; i < loop->lane_count && loop->lanes != NULL; i++) {
        if (!mcm_client_is_forked(loop->client))
            mcm_event_lane_shut(&loop->lanes[i], MCM_E_SHUTDOWN);
        free(loop->lanes[i].lane.out);
    }
    for (uint32_t i = 0; i < loop->chunk_count; i++)
        free(loop->chunks[i]);
    mcm_deadlines_deinit(&loop->deadlines);
    mcm_client_free(loop->client);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop->chunks);
    free(loop->buffer);
    free(loop->lanes);
    free(loop);
}

int mcm_loop_fd(const struct mcm_loop *loop)
{
    return loop->epoll_fd;
}

mcm_ns mcm_loop_deadline(const struct mcm_loop *loop)
{
    if (loop->dirty != NULL)
        return 0;
    struct mcm_deadline *first = mcm_deadlines_first(&loop->deadlines);
    mcm_ns next = first != NULL ? ns_min(first->at, loop->resolve_at) : loop->resolve_at;
    for (unsigned i = 0; i < loop->lane_count; i++)
        next = ns_min(next, mcm_event_lane_deadline(&loop->lanes[i]));
    return next;
}

static void flush(struct mcm_loop *loop, mcm_ns now)
{
    /* What callbacks add meanwhile leaves with the next round. */
    struct mcm_event_lane *lane = loop->dirty;
    loop->dirty = NULL;
    while (lane != NULL) {
        struct mcm_event_lane *next = lane->next_dirty;
        lane->dirty = false;
        mcm_event_lane_flush(lane, now);
        lane = next;
    }
}

/* Looks after the host name of a server, and after its connections when it has moved. */
static void resolve_server(struct mcm_loop *loop, unsigned server, mcm_ns *next)
{
    struct mcm_event_lane *lanes = &loop->lanes[server * loop->lanes_per_server];
    struct mcm_backend *backend = lanes->backend;
    mcm_ns moved_at = atomic_load(&backend->moved_at);
    mcm_backend_resolve(backend, next);
    if (atomic_load(&backend->moved_at) == moved_at)
        return;
    for (unsigned i = 0; i < loop->lanes_per_server; i++)
        mcm_loop_mark_dirty(loop, &lanes[i]);
}

static void resolve_names(struct mcm_loop *loop, mcm_ns now)
{
    if (now < loop->resolve_at)
        return;
    loop->resolve_at = MCM_NS_NEVER;
    for (unsigned i = 0; i < server_count(loop); i++)
        resolve_server(loop, i, &loop->resolve_at);
}

void mcm_loop_process(struct mcm_loop *loop)
{
    if (mcm_client_is_forked(loop->client))
        return;
    struct epoll_event events[EVENTS_MAX];
    mcm_ns now = ns_now();
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++)
        mcm_event_lane_ready(events[i].data.ptr, events[i].events, loop->buffer, BUFFER_SIZE, now);
    mcm_loop_expire_calls(loop, now);
    for (unsigned i = 0; i < loop->lane_count; i++)
        mcm_event_lane_tick(&loop->lanes[i], now);
    resolve_names(loop, now);
    flush(loop, now);
}

size_t mcm_loop_run(struct mcm_loop *loop, mcm_ns deadline)
{
    while (loop->pending > 0 && !mcm_client_is_forked(loop->client)) {
        mcm_loop_process(loop);
        mcm_ns until = ns_min(deadline, mcm_loop_deadline(loop));
        if (loop->pending == 0 || ns_now() >= deadline)
            break;
        if (until > 0 && mcm_socket_wait(loop->epoll_fd, false, until) < 0)
            break;
    }
    return loop->pending;
}

size_t mcm_loop_pending(const struct mcm_loop *loop)
{
    return loop->pending;
}

int mcm_loop_stats(struct mcm_loop *loop, unsigned index, struct mcm_server_stats *stats)
{
    if (index >= server_count(loop) || mcm_client_is_forked(loop->client))
        return -1;
    for (unsigned i = 0; i < loop->lanes_per_server; i++)
        mcm_event_lane_count(&loop->lanes[index * loop->lanes_per_server + i]);
    return mcm_client_stats(loop->client, index, stats);
}
