/* SPDX-License-Identifier: MIT */
/*
 * Seeded random numbers: xoshiro256** seeded through splitmix64 (Blackman and Vigna, public
 * domain algorithms). One seed decides a run; every consumer gets its own stream by rng_fork(), so
 * that adding a consumer does not shift the numbers of the others. Not for secrets. Not
 * thread-safe.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

static inline uint64_t rng_splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline struct rng rng_seeded(uint64_t seed)
{
    struct rng r;
    for (int i = 0; i < 4; i++)
        r.s[i] = rng_splitmix(&seed);
    return r;
}

static inline uint64_t rng_rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rng_rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rng_rotl(s[3], 45);
    return result;
}

/* Uniform in [0, bound); 0 when bound is 0. The bias is below bound / 2^64. */
static inline uint64_t rng_below(struct rng *r, uint64_t bound)
{
    return (uint64_t)((__extension__(unsigned __int128) rng_u64(r) * bound) >> 64);
}

/* Uniform in [0, 1) with 53 random bits. */
static inline double rng_double(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1.0p-53;
}

/* A new stream for the consumer `id`, independent of how much of the others is used. */
static inline struct rng rng_fork(uint64_t seed, uint64_t id)
{
    uint64_t state = seed ^ rng_splitmix(&id);
    return rng_seeded(rng_splitmix(&state));
}

#endif
