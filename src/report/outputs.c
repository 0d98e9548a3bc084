/* SPDX-License-Identifier: MIT */
#include "report/outputs.h"

#include "base/suggest.h"
#include "report/file.h"

#include <errno.h>
#include <string.h>

static bool is_stdout(const struct output *output)
{
    return strcmp(output->path, "-") == 0;
}

bool outputs_use_stdout(const struct outputs *o)
{
    for (size_t i = 0; i < o->count; i++) {
        if (is_stdout(&o->list[i]))
            return true;
    }
    return false;
}

static int unknown_format(const char *text, size_t length, struct err *err)
{
    char word[32], names[256] = "";
    snprintf(word, sizeof(word), "%.*s", (int)length, text);
    struct suggest nearest = suggest_start(word);
    for (size_t i = 0, used = 0; report_formats[i]; i++) {
        suggest_offer(&nearest, report_formats[i]->name);
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "",
                                 report_formats[i]->name);
    }
    if (nearest.best)
        return err_set(err, "no report format \"%s\"; did you mean \"%s\"?", word, nearest.best);
    return err_set(err, "no report format \"%s\"; there are %s", word, names);
}

int outputs_add(struct outputs *o, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    struct output output = {.format = report_format_find(text, length)};
    if (!output.format)
        return unknown_format(text, length, err);
    if (!equals || equals[1] == '\0')
        return err_set(err, "\"%.80s\" names no file: write %s=FILE, or %s=- for standard output",
                       text, output.format->name, output.format->name);
    output.path = equals + 1;
    if (o->count == OUTPUTS_MAX)
        return err_set(err, "more than %d reports", OUTPUTS_MAX);
    if (is_stdout(&output) && outputs_use_stdout(o))
        return err_set(err, "two reports for standard output: \"%.80s\" is the second", text);
    for (size_t i = 0; i < o->count && !is_stdout(&output); i++) {
        if (strcmp(o->list[i].path, output.path) == 0)
            return err_set(err, "two reports for the same file %.200s", output.path);
    }
    if (!is_stdout(&output) && report_file_check(output.path, err) < 0)
        return -1;
    o->list[o->count++] = output;
    return 0;
}

struct job {
    const struct report_format *format;
    const struct result *result;
};

static int write_job(FILE *out, void *arg)
{
    const struct job *job = arg;
    return job->format->write(out, job->result);
}

static int write_one(const struct output *output, const struct result *r, struct err *err)
{
    struct job job = {output->format, r};
    if (!is_stdout(output))
        return report_file_write(output->path, FILE_SURVIVES_POWER, write_job, &job, err);
    errno = 0;
    if (write_job(stdout, &job) == 0 && fflush(stdout) == 0)
        return 0;
    return err_set(err, "cannot write to standard output: %s", strerror(errno));
}

size_t outputs_write(const struct outputs *o, const struct result *r,
                     void (*failed)(void *arg, const struct output *output, const struct err *err),
                     void *arg)
{
    size_t failures = 0;
    for (size_t i = 0; i < o->count; i++) {
        struct err err;
        if (write_one(&o->list[i], r, &err) == 0)
            continue;
        failures++;
        failed(arg, &o->list[i], &err);
    }
    return failures;
}
