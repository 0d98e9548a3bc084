/* SPDX-License-Identifier: MIT */
#include "load/workers.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load/schedule.h"

#define STACK_BYTES (256 * 1024)
#define FAILURE_PAUSE \
    NS_PER_MS /* closed loop: a refused operation costs nothing, and must not spin */

struct worker {
    struct session session;
    struct workers *all;
    pthread_t thread;
};

struct workers {
    struct workers_config config;
    struct schedule schedule;
    int stop_fd; /* readable once the workers are to end */
    atomic_bool stopping;
    unsigned opened, started;
    pthread_rwlock_t gate; /* held for writing until all threads exist */
    struct worker *list;
};

/* Sleeps until `when`; ends early when the workers are stopped. */
static void sleep_until(struct workers *all, ns_t when)
{
    ns_t left = when - ns_now();
    if (left <= 0)
        return;
    struct timespec timeout = ns_to_timespec(left);
    struct pollfd pfd = {.fd = all->stop_fd, .events = POLLIN};
    ppoll(&pfd, 1, &timeout, NULL);
}

static bool is_stopping(struct workers *all)
{
    return atomic_load_explicit(&all->stopping, memory_order_relaxed);
}

/* One scheduled operation: waits for its time, and makes it unless it is too late for it. */
static void worker_turn(struct worker *worker)
{
    struct workers *all = worker->all;
    const struct workers_config *config = &all->config;
    struct session *session = &worker->session;
    bool paced = config->rate_per_s > 0;
    ns_t intended = schedule_take(&all->schedule, paced ? 0 : ns_now());
    if (paced)
        sleep_until(all, intended);
    if (is_stopping(all))
        return;
    unsigned phase = recorder_phase(config->recorder);
    recorder_offered(config->recorder, session->worker, phase, 1);
    if (paced && ns_now() - intended > config->timeout_ns) {
        recorder_dropped(config->recorder, session->worker, phase, 1);
        return;
    }
    session->intended_ns = paced ? intended : NS_NEVER;
    config->workload->step(session);
    if (!paced && session->failed)
        sleep_until(all, ns_now() + FAILURE_PAUSE);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 us would show in every paced latency */
    pthread_rwlock_rdlock(&worker->all->gate);
    pthread_rwlock_unlock(&worker->all->gate);
    while (!is_stopping(worker->all))
        worker_turn(worker);
    return NULL;
}

static int worker_open(struct workers *all, unsigned index, struct err *err)
{
    struct worker *worker = &all->list[index];
    const struct workers_config *config = &all->config;
    worker->all = all;
    worker->session = (struct session){
        .driver = config->driver,
        .recorder = config->recorder,
        .evidence = config->evidence,
        .worker = index,
        .timeout_ns = config->timeout_ns,
        .rng = rng_fork(config->seed, index),
    };
    worker->session.handle = config->driver->worker_open(config->client, index, err);
    if (worker->session.handle == NULL)
        return err_prefix(err, "worker %u", index + 1);
    all->opened++;
    return 0;
}

static int start_threads(struct workers *all, struct err *err)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int rc = 0;
    while (all->started < all->config.count && rc == 0) {
        struct worker *worker = &all->list[all->started];
        rc = pthread_create(&worker->thread, &attr, worker_main, worker);
        if (rc == 0)
            all->started++;
    }
    pthread_attr_destroy(&attr);
    if (rc != 0)
        return err_set(err, "cannot start worker thread %u of %u: %s; use a smaller -concurrency",
                       all->started + 1, all->config.count, strerror(rc));
    return 0;
}

static struct workers *workers_new(const struct workers_config *config)
{
    struct workers *all = calloc(1, sizeof *all);
    if (all == NULL)
        return NULL;
    all->config = *config;
    pthread_rwlock_init(&all->gate, NULL);
    all->list = calloc(config->count, sizeof *all->list);
    all->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (all->list == NULL || all->stop_fd < 0) {
        workers_stop(all);
        return NULL;
    }
    return all;
}

int workers_start(const struct workers_config *config, struct workers **out, struct err *err)
{
    struct workers *all = workers_new(config);
    if (all == NULL)
        return err_set(err, "cannot set up %u workers: %s", config->count, strerror(errno));
    int rc = 0;
    for (unsigned i = 0; i < config->count && rc == 0; i++)
        rc = worker_open(all, i, err);
    pthread_rwlock_wrlock(&all->gate);
    if (rc == 0)
        rc = start_threads(all, err);
    schedule_init(&all->schedule, ns_now(), config->rate_per_s);
    atomic_store(&all->stopping, rc != 0);
    pthread_rwlock_unlock(&all->gate);
    if (rc != 0) {
        workers_stop(all);
        return -1;
    }
    *out = all;
    return 0;
}

void workers_stop(struct workers *all)
{
    if (all == NULL)
        return;
    atomic_store(&all->stopping, true);
    uint64_t one = 1;
    if (all->stop_fd >= 0) {
        ssize_t n = write(all->stop_fd, &one, sizeof one);
        assert(n == sizeof one); /* nothing else was ever written to it */
    }
    if (all->started > 0)
        all->config.driver->interrupt(all->config.client);
    for (unsigned i = 0; i < all->started; i++)
        pthread_join(all->list[i].thread, NULL);
    for (unsigned i = 0; i < all->opened; i++)
        all->config.driver->worker_close(all->list[i].session.handle);
    if (all->stop_fd >= 0)
        close(all->stop_fd);
    pthread_rwlock_destroy(&all->gate);
    free(all->list);
    free(all);
}
