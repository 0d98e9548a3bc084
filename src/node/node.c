/* SPDX-License-Identifier: MIT */
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/dial.h"
#include "node/port.h"
#include "node/probe.h"
#include "node/process.h"
#include "node/stale.h"

#define START_TRIES 10                  /* ports that somebody else took in between */
#define READY_TIMEOUT (5 * NS_PER_SEC)  /* from spawn to MN */
#define READY_PERIOD (10 * NS_PER_MS)   /* between two probes */
#define ACCEPT_PERIOD (200 * NS_PER_US) /* the same, when it is to be caught early */
#define OUTPUT_TAIL 300                 /* bytes of its output that an error message quotes */

int node_find_program(char *path, size_t size, struct err *err)
{
    const char *list = getenv("PATH");
    for (const char *p = list != NULL ? list : "/usr/bin:/bin"; *p != '\0';) {
        size_t length = strcspn(p, ":");
        int n = snprintf(path, size, "%.*s/memcached", (int)length, length > 0 ? p : ".");
        if (n > 0 && (size_t)n < size && access(path, X_OK) == 0)
            return 0;
        p += length + (p[length] == ':');
    }
    return err_set(err, "memcached is not installed (not found in PATH); "
                        "install it with: apt-get install memcached");
}

/* The account to run under when we are root, which memcached refuses to stay. */
struct account {
    bool change;
    uid_t uid;
    gid_t gid;
};

static struct account find_account(const struct node_config *config)
{
    static const char *const users[] = {"memcache", "nobody"};
    if (geteuid() != 0 || config->keep_account)
        return (struct account){0};
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        const struct passwd *pw = getpwnam(users[i]);
        if (pw != NULL)
            return (struct account){.change = true, .uid = pw->pw_uid, .gid = pw->pw_gid};
    }
    return (struct account){0};
}

/*
 * In the child, between fork and exec: async-signal-safe calls only. The account changes before the
 * parent-death signal is asked for, because a change of credentials clears that request. Raw system
 * calls, since the library's versions talk to threads that do not exist here.
 */
static void child_exec(const char *program, const char *const argv[], char *const envp[],
                       int output_fd, pid_t parent, struct account account)
{
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(output_fd, 1) < 0 || dup2(output_fd, 2) < 0)
        _exit(126);
    /* Nothing of ours, whoever opened it: memcached counts -c by descriptor numbers. */
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (account.change) {
        syscall(SYS_setgroups, 0, NULL);
        if (syscall(SYS_setresgid, account.gid, account.gid, account.gid) != 0 ||
            syscall(SYS_setresuid, account.uid, account.uid, account.uid) != 0) {
            dprintf(2, "cannot drop root: %s\n", strerror(errno));
            _exit(126);
        }
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(126);
    execve(program, (char *const *)argv, envp);
    dprintf(2, "cannot execute %s: %s\n", program, strerror(errno));
    _exit(127);
}

/* The environment with the mark of the owner; to be freed. NULL without memory. */
static char **child_environment(const char *mark)
{
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **list = calloc(count + 2, sizeof *list);
    if (list == NULL)
        return NULL;
    memcpy(list, environ, count * sizeof *list);
    list[count] = (char *)mark;
    return list;
}

#define ARGS_MAX 24

/* The command line, ended with NULL; `numbers` holds the texts of its numbers. */
static void child_arguments(const struct node *node, bool stay_root,
                            const char *argv[static ARGS_MAX], char numbers[5][16])
{
    const struct node_limits *less = &node->limits;
    const unsigned values[5] = {
        node->port,
        less->memory_mb != 0 ? less->memory_mb : node->config.memory_mb,
        less->connections_max != 0 ? less->connections_max : node->config.connections_max,
        node->config.threads,
        less->item_bytes_min,
    };
    for (int i = 0; i < 5; i++)
        snprintf(numbers[i], 16, "%u", values[i]);
    const char *const fixed[] = {"memcached", "-l", "127.0.0.1", "-p", numbers[0], "-U", "0", "-m",
                                 numbers[1],  "-c", numbers[2],  "-t", numbers[3]};
    size_t n = sizeof fixed / sizeof fixed[0];
    memcpy(argv, fixed, sizeof fixed);
    if (less->item_bytes_min != 0) {
        argv[n++] = "-n";
        argv[n++] = numbers[4];
    }
    if (less->no_eviction)
        argv[n++] = "-M";
    if (stay_root) {
        argv[n++] = "-u";
        argv[n++] = "root";
    }
    argv[n] = NULL;
}

int node_spawn(struct node *node, struct err *err)
{
    struct account account = find_account(&node->config);
    const char *argv[ARGS_MAX];
    char numbers[5][16], mark[80];
    child_arguments(node, geteuid() == 0 && !account.change, argv, numbers);
    if (ftruncate(node->output_fd, 0) != 0 || lseek(node->output_fd, 0, SEEK_SET) != 0)
        return err_set(err, "%s: cannot reset its output: %s", node->name, strerror(errno));
    pid_t parent = getpid();
    stale_mark(mark, sizeof mark);
    char **envp = child_environment(mark);
    if (envp == NULL)
        return err_set(err, "%s: out of memory", node->name);
    pid_t pid = fork();
    if (pid == 0)
        child_exec(node->program, argv, envp, node->output_fd, parent, account);
    int reason = errno;
    free(envp);
    if (pid < 0)
        return err_set(err, "%s: cannot fork: %s", node->name, strerror(reason));
    node->pid = pid;
    return 0;
}

/* The end of what the process printed, on one line. */
static void output_tail(const struct node *node, char *text, size_t size)
{
    struct stat st;
    off_t end = fstat(node->output_fd, &st) == 0 ? st.st_size : 0;
    off_t start = end > (off_t)size - 1 ? end - (off_t)(size - 1) : 0;
    ssize_t n = pread(node->output_fd, text, size - 1, start);
    if (n < 0)
        n = 0;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n] = '\0';
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\n')
            *p = '|';
}

static int describe_end(const struct node *node, struct err *err)
{
    char tail[OUTPUT_TAIL], how[64];
    output_tail(node, tail, sizeof tail);
    if (WIFSIGNALED(node->status))
        snprintf(how, sizeof how, "was killed by signal %d (%s)", WTERMSIG(node->status),
                 strsignal(WTERMSIG(node->status)));
    else
        snprintf(how, sizeof how, "exited with status %d", WEXITSTATUS(node->status));
    return err_set(err, "%s (memcached on %s) %s%s%s", node->name, node->address, how,
                   tail[0] ? "; it printed: " : "; it printed nothing", tail);
}

int node_check(struct node *node, struct err *err)
{
    if (node->kill_holds > 0)
        return 0;
    if (node->pid != 0) {
        pid_t pid = waitpid(node->pid, &node->status, WNOHANG);
        if (pid == 0 || (pid < 0 && errno == EINTR))
            return 0;
        node->pid = 0;
    }
    return describe_end(node, err);
}

static void sleep_for(ns_t duration)
{
    struct timespec ts = ns_to_timespec(duration);
    nanosleep(&ts, NULL);
}

/* A cache has nothing to save, and memcached takes up to a second to notice SIGTERM. */
void node_stop(struct node *node)
{
    if (node->control_fd >= 0)
        close(node->control_fd);
    node->control_fd = -1;
    if (node->pid == 0)
        return;
    kill(node->pid, SIGKILL);
    while (waitpid(node->pid, &node->status, 0) < 0 && errno == EINTR)
        continue;
    node->pid = 0;
}

static int accepts(const struct node *node, ns_t deadline, int *out, struct err *err)
{
    int fd = dial_connect(node->address, deadline, err);
    if (fd < 0)
        return -1;
    if (out != NULL)
        *out = fd;
    else
        close(fd);
    return 0;
}

int node_wait(struct node *node, bool answers, int *fd, struct err *err)
{
    ns_t deadline = ns_now() + READY_TIMEOUT;
    struct err last = {""};
    while (ns_now() < deadline) {
        if (node_check(node, err) != 0)
            return -1;
        int rc = answers ? node_probe(node->address, deadline, node->version, sizeof node->version,
                                      &last)
                         : accepts(node, deadline, fd, &last);
        if (rc == 0)
            return 0;
        sleep_for(answers ? READY_PERIOD : ACCEPT_PERIOD);
    }
    char tail[OUTPUT_TAIL];
    output_tail(node, tail, sizeof tail);
    return err_set(err, "%s is not ready after 5 s: %.200s%s%.200s", node->name, last.text,
                   tail[0] ? "; it printed: " : "", tail);
}

/* One attempt on one port; *busy tells that the process died at once, as it does when the port is
 * taken. */
static int start_once(struct node *node, struct rng *rng, bool *busy, struct err *err)
{
    *busy = false;
    node->port = node_free_port(rng, err);
    if (node->port == 0)
        return -1;
    snprintf(node->address, sizeof node->address, "127.0.0.1:%u", (unsigned)node->port);
    if (node_spawn(node, err) != 0)
        return -1;
    if (node_wait(node, true, NULL, err) == 0)
        return 0;
    char tail[OUTPUT_TAIL];
    output_tail(node, tail, sizeof tail);
    *busy = node->pid == 0 && strstr(tail, "Address already in use") != NULL;
    node_stop(node);
    return -1;
}

int node_start(const struct node_config *config, struct rng *rng, struct node **out,
               struct err *err)
{
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return err_set(err, "%s: out of memory", config->name);
    node->config = *config;
    node->control_fd = -1;
    snprintf(node->name, sizeof node->name, "%s", config->name);
    snprintf(node->program, sizeof node->program, "%s", config->program);
    node->output_fd = memfd_create("memcached-output", MFD_CLOEXEC);
    if (node->output_fd < 0) {
        free(node);
        return err_set(err, "%s: cannot create a buffer for its output: %s", config->name,
                       strerror(errno));
    }
    bool busy = true;
    for (int i = 0; i < START_TRIES && busy; i++) {
        if (start_once(node, rng, &busy, err) == 0) {
            *out = node;
            return 0;
        }
    }
    node_free(node);
    return -1;
}

void node_free(struct node *node)
{
    if (node == NULL)
        return;
    node_stop(node);
    close(node->output_fd);
    free(node);
}

const char *node_name(const struct node *node)
{
    return node->name;
}

const char *node_address(const struct node *node)
{
    return node->address;
}

const char *node_version(const struct node *node)
{
    return node->version;
}

pid_t node_pid(const struct node *node)
{
    return node->pid;
}
