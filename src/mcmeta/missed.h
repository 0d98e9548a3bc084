/* SPDX-License-Identifier: MIT */
/*
 * Keys whose writes did not reach their server: what it holds under them is out of date, and is to
 * be deleted when it returns. A bounded set; any thread.
 */
#ifndef MCMETA_MISSED_H
#define MCMETA_MISSED_H

#include <stdatomic.h>

#include <mcmeta/client.h>

struct mcm_missed;

/* NULL when memory is short. At most `max` keys, which is not 0. */
struct mcm_missed *mcm_missed_new(unsigned max);
void mcm_missed_free(struct mcm_missed *missed);

/* Frees in a child process, where the lock may be held by nobody. */
void mcm_missed_disown(struct mcm_missed *missed);

/* False when the set is full or memory is short: the key is lost, and counted so. */
bool mcm_missed_add(struct mcm_missed *missed, struct mcm_slice key);

/* Whether the key is in the set; *version tells this miss from a later one. Costs nothing while the
 * set is empty. */
bool mcm_missed_find(struct mcm_missed *missed, struct mcm_slice key, uint64_t *version);

/* Takes the key out unless it was missed again since. */
void mcm_missed_remove(struct mcm_missed *missed, struct mcm_slice key, uint64_t version);

/* Copies some key of the set; its size, or 0 when there is none. */
size_t mcm_missed_any(struct mcm_missed *missed, char key[MCM_KEY_SIZE_MAX]);

unsigned mcm_missed_count(const struct mcm_missed *missed);
uint64_t mcm_missed_lost(const struct mcm_missed *missed);

#endif
