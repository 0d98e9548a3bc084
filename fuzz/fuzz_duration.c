/* SPDX-License-Identifier: MIT */
/* Any text is read or refused, and what was read survives being written and read again. */
#include "base/duration.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[128];
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    ns_t value, back;
    struct err err;
    if (duration_parse(text, &value, &err) != 0)
        return 0;
    char buf[DURATION_TEXT_SIZE];
    int rc = duration_parse(duration_text(value, buf), &back, &err);
    assert(rc == 0 && back == value);
    return 0;
}
