/* SPDX-License-Identifier: MIT */
/*
 * The result of a whole session: what all reports are written from. It is filled once and then only
 * read. All strings and arrays belong to the arena of the run or of the result.
 *
 * Instants are on the monotonic clock and are shown relative to result.start_ns; NS_NEVER means
 * that it did not happen.
 */
#ifndef REPORT_RESULT_H
#define REPORT_RESULT_H

#include "metrics/latency.h"
#include "metrics/recorder.h"
#include "metrics/recovery.h"
#include "metrics/series.h"
#include "metrics/transitions.h"
#include "report/arena.h"
#include "report/bottleneck.h"
#include "scenario/victims.h"

#include <stdbool.h>

#define RESULT_SCHEMA_VERSION 1
/* Runs that a result keeps; a session that goes on for longer keeps the most recent ones and counts
 * the rest. */
#define RESULT_RUNS_MAX 256
/* Cells that a run keeps; further ones are in the sums only. */
#define RESULT_CELLS_MAX 4096

enum verdict {
    VERDICT_PASSED,
    VERDICT_INTERRUPTED,
    VERDICT_INVALID,
    VERDICT_FAILED,
    VERDICT_COUNT,
};

/* "passed", "interrupted", "invalid", "failed" */
const char *verdict_name(enum verdict verdict);
/* 0, 105, 98, 99 */
int verdict_exit_code(enum verdict verdict);
/* failed over invalid over interrupted over passed */
enum verdict verdict_worse(enum verdict a, enum verdict b);

struct named_value {
    const char *name;
    const char *value;
};

struct result_node {
    const char *name;          /* "node1" */
    const char *address;       /* of the memcached node */
    const char *proxy_address; /* where the client connects; "" without a proxy */
    double key_share;          /* of the key space, 0 to 1 */
};

struct result_host {
    const char *kernel;
    const char *memcached_version; /* "" when unknown */
    unsigned cpus;
};

enum check_kind {
    CHECK_HARD,     /* wrong data, calls that never end: fails the run whatever else happened */
    CHECK_VALIDITY, /* not ok: the run says nothing */
    CHECK_EXPECTED, /* not ok: the run failed */
};

struct check {
    enum check_kind kind;
    bool ok;
    const char *name;     /* stable: "wrong_data" */
    const char *text;     /* "no wrong data" */
    const char *measured; /* "0 of 812,034 operations" */
};

/*
 * Histograms are kept packed (base/hist_packed.h), all of them of LATENCY_HIST_CONFIG:
 * hist_packed_add() merges any of them without loss, hist_packed_encode() gives the text
 * "HISTFAAAA..." for an HDR log. They may be NULL in a result that was not collected from a run.
 */
struct result_phase {
    const char *name;
    ns_t start_ns;
    ns_t end_ns;
    struct recorder_counts counts;
    struct latency service; /* of the successes */
    struct latency response;
    struct latency service_failed;
    const struct hist_packed *service_hist;
    const struct hist_packed *response_hist;
    const struct hist_packed *service_failed_hist;
    struct latency lateness; /* of the starts, against the schedule; count 0 in a closed loop */
    ns_t lateness_p10_ns;    /* one start in ten was no later than that */
    struct host_use host;    /* of its intervals; length 0: not measured */
    enum bottleneck bottleneck;
};

/* What one operation came to on one node in one phase: the finest grain there is, only cells that
 * occurred. */
struct result_cell {
    unsigned phase;
    unsigned node; /* RECORDER_NODE_UNKNOWN: the client could not say */
    enum op op;
    enum outcome outcome;
    uint64_t count;
    struct latency service; /* count 0 for neutral outcomes, which are not timed */
    const struct hist_packed *hist;
};

struct result_op {
    enum op op;
    struct recorder_counts counts;
    struct latency service;
    struct latency service_failed;
};

/* One node in one run. */
/* What a proxy got from the client. */
struct traffic {
    uint64_t connections; /* accepted */
    uint64_t bytes;       /* of requests */
};

struct result_node_run {
    struct recorder_counts counts;
    struct recorder_counts *phases; /* phase_count of them */
    struct latency *phase_service;  /* of the successes, as many */
    struct traffic *phase_traffic;  /* as many; NULL: no proxy counts it */
    struct latency service;
    struct node_stats stats; /* at the end of the run */
    uint32_t pool_total_max; /* exact when the driver keeps a mark, else sampled */
    uint32_t pool_waiting_max;
    ns_t breaker_ns[BREAKER_VIEW_COUNT]; /* time spent in each state */
};

enum breaker_expectation {
    BREAKER_MAY_OPEN,
    BREAKER_MUST_OPEN,
    BREAKER_MUST_STAY_CLOSED,
};

/* One fault on one node. */
struct result_fault {
    const char *text;   /* "latency 500ms ± 100ms, downstream" */
    const char *target; /* as the scenario says it: "one"; "" when not known */
    unsigned node;      /* index; RECORDER_NODE_UNKNOWN: on none of the client's nodes */
    unsigned phase;     /* in which it starts */
    struct recovery_times times;
    struct victims victims;
    bool may_miss;        /* no victim is fine (random faults with a low probability) */
    bool may_not_recover; /* not judged on recovery (a fault that lasts to the end) */
    enum breaker_expectation breaker;
};

struct run_result {
    struct arena arena; /* owns all below */
    const char *scenario;
    const char *description;
    uint64_t seed;
    ns_t start_ns;
    ns_t end_ns;
    ns_t timeout_ns;          /* of an operation */
    bool open_loop;           /* arrivals do not wait for answers */
    bool interrupted;         /* before its planned end */
    bool aborted;             /* ended early by a check that failed */
    int baseline_phase;       /* or -1 */
    struct named_value *load; /* that was run: from the user's flags, the scenario, the defaults */
    size_t load_count;

    struct result_phase *phases;
    size_t phase_count;
    struct result_op ops[OP_COUNT];
    struct result_node_run *nodes; /* node_count of the result */
    size_t node_count;
    struct recorder_counts total;
    struct latency service;
    struct latency response;
    struct latency service_failed;
    struct latency response_failed;

    struct result_cell *cells; /* by phase, then as cell_compare() has it */
    size_t cell_count;
    uint64_t cells_dropped;     /* beyond RESULT_CELLS_MAX */
    struct interval *intervals; /* at most SERIES_CAP_DEFAULT, whatever the length of the run */
    size_t interval_count;
    unsigned interval_halvings; /* times that neighbours were merged to make room */
    struct transition *transitions;
    size_t transition_count;
    uint64_t transitions_dropped;
    struct result_fault *faults;
    size_t fault_count;

    struct gate baseline;
    ns_t longest_op_ns;
    uint64_t overdue; /* operations */
    ns_t overdue_ns;  /* the limit; NS_NEVER: not judged */
    ns_t sampler_lag_max_ns;
    int64_t leaked_connections; /* -1: not known */
    struct host_use host;       /* of all intervals */
    enum bottleneck bottleneck; /* of the first phase that has one */
    unsigned bottleneck_phase;

    struct check *checks;
    size_t check_count;
    enum verdict verdict;
    const char **reasons; /* why not passed */
    size_t reason_count;
};

/* A scenario that cannot be run here. */
struct result_skip {
    const char *scenario;
    const char *reason;
};

struct result {
    struct arena arena; /* owns all but the runs */
    const char *version;
    uint64_t seed;
    const char *command;         /* that repeats the session: "memchaos -seed 42 -scenario x" */
    struct named_value *options; /* the full effective configuration */
    size_t option_count;
    struct result_host host;
    int64_t start_unix_ns;
    ns_t start_ns; /* the same moment on the monotonic clock */
    ns_t end_ns;
    struct result_node *nodes;
    size_t node_count;
    struct result_skip *skipped;
    size_t skipped_count;

    struct run_result **runs; /* owned */
    size_t run_count;
    uint64_t runs_dropped; /* older ones that are no longer kept; their verdicts still count */
    uint64_t verdicts[VERDICT_COUNT]; /* runs by verdict, dropped ones too */
    enum verdict verdict;
};

/* NULL without memory. */
struct result *result_new(size_t node_count);
/* Fills in kernel and number of CPUs of this machine. Returns -1 without memory. */
int result_host_read(struct result *r);
void result_free(struct result *r);

struct run_result *run_result_new(size_t node_count);
void run_result_free(struct run_result *run);

/* Of the operations that went to any node, the share of this one, 0 to 1. */
double result_load_share(const struct run_result *run, unsigned node);

/* Takes ownership of the judged run and updates the verdict. */
void result_add_run(struct result *r, struct run_result *run);

#endif
