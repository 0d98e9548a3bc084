/* SPDX-License-Identifier: MIT */
#include "report/result.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_code;
} verdicts[VERDICT_COUNT] = {
    [VERDICT_PASSED] = {"passed", 0},
    [VERDICT_INTERRUPTED] = {"interrupted", 105},
    [VERDICT_INVALID] = {"invalid", 98},
    [VERDICT_FAILED] = {"failed", 99},
};

const char *verdict_name(enum verdict verdict)
{
    assert(verdict < VERDICT_COUNT);
    return verdicts[verdict].name;
}

int verdict_exit_code(enum verdict verdict)
{
    assert(verdict < VERDICT_COUNT);
    return verdicts[verdict].exit_code;
}

enum verdict verdict_worse(enum verdict a, enum verdict b)
{
    /* The enum is in this order. */
    return a > b ? a : b;
}

struct result *result_new(size_t node_count)
{
    struct result *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->version = r->command = "";
    r->host = (struct result_host){.kernel = "", .memcached_version = ""};
    r->node_count = node_count;
    r->nodes = arena_array(&r->arena, node_count, sizeof(*r->nodes));
    r->runs = calloc(RESULT_RUNS_MAX, sizeof(struct run_result *));
    if (!r->nodes || !r->runs) {
        result_free(r);
        return NULL;
    }
    return r;
}

void result_free(struct result *r)
{
    if (!r)
        return;
    for (size_t i = 0; r->runs && i < r->run_count; i++)
        run_result_free(r->runs[i]);
    free(r->runs);
    arena_deinit(&r->arena);
    free(r);
}

struct run_result *run_result_new(size_t node_count)
{
    struct run_result *run = calloc(1, sizeof(*run));
    if (!run)
        return NULL;
    run->scenario = run->description = "";
    run->baseline_phase = -1;
    run->overdue_ns = NS_NEVER;
    run->leaked_connections = -1;
    run->node_count = node_count;
    run->nodes = arena_array(&run->arena, node_count, sizeof(*run->nodes));
    if (!run->nodes) {
        run_result_free(run);
        return NULL;
    }
    return run;
}

void run_result_free(struct run_result *run)
{
    if (!run)
        return;
    arena_deinit(&run->arena);
    free(run);
}

double result_load_share(const struct run_result *run, unsigned node)
{
    uint64_t all = 0;
    for (size_t i = 0; i < run->node_count; i++)
        all += run->nodes[i].counts.attempted;
    return all > 0 ? (double)run->nodes[node].counts.attempted / (double)all : 0;
}

void result_add_run(struct result *r, struct run_result *run)
{
    if (r->run_count == RESULT_RUNS_MAX) {
        run_result_free(r->runs[0]);
        memmove(r->runs, r->runs + 1, (RESULT_RUNS_MAX - 1) * sizeof(struct run_result *));
        r->run_count--;
        r->runs_dropped++;
    }
    r->runs[r->run_count++] = run;
    r->verdicts[run->verdict]++;
    r->verdict = verdict_worse(r->verdict, run->verdict);
}
