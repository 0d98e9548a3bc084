/* SPDX-License-Identifier: MIT */
#include "cli/setup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "scenario/scenario.h"

static sigset_t end_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

int setup_signals(struct err *err)
{
    sigset_t set = end_signals();
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set(err, "cannot block signals: %s", strerror(errno));
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : err_set(err, "cannot watch signals: %s", strerror(errno));
}

int setup_dump_signal(struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set(err, "cannot block signals: %s", strerror(errno));
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : err_set(err, "cannot watch signals: %s", strerror(errno));
}

void setup_take_dump(int dump_fd)
{
    struct signalfd_siginfo info;
    while (read(dump_fd, &info, sizeof info) == (ssize_t)sizeof info)
        ;
}

int setup_take_signal(int signal_fd)
{
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    sigset_t set = end_signals();
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return (int)info.ssi_signo;
}

/* A client without a pool has a connection per worker. */
static unsigned connections_per_node(const struct run_options *o)
{
    return (unsigned)(o->pool > o->concurrency ? o->pool : o->concurrency);
}

/* Per node: the client's connections, and both sides of each in the proxy, which may hold as many
 * that the client gave up. */
int setup_file_limit(const struct run_options *o, struct err *err)
{
    struct rlimit limit;
    rlim_t nodes = SCENARIO_NODES_MAX;
    if (o->servers[0] == '\0')
        nodes = TOPOLOGY_NODES_DEFAULT;
    rlim_t per_connection = nodes * (o->direct ? 1 : 5);
    rlim_t needed = 100 + per_connection * (rlim_t)o->pool;
    rlim_t wanted = 100 + per_connection * connections_per_node(o);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, "cannot read the limit of open files: %s", strerror(errno));
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed)
        return err_set(err,
                       "%llu file descriptors may be needed, and the limit (ulimit -Hn) is %llu; "
                       "use a smaller -pool or raise the limit",
                       (unsigned long long)needed, (unsigned long long)limit.rlim_max);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            return err_set(err, "cannot raise the limit of open files to %llu: %s",
                           (unsigned long long)limit.rlim_cur, strerror(errno));
    }
    return 0;
}

struct topology_config setup_topology_config(const struct run_options *o, int signal_fd,
                                             struct log *log)
{
    return (struct topology_config){
        .servers = o->servers,
        .toxiproxy = o->toxiproxy,
        .direct = o->direct,
        .api_port = (uint16_t)o->api_port,
        .proxy_port = (uint16_t)o->proxy_port,
        .connections_max = 1024 + 2 * connections_per_node(o),
        .seed = o->seed,
        .cancel_fd = signal_fd,
        .log = log,
    };
}

int setup_topology(const struct run_options *o, const struct topology_config *config,
                   struct topology **out, struct err *err)
{
    if (setup_file_limit(o, err) != 0)
        return -1;
    return topology_start(config, out, err);
}

bool setup_wants_colour(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(stream)) && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}
