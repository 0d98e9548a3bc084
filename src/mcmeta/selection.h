/* SPDX-License-Identifier: MIT */
/*
 * What a selection algorithm sees. A new one is a file with a `struct mcm_selector_ops`, a line in
 * the registry of selector.c, a kind in the public header, and a test.
 */
#ifndef MCMETA_SELECTION_H
#define MCMETA_SELECTION_H

#include <mcmeta/selector.h>

#include <stdbool.h>

struct mcm_selector_node {
    uint64_t id; /* XXH3 of the name */
    uint32_t weight;
};

struct mcm_selector {
    const struct mcm_selector_ops *ops;
    mcm_selector_fn callback;
    void *callback_arg;
    char hash_tag[2];              /* both 0: none */
    bool weighted;                 /* the weights are not all the same */
    struct mcm_ring_point *points; /* of a ring, in order; or NULL */
    size_t point_count;
    size_t count;
    struct mcm_selector_node nodes[];
};

struct mcm_selector_ops {
    const char *name;
    /* Returns an index below s->count, which is at least 2, or MCM_SELECTOR_NONE. */
    size_t (*pick)(const struct mcm_selector *s, const void *key, size_t key_size);
    /* Builds what pick() needs beyond the nodes; -1 when memory is short. Or NULL. */
    int (*prepare)(struct mcm_selector *s, const struct mcm_selector_config *config);
    const struct mcm_ketama_dialect *dialect; /* of the ketama kinds */
};

extern const struct mcm_selector_ops mcm_selector_rendezvous;
extern const struct mcm_selector_ops mcm_selector_jump;
extern const struct mcm_selector_ops mcm_selector_modulo;
extern const struct mcm_selector_ops mcm_selector_ketama;
extern const struct mcm_selector_ops mcm_selector_ketama_weighted;
extern const struct mcm_selector_ops mcm_selector_ketama_spy;
extern const struct mcm_selector_ops mcm_selector_ketama_twemproxy;
extern const struct mcm_selector_ops mcm_selector_ketama_evcache;

/* XXH3-64 with seed 0. */
uint64_t mcm_selector_hash(const void *data, size_t size);

/*
 * What server `index` bids for a key of that hash; the lowest bid holds it. In rendezvous order
 * ties go to the lower index.
 */
uint64_t mcm_rendezvous_bid(const struct mcm_selector *s, uint64_t key_hash, size_t index);

#endif
