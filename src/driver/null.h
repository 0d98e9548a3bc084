/* SPDX-License-Identifier: MIT */
#ifndef DRIVER_NULL_H
#define DRIVER_NULL_H

#include "driver/driver.h"

/* Answers at once without a server: every get misses, every write succeeds. It measures the rig
 * itself. */
extern const struct driver driver_null;

#endif
