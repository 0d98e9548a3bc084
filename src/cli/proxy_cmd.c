/* SPDX-License-Identifier: MIT */
#include "cli/proxy_cmd.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/flag.h"
#include "proxy/server.h"

/*
 * One line to standard output. A reader that has stopped loses lines; it never stops the proxy. The
 * lock, `arg`, keeps one thread from taking the room that another has found.
 */
static void write_line(void *arg, const char *line, size_t size)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    pthread_mutex_lock(arg);
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT))
        (void)!write(STDOUT_FILENO, line, size);
    pthread_mutex_unlock(arg);
}

/* Unset means everything and empty means nothing, as toxiproxy-server has it. */
static struct proxy_log make_log(pthread_mutex_t *lock)
{
    struct proxy_log log = {.write = write_line, .arg = lock, .level = PROXY_LOG_TRACE};
    const char *text = getenv("LOG_LEVEL");
    if (!text)
        return log;
    if (*text == '\0') {
        log.level = PROXY_LOG_OFF;
    } else if (proxy_log_level_parse(text, &log.level) < 0) {
        const struct proxy_log_field fields[] = {{.key = "LOG_LEVEL", .text = text}, {.key = NULL}};
        proxy_log_event(&log, PROXY_LOG_ERROR, "unknown LOG_LEVEL value", fields);
    }
    return log;
}

/* A connection takes two descriptors: use as many as the system lets us. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static uint64_t clock_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct options {
    const char *host;
    int port;
    const char *config;
    uint64_t seed;
    int threads;
    bool runtime_metrics;
    bool proxy_metrics;
    bool populate_toxics;
    bool version;
};

static enum flag_result read_options(int argc, char **argv, struct options *o)
{
    struct err err;
    int operand;
    const struct flag flags[] = {
        {.name = "host",
         .kind = FLAG_STRING,
         .target = &o->host,
         .default_text = "localhost",
         .help = "Host that the API listens on; empty for all."},
        {.name = "port",
         .kind = FLAG_INT,
         .target = &o->port,
         .default_text = "8474",
         .max = 65535,
         .help = "Port that the API listens on; 0 takes a free one."},
        {.name = "config",
         .kind = FLAG_STRING,
         .target = &o->config,
         .default_text = "",
         .help = "JSON file of proxies, and their toxics, to create when the server starts."},
        {.name = "seed",
         .kind = FLAG_UINT64,
         .target = &o->seed,
         .help = "Seed for everything random; by default the time."},
        {.name = "threads",
         .kind = FLAG_INT,
         .target = &o->threads,
         .default_text = "1",
         .min = 1,
         .max = PROXY_THREADS_MAX,
         .help = "Threads, 1 to 64, that share the connections: one for each core to spare."},
        {.name = "runtime-metrics",
         .kind = FLAG_BOOL,
         .target = &o->runtime_metrics,
         .help = "Show numbers of the process at /metrics."},
        {.name = "proxy-metrics",
         .kind = FLAG_BOOL,
         .target = &o->proxy_metrics,
         .help = "Show what the proxies and their toxics have done at /metrics."},
        {.name = "populate-toxics",
         .kind = FLAG_BOOL,
         .target = &o->populate_toxics,
         .help = "Let POST /populate make the toxics of its proxies, as -config always does."},
        {.name = "version",
         .kind = FLAG_BOOL,
         .target = &o->version,
         .help = "Print the version of the API and exit."},
        {.name = NULL},
    };
    const struct flag_help help = {.usage = argv[0], .about = "Serve the fault-injecting proxy."};
    flag_defaults(flags);
    enum flag_result result = flag_parse(flags, argc, argv, &operand, &err);
    if (result == FLAG_BAD)
        fprintf(stderr, "%s\n", err.text);
    if (result != FLAG_OK)
        flag_print_help(result == FLAG_BAD ? stderr : stdout, flags, &help);
    return result;
}

/* Toxiproxy dies of SIGHUP and of SIGQUIT, the latter with status 2; so do we, but tidily. */
static int end_status(int signal_number)
{
    if (signal_number == SIGHUP) {
        fflush(NULL);
        (void)signal(SIGHUP, SIG_DFL);
        (void)raise(SIGHUP);
    }
    return signal_number == SIGQUIT ? 2 : 0;
}

int proxy_cmd_main(int argc, char **argv)
{
    struct options o = {.seed = clock_seed()};
    struct err err;
    enum flag_result result = read_options(argc, argv, &o);
    if (result != FLAG_OK)
        return result == FLAG_BAD ? 2 : 0;
    if (o.version) {
        printf("toxiproxy-server version %s\n", PROXY_API_VERSION);
        return 0;
    }
    raise_file_limit();
    pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
    const struct proxy_server_config config = {
        .host = o.host,
        .port = (uint16_t)o.port,
        .seed = o.seed,
        .threads = (unsigned)o.threads,
        .config = o.config,
        .proxy_metrics = o.proxy_metrics,
        .runtime_metrics = o.runtime_metrics,
        .populate_toxics = o.populate_toxics,
        .log = make_log(&log_lock),
    };
    int end;
    if (proxy_server_run(&config, &end, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return end_status(end);
}
