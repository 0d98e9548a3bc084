/* SPDX-License-Identifier: MIT */
/* Request bodies, as every endpoint reads them, and answers, as the client of the API reads them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/apihttp.h"
#include "proxy/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_taken(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "taken") == 0;
}

static void read_body(const char *bytes, size_t size)
{
    json_t *value;
    struct err err;
    struct proxy_request proxy;
    struct proxy_options options = {0};
    int status;
    if (codec_parse(bytes, size, &value, &err) < 0)
        return;
    (void)codec_read_proxy(value, &proxy, &err);
    (void)codec_read_options(value, &options, &err);
    toxic_free(codec_make_toxic(value, is_taken, NULL, &status, &err));
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
