/* SPDX-License-Identifier: MIT */
/*
 * The dead man's switch: a small child process that undoes what this process left behind when it
 * died without undoing it, SIGKILL included, or when a fault is on long after it should be off. It
 * learns over a pipe what there would be to undo; the end of the pipe is the death of its parent.
 *
 * Our own nodes and proxies die with this process, so its death leaves something only on a foreign
 * Toxiproxy: toxics, disabled proxies, and the proxies that were created. A fault that is overdue
 * is undone everywhere.
 */
#ifndef SCENARIO_WATCHDOG_H
#define SCENARIO_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/time.h"
#include "net/rules.h"

#define WATCHDOG_FAULTS_MAX 256
#define WATCHDOG_PROXIES_MAX 64
#define WATCHDOG_NAME_SIZE 128

/* What undoes a fault. */
enum watchdog_kind {
    WATCHDOG_NOTHING,
    WATCHDOG_TOXICS,  /* remove them from the proxy */
    WATCHDOG_PROXY,   /* enable it */
    WATCHDOG_PROCESS, /* continue it */
    WATCHDOG_DROP,    /* take the rules off */
    WATCHDOG_NETEM,
};

struct watchdog_order {
    enum watchdog_kind kind;
    char proxy[WATCHDOG_NAME_SIZE];
    char toxics[2][WATCHDOG_NAME_SIZE]; /* "" = none */
    pid_t pid;
    struct rules rules;
};

struct watchdog;

/* Starts it. The process must not have threads yet. Returns 0 or -1. */
int watchdog_start(struct watchdog **out, struct err *err);

/* Ends it, with nothing left to undo. NULL is allowed. */
void watchdog_stop(struct watchdog *watchdog);

/* Where the Toxiproxy API is. `foreign`: it outlives this process. */
void watchdog_server(struct watchdog *watchdog, const char *url, bool foreign);

/* A proxy that this process has created there, or deleted again. */
void watchdog_proxy(struct watchdog *watchdog, const char *name, bool made);

/*
 * Fault number `id`, below WATCHDOG_FAULTS_MAX, may be on from now, and must be off at `deadline`.
 * A second call replaces the first. All of these: NULL is allowed, and a watchdog that is gone is
 * no error.
 */
void watchdog_arm(struct watchdog *watchdog, size_t id, ns_t deadline,
                  const struct watchdog_order *order);
void watchdog_disarm(struct watchdog *watchdog, size_t id);

#endif
