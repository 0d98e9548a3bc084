/* SPDX-License-Identifier: MIT */
/* What recording one operation costs, for one worker: prints nanoseconds per operation. */
#include <stdio.h>
#include <stdlib.h>

#include "metrics/flight.h"
#include "metrics/oplog.h"
#include "metrics/recorder.h"

#define ROUNDS 2000000

static void fill(struct op_record *r, ns_t at)
{
    *r = (struct op_record){.start_ns = at, .duration_ns = OP_RECORD_IN_FLIGHT, .connection = 3};
    op_record_key_set(r, "key-worker0-123", 15);
}

static double per_op(ns_t since)
{
    return (double)(ns_now() - since) / ROUNDS;
}

static double recorder_cost(void)
{
    struct recorder_config config = {.nodes = 3, .phases = 3, .workers = 1};
    struct recorder *r = recorder_new(&config, NULL);
    ns_t since = ns_now();
    for (ns_t i = 0; i < ROUNDS; i++) {
        recorder_op_begin(r, 0, i);
        recorder_op_end(r, 0);
        struct sample s = {.outcome = OUTCOME_HIT, .node = (uint32_t)(i % 3), .end_ns = i % 9999};
        recorder_record(r, 0, &s);
    }
    double cost = per_op(since);
    recorder_free(r);
    return cost;
}

static double flight_cost(void)
{
    struct flight *f = flight_new(1, FLIGHT_RING_DEFAULT, NULL);
    ns_t since = ns_now();
    for (ns_t i = 0; i < ROUNDS; i++) {
        struct op_record r;
        fill(&r, i);
        flight_begin(f, &r);
        r.duration_ns = 5;
        flight_end(f, &r);
    }
    double cost = per_op(since);
    flight_free(f);
    return cost;
}

static double oplog_cost(void)
{
    struct op_file_header header = {0};
    struct oplog *log;
    if (oplog_open("/dev/null", 1, &header, "", &log, NULL) != 0)
        return -1;
    ns_t since = ns_now();
    for (ns_t i = 0; i < ROUNDS; i++) {
        struct op_record r;
        fill(&r, i);
        oplog_add(log, &r);
    }
    double cost = per_op(since);
    oplog_close(log);
    return cost;
}

int main(void)
{
    printf("recorder %.0f ns, flight recorder %.0f ns, operation log %.0f ns per operation\n",
           recorder_cost(), flight_cost(), oplog_cost());
    return 0;
}
