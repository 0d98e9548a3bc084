/* SPDX-License-Identifier: MIT */
#include "node/control.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/dial.h"
#include "node/process.h"

#define ASK_TIMEOUT NS_PER_SEC
#define ANSWER_BYTES_MAX (64u * 1024)

static int send_signal(const struct node *node, int number, struct err *err)
{
    if (node->pid == 0 || kill(node->pid, number) == 0)
        return 0;
    return err_set(err, "cannot send %s to %s: %s", strsignal(number), node->name, strerror(errno));
}

int node_pause(struct node *node, struct err *err)
{
    return node->stop_holds++ > 0 ? 0 : send_signal(node, SIGSTOP, err);
}

int node_resume(struct node *node, struct err *err)
{
    if (node->stop_holds == 0 || --node->stop_holds > 0)
        return 0;
    return send_signal(node, SIGCONT, err);
}

int node_kill(struct node *node, struct err *err)
{
    if (node->kill_holds == 0 && node_check(node, err) != 0)
        return -1;
    if (node->kill_holds++ == 0)
        node_stop(node);
    return 0;
}

static bool is_served(int fd, ns_t deadline)
{
    char answer[64];
    return dial_send(fd, "mn\r\n", deadline) == 0 &&
           dial_read_until(fd, answer, sizeof answer, "\r\n", deadline) == 0 &&
           strcmp(answer, "MN\r\n") == 0;
}

#define LIMITED_TRIES 5

/* With few connections to give, the first must be ours, for questions; clients race for it too. */
static int start_limited(struct node *node, struct err *err)
{
    for (int i = 0; i < LIMITED_TRIES; i++) {
        if (node_spawn(node, err) != 0 || node_wait(node, false, &node->control_fd, err) != 0)
            return -1;
        if (is_served(node->control_fd, ns_now() + ASK_TIMEOUT))
            return 0;
        node_stop(node);
    }
    return err_set(err, "%s: other clients took all of its connections", node->name);
}

static int start_usual(struct node *node, struct err *err)
{
    bool stopped = node->stop_holds > 0; /* then it shall not get to answer */
    if (node_spawn(node, err) != 0 || node_wait(node, !stopped, NULL, err) != 0)
        return -1;
    return stopped ? send_signal(node, SIGSTOP, err) : 0;
}

static int start_again(struct node *node, struct err *err)
{
    bool limited = node->limits.connections_max != 0 && node->stop_holds == 0;
    int rc = limited ? start_limited(node, err) : start_usual(node, err);
    return rc == 0 ? 0 : err_prefix(err, "cannot start it again");
}

int node_revive(struct node *node, struct err *err)
{
    if (node->kill_holds == 0 || --node->kill_holds > 0)
        return 0;
    return start_again(node, err);
}

int node_restart(struct node *node, struct err *err)
{
    if (node->kill_holds > 0)
        return 0;
    if (node_check(node, err) != 0)
        return -1;
    node_stop(node);
    return start_again(node, err);
}

int node_restart_paused(struct node *node, struct err *err)
{
    node->stop_holds++;
    return node_restart(node, err);
}

struct node_limits *node_limits(struct node *node)
{
    return &node->limits;
}

/* One question on the connection that is held for it, or on a new one. */
static int ask(const struct node *node, const char *request, const char *end, char *answer,
               size_t size, struct err *err)
{
    ns_t deadline = ns_now() + ASK_TIMEOUT;
    int fd = node->control_fd >= 0 ? node->control_fd : dial_connect(node->address, deadline, err);
    if (fd < 0)
        return -1;
    int rc = 0;
    if (dial_send(fd, request, deadline) != 0 ||
        dial_read_until(fd, answer, size, end, deadline) != 0)
        rc = err_set(err, "%s does not answer: %s", node->name, strerror(errno));
    if (fd != node->control_fd)
        close(fd);
    return rc;
}

int node_flush(struct node *node, struct err *err)
{
    char answer[256];
    if (ask(node, "flush_all\r\n", "\r\n", answer, sizeof answer, err) != 0)
        return -1;
    if (strcmp(answer, "OK\r\n") == 0)
        return 0;
    return err_set(err, "%s: flush_all was answered with %.100s", node->name, answer);
}

/* "STAT name value" or "STAT items:4:name value": the sum over all lines of that name. */
static uint64_t stat_sum(const char *answer, const char *name)
{
    uint64_t sum = 0;
    size_t length = strlen(name);
    for (const char *p = answer; (p = strstr(p, name)) != NULL; p += length)
        if ((p[-1] == ' ' || p[-1] == ':') && p[length] == ' ')
            sum += strtoull(p + length, NULL, 10);
    return sum;
}

int node_counters(struct node *node, struct node_counters *out, struct err *err)
{
    *out = (struct node_counters){0};
    char *answer = malloc(2 * ANSWER_BYTES_MAX);
    if (answer == NULL)
        return err_set(err, "out of memory");
    char *items = answer + ANSWER_BYTES_MAX;
    int rc = ask(node, "stats\r\n", "END\r\n", answer, ANSWER_BYTES_MAX, err);
    if (rc == 0)
        rc = ask(node, "stats items\r\n", "END\r\n", items, ANSWER_BYTES_MAX, err);
    if (rc == 0)
        *out = (struct node_counters){
            .items = stat_sum(answer, "curr_items"),
            .evictions = stat_sum(answer, "evictions"),
            .connections_rejected = stat_sum(answer, "rejected_connections"),
            .stores_refused = stat_sum(items, "outofmemory"),
        };
    free(answer);
    return rc;
}

#define RESERVE_TRIAL 64u /* -c of the trial; more than any reserve */

/* Opens connections until one is refused; how many were served. */
static unsigned count_served(const struct node *node, ns_t deadline)
{
    int fds[RESERVE_TRIAL];
    unsigned served = 0, opened = 0;
    while (opened < RESERVE_TRIAL) {
        int fd = dial_connect(node->address, deadline, NULL);
        if (fd < 0)
            break;
        fds[opened++] = fd;
        if (!is_served(fd, deadline))
            break;
        served++;
    }
    for (unsigned i = 0; i < opened; i++)
        close(fds[i]);
    return served;
}

int node_connection_reserve(const struct node *node, unsigned *out, struct err *err)
{
    struct node_config config = node->config;
    config.name = "a trial process";
    config.program = node->program;
    config.connections_max = RESERVE_TRIAL;
    struct rng rng = rng_seeded((uint64_t)ns_now());
    struct node *trial;
    if (node_start(&config, &rng, &trial, err) != 0)
        return -1;
    unsigned served = count_served(trial, ns_now() + ASK_TIMEOUT);
    node_free(trial);
    if (served == 0 || served >= RESERVE_TRIAL)
        return err_set(err, "memcached -c %u served %u connections", RESERVE_TRIAL, served);
    *out = RESERVE_TRIAL - served;
    return 0;
}

#define TCP_LINE_MAX 512
enum { TCP_STATE_ESTABLISHED = 1, TCP_STATE_LISTEN = 10 }; /* as /proc writes them */

void node_sockets(const struct node *node, struct node_sockets *out)
{
    *out = (struct node_sockets){0};
    FILE *file = fopen("/proc/self/net/tcp", "re");
    char line[TCP_LINE_MAX];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned port, state;
        unsigned long unread;
        if (sscanf(line, "%*s %*8[0-9A-F]:%x %*[0-9A-F:] %x %*x:%lx", &port, &state, &unread) !=
                3 ||
            port != node->port)
            continue;
        if (state == TCP_STATE_LISTEN)
            continue; /* what it has not accepted has lines of its own */
        out->established += state == TCP_STATE_ESTABLISHED;
        out->waiting += unread > 0;
        out->unread_bytes += unread;
    }
    if (file != NULL)
        fclose(file);
}
