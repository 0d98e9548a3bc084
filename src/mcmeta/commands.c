/* SPDX-License-Identifier: MIT */
/* Commands on one key. */
#include <mcmeta/commands.h>

#include "mcmeta/compose.h"
#include "mcmeta/handle.h"

enum mcm_outcome mcm_get_with(struct mcm_client *client, struct mcm_slice key, void *buffer,
                              size_t buffer_size, const struct mcm_get_options *options,
                              mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_request request;
    enum mcm_outcome outcome = mcm_compose_get(key, options, &request);
    if (outcome != MCM_OK)
        return mcm_result_refuse(result, outcome);
    return mcm_client_call(client, &request, buffer, buffer_size, deadline, result);
}

enum mcm_outcome mcm_get_and_touch(struct mcm_client *client, struct mcm_slice key, uint32_t ttl,
                                   void *buffer, size_t buffer_size, mcm_ns deadline,
                                   struct mcm_result *result)
{
    struct mcm_get_options options = MCM_GET_OPTIONS_DEFAULT;
    options.touch = true;
    options.ttl = ttl;
    return mcm_get_with(client, key, buffer, buffer_size, &options, deadline, result);
}

enum mcm_outcome mcm_touch(struct mcm_client *client, struct mcm_slice key, uint32_t ttl,
                           mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_get_options options = {.size = sizeof(options), .touch = true, .ttl = ttl};
    return mcm_get_with(client, key, NULL, 0, &options, deadline, result);
}

enum mcm_outcome mcm_store(struct mcm_client *client, struct mcm_slice key, struct mcm_slice value,
                           const struct mcm_store_options *options, mcm_ns deadline,
                           struct mcm_result *result)
{
    struct mcm_request request;
    enum mcm_outcome outcome = mcm_compose_store(key, value, options, &request);
    if (outcome == MCM_OK && value.size > client->value_size_max)
        outcome = MCM_E_TOO_BIG;
    if (outcome != MCM_OK)
        return mcm_result_refuse(result, outcome);
    return mcm_client_call(client, &request, NULL, 0, deadline, result);
}

enum mcm_outcome mcm_add(struct mcm_client *client, struct mcm_slice key, struct mcm_slice value,
                         uint32_t ttl, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_store_options options = {.size = sizeof(options), MCM_STORE_ADD, .ttl = ttl};
    return mcm_store(client, key, value, &options, deadline, result);
}

enum mcm_outcome mcm_replace(struct mcm_client *client, struct mcm_slice key,
                             struct mcm_slice value, uint32_t ttl, mcm_ns deadline,
                             struct mcm_result *result)
{
    struct mcm_store_options options = {.size = sizeof(options), MCM_STORE_REPLACE, .ttl = ttl};
    return mcm_store(client, key, value, &options, deadline, result);
}

enum mcm_outcome mcm_append(struct mcm_client *client, struct mcm_slice key, struct mcm_slice value,
                            mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_store_options options = {.size = sizeof(options), MCM_STORE_APPEND};
    return mcm_store(client, key, value, &options, deadline, result);
}

enum mcm_outcome mcm_prepend(struct mcm_client *client, struct mcm_slice key,
                             struct mcm_slice value, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_store_options options = {.size = sizeof(options), MCM_STORE_PREPEND};
    return mcm_store(client, key, value, &options, deadline, result);
}

enum mcm_outcome mcm_cas(struct mcm_client *client, struct mcm_slice key, struct mcm_slice value,
                         uint64_t cas, uint32_t ttl, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_store_options options = {
        .size = sizeof(options), .ttl = ttl, .compare = true, .cas = cas};
    return mcm_store(client, key, value, &options, deadline, result);
}

enum mcm_outcome mcm_delete_with(struct mcm_client *client, struct mcm_slice key,
                                 const struct mcm_delete_options *options, mcm_ns deadline,
                                 struct mcm_result *result)
{
    struct mcm_request request;
    enum mcm_outcome outcome = mcm_compose_delete(key, options, &request);
    if (outcome != MCM_OK)
        return mcm_result_refuse(result, outcome);
    return mcm_client_call(client, &request, NULL, 0, deadline, result);
}

enum mcm_outcome mcm_counter(struct mcm_client *client, struct mcm_slice key, mcm_ns deadline,
                             struct mcm_result *result)
{
    struct mcm_increment nothing = {.delta = 0};
    return mcm_increment(client, key, &nothing, deadline, result);
}

enum mcm_outcome mcm_raw(struct mcm_client *client, const struct mcm_raw_request *raw, void *buffer,
                         size_t buffer_size, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_request request;
    enum mcm_outcome outcome = mcm_compose_raw(raw, &request);
    if (outcome == MCM_OK && raw->value.size > client->value_size_max)
        outcome = MCM_E_TOO_BIG;
    if (outcome != MCM_OK)
        return mcm_result_refuse(result, outcome);
    return mcm_client_call(client, &request, buffer, buffer_size, deadline, result);
}
