/* SPDX-License-Identifier: MIT */
#include "mcmeta/topology.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int mcm_refuse(char *error, size_t error_size, const char *format, ...)
{
    if (error != NULL && error_size > 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error, error_size, format, arguments);
        va_end(arguments);
    }
    return -1;
}

static const char *server_name(const struct mcm_server *server)
{
    return server->name != NULL ? server->name : server->address;
}

int mcm_topology_check(const struct mcm_server *servers, size_t count, char *error,
                       size_t error_size)
{
    if (count == 0 || servers == NULL)
        return mcm_refuse(error, error_size, "no server is configured");
    if (count > MCM_SERVERS_MAX)
        return mcm_refuse(error, error_size, "more than %d servers", MCM_SERVERS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (servers[i].address == NULL)
            return mcm_refuse(error, error_size, "server %zu has no address", i);
        if (!mcm_address_is_valid(servers[i].address))
            return mcm_refuse(error, error_size,
                              "\"%.100s\" is no address (host:port or unix:/path)",
                              servers[i].address);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(server_name(&servers[i]), server_name(&servers[j])) == 0)
                return mcm_refuse(error, error_size, "two servers have the name \"%.100s\"",
                                  server_name(&servers[i]));
        }
    }
    return 0;
}

static int make_selector(struct mcm_topology *topology, const struct mcm_selector_config *config,
                         const struct mcm_server *servers, char *error, size_t error_size)
{
    struct mcm_selector_server *named = calloc(topology->count, sizeof(*named));
    if (named == NULL)
        return mcm_refuse(error, error_size, "out of memory");
    for (size_t i = 0; i < topology->count; i++) {
        named[i].name = server_name(&servers[i]);
        named[i].weight = servers[i].weight;
    }
    struct mcm_selector_config selector = *config;
    selector.servers = named;
    selector.count = topology->count;
    const char *problem = mcm_selector_config_error(&selector);
    if (problem == NULL)
        topology->selector = mcm_selector_new(&selector);
    free(named);
    if (topology->selector == NULL)
        return mcm_refuse(error, error_size, "%s", problem != NULL ? problem : "out of memory");
    return 0;
}

static struct mcm_backend *find_backend(const struct mcm_topology *topology, const char *name,
                                        const char *address)
{
    for (unsigned i = 0; topology != NULL && i < topology->count; i++) {
        struct mcm_backend *backend = topology->backends[i];
        if (strcmp(backend->name, name) == 0 && strcmp(backend->address_text, address) == 0)
            return backend;
    }
    return NULL;
}

static int make_backend(struct mcm_topology *topology, unsigned index,
                        const struct mcm_backend_config *config)
{
    struct mcm_backend *backend = calloc(1, sizeof(*backend));
    if (backend == NULL)
        return -1;
    struct mcm_backend_config own = *config;
    own.seed = config->seed + index * UINT64_C(0x9e3779b97f4a7c15);
    if (mcm_backend_init(backend, &own) != 0) {
        free(backend);
        return -1;
    }
    topology->backends[index] = backend;
    return 0;
}

static int make_backends(struct mcm_topology *topology, const struct mcm_backend_config *config,
                         const struct mcm_server *servers, const struct mcm_topology *old)
{
    for (unsigned i = 0; i < topology->count; i++) {
        struct mcm_backend_config own = *config;
        own.name = server_name(&servers[i]);
        own.address = servers[i].address;
        struct mcm_backend *kept = find_backend(old, own.name, own.address);
        topology->is_shared[i] = kept != NULL; /* not ours to free until the old list is retired */
        topology->backends[i] = kept;
        if (kept == NULL && make_backend(topology, i, &own) != 0)
            return -1;
    }
    return 0;
}

struct mcm_topology *mcm_topology_new(const struct mcm_topology_config *config,
                                      const struct mcm_server *servers, size_t count,
                                      const struct mcm_topology *old, char *error,
                                      size_t error_size)
{
    struct mcm_topology *topology = calloc(1, sizeof(*topology));
    if (topology != NULL) {
        topology->count = (unsigned)count;
        topology->backends = calloc(count, sizeof(struct mcm_backend *));
        topology->is_shared = calloc(count, sizeof(bool));
    }
    if (topology == NULL || topology->backends == NULL || topology->is_shared == NULL) {
        mcm_refuse(error, error_size, "out of memory");
        mcm_topology_free(topology);
        return NULL;
    }
    int made = make_selector(topology, &config->selector, servers, error, error_size);
    if (made == 0 && make_backends(topology, &config->backend, servers, old) != 0)
        made = mcm_refuse(error, error_size, "out of memory");
    if (made != 0) {
        mcm_topology_free(topology);
        return NULL;
    }
    return topology;
}

static bool contains(const struct mcm_topology *topology, const struct mcm_backend *backend)
{
    for (unsigned i = 0; i < topology->count; i++) {
        if (topology->backends[i] == backend)
            return true;
    }
    return false;
}

void mcm_topology_hand_over(struct mcm_topology *old, const struct mcm_topology *newer)
{
    for (unsigned i = 0; i < old->count; i++)
        old->is_shared[i] = contains(newer, old->backends[i]);
    for (unsigned i = 0; i < newer->count; i++)
        newer->is_shared[i] = false;
}

void mcm_topology_free(struct mcm_topology *topology)
{
    if (topology == NULL)
        return;
    for (unsigned i = 0; i < topology->count && topology->backends != NULL; i++) {
        if (topology->backends[i] == NULL || topology->is_shared[i])
            continue;
        mcm_backend_deinit(topology->backends[i]);
        free(topology->backends[i]);
    }
    mcm_selector_free(topology->selector);
    free(topology->backends);
    free(topology->is_shared);
    free(topology);
}
