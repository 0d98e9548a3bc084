/* SPDX-License-Identifier: MIT */
#include "cli/scenario_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/wrap.h"
#include "cli/exit_code.h"
#include "driver/external.h"
#include "driver/plugin.h"
#include "load/workload.h"
#include "scenario/catalog.h"

#define LIST_WIDTH 96

struct listing {
    struct scenario *scenarios;
    size_t count;
};

/* The group of a scenario under which it is described; the others only name it. */
static const char *home(const struct scenario *scenario)
{
    return scenario->groups[0];
}

static void print_scenario(FILE *out, const struct scenario *scenario)
{
    char length[DURATION_TEXT_SIZE];
    fprintf(out, "\n  %-32s %6s", scenario->name, duration_text(scenario_length(scenario), length));
    for (size_t i = 1; i < scenario->group_count; i++)
        fprintf(out, "%s %s", i == 1 ? "  also in" : ",", scenario->groups[i]);
    fputc('\n', out);
    wrap_print(out, scenario->description, 0, 6, LIST_WIDTH);
}

static void print_group(FILE *out, const struct listing *list, const char *group)
{
    ns_t length = 0;
    size_t members = 0;
    char text[DURATION_TEXT_SIZE];
    for (size_t i = 0; i < list->count; i++) {
        if (!scenario_in_group(&list->scenarios[i], group))
            continue;
        members++;
        length = ns_add(length, scenario_length(&list->scenarios[i]));
    }
    fprintf(out, "\n%s: %zu scenario%s, %s%s\n", group, members, members == 1 ? "" : "s",
            duration_text(length, text),
            strcmp(group, "main") == 0 ? " (also called all, and the default)" : "");
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(home(&list->scenarios[i]), group) == 0)
            print_scenario(out, &list->scenarios[i]);
    for (size_t i = 0; i < list->count; i++)
        if (scenario_in_group(&list->scenarios[i], group) &&
            strcmp(home(&list->scenarios[i]), group) != 0)
            fprintf(out, "\n  %-32s %6s  see %s\n", list->scenarios[i].name,
                    duration_text(scenario_length(&list->scenarios[i]), text),
                    home(&list->scenarios[i]));
}

/* Whether an earlier scenario, or an earlier group of the same one, has printed the group. */
static bool printed_before(const struct listing *list, size_t scenario, size_t group)
{
    const char *name = list->scenarios[scenario].groups[group];
    for (size_t i = 0; i < scenario; i++)
        if (scenario_in_group(&list->scenarios[i], name))
            return true;
    return strcmp(name, "main") == 0;
}

static void print_scenarios(FILE *out, const struct listing *list)
{
    fprintf(out, "Scenarios by group (-scenario NAME runs one, -scenario GROUP a group):\n");
    print_group(out, list, "main");
    for (size_t i = 0; i < list->count; i++)
        for (size_t g = 0; g < list->scenarios[i].group_count; g++)
            if (!printed_before(list, i, g))
                print_group(out, list, list->scenarios[i].groups[g]);
}

int scenario_list_print(FILE *out, struct err *err)
{
    struct listing list = {.scenarios = calloc(CATALOG_MAX, sizeof *list.scenarios)};
    if (list.scenarios != NULL)
        list.count = catalog_all(list.scenarios, err);
    else
        err_set(err, "out of memory");
    if (list.count > 0)
        print_scenarios(out, &list);
    free(list.scenarios);
    if (list.count == 0)
        return EXIT_CODE_INTERNAL;
    fprintf(out, "\nWorkloads (-workload NAME):\n");
    for (size_t i = 0; workloads[i] != NULL; i++)
        fprintf(out, "  %-28s %s\n", workloads[i]->name, workloads[i]->help);
    fprintf(out, "\nDrivers (-driver NAME):\n");
    for (size_t i = 0; drivers[i] != NULL; i++)
        fprintf(out, "  %-28s %s\n", drivers[i]->name, drivers[i]->help);
    for (size_t i = 0; plugins_shipped[i].name != NULL; i++)
        fprintf(out, "  %-28s %s\n", plugins_shipped[i].name, plugins_shipped[i].help);
    fprintf(out, "  %-28s a client of yours, see docs/driver-plugin.md\n", "./FILE.so");
    fprintf(out, "  %-28s %s\n", "'COMMAND ...'", driver_external.help);
    return EXIT_CODE_PASSED;
}
