/* SPDX-License-Identifier: MIT */
/*
 * Watching a client: how long things take, as histograms of each server, and callbacks at the
 * begin and the end of what it does.
 *
 * Histograms are always on. Recording is a relaxed atomic addition in one of a few copies, so
 * that threads seldom meet; reading adds the copies up without a lock, while calls go on: a
 * snapshot may miss what happens meanwhile, and nothing else.
 */
#ifndef MCMETA_OBSERVE_H
#define MCMETA_OBSERVE_H

#include <mcmeta/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is measured. The first ones are those of enum mcm_operation, in its order: calls on one key,
 * from their start on the server (waiting for a connection included) to their outcome. */
enum mcm_measure {
    MCM_MEASURE_GET,
    MCM_MEASURE_STORE,
    MCM_MEASURE_DELETE,
    MCM_MEASURE_ARITHMETIC,
    MCM_MEASURE_OTHER,
    MCM_MEASURE_BATCH, /* a server's part of a batch */
    MCM_MEASURE_DIAL,  /* making a connection, TLS and login included; those that were made */
    MCM_MEASURE_WAIT,  /* calls that had to wait for a connection: how long */
    MCM_MEASURE_DEPTH, /* requests in flight on a connection that is shared or serves a batch, each
                          time some were sent; a number, no time */
    MCM_MEASURE_COUNT
};

/* "get", "store" ... "batch", "dial", "wait", "depth". */
MCM_API const char *mcm_measure_name(enum mcm_measure measure);

/*
 * A log-linear histogram: exact up to 16 units, then eight buckets for each doubling, so that a
 * bucket is at most an eighth of its values wide. Times have units of 256 ns and are told apart up
 * to 17 s. The last bucket holds everything above.
 */
#define MCM_HISTOGRAM_BUCKETS 192

struct mcm_histogram {
    uint64_t unit; /* 256 ns, or 1 for MCM_MEASURE_DEPTH */
    uint64_t count;
    uint64_t sum; /* of the values themselves: exact */
    uint64_t buckets[MCM_HISTOGRAM_BUCKETS];
};

/* The largest value that is counted in bucket `index`; UINT64_MAX for the last. */
MCM_API uint64_t mcm_histogram_bound(const struct mcm_histogram *histogram, unsigned index);

/* A value that the share `quantile` (0 to 1) of all values does not exceed: the bound of a bucket,
 * so at most an eighth too high; 0 when nothing was counted. */
MCM_API uint64_t mcm_histogram_quantile(const struct mcm_histogram *histogram, double quantile);

/* Adds `more`, which must have the same unit unless `sum` is empty. */
MCM_API void mcm_histogram_add(struct mcm_histogram *sum, const struct mcm_histogram *more);

/* The histogram of server `index` since it is known. Any thread. Returns 0, or -1 when there is no
 * such server or measure, or the client belongs to the parent process. */
MCM_API int mcm_client_histogram(struct mcm_client *client, unsigned index,
                                 enum mcm_measure measure, struct mcm_histogram *histogram);

/* Takes a piece of text. */
typedef void (*mcm_write_fn)(void *arg, const char *text, size_t size);

/*
 * Writes counters, gauges and histograms of all servers in the text format of Prometheus, names
 * begin with mcmeta_. `write` is called many times in the caller's thread, with no lock held.
 */
MCM_API void mcm_client_prometheus(struct mcm_client *client, mcm_write_fn write, void *arg);

/* A call, or a server's part of a batch, on one server. A call that was tried on several servers
 * makes several events; one that was sent again to the same server is one. */
struct mcm_call_event {
    unsigned server;         /* index */
    const char *server_name; /* valid during the callback */
    enum mcm_measure kind;   /* an operation, or MCM_MEASURE_BATCH */
    struct mcm_slice key;    /* valid during the callback; empty for a batch and for calls on a
                                server */
    size_t items;            /* of a batch; 1 for a call */
    mcm_ns began;

    /* At the end. */
    mcm_ns ended;
    enum mcm_outcome outcome;
    bool retried; /* sent a second time on a new connection */
    void *span;   /* what on_call_begin returned */
};

/* A connection was made (MCM_OK) or could not be. */
struct mcm_connect_event {
    const char *server_name; /* valid during the callback */
    enum mcm_outcome outcome;
    int sys_errno;
    mcm_ns began, ended;
};

/* `connections` were closed. */
struct mcm_close_event {
    const char *server_name; /* valid during the callback */
    unsigned connections;
};

/*
 * Callbacks, each of which may be NULL. They run in the thread of the call, or in that of the
 * maintenance when it makes or closes connections, so several may run at once; no lock is held.
 * They may use the client, which calls them again: an end to that is theirs to find. The time they
 * take is part of the call's. Changes of breakers have a callback of their own, on_breaker of the
 * configuration. A loop calls on_call_begin when a call is submitted and on_call_end before the
 * call's own callback.
 */
struct mcm_hooks {
    size_t size; /* sizeof(struct mcm_hooks) */
    void *arg;
    void *(*on_call_begin)(void *arg, const struct mcm_call_event *event);
    void (*on_call_end)(void *arg, const struct mcm_call_event *event);
    void (*on_connect)(void *arg, const struct mcm_connect_event *event);
    void (*on_close)(void *arg, const struct mcm_close_event *event);
};

#ifdef __cplusplus
}
#endif

#endif
