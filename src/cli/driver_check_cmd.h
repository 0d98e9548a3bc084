/* SPDX-License-Identifier: MIT */
/* `memchaos driver-check COMMAND`: what is wrong with a driver program. */
#ifndef CLI_DRIVER_CHECK_CMD_H
#define CLI_DRIVER_CHECK_CMD_H

/* Returns an exit code. */
int driver_check_cmd_main(int argc, char **argv);

#endif
