/* SPDX-License-Identifier: MIT */
#include "base/flag.h"

#include "base/duration.h"
#include "base/suggest.h"
#include "base/wrap.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where the help text of a flag starts; a longer flag gets a line of its own. */
#define HELP_COLUMN 30
/* Columns of a line of help. */
#define HELP_WIDTH 100

enum { VALUE_TEXT_SIZE = 64 };

/* One row per kind: how it is called in the help, and what a bad value is told. */
static const struct {
    const char *metavar;
    const char *wanted;
} kinds[] = {
    [FLAG_STRING] = {"string", "a text"},
    [FLAG_BOOL] = {"", "true or false"},
    [FLAG_INT] = {"int", "a whole number"},
    [FLAG_UINT64] = {"uint", "a whole number, not negative"},
    [FLAG_DOUBLE] = {"number", "a number"},
    [FLAG_DURATION] = {"duration", "a duration like 250ms, 10s or 1m30s"},
    [FLAG_SIZE] = {"size", "a size like 512, 64KB or 1.5MB"},
    [FLAG_CHOICE] = {"name", "one of the names"},
    [FLAG_LIST] = {"text", "a text"},
};

static const char *limit_text(const struct flag *f, double limit, char buf[static VALUE_TEXT_SIZE])
{
    if (f->kind == FLAG_DURATION)
        return duration_text((ns_t)limit, buf);
    snprintf(buf, VALUE_TEXT_SIZE, "%.15g%s", limit, f->kind == FLAG_SIZE ? " bytes" : "");
    return buf;
}

static int bad_value(const struct flag *f, const char *text, const char *wanted, struct err *err)
{
    return err_set(err, "invalid value \"%.80s\" for flag -%s: must be %s", text, f->name, wanted);
}

static int bad_kind(const struct flag *f, const char *text, struct err *err)
{
    return bad_value(f, text, kinds[f->kind].wanted, err);
}

static int check_range(const struct flag *f, const char *text, double value, struct err *err)
{
    if (value >= f->min && (f->max == 0 || value <= f->max))
        return 0;
    char low[VALUE_TEXT_SIZE], high[VALUE_TEXT_SIZE], wanted[3 * VALUE_TEXT_SIZE];
    limit_text(f, f->min, low);
    if (f->max == 0)
        snprintf(wanted, sizeof wanted, "at least %s", low);
    else
        snprintf(wanted, sizeof wanted, "from %s to %s", low, limit_text(f, f->max, high));
    return bad_value(f, text, wanted, err);
}

static int set_bool(const struct flag *f, const char *text, struct err *err)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {
        {"true", true},   {"1", true},    {"t", true},      {"True", true},
        {"TRUE", true},   {"T", true},    {"yes", true},    {"on", true},
        {"false", false}, {"0", false},   {"f", false},     {"F", false},
        {"no", false},    {"off", false}, {"False", false}, {"FALSE", false},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i].text) == 0) {
            *(bool *)f->target = words[i].value;
            return 0;
        }
    return bad_kind(f, text, err);
}

/* The C library skips leading blanks, which would let "-n ' 5'" pass; numbers start with what they
 * are. */
static bool starts_as_number(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    return (*text >= '0' && *text <= '9') || *text == '.';
}

static int set_int(const struct flag *f, const char *text, struct err *err)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (!starts_as_number(text) || *end != '\0' || errno != 0 || value > INT32_MAX ||
        value < INT32_MIN)
        return bad_kind(f, text, err);
    if (check_range(f, text, (double)value, err) != 0)
        return -1;
    *(int *)f->target = (int)value;
    return 0;
}

static int set_uint64(const struct flag *f, const char *text, struct err *err)
{
    char *end;
    errno = 0;
    int base = strncmp(text, "0x", 2) == 0 ? 16 : 10;
    unsigned long long value = strtoull(text, &end, base);
    if (!starts_as_number(text) || *text == '-' || *end != '\0' || errno != 0)
        return bad_kind(f, text, err);
    if (check_range(f, text, (double)value, err) != 0)
        return -1;
    *(uint64_t *)f->target = value;
    return 0;
}

static int set_double(const struct flag *f, const char *text, struct err *err)
{
    char *end;
    double value = strtod(text, &end);
    if (!starts_as_number(text) || *end != '\0' || !isfinite(value))
        return bad_kind(f, text, err);
    if (check_range(f, text, value, err) != 0)
        return -1;
    *(double *)f->target = value;
    return 0;
}

static int set_duration(const struct flag *f, const char *text, struct err *err)
{
    ns_t value;
    if (duration_parse(text, &value, NULL) != 0)
        return bad_kind(f, text, err);
    if (check_range(f, text, (double)value, err) != 0)
        return -1;
    *(ns_t *)f->target = value;
    return 0;
}

static int set_size(const struct flag *f, const char *text, struct err *err)
{
    static const struct {
        const char *suffix;
        double factor;
    } units[] = {
        {"", 1},         {"b", 1},       {"k", 0x1p10},   {"kb", 0x1p10},  {"kib", 0x1p10},
        {"m", 0x1p20},   {"mb", 0x1p20}, {"mib", 0x1p20}, {"g", 0x1p30},   {"gb", 0x1p30},
        {"gib", 0x1p30}, {"t", 0x1p40},  {"tb", 0x1p40},  {"tib", 0x1p40},
    };
    if (!starts_as_number(text) || strncasecmp(text, "0x", 2) == 0)
        return bad_kind(f, text, err);
    char *end;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcasecmp(end, units[i].suffix) != 0)
            continue;
        value *= units[i].factor;
        if (!(value < 0x1p63))
            return bad_kind(f, text, err);
        if (check_range(f, text, value, err) != 0)
            return -1;
        *(uint64_t *)f->target = (uint64_t)value;
        return 0;
    }
    return bad_kind(f, text, err);
}

static int set_choice(const struct flag *f, const char *text, struct err *err)
{
    char names[256] = "";
    size_t used = 0;
    for (int i = 0; f->choices[i] != NULL; i++) {
        if (strcmp(text, f->choices[i]) == 0) {
            *(int *)f->target = i;
            return 0;
        }
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                     f->choices[i]);
    }
    const char *near = suggest_best(text, f->choices);
    err_set(err, "invalid value \"%.80s\" for flag -%s: must be one of %s%s%s%s", text, f->name,
            names, near != NULL ? "; did you mean " : "", near != NULL ? near : "",
            near != NULL ? "?" : "");
    return -1;
}

static int add_to_list(const struct flag *f, const char *text, struct err *err)
{
    struct flag_list *list = f->target;
    if (list->count == FLAG_LIST_MAX)
        return err_set(err, "flag -%s is given more than %d times", f->name, FLAG_LIST_MAX);
    list->items[list->count++] = text;
    return 0;
}

int flag_set(const struct flag *f, const char *text, struct err *err)
{
    switch (f->kind) {
    case FLAG_STRING: *(const char **)f->target = text; return 0;
    case FLAG_BOOL: return set_bool(f, text, err);
    case FLAG_INT: return set_int(f, text, err);
    case FLAG_UINT64: return set_uint64(f, text, err);
    case FLAG_DOUBLE: return set_double(f, text, err);
    case FLAG_DURATION: return set_duration(f, text, err);
    case FLAG_SIZE: return set_size(f, text, err);
    case FLAG_CHOICE: return set_choice(f, text, err);
    case FLAG_LIST: return add_to_list(f, text, err);
    }
    assert(false); /* the table names no known kind */
    return -1;
}

static void list_text(const struct flag_list *list, char *text, size_t size)
{
    size_t used = 0;
    snprintf(text, size, "%s", "");
    for (size_t i = 0; i < list->count && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? "," : "", list->items[i]);
}

const char *flag_value_text(const struct flag *f, char *text, size_t size)
{
    char duration[DURATION_TEXT_SIZE];
    switch (f->kind) {
    case FLAG_STRING: {
        const char *value = *(const char **)f->target;
        snprintf(text, size, "%s", value != NULL ? value : "");
        break;
    }
    case FLAG_BOOL: snprintf(text, size, "%s", *(bool *)f->target ? "true" : "false"); break;
    case FLAG_INT: snprintf(text, size, "%d", *(int *)f->target); break;
    case FLAG_SIZE:
    case FLAG_UINT64: snprintf(text, size, "%" PRIu64, *(uint64_t *)f->target); break;
    case FLAG_DOUBLE: snprintf(text, size, "%.15g", *(double *)f->target); break;
    case FLAG_DURATION:
        snprintf(text, size, "%s", duration_text(*(ns_t *)f->target, duration));
        break;
    case FLAG_CHOICE: snprintf(text, size, "%s", f->choices[*(int *)f->target]); break;
    case FLAG_LIST: list_text(f->target, text, size); break;
    }
    return text;
}

void flag_defaults(const struct flag *table)
{
    for (const struct flag *f = table; f->name != NULL; f++) {
        if (f->default_text == NULL)
            continue;
        int rc = flag_set(f, f->default_text, NULL);
        assert(rc == 0);
        (void)rc;
    }
}

static const struct flag *flag_find(const struct flag *table, const char *name, size_t len)
{
    for (const struct flag *f = table; f->name != NULL; f++)
        if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
            return f;
    return NULL;
}

static int unknown_flag(const struct flag *table, const char *name, size_t len, struct err *err)
{
    char word[SUGGEST_WORD_MAX + 1];
    snprintf(word, sizeof word, "%.*s", (int)len, name);
    struct suggest s = suggest_start(word);
    for (const struct flag *f = table; f->name != NULL; f++)
        suggest_offer(&s, f->name);
    if (s.best == NULL)
        return err_set(err, "flag provided but not defined: -%s", word);
    return err_set(err, "flag provided but not defined: -%s; did you mean -%s?", word, s.best);
}

static bool is_help(const char *name)
{
    return strcmp(name, "h") == 0 || strcmp(name, "help") == 0;
}

/* Handles the flag at argv[*i] and leaves *i at its last argument. */
static enum flag_result parse_one(const struct flag *table, int argc, char *const *argv, int *i,
                                  struct err *err)
{
    const char *name = argv[*i] + 1;
    if (*name == '-')
        name++;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    if (len == 0) {
        err_set(err, "bad flag syntax: %.80s", argv[*i]);
        return FLAG_BAD;
    }
    const struct flag *f = flag_find(table, name, len);
    if (f == NULL && is_help(name))
        return FLAG_HELP;
    if (f == NULL)
        return (enum flag_result)unknown_flag(table, name, len, err);
    if (value == NULL && f->kind == FLAG_BOOL)
        value = "true";
    if (value == NULL && *i + 1 < argc)
        value = argv[++*i];
    if (value == NULL) {
        err_set(err, "flag needs an argument: -%s takes %s", f->name, kinds[f->kind].wanted);
        return FLAG_BAD;
    }
    if (flag_set(f, value, err) != 0)
        return FLAG_BAD;
    if (f->given != NULL)
        *f->given = true;
    return FLAG_OK;
}

enum flag_result flag_parse(const struct flag *table, int argc, char *const *argv, int *operand_out,
                            struct err *err)
{
    int i = 1;
    for (; i < argc; i++) {
        const char *arg = argv[i];
        /* A lone dash is an operand: it often stands for standard input. */
        if (arg[0] != '-' || arg[1] == '\0')
            break;
        if (strcmp(arg, "--") == 0) {
            i++;
            break;
        }
        enum flag_result result = parse_one(table, argc, argv, &i, err);
        if (result != FLAG_OK)
            return result;
    }
    *operand_out = i;
    return FLAG_OK;
}

/* Help, choices and default as one text, cut when it is longer than any help should be. */
static void describe(const struct flag *f, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", f->help);
    for (int i = 0; f->kind == FLAG_CHOICE && f->choices[i] != NULL && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : ": ", f->choices[i]);
    if (f->default_text != NULL && *f->default_text != '\0' &&
        strcmp(f->default_text, "false") != 0 && used < size)
        snprintf(text + used, size - used, " (default %s)", f->default_text);
}

static void print_flag(FILE *out, const struct flag *f)
{
    char text[512];
    const char *metavar = f->metavar != NULL ? f->metavar : kinds[f->kind].metavar;
    int width = fprintf(out, "  -%s%s%s", f->name, *metavar != '\0' ? " " : "", metavar);
    if (width > HELP_COLUMN - 2) {
        fputc('\n', out);
        width = 0;
    }
    describe(f, text, sizeof text);
    wrap_print(out, text, (size_t)width, HELP_COLUMN, HELP_WIDTH);
}

static void print_examples(FILE *out, const struct flag_example *examples)
{
    size_t width = 0;
    for (const struct flag_example *e = examples; e->command != NULL; e++)
        if (strlen(e->command) > width)
            width = strlen(e->command);
    fputs("\nExamples:\n", out);
    for (const struct flag_example *e = examples; e->command != NULL; e++)
        fprintf(out, "  %-*s  %s\n", (int)width, e->command, e->what);
}

void flag_print_help(FILE *out, const struct flag *table, const struct flag_help *help)
{
    if (help->about != NULL)
        fprintf(out, "%s\n\n", help->about);
    fprintf(out, "Usage: %s\n", help->usage);
    if (help->examples != NULL)
        print_examples(out, help->examples);
    const char *group = NULL;
    for (const struct flag *f = table; f->name != NULL; f++) {
        if (f->help == NULL)
            continue;
        const char *heading = f->group != NULL ? f->group : group;
        if (heading == NULL)
            heading = "Flags";
        if (group == NULL || strcmp(group, heading) != 0)
            fprintf(out, "\n%s:\n", heading);
        group = heading;
        print_flag(out, f);
    }
}
