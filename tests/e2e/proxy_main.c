/* SPDX-License-Identifier: MIT */
/* The proxy subcommand as a program of its own, so that its tests need nothing else. */
#include "cli/proxy_cmd.h"

int main(int argc, char **argv)
{
    return proxy_cmd_main(argc, argv);
}
