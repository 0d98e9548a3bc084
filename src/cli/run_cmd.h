/* SPDX-License-Identifier: MIT */
#ifndef CLI_RUN_CMD_H
#define CLI_RUN_CMD_H

/* The main command: nodes, proxies, load, scenarios, verdict. Returns the exit code. */
int run_cmd_main(int argc, char **argv);

#endif
