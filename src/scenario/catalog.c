/* SPDX-License-Identifier: MIT */
#include "scenario/catalog.h"

#include <string.h>

#include "base/suggest.h"

size_t catalog_all(struct scenario *out, struct err *err)
{
    for (size_t i = 0; i < catalog_file_count; i++) {
        const struct catalog_file *file = &catalog_files[i];
        if (scenario_parse(file->name, file->text, file->length, &out[i], err) != 0)
            return 0;
    }
    return catalog_file_count;
}

bool catalog_is_path(const char *what)
{
    size_t length = strlen(what);
    return strchr(what, '/') != NULL || (length > 5 && strcmp(what + length - 5, ".yaml") == 0);
}

static size_t find_file(const char *path, const struct scenario_rules *rules, struct scenario *out,
                        struct err *err)
{
    struct yaml_problems problems;
    if (scenario_load(path, rules, out, &problems) == 0)
        return 1;
    err_set(err, "%s", problems.errors[0].text);
    return 0;
}

size_t catalog_find(const char *what, const struct scenario_rules *rules, struct scenario *out,
                    struct err *err)
{
    if (catalog_is_path(what))
        return find_file(what, rules, &out[0], err);
    size_t total = catalog_all(out, err);
    if (total == 0)
        return 0;
    const char *group = strcmp(what, "all") == 0 ? "main" : what;
    struct suggest nearest = suggest_start(what);
    suggest_offer(&nearest, "all");
    size_t found = 0;
    for (size_t i = 0; i < total; i++) {
        if (strcmp(out[i].name, what) == 0) {
            struct scenario one = out[i];
            out[0] = one;
            return 1;
        }
        suggest_offer(&nearest, out[i].name);
        for (size_t g = 0; g < out[i].group_count; g++)
            suggest_offer(&nearest, out[i].groups[g]);
        if (scenario_in_group(&out[i], group))
            out[found++] = out[i];
    }
    if (found == 0 && nearest.best != NULL)
        err_set(err, "unknown scenario \"%s\"; did you mean \"%s\"? See memchaos -list", what,
                nearest.best);
    else if (found == 0)
        err_set(err, "unknown scenario \"%s\"; see memchaos -list", what);
    return found;
}
