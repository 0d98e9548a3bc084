/* SPDX-License-Identifier: MIT */
/*
 * Classic answers. A get line repeats each key before its value, so values are matched by key and
 * order: a key that was not asked for, or comes out of order, breaks the connection.
 */
#include "mcmeta/classic.h"

#include <string.h>

/* Cuts the first word off *line. */
static char *next_word(char **line)
{
    char *word = *line;
    char *end = strchr(word, ' ');
    if (end == NULL) {
        *line = word + strlen(word);
        return word;
    }
    *end = '\0';
    *line = end + 1;
    return word;
}

static void tell_pairs(struct mcm_classic_line *reader, char *line)
{
    next_word(&line);
    while (*line != '\0' && reader->each != NULL) {
        char *pair = next_word(&line);
        char *value = strchr(pair, '=');
        if (value == NULL)
            continue;
        *value = '\0';
        reader->each(reader->arg, pair, value + 1);
    }
}

static enum mcm_text_next take_single(struct mcm_text *text, struct mcm_op *op, char *line)
{
    (void)op;
    struct mcm_classic_line *reader = (struct mcm_classic_line *)text;
    char *word = next_word(&line);
    bool is_debug = strcmp(reader->word, "ME") == 0;
    text->outcome = MCM_MISS;
    if (is_debug && strcmp(word, "EN") == 0)
        return MCM_TEXT_DONE;
    if (strcmp(word, reader->word) != 0)
        return MCM_TEXT_BAD;
    text->outcome = MCM_OK;
    if (is_debug)
        tell_pairs(reader, line);
    if (reader->copy != NULL) {
        size_t size = strnlen(line, MCM_VERSION_SIZE - 1);
        memcpy(reader->copy, line, size);
        reader->copy[size] = '\0';
    }
    return MCM_TEXT_DONE;
}

void mcm_classic_line_init(struct mcm_classic_line *reader, const char *word)
{
    reader->text.on_line = take_single;
    reader->text.on_value = NULL;
    reader->text.line_size = 0;
    reader->word = word;
    reader->copy = NULL;
    reader->each = NULL;
    reader->arg = NULL;
}

static enum mcm_text_next take_stat(struct mcm_text *text, struct mcm_op *op, char *line)
{
    (void)op;
    struct mcm_classic_stats *reader = (struct mcm_classic_stats *)text;
    char *word = next_word(&line);
    text->outcome = MCM_OK;
    if (strcmp(word, "END") == 0 || strcmp(word, "RESET") == 0 || strcmp(word, "OK") == 0)
        return MCM_TEXT_DONE;
    if (strcmp(word, "STAT") != 0)
        return MCM_TEXT_BAD;
    char *name = next_word(&line);
    if (reader->each != NULL)
        reader->each(reader->arg, name, line);
    return MCM_TEXT_LINE;
}

void mcm_classic_stats_init(struct mcm_classic_stats *reader, mcm_pair_fn each, void *arg)
{
    reader->text.on_line = take_stat;
    reader->text.on_value = NULL;
    reader->text.line_size = 0;
    reader->each = each;
    reader->arg = arg;
}

static bool parse_u64(const char *word, uint64_t max, uint64_t *number)
{
    *number = 0;
    for (const char *at = word; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(*number, UINT64_C(10), number) ||
            __builtin_add_overflow(*number, (uint64_t)(*at - '0'), number))
            return false;
    }
    return *word != '\0' && *number <= max;
}

/* Everything before the key was a miss; false when the key was not asked for. */
static bool advance_to(struct mcm_classic_get *get, const char *key)
{
    size_t size = strlen(key);
    unsigned found = get->answered;
    while (found < get->count) {
        struct mcm_slice asked = get->ops->key(get, found);
        if (asked.size == size && memcmp(asked.data, key, size) == 0)
            break;
        found++;
    }
    if (found == get->count)
        return false;
    while (get->answered < found)
        get->ops->miss(get, get->answered++);
    return true;
}

static enum mcm_text_next take_hit(struct mcm_text *text, struct mcm_op *op, char *line)
{
    struct mcm_classic_get *get = (struct mcm_classic_get *)text;
    char *word = next_word(&line);
    if (strcmp(word, "END") == 0 && *line == '\0') {
        while (get->answered < get->count)
            get->ops->miss(get, get->answered++);
        text->outcome = MCM_OK;
        return MCM_TEXT_DONE;
    }
    char *key = next_word(&line);
    uint64_t flags, size, cas = 0;
    if (strcmp(word, "VALUE") != 0 || !parse_u64(next_word(&line), UINT32_MAX, &flags) ||
        !parse_u64(next_word(&line), MCM_RESPONSE_VALUE_MAX, &size) ||
        (get->with_cas && !parse_u64(next_word(&line), UINT64_MAX, &cas)) || !advance_to(get, key))
        return MCM_TEXT_BAD;
    op->client_flags = (uint32_t)flags;
    op->value_size = size;
    op->cas = cas;
    get->ops->begin(get, op, get->answered++);
    return MCM_TEXT_VALUE;
}

static void take_value(struct mcm_text *text, struct mcm_op *op)
{
    struct mcm_classic_get *get = (struct mcm_classic_get *)text;
    get->ops->end(get, op, get->answered - 1);
}

void mcm_classic_get_init(struct mcm_classic_get *get, const struct mcm_classic_get_ops *ops,
                          bool with_cas)
{
    get->text.on_line = take_hit;
    get->text.on_value = take_value;
    get->text.line_size = 0;
    get->ops = ops;
    get->with_cas = with_cas;
    get->count = 0;
    get->answered = 0;
    get->keys_size = 0;
}

bool mcm_classic_get_add(struct mcm_classic_get *get, struct mcm_slice key)
{
    size_t gap = get->count > 0;
    if (get->count == MCM_CLASSIC_KEYS_MAX || get->keys_size + gap + key.size > sizeof(get->keys))
        return false;
    if (gap > 0)
        get->keys[get->keys_size++] = ' ';
    memcpy(get->keys + get->keys_size, key.data, key.size);
    get->keys_size += key.size;
    get->count++;
    return true;
}

struct mcm_request mcm_classic_get_request(const struct mcm_classic_get *get)
{
    return (struct mcm_request){
        .command = MCM_COMMAND_TEXT,
        .key = mcm_slice_of_string(get->with_cas ? "gets" : "get"),
        .value = {get->keys, get->keys_size},
        .text = (struct mcm_text *)&get->text,
    };
}
