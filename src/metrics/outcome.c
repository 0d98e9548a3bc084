/* SPDX-License-Identifier: MIT */
#include "metrics/outcome.h"

#include <assert.h>
#include <string.h>

static const char *const op_names[OP_COUNT] = {
#define X(id, name) [OP_##id] = name,
    OPS(X)
#undef X
};

static const struct {
    const char *name;
    const char *text;
} outcomes[OUTCOME_COUNT] = {
#define X(id, name, class, text) [OUTCOME_##id] = {name, text},
    OUTCOMES(X)
#undef X
};

const char *op_name(enum op op)
{
    assert(op < OP_COUNT);
    return op_names[op];
}

int op_by_name(const char *name)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (strcmp(op_names[i], name) == 0)
            return i;
    }
    return -1;
}

const char *outcome_name(enum outcome outcome)
{
    assert(outcome < OUTCOME_COUNT);
    return outcomes[outcome].name;
}

const char *outcome_text(enum outcome outcome)
{
    assert(outcome < OUTCOME_COUNT);
    return outcomes[outcome].text;
}

int outcome_by_name(const char *name)
{
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (strcmp(outcomes[i].name, name) == 0)
            return i;
    }
    return -1;
}
