/* SPDX-License-Identifier: MIT */
#include "scenario/target.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

static const struct {
    const char *word;
    enum target_kind kind;
} plain[] = {
    {"all", TARGET_ALL},           {"one", TARGET_ONE},         {"minority", TARGET_MINORITY},
    {"majority", TARGET_MAJORITY}, {"hottest", TARGET_HOTTEST},
};

const char *const target_words[] = {"all", "one", "minority", "majority", "hottest", NULL};
const char *const target_words_with_numbers[] = {"node", "nodes", "random", NULL};

/* The numbers of a list such as " 1 3", from 1 to the most nodes there can be. Returns how many, or
 * 0 when it is not such a list. */
static size_t numbers_of(const char *list, unsigned *out, size_t max)
{
    size_t count = 0;
    while (*list == ' ') {
        char *end;
        unsigned long n = strtoul(list, &end, 10);
        if (end == list || n < 1 || n > TARGET_NODES_MAX || count == max)
            return 0;
        out[count++] = (unsigned)n;
        list = end;
    }
    return *list == '\0' ? count : 0;
}

static bool word_is(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncmp(text, word, length) == 0;
}

static int target_unknown(const char *text, size_t length, struct err *err)
{
    char word[32];
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    struct suggest nearest = suggest_start(word);
    for (size_t i = 0; target_words[i] != NULL; i++)
        suggest_offer(&nearest, target_words[i]);
    for (size_t i = 0; target_words_with_numbers[i] != NULL; i++)
        suggest_offer(&nearest, target_words_with_numbers[i]);
    if (nearest.best != NULL && strcmp(nearest.best, word) != 0)
        return err_set(err, "unknown target \"%.60s\"; did you mean \"%s\"?", text, nearest.best);
    return err_set(err, "target must be all, one, minority, majority, hottest, \"node N\", "
                        "\"nodes N M\" (counted from 1) or \"random COUNT\"");
}

int target_parse(const char *text, struct target *out, struct err *err)
{
    size_t length = strcspn(text, " ");
    unsigned numbers[TARGET_NODES_MAX];
    size_t count = numbers_of(text + length, numbers, TARGET_NODES_MAX);
    *out = (struct target){0};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (strcmp(text, plain[i].word) == 0) {
            out->kind = plain[i].kind;
            return 0;
        }
    }
    if (word_is(text, length, "random") && count == 1) {
        *out = (struct target){.kind = TARGET_RANDOM, .count = numbers[0]};
        return 0;
    }
    if (count > 0 &&
        (word_is(text, length, "nodes") || (word_is(text, length, "node") && count == 1))) {
        for (size_t i = 0; i < count; i++)
            out->nodes |= UINT64_C(1) << (numbers[i] - 1);
        return 0;
    }
    return target_unknown(text, length, err);
}

static void nodes_text(uint64_t nodes, char *text, size_t size)
{
    bool several = (nodes & (nodes - 1)) != 0;
    size_t used = (size_t)snprintf(text, size, "node%s", several ? "s" : "");
    for (unsigned i = 0; i < TARGET_NODES_MAX; i++)
        if (nodes & (UINT64_C(1) << i))
            used += (size_t)snprintf(text + used, size - used, " %u", i + 1);
}

const char *target_text(const struct target *target, char text[static TARGET_TEXT_SIZE])
{
    if (target->kind == TARGET_NODES)
        nodes_text(target->nodes, text, TARGET_TEXT_SIZE);
    else if (target->kind == TARGET_RANDOM)
        snprintf(text, TARGET_TEXT_SIZE, "random %u", target->count);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (plain[i].kind == target->kind)
            snprintf(text, TARGET_TEXT_SIZE, "%s", plain[i].word);
    return text;
}

/* The first `count` of all nodes after a shuffle. */
static size_t draw(size_t count, size_t node_count, struct rng *rng, size_t *out)
{
    size_t all[TARGET_NODES_MAX];
    for (size_t i = 0; i < node_count; i++)
        all[i] = i;
    for (size_t i = 0; i < count; i++) {
        size_t other = i + (size_t)rng_below(rng, node_count - i);
        out[i] = all[other];
        all[other] = all[i];
    }
    return count;
}

static size_t hottest(size_t node_count, const double *key_shares, size_t *out, struct err *err)
{
    size_t best = 0;
    for (size_t i = 1; key_shares != NULL && i < node_count; i++)
        if (key_shares[i] > key_shares[best])
            best = i;
    if (key_shares == NULL || !(key_shares[best] > 0)) {
        err_set(err, "the client does not tell which node has the most keys, so there is no "
                     "hottest node");
        return 0;
    }
    out[0] = best;
    return 1;
}

static size_t named_nodes(uint64_t nodes, size_t node_count, size_t *out, struct err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < TARGET_NODES_MAX; i++) {
        if (!(nodes & (UINT64_C(1) << i)))
            continue;
        if (i >= node_count) {
            err_set(err, "there is no node %zu, only %zu", i + 1, node_count);
            return 0;
        }
        out[count++] = i;
    }
    return count;
}

size_t target_resolve(const struct target *target, size_t node_count, const double *key_shares,
                      struct rng *rng, size_t out[static TARGET_NODES_MAX], struct err *err)
{
    assert(node_count >= 1 && node_count <= TARGET_NODES_MAX);
    size_t count = 1;
    switch (target->kind) {
    case TARGET_NODES: return named_nodes(target->nodes, node_count, out, err);
    case TARGET_HOTTEST: return hottest(node_count, key_shares, out, err);
    case TARGET_ALL:
        for (size_t i = 0; i < node_count; i++)
            out[i] = i;
        return node_count;
    case TARGET_ONE: break;
    case TARGET_MINORITY: count = (node_count - 1) / 2; break;
    case TARGET_MAJORITY: count = node_count / 2 + 1; break;
    case TARGET_RANDOM: count = target->count; break;
    }
    if (count == 0)
        err_set(err, "%zu node%s have no minority; there must be 3 at least", node_count,
                node_count == 1 ? "" : "s");
    else if (count > node_count)
        err_set(err, "%zu random nodes are wanted, and there are %zu", count, node_count);
    else
        return draw(count, node_count, rng, out);
    return 0;
}
