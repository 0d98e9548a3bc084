/* SPDX-License-Identifier: MIT */
#include "report/event.h"

#include "base/jsonw.h"

const char *check_kind_name(enum check_kind kind)
{
    static const char *const names[] = {
        [CHECK_HARD] = "hard", [CHECK_VALIDITY] = "validity", [CHECK_EXPECTED] = "expected"};
    return names[kind];
}

/* The beginning of every line. */
static struct jsonw begin(const struct event_stream *s, const char *event, ns_t at)
{
    struct jsonw j;
    jsonw_init(&j, s->out, JSONW_COMPACT);
    jsonw_object(&j);
    jsonw_key_string(&j, "event", event);
    jsonw_key_int(&j, "at_ns", at - s->result->start_ns);
    if (s->run > 0)
        jsonw_key_uint(&j, "run", s->run);
    return j;
}

static void end(struct jsonw *j)
{
    jsonw_object_end(j);
    jsonw_finish(j); /* the stream remembers an error */
}

static void key_node(struct jsonw *j, const struct event_stream *s, unsigned node)
{
    jsonw_key_string(j, "node", node < s->result->node_count ? s->result->nodes[node].name : NULL);
}

static void key_seed(struct jsonw *j, uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
    jsonw_key_string(j, "seed", text);
}

void event_session_start(const struct event_stream *s)
{
    const struct result *r = s->result;
    struct jsonw j = begin(s, "session_start", r->start_ns);
    jsonw_key_int(&j, "schema_version", EVENT_SCHEMA_VERSION);
    jsonw_key_string(&j, "memchaos_version", r->version);
    jsonw_key_int(&j, "start_unix_ns", r->start_unix_ns);
    key_seed(&j, r->seed);
    jsonw_key_string(&j, "command", r->command);
    jsonw_key_array(&j, "nodes");
    for (size_t i = 0; i < r->node_count; i++)
        jsonw_string(&j, r->nodes[i].name);
    jsonw_array_end(&j);
    end(&j);
}

void event_run_start(const struct event_stream *s, ns_t at, const char *scenario, uint64_t seed)
{
    struct jsonw j = begin(s, "run_start", at);
    jsonw_key_string(&j, "scenario", scenario);
    key_seed(&j, seed);
    end(&j);
}

void event_phase(const struct event_stream *s, ns_t at, const char *name)
{
    struct jsonw j = begin(s, "phase", at);
    jsonw_key_string(&j, "phase", name);
    end(&j);
}

void event_fault(const struct event_stream *s, ns_t at, bool on, const char *text, unsigned node)
{
    struct jsonw j = begin(s, on ? "fault_on" : "fault_off", at);
    jsonw_key_string(&j, "fault", text);
    key_node(&j, s, node);
    end(&j);
}

void event_breaker(const struct event_stream *s, const struct transition *t)
{
    struct jsonw j = begin(s, "breaker", t->at_ns);
    key_node(&j, s, t->node);
    jsonw_key_string(&j, "from", breaker_view_name(t->from));
    jsonw_key_string(&j, "to", breaker_view_name(t->to));
    jsonw_key_string(&j, "cause", t->cause);
    end(&j);
}

static void key_latency(struct jsonw *j, const struct latency *l)
{
    jsonw_key_object(j, "service");
    jsonw_key_uint(j, "count", l->count);
    jsonw_key_int(j, "p50_ns", l->p50_ns);
    jsonw_key_int(j, "p90_ns", l->p90_ns);
    jsonw_key_int(j, "p95_ns", l->p95_ns);
    jsonw_key_int(j, "p99_ns", l->p99_ns);
    jsonw_key_int(j, "p999_ns", l->p999_ns);
    jsonw_key_int(j, "max_ns", l->max_ns);
    jsonw_object_end(j);
}

static void key_nodes(struct jsonw *j, const struct event_stream *s, const struct interval *e)
{
    jsonw_key_array(j, "nodes");
    for (unsigned i = 0; i < s->result->node_count; i++) {
        const struct interval_node *n = &e->nodes[i];
        jsonw_object(j);
        key_node(j, s, i);
        jsonw_key_uint(j, "succeeded", n->succeeded);
        jsonw_key_uint(j, "failed", n->failed);
        jsonw_key_string(j, "breaker", breaker_view_name(n->stats.breaker));
        jsonw_key_uint(j, "pool_active", n->stats.pool_active);
        jsonw_key_uint(j, "pool_idle", n->stats.pool_idle);
        jsonw_key_uint(j, "pool_total", n->stats.pool_total);
        jsonw_key_uint(j, "pool_waiting", n->stats.pool_waiting);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

void event_interval(const struct event_stream *s, const struct interval *e, const char *phase)
{
    struct jsonw j = begin(s, "interval", e->end_ns);
    jsonw_key_int(&j, "start_ns", e->start_ns - s->result->start_ns);
    jsonw_key_string(&j, "phase", phase);
    jsonw_key_uint(&j, "offered", e->offered);
    jsonw_key_uint(&j, "dropped", e->dropped);
    jsonw_key_uint(&j, "succeeded", e->succeeded);
    jsonw_key_uint(&j, "failed", e->failed);
    jsonw_key_object(&j, "outcomes");
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (e->by_outcome[i] > 0)
            jsonw_key_uint(&j, outcome_name(i), e->by_outcome[i]);
    }
    jsonw_object_end(&j);
    key_latency(&j, &e->service);
    key_nodes(&j, s, e);
    end(&j);
}

void event_check(const struct event_stream *s, ns_t at, const struct check *c)
{
    struct jsonw j = begin(s, "check", at);
    jsonw_key_string(&j, "name", c->name);
    jsonw_key_string(&j, "kind", check_kind_name(c->kind));
    jsonw_key_bool(&j, "ok", c->ok);
    jsonw_key_string(&j, "text", c->text);
    jsonw_key_string(&j, "measured", c->measured);
    end(&j);
}

void event_run_end(const struct event_stream *s, const struct run_result *run)
{
    struct jsonw j = begin(s, "run_end", run->end_ns);
    jsonw_key_string(&j, "scenario", run->scenario);
    jsonw_key_string(&j, "verdict", verdict_name(run->verdict));
    jsonw_key_array(&j, "reasons");
    for (size_t i = 0; i < run->reason_count; i++)
        jsonw_string(&j, run->reasons[i]);
    jsonw_array_end(&j);
    end(&j);
}

void event_session_end(const struct event_stream *s)
{
    const struct result *r = s->result;
    struct jsonw j = begin(s, "session_end", r->end_ns);
    jsonw_key_string(&j, "verdict", verdict_name(r->verdict));
    jsonw_key_int(&j, "exit_code", verdict_exit_code(r->verdict));
    end(&j);
}
