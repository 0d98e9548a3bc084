/* SPDX-License-Identifier: MIT */
/*
 * What the packet_loss toxic does to lone responses, in virtual time: prints the delay of each in
 * milliseconds. test_packet_loss_model.py compares it with a kernel and a path that really loses.
 *
 *   loss_model LOSS_RATE RTT_MS RESPONSE_BYTES COUNT SEED
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toxic/chain.h"

static void set(struct toxic *toxic, const char *name, const char *text)
{
    const struct toxic_attr *attr = toxic_attr_find(toxic->ops, name);
    struct toxic_values values = toxic->values;
    int rc = toxic_attr_set_float(toxic->ops, &values, attr, strtod(text, NULL), NULL);
    assert(rc == 0);
    toxic_apply(toxic, &values, toxic->toxicity);
}

static size_t take_all(struct chain *chain, ns_t now)
{
    size_t bytes = 0;
    struct chunk *chunk;
    while ((chunk = chain_output(chain))) {
        bytes += chunk->length;
        chain_consume(chain, chunk->length, now);
    }
    return bytes;
}

/* Sends one response and returns when all of it is there. */
static ns_t respond(struct chain *chain, size_t bytes, ns_t now)
{
    static const unsigned char zeros[CHUNK_BYTES_MAX];
    for (size_t left = bytes; left;) {
        size_t length = left < CHUNK_BYTES_MAX ? left : CHUNK_BYTES_MAX;
        chain_push(chain, chunk_copy(NULL, zeros, length), now);
        left -= length;
    }
    for (size_t got = take_all(chain, now); got < bytes; got += take_all(chain, now)) {
        now = chain_deadline(chain);
        assert(now != NS_NEVER);
        chain_tick(chain, now);
    }
    return now;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fputs("usage: loss_model LOSS_RATE RTT_MS RESPONSE_BYTES COUNT SEED\n", stderr);
        return 2;
    }
    struct toxic *toxic = toxic_new(toxic_type_find("packet_loss"), NULL, NULL, 1, NULL);
    assert(toxic);
    set(toxic, "loss_rate", argv[1]);
    set(toxic, "rtt", argv[2]);
    struct chain *chain =
        chain_new(&(struct chain_config){.rng = rng_seeded(strtoull(argv[5], NULL, 0))});
    assert(chain);
    ns_t now = 0;
    int rc = chain_add(chain, toxic, NULL, now);
    assert(rc == 0);
    for (long i = strtol(argv[4], NULL, 10); i > 0; i--) {
        now += NS_PER_SEC;
        ns_t done = respond(chain, strtoull(argv[3], NULL, 10), now);
        printf("%.3f\n", (double)(done - now) / (double)NS_PER_MS);
        now = done;
    }
    chain_free(chain);
    toxic_free(toxic);
    return 0;
}
