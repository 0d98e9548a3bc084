/* SPDX-License-Identifier: MIT */
#include "report/file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".tmp";

static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* The folder part of `path`, "." when it has none. */
static void folder_of(const char *path, char folder[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(folder, PATH_MAX, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

int report_file_check(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    struct stat st;
    if (path[0] == '\0')
        return err_set(err, "the name of the file is missing");
    if (strlen(path) + sizeof(suffix) > PATH_MAX)
        return err_set(err, "%.80s...: %s", path, strerror(ENAMETOOLONG));
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, "%.300s is a directory", path);
    if (is_special(path))
        return access(path, W_OK) == 0 ? 0 : err_set(err, "%.300s: %s", path, strerror(errno));
    folder_of(path, folder);
    if (stat(folder, &st) < 0)
        return err_set(err, "%.300s: directory %.100s: %s", path, folder, strerror(errno));
    if (access(folder, W_OK | X_OK) < 0)
        return err_set(err, "%.300s: no file can be made in %.100s: %s", path, folder,
                       strerror(errno));
    return 0;
}

/* Returns 0, or -1 with errno; closes the stream. */
static int write_and_close(FILE *out, bool sync, int (*write)(FILE *out, void *arg), void *arg)
{
    errno = 0;
    bool ok = write(out, arg) == 0 && fflush(out) == 0 && !ferror(out);
    ok = ok && (!sync || fsync(fileno(out)) == 0);
    int reason = errno;
    if (fclose(out) != 0 && ok) {
        reason = errno;
        ok = false;
    }
    errno = reason != 0 ? reason : EIO;
    return ok ? 0 : -1;
}

int report_file_write(const char *path, enum file_safety safety, int (*write)(FILE *out, void *arg),
                      void *arg, struct err *err)
{
    char name[PATH_MAX];
    bool special = is_special(path);
    int length = snprintf(name, sizeof(name), "%s%s", path, special ? "" : suffix);
    if (length >= (int)sizeof(name))
        return err_set(err, "%.80s...: %s", path, strerror(ENAMETOOLONG));
    FILE *out = fopen(name, "we");
    if (!out)
        return err_set(err, "cannot write %.300s: %s", path, strerror(errno));
    if (write_and_close(out, !special && safety == FILE_SURVIVES_POWER, write, arg) == 0 &&
        (special || rename(name, path) == 0))
        return 0;
    int reason = errno;
    if (!special)
        unlink(name);
    return err_set(err, "cannot write %.300s: %s", path, strerror(reason));
}
