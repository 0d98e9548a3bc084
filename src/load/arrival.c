/* SPDX-License-Identifier: MIT */
#include "load/arrival.h"

#include <assert.h>
#include <math.h>

#define SEC ((double)NS_PER_SEC)

/* Seconds that may be too many. */
static ns_t to_ns(double t)
{
    return t * SEC < 9e18 ? (ns_t)llround(t * SEC) : NS_NEVER;
}

/* What a stream goes through one after the other: a part, or one step of stairs. */
struct piece {
    double from, to; /* per second */
    double length;   /* s; INFINITY: no end */
    double burst;    /* 0: none */
    double every;    /* s */
    bool poisson;
};

static double seconds(ns_t t)
{
    return t == NS_NEVER ? INFINITY : (double)t / SEC;
}

static struct piece piece_of(const struct arrival_part *part, unsigned step)
{
    struct piece p = {
        .from = part->from_per_s,
        .to = part->from_per_s,
        .length = seconds(part->length_ns),
        .poisson = part->poisson,
    };
    if (part->shape == ARRIVAL_RAMP)
        p.to = part->to_per_s;
    if (part->shape == ARRIVAL_STAIRS) {
        double rise = (part->to_per_s - part->from_per_s) / (part->steps - 1);
        p.from = p.to = part->from_per_s + rise * step;
        p.length /= part->steps;
    }
    if (part->shape == ARRIVAL_BURST) {
        p.burst = part->burst;
        p.every = seconds(part->every_ns);
    }
    return p;
}

/* What goes on when the last part has ended. */
static struct piece piece_held(const struct arrival_part *part)
{
    struct piece p = piece_of(part, part->shape == ARRIVAL_STAIRS ? part->steps - 1 : 0);
    p.from = p.to;
    p.length = INFINITY;
    return p;
}

/* How many are due within the first `t` seconds of the piece. */
static double piece_count(const struct piece *p, double t)
{
    if (t > p->length)
        t = p->length;
    if (p->burst > 0)
        return p->burst * ceil(t / p->every);
    if (isinf(t))
        return p->from > 0 ? INFINITY : 0;
    return p->from * t + (isinf(p->length) ? 0 : (p->to - p->from) * t * t / (2 * p->length));
}

/* Seconds until the count has reached `count`, which the piece has. */
static double piece_time(const struct piece *p, double count)
{
    if (p->burst > 0)
        return floor(count / p->burst) * p->every;
    if (count <= 0)
        return 0;
    double slope = isinf(p->length) ? 0 : (p->to - p->from) / p->length;
    /* The root of slope/2 t² + from t = count, in the form that loses no digits. */
    double root = p->from * p->from + 2 * slope * count;
    return 2 * count / (p->from + sqrt(root > 0 ? root : 0));
}

static struct piece present(const struct arrival_source *source, const struct arrival_stream *s)
{
    const struct arrival_part *part = &source->parts[s->part];
    return s->holding ? piece_held(part) : piece_of(part, s->step);
}

static unsigned steps_of(const struct arrival_part *part)
{
    return part->shape == ARRIVAL_STAIRS ? part->steps : 1;
}

static void next_piece(const struct arrival_source *source, struct arrival_stream *s,
                       const struct piece *ended)
{
    s->base_ns = ns_add(s->base_ns, to_ns(ended->length));
    s->done = 0;
    if (++s->step < steps_of(&source->parts[s->part]))
        return;
    s->step = 0;
    if (++s->part < source->part_count)
        return;
    s->part = source->repeat ? 0 : source->part_count - 1;
    s->holding = !source->repeat;
}

/* Moves to the next start. */
static void stream_advance(const struct arrival_source *source, struct arrival_stream *s)
{
    struct piece p = present(source, s);
    double all = piece_count(&p, p.length);
    while (s->done + s->gap >= all) {
        if (isinf(p.length)) { /* a rate of zero for ever */
            s->next_ns = NS_NEVER;
            return;
        }
        s->gap -= all - s->done;
        next_piece(source, s, &p);
        p = present(source, s);
        all = piece_count(&p, p.length);
    }
    s->done += s->gap;
    s->next_ns = ns_max(s->next_ns, ns_add(s->base_ns, to_ns(piece_time(&p, s->done))));
    s->gap = p.poisson ? -log1p(-rng_double(&s->rng)) : 1;
}

void arrival_init(struct arrival *a, const struct arrival_spec *spec, uint64_t seed)
{
    assert(!spec->closed && spec->source_count > 0);
    *a = (struct arrival){.spec = spec};
    for (unsigned i = 0; i < spec->source_count; i++) {
        struct arrival_stream *s = &a->streams[i];
        s->rng = rng_fork(seed, i);
        if (spec->sources[i].parts[0].poisson)
            s->gap = -log1p(-rng_double(&s->rng));
        stream_advance(&spec->sources[i], s);
    }
}

static unsigned earliest(const struct arrival *a)
{
    unsigned best = 0;
    for (unsigned i = 1; i < a->spec->source_count; i++)
        if (a->streams[i].next_ns < a->streams[best].next_ns)
            best = i;
    return best;
}

ns_t arrival_peek(const struct arrival *a)
{
    return a->streams[earliest(a)].next_ns;
}

ns_t arrival_next(struct arrival *a)
{
    unsigned i = earliest(a);
    ns_t next = a->streams[i].next_ns;
    if (next != NS_NEVER)
        stream_advance(&a->spec->sources[i], &a->streams[i]);
    return next;
}

/* ---- what is expected ---- */

static double source_expected(const struct arrival_source *source, double t)
{
    struct arrival_stream s = {0};
    double sum = 0;
    for (;;) {
        struct piece p = present(source, &s);
        sum += piece_count(&p, t);
        if (t <= p.length)
            return sum;
        t -= p.length;
        next_piece(source, &s, &p);
    }
}

double arrival_expected(const struct arrival_spec *spec, ns_t t)
{
    double sum = 0;
    for (unsigned i = 0; i < spec->source_count; i++)
        sum += source_expected(&spec->sources[i], seconds(t));
    return sum;
}
