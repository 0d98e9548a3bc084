/* SPDX-License-Identifier: MIT */
/* `memchaos flight` and `memchaos oplog`: show what those files hold. */
#ifndef CLI_RECORD_CMD_H
#define CLI_RECORD_CMD_H

int flight_cmd_main(int argc, char **argv);
int oplog_cmd_main(int argc, char **argv);

#endif
