/* SPDX-License-Identifier: MIT */
/* Any bytes as a flight recording or an operation log, in two pieces: refused with a message, or
 * shown in every format. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "metrics/op_reader.h"
#include "report/op_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct view {
    FILE *out;
    struct op_writer writers[OP_FORMAT_COUNT];
};

static int head(void *arg, const struct op_file_header *header, const char *text)
{
    struct view *v = arg;
    assert(strlen(text) <= OP_FILE_TEXT_MAX);
    for (int i = 0; i < OP_FORMAT_COUNT; i++) {
        op_writer_init(&v->writers[i], v->out, i, header, text);
        op_writer_begin(&v->writers[i], text);
    }
    op_writer_node(&v->writers[0], "node1");
    return 0;
}

static int record(void *arg, const struct op_record *r)
{
    struct view *v = arg;
    unsigned char bytes[OP_RECORD_BYTES];
    struct op_record again;
    op_record_encode(r, bytes);
    assert(op_record_decode(bytes, &again) && memcmp(r, &again, sizeof again) == 0);
    for (int i = 0; i < OP_FORMAT_COUNT; i++)
        op_writer_record(&v->writers[i], r);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct view v = {.out = fopen("/dev/null", "w")};
    const struct op_reader_config config = {.head = head, .record = record, .arg = &v};
    struct op_reader *r = op_reader_new(&config, NULL);
    struct err err = {""};
    size_t first = data[0] < size - 1 ? data[0] : size - 1;
    int rc = op_reader_feed(r, data + 1, first, &err);
    if (rc == 0)
        rc = op_reader_feed(r, data + 1 + first, size - 1 - first, &err);
    if (rc == 0)
        rc = op_reader_end(r, &err);
    assert(rc == 0 || err.text[0] != '\0');
    op_reader_free(r);
    fclose(v.out);
    return 0;
}
