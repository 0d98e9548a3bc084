/* SPDX-License-Identifier: MIT */
/*
 * One worker's view of the client: calls that make one operation, judge its answer and record it. A
 * workload is straight-line code on these. One thread uses a session.
 */
#ifndef LOAD_SESSION_H
#define LOAD_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "driver/driver.h"
#include "load/evidence.h"
#include "load/value.h"
#include "metrics/recorder.h"

#define SESSION_VALUE_MAX 8192 /* bytes of the largest value a workload may use */
#define SESSION_KEY_SIZE 251   /* with the final zero */

struct session {
    const struct driver *driver;
    void *handle; /* of the driver */
    struct recorder *recorder;
    struct evidence *evidence;
    unsigned worker;
    ns_t timeout_ns; /* of every operation, from its real start */
    struct rng rng;
    uint64_t sequence; /* of the values it wrote */
    ns_t intended_ns;  /* of the next operation; NS_NEVER = when it really starts */
    bool failed;       /* the last operation did */
    char value[SESSION_VALUE_MAX];
};

/* Keys end with a zero byte and are at most 250 bytes long. */
void session_get(struct session *session, const char *key);
void session_set(struct session *session, const char *key, size_t filler, uint32_t ttl_s);
void session_delete(struct session *session, const char *key);
void session_increment(struct session *session, const char *key, uint64_t delta, uint32_t ttl_s);

#endif
