/* SPDX-License-Identifier: MIT */
/* Any line from a driver program is read or refused. */
#include <string.h>

#include "driver/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const servers[] = {"127.0.0.1:1", "127.0.0.1:2"};
static const struct driver_config config = {.servers = servers, .server_count = 2};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_record record;
    struct wire_about about;
    struct wire_end end;
    struct node_stats stats[2];
    struct err err;
    if (wire_read((const char *)data, size, &record, &err) != 0)
        return 0;
    wire_read_hello(record.root, &about, &err);
    wire_read_stats(record.root, stats, 2, &err);
    for (int op = 0; op < OP_COUNT; op++) {
        wire_read_end(record.root, (enum op)op, &config, &end, &err);
        for (size_t i = 0; i < 3; i++)
            wire_read_item(record.root, (enum op)op, &config, i, 3, &end, &err);
    }
    json_decref(record.root);
    return 0;
}
