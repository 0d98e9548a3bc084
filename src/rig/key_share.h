/* SPDX-License-Identifier: MIT */
/* The share of the keys, and of the load, that each node has, as the client under test maps them.
 */
#ifndef RIG_KEY_SHARE_H
#define RIG_KEY_SHARE_H

#include "driver/driver.h"
#include "load/load.h"

#define KEY_SHARE_SAMPLE 10000 /* keys whose node is looked up */

struct key_share_config {
    const struct driver *driver;
    const struct driver_config *client; /* with servers and names */
    const struct load_spec *load;
    unsigned workers;
};

/*
 * Fills `keys` (the share of all keys) and `hits` (of the operations, which use some keys more than
 * others), one per server; all 0 when the client cannot be opened or does not tell. Either may be
 * NULL. Nothing is connected to.
 */
void key_share_measure(const struct key_share_config *config, double *keys, double *hits);

#endif
