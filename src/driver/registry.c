/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/suggest.h"
#include "driver/driver.h"
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

const struct driver *driver_find(const char *text, struct err *err)
{
    const struct driver *driver = driver_by_name(text);
    if (driver != NULL)
        return driver;
    if (plugin_is_meant(text))
        return plugin_find(text, err);
    struct suggest nearest = suggest_start(text);
    for (size_t i = 0; drivers[i] != NULL; i++)
        suggest_offer(&nearest, drivers[i]->name);
    for (size_t i = 0; plugins_shipped[i].name != NULL; i++)
        suggest_offer(&nearest, plugins_shipped[i].name);
    err_set(err, "no driver is called \"%.80s\"%s%s%s; see -list", text,
            nearest.best != NULL ? "; did you mean \"" : "",
            nearest.best != NULL ? nearest.best : "", nearest.best != NULL ? "\"?" : "");
    return NULL;
}
