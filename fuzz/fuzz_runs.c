/* SPDX-License-Identifier: MIT */
/*
 * What a server may send, given to a connection with a quiet run and a classic get line in flight:
 * all at once and byte by byte. Both must end alike, and no value may go to a key that was not
 * asked for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mcmeta/classic.h"
#include "mcmeta/conn.h"

#define OPS 5
#define KEYS 3
#define BUFFER_SIZE 8

static const char *const keys[KEYS] = {"a", "bb", "a"};

struct run {
    struct mcm_classic_get get; /* first: the callbacks get at the run through it */
    struct mcm_conn conn;
    struct mcm_op ops[OPS];
    char *buffers[OPS]; /* on the heap, so that a byte too far is noticed */
    int found[KEYS];
};

static const struct mcm_request requests[OPS - 1] = {
    {.command = MCM_COMMAND_GET, .key = {"k", 1}, .flags = MCM_REQUEST_VALUE | MCM_REQUEST_QUIET},
    {.command = MCM_COMMAND_SET, .key = {"k", 1}, .value = {"v", 1}, .flags = MCM_REQUEST_QUIET},
    {.command = MCM_COMMAND_DELETE, .key = {"k", 1}, .flags = MCM_REQUEST_QUIET},
    {.command = MCM_COMMAND_NOOP},
};

static void line_begin(struct mcm_classic_get *get, struct mcm_op *op, unsigned index)
{
    struct run *run = (struct run *)get;
    if (index >= KEYS || run->found[index] != 0)
        abort();
    op->buffer = run->buffers[OPS - 1];
    op->buffer_size = BUFFER_SIZE;
}

static void line_end(struct mcm_classic_get *get, struct mcm_op *op, unsigned index)
{
    (void)op;
    ((struct run *)get)->found[index] = 1;
}

static void line_miss(struct mcm_classic_get *get, unsigned index)
{
    struct run *run = (struct run *)get;
    if (index >= KEYS || run->found[index] != 0)
        abort();
    run->found[index] = 2;
}

static const struct mcm_classic_get_ops line_ops = {line_begin, line_end, line_miss};

static void submit(struct run *run, int index, const struct mcm_request *request)
{
    struct mcm_op *op = &run->ops[index];
    run->buffers[index] = calloc(1, BUFFER_SIZE);
    mcm_op_init(op, request, run->buffers[index], BUFFER_SIZE);
    mcm_conn_submit(&run->conn, op, request);
    mcm_conn_wrote(&run->conn, op->bytes_total);
}

static void play(struct run *run, const uint8_t *data, size_t size, size_t piece)
{
    memset(run, 0, sizeof(*run));
    mcm_conn_init(&run->conn, false, 0);
    for (int i = 0; i < OPS - 1; i++)
        submit(run, i, &requests[i]);
    mcm_classic_get_init(&run->get, &line_ops, false);
    for (int i = 0; i < KEYS; i++)
        mcm_classic_get_add(&run->get, mcm_slice_of_string(keys[i]));
    struct mcm_request line = mcm_classic_get_request(&run->get);
    submit(run, OPS - 1, &line);
    while (size > 0) {
        size_t part = piece < size ? piece : size;
        mcm_conn_feed(&run->conn, data, part);
        data += part;
        size -= part;
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
    static struct run whole, bytewise;
    play(&whole, data, size, SIZE_MAX);
    play(&bytewise, data, size, 1);
    if (whole.conn.broken != bytewise.conn.broken ||
        memcmp(whole.found, bytewise.found, sizeof(whole.found)) != 0)
        abort();
    for (int i = 0; i < OPS; i++) {
        if (whole.ops[i].outcome != bytewise.ops[i].outcome ||
            whole.ops[i].value_size != bytewise.ops[i].value_size)
            abort();
    }
    finish(&whole);
    finish(&bytewise);
    return 0;
}
