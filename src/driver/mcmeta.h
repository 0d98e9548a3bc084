/* SPDX-License-Identifier: MIT */
#ifndef DRIVER_MCMETA_H
#define DRIVER_MCMETA_H

#include "driver/driver.h"

/* libmcmeta, one client shared by all workers. */
extern const struct driver driver_mcmeta;

#endif
