/* SPDX-License-Identifier: MIT */
/* Each function counts and goes to the kernel by itself. */
#include "count.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

atomic_uint_least64_t count_calls;

static void count(atomic_uint_least64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* A system call with a result as libc gives it. */
static long enter(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (result >= 0 || result < -4095)
        return result;
    errno = (int)-result;
    return -1;
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    count(&count_calls);
    return enter(SYS_sendto, fd, (long)data, (long)size, flags, 0, 0);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    count(&count_calls);
    return enter(SYS_recvfrom, fd, (long)data, (long)size, flags, 0, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    count(&count_calls);
    return enter(SYS_sendmsg, fd, (long)message, flags, 0, 0, 0);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    count(&count_calls);
    return enter(SYS_recvmsg, fd, (long)message, flags, 0, 0, 0);
}

int poll(struct pollfd *polled, nfds_t number, int timeout_ms)
{
    count(&count_calls);
    return (int)enter(SYS_poll, (long)polled, (long)number, timeout_ms, 0, 0, 0);
}

int ppoll(struct pollfd *polled, nfds_t number, const struct timespec *timeout,
          const sigset_t *mask)
{
    /* The kernel writes the time left into what it is given. */
    struct timespec copy;
    if (timeout != NULL)
        copy = *timeout;
    count(&count_calls);
    return (int)enter(SYS_ppoll, (long)polled, (long)number, (long)(timeout != NULL ? &copy : NULL),
                      (long)mask, _NSIG / 8, 0);
}

long syscall(long number, ...)
{
    va_list list;
    long arguments[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    count(&count_calls);
    return enter(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                 arguments[5]);
}
