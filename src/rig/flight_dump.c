/* SPDX-License-Identifier: MIT */
#include "rig/flight_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Several files of one run within a second. */
#define SAME_NAME_MAX 100

/* Opens a file that did not exist. */
static int open_new(const char *dir, unsigned run, char path[static FLIGHT_PATH_SIZE])
{
    time_t now = time(NULL);
    struct tm tm;
    char when[32] = "";
    if (gmtime_r(&now, &tm) != NULL)
        strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm);
    int fd = -1;
    errno = EEXIST;
    for (int i = 1; i <= SAME_NAME_MAX && fd < 0 && errno == EEXIST; i++) {
        char more[16] = "";
        if (i > 1)
            snprintf(more, sizeof more, "-%d", i);
        snprintf(path, FLIGHT_PATH_SIZE, "%s/memchaos-flight-%s-%u%s.mcf",
                 dir[0] != '\0' ? dir : ".", when, run, more);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    return fd;
}

static void put_head(FILE *out, const struct flight_dump *dump, size_t count)
{
    char text[OP_FILE_TEXT_MAX];
    unsigned char bytes[OP_FILE_HEADER_BYTES];
    struct op_file_header header = dump->header;
    int n = snprintf(text, sizeof text, "reason: %.500s\noperations: %zu\n%s", dump->reason, count,
                     dump->text);
    header.kind = OP_FILE_FLIGHT;
    header.text_bytes = (uint32_t)(n < OP_FILE_TEXT_MAX ? n : OP_FILE_TEXT_MAX - 1);
    op_file_header_encode(&header, bytes);
    fwrite(bytes, sizeof bytes, 1, out);
    fwrite(text, header.text_bytes, 1, out);
}

static int put_all(int fd, const struct flight_dump *dump)
{
    size_t count;
    struct op_record *list = flight_snapshot(dump->flight, &count);
    FILE *out = list != NULL ? fdopen(fd, "w") : NULL;
    if (out == NULL) {
        free(list);
        close(fd);
        return -1;
    }
    put_head(out, dump, count);
    for (size_t i = 0; i < count; i++) {
        unsigned char bytes[OP_RECORD_BYTES];
        op_record_encode(&list[i], bytes);
        fwrite(bytes, sizeof bytes, 1, out);
    }
    free(list);
    int failed = ferror(out);
    return fclose(out) != 0 || failed ? -1 : 0;
}

int flight_dump_write(struct flight_files *files, const struct flight_dump *dump,
                      char path[static FLIGHT_PATH_SIZE], struct err *err)
{
    if (files->written >= FLIGHT_FILES_MAX)
        return 0;
    int fd = open_new(files->dir, dump->run, path);
    if (fd < 0)
        return err_set(err, "cannot write the flight recording %s: %s", path, strerror(errno));
    if (put_all(fd, dump) != 0) {
        err_set(err, "cannot write the flight recording %s: %s", path, strerror(errno));
        unlink(path);
        return -1;
    }
    files->written++;
    return 1;
}
