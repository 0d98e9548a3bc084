/* SPDX-License-Identifier: MIT */
/* The flags of the main command: what `memchaos -help` shows, parsed and checked. */
#ifndef CLI_RUN_OPTIONS_H
#define CLI_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/flag.h"
#include "base/time.h"
#include "driver/driver.h"
#include "load/load.h"
#include "load/workload.h"
#include "report/outputs.h"
#include "report/result.h"
#include "scenario/scenario.h"

#define RUN_FLAGS_MAX 64
#define RUN_CHOICES_MAX 32
#define RUN_REPORT_HELP_SIZE 400

struct run_options {
    /* What to run. */
    const char *scenario;
    ns_t duration_ns; /* 0 = until interrupted */
    int runs;         /* 0 = no limit */
    bool list;
    bool version;
    /* What to look for, with `memchaos calibrate`. */
    bool calibrating;
    ns_t p99_ns;
    ns_t step_ns;
    const char *rate_max;
    /* Load. */
    int concurrency;
    int workload;               /* index into workloads[] */
    struct load_text load_text; /* as given; the effective one once parsed */
    int prefill;                /* index into prefill_names[] */
    struct load_spec load;
    ns_t timeout_ns;
    uint64_t seed;
    bool seed_given;
    /* Where. */
    const char *servers;
    const char *toxiproxy;
    bool direct;
    int proxy_port;
    int api_port;
    /* Client: -pool and -breaker are read as int and put into `client` afterwards. */
    const char *driver_text; /* as given: a name, a file, or a command */
    const struct driver *driver;
    int pool;
    int breaker;
    struct driver_config client;
    /* Output. */
    ns_t metrics_interval_ns;
    int flight_ring;
    const char *flight_dir;
    const char *oplog;
    bool json;
    struct flag_list report_texts; /* as given */
    struct outputs reports;        /* those, and the one of -json */
    const char *events;
    const char *status;
    const char *snapshot;
    int snapshot_every; /* intervals */
    bool quiet;

    /* The table that describes all this, and the names that some flags choose from. */
    struct flag flags[RUN_FLAGS_MAX];
    bool given[RUN_FLAGS_MAX];
    const char *workload_names[RUN_CHOICES_MAX];
    char report_help[RUN_REPORT_HELP_SIZE];
};

enum run_options_result {
    RUN_OPTIONS_BAD = -1,
    RUN_OPTIONS_OK = 0,
    RUN_OPTIONS_HELP = 1, /* printed */
};

/* The struct must not move afterwards: its table points into it. */
enum run_options_result run_options_parse(struct run_options *options, int argc, char **argv,
                                          struct err *err);

/* The flags of `memchaos calibrate`. */
enum run_options_result run_options_parse_calibrate(struct run_options *options, int argc,
                                                    char **argv, struct err *err);

/* Checks a load key of a scenario as its flag is checked: for struct scenario_rules, with the
 * options as `arg`, which are not changed. */
int run_options_load_check(void *options, enum scenario_load_key key, const char *text,
                           struct err *err);

/* Takes over the load that a scenario asks for, as far as the user gave no flag for it. Returns 0,
 * or -1 with the reason. The texts must outlive the use of the options, or
 * run_options_load_reset(). */
int run_options_load_set(struct run_options *options, const struct scenario_load *load,
                         struct err *err);
void run_options_load_reset(struct run_options *options);

/* The flags that a scenario may set, with their present values. Returns 0, or -1 without memory. */
int run_options_load_list(const struct run_options *options, struct arena *arena,
                          struct named_value **out, size_t *count);

/* Every flag with its effective value, for the result. Returns 0, or -1 without memory. */
int run_options_list(const struct run_options *options, struct arena *arena,
                     struct named_value **out, size_t *count);

/* The command that repeats the session: all flags that were given, and the seed. NULL without
 * memory. */
const char *run_options_command(const struct run_options *options, struct arena *arena);

#endif
