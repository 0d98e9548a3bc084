/* SPDX-License-Identifier: MIT */
/* The commands of toxiproxy-cli as commands of memchaos. */
#ifndef CLI_TOXI_CMD_H
#define CLI_TOXI_CMD_H

#include <stdbool.h>

/*
 * Runs "[-host URL] list|inspect|create|... [flags] [NAME]": argv[0] is the program, whose name is
 * shown in help and hints. Returns the exit code.
 */
int toxi_cmd_main(int argc, char **argv);

/* Whether toxi_cmd_main() is meant: argv[1] is one of its commands, or its -host with one behind.
 */
bool toxi_cmd_is_meant(int argc, char **argv);

#endif
