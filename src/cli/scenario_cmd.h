/* SPDX-License-Identifier: MIT */
#ifndef CLI_SCENARIO_CMD_H
#define CLI_SCENARIO_CMD_H

/* memchaos check FILE...: every error of every file. Returns the exit code. */
int scenario_check_main(int argc, char **argv);

/* memchaos show NAME|FILE: the resolved plan. Returns the exit code. */
int scenario_show_main(int argc, char **argv);

/* memchaos schema: the JSON schema of a scenario file. Returns the exit code. */
int scenario_schema_main(int argc, char **argv);

#endif
