/* SPDX-License-Identifier: MIT */
/* `memchaos compare A.json B.json`: do two sessions differ beyond their noise? */
#ifndef CLI_COMPARE_CMD_H
#define CLI_COMPARE_CMD_H

int compare_cmd_main(int argc, char **argv);

#endif
