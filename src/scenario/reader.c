/* SPDX-License-Identifier: MIT */
#include "scenario/reader.h"

#include <string.h>

#include "base/duration.h"

int read_mapping(struct yaml_doc *doc, yaml_node_t *node, const char *what,
                 const struct yaml_key *keys, void *target, uint32_t *seen, struct err *err)
{
    if (node->type != YAML_MAPPING_NODE)
        return yaml_fail(doc, node, err, "%s must be a mapping of keys to values", what);
    const char *names[READER_KEYS_MAX + 1] = {NULL};
    for (size_t i = 0; keys[i].name != NULL; i++)
        names[i] = keys[i].name;
    *seen = 0;
    int rc = 0;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_doc_node(doc, pair->key);
        const char *word = yaml_scalar(key);
        size_t i = 0;
        while (word != NULL && names[i] != NULL && strcmp(names[i], word) != 0)
            i++;
        if (word == NULL || names[i] == NULL)
            rc = yaml_fail_unknown(doc, key, err, "key", names);
        else if (*seen & (1u << i))
            rc = yaml_fail(doc, key, err, "key \"%s\" is given twice", word);
        else if (keys[i].read(doc, yaml_doc_node(doc, pair->value), target, err) != 0)
            rc = -1;
        if (names[i] != NULL)
            *seen |= 1u << i;
    }
    return rc;
}

int read_text(struct yaml_doc *doc, yaml_node_t *node, const char *what, char *out, size_t size,
              struct err *err)
{
    const char *text = yaml_scalar(node);
    if (text == NULL || text[0] == '\0')
        return yaml_fail(doc, node, err, "%s must be text", what);
    if (strlen(text) >= size)
        return yaml_fail(doc, node, err, "%s is longer than %zu bytes", what, size - 1);
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    memcpy(out, text, length);
    out[length] = '\0';
    return 0;
}

int read_word(struct yaml_doc *doc, yaml_node_t *node, const char *what, char *out, size_t size,
              struct err *err)
{
    if (read_text(doc, node, what, out, size, err) != 0)
        return -1;
    if (out[strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789-_")] != '\0')
        return yaml_fail(doc, node, err, "%s \"%s\" may hold a-z, 0-9, - and _ only", what, out);
    return 0;
}

int read_duration(struct yaml_doc *doc, yaml_node_t *node, const char *what, ns_t min, ns_t *out,
                  struct err *err)
{
    struct err reason = {""};
    const char *text = yaml_scalar(node);
    if (text == NULL)
        return yaml_fail(doc, node, err, "%s must be a duration such as 250ms or 1m30s", what);
    if (duration_parse(text, out, &reason) != 0)
        return yaml_fail(doc, node, err, "%s: %s", what, reason.text);
    if (*out < min)
        return yaml_fail(doc, node, err, "%s %s is too short", what, text);
    return 0;
}

int read_later(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    (void)doc;
    (void)node;
    (void)target;
    (void)err;
    return 0;
}
