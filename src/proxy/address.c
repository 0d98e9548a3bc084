/* SPDX-License-Identifier: MIT */
#include "proxy/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Finds where host and port lie; returns what is wrong, or NULL. */
static const char *find_parts(const char *text, const char **host, size_t *host_size,
                              const char **port)
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        return "missing port in address";
    const char *after_host = colon;
    const char *search_open = text;
    *host = text;
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (!close)
            return "missing ']' in address";
        if (close[1] == '\0')
            return "missing port in address";
        if (close + 1 != colon)
            return close[1] == ':' ? "too many colons in address" : "missing port in address";
        *host = search_open = text + 1;
        after_host = close;
    } else if (memchr(text, ':', (size_t)(colon - text))) {
        return "too many colons in address";
    }
    if (strchr(search_open, '['))
        return "unexpected '[' in address";
    if (strchr(text[0] == '[' ? after_host + 1 : text, ']'))
        return "unexpected ']' in address";
    *host_size = (size_t)(after_host - *host);
    *port = colon + 1;
    return NULL;
}

static int parse_port(const char *text, uint16_t *out, struct err *err)
{
    if (text[0] == '\0') {
        *out = 0;
        return 0;
    }
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    if (digits[0] != '\0' && strspn(digits, "0123456789") == strlen(digits)) {
        unsigned long value = strlen(digits) > 6 ? 65536 : strtoul(digits, NULL, 10);
        if (value > 65535 || (text[0] == '-' && value != 0))
            return err_set(err, "address %s: invalid port", text);
        *out = (uint16_t)value;
        return 0;
    }
    struct servent entry;
    struct servent *found = NULL;
    char scratch[1024];
    if (getservbyname_r(text, "tcp", &entry, scratch, sizeof scratch, &found) != 0 || !found)
        return err_set(err, "address tcp/%s: unknown port", text);
    *out = ntohs((uint16_t)entry.s_port);
    return 0;
}

int address_split(const char *text, struct address_hostport *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    if (text[0] == '\0')
        return 0;
    const char *host = NULL;
    const char *port = NULL;
    size_t host_size = 0;
    const char *wrong = find_parts(text, &host, &host_size, &port);
    if (!wrong && host_size >= sizeof out->host)
        wrong = "name too long in address";
    if (wrong)
        return err_set(err, "address %s: %s", text, wrong);
    memcpy(out->host, host, host_size);
    return parse_port(port, &out->port, err);
}

static void list_add_v4(struct address_list *list, struct in_addr ip, uint16_t port)
{
    struct address *a = &list->items[list->count++];
    memset(a, 0, sizeof *a);
    a->size = sizeof a->sa.v4;
    a->sa.v4.sin_family = AF_INET;
    a->sa.v4.sin_addr = ip;
    a->sa.v4.sin_port = htons(port);
}

static void list_add_v6(struct address_list *list, struct in6_addr ip, uint32_t scope,
                        uint16_t port)
{
    struct address *a = &list->items[list->count++];
    memset(a, 0, sizeof *a);
    a->size = sizeof a->sa.v6;
    a->sa.v6.sin6_family = AF_INET6;
    a->sa.v6.sin6_addr = ip;
    a->sa.v6.sin6_scope_id = scope;
    a->sa.v6.sin6_port = htons(port);
}

static bool parse_v6(const char *host, struct in6_addr *ip, uint32_t *scope)
{
    char text[ADDRESS_HOST_MAX];
    snprintf(text, sizeof text, "%s", host);
    char *zone = strchr(text, '%');
    *scope = 0;
    if (zone) {
        *zone++ = '\0';
        *scope = if_nametoindex(zone);
        if (*scope == 0)
            *scope = (uint32_t)strtoul(zone, NULL, 10);
    }
    return inet_pton(AF_INET6, text, ip) == 1;
}

bool address_known(const struct address_hostport *hostport, struct address_list *out)
{
    struct in_addr v4;
    struct in6_addr v6;
    uint32_t scope;
    out->count = 0;
    if (hostport->host[0] == '\0') {
        list_add_v6(out, in6addr_any, 0, hostport->port);
    } else if (strcasecmp(hostport->host, "localhost") == 0) {
        list_add_v4(out, (struct in_addr){htonl(INADDR_LOOPBACK)}, hostport->port);
        list_add_v6(out, in6addr_loopback, 0, hostport->port);
    } else if (inet_pton(AF_INET, hostport->host, &v4) == 1) {
        list_add_v4(out, v4, hostport->port);
    } else if (parse_v6(hostport->host, &v6, &scope)) {
        list_add_v6(out, v6, scope, hostport->port);
    }
    return out->count > 0;
}

bool address_is_unix(const char *text)
{
    return strncmp(text, ADDRESS_UNIX "/", sizeof ADDRESS_UNIX) == 0;
}

int address_parse_unix(const char *text, struct address_list *out, struct err *err)
{
    const char *path = text + sizeof ADDRESS_UNIX - 1;
    struct address *a = &out->items[0];
    out->count = 0;
    if (strlen(path) >= sizeof a->sa.local.sun_path)
        return err_set(err, "address %s: path of a socket is longer than %zu bytes", text,
                       sizeof a->sa.local.sun_path - 1);
    memset(a, 0, sizeof *a);
    a->size = sizeof a->sa.local;
    a->sa.local.sun_family = AF_UNIX;
    snprintf(a->sa.local.sun_path, sizeof a->sa.local.sun_path, "%s", path);
    out->count = 1;
    return 0;
}

const struct address *address_to_bind(const struct address_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].sa.any.sa_family == AF_INET)
            return &list->items[i];
    return list->count > 0 ? &list->items[0] : NULL;
}

bool address_is_wildcard(const struct address *address)
{
    if (address->sa.any.sa_family == AF_INET)
        return address->sa.v4.sin_addr.s_addr == htonl(INADDR_ANY);
    return address->sa.any.sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&address->sa.v6.sin6_addr);
}

void address_set_port(struct address *address, uint16_t port)
{
    if (address->sa.any.sa_family == AF_INET)
        address->sa.v4.sin_port = htons(port);
    else if (address->sa.any.sa_family == AF_INET6)
        address->sa.v6.sin6_port = htons(port);
}

uint16_t address_port(const struct address *address)
{
    if (address->sa.any.sa_family == AF_UNIX)
        return 0;
    return ntohs(address->sa.any.sa_family == AF_INET ? address->sa.v4.sin_port
                                                      : address->sa.v6.sin6_port);
}

void address_format(const struct address *address, char out[ADDRESS_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN];
    uint16_t port = address_port(address);
    if (address->sa.any.sa_family == AF_UNIX) {
        const char *path = address->sa.local.sun_path;
        bool named = address->size > offsetof(struct sockaddr_un, sun_path) && path[0] != '\0';
        snprintf(out, ADDRESS_TEXT_MAX, ADDRESS_UNIX "%s", named ? path : "@");
        return;
    }
    if (address_is_wildcard(address)) {
        snprintf(out, ADDRESS_TEXT_MAX, "[::]:%u", port);
        return;
    }
    if (address->sa.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->sa.v4.sin_addr, ip, sizeof ip);
        snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", ip, port);
        return;
    }
    const struct in6_addr *v6 = &address->sa.v6.sin6_addr;
    char zone[IF_NAMESIZE] = "";
    if (IN6_IS_ADDR_V4MAPPED(v6)) {
        inet_ntop(AF_INET, &v6->s6_addr[12], ip, sizeof ip);
        snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", ip, port);
        return;
    }
    inet_ntop(AF_INET6, v6, ip, sizeof ip);
    bool zoned = address->sa.v6.sin6_scope_id != 0 &&
                 if_indextoname(address->sa.v6.sin6_scope_id, zone) != NULL;
    snprintf(out, ADDRESS_TEXT_MAX, "[%s%s%s]:%u", ip, zoned ? "%" : "", zone, port);
}
