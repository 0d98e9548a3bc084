/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/calibrate_cmd.h"
#include "cli/compare_cmd.h"
#include "cli/driver_check_cmd.h"
#include "cli/exit_code.h"
#include "cli/proxy_cmd.h"
#include "cli/run_cmd.h"
#include "cli/scenario_cmd.h"
#include "cli/toxi_cmd.h"

/* Whose argv[0] a command wants to see. */
enum argv0 {
    ARGV0_COMMAND, /* its own name */
    ARGV0_PROGRAM, /* the program's, its own name comes next */
};

/* Commands beside the main one, which needs no name. */
static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
    enum argv0 argv0;
    const char *help;
} commands[] = {
    {"run", run_cmd_main, ARGV0_COMMAND, "Run scenarios; the same without a command."},
    {"compare", compare_cmd_main, ARGV0_COMMAND, "Tell whether two results differ."},
    {"calibrate", calibrate_cmd_main, ARGV0_COMMAND, "Find the highest rate that holds."},
    {"proxy", proxy_cmd_main, ARGV0_COMMAND, "Serve the fault-injecting proxy alone."},
    {"check", scenario_check_main, ARGV0_COMMAND, "Say what is wrong with scenario files."},
    {"show", scenario_show_main, ARGV0_COMMAND, "Show what a scenario would do, and when."},
    {"schema", scenario_schema_main, ARGV0_COMMAND, "Write the JSON schema of scenario files."},
    {"driver-check", driver_check_cmd_main, ARGV0_COMMAND, "Say what is wrong with a driver."},
    {"list", toxi_cmd_main, ARGV0_PROGRAM, "List the proxies of a running server."},
    {"inspect", toxi_cmd_main, ARGV0_PROGRAM, "Show the toxics of a proxy."},
    {"create", toxi_cmd_main, ARGV0_PROGRAM, "Create a proxy."},
    {"toggle", toxi_cmd_main, ARGV0_PROGRAM, "Disable a proxy that is enabled, or enable it."},
    {"delete", toxi_cmd_main, ARGV0_PROGRAM, "Delete a proxy."},
    {"toxic", toxi_cmd_main, ARGV0_PROGRAM, "Add, update or remove a toxic."},
    {"stats", toxi_cmd_main, ARGV0_PROGRAM, "Show the counters of a proxy."},
};

/* Names under which this program may be installed to stand in for others. */
static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} programs[] = {
    {"toxiproxy-server", proxy_cmd_main},
    {"toxiproxy-cli", toxi_cmd_main},
};

static int print_commands(void)
{
    printf("Usage: memchaos [COMMAND] [flags]\n\nCommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        printf("  %-12s %s\n", commands[i].name, commands[i].help);
    printf("\nSee memchaos COMMAND -help, and memchaos -help for the flags of run.\n");
    return EXIT_CODE_PASSED;
}

static int unknown_command(const char *word)
{
    struct suggest nearest = suggest_start(word);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        suggest_offer(&nearest, commands[i].name);
    fprintf(stderr, "memchaos: unknown command \"%s\"", word);
    if (nearest.best != NULL)
        fprintf(stderr, "; did you mean \"%s\"?", nearest.best);
    fprintf(stderr, "\nSee memchaos help\n");
    return EXIT_CODE_USAGE;
}

int main(int argc, char **argv)
{
    setvbuf(stderr, NULL, _IOLBF, 0); /* live lines are printed in parts and appear whole */
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (strcmp(program, programs[i].name) == 0)
            return programs[i].main(argc, argv);
    /* toxiproxy-cli's aliases, and its way to name the server in front of the command. */
    if (toxi_cmd_is_meant(argc, argv))
        return toxi_cmd_main(argc, argv);
    if (argc < 2 || argv[1][0] == '-')
        return run_cmd_main(argc, argv);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        int skipped = commands[i].argv0 == ARGV0_COMMAND ? 1 : 0;
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].main(argc - skipped, argv + skipped);
    }
    return strcmp(argv[1], "help") == 0 ? print_commands() : unknown_command(argv[1]);
}
