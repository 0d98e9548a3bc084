/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"
#include "driver/driver.h"
#include "driver/external.h"
#include "driver/mcmeta.h"
#include "driver/null.h"
#include "driver/plugin.h"

const char *const breaker_preset_names[BREAKER_PRESET_COUNT + 1] = {"fast", "original", "off",
                                                                    NULL};

const struct driver *const drivers[] = {&driver_mcmeta, &driver_null, NULL};

const struct driver *driver_by_name(const char *name)
{
    for (size_t i = 0; drivers[i] != NULL; i++)
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    return NULL;
}

static bool is_in_path(const char *name)
{
    char path[512];
    const char *list = getenv("PATH");
    for (const char *p = list != NULL ? list : "/usr/bin:/bin"; *p != '\0';) {
        size_t length = strcspn(p, ":");
        int n = snprintf(path, sizeof path, "%.*s/%s", (int)length, p, name);
        if (n > 0 && (size_t)n < sizeof path && access(path, X_OK) == 0)
            return true;
        p += length + (p[length] == ':');
    }
    return false;
}

const struct driver *driver_find(const char *text, struct err *err)
{
    const struct driver *driver = driver_by_name(text);
    if (driver != NULL)
        return driver;
    if (plugin_is_meant(text))
        return plugin_find(text, err);
    if (strpbrk(text, " /") != NULL || (text[0] != '\0' && is_in_path(text)))
        return &driver_external;
    struct suggest nearest = suggest_start(text);
    for (size_t i = 0; drivers[i] != NULL; i++)
        suggest_offer(&nearest, drivers[i]->name);
    for (size_t i = 0; plugins_shipped[i].name != NULL; i++)
        suggest_offer(&nearest, plugins_shipped[i].name);
    err_set(err, "no driver is called \"%.80s\", and no program either%s%s%s; see -list", text,
            nearest.best != NULL ? "; did you mean \"" : "",
            nearest.best != NULL ? nearest.best : "", nearest.best != NULL ? "\"?" : "");
    return NULL;
}
