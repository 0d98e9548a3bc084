/* SPDX-License-Identifier: MIT */
#include "cli/scenario_cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/flag.h"
#include "cli/exit_code.h"
#include "cli/run_options.h"
#include "cli/scenario_show.h"
#include "rig/key_share.h"
#include "rig/run.h"
#include "scenario/catalog.h"
#include "scenario/plan.h"
#include "scenario/schema.h"

struct settings {
    int nodes;
    uint64_t seed;
    ns_t duration;
    bool json;
    const char *operands[64];
    size_t operand_count;
};

/* Flags may stand before, between and after the operands. */
static enum flag_result parse(const struct flag *flags, int argc, char **argv, struct settings *s,
                              struct err *err)
{
    flag_defaults(flags);
    while (argc > 1) {
        int operand = argc;
        enum flag_result result = flag_parse(flags, argc, argv, &operand, err);
        if (result != FLAG_OK || operand == argc)
            return result;
        if (s->operand_count == sizeof s->operands / sizeof s->operands[0]) {
            err_set(err, "more than %zu files", s->operand_count);
            return FLAG_BAD;
        }
        s->operands[s->operand_count++] = argv[operand];
        argc -= operand;
        argv += operand;
    }
    return FLAG_OK;
}

static int usage_error(const char *command, const char *text)
{
    fprintf(stderr, "memchaos %s: %s\nSee memchaos %s -help\n", command, text, command);
    return EXIT_CODE_USAGE;
}

/* The client's key map for nodes that do not exist: it depends on their names only. */
static void shares_of(const struct run_options *options, size_t count, double *shares)
{
    char names[SCENARIO_NODES_MAX][32];
    const char *name_list[SCENARIO_NODES_MAX], *servers[SCENARIO_NODES_MAX];
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "node%zu", i + 1);
        name_list[i] = names[i];
        servers[i] = "127.0.0.1:1";
    }
    struct driver_config config = options->client;
    config.servers = servers;
    config.names = name_list;
    config.server_count = count;
    const struct key_share_config share = {
        .driver = options->driver,
        .client = &config,
        .load = &options->load,
        .workers = (unsigned)options->concurrency,
    };
    key_share_measure(&share, NULL, shares);
}

/* Both need what a run would do by default: the client's key map and the texts of its flags. */
static struct run_options *default_options(void)
{
    static char name[] = "memchaos";
    char *argv[] = {name, NULL};
    struct err err;
    struct run_options *options = calloc(1, sizeof *options);
    if (options != NULL && run_options_parse(options, 1, argv, &err) == RUN_OPTIONS_OK)
        return options;
    free(options);
    return NULL;
}

/* The plan of the `index`-th run of a session. */
static int plan_of(const struct settings *s, struct run_options *options,
                   const struct scenario *scenario, uint64_t index, struct plan *plan,
                   struct err *err)
{
    double shares[SCENARIO_NODES_MAX];
    struct plan_config config = {.node_count = (size_t)s->nodes,
                                 .duration = s->duration,
                                 .seed = rig_run_seed(s->seed, index),
                                 .key_shares = shares};
    if (run_options_load_set(options, &scenario->load, err) != 0)
        return -1;
    shares_of(options, config.node_count, shares);
    return plan_init(plan, scenario, &config, err);
}

/* ---- memchaos check ---- */

struct work {
    struct scenario scenario;
    struct plan plan;
    struct yaml_problems problems;
};

static bool check_file(const struct settings *s, struct run_options *options, const char *path,
                       struct work *work)
{
    char length[DURATION_TEXT_SIZE];
    struct err err;
    const struct scenario *scenario = &work->scenario;
    struct scenario_rules rules = {.load_check = run_options_load_check, .arg = options};
    if (scenario_load(path, &rules, &work->scenario, &work->problems) != 0) {
        for (size_t i = 0; i < work->problems.count; i++)
            fprintf(stderr, "%s\n", work->problems.errors[i].text);
        return false;
    }
    if (plan_of(s, options, scenario, 0, &work->plan, &err) != 0) {
        fprintf(stderr, "%s: with %d nodes: %s\n", path, s->nodes, err.text);
        return false;
    }
    plan_deinit(&work->plan);
    printf("%s: %s: ok, %zu phase%s, %zu step%s, %zu check%s, %s\n", path, scenario->name,
           scenario->phase_count, scenario->phase_count == 1 ? "" : "s", scenario->step_count,
           scenario->step_count == 1 ? "" : "s", scenario->check_count,
           scenario->check_count == 1 ? "" : "s", duration_text(scenario_length(scenario), length));
    return true;
}

static int check_files(const struct settings *s)
{
    int code = EXIT_CODE_PASSED;
    struct run_options *options = default_options();
    struct work *work = malloc(sizeof *work);
    if (options == NULL || work == NULL)
        code = EXIT_CODE_INTERNAL;
    for (size_t i = 0; i < s->operand_count && code != EXIT_CODE_INTERNAL; i++)
        if (!check_file(s, options, s->operands[i], work))
            code = EXIT_CODE_BAD_SCENARIO;
    free(options);
    free(work);
    return code;
}

int scenario_check_main(int argc, char **argv)
{
    struct settings s = {0};
    struct err err;
    const struct flag flags[] = {
        {"nodes", FLAG_INT, &s.nodes, "n", "3", .min = 1, .max = SCENARIO_NODES_MAX,
         .help = "how many nodes there will be: targets must exist"},
        {.name = NULL},
    };
    static const struct flag_example examples[] = {
        {"memchaos check ./mine.yaml", "all that is wrong with it, each at its line and column"},
        {"memchaos check scenarios/*.yaml", "for CI: 0 when all are fine, else 104"},
        {NULL, NULL},
    };
    static const struct flag_help help = {
        .usage = "memchaos check [flags] FILE...",
        .about = "Says what is wrong with scenario files, and starts nothing.",
        .examples = examples,
    };
    switch (parse(flags, argc, argv, &s, &err)) {
    case FLAG_HELP: flag_print_help(stdout, flags, &help); return EXIT_CODE_PASSED;
    case FLAG_BAD: return usage_error("check", err.text);
    case FLAG_OK: break;
    }
    if (s.operand_count == 0)
        return usage_error("check", "which file?");
    return check_files(&s);
}

/* ---- memchaos show ---- */

/* One, or a group of them as one JSON array. */
static int show_plans(const struct settings *s, struct run_options *options,
                      const struct scenario *scenarios, size_t count, struct plan *plan,
                      struct err *err)
{
    struct jsonw json;
    jsonw_init(&json, stdout, JSONW_PRETTY);
    if (s->json && count > 1)
        jsonw_array(&json);
    for (size_t i = 0; i < count; i++) {
        if (plan_of(s, options, &scenarios[i], i, plan, err) != 0)
            return -1;
        if (s->json)
            scenario_show_json(&json, plan, s->seed, (size_t)s->nodes);
        else
            scenario_show_text(stdout, plan, s->seed, (size_t)s->nodes);
        plan_deinit(plan);
        if (!s->json && i + 1 < count)
            putchar('\n');
    }
    if (s->json && count > 1)
        jsonw_array_end(&json);
    if (s->json && jsonw_finish(&json) != 0)
        return err_set(err, "cannot write to stdout");
    return 0;
}

static int show(const struct settings *s, struct err *err)
{
    const char *what = s->operands[0];
    int code = EXIT_CODE_INTERNAL;
    struct run_options *options = default_options();
    struct scenario *scenarios = calloc(CATALOG_MAX, sizeof *scenarios);
    struct plan *plan = malloc(sizeof *plan);
    struct scenario_rules rules = {.load_check = run_options_load_check, .arg = options};
    if (options == NULL || scenarios == NULL || plan == NULL) {
        err_set(err, "out of memory");
    } else {
        size_t count = catalog_find(what, &rules, scenarios, err);
        code = catalog_is_path(what) ? EXIT_CODE_BAD_SCENARIO : EXIT_CODE_USAGE;
        if (count > 0)
            code = show_plans(s, options, scenarios, count, plan, err) == 0
                       ? EXIT_CODE_PASSED
                       : EXIT_CODE_BAD_SCENARIO;
    }
    free(options);
    free(scenarios);
    free(plan);
    return code;
}

int scenario_show_main(int argc, char **argv)
{
    struct settings s = {0};
    struct err err;
    const struct flag flags[] = {
        {"seed", FLAG_UINT64, &s.seed, "n", "1",
         .help = "of a session; what a run with that -seed would do"},
        {"duration", FLAG_DURATION, &s.duration, .default_text = "0s",
         .help = "of the run: phases are stretched or shrunk; 0 = as the scenario says"},
        {"nodes", FLAG_INT, &s.nodes, "n", "3", .min = 1, .max = SCENARIO_NODES_MAX,
         .help = "how many nodes there are"},
        {"json", FLAG_BOOL, &s.json, .help = "as JSON, with every event"},
        {.name = NULL},
    };
    static const struct flag_example examples[] = {
        {"memchaos show packet-loss", "its timeline"},
        {"memchaos show ./mine.yaml -nodes 5 -seed 7", "whom it hits with this seed"},
        {"memchaos show smoke -json", "all of a group, for programs"},
        {NULL, NULL},
    };
    static const struct flag_help help = {
        .usage = "memchaos show [flags] NAME|GROUP|FILE",
        .about = "Shows the plan of a scenario as a timeline, and starts nothing.",
        .examples = examples,
    };
    switch (parse(flags, argc, argv, &s, &err)) {
    case FLAG_HELP: flag_print_help(stdout, flags, &help); return EXIT_CODE_PASSED;
    case FLAG_BAD: return usage_error("show", err.text);
    case FLAG_OK: break;
    }
    if (s.operand_count != 1)
        return usage_error("show", "give the name of one scenario, a group, or a file");
    int code = show(&s, &err);
    if (code != EXIT_CODE_PASSED)
        fprintf(stderr, "memchaos: %s\n", err.text);
    return code;
}

int scenario_schema_main(int argc, char **argv)
{
    struct settings s = {0};
    struct err err;
    const struct flag flags[] = {{.name = NULL}};
    static const struct flag_example examples[] = {
        {"memchaos schema > scenario.v1.json", "then: # yaml-language-server: $schema=..."},
        {NULL, NULL},
    };
    static const struct flag_help help = {
        .usage = "memchaos schema",
        .about = "Writes the JSON schema of scenario files, with which editors complete and check.",
        .examples = examples,
    };
    switch (parse(flags, argc, argv, &s, &err)) {
    case FLAG_HELP: flag_print_help(stdout, flags, &help); return EXIT_CODE_PASSED;
    case FLAG_BAD: return usage_error("schema", err.text);
    case FLAG_OK: break;
    }
    if (s.operand_count > 0)
        return usage_error("schema", "takes no arguments");
    struct jsonw json;
    jsonw_init(&json, stdout, JSONW_PRETTY);
    scenario_schema_write(&json);
    return jsonw_finish(&json) == 0 ? EXIT_CODE_PASSED : EXIT_CODE_INTERNAL;
}
