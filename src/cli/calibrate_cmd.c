/* SPDX-License-Identifier: MIT */
#include "cli/calibrate_cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonw.h"
#include "base/number.h"
#include "cli/exit_code.h"
#include "cli/run_options.h"
#include "cli/setup.h"
#include "load/rate_search.h"
#include "report/human.h"
#include "rig/trial.h"

#define CLOSE 1.05   /* stop when the rate that fails is this close to the one that holds */
#define WARM_UP 0.25 /* of a step, before it */

struct step {
    double rate_per_s;
    bool held;
    const char *why; /* not */
    struct trial trial;
};

struct calibration {
    struct run_options options;
    struct log log;
    int signal_fd;
    struct topology *topology;
    struct rate_search search;
    struct step steps[RATE_SEARCH_TRIALS_MAX];
    struct step generator; /* the rate that failed, against no client at all */
    bool generator_tried;
    bool interrupted;
};

/* Why a rate does not hold; NULL when it does. */
static const char *why_not(const struct trial *t, ns_t bound)
{
    if (t->counts.wrong > 0)
        return "wrong data";
    if (t->counts.failed > 0)
        return "failures";
    if (t->counts.dropped > 0)
        return "operations could not be started";
    if (t->counts.succeeded == 0)
        return "nothing succeeded";
    return t->response.p99_ns > bound ? "p99 above the bound" : NULL;
}

static int try_rate(struct calibration *c, const struct driver *driver, double rate,
                    struct step *step, struct err *err)
{
    struct run_options *o = &c->options;
    struct load_spec load = o->load;
    *step = (struct step){.rate_per_s = rate};
    if (arrival_parse(load.text.arrival, rate, &load.arrival, err) != 0)
        return -1;
    struct trial_config config = {
        .topology = c->topology,
        .driver = driver,
        .client = o->client,
        .load = &load,
        .workers = (unsigned)o->concurrency,
        .timeout_ns = o->timeout_ns,
        .warm_up_ns = (ns_t)((double)o->step_ns * WARM_UP),
        .length_ns = o->step_ns,
        .seed = o->seed,
        .signal_fd = c->signal_fd,
    };
    if (trial_run(&config, &step->trial, err) != 0)
        return -1;
    step->why = why_not(&step->trial, o->p99_ns);
    step->held = step->why == NULL;
    if (step->trial.interrupted) {
        c->interrupted = true;
        setup_take_signal(c->signal_fd);
    }
    return 0;
}

static const char *rate_text(double rate, char buf[static HUMAN_SIZE])
{
    return human_count((uint64_t)(rate + 0.5), buf);
}

static void tell_step(struct calibration *c, const struct step *step)
{
    char rate[HUMAN_SIZE], p50[HUMAN_SIZE], p99[HUMAN_SIZE], failed[HUMAN_SIZE];
    const struct trial *t = &step->trial;
    log_info(&c->log, "%9s/s  p50 %-8s  p99 %-8s  %s failed  %s%s",
             rate_text(step->rate_per_s, rate), human_ns(t->response.p50_ns, false, p50),
             human_ns(t->response.p99_ns, false, p99), human_count(t->counts.failed, failed),
             step->held ? "holds" : "does not hold: ", step->held ? "" : step->why);
}

static int search_rate(struct calibration *c, struct err *err)
{
    const struct driver *driver = c->options.driver;
    for (double rate; !c->interrupted && (rate = rate_search_next(&c->search)) > 0;) {
        struct step *step = &c->steps[c->search.trials];
        if (try_rate(c, driver, rate, step, err) != 0)
            return -1;
        if (c->interrupted)
            return 0;
        tell_step(c, step);
        rate_search_tell(&c->search, rate, step->held);
    }
    return 0;
}

/* Whether the workers alone would have held the rate that did not. */
static int try_generator(struct calibration *c, struct err *err)
{
    const struct driver *driver = driver_by_name("null");
    if (c->interrupted || c->search.fails <= 0)
        return 0;
    if (try_rate(c, driver, c->search.fails, &c->generator, err) != 0)
        return -1;
    /* Without a server the answers say nothing; only whether they were on time does. */
    struct step *step = &c->generator;
    step->held =
        step->trial.counts.dropped == 0 && step->trial.response.p99_ns <= c->options.p99_ns;
    c->generator_tried = !c->interrupted;
    return 0;
}

/* ---- the answer ---- */

static const struct step *best_step(const struct calibration *c)
{
    const struct step *best = NULL;
    for (unsigned i = 0; i < c->search.trials; i++)
        if (c->steps[i].held && (best == NULL || c->steps[i].rate_per_s > best->rate_per_s))
            best = &c->steps[i];
    return best;
}

static const char *limit_of(const struct calibration *c)
{
    if (c->search.fails <= 0)
        return "max_rate";
    if (c->options.driver == driver_by_name("null"))
        return "generator"; /* there is nothing else */
    return c->generator_tried && !c->generator.held ? "generator" : "subject";
}

static void print_text(const struct calibration *c)
{
    char rate[HUMAN_SIZE], p99[HUMAN_SIZE], bound[HUMAN_SIZE];
    const struct step *best = best_step(c);
    human_ns(c->options.p99_ns, false, bound);
    if (best == NULL)
        printf("no rate holds: p99 within %s without a failure\n", bound);
    else
        printf("highest rate that holds: %s operations/s (p99 %s, bound %s)\n",
               rate_text(best->rate_per_s, rate), human_ns(best->trial.response.p99_ns, false, p99),
               bound);
    const char *limit = limit_of(c);
    if (strcmp(limit, "max_rate") == 0)
        printf("there was no limit up to -max-rate\n");
    else if (strcmp(limit, "generator") == 0)
        printf("the limit is this load generator: at %s/s it does not keep up by itself, without "
               "a client (p99 %s); try another -concurrency or a faster machine\n",
               rate_text(c->search.fails, rate),
               human_ns(c->generator.trial.response.p99_ns, false, p99));
    else
        printf("the limit is the client, the proxies or the nodes: at %s/s the load generator "
               "alone keeps up (p99 %s)\n",
               rate_text(c->search.fails, rate),
               human_ns(c->generator.trial.response.p99_ns, false, p99));
}

static void write_step(struct jsonw *j, const struct step *step)
{
    jsonw_object(j);
    jsonw_key_double(j, "rate_per_s", step->rate_per_s);
    jsonw_key_bool(j, "holds", step->held);
    jsonw_key_string(j, "reason", step->why);
    jsonw_key_uint(j, "succeeded", step->trial.counts.succeeded);
    jsonw_key_uint(j, "failed", step->trial.counts.failed);
    jsonw_key_uint(j, "dropped", step->trial.counts.dropped);
    jsonw_key_int(j, "response_p50_ns", step->trial.response.p50_ns);
    jsonw_key_int(j, "response_p99_ns", step->trial.response.p99_ns);
    jsonw_object_end(j);
}

static void print_json(const struct calibration *c)
{
    struct jsonw j;
    const struct step *best = best_step(c);
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->options.seed);
    jsonw_init(&j, stdout, JSONW_PRETTY);
    jsonw_object(&j);
    jsonw_key_string(&j, "memchaos_version", MEMCHAOS_VERSION);
    jsonw_key_string(&j, "seed", seed);
    jsonw_key_string(&j, "workload", c->options.load.text.workload);
    jsonw_key_string(&j, "arrival", c->options.load.text.arrival);
    jsonw_key_int(&j, "p99_bound_ns", c->options.p99_ns);
    if (best != NULL)
        jsonw_key_double(&j, "rate_per_s", best->rate_per_s);
    else
        jsonw_key_null(&j, "rate_per_s");
    jsonw_key_string(&j, "limit", limit_of(c));
    jsonw_key_array(&j, "steps");
    for (unsigned i = 0; i < c->search.trials; i++)
        write_step(&j, &c->steps[i]);
    jsonw_array_end(&j);
    jsonw_key(&j, "generator_alone");
    if (c->generator_tried)
        write_step(&j, &c->generator);
    else
        jsonw_null(&j);
    jsonw_object_end(&j);
    jsonw_finish(&j);
}

static int report(const struct calibration *c)
{
    if (c->interrupted)
        return EXIT_CODE_INTERRUPTED;
    if (c->options.json)
        print_json(c);
    else
        print_text(c);
    return best_step(c) != NULL ? EXIT_CODE_PASSED : EXIT_CODE_FAILED;
}

static int calibrate(struct calibration *c, struct err *err)
{
    double max;
    if (number_parse(c->options.rate_max, 1000, &max) != 0 || max < RATE_SEARCH_MIN ||
        max > ARRIVAL_RATE_MAX) {
        err_set(err, "invalid value \"%.40s\" for flag -max-rate: %.0f to %.0f is needed",
                c->options.rate_max, RATE_SEARCH_MIN, ARRIVAL_RATE_MAX);
        return EXIT_CODE_USAGE;
    }
    rate_search_init(&c->search, max, CLOSE);
    c->signal_fd = setup_signals(err);
    struct topology_config config = setup_topology_config(&c->options, c->signal_fd, &c->log);
    if (c->signal_fd < 0 || setup_topology(&c->options, &config, &c->topology, err) != 0)
        return EXIT_CODE_INTERNAL;
    char bound[HUMAN_SIZE];
    log_info(&c->log, "looking for the highest rate with a p99 within %s, up to %.0f/s",
             human_ns(c->options.p99_ns, false, bound), max);
    if (search_rate(c, err) != 0 || try_generator(c, err) != 0)
        return setup_take_signal(c->signal_fd) ? EXIT_CODE_INTERRUPTED : EXIT_CODE_INTERNAL;
    return report(c);
}

int calibrate_cmd_main(int argc, char **argv)
{
    struct calibration *c = calloc(1, sizeof *c);
    struct err err = {""};
    int code = EXIT_CODE_PASSED;
    if (c == NULL)
        return EXIT_CODE_INTERNAL;
    c->signal_fd = -1;
    switch (run_options_parse_calibrate(&c->options, argc, argv, &err)) {
    case RUN_OPTIONS_HELP: break;
    case RUN_OPTIONS_BAD: code = EXIT_CODE_USAGE; break;
    case RUN_OPTIONS_OK:
        log_init(&c->log, stderr, LOG_LEVEL_INFO, c->options.quiet);
        c->options.client.log = &c->log;
        code = calibrate(c, &err);
    }
    if (err.text[0] != '\0')
        fprintf(stderr, "memchaos: %s%s\n", err.text,
                code == EXIT_CODE_USAGE ? "\nSee memchaos calibrate -help" : "");
    topology_stop(c->topology);
    if (c->signal_fd >= 0)
        close(c->signal_fd);
    free(c);
    return code;
}
