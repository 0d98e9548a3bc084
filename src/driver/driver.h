/* SPDX-License-Identifier: MIT */
/*
 * The client under test behind one table of functions. Workers are threads that make blocking calls
 * on it, as the users of client libraries do; each worker has its own handle, which is the driver's
 * business (a thread-safe client gives all workers the same one).
 *
 * Thread rules: open, worker_open, worker_close and close from one thread; a worker handle is used
 * by one thread at a time; interrupt and node_stats from any thread while the driver is open.
 */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "metrics/latency.h"
#include "metrics/node_stats.h"
#include "metrics/outcome.h"
#include "metrics/transitions.h"

/* What the breaker of each node does; see docs/breaker.md for the presets. */
enum breaker_preset {
    BREAKER_FAST,
    BREAKER_ORIGINAL,
    BREAKER_OFF,
    BREAKER_PRESET_COUNT,
};

extern const char *const breaker_preset_names[BREAKER_PRESET_COUNT + 1];

struct log;

/* The settings of the client; a driver uses those that its client has. All strings are borrowed. */
struct driver_config {
    const char *const *servers; /* "host:port", by node */
    const char *const *names;   /* "node1": the identity that keys are mapped to, by node */
    size_t server_count;
    uint64_t seed;
    unsigned workers;    /* how many handles will be opened */
    ns_t timeout_ns;     /* of every operation, for clients that want it when they are made */
    const char *command; /* what was given as the driver's name */
    struct log *log;     /* may be NULL */
    unsigned pool_max;
    ns_t lifetime_max_ns;
    ns_t idle_max_ns;
    ns_t health_period_ns;
    ns_t connect_timeout_ns;
    enum breaker_preset breaker;
    int breaker_half_open_max; /* these override the preset when > 0 */
    ns_t breaker_interval_ns;
    ns_t breaker_open_ns;
    int breaker_requests_min;
    double breaker_failure_ratio;
    struct transitions *transitions; /* gets the breakers' changes; may be NULL */
};

struct driver_result {
    enum outcome outcome;
    uint32_t node;     /* index, or RECORDER_NODE_UNKNOWN */
    const void *value; /* of a hit: points into the buffer that was given */
    size_t value_size;
    uint64_t number;     /* after an increment */
    uint32_t connection; /* number of the connection by node; 0: the client does not tell */
    bool unsent;         /* certainly no byte left this process, so nothing can have been changed;
                            false when the client does not know */
};

/* One key of a batch. */
struct driver_item {
    /* Filled by the caller. */
    const char *key;
    size_t key_size;
    const void *value; /* to store. A get sets it, to memory of the worker's handle that is valid
                          until the next call with it */
    size_t value_size;
    uint32_t ttl_s; /* of a store */

    /* Filled by the call, always. */
    enum outcome outcome;
    uint32_t node;
    bool unsent;
};

/*
 * What a driver found to be wrong with its client as a program, whatever the operations said. Names
 * are those of checks in the report. X(identifier, name, text)
 */
#define DRIVER_FINDINGS(X)                                                                    \
    X(CRASHED, "driver_crashed", "the driver was not killed by a signal")                     \
    X(EXITED, "driver_exited", "the driver lived until it was told to end, and ended with 0") \
    X(NO_BYE, "driver_no_bye", "the driver ended in time and with its final line")            \
    X(SILENT, "driver_silent", "every operation was answered, if late")                       \
    X(LATE, "driver_late", "no answer came after the operation had been given up")            \
    X(PROTOCOL, "driver_protocol", "every line of the driver was as the protocol wants it")

enum driver_finding_kind {
#define X(id, name, text) DRIVER_FINDING_##id,
    DRIVER_FINDINGS(X)
#undef X
        DRIVER_FINDING_COUNT,
};

#define DRIVER_FINDING_TEXT_SIZE 400

struct driver_finding {
    enum driver_finding_kind kind;
    uint64_t count;
    char first_text[DRIVER_FINDING_TEXT_SIZE]; /* in words, with the line that was at fault */
};

/* The check that a finding fails, and what that check wants. */
const char *driver_finding_name(enum driver_finding_kind kind);
const char *driver_finding_text(enum driver_finding_kind kind);

/* What a driver can say about its client. Strings may be empty. */
struct driver_about {
    char client[80];     /* "pymemcache 3.5.2" */
    char runtime[80];    /* "CPython 3.11.2" */
    char promises[240];  /* what the client's documentation promises, and what it does unasked */
    struct latency cost; /* per operation, of what stands between the rig and the client: it is part
                            of every latency; count 0 when nothing does */
};

/* Every call has one absolute deadline on the monotonic clock and fills all of `result`. */
struct driver {
    const char *name;
    const char *help;

    int (*open)(const struct driver_config *config, void **out, struct err *err);
    /* Ends all calls in progress, and those that still start, with OUTCOME_CANCELLED. */
    void (*interrupt)(void *client);
    /* The state of a node as the client sees it. Returns false if the client has nothing to say. */
    bool (*node_stats)(void *client, size_t node, struct node_stats *out);
    /* The node a key belongs to, or -1 when the client does not tell. NULL if it never does. */
    int (*node_of_key)(void *client, const char *key, size_t key_size);
    void (*close)(void *client); /* after the last worker_close */
    /* Both may be NULL; both know all only after the last worker_close. `out` has room for
     * DRIVER_FINDING_COUNT; returns how many there are. */
    size_t (*findings)(void *client, struct driver_finding *out);
    void (*about)(void *client, struct driver_about *out);

    void *(*worker_open)(void *client, unsigned worker, struct err *err);
    void (*worker_close)(void *worker);

    void (*get)(void *worker, const char *key, size_t key_size, void *buffer, size_t buffer_size,
                ns_t deadline, struct driver_result *result);
    void (*set)(void *worker, const char *key, size_t key_size, const void *value,
                size_t value_size, uint32_t ttl_s, ns_t deadline, struct driver_result *result);
    void (*delete_)(void *worker, const char *key, size_t key_size, ns_t deadline,
                    struct driver_result *result);
    /* Stores unless the key has a value: OUTCOME_STORED or OUTCOME_NOT_STORED. */
    void (*add)(void *worker, const char *key, size_t key_size, const void *value,
                size_t value_size, uint32_t ttl_s, ns_t deadline, struct driver_result *result);
    /* A missing counter is created with the value `delta`. */
    void (*increment)(void *worker, const char *key, size_t key_size, uint64_t delta,
                      uint32_t ttl_s, ns_t deadline, struct driver_result *result);
    /*
     * Many keys in one call, which may repeat; items[i] gets what became of key i, also when others
     * failed. NULL when the client has no such call: workloads then make one call per key.
     */
    void (*multi_get)(void *worker, struct driver_item *items, size_t count, ns_t deadline);
    void (*multi_set)(void *worker, struct driver_item *items, size_t count, ns_t deadline);
};

/* All drivers, ending with NULL; the first is the default. */
extern const struct driver *const drivers[];

/* The driver called `name`, or NULL. */
const struct driver *driver_by_name(const char *name);

/*
 * What -driver says: the name of a driver; a shared object (driver/plugin.h); or the command line
 * of a program that speaks the protocol of docs/driver-protocol.md, which has a space or a slash in
 * it or is found in PATH. NULL for anything else, with the reason.
 */
const struct driver *driver_find(const char *text, struct err *err);

#endif
