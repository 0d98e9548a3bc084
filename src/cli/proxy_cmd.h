/* SPDX-License-Identifier: MIT */
/* The subcommand that serves the fault-injecting proxy alone, with the flags of toxiproxy-server.
 */
#ifndef CLI_PROXY_CMD_H
#define CLI_PROXY_CMD_H

/* argv[0] is the name shown in the usage. Returns the exit code. */
int proxy_cmd_main(int argc, char **argv);

#endif
