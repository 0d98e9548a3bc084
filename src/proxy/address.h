/* SPDX-License-Identifier: MIT */
/*
 * TCP addresses as Toxiproxy's users write and read them: "host:port", "[::1]:port", ":port"; and
 * Unix sockets as "unix:/path". Nothing here asks a name server; names are left to the resolver.
 */
#ifndef PROXY_ADDRESS_H
#define PROXY_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

/* More addresses of one name are not tried. */
#define ADDRESS_LIST_MAX 16
/* "unix:", the longest path of a socket, and the end; every IP address is shorter. */
#define ADDRESS_TEXT_MAX 128
#define ADDRESS_UNIX "unix:"
/* The longest name that DNS allows, and the end. */
#define ADDRESS_HOST_MAX 256

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } sa;
    socklen_t size;
};

struct address_list {
    size_t count;
    struct address items[ADDRESS_LIST_MAX];
};

struct address_hostport {
    char host[ADDRESS_HOST_MAX]; /* "" = wildcard */
    uint16_t port;
};

/*
 * Splits and checks "host:port". An empty text is the wildcard and a free port, an empty port is 0,
 * a port may be a service name. Error texts are those of Go's net package.
 */
int address_split(const char *text, struct address_hostport *out, struct err *err);

/*
 * Fills `out` when the host needs no name server: a literal, the wildcard or "localhost" (IPv4
 * first, RFC 6761). Returns false for any other name.
 */
bool address_known(const struct address_hostport *hostport, struct address_list *out);

/* "unix:/path": a slash must follow, because a host may be called "unix". */
bool address_is_unix(const char *text);
/* The one address of such a text; -1 when the path is too long for a socket. */
int address_parse_unix(const char *text, struct address_list *out, struct err *err);

/* The address of the list that a listener binds: IPv4 is preferred. NULL when the list is empty. */
const struct address *address_to_bind(const struct address_list *list);

/* True for 0.0.0.0 and [::]. */
bool address_is_wildcard(const struct address *address);

/* A Unix socket has no port: 0, and setting it does nothing. */
void address_set_port(struct address *address, uint16_t port);
uint16_t address_port(const struct address *address);

/*
 * "127.0.0.1:80", "[::1]:80", "unix:/path" ("unix:@" without a path, as clients are); every
 * wildcard is "[::]:80", as a dual-stack socket reports itself.
 */
void address_format(const struct address *address, char out[ADDRESS_TEXT_MAX]);

#endif
