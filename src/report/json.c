/* SPDX-License-Identifier: MIT */
/*
 * Everything there is, for programs. The shape is schema/result.v1.json: within a version fields
 * are only added. Instants are nanoseconds since the start of the session and null when it did not
 * happen; counts by operation or outcome leave out zeros.
 */
#include "report/report.h"

#include "base/jsonw.h"
#include "report/breakers.h"
#include "report/figures.h"

#include <time.h>

struct writer {
    struct jsonw json;
    const struct result *result;
};

static void key_ns(struct jsonw *j, const char *key, ns_t value)
{
    if (value == NS_NEVER)
        jsonw_key_null(j, key);
    else
        jsonw_key_int(j, key, value);
}

static void key_instant(struct writer *w, const char *key, ns_t at)
{
    key_ns(&w->json, key, at == NS_NEVER ? at : at - w->result->start_ns);
}

static void key_elapsed(struct writer *w, const char *key, ns_t since, ns_t at)
{
    key_ns(&w->json, key, since == NS_NEVER || at == NS_NEVER ? NS_NEVER : at - since);
}

/* The node's name, null for one that is not the client's. */
static void key_node(struct writer *w, unsigned node)
{
    jsonw_key_string(&w->json, "node",
                     node < w->result->node_count ? w->result->nodes[node].name : NULL);
}

/* As text: many JSON readers keep only 53 bits of a number. */
static void key_seed(struct jsonw *j, uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
    jsonw_key_string(j, "seed", text);
}

static void key_latency(struct jsonw *j, const char *key, const struct latency *l)
{
    jsonw_key_object(j, key);
    jsonw_key_uint(j, "count", l->count);
    jsonw_key_int(j, "min_ns", l->min_ns);
    jsonw_key_int(j, "mean_ns", l->mean_ns);
    jsonw_key_int(j, "p50_ns", l->p50_ns);
    jsonw_key_int(j, "p90_ns", l->p90_ns);
    jsonw_key_int(j, "p95_ns", l->p95_ns);
    jsonw_key_int(j, "p99_ns", l->p99_ns);
    jsonw_key_int(j, "p999_ns", l->p999_ns);
    jsonw_key_int(j, "max_ns", l->max_ns);
    jsonw_object_end(j);
}

static void key_outcomes(struct jsonw *j, const uint64_t by_outcome[OUTCOME_COUNT])
{
    jsonw_key_object(j, "outcomes");
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (by_outcome[i] > 0)
            jsonw_key_uint(j, outcome_name(i), by_outcome[i]);
    }
    jsonw_object_end(j);
}

static void key_counts(struct jsonw *j, const char *key, const struct recorder_counts *c)
{
    jsonw_key_object(j, key);
    jsonw_key_uint(j, "offered", c->offered);
    jsonw_key_uint(j, "dropped", c->dropped);
    jsonw_key_uint(j, "attempted", c->attempted);
    jsonw_key_uint(j, "succeeded", c->succeeded);
    jsonw_key_uint(j, "failed", c->failed);
    jsonw_key_uint(j, "wrong_data", c->wrong);
    uint64_t ended = c->succeeded + c->failed;
    jsonw_key_double(j, "error_ratio", ended > 0 ? (double)c->failed / (double)ended : 0);
    uint64_t hits = c->by_outcome[OUTCOME_HIT], reads = hits + c->by_outcome[OUTCOME_MISS];
    if (reads > 0)
        jsonw_key_double(j, "hit_ratio", (double)hits / (double)reads);
    else
        jsonw_key_null(j, "hit_ratio");
    key_outcomes(j, c->by_outcome);
    jsonw_object_end(j);
}

static void key_node_stats(struct jsonw *j, const char *key, const struct node_stats *s)
{
    jsonw_key_object(j, key);
    jsonw_key_uint(j, "pool_active", s->pool_active);
    jsonw_key_uint(j, "pool_idle", s->pool_idle);
    jsonw_key_uint(j, "pool_total", s->pool_total);
    jsonw_key_uint(j, "pool_waiting", s->pool_waiting);
    jsonw_key_string(j, "breaker", breaker_view_name(s->breaker));
    jsonw_key_uint(j, "breaker_requests", s->breaker_requests);
    jsonw_key_uint(j, "breaker_failures", s->breaker_failures);
    jsonw_key_uint(j, "breaker_consecutive_failures", s->breaker_consecutive_failures);
    jsonw_key_uint(j, "breaker_rejected", s->breaker_rejected);
    jsonw_object_end(j);
}

/* ---- one run ---- */

static void write_named_values(struct jsonw *j, const char *key, const struct named_value *values,
                               size_t count)
{
    jsonw_key_object(j, key);
    for (size_t i = 0; i < count; i++)
        jsonw_key_string(j, values[i].name, values[i].value);
    jsonw_object_end(j);
}

static void write_phases(struct writer *w, const struct run_result *run)
{
    struct jsonw *j = &w->json;
    jsonw_key_array(j, "phases");
    for (size_t i = 0; i < run->phase_count; i++) {
        const struct result_phase *p = &run->phases[i];
        jsonw_object(j);
        jsonw_key_string(j, "name", p->name);
        key_instant(w, "start_ns", p->start_ns);
        key_instant(w, "end_ns", p->end_ns);
        key_counts(j, "counts", &p->counts);
        key_latency(j, "service", &p->service);
        key_latency(j, "response", &p->response);
        key_latency(j, "service_failed", &p->service_failed);
        key_latency(j, "lateness", &p->lateness);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_ops(struct writer *w, const struct run_result *run)
{
    struct jsonw *j = &w->json;
    jsonw_key_array(j, "operations");
    for (int i = 0; i < OP_COUNT; i++) {
        if (run->ops[i].counts.attempted == 0)
            continue;
        jsonw_object(j);
        jsonw_key_string(j, "name", op_name(i));
        key_counts(j, "counts", &run->ops[i].counts);
        key_latency(j, "service", &run->ops[i].service);
        key_latency(j, "service_failed", &run->ops[i].service_failed);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_breaker_times(struct jsonw *j, const struct result_node_run *n)
{
    jsonw_key_object(j, "breaker_time");
    jsonw_key_int(j, "closed_ns", n->breaker_ns[BREAKER_VIEW_CLOSED]);
    jsonw_key_int(j, "open_ns", n->breaker_ns[BREAKER_VIEW_OPEN]);
    jsonw_key_int(j, "half_open_ns", n->breaker_ns[BREAKER_VIEW_HALF_OPEN]);
    jsonw_object_end(j);
}

static void write_breaker(struct jsonw *j, const struct run_result *run, unsigned node)
{
    if (run->nodes[node].stats.breaker == BREAKER_VIEW_NONE) {
        jsonw_key_null(j, "breaker");
        return;
    }
    struct breaker_summary s = breaker_summary_of(run, node);
    jsonw_key_object(j, "breaker");
    jsonw_key_uint(j, "opened", s.opened);
    jsonw_key_uint(j, "probes", s.probes);
    jsonw_key_uint(j, "probes_succeeded", s.probes_succeeded);
    jsonw_key_uint(j, "probes_failed", s.probes_failed);
    jsonw_key_uint(j, "rejected", s.rejected);
    jsonw_object_end(j);
}

static void write_node_phases(struct jsonw *j, const struct run_result *run,
                              const struct result_node_run *n)
{
    jsonw_key_array(j, "phases");
    for (size_t p = 0; n->phases && p < run->phase_count; p++) {
        jsonw_object(j);
        jsonw_key_string(j, "name", run->phases[p].name);
        key_counts(j, "counts", &n->phases[p]);
        key_latency(j, "service", &n->phase_service[p]);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_nodes(struct writer *w, const struct run_result *run)
{
    struct jsonw *j = &w->json;
    jsonw_key_array(j, "nodes");
    for (unsigned i = 0; i < run->node_count; i++) {
        const struct result_node_run *n = &run->nodes[i];
        jsonw_object(j);
        key_node(w, i);
        key_counts(j, "counts", &n->counts);
        jsonw_key_double(j, "load_share_ratio", result_load_share(run, i));
        key_latency(j, "service", &n->service);
        key_node_stats(j, "end", &n->stats);
        jsonw_key_uint(j, "pool_total_max", n->pool_total_max);
        jsonw_key_uint(j, "pool_waiting_max", n->pool_waiting_max);
        write_breaker_times(j, n);
        write_breaker(j, run, i);
        write_node_phases(j, run, n);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_interval_nodes(struct writer *w, const struct interval *interval, size_t nodes)
{
    struct jsonw *j = &w->json;
    jsonw_key_array(j, "nodes");
    for (unsigned i = 0; i < nodes; i++) {
        jsonw_object(j);
        key_node(w, i);
        jsonw_key_uint(j, "succeeded", interval->nodes[i].succeeded);
        jsonw_key_uint(j, "failed", interval->nodes[i].failed);
        key_node_stats(j, "end", &interval->nodes[i].stats);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_intervals(struct writer *w, const struct run_result *run)
{
    struct jsonw *j = &w->json;
    jsonw_key_array(j, "intervals");
    for (size_t i = 0; i < run->interval_count; i++) {
        const struct interval *e = &run->intervals[i];
        jsonw_object(j);
        key_instant(w, "start_ns", e->start_ns);
        key_instant(w, "end_ns", e->end_ns);
        jsonw_key_string(j, "phase",
                         e->phase < run->phase_count ? run->phases[e->phase].name : NULL);
        jsonw_key_uint(j, "offered", e->offered);
        jsonw_key_uint(j, "dropped", e->dropped);
        jsonw_key_uint(j, "succeeded", e->succeeded);
        jsonw_key_uint(j, "failed", e->failed);
        key_outcomes(j, e->by_outcome);
        key_latency(j, "service", &e->service);
        write_interval_nodes(w, e, run->node_count);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_transitions(struct writer *w, const struct run_result *run)
{
    struct jsonw *j = &w->json;
    jsonw_key_array(j, "transitions");
    for (size_t i = 0; i < run->transition_count; i++) {
        const struct transition *t = &run->transitions[i];
        jsonw_object(j);
        key_instant(w, "at_ns", t->at_ns);
        key_node(w, t->node);
        jsonw_key_string(j, "from", breaker_view_name(t->from));
        jsonw_key_string(j, "to", breaker_view_name(t->to));
        jsonw_key_string(j, "cause", t->cause);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
    jsonw_key_uint(j, "transitions_dropped", run->transitions_dropped);
}

static void write_victims(struct jsonw *j, const struct victims *v)
{
    if (!v->counted) {
        jsonw_key_null(j, "victims");
        return;
    }
    jsonw_key_object(j, "victims");
    jsonw_key_uint(j, "connections", v->connections);
    jsonw_key_uint(j, "chunks", v->chunks);
    jsonw_key_uint(j, "bytes", v->bytes);
    jsonw_key_uint(j, "bytes_dropped", v->bytes_dropped);
    jsonw_key_uint(j, "delay_ms", v->delay_ms);
    jsonw_key_uint(j, "resets", v->resets);
    jsonw_key_uint(j, "connections_cut", v->connections_cut);
    jsonw_key_uint(j, "connections_refused", v->connections_refused);
    jsonw_key_uint(j, "items_lost", v->items_lost);
    jsonw_key_uint(j, "stores_refused", v->stores_refused);
    jsonw_key_uint(j, "packets", v->packets);
    jsonw_object_end(j);
}

static void write_fault(struct writer *w, const struct run_result *run,
                        const struct result_fault *f)
{
    struct jsonw *j = &w->json;
    const struct recovery_times *t = &f->times;
    jsonw_object(j);
    jsonw_key_string(j, "fault", f->text);
    if (f->target != NULL && f->target[0] != '\0')
        jsonw_key_string(j, "target", f->target);
    key_node(w, f->node);
    jsonw_key_string(j, "phase", f->phase < run->phase_count ? run->phases[f->phase].name : NULL);
    key_instant(w, "start_ns", t->fault_start_ns);
    key_instant(w, "end_ns", t->fault_end_ns);
    key_elapsed(w, "first_error_after_start_ns", t->fault_start_ns, t->first_error_ns);
    key_elapsed(w, "breaker_open_after_start_ns", t->fault_start_ns, t->breaker_open_ns);
    key_elapsed(w, "first_success_after_end_ns", t->fault_end_ns, t->first_success_ns);
    key_elapsed(w, "steady_after_end_ns", t->fault_end_ns, t->steady_ns);
    jsonw_key_bool(j, "superseded", t->superseded);
    write_victims(j, &f->victims);
    jsonw_object_end(j);
}

static void write_faults(struct writer *w, const struct run_result *run)
{
    jsonw_key_array(&w->json, "faults");
    for (size_t i = 0; i < run->fault_count; i++)
        write_fault(w, run, &run->faults[i]);
    jsonw_array_end(&w->json);
}

static void write_baseline(struct jsonw *j, const struct run_result *run)
{
    const struct gate *g = &run->baseline;
    if (run->baseline_phase < 0) {
        jsonw_key_null(j, "baseline");
        return;
    }
    jsonw_key_object(j, "baseline");
    jsonw_key_bool(j, "ok", g->ok);
    jsonw_key_string(j, "reason", g->ok ? NULL : g->reason);
    jsonw_key_uint(j, "windows", g->windows);
    jsonw_key_uint(j, "succeeded", g->succeeded);
    jsonw_key_uint(j, "failed", g->failed);
    jsonw_key_double(j, "goodput_per_s", g->goodput_per_s);
    jsonw_key_double(j, "goodput_cv_ratio", g->goodput_cv);
    jsonw_object_end(j);
}

static void write_checks(struct jsonw *j, const struct run_result *run)
{
    static const char *const kinds[] = {
        [CHECK_HARD] = "hard",
        [CHECK_VALIDITY] = "validity",
        [CHECK_EXPECTED] = "expected",
    };
    jsonw_key_array(j, "checks");
    for (size_t i = 0; i < run->check_count; i++) {
        const struct check *c = &run->checks[i];
        jsonw_object(j);
        jsonw_key_string(j, "name", c->name);
        jsonw_key_string(j, "kind", kinds[c->kind]);
        jsonw_key_bool(j, "ok", c->ok);
        jsonw_key_string(j, "text", c->text);
        jsonw_key_string(j, "measured", c->measured);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_reasons(struct jsonw *j, const struct run_result *run)
{
    jsonw_key_string(j, "verdict", verdict_name(run->verdict));
    jsonw_key_array(j, "reasons");
    for (size_t i = 0; i < run->reason_count; i++)
        jsonw_string(j, run->reasons[i]);
    jsonw_array_end(j);
}

static void write_stalls(struct jsonw *j, const struct run_result *run)
{
    jsonw_key_int(j, "longest_operation_ns", run->longest_op_ns);
    jsonw_key_uint(j, "overdue", run->overdue);
    key_ns(j, "overdue_limit_ns", run->overdue_ns);
    jsonw_key_int(j, "sampler_lag_max_ns", run->sampler_lag_max_ns);
    if (run->leaked_connections < 0)
        jsonw_key_null(j, "leaked_connections");
    else
        jsonw_key_int(j, "leaked_connections", run->leaked_connections);
}

static void write_run(struct writer *w, const struct run_result *run)
{
    struct jsonw *j = &w->json;
    jsonw_object(j);
    jsonw_key_string(j, "scenario", run->scenario);
    jsonw_key_string(j, "description", run->description);
    key_seed(j, run->seed);
    key_instant(w, "start_ns", run->start_ns);
    key_instant(w, "end_ns", run->end_ns);
    key_ns(j, "timeout_ns", run->timeout_ns);
    jsonw_key_bool(j, "open_loop", run->open_loop);
    jsonw_key_bool(j, "interrupted", run->interrupted);
    jsonw_key_bool(j, "aborted", run->aborted);
    if (run->load_count > 0)
        write_named_values(j, "load", run->load, run->load_count);
    write_reasons(j, run);
    write_checks(j, run);
    key_counts(j, "counts", &run->total);
    key_latency(j, "service", &run->service);
    key_latency(j, "response", &run->response);
    key_latency(j, "service_failed", &run->service_failed);
    key_latency(j, "response_failed", &run->response_failed);
    write_stalls(j, run);
    write_baseline(j, run);
    figures_write(j, w->result, run);
    write_phases(w, run);
    write_ops(w, run);
    write_nodes(w, run);
    write_faults(w, run);
    write_transitions(w, run);
    write_intervals(w, run);
    jsonw_object_end(j);
}

/* ---- the session ---- */

static void write_started_at(struct jsonw *j, int64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / NS_PER_SEC);
    struct tm tm;
    char text[40] = "";
    if (gmtime_r(&seconds, &tm))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    jsonw_key_string(j, "started_at", text);
    jsonw_key_int(j, "start_unix_ns", unix_ns);
}

static void write_host(struct jsonw *j, const struct result_host *host)
{
    jsonw_key_object(j, "host");
    jsonw_key_string(j, "kernel", host->kernel);
    jsonw_key_uint(j, "cpus", host->cpus);
    jsonw_key_string(j, "memcached_version", host->memcached_version);
    jsonw_object_end(j);
}

static void write_targets(struct jsonw *j, const struct result *r)
{
    jsonw_key_array(j, "nodes");
    for (size_t i = 0; i < r->node_count; i++) {
        jsonw_object(j);
        jsonw_key_string(j, "name", r->nodes[i].name);
        jsonw_key_string(j, "address", r->nodes[i].address);
        jsonw_key_string(j, "proxy_address", r->nodes[i].proxy_address);
        jsonw_key_double(j, "key_share_ratio", r->nodes[i].key_share);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_verdicts(struct jsonw *j, const struct result *r)
{
    jsonw_key_string(j, "verdict", verdict_name(r->verdict));
    jsonw_key_int(j, "exit_code", verdict_exit_code(r->verdict));
    jsonw_key_object(j, "runs_by_verdict");
    for (int i = 0; i < VERDICT_COUNT; i++)
        jsonw_key_uint(j, verdict_name(i), r->verdicts[i]);
    jsonw_object_end(j);
}

static void write_skipped(struct jsonw *j, const struct result *r)
{
    jsonw_key_array(j, "skipped");
    for (size_t i = 0; i < r->skipped_count; i++) {
        jsonw_object(j);
        jsonw_key_string(j, "scenario", r->skipped[i].scenario);
        jsonw_key_string(j, "reason", r->skipped[i].reason);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

int report_json(FILE *out, const struct result *r)
{
    struct writer w = {.result = r};
    struct jsonw *j = &w.json;
    jsonw_init(j, out, JSONW_PRETTY);
    jsonw_object(j);
    jsonw_key_int(j, "schema_version", RESULT_SCHEMA_VERSION);
    jsonw_key_string(j, "memchaos_version", r->version);
    write_verdicts(j, r);
    key_seed(j, r->seed);
    jsonw_key_string(j, "command", r->command);
    write_started_at(j, r->start_unix_ns);
    key_elapsed(&w, "length_ns", r->start_ns, r->end_ns);
    write_host(j, &r->host);
    write_named_values(j, "options", r->options, r->option_count);
    write_targets(j, r);
    write_skipped(j, r);
    jsonw_key_uint(j, "runs_dropped", r->runs_dropped);
    spread_write(j, r);
    jsonw_key_array(j, "runs");
    for (size_t i = 0; i < r->run_count; i++)
        write_run(&w, r->runs[i]);
    jsonw_array_end(j);
    jsonw_object_end(j);
    return jsonw_finish(j);
}
