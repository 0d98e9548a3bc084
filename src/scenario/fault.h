/* SPDX-License-Identifier: MIT */
/*
 * The faults that a step of a scenario can name: `toxic: latency`, `proxy: down`, `node: kill`,
 * `network: loss`. Each is one entry of a const table: its attributes with their
 * limits, checked when a file is read; whether it is possible here, asked before anything is
 * started; and how it is switched on and off and whom it hit.
 *
 * A new one is an entry of its family's table (fault_toxic.c, fault_proxy.c, fault_node.c,
 * fault_network.c), a line in docs/faults.md and a test.
 */
#ifndef SCENARIO_FAULT_H
#define SCENARIO_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "proxy/apiclient.h"
#include "scenario/victims.h"
#include "scenario/watchdog.h"

#define FAULT_PARAMS_MAX 8

/* What does it; the word is the key of a step. */
enum fault_family {
    FAULT_FAMILY_TOXIC,   /* a toxic on the target's proxy */
    FAULT_FAMILY_PROXY,   /* the target's proxy as a whole */
    FAULT_FAMILY_NODE,    /* the target's memcached process; only our own ones */
    FAULT_FAMILY_NETWORK, /* packets in the kernel, in a private network namespace */
    FAULT_FAMILY_COUNT,
};

extern const char *const fault_family_names[FAULT_FAMILY_COUNT + 1]; /* NULL-terminated */

/* Bits of a set of directions. */
#define STREAM_UPSTREAM 1u   /* to the node: requests */
#define STREAM_DOWNSTREAM 2u /* from the node: answers */
#define STREAM_BOTH (STREAM_UPSTREAM | STREAM_DOWNSTREAM)

extern const char *const stream_names[4]; /* by the bits: "", "upstream", "downstream", "both" */

struct fault_param {
    const char *name;
    const char *unit;
    bool whole; /* an integer */
    bool required;
    double initial; /* when not given */
    double min, max;
    const char *help;
};

/* The attributes of a step, in the order of its type's parameters. */
struct fault_values {
    double v[FAULT_PARAMS_MAX]; /* the initial value where not given */
    uint32_t given;             /* bit i: v[i] was given */
};

struct fault_type;

/* One fault on one node, while a plan is carried out. The controller owns it. */
struct fault {
    const struct fault_type *type;
    size_t node;      /* from 0 */
    size_t index;     /* of the fault in its plan */
    const char *name; /* of what it creates: "memchaos_3" */
    unsigned streams;
    double toxicity;
    struct fault_values values; /* may change while it is on; then `update` is called */
    ns_t on_ns;                 /* when it was last switched on */
    struct victims victims;
};

struct node;

/* What faults work with; the rig fills it in. It outlives every fault. */
struct fault_env {
    struct apiclient *api;      /* NULL: no proxies */
    const char *const *proxies; /* name by node; NULL without proxies */
    struct node *const *nodes;  /* our processes by node; NULL entries, or NULL: foreign nodes */
    /* Where the client connects, by node, on the loopback of a private network namespace; NULL: the
     * run is not in one. */
    const uint16_t *network_ports;
};

/* What will be there, known before anything is started. */
struct fault_means {
    bool proxies;                /* there are proxies with an API */
    bool own_nodes;              /* the nodes are our processes */
    const char *network_missing; /* why the kernel cannot lose packets for us; NULL = it can */
    const char *netem_missing;   /* why it cannot delay, reorder and duplicate; NULL = it can */
};

struct fault_ops {
    /* Whether it can be done with these means: 0, or -1 with the reason. */
    int (*probe)(const struct fault_type *type, const struct fault_means *means, struct err *err);
    /*
     * Each returns 0, or -1 with the reason. `off` is called after every `on`, also after one that
     * failed half-way, and then must leave nothing behind. A fault can be switched on again.
     */
    int (*on)(const struct fault_env *env, struct fault *fault, struct err *err);
    int (*off)(const struct fault_env *env, struct fault *fault, struct err *err);
    /* New values while it is on. NULL: they cannot change. */
    int (*update)(const struct fault_env *env, struct fault *fault, struct err *err);
    /*
     * Adds to fault->victims (with sign -1: takes away) what the counters of others say. Called
     * with -1 before the first `on`, with 1 after the last `off`. NULL: on and off count.
     */
    void (*count)(const struct fault_env *env, struct fault *fault, int sign);
    /* What undoes it should we not. NULL: it ends by itself, or with our own processes. */
    void (*dead_man)(const struct fault_env *env, const struct fault *fault,
                     struct watchdog_order *order);
};

struct fault_type {
    enum fault_family family;
    const char *name;
    const char *help;
    const struct fault_ops *ops;
    const struct fault_param *params; /* read them with fault_params() */
    size_t param_count;
    unsigned streams;  /* the directions that it has by default; 0: it has no direction */
    bool has_toxicity; /* can spare a share of the connections */
    bool momentary;    /* happens and is over at once: no `for` */
    /* The dead-man limit: it is undone this long after it should have been switched off, by the
     * watchdog, should this process not have done it. */
    ns_t overdue_ns;
};

/* All of them, family by family; NULL beyond the last. */
const struct fault_type *fault_type_at(size_t index);
size_t fault_type_count(void);

/* NULL when there is none. */
const struct fault_type *fault_type_find(enum fault_family family, const char *name);

/* Its parameters: at most FAULT_PARAMS_MAX. Fills `out` and returns how many. */
size_t fault_params(const struct fault_type *type, struct fault_param out[FAULT_PARAMS_MAX]);

/* The initial values; nothing is given. */
struct fault_values fault_values_default(const struct fault_type *type);

/* What the fault does, for people: "latency downstream latency=500 jitter=50", "proxy down". */
void fault_text(const struct fault_type *type, unsigned streams, double toxicity,
                const struct fault_values *values, char *text, size_t size);

/* Whether it can be done with these means: 0, or -1 with the reason. */
int fault_probe(const struct fault_type *type, const struct fault_means *means, struct err *err);

/* The tables of the families, for fault.c. */
struct fault_table {
    const struct fault_type *types;
    size_t count;
};

extern const struct fault_table fault_table_toxic, fault_table_proxy, fault_table_node,
    fault_table_network;

#endif
