/* SPDX-License-Identifier: MIT */
#include "cli/driver_check_cmd.h"

#include <stdio.h>
#include <unistd.h>

#include "base/flag.h"
#include "cli/exit_code.h"
#include "cli/setup.h"
#include "rig/driver_check.h"

static int usage_error(const char *text)
{
    fprintf(stderr, "memchaos: %s\nSee memchaos driver-check -help\n", text);
    return EXIT_CODE_USAGE;
}

static int check(const char *command, bool quiet)
{
    struct err err = {""};
    struct log log;
    log_init(&log, stderr, LOG_LEVEL_INFO, quiet);
    struct driver_check_result result = {0};
    struct driver_check_config config = {
        .command = command,
        .out = stdout,
        .log = &log,
        .colour = setup_wants_colour(stdout),
        .cancel_fd = setup_signals(&err),
    };
    if (config.cancel_fd < 0 || driver_check_run(&config, &result, &err) != 0) {
        fprintf(stderr, "memchaos: %s\n", err.text);
        return EXIT_CODE_INTERNAL;
    }
    close(config.cancel_fd);
    printf("%u passed, %u failed, %u skipped\n", result.passed, result.failed, result.skipped);
    if (result.interrupted)
        return EXIT_CODE_INTERRUPTED;
    return result.failed == 0 ? EXIT_CODE_PASSED : EXIT_CODE_FAILED;
}

int driver_check_cmd_main(int argc, char **argv)
{
    struct err err;
    bool quiet;
    int operand = argc;
    const struct flag flags[] = {
        {"quiet", FLAG_BOOL, &quiet, .default_text = "false",
         .help = "leave out what the program writes to its standard error"},
        {.name = NULL},
    };
    static const struct flag_example examples[] = {
        {"memchaos driver-check 'python3 drivers/python/pymemcache_driver.py'", "one of ours"},
        {"memchaos driver-check './my_driver -v'", "yours"},
        {NULL, NULL},
    };
    static const struct flag_help help = {
        .usage = "memchaos driver-check [flags] COMMAND",
        .about =
            "Says what is wrong with a driver program: it must do what docs/driver-protocol.md "
            "asks for,\nagainst a memcached that is started for it. Exit codes: 0 nothing, 1 "
            "could not set up,\n2 wrong usage, 99 a check failed, 105 interrupted.",
        .examples = examples,
    };
    flag_defaults(flags);
    switch (flag_parse(flags, argc, argv, &operand, &err)) {
    case FLAG_HELP: flag_print_help(stdout, flags, &help); return EXIT_CODE_PASSED;
    case FLAG_BAD: return usage_error(err.text);
    case FLAG_OK: break;
    }
    if (operand != argc - 1)
        return usage_error("give the command of the driver as one argument, in quotes");
    return check(argv[operand], quiet);
}
