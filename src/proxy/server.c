/* SPDX-License-Identifier: MIT */
/*
 * Puts the parts on one loop and one thread, with a crew beside it if more are asked for.
 * Everything that can fail for a reason of the user's fails in proxy_server_start(), before a
 * thread exists; stopping is one write to an eventfd.
 */
#include "proxy/server.h"

#include <assert.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proxy/api.h"
#include "proxy/crew.h"
#include "proxy/session.h"
#include "proxy/sock.h"

struct proxy_server {
    struct proxy_env env;
    struct collection collection;
    struct api *api;
    uint16_t api_port;
    int stop_fd;
    struct event *stop_event;
    pthread_t thread;
    bool running;
};

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
    struct proxy_server *s = arg;
    (void)fd;
    (void)what;
    event_base_loopbreak(s->env.base);
}

static void *server_thread(void *arg)
{
    struct proxy_server *s = arg;
    event_base_dispatch(s->env.base);
    return NULL;
}

static int init_threads(struct proxy_server *s, const struct proxy_server_config *config,
                        struct err *err)
{
    const struct proxy_env_config env = {
        .log = &config->log,
        .seed = config->seed,
        .fd_ceiling = sock_fd_ceiling(),
        .threads = config->threads > 0 ? config->threads : 1,
    };
    if (env.threads > PROXY_THREADS_MAX)
        return err_set(err, "at most %u threads are possible, not %u", PROXY_THREADS_MAX,
                       env.threads);
    if (env_init(&s->env, &env) < 0)
        return err_set(err, "cannot set up the event loop");
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd >= 0)
        s->stop_event = event_new(s->env.base, s->stop_fd, EV_READ | EV_PERSIST, on_stop, s);
    if (!s->stop_event || event_add(s->stop_event, NULL) < 0)
        return err_set(err, "cannot set up the event loop");
    return env.threads > 1 ? crew_new(&s->env, env.threads, session_begin, err) : 0;
}

/* Frees what there is, in the order of dependence. */
static void server_free(struct proxy_server *s)
{
    crew_stop(s->env.crew);
    api_free(s->api);
    collection_deinit(&s->collection);
    crew_free(s->env.crew);
    if (s->stop_event)
        event_free(s->stop_event);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    env_deinit(&s->env);
    free(s);
}

static int find_api_address(const char *host, uint16_t port, struct address *out, struct err *err)
{
    struct address_hostport hostport = {.port = port};
    struct address_list list;
    char why[ADDRESS_HOST_MAX + 64] = "";
    if (strlen(host) >= sizeof hostport.host)
        return err_set(err, "API host name is too long");
    snprintf(hostport.host, sizeof hostport.host, "%s", host);
    if (!address_known(&hostport, &list))
        resolver_lookup_now(&hostport, &list, why, sizeof why);
    const struct address *a = address_to_bind(&list);
    if (!a)
        return err_set(err, "%s", why);
    *out = *a;
    return 0;
}

static int open_api(struct proxy_server *s, const struct proxy_server_config *config,
                    struct err *err)
{
    const char *host = config->host ? config->host : "localhost";
    struct address want, bound;
    struct api_config api = {
        .env = &s->env,
        .collection = &s->collection,
        .version = config->version ? config->version : PROXY_API_VERSION,
        .proxy_metrics = config->proxy_metrics,
        .runtime_metrics = config->runtime_metrics,
        .populate_toxics = config->populate_toxics,
    };
    if (find_api_address(host, config->port, &want, err) < 0)
        return err_prefix(err, "proxy API on %s:%u", host, config->port);
    int fd = sock_listen(&want, &bound, err);
    if (fd < 0)
        return err_prefix(err, "proxy API on %s:%u", host, config->port);
    s->api_port = address_port(&bound);
    s->api = api_new(&api);
    if (!s->api) {
        close(fd);
        return err_set(err, "proxy API: out of memory");
    }
    /* A configuration that fails is logged, and the server runs with what was made so far. */
    struct err ignored;
    if (config->config && config->config[0] != '\0')
        (void)api_load_file(s->api, config->config, &ignored);
    if (api_listen(s->api, fd) < 0)
        return err_set(err, "proxy API: out of memory");
    return 0;
}

/* Starts the threads with every signal blocked: they belong to the program's own threads. */
static int start_threads(struct proxy_server *s, struct err *err)
{
    sigset_t all, before;
    if (s->env.crew && crew_start(s->env.crew, err) < 0)
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&s->thread, NULL, server_thread, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->running = rc == 0;
    return rc == 0 ? 0 : err_set(err, "cannot start a thread");
}

int proxy_server_start(const struct proxy_server_config *config, struct proxy_server **out,
                       struct err *err)
{
    struct proxy_server *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, "proxy server: out of memory");
    s->stop_fd = -1;
    int rc = 0;
    if (init_threads(s, config, err) < 0)
        rc = err_prefix(err, "proxy server");
    else if (open_api(s, config, err) < 0)
        rc = -1;
    else if (start_threads(s, err) < 0)
        rc = err_prefix(err, "proxy server");
    if (rc < 0) {
        server_free(s);
        return -1;
    }
    *out = s;
    return 0;
}

uint16_t proxy_server_api_port(const struct proxy_server *server)
{
    return server->api_port;
}

void proxy_server_stop(struct proxy_server *s)
{
    if (!s)
        return;
    if (s->running) {
        (void)eventfd_write(s->stop_fd, 1);
        pthread_join(s->thread, NULL);
    }
    server_free(s);
}

static void log_text(const struct proxy_server_config *config, enum proxy_log_level level,
                     const char *message, const char *key, const char *value)
{
    const struct proxy_log_field fields[] = {{.key = key, .text = value}, {.key = NULL}};
    proxy_log_event(&config->log, level, message, fields);
}

static const struct {
    int number;
    const char *name; /* as Go calls it */
} end_signals[] = {
    {SIGINT, "interrupt"},
    {SIGTERM, "terminated"},
    {SIGHUP, "hangup"},
    {SIGQUIT, "quit"},
};

#define END_SIGNAL_COUNT (sizeof end_signals / sizeof end_signals[0])

static void wait_for_end(const struct proxy_server_config *config, const sigset_t *ends,
                         int *signal_out)
{
    sigwait(ends, signal_out);
    for (size_t i = 0; i < END_SIGNAL_COUNT; i++)
        if (end_signals[i].number == *signal_out)
            log_text(config, PROXY_LOG_INFO, "Shutdown started", "signal", end_signals[i].name);
}

int proxy_server_run(const struct proxy_server_config *config, int *signal_out, struct err *err)
{
    sigset_t ends, before;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction usr1, broken_pipe;
    struct proxy_server *s = NULL;
    char address[ADDRESS_HOST_MAX + 16];
    sigemptyset(&ends);
    for (size_t i = 0; i < END_SIGNAL_COUNT; i++)
        sigaddset(&ends, end_signals[i].number);
    /* Blocked before the thread starts, so that a signal sent at any moment is waited for below. */
    pthread_sigmask(SIG_BLOCK, &ends, &before);
    sigaction(SIGUSR1, &ignore, &usr1);
    sigaction(SIGPIPE, &ignore, &broken_pipe);
    log_text(config, PROXY_LOG_INFO, "Starting Toxiproxy", "version",
             config->version ? config->version : PROXY_API_VERSION);
    int rc = proxy_server_start(config, &s, err);
    if (rc == 0) {
        assert(s != NULL);
        snprintf(address, sizeof address, "%s:%u", config->host ? config->host : "localhost",
                 proxy_server_api_port(s));
        log_text(config, PROXY_LOG_INFO, "Starting Toxiproxy HTTP server", "address", address);
        wait_for_end(config, &ends, signal_out);
        proxy_server_stop(s);
    } else {
        log_text(config, PROXY_LOG_ERROR, "Server finished with error", "error", err->text);
    }
    sigaction(SIGUSR1, &usr1, NULL);
    sigaction(SIGPIPE, &broken_pipe, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}
