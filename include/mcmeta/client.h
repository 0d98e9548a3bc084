/* SPDX-License-Identifier: MIT */
/*
 * A blocking, thread-safe memcached client over the meta protocol.
 *
 *     struct mcm_server servers[] = {{.address = "10.0.0.1:11211"}, {.address = "10.0.0.2:11211"}};
 *     struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
 *     config.servers = servers;
 *     config.server_count = 2;
 *     char error[MCM_ERROR_SIZE];
 *     struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
 *
 *     char value[4096];
 *     struct mcm_result result;
 *     mcm_get(client, MCM_KEY("greeting"), value, sizeof(value), mcm_after(250000000), &result);
 *     if (result.outcome == MCM_OK)
 *         fwrite(result.value.data, 1, result.value.size, stdout);
 *
 * Each server has its own pool of connections and, when configured, its own circuit breaker. A
 * call takes one connection for itself, so calls on the same server never mix. Nothing here ever
 * blocks longer than the deadline of the call, which covers waiting for a connection, connecting
 * and the exchange. A connection whose answer did not come in time is closed and never used
 * again; with `verify` each answer must also repeat a token of its request, so the value of
 * another key can not be returned whatever happens on the wire.
 *
 * In the mode MCM_MODE_SHARED callers of the same server share a few connections instead: requests
 * that wait together leave in one write, and whoever finds nobody reading reads for all. That takes
 * a fraction of the system calls, of the connections and of the server's time when many threads
 * call at once, and costs a lone caller nothing. Large values still have a connection for
 * themselves.
 *
 * All functions may be called from any thread at any time, except mcm_client_new() and
 * mcm_client_free(). In a child process after fork() every call ends with MCM_E_FORKED and sends
 * nothing; mcm_client_free() frees the child's copy and leaves the parent's connections alone.
 */
#ifndef MCMETA_CLIENT_H
#define MCMETA_CLIENT_H

#include <mcmeta/breaker.h>
#include <mcmeta/selector.h>
#include <mcmeta/tls.h>
#include <mcmeta/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MCM_KEY_SIZE_MAX 250 /* bytes of a key */
#define MCM_TEXT_SIZE 128    /* bytes kept of an error line of a server, with the final zero */
#define MCM_ERROR_SIZE 256   /* enough for every message of mcm_client_new() */

struct mcm_client;
struct mcm_hooks;

struct mcm_server {
    /* "host:port", "1.2.3.4:port", "[v6]:port" or "unix:/path". The port may be left out: 11211. */
    const char *address;
    /* What selectors hash and messages say; NULL = the address. Unique within a client. */
    const char *name;
    uint32_t weight; /* share of the keys relative to the others; 0 = 1 */
};

/* A change of a circuit breaker. */
struct mcm_breaker_event {
    unsigned server; /* index in the configured list */
    enum mcm_breaker_state from;
    enum mcm_breaker_state to;
    enum mcm_breaker_cause cause;
    /* Of the call whose end caused it, or MCM_OUTCOME_COUNT when it was time that passed. */
    enum mcm_outcome outcome;
    mcm_ns at; /* when it happened */
};

/*
 * Called in the thread of the call that caused the change, after all locks were left: it may use
 * the client. Two threads may report at once; `at` tells the order.
 */
typedef void (*mcm_breaker_event_fn)(void *arg, const struct mcm_breaker_event *event);

/* How calls use connections. */
enum mcm_mode {
    MCM_MODE_EXCLUSIVE, /* a call has a connection of the pool for itself */
    MCM_MODE_SHARED     /* calls with small values share `lanes` connections, always verified */
};

#define MCM_LANES_MAX 64

/* Which keys a client takes. Keys are checked before anything is sent, always. */
enum mcm_key_rule {
    MCM_KEYS_DEFAULT,      /* 1 to 250 bytes without control characters, space and DEL */
    MCM_KEYS_STRICT_ASCII, /* of these, only bytes below 0x80 */
    MCM_KEYS_LENIENT,      /* all but NUL, tab, CR, LF and space */
    MCM_KEYS_AUTO_BASE64   /* as the default; other keys of up to 186 bytes are sent as base64 */
};

/*
 * What happens to a call when its server is down: its breaker is open, or no connection could be
 * made. A connection that is lost later never counts, since the request may have had an effect.
 */
enum mcm_failure_policy {
    MCM_ON_FAILURE_ERROR, /* the call ends with the error; the only policy without stale copies */
    MCM_ON_FAILURE_MISS,  /* fetches end with MCM_MISS, the others with the error */
    MCM_ON_FAILURE_NEXT,  /* the next of `failure_choices` servers for the key is asked */
    MCM_ON_FAILURE_GUTTER /* a server of the separate list `gutter` is asked */
};

/* Start from MCM_CLIENT_CONFIG_DEFAULT; spans of 0 switch the feature off where noted. */
struct mcm_client_config {
    size_t size; /* sizeof(struct mcm_client_config), set by the default */

    const struct mcm_server *servers; /* copied, with the strings */
    size_t server_count;              /* 1 to MCM_SERVERS_MAX */
    enum mcm_selector_kind selector;
    enum mcm_failure_policy on_failure;
    unsigned failure_choices;  /* of MCM_ON_FAILURE_NEXT, with the first; at most 8 */
    uint32_t failure_ttl_max;  /* seconds that items stored elsewhere live; 0 = as asked */
    unsigned failure_rate_max; /* requests a second that may be sent elsewhere, so that the
                                  others survive the load of a lost server; 0 = no limit */
    /* Keys remembered for each server whose writes did not reach it for sure, to be deleted from it
     * and from the servers that stood in when it returns, before it is asked for them again: no
     * reader of this client sees what the write would have replaced. Writes beyond are forgotten
     * and counted. 0 = off. */
    unsigned failure_deletes_max;
    const struct mcm_server *gutter; /* copied; their indices follow those of the servers */
    size_t gutter_count;
    const char *hash_tag;   /* of selector.h, or NULL: the part of a key that decides; copied */
    mcm_selector_fn select; /* of MCM_SELECTOR_CALLBACK */
    void *select_arg;
    uint64_t seed; /* of everything random: jitter and tokens */

    /* Pool, per server. */
    unsigned connections_max;      /* 1 to 4096 */
    unsigned waiters_max;          /* calls that may wait for a connection; 0 = no limit */
    unsigned idle_connections_min; /* kept ready by maintenance, from the start on */
    unsigned idle_connections_max; /* unused ones beyond this are closed; 0 = connections_max */
    bool take_turns;               /* reuse all unused connections in turn, not the warmest first */
    unsigned dials_max;            /* connections being made at once; 0 = no limit */
    /* After the n-th failed connect in a row none starts for a random time below min(max, backoff *
     * 2^(n-1)); 0 = off; max 0 = 100 * backoff. Calls whose deadline comes first end at once, and
     * so do all with an on_failure other than the error: they have somewhere else to go. The
     * default is 50 ms without a circuit breaker and off with one, which does the same job sooner.
     */
    mcm_ns dial_backoff;
    mcm_ns dial_backoff_max;
    mcm_ns acquire_timeout;     /* longest wait for a connection, within the deadline; 0 = off */
    mcm_ns lifetime_max;        /* age at which a connection is replaced; 0 = never */
    double lifetime_jitter;     /* share of lifetime_max taken off or added at random, 0 to 0.5 */
    mcm_ns idle_max;            /* unused connections are closed after this; 0 = never */
    mcm_ns idle_check;          /* look whether a connection unused this long died; 0 = always */
    mcm_ns health_check_period; /* ping unused connections this often; 0 = never */
    mcm_ns health_timeout;      /* how long such a ping may take; 0 = 1 s */
    bool maintenance_thread;    /* do health checks and expiry in a thread of the client; else
                                   call mcm_client_maintain() */

    /* Sharing, per server; only used in MCM_MODE_SHARED. A lane holds a connection of the pool
     * while it is in use, so connections_max must exceed `lanes`. */
    enum mcm_mode mode;
    unsigned lanes;              /* 1 to MCM_LANES_MAX; a thread keeps to one of them */
    unsigned lane_in_flight_max; /* requests sent but not answered, per lane; others wait */
    size_t lane_store_max;       /* stores of larger values take a connection for themselves, */
    size_t lane_fetch_max;       /* and so do fetches into larger buffers */

    mcm_ns connect_timeout; /* per attempt, within the deadline of the call; 0 = deadline only */
    mcm_ns unacked_max;     /* TCP gives up when sent data stays unconfirmed; 0 = the system's */
    /* Host names are looked up again this often, and soon after a failed connect; 0 = never. A
     * thread made for the purpose does it, so neither a call nor the end of the client waits for a
     * resolver. All found addresses are tried. When a name comes to mean none of the addresses it
     * meant before, connections are replaced after their present use. */
    mcm_ns resolve_period;
    const struct mcm_tls_config *tls; /* NULL = plain; copied */
    const char *user, *password;      /* of servers that want them (memcached -Y), or NULL */
    /* Larger values are not sent, since a server that refuses one drops the old item too. 0 = what
     * the server takes: it is asked (item_size_max) before the first value above 64 KiB and after
     * it refused one; 1 MiB less the item's overhead when it does not say. */
    size_t value_size_max;
    enum mcm_key_rule keys;
    bool allow_flush; /* mcm_flush() may be used */
    bool verify;      /* token in each request, checked in the answer */

    const struct mcm_hooks *hooks;              /* of observe.h; NULL = none; copied */
    const struct mcm_breaker_settings *breaker; /* NULL = none; copied */
    /* Of the servers, those that stand in included, at most this share (and at least one) is kept
     * back by breakers at the same time: when all look dead, it is more likely that this machine's
     * network is. 0 = no limit. Not together with a quota of the settings. */
    double breaker_share_max;
    mcm_breaker_event_fn on_breaker; /* or NULL */
    void *on_breaker_arg;
};

#define MCM_SERVERS_MAX 1024

#define MCM_DIAL_BACKOFF_DEFAULT (-1)

#define MCM_CLIENT_CONFIG_DEFAULT                                                             \
    {                                                                                         \
        .size = sizeof(struct mcm_client_config), .selector = MCM_SELECTOR_RENDEZVOUS,        \
        .failure_choices = 2, .failure_ttl_max = 10, .connections_max = 10, .waiters_max = 0, \
        .dials_max = 2, .dial_backoff = MCM_DIAL_BACKOFF_DEFAULT,                             \
        .dial_backoff_max = INT64_C(5000000000), .lifetime_max = INT64_C(300000000000),       \
        .lifetime_jitter = 0.1, .idle_max = INT64_C(60000000000),                             \
        .idle_check = INT64_C(1000000000), .health_check_period = INT64_C(10000000000),       \
        .maintenance_thread = true, .mode = MCM_MODE_EXCLUSIVE, .lanes = 2,                   \
        .lane_in_flight_max = 512, .lane_store_max = 8192, .lane_fetch_max = 65536,           \
        .connect_timeout = INT64_C(250000000), .unacked_max = INT64_C(2000000000),            \
        .resolve_period = INT64_C(30000000000), .verify = true,                               \
    }

/*
 * A client with a copy of `config`. No connection is made, but host names are resolved, which may
 * block; numeric addresses and unix sockets never do. A name that cannot be resolved is no
 * error here: calls on that server end with MCM_E_RESOLVE. `error` (or NULL) receives a sentence
 * when the result is NULL, which means that the configuration is not valid or memory is short.
 */
MCM_API MCM_MUST_USE struct mcm_client *mcm_client_new(const struct mcm_client_config *config,
                                                       char *error, size_t error_size);

/*
 * Closes all connections and frees the client. Calls in progress end with MCM_E_SHUTDOWN and are
 * waited for; no call may start any more. NULL is allowed.
 */
MCM_API void mcm_client_free(struct mcm_client *client);

/*
 * What became of a call. Every field is set by every call.
 */
struct mcm_result {
    enum mcm_outcome outcome;
    /* Points into the buffer the caller gave; valid as long as that. size 0 is a legal value. */
    struct mcm_slice value;
    /* The size of the item's value, also when it did not fit (MCM_E_BUFFER). */
    size_t value_size;
    uint64_t number;               /* of increments */
    uint64_t cas;                  /* of the item after the call, 0 when the server was not asked */
    uint32_t client_flags;         /* stored with the item */
    int64_t ttl_s;                 /* seconds left, -1 = never expires; 0 when not asked */
    uint64_t last_access_s;        /* seconds since the access before this; 0 when not asked */
    bool hit_before;               /* fetched before this call; false when not asked */
    bool won;                      /* this caller is to make the value anew (W) */
    bool stale;                    /* the value was invalidated (X) */
    bool taken;                    /* somebody else was told to make the value anew (Z) */
    unsigned server;               /* index of the server the key belongs to */
    int sys_errno;                 /* of the system call that failed, or 0 */
    enum mcm_outcome home_outcome; /* when on_failure took over: how the key's own server failed;
                                      else MCM_OK */
    bool sent;                     /* some byte of the request left: a write may have happened */
    bool retried;             /* sent a second time on a new connection after a kept one had died */
    mcm_ns waited_ns;         /* time spent waiting for a free connection */
    char text[MCM_TEXT_SIZE]; /* the server's error line, cut; "" without one */
};

/*
 * Calls. All of them block until the outcome is known or `deadline` (absolute, CLOCK_MONOTONIC;
 * MCM_NS_NEVER for none) has passed, fill `result` and return result->outcome. Keys are 1 to 250
 * bytes, none of them a control character, space or DEL: MCM_E_KEY otherwise, before anything is
 * sent.
 *
 * TTLs are whole seconds as memcached takes them: 0 = never expires, up to 30 days relative, above
 * that a unix time.
 */

/*
 * The value of `key` goes into `buffer` (may be NULL when size is 0). MCM_OK, MCM_MISS, or
 * MCM_E_BUFFER with result->value_size when it does not fit: the connection is kept.
 */
MCM_API enum mcm_outcome mcm_get(struct mcm_client *client, struct mcm_slice key, void *buffer,
                                 size_t buffer_size, mcm_ns deadline, struct mcm_result *result);

/* Stores `value`. MCM_OK, or MCM_E_TOO_BIG when it is larger than the server takes. The value is
 * not copied. */
MCM_API enum mcm_outcome mcm_set(struct mcm_client *client, struct mcm_slice key,
                                 struct mcm_slice value, uint32_t ttl, mcm_ns deadline,
                                 struct mcm_result *result);

/* MCM_OK when the item was deleted, MCM_NOT_FOUND when there was none. */
MCM_API enum mcm_outcome mcm_delete(struct mcm_client *client, struct mcm_slice key,
                                    mcm_ns deadline, struct mcm_result *result);

/* How to change a counter. */
struct mcm_increment {
    uint64_t delta;   /* added modulo 2^64, or subtracted down to 0 */
    bool decrement;   /* subtract */
    bool create;      /* make a missing item with `initial` and `ttl`, without applying delta */
    uint64_t initial; /* value of a created item */
    uint32_t ttl;     /* of a created item */
};

/*
 * Changes the counter at `key`; the new value is result->number. MCM_OK; MCM_NOT_FOUND when there
 * is no item and `create` is false; MCM_E_CLIENT when the item is not a number.
 */
MCM_API enum mcm_outcome mcm_increment(struct mcm_client *client, struct mcm_slice key,
                                       const struct mcm_increment *change, mcm_ns deadline,
                                       struct mcm_result *result);

/* The deadline `span` nanoseconds from now. */
MCM_API mcm_ns mcm_after(mcm_ns span);

/* A key from a C string. */
#define MCM_KEY(string) mcm_slice_of_string(string)
MCM_API struct mcm_slice mcm_slice_of_string(const char *string);

/*
 * Ends all calls in progress with MCM_E_CANCELLED within milliseconds, and every call that starts
 * later until mcm_client_resume(). Not async-signal-safe: call it from a thread.
 */
MCM_API void mcm_client_interrupt(struct mcm_client *client);
MCM_API void mcm_client_resume(struct mcm_client *client);

/*
 * Closes expired unused connections and pings those that are due, one of each server at a time, so
 * that callers never find a pool emptied by it. Only needed without maintenance_thread; must not
 * run twice at once. Returns when to call again.
 */
MCM_API mcm_ns mcm_client_maintain(struct mcm_client *client);

/*
 * Replaces the list of servers. Servers with the same name and address keep their connections,
 * breakers and counts; calls that begin afterwards see the new list only. Calls in progress on a
 * removed server may finish until `deadline` and then end with MCM_E_CANCELLED; after that its
 * connections are closed. Returns when that is done, 0; or -1 with a sentence in `error` (or NULL)
 * and the old list in force. Indices of servers mean the new list from then on. Host names are
 * resolved in the caller's thread. Any thread, one change at a time; not from a callback.
 */
MCM_API int mcm_client_set_servers(struct mcm_client *client, const struct mcm_server *servers,
                                   size_t count, mcm_ns deadline, char *error, size_t error_size);

/*
 * Ends the client gently: calls that begin from now on end with MCM_E_SHUTDOWN, those in progress
 * may finish until `deadline`. 0 when all did; -1 when some are left, which mcm_client_free() will
 * end. The client must still be freed.
 */
MCM_API int mcm_client_close(struct mcm_client *client, mcm_ns deadline);

/* Index of the server that `key` belongs to. */
MCM_API unsigned mcm_client_server_index(const struct mcm_client *client, struct mcm_slice key);

MCM_API size_t mcm_client_server_count(const struct mcm_client *client);

/* Name of server `index`, until the list of servers changes. NULL when there is none. */
MCM_API const char *mcm_client_server_name(const struct mcm_client *client, unsigned index);

/* Kinds of operations in statistics. */
enum mcm_operation {
    MCM_OPERATION_GET,
    MCM_OPERATION_STORE,
    MCM_OPERATION_DELETE,
    MCM_OPERATION_ARITHMETIC,
    MCM_OPERATION_OTHER, /* version, stats, flush, raw no-ops */
    MCM_OPERATION_COUNT
};

/* "get", "store", "delete", "arithmetic", "other". */
MCM_API const char *mcm_operation_name(enum mcm_operation operation);

/* The state of one server at one moment, taken under its lock: the numbers fit together. */
struct mcm_server_stats {
    size_t size; /* set by the caller to sizeof(struct mcm_server_stats) */

    /* Connections now, and the most there ever were at once. Some of the total may be neither idle
     * nor active but connecting, being pinged or being closed. */
    unsigned total, idle, active, connecting, waiting;
    unsigned total_max, active_max, waiting_max;
    uint64_t created, destroyed, connect_failures;
    uint64_t acquired; /* calls that got a connection */
    uint64_t waits;    /* calls that had to wait for one */
    uint64_t wait_ns;  /* time they waited, together */
    uint64_t stale;    /* kept connections found dead before use */
    uint64_t health_checks, health_failures;
    uint64_t tls_handshakes;  /* secure connections made */
    uint64_t tls_resumed;     /* of them, those that went on with the session of an earlier one */
    uint64_t retries;         /* requests sent a second time */
    uint64_t deletes_pending; /* keys to be deleted from it when it returns */
    uint64_t deletes_lost;    /* writes that failure_deletes_max had no room for */
    uint64_t failovers, failovers_refused; /* requests tried elsewhere since it was down, and those
                                              beyond failure_rate_max; an item of a batch is one */

    bool has_breaker;
    enum mcm_breaker_state breaker_state;
    uint64_t breaker_opened;        /* times it opened */
    uint64_t breaker_rejected;      /* calls it kept back */
    uint64_t breaker_trips_refused; /* failures that breaker_share_max kept from opening it */
    /* Counts of its present window. */
    uint64_t breaker_requests, breaker_failures, breaker_consecutive_failures;

    /* Traffic of calls and batches; a key of a batch counts as one operation. Reads are the
     * fetches that were answered: hits and misses. */
    uint64_t operations[MCM_OPERATION_COUNT];
    uint64_t hits, misses;
    uint64_t bytes_sent, bytes_received; /* of values; lines are not counted */

    /* Calls that ended so; those refused for their arguments are not counted. A batch is one call
     * for each server it concerns. */
    uint64_t outcomes[MCM_OUTCOME_COUNT];

    /* Ends by operation; items of batches count one by one here. */
    uint64_t results[MCM_OPERATION_COUNT][MCM_OUTCOME_COUNT];
    /* System calls on connections of calls and pings that sent or received, or found that they
     * could not; those of TLS records count once, those of connecting not at all. */
    uint64_t sends, receives;
};

/* Fills *stats for server `index`. Returns 0, or -1 when there is no such server or the client
 * belongs to the parent process. */
MCM_API int mcm_client_stats(struct mcm_client *client, unsigned index,
                             struct mcm_server_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
