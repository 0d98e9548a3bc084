/* SPDX-License-Identifier: MIT */
#include "scenario/watchdog.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/apiclient.h"

#define CALL_TIMEOUT (2 * NS_PER_SEC) /* of one HTTP call */
#define RETRY_PERIOD NS_PER_SEC       /* after an overdue fault could not be undone */

enum message_kind {
    MESSAGE_SERVER,
    MESSAGE_PROXY_MADE,
    MESSAGE_PROXY_GONE,
    MESSAGE_ARM,
    MESSAGE_DISARM
};

/* Written and read as a whole: a pipe does not split what is smaller than PIPE_BUF. */
struct message {
    enum message_kind kind;
    bool foreign;
    size_t id;
    ns_t deadline;
    struct watchdog_order order;
    char text[512]; /* URL or name of a proxy */
};

static_assert(sizeof(struct message) <= PIPE_BUF, "a message is written at once");

struct watchdog {
    int fd;
    pid_t pid;
};

/* ---- the child ---- */

struct armed {
    ns_t deadline;
    struct watchdog_order order; /* WATCHDOG_NOTHING: not armed */
};

struct child {
    int fd;
    char url[512];
    bool foreign;
    char proxies[WATCHDOG_PROXIES_MAX][WATCHDOG_NAME_SIZE]; /* "" = free */
    struct armed faults[WATCHDOG_FAULTS_MAX];
};

static int undo_toxics(struct apiclient *api, const struct watchdog_order *order, struct err *err)
{
    for (int i = 0; i < 2; i++) {
        if (order->toxics[i][0] == '\0')
            continue;
        int rc = apiclient_toxic_remove(api, order->proxy, order->toxics[i], err);
        if (rc != APICLIENT_OK && rc != APICLIENT_NOT_FOUND)
            return -1;
    }
    return 0;
}

static int undo(struct apiclient *api, const struct watchdog_order *order, struct err *err)
{
    struct rules_hits hits;
    switch (order->kind) {
    case WATCHDOG_NOTHING: return 0;
    case WATCHDOG_TOXICS: return api != NULL ? undo_toxics(api, order, err) : 0;
    case WATCHDOG_PROXY:
        return api != NULL ? apiclient_set_enabled(api, order->proxy, true, err) : 0;
    case WATCHDOG_PROCESS: return order->pid > 0 ? kill(order->pid, SIGCONT) : 0;
    case WATCHDOG_DROP: return rules_drop_off(&order->rules, &hits, err);
    case WATCHDOG_NETEM: return rules_netem_off(&order->rules, &hits, err);
    }
    return 0;
}

static struct apiclient *open_api(const struct child *child)
{
    struct apiclient *api = NULL;
    struct apiclient_config config = {
        .url = child->url, .timeout_ns = CALL_TIMEOUT, .cancel_fd = -1};
    if (child->url[0] == '\0' || apiclient_new(&config, &api, NULL) != 0)
        return NULL;
    return api;
}

/* One place in the table: a proxy of that name, or a free one. */
static char *proxy_place(struct child *child, const char *name)
{
    for (size_t i = 0; i < WATCHDOG_PROXIES_MAX; i++)
        if (strcmp(child->proxies[i], name) == 0)
            return child->proxies[i];
    return NULL;
}

static void take_message(struct child *child, const struct message *m)
{
    char *place;
    switch (m->kind) {
    case MESSAGE_SERVER:
        memcpy(child->url, m->text, sizeof child->url);
        child->foreign = m->foreign;
        break;
    case MESSAGE_PROXY_MADE:
        place = proxy_place(child, "");
        if (place != NULL)
            memcpy(place, m->text, WATCHDOG_NAME_SIZE - 1);
        break;
    case MESSAGE_PROXY_GONE:
        place = proxy_place(child, m->text);
        if (place != NULL)
            place[0] = '\0';
        break;
    case MESSAGE_ARM:
        child->faults[m->id] = (struct armed){.deadline = m->deadline, .order = m->order};
        break;
    case MESSAGE_DISARM: child->faults[m->id].order.kind = WATCHDOG_NOTHING; break;
    }
}

/* The parent is dead. A foreign server is cleaned; all else has died with it. */
static void clean_up(struct child *child)
{
    struct apiclient *api = child->foreign ? open_api(child) : NULL;
    struct err err;
    if (api == NULL)
        return;
    for (size_t i = 0; i < WATCHDOG_FAULTS_MAX; i++)
        if (child->faults[i].order.kind <= WATCHDOG_PROXY)
            undo(api, &child->faults[i].order, &err);
    for (size_t i = 0; i < WATCHDOG_PROXIES_MAX; i++) {
        if (child->proxies[i][0] == '\0')
            continue;
        int rc = apiclient_delete(api, child->proxies[i], &err);
        if (rc == APICLIENT_UNREACHABLE || rc == APICLIENT_TIMEOUT)
            break; /* it is gone, and its proxies with it */
    }
    apiclient_free(api);
}

static void undo_overdue(struct child *child, ns_t now)
{
    struct apiclient *api = NULL;
    for (size_t i = 0; i < WATCHDOG_FAULTS_MAX; i++) {
        struct armed *a = &child->faults[i];
        struct err err = {""};
        if (a->order.kind == WATCHDOG_NOTHING || a->deadline > now)
            continue;
        if (api == NULL)
            api = open_api(child);
        if (undo(api, &a->order, &err) != 0) {
            a->deadline = ns_now() + RETRY_PERIOD;
            continue;
        }
        a->order.kind = WATCHDOG_NOTHING;
        dprintf(2, "memchaos watchdog: fault %zu was still on long after its end: undone\n", i + 1);
    }
    apiclient_free(api);
}

static ns_t next_deadline(const struct child *child)
{
    ns_t next = NS_NEVER;
    for (size_t i = 0; i < WATCHDOG_FAULTS_MAX; i++)
        if (child->faults[i].order.kind != WATCHDOG_NOTHING)
            next = ns_min(next, child->faults[i].deadline);
    return next;
}

/* Returns when the parent is dead. */
static void watch(struct child *child)
{
    for (;;) {
        ns_t next = next_deadline(child);
        struct timespec left = ns_to_timespec(ns_max(next - ns_now(), 0));
        struct pollfd pfd = {.fd = child->fd, .events = POLLIN};
        struct message message;
        if (ppoll(&pfd, 1, next == NS_NEVER ? NULL : &left, NULL) > 0) {
            ssize_t n = read(child->fd, &message, sizeof message);
            if (n == 0)
                return;
            if (n == (ssize_t)sizeof message)
                take_message(child, &message);
        }
        undo_overdue(child, ns_now());
    }
}

/* A process of its own: no Ctrl-C, no descriptors of the parent but the pipe and stderr. */
static void child_main(int fd)
{
    struct child *child = calloc(1, sizeof *child);
    int null_fd = open("/dev/null", O_RDWR);
    setsid();
    prctl(PR_SET_NAME, "memchaos-watch");
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (child == NULL || null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 ||
        dup2(fd, 3) < 0 || close_range(4, ~0u, 0) != 0)
        _exit(1);
    child->fd = 3;
    watch(child);
    clean_up(child);
    free(child);
    _exit(0);
}

/* ---- the parent ---- */

int watchdog_start(struct watchdog **out, struct err *err)
{
    int ends[2];
    struct watchdog *watchdog = calloc(1, sizeof *watchdog);
    if (watchdog == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        free(watchdog);
        return err_set(err, "cannot start the watchdog: %s", strerror(errno));
    }
    watchdog->fd = ends[1];
    watchdog->pid = fork();
    if (watchdog->pid == 0) {
        close(ends[1]);
        child_main(ends[0]);
    }
    close(ends[0]);
    if (watchdog->pid < 0) {
        close(ends[1]);
        free(watchdog);
        return err_set(err, "cannot start the watchdog: %s", strerror(errno));
    }
    *out = watchdog;
    return 0;
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (watchdog == NULL)
        return;
    close(watchdog->fd);
    while (waitpid(watchdog->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(watchdog);
}

/* A watchdog that was killed is no reason to stop: SIGPIPE is ignored by the program. */
static void tell(struct watchdog *watchdog, const struct message *message)
{
    if (watchdog == NULL)
        return;
    while (write(watchdog->fd, message, sizeof *message) < 0 && errno == EINTR)
        continue;
}

void watchdog_server(struct watchdog *watchdog, const char *url, bool foreign)
{
    struct message m = {.kind = MESSAGE_SERVER, .foreign = foreign};
    snprintf(m.text, sizeof m.text, "%s", url);
    tell(watchdog, &m);
}

void watchdog_proxy(struct watchdog *watchdog, const char *name, bool made)
{
    struct message m = {.kind = made ? MESSAGE_PROXY_MADE : MESSAGE_PROXY_GONE};
    snprintf(m.text, WATCHDOG_NAME_SIZE, "%s", name);
    tell(watchdog, &m);
}

void watchdog_arm(struct watchdog *watchdog, size_t id, ns_t deadline,
                  const struct watchdog_order *order)
{
    assert(id < WATCHDOG_FAULTS_MAX);
    struct message m = {.kind = MESSAGE_ARM, .id = id, .deadline = deadline, .order = *order};
    tell(watchdog, &m);
}

void watchdog_disarm(struct watchdog *watchdog, size_t id)
{
    assert(watchdog == NULL || id < WATCHDOG_FAULTS_MAX);
    struct message m = {.kind = MESSAGE_DISARM, .id = id};
    tell(watchdog, &m);
}
