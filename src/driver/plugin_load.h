/* SPDX-License-Identifier: MIT */
#ifndef DRIVER_PLUGIN_LOAD_H
#define DRIVER_PLUGIN_LOAD_H

#include <memchaos/driver.h>

#include "base/err.h"

/* Finds and loads the shared object that -driver means and checks its table. NULL with the reason:
 * no such file, not a shared object, no driver in it, another ABI, a function missing. */
const struct memchaos_driver *plugin_load(const char *text, struct err *err);

#endif
