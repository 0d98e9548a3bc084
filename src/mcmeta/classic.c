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
    reader->text.on_bytes = NULL;
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
    reader->text.on_bytes = NULL;
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

/* A key of the line, found in an answer. */
struct found {
    unsigned index;
    size_t next; /* where the key after it stands */
};

/* Whether `text` begins with key `index`, which stands at `at`, and goes on with a space. */
static bool begins_with_key(const struct mcm_classic_get *get, unsigned index, size_t at,
                            const char *text, size_t size)
{
    size_t key_size = get->sizes[index];
    return key_size < size && text[key_size] == ' ' && memcmp(text, get->keys + at, key_size) == 0;
}

/* The key at the beginning of `text`; false when it was not asked for, or not after those that are
 * answered. */
static bool find_key(const struct mcm_classic_get *get, const char *text, size_t size,
                     struct found *found)
{
    size_t at = get->next;
    for (unsigned i = get->answered; i < get->count; i++) {
        size_t next = at + get->sizes[i] + 1;
        if (begins_with_key(get, i, at, text, size)) {
            *found = (struct found){i, next};
            return true;
        }
        at = next;
    }
    return false;
}

/* Everything before the key was a miss. */
static void advance_to(struct mcm_classic_get *get, const struct found *found)
{
    while (get->answered < found->index)
        get->ops->miss(get, get->answered++);
    get->answered++;
    get->next = found->next;
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
    struct found found;
    uint64_t flags, size, cas = 0;
    if (strcmp(word, "VALUE") != 0 || !find_key(get, line, strlen(line), &found))
        return MCM_TEXT_BAD;
    line += get->sizes[found.index] + 1;
    if (!parse_u64(next_word(&line), UINT32_MAX, &flags) ||
        !parse_u64(next_word(&line), MCM_RESPONSE_VALUE_MAX, &size) ||
        (get->with_cas && !parse_u64(next_word(&line), UINT64_MAX, &cas)))
        return MCM_TEXT_BAD;
    op->client_flags = (uint32_t)flags;
    op->value_size = size;
    op->cas = cas;
    advance_to(get, &found);
    get->ops->begin(get, op, found.index);
    return MCM_TEXT_VALUE;
}

static void take_value(struct mcm_text *text, struct mcm_op *op)
{
    struct mcm_classic_get *get = (struct mcm_classic_get *)text;
    get->ops->end(get, op, get->answered - 1);
}

/* What the line of a hit says behind the key. */
struct hit {
    uint64_t flags, size, cas;
};

/* Reads it up to the end of the line; the value's place, or NULL. */
static const char *take_numbers(const struct mcm_classic_get *get, const char *at, const char *end,
                                struct hit *hit)
{
    hit->cas = 0;
    at = mcm_digits_take(at, end, &hit->flags);
    if (at == NULL || at == end || *at != ' ' || hit->flags > UINT32_MAX)
        return NULL;
    at = mcm_digits_take(at + 1, end, &hit->size);
    if (at != NULL && get->with_cas)
        at = at < end && *at == ' ' ? mcm_digits_take(at + 1, end, &hit->cas) : NULL;
    if (at == NULL || end - at < 2 || at[0] != '\r' || at[1] != '\n')
        return NULL;
    return hit->size <= MCM_RESPONSE_VALUE_MAX ? at + 2 : NULL;
}

static void tell_hit(struct mcm_classic_get *get, struct mcm_op *op, const struct hit *hit,
                     unsigned index, const char *value)
{
    op->client_flags = (uint32_t)hit->flags;
    op->value_size = hit->size;
    op->cas = hit->cas;
    get->ops->begin(get, op, index);
    if (hit->size > 0 && hit->size <= op->buffer_size)
        memcpy(op->buffer, value, hit->size);
    get->ops->end(get, op, index);
}

/* A hit that is there as a whole; where it ended, or NULL when there is none, and nothing was told
 * to anybody. */
static const char *take_whole_hit(struct mcm_classic_get *get, struct mcm_op *op, const char *at,
                                  const char *end)
{
    static const char word[6] = "VALUE ";
    struct found found;
    struct hit hit;
    if ((size_t)(end - at) <= sizeof(word) || memcmp(at, word, sizeof(word)) != 0)
        return NULL;
    at += sizeof(word);
    if (!find_key(get, at, (size_t)(end - at), &found))
        return NULL;
    const char *value = take_numbers(get, at + get->sizes[found.index] + 1, end, &hit);
    if (value == NULL || hit.size + 2 > (size_t)(end - value))
        return NULL;
    const char *after = value + hit.size;
    if (after[0] != '\r' || after[1] != '\n')
        return NULL;
    advance_to(get, &found);
    tell_hit(get, op, &hit, found.index, value);
    return after + 2;
}

/* Takes hits out of the received bytes, without a copy of their lines. */
static size_t take_whole_hits(struct mcm_text *text, struct mcm_op *op, const char *data,
                              size_t size)
{
    struct mcm_classic_get *get = (struct mcm_classic_get *)text;
    const char *at = data, *after;
    while ((after = take_whole_hit(get, op, at, data + size)) != NULL)
        at = after;
    return (size_t)(at - data);
}

void mcm_classic_get_init(struct mcm_classic_get *get, const struct mcm_classic_get_ops *ops,
                          bool with_cas)
{
    get->text.on_bytes = take_whole_hits;
    get->text.on_line = take_hit;
    get->text.on_value = take_value;
    get->text.line_size = 0;
    get->ops = ops;
    get->with_cas = with_cas;
    get->count = 0;
    get->answered = 0;
    get->next = 0;
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
    get->sizes[get->count++] = (unsigned char)key.size;
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
