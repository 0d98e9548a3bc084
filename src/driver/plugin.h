/* SPDX-License-Identifier: MIT */
/*
 * Drivers that are shared objects, loaded at run time: the other side of include/memchaos/driver.h.
 * A loaded one stays in the process until its end, since nobody knows what threads it has left.
 */
#ifndef DRIVER_PLUGIN_H
#define DRIVER_PLUGIN_H

#include <stdbool.h>

#include "driver/driver.h"

/* A driver that comes with memchaos as a shared object, because it needs a library that memchaos
 * itself does not. */
struct plugin_shipped {
    const char *name;
    const char *help;
    const char *package; /* that holds the library */
};

/* Ends with an entry without name. */
extern const struct plugin_shipped plugins_shipped[];

/*
 * Whether -driver means a shared object: it ends with ".so", or driver-NAME.so is in one of the
 * directories that are searched ($MEMCHAOS_DRIVER_PATH, those of this build and installation), or
 * it is a shipped one, which may be missing.
 */
bool plugin_is_meant(const char *text);

/* Loads it to see whether it can be used. NULL with the reason. Its config->command must be `text`
 * whenever it is opened. */
const struct driver *plugin_find(const char *text, struct err *err);

#endif
