/* SPDX-License-Identifier: MIT */
#include "scenario/document.h"

#include <stdarg.h>
#include <stdbool.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

#define QUOTE_MAX 100 /* columns of the source line that a message shows */

/* "source:line:column: text", the source line, and a caret under the column. */
static int fail_at(const struct yaml_doc *doc, size_t line, size_t column, struct err *err,
                   const char *text)
{
    const char *start = doc->text, *end = doc->text + doc->length;
    for (size_t i = 0; i < line && start < end; i++) {
        const char *newline = memchr(start, '\n', (size_t)(end - start));
        start = newline != NULL ? newline + 1 : end;
    }
    /* Of a long line, the part around the place. */
    size_t skipped = column >= QUOTE_MAX ? column - QUOTE_MAX / 2 : 0, width = 0;
    start = skipped < (size_t)(end - start) ? start + skipped : end;
    while (start + width < end && start[width] != '\n' && width < QUOTE_MAX)
        width++;
    struct err problem;
    err_set(&problem, "%s:%zu:%zu: %s\n  %.*s\n  %*s^", doc->source, line + 1, column + 1, text,
            (int)width, start, (int)(column - skipped), "");
    if (doc->problems->count < YAML_PROBLEMS_MAX)
        doc->problems->errors[doc->problems->count++] = problem;
    return err_set(err, "%s", problem.text);
}

int yaml_doc_init(struct yaml_doc *doc, const char *source, const char *text, size_t length,
                  struct yaml_problems *problems, struct err *err)
{
    *doc =
        (struct yaml_doc){.source = source, .text = text, .length = length, .problems = problems};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return err_set(err, "%s: out of memory", source);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    int rc = 0;
    if (!yaml_parser_load(&parser, &doc->document)) {
        rc = fail_at(doc, parser.problem_mark.line, parser.problem_mark.column, err,
                     parser.problem != NULL ? parser.problem : "not valid YAML");
    } else {
        yaml_document_t more;
        bool extra =
            !yaml_parser_load(&parser, &more) || yaml_document_get_root_node(&more) != NULL;
        if (parser.error == YAML_NO_ERROR)
            yaml_document_delete(&more);
        if (extra) {
            yaml_document_delete(&doc->document);
            rc = err_set(err, "%s: holds more than one document; a file describes one scenario",
                         source);
        }
    }
    yaml_parser_delete(&parser);
    return rc;
}

void yaml_doc_deinit(struct yaml_doc *doc)
{
    yaml_document_delete(&doc->document);
}

yaml_node_t *yaml_doc_node(struct yaml_doc *doc, int index)
{
    return yaml_document_get_node(&doc->document, index);
}

yaml_node_t *yaml_doc_root(struct yaml_doc *doc)
{
    return yaml_document_get_root_node(&doc->document);
}

yaml_node_t *yaml_doc_find(struct yaml_doc *doc, const yaml_node_t *mapping, const char *key)
{
    if (mapping->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const char *word = yaml_scalar(yaml_doc_node(doc, pair->key));
        if (word != NULL && strcmp(word, key) == 0)
            return yaml_doc_node(doc, pair->value);
    }
    return NULL;
}

const char *yaml_scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

int yaml_fail(struct yaml_doc *doc, const yaml_node_t *node, struct err *err, const char *format,
              ...)
{
    char text[200];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return fail_at(doc, node->start_mark.line, node->start_mark.column, err, text);
}

/* Where the text of a scalar stands in its line: after the quote, if there is one. In a block, or
 * where an escape makes text and source differ, only the beginning is known. */
static size_t column_inside(const yaml_node_t *node, size_t offset)
{
    size_t column = node->start_mark.column;
    bool quoted = node->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
                  node->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    size_t source_length = node->end_mark.index - node->start_mark.index - (quoted ? 2 : 0);
    if (node->start_mark.line != node->end_mark.line || source_length != node->data.scalar.length)
        return column;
    return column + (quoted ? 1 : 0) + offset;
}

int yaml_fail_inside(struct yaml_doc *doc, const yaml_node_t *node, size_t offset, struct err *err,
                     const char *format, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return fail_at(doc, node->start_mark.line, column_inside(node, offset), err, text);
}

int yaml_fail_unknown(struct yaml_doc *doc, const yaml_node_t *node, struct err *err,
                      const char *what, const char *const *known)
{
    const char *word = yaml_scalar(node);
    if (word == NULL)
        return yaml_fail(doc, node, err, "%s must be a word", what);
    const char *best = suggest_best(word, known);
    if (best != NULL)
        return yaml_fail(doc, node, err, "unknown %s \"%.60s\"; did you mean \"%s\"?", what, word,
                         best);
    char list[120] = "";
    for (size_t i = 0, used = 0; known[i] != NULL && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", known[i]);
    return yaml_fail(doc, node, err, "unknown %s \"%.60s\"; one of: %s", what, word, list);
}

int yaml_number(struct yaml_doc *doc, const yaml_node_t *node, const char *what, double *out,
                struct err *err)
{
    const char *text = yaml_scalar(node);
    char *end = NULL;
    if (text != NULL && text[0] != '\0') {
        errno = 0;
        *out = strtod(text, &end);
    }
    if (end == NULL || *end != '\0' || errno != 0 || !isfinite(*out))
        return yaml_fail(doc, node, err, "%s must be a number", what);
    return 0;
}
