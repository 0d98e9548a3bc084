/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "load/arrival.h"
#include "load/words.h"

#define PART_MIN (10 * NS_PER_MS) /* bounds the work for one start */

struct parser {
    struct words words;
    double rate_per_s; /* where none is named; 0: there is none */
    struct err *err;
};

static int check_rate(struct parser *p, double rate)
{
    if (rate > ARRIVAL_RATE_MAX)
        return words_error(&p->words, p->err, "at most %.0f operations per second",
                           ARRIVAL_RATE_MAX);
    return 0;
}

/* The length that may end a part. */
static int parse_length(struct parser *p, struct arrival_part *part)
{
    part->length_ns = NS_NEVER;
    if (words_take_duration(&p->words, &part->length_ns) && part->length_ns < PART_MIN)
        return words_error(&p->words, p->err, "a part lasts at least 10ms");
    return 0;
}

static int parse_constant(struct parser *p, struct arrival_part *part)
{
    part->shape = ARRIVAL_CONSTANT;
    part->from_per_s = p->rate_per_s;
    bool named = words_take_number(&p->words, 1000, &part->from_per_s);
    if (!named && p->rate_per_s <= 0)
        return words_error(&p->words, p->err, "a rate is needed, here or with -rate");
    return check_rate(p, part->from_per_s) != 0 ? -1 : parse_length(p, part);
}

static int parse_range(struct parser *p, struct arrival_part *part)
{
    if (!words_take_range(&p->words, 1000, &part->from_per_s, &part->to_per_s))
        return words_error(&p->words, p->err, "a range of rates is needed, such as 1k..50k");
    if (check_rate(p, part->from_per_s) != 0)
        return -1;
    return check_rate(p, part->to_per_s);
}

static int parse_ramp(struct parser *p, struct arrival_part *part)
{
    part->shape = ARRIVAL_RAMP;
    if (parse_range(p, part) != 0 || parse_length(p, part) != 0)
        return -1;
    if (part->length_ns == NS_NEVER)
        return words_error(&p->words, p->err, "the length of the ramp is needed, such as 60s");
    return 0;
}

static int parse_stairs(struct parser *p, struct arrival_part *part)
{
    double by;
    ns_t every;
    part->shape = ARRIVAL_STAIRS;
    if (parse_range(p, part) != 0)
        return -1;
    if (!words_take(&p->words, "by") || !words_take_number(&p->words, 1000, &by) || by <= 0)
        return words_error(&p->words, p->err, "the height of a step is needed, such as by 1k");
    if (!words_take(&p->words, "every") || !words_take_duration(&p->words, &every))
        return words_error(&p->words, p->err, "the length of a step is needed, such as every 10s");
    if (every < PART_MIN)
        return words_error(&p->words, p->err, "a step lasts at least 10ms");
    double rises = floor(fabs(part->to_per_s - part->from_per_s) / by + 1e-9);
    if (rises < 1 || rises >= ARRIVAL_STEPS_MAX)
        return words_error(&p->words, p->err, "%.0f steps: 2 to %d can be made", rises + 1,
                           ARRIVAL_STEPS_MAX);
    part->steps = (unsigned)rises + 1;
    part->to_per_s = part->from_per_s + (part->to_per_s > part->from_per_s ? by : -by) * rises;
    if (every > NS_NEVER / 2 / part->steps)
        return words_error(&p->words, p->err, "the steps are too long");
    part->length_ns = every * part->steps;
    return 0;
}

static int parse_burst(struct parser *p, struct arrival_part *part)
{
    part->shape = ARRIVAL_BURST;
    words_take_number(&p->words, 1000, &part->burst);
    if (!words_take(&p->words, "every") || !words_take_duration(&p->words, &part->every_ns))
        return words_error(&p->words, p->err, "a period is needed, such as every 1s");
    if (part->every_ns < NS_PER_MS)
        return words_error(&p->words, p->err, "bursts are at least 1ms apart");
    double every_s = (double)part->every_ns / (double)NS_PER_SEC;
    if (part->burst <= 0)
        part->burst = p->rate_per_s * every_s;
    part->burst = floor(part->burst + 1e-9);
    if (part->burst < 1)
        return words_error(&p->words, p->err, "a burst has at least one operation");
    return check_rate(p, part->burst / every_s) != 0 ? -1 : parse_length(p, part);
}

static int parse_part(struct parser *p, struct arrival_part *part)
{
    *part = (struct arrival_part){.poisson = words_take(&p->words, "poisson")};
    if (words_take(&p->words, "ramp"))
        return parse_ramp(p, part);
    if (words_take(&p->words, "stairs"))
        return parse_stairs(p, part);
    if (!part->poisson && words_take(&p->words, "burst"))
        return parse_burst(p, part);
    if (part->poisson || words_take(&p->words, "constant"))
        return parse_constant(p, part);
    return words_error(&p->words, p->err,
                       "constant, poisson, ramp, stairs, burst or closed is expected here");
}

/* Whether every round of a source that repeats gives a start: it bounds the work for one. */
static bool has_work(const struct arrival_source *source)
{
    struct arrival_spec round = {.source_count = 1, .sources = {*source}};
    ns_t length = 0;
    for (unsigned i = 0; i < source->part_count; i++)
        length = ns_add(length, source->parts[i].length_ns);
    return arrival_expected(&round, length) >= 1;
}

static int parse_source(struct parser *p, struct arrival_source *source)
{
    do {
        if (source->part_count > 0 && words_is(&p->words, "repeat"))
            break;
        if (source->part_count == ARRIVAL_PARTS_MAX)
            return words_error(&p->words, p->err, "at most %d parts", ARRIVAL_PARTS_MAX);
        if (parse_part(p, &source->parts[source->part_count++]) != 0)
            return -1;
    } while (words_take(&p->words, ","));
    source->repeat = words_take(&p->words, "repeat");
    unsigned bounded = source->repeat ? source->part_count : source->part_count - 1;
    for (unsigned i = 0; i < bounded; i++)
        if (source->parts[i].length_ns == NS_NEVER)
            return words_error(&p->words, p->err, "part %u needs a length, such as 30s", i + 1);
    if (source->repeat && !has_work(source))
        return words_error(&p->words, p->err, "less than one operation is repeated");
    return 0;
}

static int parse_closed(struct parser *p, struct arrival_spec *out)
{
    out->closed = true;
    if (words_take(&p->words, "think") && !words_take_duration(&p->words, &out->think_ns))
        return words_error(&p->words, p->err, "a time to think is needed, such as 10ms");
    return 0;
}

static int parse_sources(struct parser *p, struct arrival_spec *out)
{
    do {
        if (out->source_count == ARRIVAL_SOURCES_MAX)
            return words_error(&p->words, p->err, "at most %d parts with + between them",
                               ARRIVAL_SOURCES_MAX);
        if (parse_source(p, &out->sources[out->source_count++]) != 0)
            return -1;
    } while (words_take(&p->words, "+"));
    return 0;
}

int arrival_parse(const char *text, double rate_per_s, struct arrival_spec *out, struct err *err)
{
    struct parser p = {.words = words_start(text), .rate_per_s = rate_per_s, .err = err};
    *out = (struct arrival_spec){0};
    bool plain = words_is(&p.words, "constant") && p.words.text[p.words.next] == '\0';
    if (plain && rate_per_s <= 0) {
        out->closed = true;
        return 0;
    }
    int rc = words_take(&p.words, "closed") ? parse_closed(&p, out) : parse_sources(&p, out);
    if (rc == 0 && !words_end(&p.words))
        rc = words_error(&p.words, err, "the end, \",\" or \"+\" is expected here");
    return rc;
}
