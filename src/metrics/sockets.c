/* SPDX-License-Identifier: MIT */
#include "metrics/sockets.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sockets that one process tree may hold; beyond, nothing is told. */
#define INODES_MAX (1u << 20)

struct inodes {
    uint64_t *list;
    size_t count;
    size_t cap;
};

/* ---- peers ---- */

static bool peer_equal(const struct sockets_peer *a, const struct sockets_peer *b)
{
    return a->is_v6 == b->is_v6 && a->port == b->port &&
           memcmp(a->address, b->address, a->is_v6 ? 16 : 4) == 0;
}

static void peer_of(const struct sockaddr *sa, struct sockets_peer *out)
{
    *out = (struct sockets_peer){.is_v6 = sa->sa_family == AF_INET6};
    if (out->is_v6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        memcpy(out->address, &in6->sin6_addr, 16);
        out->port = ntohs(in6->sin6_port);
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        memcpy(out->address, &in->sin_addr, 4);
        out->port = ntohs(in->sin_port);
    }
}

/* A dual-stack socket shows an IPv4 peer as ::ffff:a.b.c.d. */
static void peer_unmap(struct sockets_peer *peer)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (!peer->is_v6 || memcmp(peer->address, prefix, sizeof(prefix)) != 0)
        return;
    peer->is_v6 = false;
    memmove(peer->address, peer->address + 12, 4);
    memset(peer->address + 4, 0, 12);
}

int sockets_peers_add(struct sockets_peers *peers, const char *address, struct err *err)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof(host))
        return err_set(err, "\"%.80s\" is not host:port", address);
    bool bracket = address[0] == '[' && colon > address + 1 && colon[-1] == ']';
    size_t length = (size_t)(colon - address) - (bracket ? 2 : 0);
    memcpy(host, address + bracket, length);
    host[length] = '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int rc = getaddrinfo(host, colon + 1, &hints, &found);
    if (rc != 0)
        return err_set(err, "%.80s: %s", address, gai_strerror(rc));
    for (struct addrinfo *a = found; a && peers->count < SOCKETS_PEERS_MAX; a = a->ai_next) {
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
            peer_of(a->ai_addr, &peers->list[peers->count++]);
    }
    freeaddrinfo(found);
    return peers->count < SOCKETS_PEERS_MAX ? 0 : err_set(err, "too many addresses");
}

bool sockets_parse_line(const char *line, bool is_v6, struct sockets_peer *peer, uint64_t *inode)
{
    unsigned words[4] = {0}, port;
    int n;
    if (is_v6)
        n = sscanf(line,
                   " %*u: %*32[0-9A-F]:%*4X %8X%8X%8X%8X:%4X %*2X %*s %*s %*s %*u %*u %" SCNu64,
                   &words[0], &words[1], &words[2], &words[3], &port, inode);
    else
        n = sscanf(line, " %*u: %*8X:%*4X %8X:%4X %*2X %*s %*s %*s %*u %*u %" SCNu64, &words[0],
                   &port, inode);
    if (n != (is_v6 ? 6 : 3))
        return false;
    *peer = (struct sockets_peer){.is_v6 = is_v6, .port = (uint16_t)port};
    memcpy(peer->address, words, is_v6 ? 16 : 4);
    peer_unmap(peer);
    return true;
}

/* ---- whose sockets ---- */

static int inodes_add(struct inodes *set, uint64_t inode)
{
    if (set->count == set->cap) {
        size_t cap = set->cap ? 2 * set->cap : 256;
        uint64_t *grown = cap <= INODES_MAX ? realloc(set->list, cap * sizeof(*grown)) : NULL;
        if (!grown)
            return -1;
        set->list = grown;
        set->cap = cap;
    }
    set->list[set->count++] = inode;
    return 0;
}

static int inodes_of(struct inodes *set, const char *pid)
{
    char path[64], link[64];
    snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : -1;
    int rc = 0;
    for (struct dirent *e = readdir(dir); e && rc == 0; e = readdir(dir)) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
        uint64_t inode;
        link[n > 0 ? n : 0] = '\0';
        if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1)
            rc = inodes_add(set, inode);
    }
    closedir(dir);
    return rc;
}

static long parent_of(const char *pid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *name_end = strrchr(text, ')');
    long parent = -1;
    if (!name_end || sscanf(name_end, ") %*c %ld", &parent) != 1)
        return -1;
    return parent;
}

/* A child that we may not look into, or that is gone by now, has none of our sockets to tell. */
static int inodes_of_family(struct inodes *set)
{
    DIR *dir = opendir("/proc");
    if (!dir)
        return -1;
    int rc = inodes_of(set, "self");
    for (struct dirent *e = readdir(dir); e && rc == 0; e = readdir(dir)) {
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && parent_of(e->d_name) == (long)getpid())
            inodes_of(set, e->d_name);
    }
    closedir(dir);
    return rc;
}

/* ---- counting ---- */

static int compare_inodes(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static bool is_counted(const struct sockets_peers *peers, const struct inodes *set,
                       const struct sockets_peer *peer, uint64_t inode)
{
    if (!bsearch(&inode, set->list, set->count, sizeof(inode), compare_inodes))
        return false;
    for (size_t i = 0; i < peers->count; i++) {
        if (peer_equal(&peers->list[i], peer))
            return true;
    }
    return false;
}

static int count_in(const char *path, bool is_v6, const struct sockets_peers *peers,
                    const struct inodes *set)
{
    char line[512];
    struct sockets_peer peer;
    uint64_t inode;
    int count = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return is_v6 && errno == ENOENT ? 0 : -1; /* a system without IPv6 */
    while (fgets(line, sizeof(line), file)) {
        if (sockets_parse_line(line, is_v6, &peer, &inode))
            count += is_counted(peers, set, &peer, inode);
    }
    fclose(file);
    return count;
}

int sockets_count(const struct sockets_peers *peers, struct err *err)
{
    struct inodes set = {0};
    int v4 = -1, v6 = -1;
    if (inodes_of_family(&set) == 0) {
        if (set.count > 0)
            qsort(set.list, set.count, sizeof(*set.list), compare_inodes);
        v4 = set.count > 0 ? count_in("/proc/self/net/tcp", false, peers, &set) : 0;
        v6 = set.count > 0 ? count_in("/proc/self/net/tcp6", true, peers, &set) : 0;
    }
    free(set.list);
    if (v4 < 0 || v6 < 0)
        return err_set(err, "cannot read the sockets from /proc: %s", strerror(errno));
    return v4 + v6;
}
