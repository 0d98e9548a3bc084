/* SPDX-License-Identifier: MIT */
/* Writes what the flight recorder holds to files: memchaos-flight-<time>-<run>.mcf. */
#ifndef RIG_FLIGHT_DUMP_H
#define RIG_FLIGHT_DUMP_H

#include "metrics/flight.h"

/* Files of one session; later ones are not written. */
#define FLIGHT_FILES_MAX 16
#define FLIGHT_PATH_SIZE 512

/* Of a session. */
struct flight_files {
    const char *dir; /* "" or "." = the current one; borrowed */
    unsigned ring;   /* operations per worker; 0 = no flight recorder */
    unsigned written;
};

struct flight_dump {
    struct flight *flight;
    const char *reason; /* "wrong data" */
    const char *text;   /* more lines of "key: value" for the file */
    struct op_file_header header;
    unsigned run;
};

/* Returns 1 with the path of the new file, 0 when there are FLIGHT_FILES_MAX already, -1 when it
 * could not be written. */
int flight_dump_write(struct flight_files *files, const struct flight_dump *dump,
                      char path[static FLIGHT_PATH_SIZE], struct err *err);

#endif
