/* SPDX-License-Identifier: MIT */
/*
 * A small blocking client of the Toxiproxy HTTP API, ours or Shopify's. Every call opens one
 * connection, sends one request and is bounded by a time limit; a readable cancel descriptor ends
 * it at once.
 *
 * Thread rules: one client may be used by one thread at a time; calls keep no state between each
 * other. Errors are texts for people and name the URL, the status and what the server said.
 */
#ifndef PROXY_APICLIENT_H
#define PROXY_APICLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

struct apiclient;

#define APICLIENT_TIMEOUT_NS_DEFAULT (5 * NS_PER_SEC)
#define APICLIENT_WAIT_NS_DEFAULT (30 * NS_PER_SEC)
#define APICLIENT_WAIT_PERIOD_NS (500 * NS_PER_MS)
/* A longer answer is refused. */
#define APICLIENT_ANSWER_BYTES_MAX (16u * 1024 * 1024)

/* What a call came to. Anything but OK has filled the caller's struct err. */
enum apiclient_result {
    APICLIENT_OK = 0,
    APICLIENT_NOT_FOUND =
        -1, /* 404: no such proxy or toxic, or an endpoint the server does not have */
    APICLIENT_CONFLICT = -2,    /* 409: the name is taken */
    APICLIENT_REFUSED = -3,     /* any other answer that is not a success */
    APICLIENT_UNREACHABLE = -4, /* no connection, a broken one, or not HTTP/JSON */
    APICLIENT_TIMEOUT = -5,
    APICLIENT_CANCELLED = -6,
};

struct apiclient_config {
    const char *url;   /* "http://host:port", the scheme and a trailing slash are optional */
    ns_t timeout_ns;   /* per call, 0 = APICLIENT_TIMEOUT_NS_DEFAULT */
    int cancel_fd;     /* readable = abort; -1 = none; never read from, not owned */
    const char *agent; /* User-Agent; NULL = "memchaos" */
};

/* A proxy as the server shows it. */
struct apiclient_proxy {
    char name[128];
    char listen[128];
    char upstream[128];
    bool enabled;
    size_t toxic_count;
};

/* A name and number pair of a toxic's attributes. */
struct apiclient_attribute {
    const char *name;
    double value;     /* sent as an integer when it is one */
    const char *text; /* sent as a string in place of the number; NULL = none */
};

struct apiclient_toxic {
    const char *name; /* NULL = the server's default, <type>_<stream> */
    const char *type; /* not sent by update */
    const char
        *stream; /* "upstream" or "downstream"; NULL = the server's default; not sent by update */
    double toxicity;       /* 0..1; negative = not sent */
    double chunk_toxicity; /* 0..1, an addition of ours; 0 = not sent */
    const struct apiclient_attribute *attributes;
    size_t attribute_count;
};

#define APICLIENT_VIEW_ATTRIBUTES_MAX 16

/* An attribute as the server shows it: a number, or whatever else it is as a text. */
struct apiclient_attribute_view {
    char name[64];
    bool is_number;
    double number;
    char text[64]; /* "" when it is a number */
};

/* A toxic as the server shows it. */
struct apiclient_toxic_view {
    char name[128];
    char type[32];
    char stream[16]; /* as it was spelled when the toxic was added: may be "DownStream" */
    double toxicity;
    size_t attribute_count; /* entries used below; further attributes are not reported */
    struct apiclient_attribute_view attributes[APICLIENT_VIEW_ATTRIBUTES_MAX]; /* by name */
};

/* Victims of one toxic since it was added. */
struct apiclient_toxic_stats {
    char name[128];
    char type[32];
    char stream[16];
    uint64_t connections;
    uint64_t chunks;
    uint64_t bytes;
    uint64_t bytes_dropped;
    uint64_t delay_ms;
    uint64_t closes;
    uint64_t resets;
};

#define APICLIENT_STATS_TOXICS_MAX 32

/* Counters of one proxy since it was created. */
struct apiclient_stats {
    bool enabled;
    uint64_t connections_open;
    uint64_t connections_accepted;
    uint64_t connections_cut; /* closed because the proxy was disabled, moved or deleted */
    uint64_t dial_failures;
    uint64_t accept_failures;
    uint64_t upstream_bytes;   /* read from clients */
    uint64_t downstream_bytes; /* read from the upstream server */
    size_t toxic_count;        /* entries used below; further toxics are not reported */
    struct apiclient_toxic_stats toxics[APICLIENT_STATS_TOXICS_MAX];
    size_t removed_count; /* likewise: toxics that were removed, summed per name, type and stream */
    struct apiclient_toxic_stats removed[APICLIENT_STATS_TOXICS_MAX];
};

/* Checks the URL and makes a client; connects to nothing yet. Returns 0, or -1 with a text. */
int apiclient_new(const struct apiclient_config *config, struct apiclient **out, struct err *err);
void apiclient_free(struct apiclient *client);

/* The URL in full: "http://host:port". Valid as long as the client. */
const char *apiclient_url(const struct apiclient *client);

/* Asks for the version every APICLIENT_WAIT_PERIOD_NS until it answers, at most `wait_ns` (0 =
 * default). */
int apiclient_wait(struct apiclient *client, ns_t wait_ns, struct err *err);

/* Every call below returns an enum apiclient_result. */
int apiclient_version(struct apiclient *client, char *out, size_t out_size, struct err *err);

/* Fills at most `max` entries, sorted by name; *count is how many there are in all. */
int apiclient_list(struct apiclient *client, struct apiclient_proxy *out, size_t max, size_t *count,
                   struct err *err);
int apiclient_get(struct apiclient *client, const char *name, struct apiclient_proxy *out,
                  struct err *err);

/* Creates an enabled proxy. `out` (NULL is allowed) gets it as created, with the port that was
 * bound. */
int apiclient_create(struct apiclient *client, const char *name, const char *listen,
                     const char *upstream, struct apiclient_proxy *out, struct err *err);
int apiclient_delete(struct apiclient *client, const char *name, struct err *err);
int apiclient_set_enabled(struct apiclient *client, const char *name, bool enabled,
                          struct err *err);

int apiclient_toxic_add(struct apiclient *client, const char *proxy,
                        const struct apiclient_toxic *toxic, struct err *err);

/* Changes toxicity and the given attributes of the toxic called toxic->name. */
int apiclient_toxic_update(struct apiclient *client, const char *proxy,
                           const struct apiclient_toxic *toxic, struct err *err);

/* The same two, and `out` (NULL is allowed) gets the toxic as the server shows it afterwards. */
int apiclient_toxic_add_view(struct apiclient *client, const char *proxy,
                             const struct apiclient_toxic *toxic, struct apiclient_toxic_view *out,
                             struct err *err);
int apiclient_toxic_update_view(struct apiclient *client, const char *proxy,
                                const struct apiclient_toxic *toxic,
                                struct apiclient_toxic_view *out, struct err *err);
int apiclient_toxic_remove(struct apiclient *client, const char *proxy, const char *toxic,
                           struct err *err);

/*
 * The toxics of a proxy in the server's order: upstream, then downstream. Fills at most `max`
 * entries; *count is how many there are in all.
 */
int apiclient_toxics(struct apiclient *client, const char *proxy, struct apiclient_toxic_view *out,
                     size_t max, size_t *count, struct err *err);

/* APICLIENT_NOT_FOUND when the proxy does not exist or the server has no such endpoint (Shopify's).
 */
int apiclient_stats(struct apiclient *client, const char *proxy, struct apiclient_stats *out,
                    struct err *err);

/* Enables every proxy and removes every toxic. */
int apiclient_reset(struct apiclient *client, struct err *err);

/*
 * What the server said in an error of a call, without the request it belongs to: "HTTP 404: proxy
 * not found". The whole text when the error is not an answer of the server. Points into `err`.
 */
const char *apiclient_refusal(const struct err *err);

#endif
