/* SPDX-License-Identifier: MIT */
/* The share of the keys that each node has, as the client under test maps them. */
#ifndef RIG_KEY_SHARE_H
#define RIG_KEY_SHARE_H

#include "driver/driver.h"

#define KEY_SHARE_SAMPLE 10000 /* keys whose node is looked up */

/*
 * Fills `out` (one per server of `config`), all 0 when the client cannot be opened or does not
 * tell. Nothing is connected to.
 */
void key_share_measure(const struct driver *driver, const struct driver_config *config,
                       double *out);

#endif
