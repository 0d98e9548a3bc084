/* SPDX-License-Identifier: MIT */
#include "rig/driver_check.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/wrap.h"
#include "driver/external.h"
#include "node/node.h"
#include "node/port.h"

#define WORKERS 8
#define TIMEOUT (2 * NS_PER_SEC)        /* while all is well */
#define SHORT_TIMEOUT (500 * NS_PER_MS) /* against a server that does not answer */
#define LATE_MAX NS_PER_SEC             /* that such an operation may take on top */
#define LARGE_SIZE 1000000
#define KEY_MAX 250
#define TRIES 5
#define INTERLEAVED 50 /* operations of each worker */

struct check {
    const struct driver_check_config *config;
    struct driver_check_result *result;
    struct node *node;
    char dead_address[32]; /* where nobody listens */
    struct rng rng;
    void *client;
    void *workers[WORKERS];
    struct driver_finding seen[DRIVER_FINDING_COUNT]; /* and told */
    char why[600];                                    /* of the check that fails */
    bool skip;                                        /* `why` says for what reason */
    char *buffer;                                     /* LARGE_SIZE bytes */
    char *value;                                      /* likewise */
};

/* Notes why the check fails; returns false. */
static bool fail(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct check *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(c->why, sizeof c->why, format, ap);
    va_end(ap);
    return false;
}

static bool skip(struct check *c, const char *why)
{
    c->skip = true;
    return fail(c, "%s", why);
}

static bool has_op(struct check *c, enum op op)
{
    return (external_about(c->client)->ops >> op & 1) != 0;
}

/* ---- the client ---- */

static int client_open(struct check *c, const char *server, ns_t timeout, struct err *err)
{
    const char *servers[] = {server}, *names[] = {"node1"};
    struct driver_config config = {
        .servers = servers,
        .names = names,
        .server_count = 1,
        .seed = 1,
        .workers = WORKERS,
        .timeout_ns = timeout,
        .connect_timeout_ns = timeout,
        .command = c->config->command,
        .log = c->config->log,
        .pool_max = WORKERS,
    };
    memset(c->seen, 0, sizeof c->seen);
    if (driver_external.open(&config, &c->client, err) != 0) {
        c->client = NULL;
        return -1;
    }
    for (unsigned i = 0; i < WORKERS; i++)
        c->workers[i] = driver_external.worker_open(c->client, i, err);
    return 0;
}

static void workers_end(struct check *c)
{
    for (unsigned i = 0; i < WORKERS && c->workers[i] != NULL; i++) {
        driver_external.worker_close(c->workers[i]);
        c->workers[i] = NULL;
    }
}

static void client_close(struct check *c)
{
    if (c->client == NULL)
        return;
    workers_end(c);
    driver_external.close(c->client);
    c->client = NULL;
}

/* False, with the first of them, when there are findings that have not been told. */
static bool no_findings(struct check *c)
{
    struct driver_finding now[DRIVER_FINDING_COUNT];
    size_t count = driver_external.findings(c->client, now);
    const char *text = NULL;
    for (size_t i = 0; i < count; i++) {
        struct driver_finding *seen = &c->seen[now[i].kind];
        if (now[i].count > seen->count && text == NULL)
            text = now[i].first_text;
        *seen = now[i];
    }
    return text == NULL || fail(c, "%s", text);
}

/* ---- operations, with what they must say ---- */

struct value {
    const void *data;
    size_t size;
};

#define TEXT(s) ((struct value){(s), sizeof(s) - 1})

static bool outcome_is(struct check *c, const char *what, enum outcome got, enum outcome want)
{
    return got == want || fail(c, "%s: %s instead of %s: %s", what, outcome_name(got),
                               outcome_name(want), external_line(c->workers[0]));
}

static bool set(struct check *c, unsigned worker, const char *key, struct value value,
                ns_t deadline)
{
    struct driver_result r;
    driver_external.set(c->workers[worker], key, strlen(key), value.data, value.size, 0, deadline,
                        &r);
    return outcome_is(c, "set", r.outcome, OUTCOME_STORED);
}

/* `want` with NULL data: a miss. */
static bool get(struct check *c, const char *key, struct value want)
{
    struct driver_result r;
    driver_external.get(c->workers[0], key, strlen(key), c->buffer, LARGE_SIZE, ns_now() + TIMEOUT,
                        &r);
    if (want.data == NULL)
        return outcome_is(c, "get", r.outcome, OUTCOME_MISS);
    if (!outcome_is(c, "get", r.outcome, OUTCOME_HIT))
        return false;
    if (r.value_size != want.size)
        return fail(c, "get: %zu bytes came back of a value of %zu", r.value_size, want.size);
    for (size_t i = 0; i < want.size; i++)
        if (((const unsigned char *)r.value)[i] != ((const unsigned char *)want.data)[i])
            return fail(c, "get: byte %zu of the value is 0x%02x instead of 0x%02x", i,
                        ((const unsigned char *)r.value)[i], ((const unsigned char *)want.data)[i]);
    return true;
}

static bool round_trip(struct check *c, const char *key, struct value value)
{
    return set(c, 0, key, value, ns_now() + TIMEOUT) && get(c, key, value);
}

/* ---- the checks ---- */

static bool misses(struct check *c)
{
    return get(c, "check-never-stored", (struct value){NULL, 0});
}

static bool stores(struct check *c)
{
    return round_trip(c, "check-key", TEXT("a value")) &&
           round_trip(c, "check-key", TEXT("another value"));
}

static bool empty_value(struct check *c)
{
    return round_trip(c, "check-empty", TEXT(""));
}

static bool binary_value(struct check *c)
{
    unsigned char bytes[512];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    return round_trip(c, "check-binary", (struct value){bytes, sizeof bytes});
}

static bool large_value(struct check *c)
{
    for (size_t i = 0; i < LARGE_SIZE; i++)
        c->value[i] = (char)rng_u64(&c->rng);
    return round_trip(c, "check-large", (struct value){c->value, LARGE_SIZE});
}

static bool long_key(struct check *c)
{
    char key[KEY_MAX + 1];
    memset(key, 'k', KEY_MAX);
    key[KEY_MAX] = '\0';
    return round_trip(c, key, TEXT("of a long key"));
}

static enum outcome get_outcome(struct check *c, const char *key)
{
    struct driver_result r;
    driver_external.get(c->workers[0], key, strlen(key), c->buffer, LARGE_SIZE, ns_now() + TIMEOUT,
                        &r);
    return r.outcome;
}

static bool refuses_bad_keys(struct check *c)
{
    char key[KEY_MAX + 2];
    memset(key, 'k', KEY_MAX + 1);
    key[KEY_MAX + 1] = '\0';
    enum outcome outcome = get_outcome(c, key);
    if (outcome != OUTCOME_INVALID && outcome != OUTCOME_CLIENT_ERROR)
        return fail(c, "a get of a key of 251 bytes ended with %s: %s", outcome_name(outcome),
                    external_line(c->workers[0]));
    outcome = get_outcome(c, "a space"); /* a miss in the binary protocol */
    if (outcome == OUTCOME_HIT)
        return fail(c, "a get of the key \"a space\", which nobody stored, is a hit");
    for (int i = 0; i < TRIES; i++) /* the server may close the connection of one who errs */
        if (round_trip(c, "check-key", TEXT("after bad keys")))
            return true;
    return false;
}

static bool deletes(struct check *c)
{
    static const enum outcome wants[] = {OUTCOME_DELETED, OUTCOME_NOT_FOUND};
    if (!round_trip(c, "check-delete", TEXT("soon gone")))
        return false;
    for (size_t i = 0; i < 2; i++) {
        struct driver_result r;
        driver_external.delete_(c->workers[0], "check-delete", strlen("check-delete"),
                                ns_now() + TIMEOUT, &r);
        if (!outcome_is(c, i == 0 ? "delete" : "delete once more", r.outcome, wants[i]))
            return false;
    }
    return get(c, "check-delete", (struct value){NULL, 0});
}

static bool adds(struct check *c)
{
    static const enum outcome wants[] = {OUTCOME_STORED, OUTCOME_NOT_STORED};
    if (!has_op(c, OP_ADD))
        return skip(c, "the driver has no add");
    for (size_t i = 0; i < 2; i++) {
        struct driver_result r;
        driver_external.add(c->workers[0], "check-add", strlen("check-add"), i == 0 ? "1st" : "2nd",
                            3, 0, ns_now() + TIMEOUT, &r);
        if (!outcome_is(c, i == 0 ? "add" : "add once more", r.outcome, wants[i]))
            return false;
    }
    return get(c, "check-add", TEXT("1st"));
}

static bool increments(struct check *c)
{
    static const uint64_t deltas[] = {5, 37, 1}, sums[] = {5, 42, 43};
    if (!has_op(c, OP_INCREMENT))
        return skip(c, "the driver has no increment");
    for (size_t i = 0; i < 3; i++) {
        struct driver_result r;
        driver_external.increment(c->workers[i], "check-count", strlen("check-count"), deltas[i], 0,
                                  ns_now() + TIMEOUT, &r);
        if (!outcome_is(c, "increment", r.outcome, OUTCOME_OK))
            return false;
        if (r.number != sums[i])
            return fail(c,
                        "increment by %" PRIu64 ": the number is %" PRIu64 " instead of %" PRIu64,
                        deltas[i], r.number, sums[i]);
    }
    return true;
}

static bool batch_gets(struct check *c)
{
    static const char *const keys[] = {"check-multi-1", "check-multi-none", "check-multi-2",
                                       "check-multi-1"};
    struct driver_item items[4];
    if (!has_op(c, OP_MULTI_GET))
        return skip(c, "the driver has no multi_get");
    if (!round_trip(c, keys[0], TEXT("one")) || !round_trip(c, keys[2], TEXT("two")))
        return false;
    for (size_t i = 0; i < 4; i++)
        items[i] = (struct driver_item){.key = keys[i], .key_size = strlen(keys[i])};
    driver_external.multi_get(c->workers[0], items, 4, ns_now() + TIMEOUT);
    for (size_t i = 0; i < 4; i++) {
        const char *want = i == 2 ? "two" : "one";
        if (!outcome_is(c, keys[i], items[i].outcome, i == 1 ? OUTCOME_MISS : OUTCOME_HIT))
            return false;
        if (i != 1 && (items[i].value_size != 3 || memcmp(items[i].value, want, 3) != 0))
            return fail(c, "key %zu of the batch has another value than %s", i + 1, want);
    }
    return true;
}

static bool batch_sets(struct check *c)
{
    struct driver_item items[] = {
        {.key = "check-many-1", .key_size = 12, .value = "one", .value_size = 3},
        {.key = "check-many-2", .key_size = 12, .value = "", .value_size = 0},
    };
    if (!has_op(c, OP_MULTI_SET))
        return skip(c, "the driver has no multi_set");
    driver_external.multi_set(c->workers[0], items, 2, ns_now() + TIMEOUT);
    return outcome_is(c, "the first of two", items[0].outcome, OUTCOME_STORED) &&
           outcome_is(c, "the second of two", items[1].outcome, OUTCOME_STORED) &&
           get(c, "check-many-1", TEXT("one")) && get(c, "check-many-2", TEXT(""));
}

struct interleaved {
    struct check *check;
    unsigned worker;
    struct err err;
    pthread_t thread;
};

/* A key of its own each time, and a value that only this worker writes. */
static void *interleave(void *arg)
{
    struct interleaved *in = arg;
    void *worker = in->check->workers[in->worker];
    for (unsigned i = 0; i < INTERLEAVED && in->err.text[0] == '\0'; i++) {
        char key[64], value[64], back[64];
        struct driver_result r;
        int k = snprintf(key, sizeof key, "check-worker-%u-%u", in->worker, i);
        int n = snprintf(value, sizeof value, "value %u of worker %u", i, in->worker);
        driver_external.set(worker, key, (size_t)k, value, (size_t)n, 0, ns_now() + TIMEOUT, &r);
        if (r.outcome == OUTCOME_STORED)
            driver_external.get(worker, key, (size_t)k, back, sizeof back, ns_now() + TIMEOUT, &r);
        if (r.outcome != OUTCOME_HIT)
            err_set(&in->err, "worker %u, operation %u: %s", in->worker, i,
                    outcome_name(r.outcome));
        else if (r.value_size != (size_t)n || memcmp(back, value, (size_t)n) != 0)
            err_set(&in->err, "worker %u, operation %u: \"%.*s\" came back for \"%s\"", in->worker,
                    i, (int)r.value_size, back, value);
    }
    return NULL;
}

static bool interleaves(struct check *c)
{
    struct interleaved list[WORKERS] = {0};
    unsigned started = 0;
    for (; started < WORKERS; started++) {
        list[started].check = c;
        list[started].worker = started;
        if (pthread_create(&list[started].thread, NULL, interleave, &list[started]) != 0)
            break;
    }
    bool ok = started == WORKERS || fail(c, "no threads");
    for (unsigned i = 0; i < started; i++) {
        pthread_join(list[i].thread, NULL);
        if (ok && list[i].err.text[0] != '\0')
            ok = fail(c, "%s", list[i].err.text);
    }
    return ok;
}

static bool tolerates(struct check *c)
{
    external_send(c->client, "{\"op\":\"x-of-a-later-version\",\"what\":[1,{\"a\":null}]}\n");
    return round_trip(c, "check-key", TEXT("after that line"));
}

static bool is_wrong_about_silence(enum outcome outcome)
{
    return !outcome_is_failure(outcome) || outcome == OUTCOME_INVALID;
}

/* One operation that cannot succeed: it must fail, and in time. */
static bool fails_in_time(struct check *c, const char *what)
{
    struct driver_result r;
    ns_t start = ns_now();
    driver_external.get(c->workers[0], "check-key", strlen("check-key"), c->buffer, LARGE_SIZE,
                        start + SHORT_TIMEOUT, &r);
    ns_t took = ns_now() - start;
    if (is_wrong_about_silence(r.outcome))
        return fail(c, "a get from %s ended with %s", what, outcome_name(r.outcome));
    if (took > SHORT_TIMEOUT + LATE_MAX)
        return fail(c, "a get from %s took %.1f s; its timeout_ms was %d", what,
                    (double)took / NS_PER_SEC, (int)(SHORT_TIMEOUT / NS_PER_MS));
    return true;
}

/* STOP takes effect a little after the call. */
static void pause_node(struct check *c)
{
    siginfo_t info;
    kill(node_pid(c->node), SIGSTOP);
    waitid(P_PID, (id_t)node_pid(c->node), &info, WSTOPPED);
}

static bool survives_silence(struct check *c)
{
    struct err err;
    if (client_open(c, node_address(c->node), SHORT_TIMEOUT, &err) != 0)
        return fail(c, "%s", err.text);
    if (!round_trip(c, "check-key", TEXT("before the silence")))
        return false;
    pause_node(c);
    bool ok = fails_in_time(c, "a server that does not answer");
    kill(node_pid(c->node), SIGCONT);
    return ok;
}

static void *hanging_get(void *arg)
{
    struct check *c = arg;
    char buffer[64];
    struct driver_result r;
    driver_external.get(c->workers[1], "check-key", strlen("check-key"), buffer, sizeof buffer,
                        ns_now() + TIMEOUT, &r);
    return NULL;
}

/* At the end of a run operations are under way, and the program must come to its end all the
 * same. */
static bool ends_in_the_middle(struct check *c)
{
    pthread_t thread;
    pause_node(c);
    bool ok = pthread_create(&thread, NULL, hanging_get, c) == 0 || fail(c, "no thread");
    if (ok) {
        poll(NULL, 0, 50); /* for the request to be on its way; nothing depends on it */
        driver_external.interrupt(c->client);
        pthread_join(thread, NULL);
    }
    workers_end(c);
    kill(node_pid(c->node), SIGCONT);
    return ok;
}

static bool refused_server(struct check *c)
{
    struct err err;
    if (client_open(c, c->dead_address, SHORT_TIMEOUT, &err) != 0)
        return fail(c, "%s", err.text);
    return fails_in_time(c, "an address where nobody listens");
}

static bool ends_in_order(struct check *c)
{
    bool ok = round_trip(c, "check-key", TEXT("at the end"));
    workers_end(c);
    return ok; /* or there are findings */
}

static bool ends_with_us(struct check *c)
{
    struct err err;
    if (client_open(c, node_address(c->node), TIMEOUT, &err) != 0)
        return fail(c, "%s", err.text);
    return external_hang_up(c->client) ||
           fail(c, "%d s after the end of its standard input it still ran",
                (int)(EXTERNAL_BYE_MAX_NS / NS_PER_SEC));
}

enum use {
    USE_SHARED, /* the program of the check before */
    USE_LAST,   /* likewise, and it is of no use afterwards */
    USE_OWN,    /* starts one itself */
};

static const struct {
    const char *name;
    bool (*run)(struct check *c);
    enum use use;
    const char *hint;
} checks[] = {
    {"a key that was never stored is a miss", misses, USE_SHARED,
     "A miss is {\"outcome\":\"miss\"}: neither an error nor an empty value."},
    {"what was stored comes back", stores, USE_SHARED,
     "Decode \"value\" from base64 before you store it, encode what you got, and wait for the "
     "server's answer to a set (no \"noreply\")."},
    {"an empty value is a value", empty_value, USE_SHARED,
     "An empty string is false in many languages: compare with None, null or undefined."},
    {"all 256 bytes come back", binary_value, USE_SHARED,
     "Values are bytes, not text: switch off serializers, character sets and compression."},
    {"a value of 1 MB comes back", large_value, USE_SHARED,
     "Lines are long as well: read until the newline, not a fixed number of bytes; and no limit "
     "of your own on the size."},
    {"a key of 250 bytes is a key", long_key, USE_SHARED, "250 bytes is memcached's own limit."},
    {"impossible keys are refused, and do no harm", refuses_bad_keys, USE_SHARED,
     "The client or the server refuses a key of 251 bytes, and mostly one with a space; that is "
     "\"invalid\" or \"client_error\". What follows must succeed, after a new connection at most."},
    {"a delete tells whether there was something", deletes, USE_SHARED,
     "\"deleted\" or \"not_found\"; if your client does not tell, it may be in noreply mode."},
    {"an add stores once", adds, USE_SHARED, "\"stored\", then \"not_stored\", which is no error."},
    {"an increment makes and counts", increments, USE_SHARED,
     "A counter that does not exist is made with the value of \"delta\"; then \"number\" is the "
     "new value."},
    {"a batch gets each key's own answer", batch_gets, USE_SHARED,
     "\"items\" in the order of the keys, one for each, also for a key that comes twice."},
    {"a batch is stored", batch_sets, USE_SHARED, "\"items\" in the order of the keys."},
    {"eight workers at once get their own answers", interleaves, USE_SHARED,
     "Answers may come in any order, each with the id of its request. Threads must not write into "
     "each other's lines: one lock around write and flush."},
    {"an unknown line is passed over", tolerates, USE_SHARED,
     "Ignore an \"op\" without \"id\" that you do not know, and fields that you do not know: a "
     "later memchaos may have more to say."},
    {"a server that does not answer is a failure in time", survives_silence, USE_OWN,
     "Give \"timeout_ms\" of hello, or of the request, to the client; many have no timeout by "
     "default. A timeout is \"io_timeout\", never a miss."},
    {"bye ends it, also while operations hang", ends_in_the_middle, USE_LAST,
     "Read standard input in a thread (or event) that never calls the client. At bye write "
     "{\"bye\":true}, flush, and exit with status 0, without waiting for operations."},
    {"a server that is not there is a failure in time", refused_server, USE_OWN,
     "Do not connect before hello is answered, nor give up when it fails. A refused connection is "
     "\"refused\", never a miss."},
    {"the end of standard input ends it", ends_with_us, USE_OWN,
     "At the end of standard input exit at once: memchaos has been killed."},
    {"bye ends it, with its final line and status 0", ends_in_order, USE_LAST,
     "At bye write {\"bye\":true}, flush, and exit with status 0."},
};

/* ---- going through them ---- */

static void tell(struct check *c, bool ok, const char *name, const char *hint)
{
    FILE *out = c->config->out;
    const char *mark = ok ? "✓" : c->skip ? "-" : "✗";
    const char *colour = ok ? "\033[32m" : c->skip ? "\033[33m" : "\033[31m";
    if (c->config->colour)
        fprintf(out, "%s%s\033[0m %s\n", colour, mark, name);
    else
        fprintf(out, "%s %s\n", mark, name);
    if (!ok)
        wrap_print(out, c->why, 0, 4, 96);
    if (!ok && !c->skip)
        wrap_print(out, hint, 0, 4, 96);
    fflush(out);
    c->result->passed += ok;
    c->result->skipped += !ok && c->skip;
    c->result->failed += !ok && !c->skip;
}

static bool is_cancelled(const struct check *c)
{
    struct pollfd pfd = {.fd = c->config->cancel_fd, .events = POLLIN};
    return poll(&pfd, 1, 0) > 0;
}

static void tell_hello(struct check *c)
{
    FILE *out = c->config->out;
    const struct wire_about *about = external_about(c->client);
    fprintf(out, "    %s%s%s, %s\n    operations:", about->client,
            about->runtime[0] != '\0' ? " on " : "", about->runtime,
            about->per_worker ? "a process per worker" : "one process");
    for (int op = 0; op < OP_COUNT; op++)
        if ((about->ops >> op & 1) != 0)
            fprintf(out, " %s", op_name((enum op)op));
    fprintf(out, "%s\n", about->stats ? " stats" : "");
    if (about->honours[0] != '\0')
        fprintf(out, "    honours: %s\n", about->honours);
    if (about->promises[0] != '\0')
        fprintf(out, "    promises: %s\n", about->promises);
}

/* A program for the checks that need one; the first time its hello is a check itself. */
static bool ensure_client(struct check *c, bool first)
{
    struct err err = {""};
    if (c->client != NULL)
        return true;
    bool ok = client_open(c, node_address(c->node), TIMEOUT, &err) == 0 || fail(c, "%s", err.text);
    if (first || !ok)
        tell(c, ok, "it starts and says hello",
             "The first line to standard output answers the line with \"op\":\"hello\"; flush "
             "after each line, and print nothing else there.");
    if (first && ok)
        tell_hello(c);
    return ok;
}

/* A finding fails a check as well, and may be the reason of a failure. */
static bool judge(struct check *c, bool ok)
{
    char why[sizeof c->why];
    if (c->skip || c->client == NULL)
        return ok;
    memcpy(why, c->why, sizeof why);
    bool clean = no_findings(c);
    if (!ok && !clean) {
        char finding[sizeof c->why];
        memcpy(finding, c->why, sizeof finding);
        fail(c, "%.250s; %.300s", why, finding);
    } else if (!ok) {
        memcpy(c->why, why, sizeof why);
    }
    return ok && clean;
}

static bool run_check(struct check *c, size_t i)
{
    if (checks[i].use == USE_OWN)
        client_close(c);
    else if (!ensure_client(c, i == 0))
        return false;
    c->skip = false;
    bool ok = judge(c, checks[i].run(c));
    tell(c, ok, checks[i].name, checks[i].hint);
    if (checks[i].use != USE_SHARED || (!ok && !c->skip))
        client_close(c); /* the next one gets a program that nothing has happened to */
    return true;
}

static int begin(struct check *c, struct err *err)
{
    char program[256];
    if (node_find_program(program, sizeof program, err) != 0)
        return -1;
    c->rng = rng_fork((uint64_t)ns_now(), 0);
    struct node_config node = {
        .name = "node1",
        .program = program,
        .memory_mb = 64,
        .connections_max = 1024,
        .threads = 2,
    };
    c->buffer = malloc(LARGE_SIZE);
    c->value = malloc(LARGE_SIZE);
    if (c->buffer == NULL || c->value == NULL)
        return err_set(err, "out of memory");
    uint16_t port = node_free_port(&c->rng, err);
    if (port == 0)
        return -1;
    snprintf(c->dead_address, sizeof c->dead_address, "127.0.0.1:%u", (unsigned)port);
    return node_start(&node, &c->rng, &c->node, err);
}

int driver_check_run(const struct driver_check_config *config, struct driver_check_result *out,
                     struct err *err)
{
    struct check c = {.config = config, .result = out};
    *out = (struct driver_check_result){0};
    int rc = begin(&c, err);
    for (size_t i = 0; rc == 0 && i < sizeof checks / sizeof checks[0]; i++) {
        out->interrupted = is_cancelled(&c);
        if (out->interrupted || !run_check(&c, i))
            break;
    }
    client_close(&c);
    node_free(c.node);
    free(c.buffer);
    free(c.value);
    return rc;
}
