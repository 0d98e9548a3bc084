/* SPDX-License-Identifier: MIT */
/* Calls on one server: version and what follows from it, statistics, flush, debug. */
#include <stdio.h>
#include <string.h>

#include "mcmeta/classic.h"
#include "mcmeta/handle.h"

/* The first version with each feature. Those of 1.6.20 and 1.6.27 are from the release notes; when
 * mg learned C they do not tell, and 1.6.45 has it for certain. */
static const struct {
    unsigned version[3];
    unsigned capability;
} first_versions[] = {
    {{1, 6, 20}, MCM_CAN_APPEND_VIVIFY},
    {{1, 6, 27}, MCM_CAN_NEW_CAS},
    {{1, 6, 27}, MCM_CAN_DROP_VALUE},
    {{1, 6, 45}, MCM_CAN_GET_UNLESS},
};

static bool is_at_least(const unsigned version[3], const unsigned least[3])
{
    for (int i = 0; i < 3; i++) {
        if (version[i] != least[i])
            return version[i] > least[i];
    }
    return true;
}

unsigned mcm_version_capabilities(const char *version)
{
    unsigned part[3] = {0}, capabilities = 0;
    if (sscanf(version, "%4u.%4u.%4u", &part[0], &part[1], &part[2]) != 3)
        return 0;
    for (size_t i = 0; i < sizeof(first_versions) / sizeof(first_versions[0]); i++) {
        if (is_at_least(part, first_versions[i].version))
            capabilities |= first_versions[i].capability;
    }
    return capabilities;
}

static enum mcm_outcome run_text(struct mcm_client *client, unsigned index, const char *word,
                                 struct mcm_text *text, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_request request = {
        .command = MCM_COMMAND_TEXT, .key = mcm_slice_of_string(word), .text = text};
    return mcm_client_call_server(client, index, &request, deadline, result);
}

enum mcm_outcome mcm_server_version(struct mcm_client *client, unsigned index, char *version,
                                    mcm_ns deadline, struct mcm_result *result)
{
    char copy[MCM_VERSION_SIZE] = "";
    struct mcm_classic_line reader;
    mcm_classic_line_init(&reader, "VERSION");
    reader.copy = copy;
    run_text(client, index, "version", &reader.text, deadline, result);
    if (version != NULL)
        memcpy(version, copy, sizeof(copy));
    return result->outcome;
}

static bool is_group(const char *group)
{
    char previous = ' ';
    for (const char *at = group; *at != '\0'; previous = *at++) {
        bool is_word = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                       (*at >= '0' && *at <= '9') || *at == '_';
        if (!is_word && (*at != ' ' || previous == ' '))
            return false;
    }
    return previous != ' ' && strlen(group) <= 64;
}

enum mcm_outcome mcm_server_info(struct mcm_client *client, unsigned index, const char *group,
                                 mcm_pair_fn each, void *arg, mcm_ns deadline,
                                 struct mcm_result *result)
{
    char word[80];
    if (group != NULL && !is_group(group))
        return mcm_result_refuse(result, MCM_E_ARG);
    snprintf(word, sizeof(word), group != NULL ? "stats %s" : "stats", group);
    struct mcm_classic_stats reader;
    mcm_classic_stats_init(&reader, each, arg);
    return run_text(client, index, word, &reader.text, deadline, result);
}

enum mcm_outcome mcm_flush(struct mcm_client *client, unsigned index, uint32_t delay_s,
                           mcm_ns deadline, struct mcm_result *result)
{
    char word[32];
    if (!client->allow_flush || delay_s > INT32_MAX)
        return mcm_result_refuse(result, MCM_E_ARG);
    snprintf(word, sizeof(word), "flush_all %u", delay_s);
    struct mcm_classic_line reader;
    mcm_classic_line_init(&reader, "OK");
    return run_text(client, index, word, &reader.text, deadline, result);
}

enum mcm_outcome mcm_debug(struct mcm_client *client, struct mcm_slice key, mcm_pair_fn each,
                           void *arg, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_wire_key wire;
    struct mcm_classic_line reader;
    char word[MCM_KEY_SIZE_MAX + 8];
    if (!mcm_key_prepare(client->keys, key, &wire))
        return mcm_result_refuse(result, MCM_E_KEY);
    snprintf(word, sizeof(word), "me %.*s%s", (int)wire.key.size, (const char *)wire.key.data,
             wire.base64 ? " b" : "");
    mcm_classic_line_init(&reader, "ME");
    reader.each = each;
    reader.arg = arg;
    return run_text(client, mcm_client_server_index(client, key), word, &reader.text, deadline,
                    result);
}
