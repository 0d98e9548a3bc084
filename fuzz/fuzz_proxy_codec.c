/* SPDX-License-Identifier: MIT */
/* Request bodies, as every endpoint reads them, and answers, as the client of the API reads them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/apihttp.h"
#include "proxy/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_body(const char *bytes, size_t size)
{
    json_t *value;
    struct err err;
    struct proxy_request proxy;
    struct toxic_request toxic;
    if (codec_parse(bytes, size, &value, &err) < 0)
        return;
    (void)codec_read_proxy(value, &proxy, &err);
    if (codec_read_toxic(value, &toxic, &err) == 0 && toxic.type) {
        const struct toxic_ops *ops = toxic_type_find(toxic.type);
        if (ops) {
            struct toxic_values values = toxic_values_default(ops);
            (void)codec_read_attributes(toxic.attributes, ops, &values, &err);
        }
    }
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct apihttp_answer answer;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    read_body(text, size);
    (void)apihttp_parse(text, size, 1, &answer);
    free(answer.body);
    free(text);
    return 0;
}
