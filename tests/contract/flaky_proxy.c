/* SPDX-License-Identifier: MIT */
#include "flaky_proxy.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/apiclient.h"
#include "proxy/server.h"

#define NAME "memcached"
#define CUT_AFTER_BYTES 9 /* in the middle of the shortest answers that hold anything */

static void expect(int result, const struct err *err)
{
    if (result != APICLIENT_OK)
        fail_msg("%s", err->text);
}

static bool open_proxy(struct flaky_proxy *proxy, int upstream_port, struct err *err)
{
    struct proxy_server_config server = {.host = "127.0.0.1", .seed = (uint64_t)upstream_port};
    if (proxy_server_start(&server, &proxy->server, err) != 0)
        return false;
    char url[64], upstream[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", proxy_server_api_port(proxy->server));
    snprintf(upstream, sizeof(upstream), "127.0.0.1:%d", upstream_port);
    struct apiclient_config client = {.url = url, .cancel_fd = -1};
    struct apiclient_proxy made;
    if (apiclient_new(&client, &proxy->api, err) != 0 ||
        apiclient_create(proxy->api, NAME, "127.0.0.1:0", upstream, &made, err) != APICLIENT_OK)
        return false;
    snprintf(proxy->address, sizeof(proxy->address), "%s", made.listen);
    return true;
}

bool flaky_proxy_start(struct flaky_proxy *proxy, int upstream_port)
{
    struct err err;
    memset(proxy, 0, sizeof(*proxy));
    if (open_proxy(proxy, upstream_port, &err))
        return true;
    print_error("%s\n", err.text);
    flaky_proxy_stop(proxy);
    return false;
}

void flaky_proxy_stop(struct flaky_proxy *proxy)
{
    apiclient_free(proxy->api);
    proxy_server_stop(proxy->server);
    proxy->api = NULL;
    proxy->server = NULL;
}

void flaky_proxy_down(struct flaky_proxy *proxy)
{
    struct err err;
    expect(apiclient_set_enabled(proxy->api, NAME, false, &err), &err);
}

void flaky_proxy_up(struct flaky_proxy *proxy)
{
    struct err err;
    expect(apiclient_set_enabled(proxy->api, NAME, true, &err), &err);
}

void flaky_proxy_cut(struct flaky_proxy *proxy)
{
    flaky_proxy_down(proxy);
    flaky_proxy_up(proxy);
}

/* The toxic of that name is there with these values, or, without `toxic`, is not there. */
static void set_toxic(struct flaky_proxy *proxy, const char *name,
                      const struct apiclient_toxic *toxic)
{
    struct err err;
    int result = apiclient_toxic_remove(proxy->api, NAME, name, &err);
    if (result != APICLIENT_NOT_FOUND)
        expect(result, &err);
    if (toxic != NULL)
        expect(apiclient_toxic_add(proxy->api, NAME, toxic, &err), &err);
}

void flaky_proxy_kill(struct flaky_proxy *proxy, int per_mille)
{
    static const char *const names[] = {"kill_requests", "kill_answers"};
    static const char *const streams[] = {"upstream", "downstream"};
    struct apiclient_attribute bytes = {.name = "bytes", .value = CUT_AFTER_BYTES};
    for (int i = 0; i < 2; i++) {
        struct apiclient_toxic toxic = {.name = names[i],
                                        .type = "limit_data",
                                        .stream = streams[i],
                                        .toxicity = 1,
                                        .chunk_toxicity = per_mille / 1000.0,
                                        .attributes = &bytes,
                                        .attribute_count = 1};
        set_toxic(proxy, names[i], per_mille > 0 ? &toxic : NULL);
    }
}

static uint64_t closes_of(const struct apiclient_toxic_stats *toxics, size_t count)
{
    uint64_t closes = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(toxics[i].type, "limit_data") == 0)
            closes += toxics[i].closes;
    return closes;
}

static struct apiclient_stats *get_stats(struct flaky_proxy *proxy)
{
    struct err err;
    struct apiclient_stats *stats = calloc(1, sizeof(*stats));
    assert_non_null(stats);
    expect(apiclient_stats(proxy->api, NAME, stats, &err), &err);
    return stats;
}

uint64_t flaky_proxy_killed(struct flaky_proxy *proxy)
{
    struct apiclient_stats *stats = get_stats(proxy);
    uint64_t killed = closes_of(stats->toxics, stats->toxic_count) +
                      closes_of(stats->removed, stats->removed_count);
    free(stats);
    return killed;
}

void flaky_proxy_delay(struct flaky_proxy *proxy, int ms, int jitter_ms)
{
    struct apiclient_attribute attributes[] = {{.name = "latency", .value = ms},
                                               {.name = "jitter", .value = jitter_ms}};
    struct apiclient_toxic toxic = {.name = "delay",
                                    .type = "latency",
                                    .stream = "downstream",
                                    .toxicity = 1,
                                    .attributes = attributes,
                                    .attribute_count = 2};
    set_toxic(proxy, toxic.name, ms > 0 ? &toxic : NULL);
}

void flaky_proxy_hang(struct flaky_proxy *proxy, bool on)
{
    struct apiclient_toxic toxic = {
        .name = "hang", .type = "blackhole", .stream = "downstream", .toxicity = 1};
    set_toxic(proxy, toxic.name, on ? &toxic : NULL);
}

uint64_t flaky_proxy_connections(struct flaky_proxy *proxy)
{
    struct apiclient_stats *stats = get_stats(proxy);
    uint64_t open = stats->connections_open;
    free(stats);
    return open;
}
