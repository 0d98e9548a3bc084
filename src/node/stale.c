/* SPDX-License-Identifier: MIT */
#include "node/stale.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/process.h"

#define ENVIRON_BYTES_MAX (64u * 1024) /* a mark behind that is not seen */

/* When a process was started, in clock ticks since boot: with the pid its name for ever. 0 = there
 * is none, or it is a zombie. */
static unsigned long long start_time(long pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *p = strrchr(text, ')'); /* the name before it may hold anything */
    char state = '\0';
    unsigned long long start = 0;
    if (p == NULL ||
        sscanf(p + 1,
               " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%llu",
               &state, &start) != 2 ||
        state == 'Z')
        return 0;
    return start;
}

void stale_mark(char *text, size_t size)
{
    snprintf(text, size, NODE_OWNER_VARIABLE "=%ld:%llu", (long)getpid(), start_time(getpid()));
}

/* Finds the mark in the environment of a process; false when there is none or it is not ours. */
static bool read_mark(long pid, char *environment, const char **mark)
{
    static const char name[] = NODE_OWNER_VARIABLE "=";
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, environment, ENVIRON_BYTES_MAX);
    close(fd);
    if (length <= 0)
        return false;
    environment[length] = '\0';
    for (const char *p = environment; p < environment + length; p += strlen(p) + 1) {
        if (strncmp(p, name, sizeof name - 1) == 0) {
            *mark = p + sizeof name - 1;
            return true;
        }
    }
    return false;
}

/* Whether process numbers mean the same to it and to us: a container has its own. */
static bool same_numbers(long pid)
{
    char path[64];
    struct stat ours, theirs;
    snprintf(path, sizeof path, "/proc/%ld/ns/pid", pid);
    return stat("/proc/self/ns/pid", &ours) == 0 && stat(path, &theirs) == 0 &&
           ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

static bool owner_lives(const char *mark)
{
    long pid;
    unsigned long long start;
    return sscanf(mark, "%ld:%llu", &pid, &start) == 2 && start_time(pid) == start;
}

size_t stale_kill(void (*found)(void *arg, int pid, const char *mark), void *arg)
{
    DIR *proc = opendir("/proc");
    char *environment = malloc(ENVIRON_BYTES_MAX + 1);
    size_t count = 0;
    for (struct dirent *entry; proc != NULL && environment != NULL && (entry = readdir(proc));) {
        char *end;
        const char *mark;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end != '\0' || pid <= 1 || pid == getpid() || !read_mark(pid, environment, &mark) ||
            !same_numbers(pid) || owner_lives(mark) || start_time(pid) == 0)
            continue;
        if (kill((pid_t)pid, SIGKILL) != 0)
            continue;
        count++;
        if (found != NULL)
            found(arg, (int)pid, mark);
    }
    free(environment);
    if (proc != NULL)
        closedir(proc);
    return count;
}
