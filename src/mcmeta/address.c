/* SPDX-License-Identifier: MIT */
/* Addresses as users write them. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "mcmeta/socket.h"

#define UNIX_PREFIX "unix:"
#define PORT_SIZE_MAX 8

static int resolve_unix(struct mcm_address *address, const char *path)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->sockets[0];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof(un->sun_path))
        return -1;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, size + 1);
    address->sizes[0] = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    address->count = 1;
    return 0;
}

/* Copies `size` bytes with a final zero; -1 when there is nothing or it does not fit. */
static int copy_part(char *to, size_t to_size, const char *from, size_t size)
{
    if (size == 0 || size >= to_size)
        return -1;
    memcpy(to, from, size);
    to[size] = '\0';
    return 0;
}

static bool is_port(const char *text)
{
    unsigned port = 0;
    size_t size = strlen(text);
    for (size_t i = 0; i < size && i < 6; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return size > 0 && size < 6 && port > 0 && port <= 65535;
}

/* Splits "host", "host:port", "[v6]" or "[v6]:port". */
static int split_host_port(const char *text, char host[MCM_HOST_SIZE], char port[PORT_SIZE_MAX])
{
    const char *host_end, *rest;
    if (text[0] == '[') {
        host_end = strchr(++text, ']');
        if (host_end == NULL)
            return -1;
        rest = host_end + 1;
    } else {
        host_end = strchr(text, ':');
        if (host_end == NULL || strchr(host_end + 1, ':') != NULL)
            host_end = text + strlen(text); /* no port, or a bare v6 address */
        rest = host_end;
    }
    if (copy_part(host, MCM_HOST_SIZE, text, (size_t)(host_end - text)) != 0)
        return -1;
    const char *port_text = MCM_PORT_DEFAULT;
    if (rest[0] == ':')
        port_text = rest + 1;
    else if (rest[0] != '\0')
        return -1;
    return is_port(port_text) ? copy_part(port, PORT_SIZE_MAX, port_text, strlen(port_text)) : -1;
}

bool mcm_address_is_valid(const char *text)
{
    struct mcm_address address;
    char host[MCM_HOST_SIZE], port[PORT_SIZE_MAX];
    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return resolve_unix(&address, text + strlen(UNIX_PREFIX)) == 0;
    return split_host_port(text, host, port) == 0;
}

static bool is_unix(const char *text)
{
    return strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

void mcm_address_host(const char *text, char host[MCM_HOST_SIZE])
{
    char port[PORT_SIZE_MAX];
    if (is_unix(text) || split_host_port(text, host, port) != 0)
        snprintf(host, MCM_HOST_SIZE, "%s", text + (is_unix(text) ? strlen(UNIX_PREFIX) : 0));
}

bool mcm_address_is_name(const char *text)
{
    char host[MCM_HOST_SIZE];
    unsigned char bytes[16];
    mcm_address_host(text, host);
    return !is_unix(text) && inet_pton(AF_INET, host, bytes) != 1 && strchr(host, ':') == NULL;
}

void mcm_address_resolve(struct mcm_address *address, const char *text)
{
    memset(address, 0, sizeof(*address));
    char host[MCM_HOST_SIZE], port[PORT_SIZE_MAX];
    if (is_unix(text)) {
        resolve_unix(address, text + strlen(UNIX_PREFIX));
        return;
    }
    if (split_host_port(text, host, port) != 0)
        return;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        hints.ai_flags = AI_NUMERICSERV;
        if (getaddrinfo(host, port, &hints, &found) != 0)
            return;
    }
    for (struct addrinfo *it = found; it != NULL && address->count < MCM_ADDRESSES_MAX;
         it = it->ai_next) {
        memcpy(&address->sockets[address->count], it->ai_addr, it->ai_addrlen);
        address->sizes[address->count++] = it->ai_addrlen;
    }
    freeaddrinfo(found);
}
