/* SPDX-License-Identifier: MIT */
/*
 * What a server may send, given to a connection with four requests in flight: all at once, byte by
 * byte, and in pieces. All three must end alike, and never touch memory that is not theirs.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mcmeta/conn.h"

#define OPS 4
#define BUFFER_SIZE 8

struct run {
    struct mcm_conn conn;
    struct mcm_op ops[OPS];
    char *buffers[OPS]; /* on the heap, so that a byte too far is noticed */
};

static const struct mcm_request requests[OPS] = {
    {.command = MCM_COMMAND_GET, .key = {"k", 1}, .flags = MCM_REQUEST_VALUE},
    {.command = MCM_COMMAND_SET, .key = {"k", 1}, .value = {"v", 1}},
    {.command = MCM_COMMAND_ARITH, .key = {"k", 1}, .flags = MCM_REQUEST_VALUE},
    {.command = MCM_COMMAND_NOOP},
};

static void play(struct run *run, const uint8_t *data, size_t size, size_t piece)
{
    memset(run, 0, sizeof(*run));
    mcm_conn_init(&run->conn, true, 0);
    for (int i = 0; i < OPS; i++) {
        run->buffers[i] = calloc(1, BUFFER_SIZE);
        mcm_op_init(&run->ops[i], &requests[i], run->buffers[i], BUFFER_SIZE);
        mcm_conn_submit(&run->conn, &run->ops[i], &requests[i]);
        mcm_conn_wrote(&run->conn, run->ops[i].bytes_total);
    }
    while (size > 0) {
        char spill[64];
        struct iovec pieces[2];
        unsigned count = mcm_conn_read_target(&run->conn, spill, sizeof(spill), pieces);
        size_t total = 0;
        for (unsigned i = 0; i < count && size > 0 && total < piece; i++) {
            size_t part = pieces[i].iov_len;
            part = part < size ? part : size;
            part = part < piece - total ? part : piece - total;
            memcpy(pieces[i].iov_base, data, part);
            data += part;
            size -= part;
            total += part;
        }
        mcm_conn_fed(&run->conn, spill, total);
    }
}

static void expect_alike(const struct run *a, const struct run *b)
{
    if (a->conn.broken != b->conn.broken)
        abort();
    for (int i = 0; i < OPS; i++) {
        const struct mcm_op *x = &a->ops[i], *y = &b->ops[i];
        if (x->outcome != y->outcome || x->value_size != y->value_size || x->number != y->number ||
            x->cas != y->cas || x->ttl != y->ttl || x->client_flags != y->client_flags ||
            strcmp(x->error, y->error) != 0)
            abort();
        if (x->outcome == MCM_OK && memcmp(a->buffers[i], b->buffers[i], BUFFER_SIZE) != 0)
            abort();
    }
}

static void finish(struct run *run)
{
    for (int i = 0; i < OPS; i++)
        free(run->buffers[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole, bytewise, pieces;
    play(&whole, data, size, SIZE_MAX);
    play(&bytewise, data, size, 1);
    play(&pieces, data, size, 3);
    expect_alike(&whole, &bytewise);
    expect_alike(&whole, &pieces);
    finish(&whole);
    finish(&bytewise);
    finish(&pieces);
    return 0;
}
