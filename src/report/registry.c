/* SPDX-License-Identifier: MIT */
#include "report/registry.h"

#include "report/formats.h"
#include "report/report.h"

#include <string.h>

static int write_text(FILE *out, const struct result *r)
{
    return report_text(out, r, (struct report_style){0});
}

static const struct report_format format_text = {
    .name = "text", .extension = ".txt", .help = "the summary for people", .write = write_text};

static const struct report_format format_json = {
    .name = "json",
    .extension = ".json",
    .help = "everything, for programs (schema/result.v1.json)",
    .write = report_json};

const struct report_format *const report_formats[] = {
    &format_text,
    &format_json,
    &report_format_html,
    &report_format_junit,
    &report_format_tap,
    &report_format_markdown,
    &report_format_csv,
    &report_format_ndjson,
    &report_format_hlog,
    &report_format_hgrm,
    &report_format_hgrm_response,
    NULL,
};

const struct report_format *report_format_find(const char *name, size_t length)
{
    for (size_t i = 0; report_formats[i]; i++) {
        const char *known = report_formats[i]->name;
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return report_formats[i];
    }
    return NULL;
}
