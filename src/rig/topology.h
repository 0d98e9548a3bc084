/* SPDX-License-Identifier: MIT */
/*
 * What a run stands on: memcached nodes (our own processes or given ones), a proxy before each, and
 * the Toxiproxy API that controls them (our own server in this process or a given one). Faults
 * always go through the API, so both cases are one code path. One thread uses a topology, and it is
 * the one that started it.
 */
#ifndef RIG_TOPOLOGY_H
#define RIG_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "node/node.h"
#include "proxy/apiclient.h"
#include "scenario/scenario.h"
#include "scenario/watchdog.h"

#define TOPOLOGY_NODES_DEFAULT 3
#define TOPOLOGY_MEMORY_MB 64

struct topology_config {
    const char *servers;      /* "a:11211,b:11211": running nodes; NULL or "" = start our own */
    const char *toxiproxy;    /* URL of a running Toxiproxy; NULL or "" = our own server */
    bool direct;              /* no proxies at all */
    bool new_accounts;        /* we are in a user namespace without other accounts */
    uint16_t api_port;        /* of our own server; 0 = any free port */
    uint16_t proxy_port;      /* of the first proxy, the next follow; 0 = any free ports */
    unsigned connections_max; /* that one node must accept */
    uint64_t seed;
    int cancel_fd; /* readable = give up at once */
    struct log *log;
};

struct topology_node {
    char name[32];     /* "node1" */
    char proxy[32];    /* "memcache1"; "" without proxies */
    char address[128]; /* of memcached */
    char listen[128];  /* where the client connects: the proxy, or the node itself */
    uint16_t port;     /* of `listen` */
    char version[32];  /* of memcached */
};

struct topology;

/* Starts or finds everything and waits until each part answers. Returns 0, or -1 with nothing left
 * behind. */
int topology_start(const struct topology_config *config, struct topology **out, struct err *err);

/* Takes down what was started, and removes what was created on a foreign Toxiproxy. NULL is
 * allowed. */
void topology_stop(struct topology *topology);

size_t topology_node_count(const struct topology *topology);
const struct topology_node *topology_node(const struct topology *topology, size_t index);

/* The client of the API; NULL without proxies. */
struct apiclient *topology_api(const struct topology *topology);

/* What undoes our faults should we not. */
struct watchdog *topology_watchdog(const struct topology *topology);

/* Our own processes by node; NULL entries are given nodes. */
struct node *const *topology_processes(const struct topology *topology);

/* What faults can be done to what this configuration will start; not whether the kernel can lose
 * packets. */
struct fault_means topology_means(const struct topology_config *config);

/* Returns 0 while all our own nodes live, or are dead on purpose; -1 with the way one of them
 * ended. */
int topology_check(struct topology *topology, struct err *err);

#endif
