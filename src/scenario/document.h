/* SPDX-License-Identifier: MIT */
/*
 * A YAML document with places: what libyaml parsed, and messages that point at a node of it as
 * source:line:column with the line and a caret below.
 */
#ifndef SCENARIO_DOCUMENT_H
#define SCENARIO_DOCUMENT_H

#include <stddef.h>
#include <yaml.h>

#include "base/err.h"

#define YAML_PROBLEMS_MAX 20

/* What is wrong with a document, in the order in which it was found. */
struct yaml_problems {
    struct err errors[YAML_PROBLEMS_MAX];
    size_t count; /* more are not kept */
};

struct yaml_doc {
    const char *source; /* borrowed */
    const char *text;   /* borrowed */
    size_t length;
    struct yaml_problems *problems; /* borrowed; gets every error at a place */
    yaml_document_t document;
};

/* Parses exactly one document. The texts and `problems` must outlive `doc`. Returns 0 or -1; deinit
 * only after 0. */
int yaml_doc_init(struct yaml_doc *doc, const char *source, const char *text, size_t length,
                  struct yaml_problems *problems, struct err *err);
void yaml_doc_deinit(struct yaml_doc *doc);

yaml_node_t *yaml_doc_node(struct yaml_doc *doc, int index);
yaml_node_t *yaml_doc_root(struct yaml_doc *doc); /* NULL when empty */

/* The value of `key` in a mapping; NULL when it is not there or `mapping` is none. */
yaml_node_t *yaml_doc_find(struct yaml_doc *doc, const yaml_node_t *mapping, const char *key);

/* The text of a scalar, or NULL for other nodes. libyaml ends it with a NUL. */
const char *yaml_scalar(const yaml_node_t *node);

/* Reads a finite number; an error calls it `what`. Returns 0 or -1. */
int yaml_number(struct yaml_doc *doc, const yaml_node_t *node, const char *what, double *out,
                struct err *err);

/* An error at `node`; returns -1. */
int yaml_fail(struct yaml_doc *doc, const yaml_node_t *node, struct err *err, const char *format,
              ...) __attribute__((format(printf, 4, 5)));

/* An error about the byte at `offset` of a scalar's text, as near as the source tells. */
int yaml_fail_inside(struct yaml_doc *doc, const yaml_node_t *node, size_t offset, struct err *err,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* An error about a word that is none of `known` (NULL-terminated), with a suggestion. */
int yaml_fail_unknown(struct yaml_doc *doc, const yaml_node_t *node, struct err *err,
                      const char *what, const char *const *known);

#endif
