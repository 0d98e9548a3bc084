/* SPDX-License-Identifier: MIT */
/*
 * A memcached client as a driver of memchaos: a shared object that is loaded at run time.
 *
 *     cc -shared -fPIC -fvisibility=hidden mine.c -o mine.so
 *     memchaos -driver ./mine.so
 *
 * The shared object exports one function, memchaos_driver_entry(), which returns a table. memchaos
 * opens one client per run, then one worker handle per thread of its load, and makes blocking calls
 * on these, as the users of client libraries do. docs/driver-plugin.md is the guide,
 * drivers/c/example.c a complete driver.
 *
 * Units: times are nanoseconds; `deadline` is absolute on CLOCK_MONOTONIC.
 * Strings end with a NUL. Keys and values have a size and no NUL; a key has 1 to 250 bytes, unless
 * the load means to try others (workload poison).
 *
 * Ownership: what memchaos passes to a call belongs to memchaos and is valid during that call,
 * which includes the strings and arrays of struct memchaos_config. The value that a get returns
 * belongs to the driver and must stay as it is until the next call with the same worker.
 *
 * Threads: open, node_of_key, worker_open, worker_close and close are called from one thread. Each
 * worker is used by one thread at a time, all of them at once. interrupt and node_stats may come
 * from any thread while the client is open. Worker threads have a stack of 256 KiB.
 *
 * Compatibility: within one MEMCHAOS_DRIVER_ABI, functions are only ever added at the end of struct
 * memchaos_driver, and fields at the end of the structs that begin with `size`; the other structs
 * never change. A driver built for an older header of the same ABI works with a newer memchaos. In
 * return, a driver reads a field of a struct with `size` only if that is large enough to hold it.
 */
#ifndef MEMCHAOS_DRIVER_H
#define MEMCHAOS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MEMCHAOS_DRIVER_ABI 1

/*
 * How an operation ended. A miss is not an error, and an error is not a miss: map them honestly,
 * or the results lie. Numbers never change. memchaos takes any other number for MEMCHAOS_OTHER.
 */
enum memchaos_outcome {
    /* The server answered. */
    MEMCHAOS_OK = 0,         /* found, stored, deleted, counted */
    MEMCHAOS_MISS = 1,       /* get, delete, increment: no such key */
    MEMCHAOS_NOT_STORED = 2, /* add: the key has a value */
    MEMCHAOS_EXISTS = 3,     /* somebody else changed the value */

    MEMCHAOS_CANCELLED = 10, /* ended by interrupt; neither success nor failure */

    /* The operation failed. */
    MEMCHAOS_INVALID = 20,         /* the client refused the key, the value or the call */
    MEMCHAOS_RESOLVE = 21,         /* the node's address could not be resolved */
    MEMCHAOS_REFUSED = 22,         /* connection refused, or host unreachable */
    MEMCHAOS_CONNECT_TIMEOUT = 23, /* no connection in time */
    MEMCHAOS_TLS = 24,             /* no secure connection could be agreed on */
    MEMCHAOS_AUTH = 25,            /* the node refused the user or the password */
    MEMCHAOS_RESET = 26,           /* connection reset by the peer */
    MEMCHAOS_CLOSED = 27,          /* connection closed before the answer */
    MEMCHAOS_CLOSED_IDLE = 28,     /* a kept connection had died before it was used */
    MEMCHAOS_WRITE_TIMEOUT = 29,   /* the request could not be sent in time */
    MEMCHAOS_IO_TIMEOUT = 30,      /* no answer in time */
    MEMCHAOS_POOL_TIMEOUT = 31,    /* no free connection in time */
    MEMCHAOS_BREAKER_OPEN = 32,    /* the client did not ask a node that it holds to be dead */
    MEMCHAOS_BREAKER_BUSY = 33,    /* the same, while another call finds out whether it is */
    MEMCHAOS_PROTOCOL = 34,        /* the answer could not be understood */
    MEMCHAOS_SERVER_ERROR = 35,    /* the server answered SERVER_ERROR */
    MEMCHAOS_TOO_LARGE = 36,       /* the server found the value too large */
    MEMCHAOS_CLIENT_ERROR = 37,    /* the server answered CLIENT_ERROR */
    MEMCHAOS_LOCAL = 38,           /* this process lacked memory, descriptors, room in a queue */
    MEMCHAOS_OTHER = 39            /* anything else, and what the client does not tell */
};

enum memchaos_breaker {
    MEMCHAOS_BREAKER_NONE = 0, /* the client has none for this node */
    MEMCHAOS_BREAKER_CLOSED = 1,
    MEMCHAOS_BREAKER_IS_OPEN = 2,
    MEMCHAOS_BREAKER_HALF_OPEN = 3
};

/* The flags of memchaos that concern the client. A driver uses those that its client has. */
struct memchaos_config {
    size_t size; /* of this struct, as memchaos has it */
    /* "host:port" or "[host]:port", and a name for each: the identity that keys should be mapped
     * to, since the ports of the nodes may differ from run to run. */
    const char *const *servers;
    const char *const *names;
    size_t server_count;
    unsigned workers;   /* how many handles will be opened */
    unsigned pool_max;  /* -pool: connections per node at most */
    uint64_t seed;      /* for what is random in the client: same seed, same behaviour */
    int64_t timeout_ns; /* -timeout: of each operation, the deadline less its start */
    int64_t connect_timeout_ns;
    int64_t lifetime_max_ns;  /* age at which a connection is replaced; 0 = never */
    int64_t idle_max_ns;      /* unused connections are closed after this; 0 = never */
    int64_t health_period_ns; /* 0 = no health checks */
    const char *breaker;      /* "fast", "original" or "off"; these override it when > 0: */
    int breaker_half_open_max;
    int breaker_requests_min;
    int64_t breaker_interval_ns;
    int64_t breaker_open_ns;
    double breaker_failure_ratio;
    /* Tells memchaos that the breaker of a node has changed, from any thread until `close` returns.
     * `cause` is a few words and is copied. Pass `host` as it is. */
    void (*breaker_changed)(void *host, unsigned node, enum memchaos_breaker from,
                            enum memchaos_breaker to, const char *cause);
    void *host;
};

/* Where a function that fails says why; it always ends with a NUL. */
struct memchaos_error {
    char text[256];
};

/* memchaos sets outcome to MEMCHAOS_OTHER, node to -1 and the rest to 0 before each call. */
struct memchaos_result {
    int outcome;       /* enum memchaos_outcome */
    int node;          /* index of the server that was or would have been asked; -1 = unknown */
    const void *value; /* of a get that was MEMCHAOS_OK */
    size_t value_size;
    uint64_t number; /* after an increment */
    /* Certainly no byte of the request left this process, so nothing can have been changed. When in
     * doubt, false: memchaos then expects that the change may still happen. */
    bool unsent;
};

/* One key of a call with many. */
struct memchaos_item {
    /* Filled by memchaos. */
    const char *key;
    size_t key_size;
    const void *value; /* to store; a multi_get sets it, as in struct memchaos_result */
    size_t value_size;
    uint32_t ttl_s;
    /* Filled by the call, with the same meaning and the same initial values as above. */
    int outcome;
    int node;
    bool unsent;
};

/* The client's side of one node. All zero is legal. */
struct memchaos_node_stats {
    size_t size;          /* of this struct, as memchaos has it */
    uint32_t pool_active; /* connections in use now */
    uint32_t pool_idle;
    uint32_t pool_total;
    uint32_t pool_waiting;   /* operations that wait for a connection now */
    uint32_t pool_total_max; /* high-water marks since the client was opened */
    uint32_t pool_waiting_max;
    int breaker;               /* enum memchaos_breaker */
    uint64_t breaker_rejected; /* calls that it refused since the client was opened */
};

/*
 * The driver. Functions that are marked "optional" may be NULL. Calls end by their deadline, but
 * for the moment that the client needs to notice; memchaos reports those that do not.
 */
struct memchaos_driver {
    uint32_t abi;       /* MEMCHAOS_DRIVER_ABI; this field is the first for ever */
    uint32_t size;      /* sizeof(struct memchaos_driver) */
    const char *name;   /* of the client: "mine" */
    const char *client; /* its version: "mine 2.1"; it is part of every result */

    /* Returns the client, or NULL with the reason in `error`. It need not connect yet. */
    void *(*open)(const struct memchaos_config *config, struct memchaos_error *error);
    /* After the last worker_close: closes every connection, ends every thread, frees everything. */
    void (*close)(void *client);
    /* Optional, and worth having: ends all calls in progress, and those that still start, with
     * MEMCHAOS_CANCELLED. Without it the end of a run waits for the calls' deadlines. */
    void (*interrupt)(void *client);
    /* Optional: false when there is nothing to say. */
    bool (*node_stats)(void *client, size_t node, struct memchaos_node_stats *out);
    /* Optional: the index of the server that a key belongs to, -1 when unknown. */
    int (*node_of_key)(void *client, const char *key, size_t key_size);

    /* One handle per thread of the load, numbered from 0. A client that is safe for threads returns
     * the client itself; one that is not opens a client of its own for each. NULL = failed. */
    void *(*worker_open)(void *client, unsigned worker, struct memchaos_error *error);
    void (*worker_close)(void *worker);

    void (*get)(void *worker, const char *key, size_t key_size, int64_t deadline,
                struct memchaos_result *result);
    void (*set)(void *worker, const char *key, size_t key_size, const void *value,
                size_t value_size, uint32_t ttl_s, int64_t deadline,
                struct memchaos_result *result);
    /* Stores unless the key has a value. */
    void (*add)(void *worker, const char *key, size_t key_size, const void *value,
                size_t value_size, uint32_t ttl_s, int64_t deadline,
                struct memchaos_result *result);
    void (*remove)(void *worker, const char *key, size_t key_size, int64_t deadline,
                   struct memchaos_result *result);
    /* Adds `delta`. A missing counter is created with the value `delta`. */
    void (*increment)(void *worker, const char *key, size_t key_size, uint64_t delta,
                      uint32_t ttl_s, int64_t deadline, struct memchaos_result *result);
    /* Optional: many keys, which may repeat, in one call. items[i] gets what became of key i, also
     * when others failed. Without them memchaos makes one call per key. */
    void (*multi_get)(void *worker, struct memchaos_item *items, size_t count, int64_t deadline);
    void (*multi_set)(void *worker, struct memchaos_item *items, size_t count, int64_t deadline);
};

#if defined(__GNUC__)
#define MEMCHAOS_DRIVER_EXPORT __attribute__((visibility("default")))
#else
#define MEMCHAOS_DRIVER_EXPORT
#endif

/* What the shared object defines. The table is valid until the end of the process. */
MEMCHAOS_DRIVER_EXPORT const struct memchaos_driver *memchaos_driver_entry(void);

#ifdef __cplusplus
}
#endif

#endif
