/* SPDX-License-Identifier: MIT */
#include "node/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits for `events` on fd; 0, or -1 with errno (ETIMEDOUT past the deadline). */
static int wait_for(int fd, short events, ns_t deadline)
{
    for (;;) {
        ns_t left = deadline - ns_now();
        if (left <= 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        struct timespec timeout = ns_to_timespec(left);
        struct pollfd pfd = {.fd = fd, .events = events};
        int n = ppoll(&pfd, 1, &timeout, NULL);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -1;
    }
}

static int connect_one(const struct addrinfo *ai, ns_t deadline)
{
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
    if (fd < 0)
        return -1;
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return fd;
    int error = errno;
    if (error == EINPROGRESS) {
        socklen_t size = sizeof error;
        if (wait_for(fd, POLLOUT, deadline) != 0)
            error = errno;
        else
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error == 0)
            return fd;
    }
    close(fd);
    errno = error;
    return -1;
}

int dial_connect(const char *address, ns_t deadline, struct err *err)
{
    const char *colon = strrchr(address, ':');
    char host[256];
    if (colon == NULL || colon == address || (size_t)(colon - address) >= sizeof host)
        return err_set(err, "\"%s\" is not an address of the form host:port", address);
    const char *start = address;
    size_t length = (size_t)(colon - address);
    if (length >= 2 && start[0] == '[' && start[length - 1] == ']') {
        start++;
        length -= 2;
    }
    snprintf(host, sizeof host, "%.*s", (int)length, start);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = getaddrinfo(host, colon + 1, &hints, &list);
    if (rc != 0)
        return err_set(err, "cannot resolve %s: %s", address, gai_strerror(rc));
    int fd = -1;
    for (struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next)
        fd = connect_one(ai, deadline);
    if (fd < 0)
        err_set(err, "cannot connect to %s: %s", address, strerror(errno));
    freeaddrinfo(list);
    return fd;
}

int dial_send(int fd, const char *text, ns_t deadline)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n >= 0) {
            text += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN) {
            if (wait_for(fd, POLLOUT, deadline) != 0)
                return -1;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

int dial_read_until(int fd, char *text, size_t size, const char *end, ns_t deadline)
{
    size_t length = 0, end_length = strlen(end);
    text[0] = '\0';
    while (length < size - 1) {
        ssize_t n = recv(fd, text + length, size - 1 - length, 0);
        if (n > 0) {
            length += (size_t)n;
            text[length] = '\0';
            if (length >= end_length && strcmp(text + length - end_length, end) == 0)
                return 0;
        } else if (n == 0) {
            errno = ECONNRESET;
            return -1;
        } else if (errno == EAGAIN) {
            if (wait_for(fd, POLLIN, deadline) != 0)
                return -1;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    errno = EPROTO;
    return -1;
}
