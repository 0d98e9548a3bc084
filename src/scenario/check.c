/* SPDX-License-Identifier: MIT */
#include "scenario/check.h"

#include "base/duration.h"
#include "base/suggest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_SIZE CHECK_PHASE_SIZE
#define NODE_MAX 64

#define PHASE CHECK_SCOPE_PHASE
#define NODES CHECK_SCOPE_NODES
#define BREAKER CHECK_SCOPE_BREAKER
#define ARGUMENT CHECK_SCOPE_ARGUMENT
const struct check_metric_info check_metrics[CHECK_METRIC_COUNT] = {
#define X(id, name, unit, scope, help) [CHECK_METRIC_##id] = {name, CHECK_UNIT_##unit, scope, help},
    CHECK_METRICS(X)
#undef X
};

const struct check_kind_info check_kinds[] = {
    {"timeout", {"connect_timeout", "io_timeout", "pool_timeout", "write_timeout"}},
    {"breaker_open", {"breaker_open", "breaker_busy"}}, /* refused by it, also while it probes */
    {"connection", {"refused", "reset", "closed", "closed_idle"}},
    {"invalid", {"invalid"}},
    {"resolve", {"resolve"}},
    {"refused", {"refused"}},
    {"connect_timeout", {"connect_timeout"}},
    {"tls", {"tls"}},
    {"auth", {"auth"}},
    {"reset", {"reset"}},
    {"closed", {"closed"}},
    {"closed_idle", {"closed_idle"}},
    {"write_timeout", {"write_timeout"}},
    {"io_timeout", {"io_timeout"}},
    {"pool_timeout", {"pool_timeout"}},
    {"breaker_busy", {"breaker_busy"}},
    {"protocol", {"protocol"}},
    {"server_error", {"server_error"}},
    {"too_large", {"too_large"}},
    {"client_error", {"client_error"}},
    {"local", {"local"}},
    {"other", {"other"}},
    {"wrong_value", {"wrong_value"}},
    {"corrupt", {"corrupt"}},
    {"truncated", {"truncated"}},
    {"stale", {"stale"}},
    {"resurrected", {"resurrected"}},
    {"future", {"future"}},
    {"wrong_count", {"wrong_count"}},
    {"accepted", {"accepted"}},
    {NULL, {NULL}},
};

static const char *const faulted_nodes = "faulted_nodes", *const other_nodes = "other_nodes";

struct parser {
    const char *text;
    const char *at; /* the next character */
    const char *const *phases;
    const char **failed_at;
    struct err *err;
};

/* ---- errors ---- */

static int fail(struct parser *p, const char *at)
{
    *p->failed_at = at;
    return -1;
}

#define FAIL(p, at, ...) (err_set((p)->err, __VA_ARGS__), fail(p, at))

static int fail_unknown(struct parser *p, const char *at, const char *what, const char *word,
                        const char *best)
{
    if (best != NULL)
        return FAIL(p, at, "unknown %s \"%s\"; did you mean \"%s\"?", what, word, best);
    return FAIL(p, at, "unknown %s \"%s\"", what, word);
}

/* ---- tokens ---- */

static void skip_spaces(struct parser *p)
{
    p->at += strspn(p->at, " \t");
}

static bool accept(struct parser *p, const char *token)
{
    skip_spaces(p);
    if (strncmp(p->at, token, strlen(token)) != 0)
        return false;
    p->at += strlen(token);
    return true;
}

static int expect(struct parser *p, const char *token)
{
    return accept(p, token) ? 0 : FAIL(p, p->at, "expected \"%s\" here", token);
}

static bool is_word(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && ((c >= '0' && c <= '9') || c == '-'));
}

/* A word may hold a '-', but not end with one. */
static int read_word(struct parser *p, const char *what, char out[static WORD_SIZE])
{
    skip_spaces(p);
    size_t n = 0;
    while (is_word(p->at[n], n == 0))
        n++;
    while (n > 0 && p->at[n - 1] == '-')
        n--;
    if (n == 0)
        return FAIL(p, p->at, "expected %s here", what);
    if (n >= WORD_SIZE)
        return FAIL(p, p->at, "this word is longer than %d bytes", WORD_SIZE - 1);
    memcpy(out, p->at, n);
    out[n] = '\0';
    p->at += n;
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "99", "0.40" */
static int read_number(struct parser *p, double *out)
{
    skip_spaces(p);
    char *end = NULL;
    size_t n = strspn(p->at, "0123456789.");
    char digits[32];
    if (n == 0 || n >= sizeof digits)
        return FAIL(p, p->at, n == 0 ? "expected a number here" : "this number is too long");
    memcpy(digits, p->at, n);
    digits[n] = '\0';
    *out = strtod(digits, &end);
    if (*end != '\0')
        return FAIL(p, p->at, "\"%s\" is not a number", digits);
    p->at += n;
    return 0;
}

/* ---- paths ---- */

/* "node2", "faulted_nodes" or "other_nodes". */
static bool nodes_by_name(const char *word, struct check_ref *ref)
{
    if (strcmp(word, faulted_nodes) == 0)
        ref->nodes = CHECK_NODES_FAULTED;
    else if (strcmp(word, other_nodes) == 0)
        ref->nodes = CHECK_NODES_OTHERS;
    else if (strncmp(word, "node", 4) == 0 && is_digit(word[4])) {
        char *end;
        unsigned long n = strtoul(word + 4, &end, 10);
        if (*end != '\0' || n < 1 || n > NODE_MAX)
            return false;
        ref->nodes = CHECK_NODES_ONE;
        ref->node = (unsigned)n - 1;
    } else
        return false;
    return true;
}

static bool is_phase(const struct parser *p, const char *word)
{
    for (size_t i = 0; p->phases[i] != NULL; i++)
        if (strcmp(p->phases[i], word) == 0)
            return true;
    return false;
}

static int fail_unknown_scope(struct parser *p, const char *at, const char *word, bool phases)
{
    struct suggest nearest = suggest_start(word);
    for (size_t i = 0; phases && p->phases[i] != NULL; i++)
        suggest_offer(&nearest, p->phases[i]);
    suggest_offer(&nearest, faulted_nodes);
    suggest_offer(&nearest, other_nodes);
    suggest_offer(&nearest, "node1");
    return fail_unknown(p, at, phases ? "phase or node" : "node", word, nearest.best);
}

static int find_metric(struct parser *p, const char *at, const char *word, struct check_ref *ref)
{
    struct suggest nearest = suggest_start(word);
    for (int i = 0; i < CHECK_METRIC_COUNT; i++) {
        if (strcmp(check_metrics[i].name, word) == 0) {
            ref->metric = (enum check_metric)i;
            return 0;
        }
        suggest_offer(&nearest, check_metrics[i].name);
    }
    return fail_unknown(p, at, "metric", word, nearest.best);
}

static int read_argument(struct parser *p, struct check_ref *ref)
{
    static const double percentiles[] = {50, 90, 95, 99, 99.9};
    bool takes = check_metrics[ref->metric].scope & ARGUMENT;
    const char *name = check_metrics[ref->metric].name, *at = p->at;
    if (!takes && *p->at == '(')
        return FAIL(p, at, "%s takes no number", name);
    if (!takes)
        return 0;
    if (!accept(p, "("))
        return FAIL(p, at, "%s needs a percentile: %s(99)", name, name);
    skip_spaces(p);
    at = p->at;
    if (read_number(p, &ref->argument) != 0)
        return -1;
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++)
        if (ref->argument == percentiles[i])
            return expect(p, ")");
    return FAIL(p, at, "%s is known for 50, 90, 95, 99 and 99.9", name);
}

/* May this metric be asked of that? */
static int check_scope(struct parser *p, const char *at, const struct check_ref *ref,
                       bool has_breaker)
{
    const struct check_metric_info *m = &check_metrics[ref->metric];
    if (has_breaker && !(m->scope & BREAKER))
        return FAIL(p, at, "%s is no figure of a breaker", m->name);
    if (!has_breaker && (m->scope & BREAKER))
        return FAIL(p, at, "%s belongs to a breaker: breaker(node1).%s", m->name, m->name);
    if (ref->phase[0] != '\0' && !(m->scope & PHASE))
        return FAIL(p, at, "%s is not known by phase", m->name);
    if (ref->nodes != CHECK_NODES_ALL && !(m->scope & (NODES | BREAKER)))
        return FAIL(p, at, "%s is not known by node", m->name);
    return 0;
}

static int read_breaker(struct parser *p, struct check_ref *ref)
{
    char word[WORD_SIZE];
    if (expect(p, "(") != 0)
        return -1;
    skip_spaces(p);
    const char *at = p->at;
    if (read_word(p, "a node", word) != 0)
        return -1;
    if (!nodes_by_name(word, ref))
        return fail_unknown_scope(p, at, word, false);
    return expect(p, ")") != 0 ? -1 : expect(p, ".");
}

/* Phase, nodes and breaker, in this order; what is left in `word` is the metric. */
static int read_scopes(struct parser *p, const char **at, char word[static WORD_SIZE],
                       struct check_ref *ref, bool *breaker)
{
    bool phase_may_come = true;
    for (;;) {
        skip_spaces(p);
        *at = p->at;
        if (read_word(p, "a metric", word) != 0)
            return -1;
        if (strcmp(word, "breaker") == 0 && *p->at == '(' && ref->nodes == CHECK_NODES_ALL) {
            *breaker = true;
            if (read_breaker(p, ref) != 0)
                return -1;
        } else if (*p->at != '.') {
            return 0;
        } else if (phase_may_come && is_phase(p, word)) {
            memcpy(ref->phase, word, sizeof ref->phase);
            phase_may_come = false;
            p->at++;
        } else if (ref->nodes == CHECK_NODES_ALL && nodes_by_name(word, ref)) {
            phase_may_come = false;
            p->at++;
        } else {
            return fail_unknown_scope(p, *at, word, phase_may_come);
        }
    }
}

static int read_path(struct parser *p, struct check_ref *ref)
{
    char word[WORD_SIZE] = "";
    const char *at = p->at;
    bool breaker = false;
    *ref = (struct check_ref){0};
    if (read_scopes(p, &at, word, ref, &breaker) != 0 || find_metric(p, at, word, ref) != 0 ||
        check_scope(p, at, ref, breaker) != 0)
        return -1;
    return read_argument(p, ref);
}

/* ---- terms ---- */

static const char *unit_example(enum check_unit unit)
{
    return unit == CHECK_UNIT_DURATION ? "a duration: write 5ms"
           : unit == CHECK_UNIT_RATIO  ? "a share: write 0.4 or 40%"
                                       : "a number";
}

static int unit_fail(struct parser *p, const char *at, const struct check_rule *rule)
{
    return FAIL(p, at, "%s is %s", check_metrics[rule->left.metric].name,
                unit_example(check_metrics[rule->left.metric].unit));
}

/* The bytes of "1m30s", "40%", "10k", "0.4", "250µs". */
static size_t constant_length(const char *text)
{
    size_t n = 0;
    while (is_digit(text[n]) || is_word(text[n], true) || text[n] == '.' || text[n] == '%' ||
           (unsigned char)text[n] >= 0x80)
        n++;
    return n;
}

/* The factor of a number's last letter; 0 when it is none. */
static double suffix_factor(char c)
{
    return c == '%' ? 0.01 : c == 'k' ? 1e3 : c == 'M' ? 1e6 : 0;
}

/* A constant without a duration's unit. */
static bool plain_constant(const char *word, double *value)
{
    char *end;
    if (word[strspn(word, "0123456789.")] != '\0' && word[strspn(word, "0123456789.") + 1] != '\0')
        return false;
    *value = strtod(word, &end);
    if (*end == '\0')
        return true;
    *value *= suffix_factor(*end);
    return end[1] == '\0' && suffix_factor(*end) != 0;
}

static int read_constant(struct parser *p, const struct check_rule *rule, struct check_term *term)
{
    char word[DURATION_TEXT_SIZE];
    const char *at = p->at;
    enum check_unit unit = check_metrics[rule->left.metric].unit;
    size_t n = constant_length(at);
    if (n >= sizeof word)
        return FAIL(p, at, "this number is too long");
    memcpy(word, at, n);
    word[n] = '\0';
    p->at += n;
    *term = (struct check_term){.kind = CHECK_TERM_CONSTANT};
    if (plain_constant(word, &term->factor)) {
        bool percent = n > 0 && word[n - 1] == '%';
        if ((unit == CHECK_UNIT_DURATION && (term->factor != 0 || percent)) ||
            (unit != CHECK_UNIT_RATIO && percent))
            return unit_fail(p, at, rule);
        return 0;
    }
    ns_t duration;
    struct err reason;
    if (duration_parse(word, &duration, &reason) != 0)
        return FAIL(p, at, "\"%s\" is no number and no duration such as 250ms", word);
    if (unit != CHECK_UNIT_DURATION)
        return unit_fail(p, at, rule);
    term->factor = (double)duration;
    return 0;
}

/* A name or a metric of the same unit as the left side. */
static int read_operand(struct parser *p, const struct check_rule *rule, struct check_term *term)
{
    static const struct {
        const char *name;
        enum check_term_kind kind;
        enum check_unit unit;
    } names[] = {
        {"timeout", CHECK_TERM_TIMEOUT, CHECK_UNIT_DURATION},
        {"healthy_share", CHECK_TERM_HEALTHY_SHARE, CHECK_UNIT_RATIO},
    };
    char word[WORD_SIZE];
    skip_spaces(p);
    const char *at = p->at;
    enum check_unit unit = CHECK_UNIT_KINDS, wanted = check_metrics[rule->left.metric].unit;
    if (read_word(p, "a number, timeout, healthy_share or a metric", word) != 0)
        return -1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(word, names[i].name) == 0) {
            term->kind = names[i].kind;
            unit = names[i].unit;
        }
    }
    if (unit == CHECK_UNIT_KINDS) {
        p->at = at;
        term->kind = CHECK_TERM_METRIC;
        if (read_path(p, &term->ref) != 0)
            return -1;
        unit = check_metrics[term->ref.metric].unit;
    }
    if (unit != wanted)
        return unit_fail(p, at, rule);
    return 0;
}

static int read_term(struct parser *p, const struct check_rule *rule, struct check_term *term)
{
    skip_spaces(p);
    *term = (struct check_term){.factor = 1};
    if (!is_digit(*p->at) && *p->at != '.')
        return read_operand(p, rule, term);
    const char *at = p->at;
    p->at += constant_length(at);
    bool times = accept(p, "*");
    p->at = at;
    if (!times)
        return read_constant(p, rule, term);
    return read_number(p, &term->factor) != 0 || expect(p, "*") != 0 ? -1
                                                                     : read_operand(p, rule, term);
}

static int read_sum(struct parser *p, struct check_rule *rule)
{
    double sign = accept(p, "-") ? -1 : 1;
    for (;;) {
        if (rule->term_count == CHECK_TERMS_MAX)
            return FAIL(p, p->at, "more than %d terms", CHECK_TERMS_MAX);
        struct check_term *term = &rule->terms[rule->term_count];
        if (read_term(p, rule, term) != 0)
            return -1;
        term->factor *= sign;
        rule->term_count++;
        if (accept(p, "+"))
            sign = 1;
        else if (accept(p, "-"))
            sign = -1;
        else
            return 0;
    }
}

/* ---- the whole ---- */

static int read_kind(struct parser *p, uint64_t *kinds)
{
    char word[WORD_SIZE];
    skip_spaces(p);
    const char *at = p->at;
    if (read_word(p, "a kind of error", word) != 0)
        return -1;
    struct suggest nearest = suggest_start(word);
    for (size_t i = 0; check_kinds[i].name != NULL; i++) {
        if (strcmp(check_kinds[i].name, word) == 0) {
            *kinds |= UINT64_C(1) << i;
            return 0;
        }
        suggest_offer(&nearest, check_kinds[i].name);
    }
    return fail_unknown(p, at, "kind of error", word, nearest.best);
}

static int read_only(struct parser *p, struct check_rule *rule)
{
    if (!accept(p, "only"))
        return FAIL(p, p->at, "errors is a set: errors only [timeout, breaker_open]");
    rule->op = CHECK_OP_ONLY;
    if (expect(p, "[") != 0)
        return -1;
    if (accept(p, "]"))
        return 0; /* none at all */
    do {
        if (read_kind(p, &rule->kinds) != 0)
            return -1;
    } while (accept(p, ","));
    return expect(p, "]");
}

static int read_op(struct parser *p, enum check_op *op)
{
    static const struct {
        const char *text;
        enum check_op op;
    } ops[] = {{"<=", CHECK_OP_LE}, {">=", CHECK_OP_GE}, {"==", CHECK_OP_EQ},
               {"!=", CHECK_OP_NE}, {"<", CHECK_OP_LT},  {">", CHECK_OP_GT}};
    skip_spaces(p);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (accept(p, ops[i].text)) {
            *op = ops[i].op;
            return 0;
        }
    }
    return FAIL(p, p->at, "expected one of <, <=, >, >=, == and != here");
}

static int read_rule(struct parser *p, struct check_rule *rule)
{
    if (read_path(p, &rule->left) != 0)
        return -1;
    if (rule->left.metric == CHECK_METRIC_ERRORS) {
        if (read_only(p, rule) != 0)
            return -1;
    } else if (read_op(p, &rule->op) != 0 || read_sum(p, rule) != 0) {
        return -1;
    }
    skip_spaces(p);
    return *p->at == '\0' ? 0 : FAIL(p, p->at, "expected the end of the check here");
}

int check_parse(const char *text, const char *const *phases, struct check_rule *out, size_t *at,
                struct err *err)
{
    const char *failed_at = text;
    struct parser p = {
        .text = text, .at = text, .phases = phases, .failed_at = &failed_at, .err = err};
    *out = (struct check_rule){0};
    *at = 0;
    if (strlen(text) >= sizeof out->text)
        return err_set(err, "longer than %zu bytes", sizeof out->text - 1);
    memcpy(out->text, text, strlen(text) + 1);
    int rc = read_rule(&p, out);
    *at = (size_t)(failed_at - text);
    return rc;
}

const char *check_ref_text(const struct check_ref *ref, char *out, size_t size)
{
    char nodes[32] = "", argument[32] = "";
    const struct check_metric_info *m = &check_metrics[ref->metric];
    if (ref->nodes == CHECK_NODES_ONE)
        snprintf(nodes, sizeof nodes, "node%u", ref->node + 1);
    else if (ref->nodes != CHECK_NODES_ALL)
        snprintf(nodes, sizeof nodes, "%s",
                 ref->nodes == CHECK_NODES_FAULTED ? faulted_nodes : other_nodes);
    if (m->scope & ARGUMENT)
        snprintf(argument, sizeof argument, "(%g)", ref->argument);
    bool breaker = (m->scope & BREAKER) && nodes[0] != '\0';
    snprintf(out, size, "%s%s%s%s%s%s%s", ref->phase, ref->phase[0] != '\0' ? "." : "",
             breaker ? "breaker(" : "", nodes,
             breaker            ? ")."
             : nodes[0] != '\0' ? "."
                                : "",
             m->name, argument);
    return out;
}
