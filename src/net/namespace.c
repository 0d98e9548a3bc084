/* SPDX-License-Identifier: MIT */
#include "net/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/rules.h"
#include "net/tool.h"

static int write_file(const char *path, const char *text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t length = strlen(text);
    ssize_t n = fd >= 0 ? write(fd, text, length) : -1;
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (n == (ssize_t)length)
        return 0;
    return err_set(err, "cannot write %s: %s", path, strerror(reason));
}

static int enter_user_namespace(struct err *err)
{
    char uid_map[64], gid_map[64];
    snprintf(uid_map, sizeof uid_map, "0 %ld 1", (long)geteuid());
    snprintf(gid_map, sizeof gid_map, "0 %ld 1", (long)getegid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return err_set(err, "no private network namespace may be created here (unshare: %s)",
                       strerror(errno));
    if (write_file("/proc/self/setgroups", "deny", err) != 0 ||
        write_file("/proc/self/uid_map", uid_map, err) != 0 ||
        write_file("/proc/self/gid_map", gid_map, err) != 0)
        return err_prefix(err, "no private network namespace");
    return 0;
}

int net_enter(bool *new_accounts, struct err *err)
{
    /* One segment is one packet: an Ethernet's MTU, and no large segments for a card to cut. */
    static const char *const up[] = {"ip",  "link", "set",          "lo", "up",
                                     "mtu", "1500", "gso_max_segs", "1",  NULL};
    *new_accounts = geteuid() != 0 || unshare(CLONE_NEWNET) != 0;
    if (*new_accounts && enter_user_namespace(err) != 0)
        return -1;
    return tool_run(up, NULL, NULL, 0, err);
}

static void try_all(struct net_support *out)
{
    struct err err = {""};
    bool new_accounts;
    if (net_enter(&new_accounts, &err) != 0 || rules_try_loss(&err) != 0)
        snprintf(out->loss_missing, sizeof out->loss_missing, "%.255s", err.text);
    err.text[0] = '\0';
    if (out->loss_missing[0] != '\0')
        memcpy(out->netem_missing, out->loss_missing, sizeof out->netem_missing);
    else if (rules_try_netem(&err) != 0)
        snprintf(out->netem_missing, sizeof out->netem_missing, "%.255s", err.text);
}

void net_probe(struct net_support *out)
{
    static const char none[] = "the attempt to create a network namespace did not end";
    *out = (struct net_support){{0}, {0}};
    struct net_support *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memcpy(out->loss_missing, none, sizeof none);
    memcpy(out->netem_missing, none, sizeof none);
    if (shared == MAP_FAILED)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        try_all(shared);
        _exit(0);
    }
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        *out = *shared;
    munmap(shared, sizeof *shared);
}
