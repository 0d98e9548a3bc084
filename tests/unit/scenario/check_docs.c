/* SPDX-License-Identifier: MIT */
/*
 * Without arguments prints the tables of docs/checks.md as the registries have them. With the path
 * of that page, tells which rows it lacks and how many it has too many, and fails if any.
 */
#include "scenario/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES_MAX (1u << 20)
#define ROW_SIZE 400

static const char *unit_word(enum check_unit unit)
{
    static const char *const words[] = {
        [CHECK_UNIT_COUNT] = "count",       [CHECK_UNIT_RATE] = "per second",
        [CHECK_UNIT_FACTOR] = "factor",     [CHECK_UNIT_RATIO] = "share",
        [CHECK_UNIT_DURATION] = "duration", [CHECK_UNIT_KINDS] = "set of kinds",
    };
    return words[unit];
}

static const char *scope_word(unsigned scope)
{
    bool phase = scope & CHECK_SCOPE_PHASE;
    if (scope & CHECK_SCOPE_BREAKER)
        return phase ? "`breaker(...)`, phases" : "`breaker(...)`";
    if (scope & CHECK_SCOPE_NODES)
        return phase ? "phases, nodes" : "nodes";
    return phase ? "phases" : "the run";
}

static void metric_row(const struct check_metric_info *m, char row[static ROW_SIZE])
{
    snprintf(row, ROW_SIZE, "| `%s%s` | %s | %s | %s |\n", m->name,
             m->scope & CHECK_SCOPE_ARGUMENT ? "(N)" : "", unit_word(m->unit), scope_word(m->scope),
             m->help);
}

static void kind_row(const struct check_kind_info *k, char row[static ROW_SIZE])
{
    int n = snprintf(row, ROW_SIZE, "| `%s` | ", k->name);
    for (size_t i = 0; i < CHECK_KIND_MEMBERS_MAX && k->members[i] != NULL; i++)
        n += snprintf(row + n, ROW_SIZE - (size_t)n, "%s`%s`", i > 0 ? ", " : "", k->members[i]);
    snprintf(row + n, ROW_SIZE - (size_t)n, " |\n");
}

/* Prints every row, or with a page counts those that it lacks. */
static int rows_of(const char *page, size_t *rows)
{
    char row[ROW_SIZE];
    int missing = 0;
    size_t count = 0;
    for (size_t i = 0; i < CHECK_METRIC_COUNT || check_kinds[i - CHECK_METRIC_COUNT].name; i++) {
        if (i < CHECK_METRIC_COUNT)
            metric_row(&check_metrics[i], row);
        else
            kind_row(&check_kinds[i - CHECK_METRIC_COUNT], row);
        count++;
        if (page == NULL)
            fputs(row, stdout);
        else if (strstr(page, row) == NULL) {
            printf("missing: %s", row);
            missing++;
        }
    }
    *rows = count;
    return missing;
}

static size_t rows_in(const char *page)
{
    size_t count = 0;
    for (const char *at = strstr(page, "\n| `"); at != NULL; at = strstr(at + 1, "\n| `"))
        count++;
    return count;
}

int main(int argc, char **argv)
{
    size_t expected;
    if (argc < 2)
        return rows_of(NULL, &expected);
    FILE *file = fopen(argv[1], "re");
    char *page = calloc(1, PAGE_BYTES_MAX);
    if (file == NULL || page == NULL) {
        free(page);
        return 1;
    }
    size_t length = fread(page, 1, PAGE_BYTES_MAX - 1, file);
    fclose(file);
    int missing = rows_of(page, &expected);
    size_t found = rows_in(page);
    if (length == 0 || found != expected) {
        printf("%zu rows in the page, %zu in the registries\n", found, expected);
        missing++;
    }
    free(page);
    return missing > 0 ? 1 : 0;
}
