/* SPDX-License-Identifier: MIT */
/*
 * How the values of a scenario file are read: mappings through tables of keys, texts, words,
 * durations and numbers. Every function returns 0, or -1 with an error at the node's place.
 */
#ifndef SCENARIO_READER_H
#define SCENARIO_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"
#include "scenario/document.h"

#define READER_KEYS_MAX 24

/* Reads the value of one key into `target`. */
typedef int (*read_fn)(struct yaml_doc *doc, yaml_node_t *value, void *target, struct err *err);

struct yaml_key {
    const char *name; /* NULL ends a table */
    read_fn read;
};

/*
 * Reads each key of a mapping with its function; unknown and repeated keys are errors. An error
 * does not end the reading: what else is wrong is reported as well (see yaml_doc.problems), and
 * `err` has the first. `seen` gets one bit per entry of `keys`, set when the key is there.
 */
int read_mapping(struct yaml_doc *doc, yaml_node_t *node, const char *what,
                 const struct yaml_key *keys, void *target, uint32_t *seen, struct err *err);

/* Text that is not empty and fits into `out`; line ends at its end are dropped. */
int read_text(struct yaml_doc *doc, yaml_node_t *node, const char *what, char *out, size_t size,
              struct err *err);

/* Text of a-z, 0-9, - and _. */
int read_word(struct yaml_doc *doc, yaml_node_t *node, const char *what, char *out, size_t size,
              struct err *err);

int read_duration(struct yaml_doc *doc, yaml_node_t *node, const char *what, ns_t min, ns_t *out,
                  struct err *err);

/* For keys that are found by their name when all others are known. */
int read_later(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err);

#endif
