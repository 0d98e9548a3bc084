/* SPDX-License-Identifier: MIT */
/*
 * Checks that a scenario makes of a run, as text: "fault.error_rate < 40%". This is the parser; the
 * values come from report/check_eval.h. No I/O, no clock. docs/checks.md is for people.
 *
 *   check    = path op sum | [phase "."] [nodes "."] "errors" "only" "[" kind {"," kind} "]"
 *   path     = [phase "."] [nodes "."] metric | [phase "."] "breaker" "(" nodes ")" "." metric
 *   nodes    = "node" number | "faulted_nodes" | "other_nodes"
 *   metric   = name [ "(" number ")" ]
 *   op       = "<" | "<=" | ">" | ">=" | "==" | "!="
 *   sum      = term { ("+" | "-") term }
 *   term     = constant | [number "*"] ( "timeout" | "healthy_share" | path )
 *   constant = number | number "%" | number "k" | number "M" | duration
 *
 * A name may hold '-', so a minus stands between spaces.
 */
#ifndef SCENARIO_CHECK_H
#define SCENARIO_CHECK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_RULES_MAX 32 /* of one scenario */
#define CHECK_TEXT_SIZE 200
#define CHECK_TERMS_MAX 6
#define CHECK_PHASE_SIZE 64

enum check_unit {
    CHECK_UNIT_COUNT,
    CHECK_UNIT_RATE, /* per second */
    CHECK_UNIT_RATIO,
    CHECK_UNIT_FACTOR,   /* so many times as much */
    CHECK_UNIT_DURATION, /* in ns */
    CHECK_UNIT_KINDS,    /* a set of error kinds; for "only" */
};

/* X(identifier, name, unit, what it may be asked of, help) */
#define CHECK_METRICS(X)                                                                         \
    X(ERROR_RATE, "error_rate", RATIO, PHASE | NODES, "failed ÷ (succeeded + failed)")           \
    X(ERRORS, "errors", KINDS, PHASE | NODES, "the kinds of failures, for `errors only [...]`")  \
    X(FAILED, "failed", COUNT, PHASE | NODES, "failed operations, wrong data included")          \
    X(GOODPUT, "goodput", RATIO, PHASE | NODES,                                                  \
      "successes, as a share of the baseline's; without a phase: over the phases with faults")   \
    X(GOODPUT_PER_S, "goodput_per_s", RATE, PHASE | NODES, "successes per second")               \
    X(SUCCEEDED, "succeeded", COUNT, PHASE | NODES, "operations that a server answered")         \
    X(ATTEMPTED, "attempted", COUNT, PHASE | NODES, "operations that ended, whichever way")      \
    X(OFFERED, "offered", COUNT, PHASE, "operations that the arrival process scheduled")         \
    X(DROPPED, "dropped", COUNT, PHASE, "of those, the ones that no worker could start in time") \
    X(LATENESS_P, "lateness_p", DURATION, PHASE | ARGUMENT,                                      \
      "percentile of how much later than intended operations were started")                      \
    X(DROP_RATE, "drop_rate", RATIO, PHASE, "dropped ÷ offered")                                 \
    X(HIT_RATE, "hit_rate", RATIO, PHASE | NODES, "hits ÷ (hits + misses)")                      \
    X(WRONG_VALUES, "wrong_values", COUNT, PHASE | NODES, "wrong data other than stale reads")   \
    X(STALE_READS, "stale_reads", COUNT, PHASE | NODES,                                          \
      "values that an acknowledged write or delete had replaced")                                \
    X(P, "p", DURATION, PHASE | NODES | ARGUMENT,                                                \
      "percentile of the service time of successes: p(50), p(90), p(95), p(99), p(99.9)")        \
    X(MIN, "min", DURATION, PHASE | NODES, "shortest service time of a success")                 \
    X(AVG, "avg", DURATION, PHASE | NODES, "mean service time of the successes")                 \
    X(MED, "med", DURATION, PHASE | NODES, "p(50)")                                              \
    X(MAX, "max", DURATION, PHASE | NODES, "longest service time of a success")                  \
    X(RESPONSE_P, "response_p", DURATION, PHASE | ARGUMENT,                                      \
      "percentile of the response time, which counts from the intended start")                   \
    X(MAX_OPERATION, "max_operation", DURATION, PHASE,                                           \
      "the longest operation, failed and unfinished ones included")                              \
    X(OVERDUE, "overdue", COUNT, 0, "operations that took longer than the deadline plus slack")  \
    X(LEAKED_CONNECTIONS, "leaked_connections", COUNT, 0,                                        \
      "sockets to the nodes that the kernel still has after the client was closed")              \
    X(AMPLIFICATION, "amplification", FACTOR, PHASE | NODES,                                     \
      "requests and connections that an operation cost, compared with the baseline's")           \
    X(FIRST_ERROR_WITHIN, "first_error_within", DURATION, NODES,                                 \
      "from a fault's start to the first error")                                                 \
    X(FIRST_SUCCESS_WITHIN, "first_success_within", DURATION, NODES,                             \
      "from a fault's end to the first success")                                                 \
    X(RECOVERED_WITHIN, "recovered_within", DURATION, NODES,                                     \
      "from a fault's end to the steady state")                                                  \
    X(POOL_MAX, "pool_max", COUNT, NODES, "most connections at once to a node")                  \
    X(OPENED_WITHIN, "opened_within", DURATION, BREAKER,                                         \
      "from a fault's start to the opening of the breaker")                                      \
    X(CLOSED_WITHIN, "closed_within", DURATION, BREAKER,                                         \
      "from a fault's end to the breaker's closing for good")                                    \
    X(OPEN_TIME, "open_time", DURATION, BREAKER, "time that the breaker was open")               \
    X(HALF_OPEN_TIME, "half_open_time", DURATION, BREAKER, "time that it was half-open")         \
    X(OPENED, "opened", COUNT, BREAKER, "how often it opened")                                   \
    X(PROBES, "probes", COUNT, BREAKER, "how often it was half-open to probe the node")          \
    X(PROBES_FAILED, "probes_failed", COUNT, BREAKER, "of those, the ones that opened it again") \
    X(REJECTED, "rejected", COUNT, BREAKER | PHASE, "calls that it refused")

enum check_metric {
#define X(id, name, unit, scope, help) CHECK_METRIC_##id,
    CHECK_METRICS(X)
#undef X
        CHECK_METRIC_COUNT,
};

#define CHECK_SCOPE_PHASE 1u
#define CHECK_SCOPE_NODES 2u
#define CHECK_SCOPE_BREAKER 4u /* asked as breaker(nodes).metric */
#define CHECK_SCOPE_ARGUMENT 8u

struct check_metric_info {
    const char *name;
    enum check_unit unit;
    unsigned scope; /* CHECK_SCOPE_... */
    const char *help;
};

extern const struct check_metric_info check_metrics[CHECK_METRIC_COUNT];

enum check_nodes {
    CHECK_NODES_ALL,
    CHECK_NODES_ONE,
    CHECK_NODES_FAULTED, /* that had a fault at any time of the run */
    CHECK_NODES_OTHERS,  /* the rest */
};

/* A metric of something. */
struct check_ref {
    enum check_metric metric;
    double argument;              /* 99 of p(99) */
    char phase[CHECK_PHASE_SIZE]; /* "" = the whole run */
    enum check_nodes nodes;
    unsigned node; /* from 0; with CHECK_NODES_ONE */
};

enum check_term_kind {
    CHECK_TERM_CONSTANT,
    CHECK_TERM_TIMEOUT,       /* the deadline of an operation */
    CHECK_TERM_HEALTHY_SHARE, /* 1 - the share of the nodes with faults */
    CHECK_TERM_METRIC,
};

struct check_term {
    enum check_term_kind kind;
    double factor; /* the value of a constant; with the sign */
    struct check_ref ref;
};

enum check_op {
    CHECK_OP_LT,
    CHECK_OP_LE,
    CHECK_OP_GT,
    CHECK_OP_GE,
    CHECK_OP_EQ,
    CHECK_OP_NE,
    CHECK_OP_ONLY,
};

struct check_rule {
    char text[CHECK_TEXT_SIZE];
    bool abort; /* ends the run as soon as it is known to fail */
    struct check_ref left;
    enum check_op op;
    struct check_term terms[CHECK_TERMS_MAX]; /* their sum is the right side */
    size_t term_count;
    uint64_t kinds; /* with CHECK_OP_ONLY: bits of check_kinds[] */
};

/* What may stand in "errors only [...]": the failures by the names of the result, and groups of
 * them. `members` are names of failures, NULL-terminated. */
#define CHECK_KIND_MEMBERS_MAX 4
struct check_kind_info {
    const char *name; /* NULL ends the table */
    const char *members[CHECK_KIND_MEMBERS_MAX];
};
extern const struct check_kind_info check_kinds[];

/*
 * Reads one check. `phases` (NULL-terminated) are those of the scenario. On failure returns -1 with
 * the reason and in *at the offset in `text` that it is about.
 */
int check_parse(const char *text, const char *const *phases, struct check_rule *out, size_t *at,
                struct err *err);

/* The metric's path as it is written: "fault.node1.p(99)". Returns `out`. */
const char *check_ref_text(const struct check_ref *ref, char *out, size_t size);

#endif
