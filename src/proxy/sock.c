/* SPDX-License-Identifier: MIT */
#include "proxy/sock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEPALIVE_SECONDS 15

static void set_option(int fd, int level, int name, int value)
{
    /* Every option used here only tunes: a socket without it still works. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

const char *sock_reason(int error, char *out, size_t out_size)
{
    char text[128];
    snprintf(out, out_size, "%s", strerror_r(error, text, sizeof text));
    if (out_size > 1 && islower((unsigned char)out[1]))
        out[0] = (char)tolower((unsigned char)out[0]);
    return out;
}

/* Small packets at once, and keep-alive. */
static void tune(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_SECONDS);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_SECONDS);
}

static int open_listener(const struct address *address)
{
    int fd = socket(address->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    /* For the sockets accepted from it: they inherit. */
    tune(fd);
    if (address->sa.any.sa_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address_is_wildcard(address));
    if (bind(fd, &address->sa.any, address->size) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void sock_file_identify(const char *path, struct sock_file *out)
{
    struct stat info;
    *out = (struct sock_file){0};
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode))
        *out = (struct sock_file){.device = info.st_dev, .inode = info.st_ino};
}

void sock_file_remove(const char *path, const struct sock_file *file)
{
    struct sock_file now;
    sock_file_identify(path, &now);
    if (file->inode != 0 && now.inode == file->inode && now.device == file->device)
        (void)unlink(path);
}

/* Whether the file is a socket that refuses connections: its server died without removing it. */
static bool is_stale(const struct address *address)
{
    struct sock_file file;
    sock_file_identify(address->sa.local.sun_path, &file);
    int fd = file.inode != 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return false;
    bool refused = connect(fd, &address->sa.any, address->size) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int listen_unix(const struct address *address, struct address *bound, struct err *err)
{
    int fd = open_listener(address);
    if (fd < 0 && errno == EADDRINUSE) {
        /* Whoever bound the name a moment ago and does not listen yet loses it: a second server. */
        if (is_stale(address) && unlink(address->sa.local.sun_path) == 0)
            fd = open_listener(address);
        else
            errno = EADDRINUSE;
    }
    if (fd < 0) {
        char why[128];
        return err_set(err, "listen unix %s: bind: %s", address->sa.local.sun_path,
                       sock_reason(errno, why, sizeof why));
    }
    *bound = *address;
    return fd;
}

static struct address wildcard(int family, uint16_t port)
{
    struct address a;
    memset(&a, 0, sizeof a);
    if (family == AF_INET6) {
        a.size = sizeof a.sa.v6;
        a.sa.v6.sin6_family = AF_INET6;
        a.sa.v6.sin6_addr = in6addr_any;
    } else {
        a.size = sizeof a.sa.v4;
        a.sa.v4.sin_family = AF_INET;
    }
    address_set_port(&a, port);
    return a;
}

int sock_listen(const struct address *address, struct address *bound, struct err *err)
{
    if (address->sa.any.sa_family == AF_UNIX)
        return listen_unix(address, bound, err);
    struct address want = *address;
    if (address_is_wildcard(address))
        want = wildcard(AF_INET6, address_port(address));
    int fd = open_listener(&want);
    if (fd < 0 && errno == EAFNOSUPPORT && address_is_wildcard(address)) {
        want = wildcard(AF_INET, address_port(address));
        fd = open_listener(&want);
    }
    if (fd < 0) {
        char text[ADDRESS_TEXT_MAX], why[128];
        sock_reason(errno, why, sizeof why);
        address_format(address, text);
        const char *shown = address_is_wildcard(address) ? strrchr(text, ':') : text;
        return err_set(err, "listen tcp %s: bind: %s", shown, why);
    }
    *bound = want;
    bound->size = sizeof bound->sa;
    (void)getsockname(fd, &bound->sa.any, &bound->size);
    return fd;
}

int sock_dial(const struct address *address, bool *done)
{
    int fd = socket(address->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    tune(fd);
    *done = connect(fd, &address->sa.any, address->size) == 0;
    /* To this machine it is connected by now, but only a second call says so; that spares a turn of
     * the loop. To another one the answer is EALREADY. */
    if (!*done && errno == EINPROGRESS)
        *done = connect(fd, &address->sa.any, address->size) == 0;
    if (*done || errno == EINPROGRESS || errno == EALREADY)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void sock_reset_on_close(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int sock_fd_ceiling(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > (rlim_t)1 << 30)
        return 1 << 30;
    int max = (int)limit.rlim_cur;
    return max > 2 * SOCK_RESERVE_FDS ? max - SOCK_RESERVE_FDS : max / 2;
}

bool sock_has_room(int fd_ceiling)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    close(fd);
    return fd < fd_ceiling;
}
