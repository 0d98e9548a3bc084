/* SPDX-License-Identifier: MIT */
#ifndef CLI_CALIBRATE_CMD_H
#define CLI_CALIBRATE_CMD_H

/* `memchaos calibrate`: the highest rate that holds within a latency bound. */
int calibrate_cmd_main(int argc, char **argv);

#endif
