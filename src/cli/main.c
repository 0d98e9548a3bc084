/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/exit_code.h"
#include "cli/proxy_cmd.h"
#include "cli/run_cmd.h"

/* Commands beside the main one, which needs no name. argv[0] is the command's name. */
static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"run", run_cmd_main},
    {"proxy", proxy_cmd_main},
};

int main(int argc, char **argv)
{
    setvbuf(stderr, NULL, _IOLBF, 0); /* live lines are printed in parts and appear whole */
    if (argc < 2 || argv[1][0] == '-')
        return run_cmd_main(argc, argv);
    struct suggest nearest = suggest_start(argv[1]);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
        suggest_offer(&nearest, commands[i].name);
    }
    fprintf(stderr, "memchaos: unknown command \"%s\"", argv[1]);
    if (nearest.best != NULL)
        fprintf(stderr, "; did you mean \"%s\"?", nearest.best);
    fprintf(stderr, "\nSee memchaos -help\n");
    return EXIT_CODE_USAGE;
}
