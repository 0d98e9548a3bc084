/* SPDX-License-Identifier: MIT */
#include "rig/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/probe.h"
#include "node/stale.h"
#include "scenario/plan.h"
#include "proxy/server.h"

#define PROBE_TIMEOUT (5 * NS_PER_SEC) /* for a given server to answer */

struct topology {
    struct topology_config config;
    size_t node_count;
    struct topology_node nodes[SCENARIO_NODES_MAX];
    struct node *processes[SCENARIO_NODES_MAX]; /* NULL for given servers */
    struct proxy_server *server;                /* NULL for a foreign Toxiproxy */
    struct apiclient *api;
    struct watchdog *watchdog;
    size_t created; /* proxies */
};

static void stale_found(void *arg, int pid, const char *mark)
{
    const struct topology *t = arg;
    log_warn(t->config.log, "killed process %d, a node of an earlier run (%.40s) that is gone", pid,
             mark);
}

static int start_own_nodes(struct topology *t, struct err *err)
{
    char program[256];
    stale_kill(stale_found, t);
    if (node_find_program(program, sizeof program, err) != 0)
        return -1;
    struct rng rng =
        rng_fork(t->config.seed, (uint64_t)ns_now()); /* two runs at once: other ports */
    for (t->node_count = 0; t->node_count < TOPOLOGY_NODES_DEFAULT; t->node_count++) {
        struct topology_node *node = &t->nodes[t->node_count];
        snprintf(node->name, sizeof node->name, "node%zu", t->node_count + 1);
        struct node_config config = {
            .name = node->name,
            .program = program,
            .memory_mb = TOPOLOGY_MEMORY_MB,
            .connections_max = t->config.connections_max,
            .threads = 1,
            .keep_account = t->config.new_accounts,
        };
        struct node **process = &t->processes[t->node_count];
        if (node_start(&config, &rng, process, err) != 0)
            return -1;
        snprintf(node->address, sizeof node->address, "%s", node_address(*process));
        snprintf(node->version, sizeof node->version, "%s", node_version(*process));
    }
    return 0;
}

static int find_given_nodes(struct topology *t, struct err *err)
{
    const char *p = t->config.servers;
    while (*p != '\0') {
        size_t length = strcspn(p, ",");
        if (t->node_count == SCENARIO_NODES_MAX)
            return err_set(err, "-servers: more than %d servers", SCENARIO_NODES_MAX);
        struct topology_node *node = &t->nodes[t->node_count];
        if (length == 0 || length >= sizeof node->address)
            return err_set(err, "-servers: \"%s\" is not a list of host:port with commas between",
                           t->config.servers);
        snprintf(node->name, sizeof node->name, "node%zu", t->node_count + 1);
        snprintf(node->address, sizeof node->address, "%.*s", (int)length, p);
        if (node_probe(node->address, ns_now() + PROBE_TIMEOUT, node->version, sizeof node->version,
                       err) != 0)
            return err_prefix(err, "-servers");
        t->node_count++;
        p += length + (p[length] == ',');
    }
    return 0;
}

static int start_own_api(struct topology *t, char *url, size_t url_size, struct err *err)
{
    struct proxy_server_config config = {
        .host = "127.0.0.1", .port = t->config.api_port, .seed = t->config.seed};
    if (proxy_server_start(&config, &t->server, err) != 0)
        return err_prefix(err,
                          "the Toxiproxy API cannot use port %u (choose another with -api-port)",
                          (unsigned)t->config.api_port);
    snprintf(url, url_size, "http://127.0.0.1:%u", (unsigned)proxy_server_api_port(t->server));
    return 0;
}

/* A run that was killed together with its watchdog may have left toxics, which have our names. */
static int remove_stale_toxics(struct topology *t, const char *proxy, struct err *err)
{
    struct apiclient_toxic_view toxics[APICLIENT_STATS_TOXICS_MAX];
    size_t count = 0;
    if (apiclient_toxics(t->api, proxy, toxics, APICLIENT_STATS_TOXICS_MAX, &count, err) !=
        APICLIENT_OK)
        return -1;
    for (size_t i = 0; i < count && i < APICLIENT_STATS_TOXICS_MAX; i++) {
        if (strncmp(toxics[i].name, PLAN_FAULT_PREFIX, strlen(PLAN_FAULT_PREFIX)) != 0)
            continue;
        log_warn(t->config.log, "removing the toxic %s that an earlier run left on %s",
                 toxics[i].name, proxy);
        int rc = apiclient_toxic_remove(t->api, proxy, toxics[i].name, err);
        if (rc != APICLIENT_OK && rc != APICLIENT_NOT_FOUND)
            return -1;
    }
    return 0;
}

#define FOREIGN_PROXIES_MAX 256 /* that are looked at */

static int clean_foreign_server(struct topology *t, struct err *err)
{
    size_t count = 0;
    struct apiclient_proxy *list = calloc(FOREIGN_PROXIES_MAX, sizeof *list);
    if (list == NULL)
        return err_set(err, "out of memory");
    int rc =
        apiclient_list(t->api, list, FOREIGN_PROXIES_MAX, &count, err) == APICLIENT_OK ? 0 : -1;
    for (size_t i = 0; i < count && i < FOREIGN_PROXIES_MAX && rc == 0; i++)
        if (list[i].toxic_count > 0)
            rc = remove_stale_toxics(t, list[i].name, err);
    free(list);
    return rc;
}

static int open_api(struct topology *t, struct err *err)
{
    bool own = t->config.toxiproxy == NULL || t->config.toxiproxy[0] == '\0';
    char own_url[64];
    if (own && start_own_api(t, own_url, sizeof own_url, err) != 0)
        return -1;
    struct apiclient_config config = {.url = own ? own_url : t->config.toxiproxy,
                                      .cancel_fd = t->config.cancel_fd};
    if (apiclient_new(&config, &t->api, err) != 0)
        return err_prefix(err, "-toxiproxy");
    watchdog_server(t->watchdog, apiclient_url(t->api), !own);
    if (!own)
        log_info(t->config.log, "waiting for the Toxiproxy at %s, 30 s at most",
                 apiclient_url(t->api));
    if (apiclient_wait(t->api, 0, err) != APICLIENT_OK)
        return -1;
    return own ? 0 : clean_foreign_server(t, err);
}

/* The host that reaches a proxy: loopback, or the machine of a foreign Toxiproxy. */
static void proxy_host(const struct topology *t, char *host, size_t size)
{
    const char *start = strstr(apiclient_url(t->api), "://");
    start = start != NULL ? start + 3 : apiclient_url(t->api);
    const char *end = strrchr(start, ':');
    size_t length = end != NULL ? (size_t)(end - start) : strlen(start);
    snprintf(host, size, "%.*s", (int)length, start);
    if (strcmp(host, "localhost") == 0)
        snprintf(host, size, "127.0.0.1");
}

static int create_proxy(struct topology *t, size_t index, const char *host, struct err *err)
{
    struct topology_node *node = &t->nodes[index];
    snprintf(node->proxy, sizeof node->proxy, "memcache%zu", index + 1);
    unsigned port = t->config.proxy_port != 0 ? t->config.proxy_port + (unsigned)index : 0;
    const char *bind_host = strncmp(host, "127.", 4) == 0 ? host : "0.0.0.0";
    char listen[160];
    snprintf(listen, sizeof listen, "%s:%u", bind_host, port);
    struct apiclient_proxy made;
    int rc = apiclient_create(t->api, node->proxy, listen, node->address, &made, err);
    if (rc == APICLIENT_CONFLICT) { /* left by an earlier run that was killed */
        log_warn(t->config.log, "replacing the proxy %s that is already on %s", node->proxy,
                 apiclient_url(t->api));
        if (apiclient_delete(t->api, node->proxy, err) != APICLIENT_OK)
            return -1;
        rc = apiclient_create(t->api, node->proxy, listen, node->address, &made, err);
    }
    if (rc != APICLIENT_OK)
        return err_prefix(
            err, "the proxy before %s cannot listen on %s (choose other ports with -proxy-port)",
            node->name, listen);
    t->created++;
    watchdog_proxy(t->watchdog, node->proxy, true);
    const char *colon = strrchr(made.listen, ':');
    snprintf(node->listen, sizeof node->listen, "%s%s", host, colon != NULL ? colon : "");
    return 0;
}

static int start_proxies(struct topology *t, struct err *err)
{
    if (t->config.direct) {
        for (size_t i = 0; i < t->node_count; i++)
            memcpy(t->nodes[i].listen, t->nodes[i].address, sizeof t->nodes[i].listen);
        return 0;
    }
    if (open_api(t, err) != 0)
        return -1;
    char host[100];
    proxy_host(t, host, sizeof host);
    for (size_t i = 0; i < t->node_count; i++)
        if (create_proxy(t, i, host, err) != 0)
            return -1;
    for (size_t i = 0; i < t->node_count; i++)
        if (node_probe(t->nodes[i].listen, ns_now() + PROBE_TIMEOUT, NULL, 0, err) != 0)
            return err_prefix(err, "%s does not answer through its proxy", t->nodes[i].name);
    return 0;
}

int topology_start(const struct topology_config *config, struct topology **out, struct err *err)
{
    struct topology *t = calloc(1, sizeof *t);
    if (t == NULL)
        return err_set(err, "out of memory");
    t->config = *config;
    bool own = config->servers == NULL || config->servers[0] == '\0';
    if (watchdog_start(&t->watchdog, err) != 0 ||
        (own ? start_own_nodes(t, err) : find_given_nodes(t, err)) != 0 ||
        start_proxies(t, err) != 0) {
        topology_stop(t);
        return -1;
    }
    for (size_t i = 0; i < t->node_count; i++) {
        const char *colon = strrchr(t->nodes[i].listen, ':');
        t->nodes[i].port = colon != NULL ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
    }
    *out = t;
    return 0;
}

void topology_stop(struct topology *t)
{
    if (t == NULL)
        return;
    struct err err;
    for (size_t i = 0; i < t->created && t->server == NULL; i++) {
        if (apiclient_delete(t->api, t->nodes[i].proxy, &err) != APICLIENT_OK)
            log_warn(t->config.log, "%s stays behind: %s", t->nodes[i].proxy, err.text);
        watchdog_proxy(t->watchdog, t->nodes[i].proxy, false);
    }
    apiclient_free(t->api);
    proxy_server_stop(t->server);
    for (size_t i = 0; i < SCENARIO_NODES_MAX; i++)
        node_free(t->processes[i]);
    watchdog_stop(t->watchdog);
    free(t);
}

size_t topology_node_count(const struct topology *topology)
{
    return topology->node_count;
}

const struct topology_node *topology_node(const struct topology *topology, size_t index)
{
    return &topology->nodes[index];
}

struct apiclient *topology_api(const struct topology *topology)
{
    return topology->api;
}

struct watchdog *topology_watchdog(const struct topology *topology)
{
    return topology->watchdog;
}

struct node *const *topology_processes(const struct topology *topology)
{
    return topology->processes;
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

struct fault_means topology_means(const struct topology_config *config)
{
    return (struct fault_means){
        .proxies = !config->direct,
        .own_nodes = !is_given(config->servers),
    };
}

int topology_check(struct topology *topology, struct err *err)
{
    for (size_t i = 0; i < topology->node_count; i++)
        if (topology->processes[i] != NULL && node_check(topology->processes[i], err) != 0)
            return -1;
    return 0;
}
