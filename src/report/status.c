/* SPDX-License-Identifier: MIT */
#include "report/status.h"

#include "base/jsonw.h"

#include <unistd.h>

static void write_interval(struct jsonw *j, const struct status *s)
{
    const struct interval *e = s->interval;
    const struct latency *l = &e->service;
    jsonw_key_object(j, "last_interval");
    jsonw_key_int(j, "length_ns", e->end_ns - e->start_ns);
    jsonw_key_uint(j, "offered", e->offered);
    jsonw_key_uint(j, "succeeded", e->succeeded);
    jsonw_key_uint(j, "failed", e->failed);
    jsonw_key_int(j, "p50_ns", l->p50_ns);
    jsonw_key_int(j, "p99_ns", l->p99_ns);
    jsonw_key_int(j, "max_ns", l->max_ns);
    jsonw_key_array(j, "nodes");
    for (size_t i = 0; i < s->result->node_count; i++) {
        const struct node_stats *n = &e->nodes[i].stats;
        jsonw_object(j);
        jsonw_key_string(j, "node", s->result->nodes[i].name);
        jsonw_key_string(j, "breaker", breaker_view_name(n->breaker));
        jsonw_key_uint(j, "pool_active", n->pool_active);
        jsonw_key_uint(j, "pool_total", n->pool_total);
        jsonw_key_uint(j, "pool_waiting", n->pool_waiting);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
    jsonw_object_end(j);
}

static void write_run(struct jsonw *j, const struct status *s)
{
    if (s->run == 0) {
        jsonw_key_null(j, "run");
        return;
    }
    jsonw_key_object(j, "run");
    jsonw_key_uint(j, "number", s->run);
    jsonw_key_string(j, "scenario", s->scenario);
    jsonw_key_string(j, "phase", s->phase);
    jsonw_key_int(j, "elapsed_ns", s->now - s->run_start_ns);
    jsonw_key_int(j, "length_ns", s->run_length_ns);
    jsonw_key_uint(j, "faults_on", s->faults_on);
    jsonw_key_uint(j, "succeeded", s->succeeded);
    jsonw_key_uint(j, "failed", s->failed);
    jsonw_key_uint(j, "dropped", s->dropped);
    if (s->interval)
        write_interval(j, s);
    else
        jsonw_key_null(j, "last_interval");
    jsonw_object_end(j);
}

int status_write(FILE *out, const struct status *s)
{
    const struct result *r = s->result;
    char seed[24];
    struct jsonw j;
    jsonw_init(&j, out, JSONW_PRETTY);
    jsonw_object(&j);
    jsonw_key_int(&j, "schema_version", STATUS_SCHEMA_VERSION);
    jsonw_key_string(&j, "state", s->ended ? "ended" : "running");
    jsonw_key_int(&j, "pid", getpid());
    jsonw_key_string(&j, "memchaos_version", r->version);
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)r->seed);
    jsonw_key_string(&j, "seed", seed);
    jsonw_key_int(&j, "start_unix_ns", r->start_unix_ns);
    jsonw_key_int(&j, "updated_unix_ns", r->start_unix_ns + (s->now - r->start_ns));
    uint64_t ended = 0;
    for (int i = 0; i < VERDICT_COUNT; i++)
        ended += r->verdicts[i];
    jsonw_key_uint(&j, "runs_ended", ended);
    jsonw_key_object(&j, "runs_by_verdict");
    for (int i = 0; i < VERDICT_COUNT; i++)
        jsonw_key_uint(&j, verdict_name(i), r->verdicts[i]);
    jsonw_object_end(&j);
    jsonw_key_string(&j, "verdict_so_far", ended > 0 ? verdict_name(r->verdict) : NULL);
    write_run(&j, s);
    jsonw_object_end(&j);
    return jsonw_finish(&j);
}
