/* SPDX-License-Identifier: MIT */
#include "scenario/checks_file.h"

#include <string.h>

struct reader {
    struct yaml_doc *doc;
    const char *const *phases;
    struct err *err;
};

static int read_text(struct reader *r, yaml_node_t *node, struct check_rule *out)
{
    struct err reason = {""};
    size_t at;
    const char *text = yaml_scalar(node);
    if (text == NULL)
        return yaml_fail(r->doc, node, r->err,
                         "a check is a text such as \"fault.error_rate < 40%%\"");
    if (check_parse(text, r->phases, out, &at, &reason) != 0)
        return yaml_fail_inside(r->doc, node, at, r->err, "check: %.160s", reason.text);
    return 0;
}

static int read_bool(struct reader *r, yaml_node_t *node, bool *out)
{
    const char *word = yaml_scalar(node);
    if (word == NULL || (strcmp(word, "true") != 0 && strcmp(word, "false") != 0))
        return yaml_fail(r->doc, node, r->err, "abort must be true or false");
    *out = word[0] == 't';
    return 0;
}

/* {check: "...", abort: true} */
static int read_mapping(struct reader *r, yaml_node_t *node, struct check_rule *out)
{
    static const char *const keys[] = {"check", "abort", NULL};
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_doc_node(r->doc, pair->key);
        const char *word = yaml_scalar(key);
        if (word == NULL || (strcmp(word, keys[0]) != 0 && strcmp(word, keys[1]) != 0))
            return yaml_fail_unknown(r->doc, key, r->err, "key", keys);
        if (yaml_doc_find(r->doc, node, word) != yaml_doc_node(r->doc, pair->value))
            return yaml_fail(r->doc, key, r->err, "key \"%s\" is given twice", word);
    }
    yaml_node_t *check = yaml_doc_find(r->doc, node, "check");
    yaml_node_t *abort = yaml_doc_find(r->doc, node, "abort");
    if (check == NULL)
        return yaml_fail(r->doc, node, r->err, "a check needs its text: {check: \"...\"}");
    if (read_text(r, check, out) != 0)
        return -1;
    return abort == NULL ? 0 : read_bool(r, abort, &out->abort);
}

static int read_check(struct reader *r, yaml_node_t *node, struct check_rule *out)
{
    return node->type == YAML_MAPPING_NODE ? read_mapping(r, node, out) : read_text(r, node, out);
}

int checks_file_read(struct yaml_doc *doc, yaml_node_t *node, const char *const *phases,
                     struct check_rule *out, size_t *count, struct err *err)
{
    struct reader r = {doc, phases, err};
    int rc = 0;
    *count = 0;
    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_fail(doc, node, err, "checks must be a list");
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *check = yaml_doc_node(doc, *item);
        if (*count == CHECK_RULES_MAX)
            return yaml_fail(doc, check, err, "more than %d checks", CHECK_RULES_MAX);
        if (read_check(&r, check, &out[(*count)++]) != 0)
            rc = -1;
    }
    return rc;
}
