/* SPDX-License-Identifier: MIT */
#include "net/tool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"

#define TOOL_TIMEOUT (5 * NS_PER_SEC)
#define PATH_MORE ":/usr/sbin:/sbin" /* where an ordinary user's PATH does not look */

static bool find_program(const char *name, char *path, size_t size)
{
    char list[4096];
    const char *own = getenv("PATH");
    snprintf(list, sizeof list, "%.4000s" PATH_MORE, own != NULL ? own : "/usr/bin:/bin");
    for (const char *p = list; *p != '\0';) {
        size_t length = strcspn(p, ":");
        int n = snprintf(path, size, "%.*s/%s", (int)length, p, name);
        if (length > 0 && n > 0 && (size_t)n < size && access(path, X_OK) == 0)
            return true;
        p += length + (p[length] == ':');
    }
    return false;
}

/* A file in memory that holds `text`, to be read from its start; -1 on failure. */
static int text_file(const char *text)
{
    int fd = memfd_create("tool-input", MFD_CLOEXEC);
    size_t length = text != NULL ? strlen(text) : 0;
    if (fd >= 0 && (write(fd, text != NULL ? text : "", length) != (ssize_t)length ||
                    lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* In the child: async-signal-safe calls only. It dies with us. */
static void child_run(const char *path, const char *const argv[], int in, int out)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* a Ctrl-C is for us; the tool is short */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && dup2(in, 0) >= 0 && dup2(out, 1) >= 0 &&
        dup2(out, 2) >= 0)
        execv(path, (char *const *)argv);
    _exit(127);
}

/* Waits for the end of the child; false when it had to be killed. */
static bool wait_for_end(pid_t pid, int *status)
{
    ns_t deadline = ns_now() + TOOL_TIMEOUT;
    struct timespec pause = ns_to_timespec(NS_PER_MS);
    while (ns_now() < deadline) {
        pid_t done = waitpid(pid, status, WNOHANG);
        if (done == pid)
            return true;
        if (done < 0 && errno != EINTR)
            return false;
        nanosleep(&pause, NULL);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        continue;
    return false;
}

static void read_output(int fd, char *output, size_t size)
{
    ssize_t n = pread(fd, output, size - 1, 0);
    output[n > 0 ? n : 0] = '\0';
}

/* The first line that says something. */
static int describe_failure(const char *name, int fd, bool ended, struct err *err)
{
    char text[256];
    read_output(fd, text, sizeof text);
    text[strcspn(text, "\n")] = '\0';
    if (!ended)
        return err_set(err, "%s did not end within 5 s", name);
    return err_set(err, "%s failed: %s", name, text[0] != '\0' ? text : "it said nothing");
}

int tool_run(const char *const argv[], const char *input, char *output, size_t size,
             struct err *err)
{
    char path[512];
    if (!find_program(argv[0], path, sizeof path))
        return err_set(err, "the program %s is not installed", argv[0]);
    int in = text_file(input), out = text_file(NULL), status = 0;
    pid_t pid = in >= 0 && out >= 0 ? fork() : -1;
    if (pid == 0)
        child_run(path, argv, in, out);
    int rc = 0;
    if (pid < 0) {
        rc = err_set(err, "cannot run %s: %s", argv[0], strerror(errno));
    } else {
        bool ended = wait_for_end(pid, &status);
        if (!ended || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            rc = describe_failure(argv[0], out, ended, err);
        if (output != NULL)
            read_output(out, output, size);
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return rc;
}
