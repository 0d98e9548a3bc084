/* SPDX-License-Identifier: MIT */
/* What the sockets of the proxy are set to. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "proxy/sock.h"

#define WAIT_MS 10000

static struct address loopback(void)
{
    struct address a;
    memset(&a, 0, sizeof a);
    a.size = sizeof a.sa.v4;
    a.sa.v4.sin_family = AF_INET;
    a.sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static void assert_tuned(int fd)
{
    assert_true(option(fd, IPPROTO_TCP, TCP_NODELAY) > 0);
    assert_true(option(fd, SOL_SOCKET, SO_KEEPALIVE) > 0);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 15);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 15);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void both_ends_are_tuned(void **state)
{
    (void)state;
    struct address want = loopback(), bound;
    struct err err;
    bool done;
    int listener = sock_listen(&want, &bound, &err);
    assert_true(listener >= 0);
    int dialled = sock_dial(&bound, &done);
    assert_true(dialled >= 0);
    struct pollfd p = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    assert_tuned(dialled);
    assert_tuned(accepted);
    p = (struct pollfd){.fd = dialled, .events = POLLOUT};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_int_equal(option(dialled, SOL_SOCKET, SO_ERROR), 0);
    close(accepted);
    close(dialled);
    close(listener);
}

static void a_refused_dial_says_so_at_once_or_later(void **state)
{
    (void)state;
    struct address want = loopback(), bound;
    struct err err;
    bool done;
    int listener = sock_listen(&want, &bound, &err);
    assert_true(listener >= 0);
    close(listener);
    int fd = sock_dial(&bound, &done);
    if (fd < 0) {
        assert_int_equal(errno, ECONNREFUSED);
        return;
    }
    assert_false(done);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_int_equal(option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_are_tuned),
        cmocka_unit_test(a_refused_dial_says_so_at_once_or_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
