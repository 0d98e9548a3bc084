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

#define END_GRACE (100 * NS_PER_MS)
#define STOP_GRACE NS_PER_SEC /* for calls in progress to end, beyond twice their timeout */

struct worker {
    struct session session;
    struct workers *all;
    pthread_t thread;
    atomic_bool ended;
};

struct workers {
    struct workers_config config;
    struct arrival_spec arrival;
    struct schedule schedule;
    bool scheduled;
    int stop_fd;     /* readable once the workers are to end */
    int prepared_fd; /* readable once the last of them has stored its keys */
    int ended_fd;    /* counts those that have ended */
    atomic_bool stopping;
    atomic_uint preparing;
    _Atomic uint32_t missing; /* keys that could not be stored */
    unsigned opened, started;
    struct workers_end end; /* of what workers_stop() has found */
    pthread_rwlock_t gate;  /* held for writing until all threads exist and the keys are stored */
    struct worker *list;
};

static bool is_stopping(struct workers *all)
{
    return atomic_load_explicit(&all->stopping, memory_order_relaxed);
}

/* A closed loop: the next operation, then time to think. */
static void closed_turn(struct worker *worker)
{
    struct workers *all = worker->all;
    struct session *session = &worker->session;
    recorder_offered(all->config.recorder, session->worker, recorder_phase(all->config.recorder),
                     1);
    session->intended_ns = NS_NEVER;
    all->config.load->spec->workload->step(session);
    ns_t think = all->arrival.think_ns;
    if (session->failed)
        think = ns_max(think, FAILURE_PAUSE);
    if (think > 0)
        session_pause(session, think);
}

/* One scheduled operation: waits for its time, and makes it unless it is too late for it. */
static void paced_turn(struct worker *worker)
{
    struct workers *all = worker->all;
    struct recorder *recorder = all->config.recorder;
    struct session *session = &worker->session;
    ns_t intended = schedule_take(&all->schedule, 0);
    pause_until(all->stop_fd, intended);
    ns_t late = ns_now() - intended;
    if (is_stopping(all))
        return;
    unsigned phase = recorder_phase(recorder);
    recorder_offered(recorder, session->worker, phase, 1);
    if (late > all->config.timeout_ns) {
        recorder_dropped(recorder, session->worker, phase, 1);
        return;
    }
    recorder_late(recorder, session->worker, phase, late);
    session->intended_ns = intended;
    all->config.load->spec->workload->step(session);
}

/* The last one to be done wakes the starter. */
static void prepare(struct worker *worker)
{
    struct workers *all = worker->all;
    if (all->config.load->spec->prefill)
        all->missing += session_prefill(&worker->session, worker->session.worker, all->config.count,
                                        &all->stopping);
    uint64_t one = 1;
    if (atomic_fetch_sub(&all->preparing, 1) == 1) {
        ssize_t n = write(all->prepared_fd, &one, sizeof one);
        assert(n == sizeof one); /* the only write ever */
    }
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 us would show in every paced latency */
    prepare(worker);
    pthread_rwlock_rdlock(&worker->all->gate);
    pthread_rwlock_unlock(&worker->all->gate);
    while (!is_stopping(worker->all)) {
        if (worker->all->arrival.closed)
            closed_turn(worker);
        else
            paced_turn(worker);
    }
    uint64_t one = 1;
    atomic_store(&worker->ended, true);
    ssize_t n = write(worker->all->ended_fd, &one, sizeof one);
    assert(n == sizeof one); /* a count this small always fits */
    return NULL;
}

static int worker_open(struct workers *all, unsigned index, struct err *err)
{
    struct worker *worker = &all->list[index];
    const struct workers_config *config = &all->config;
    worker->all = all;
    worker->session = (struct session){
        .driver = config->driver,
        .load = config->load,
        .recorder = config->recorder,
        .evidence = config->evidence,
        .sink = config->sink,
        .worker = index,
        .timeout_ns = config->timeout_ns,
        .intended_ns = NS_NEVER,
        .rng = rng_fork(config->seed, index),
        .stop_fd = all->stop_fd,
    };
    if (session_init(&worker->session, config->load) != 0) {
        session_deinit(&worker->session);
        return err_set(err, "worker %u: out of memory", index + 1);
    }
    worker->session.handle = config->driver->worker_open(config->client, index, err);
    if (worker->session.handle == NULL) {
        session_deinit(&worker->session);
        return err_prefix(err, "worker %u", index + 1);
    }
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
    all->arrival = config->load->spec->arrival;
    all->preparing = config->count;
    pthread_rwlock_init(&all->gate, NULL);
    all->list = calloc(config->count, sizeof *all->list);
    all->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    all->prepared_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    all->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (all->list == NULL || all->stop_fd < 0 || all->prepared_fd < 0 || all->ended_fd < 0) {
        workers_stop(all);
        return NULL;
    }
    return all;
}

static int wait_prepared(struct workers *all, struct err *err)
{
    struct pollfd pfds[] = {
        {.fd = all->prepared_fd, .events = POLLIN},
        {.fd = all->config.cancel_fd, .events = POLLIN}, /* ignored when negative */
    };
    int limit_ms = (int)(WORKERS_PREFILL_MAX_NS / NS_PER_MS);
    int n = poll(pfds, 2, limit_ms);
    if (n > 0 && pfds[0].revents == 0)
        return err_set(err, "stopped while the keys were being stored");
    if (n <= 0)
        return err_set(err, "the keys could not be stored within %d s", limit_ms / 1000);
    if (all->missing > 0)
        return err_set(err, "%u of %u keys could not be stored before the run", all->missing,
                       all->config.load->keys.stored);
    return 0;
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
    if (rc == 0)
        rc = wait_prepared(all, err);
    if (rc == 0) {
        schedule_init(&all->schedule, &all->arrival, config->seed, ns_now());
        all->scheduled = true;
    }
    atomic_store(&all->stopping, rc != 0);
    pthread_rwlock_unlock(&all->gate);
    if (rc != 0) {
        if (workers_stop(all).lost > 0)
            *out = all;
        return -1;
    }
    *out = all;
    return 0;
}

ns_t workers_behind(struct workers *all, ns_t now)
{
    ns_t next = schedule_peek(&all->schedule, now);
    return next < now ? now - next : 0;
}

/* What was due and nobody came to, but for the last moment, which the end cut off. */
static void drop_rest(struct workers *all)
{
    struct recorder *recorder = all->config.recorder;
    unsigned phase = recorder_phase(recorder);
    uint64_t rest = schedule_skip(&all->schedule, ns_now() - END_GRACE);
    recorder_offered(recorder, 0, phase, rest);
    recorder_dropped(recorder, 0, phase, rest);
}

static unsigned count_running(struct workers *all)
{
    unsigned running = 0;
    for (unsigned i = 0; i < all->started; i++)
        running += !atomic_load(&all->list[i].ended);
    return running;
}

/* Waits for the threads to end, and returns how many have not. */
static unsigned wait_ended(struct workers *all)
{
    ns_t deadline = ns_now() + 2 * all->config.timeout_ns + STOP_GRACE;
    unsigned running;
    while ((running = count_running(all)) > 0 && ns_now() < deadline) {
        uint64_t some;
        pause_until(all->ended_fd, deadline);
        ssize_t n = read(all->ended_fd, &some, sizeof some);
        assert(n == sizeof some || n < 0); /* it only wakes us */
        (void)n;
    }
    return running;
}

static struct workers_end end_threads(struct workers *all)
{
    struct workers_end end = {0};
    if (all->started == 0)
        return end;
    all->config.driver->interrupt(all->config.client);
    end.late = end.lost = wait_ended(all);
    if (end.late > 0 && all->config.unblock != NULL) {
        all->config.unblock(all->config.arg);
        end.lost = wait_ended(all);
    }
    for (unsigned i = 0; i < all->started; i++)
        (void)(end.lost == 0 ? pthread_join(all->list[i].thread, NULL)
                             : pthread_detach(all->list[i].thread));
    return end;
}

struct workers_end workers_stop(struct workers *all)
{
    if (all == NULL)
        return (struct workers_end){0};
    if (all->end.lost > 0)
        return all->end;
    atomic_store(&all->stopping, true);
    uint64_t one = 1;
    if (all->stop_fd >= 0) {
        ssize_t n = write(all->stop_fd, &one, sizeof one);
        assert(n == sizeof one); /* nothing else was ever written to it */
    }
    if (all->scheduled)
        drop_rest(all);
    struct workers_end end = all->end = end_threads(all);
    if (end.lost > 0)
        return end;
    if (all->scheduled)
        schedule_deinit(&all->schedule);
    for (unsigned i = 0; i < all->opened; i++) {
        all->config.driver->worker_close(all->list[i].session.handle);
        session_deinit(&all->list[i].session);
    }
    if (all->stop_fd >= 0)
        close(all->stop_fd);
    if (all->prepared_fd >= 0)
        close(all->prepared_fd);
    if (all->ended_fd >= 0)
        close(all->ended_fd);
    pthread_rwlock_destroy(&all->gate);
    free(all->list);
    free(all);
    return end;
}
