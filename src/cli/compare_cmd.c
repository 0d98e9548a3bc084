/* SPDX-License-Identifier: MIT */
#include "cli/compare_cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/flag.h"
#include "cli/exit_code.h"
#include "report/compare.h"

struct options {
    struct compare_config config;
    bool json;
};

static int usage_error(const char *text)
{
    fprintf(stderr, "memchaos compare: %s\nSee memchaos compare -help\n", text);
    return EXIT_CODE_USAGE;
}

static void print_help(const struct flag *flags)
{
    static const struct flag_example examples[] = {
        {"memchaos -scenario all -runs 5 -json > a.json", "measure one version"},
        {"memchaos -scenario all -runs 5 -breaker off -json > b.json", "and another setting"},
        {"memchaos compare a.json b.json", "do they differ beyond their noise?"},
        {"memchaos compare -threshold 0.25 a.json b.json", "ignore changes below 25 %"},
        {NULL, NULL},
    };
    static const struct flag_help help = {
        .usage = "memchaos compare [flags] A.json B.json",
        .about = "Compares two results, scenario by scenario and figure by figure.\n"
                 "Exit codes: 0 nothing is worse in B, 1 a file cannot be read, 2 wrong usage,\n"
                 "98 too few runs to tell anything, 99 something is worse in B.",
        .examples = examples,
    };
    flag_print_help(stdout, flags, &help);
}

static int compare(const struct options *o, const char *a, const char *b)
{
    struct err err = {""};
    struct comparison *c = comparison_read(a, b, &o->config, &err);
    if (c == NULL) {
        fprintf(stderr, "memchaos compare: %s\n", err.text);
        return EXIT_CODE_INTERNAL;
    }
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    struct report_style style = {.colour = isatty(STDOUT_FILENO) &&
                                           (no_color == NULL || no_color[0] == '\0') &&
                                           term != NULL && strcmp(term, "dumb") != 0};
    int rc = o->json ? comparison_json(stdout, c) : comparison_text(stdout, c, style);
    int code = comparison_exit_code(c);
    if (rc != 0 || fflush(stdout) != 0) {
        fprintf(stderr, "memchaos compare: cannot write: %s\n", strerror(errno));
        code = EXIT_CODE_INTERNAL;
    }
    comparison_free(c);
    return code;
}

int compare_cmd_main(int argc, char **argv)
{
    struct options o = {.config = COMPARE_CONFIG_DEFAULT};
    const struct flag flags[] = {
        {"alpha", FLAG_DOUBLE, &o.config.alpha, "share", "0.01", .min = 1e-6, .max = 0.5,
         .group = "Flags",
         .help = "how improbable by chance a difference must be; 0.01 needs 5 runs of each"},
        {"threshold", FLAG_DOUBLE, &o.config.threshold, "share", "0.1", .max = 1000,
         .help = "how far apart the medians must be, as a share of A's"},
        {"json", FLAG_BOOL, &o.json, .help = "write the comparison as JSON"},
        {.name = NULL},
    };
    struct err err = {""};
    int operand = argc;
    flag_defaults(flags);
    switch (flag_parse(flags, argc, argv, &operand, &err)) {
    case FLAG_HELP: print_help(flags); return EXIT_CODE_PASSED;
    case FLAG_BAD: return usage_error(err.text);
    case FLAG_OK: break;
    }
    if (argc - operand != 2)
        return usage_error("two results are needed: memchaos compare A.json B.json");
    return compare(&o, argv[operand], argv[operand + 1]);
}
