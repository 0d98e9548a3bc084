/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "driver/driver.h"
#include "driver/mcmeta.h"
#include "driver/null.h"

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
