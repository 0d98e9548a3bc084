/* SPDX-License-Identifier: MIT */
/* Connecting and exchanging bytes within a deadline. */
#include "mcmeta/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "mcmeta/stream.h"
#include "mcmeta/token.h"

/* A blocking recv() returns after this; it is used when at least twice as much time is left, which
 * covers the kernel's rounding up to a timer tick. */
#define RECV_SLICE_NS (50 * NS_PER_MS)

/* Received bytes that are no value pass through here; answers without value are below 100 bytes. */
#define SPILL_SIZE 4096

#define PIECES_MAX 128

/* What a batch receives at once. */
#define PUMP_SIZE 16384
#define PUMP_READS_MAX 16

int mcm_socket_new(const struct mcm_address *address, unsigned index)
{
    const struct sockaddr *sa = (const struct sockaddr *)&address->sockets[index];
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || sa->sa_family == AF_UNIX)
        return fd;
    /* None of these is needed for correct answers, so a failure is no reason to give up. */
    int on = 1, idle_s = 30, interval_s = 10, probes = 3;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    return fd;
}

void mcm_socket_limit_unacked(int fd, mcm_ns span)
{
    unsigned ms = (unsigned)(ns_min(span, NS_PER_SEC * 3600) / NS_PER_MS);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/* Waits for events; 1, 0 when the deadline passed, -1 with errno: ECANCELED when the token of this
 * thread was fired. */
static int wait_for(int fd, short events, ns_t deadline)
{
    const struct mcm_cancel *cancel = mcm_cancel_current();
    struct pollfd polled[2] = {{.fd = fd, .events = events}, {.events = POLLIN}};
    if (cancel != NULL)
        polled[1].fd = mcm_cancel_fd(cancel);
    for (;;) {
        struct timespec left;
        if (deadline != NS_NEVER) {
            ns_t ns = deadline - ns_now();
            left = ns_to_timespec(ns > 0 ? ns : 0);
        }
        nfds_t count = cancel != NULL ? 2 : 1;
        int ready = ppoll(polled, count, deadline != NS_NEVER ? &left : NULL, NULL);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready > 0 && polled[1].revents != 0) {
            errno = ECANCELED;
            return -1;
        }
        return ready > 0 ? 1 : ready;
    }
}

bool mcm_socket_may_block(mcm_ns now, mcm_ns until)
{
    return (until == NS_NEVER || until - now >= 2 * RECV_SLICE_NS) && mcm_cancel_current() == NULL;
}

int mcm_socket_wait(int fd, bool writes, mcm_ns until)
{
    return wait_for(fd, writes ? POLLIN | POLLOUT : POLLIN, until);
}

enum mcm_outcome mcm_socket_connect_outcome(int error)
{
    switch (error) {
    case ECANCELED: return MCM_E_CANCELLED;
    case ECONNREFUSED: return MCM_E_CONNECT_REFUSED;
    case ETIMEDOUT: return MCM_E_CONNECT_TIMEOUT;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL: return MCM_E_SYSTEM;
    default: return MCM_E_CONNECT;
    }
}

/*
 * A connect to a closed port of this host can meet itself when the kernel picks that very port
 * for our end; the "server" would then echo our requests.
 */
static bool is_connected_to_itself(int fd)
{
    struct sockaddr_storage local = {0}, peer = {0};
    socklen_t local_size = sizeof(local), peer_size = sizeof(peer);
    if (getsockname(fd, (struct sockaddr *)&local, &local_size) != 0 ||
        getpeername(fd, (struct sockaddr *)&peer, &peer_size) != 0)
        return false;
    return local.ss_family != AF_UNIX && local_size == peer_size &&
           memcmp(&local, &peer, local_size) == 0;
}

int mcm_socket_connect_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    return error == 0 && is_connected_to_itself(fd) ? ECONNREFUSED : error;
}

static int finish_connect(int fd)
{
    int error = mcm_socket_connect_error(fd);
    if (error != 0)
        return error;
    struct timeval slice = {.tv_usec = RECV_SLICE_NS / NS_PER_US};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice)) != 0)
        return errno;
    return 0;
}

enum mcm_outcome mcm_socket_connect(int fd, const struct mcm_address *address, unsigned index,
                                    mcm_ns deadline, const atomic_int *stop, int *sys_errno)
{
    const struct sockaddr *sa = (const struct sockaddr *)&address->sockets[index];
    int error = 0;
    if (connect(fd, sa, address->sizes[index]) != 0 && errno != EINTR)
        error = errno;
    if (error == EINPROGRESS) {
        /* Who stops us set *stop before the shutdown(): either we see it or it comes after the
         * connect began, and then it wakes the wait. */
        int ready = atomic_load(stop) ? 1 : wait_for(fd, POLLOUT, deadline);
        error = ready > 0 ? 0 : ready == 0 ? ETIMEDOUT : errno;
    }
    if (atomic_load(stop) || mcm_cancel_is_due())
        error = ECANCELED;
    if (error == 0)
        error = finish_connect(fd);
    *sys_errno = error;
    return error == 0 ? MCM_OK : mcm_socket_connect_outcome(error);
}

bool mcm_socket_is_quiet(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static void fail_with_errno(struct mcm_conn *conn, int error, enum mcm_outcome timeout)
{
    mcm_conn_fail(conn, error == ETIMEDOUT ? timeout : MCM_E_RESET, error);
}

/* Receives once; the number of bytes, 0 at the end of the stream, -1 with errno. */
static ssize_t receive_with(int fd, struct mcm_conn *conn, int flags, char *spill,
                            size_t spill_size)
{
    struct iovec pieces[2];
    struct msghdr message = {.msg_iov = pieces};
    message.msg_iovlen = mcm_conn_read_target(conn, spill, spill_size, pieces);
    conn->receives++;
    /* The plain calls cost less than those with a message header. */
    ssize_t got =
        message.msg_iovlen == 1 ? recv(fd, spill, spill_size, flags) : recvmsg(fd, &message, flags);
    if (got > 0)
        mcm_conn_fed(conn, spill, (size_t)got);
    return got;
}

static ssize_t receive(int fd, struct mcm_conn *conn, int flags)
{
    char spill[SPILL_SIZE];
    return receive_with(fd, conn, flags, spill, sizeof(spill));
}

static void end_receive(struct mcm_conn *conn, ssize_t got)
{
    if (got == 0)
        mcm_conn_fail(conn, MCM_E_CLOSED, 0);
    else if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        fail_with_errno(conn, errno, MCM_E_TIMEOUT_READ);
}

static void receive_some(int fd, struct mcm_conn *conn, int flags)
{
    end_receive(conn, receive(fd, conn, flags));
}

/* Sends what fits; false when the kernel takes no more or the connection failed. */
static bool send_some(int fd, struct mcm_conn *conn)
{
    struct iovec pieces[PIECES_MAX];
    struct msghdr message = {.msg_iov = pieces};
    message.msg_iovlen = mcm_conn_want_write(conn, pieces, PIECES_MAX);
    ssize_t sent;
    do {
        conn->sends++;
        sent = message.msg_iovlen == 1
                   ? send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                   : sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        mcm_conn_wrote(conn, (size_t)sent);
        return true;
    }
    int error = errno;
    if (error != EAGAIN && error != EWOULDBLOCK) {
        /* A server that hangs up may have said why before. */
        while (conn->first != NULL && receive(fd, conn, MSG_DONTWAIT) > 0)
            continue;
        fail_with_errno(conn, error, MCM_E_TIMEOUT_WRITE);
    }
    return false;
}

/* Waits until the socket is readable, or writable when there is something to send. */
static void wait_for_socket(int fd, struct mcm_conn *conn, ns_t deadline)
{
    bool writes = conn->unsent != NULL;
    int ready = mcm_socket_wait(fd, writes, deadline);
    if (ready == 0)
        mcm_conn_fail(conn, writes ? MCM_E_TIMEOUT_WRITE : MCM_E_TIMEOUT_READ, 0);
    else if (ready < 0)
        mcm_conn_fail(conn, errno == ECANCELED ? MCM_E_CANCELLED : MCM_E_SYSTEM, errno);
}

void mcm_socket_exchange(int fd, struct mcm_conn *conn, mcm_ns deadline)
{
    if (conn->stream != NULL) {
        mcm_stream_exchange(conn->stream, fd, conn, deadline);
        return;
    }
    while (conn->first != NULL) {
        if (conn->unsent != NULL) {
            if (send_some(fd, conn) || conn->first == NULL)
                continue;
            /* The kernel's buffer is full. Read too: the server may be waiting for us to do so. */
            wait_for_socket(fd, conn, deadline);
            if (conn->first != NULL)
                receive_some(fd, conn, MSG_DONTWAIT);
            continue;
        }
        if (mcm_socket_may_block(deadline == NS_NEVER ? 0 : ns_now(), deadline)) {
            receive_some(fd, conn, 0);
            continue;
        }
        wait_for_socket(fd, conn, deadline);
        if (conn->first != NULL)
            receive_some(fd, conn, MSG_DONTWAIT);
    }
}

struct mcm_pumped mcm_socket_pump(int fd, struct mcm_conn *conn, enum mcm_pump how)
{
    char spill[PUMP_SIZE];
    struct mcm_pumped pumped = {.received = conn->stream != NULL && how != MCM_PUMP_SEND};
    if (conn->stream != NULL) {
        pumped.writes = mcm_stream_pump(conn->stream, conn);
        return pumped;
    }
    while (conn->unsent != NULL && send_some(fd, conn))
        continue;
    bool readable = how != MCM_PUMP_SEND;
    for (int i = 0; readable && i < PUMP_READS_MAX && conn->first != NULL; i++) {
        int flags = how == MCM_PUMP_WAIT && i == 0 ? 0 : MSG_DONTWAIT;
        ssize_t got = receive_with(fd, conn, flags, spill, sizeof(spill));
        end_receive(conn, got);
        pumped.received = pumped.received || got > 0;
        readable = got >= (ssize_t)sizeof(spill);
    }
    pumped.writes = conn->unsent != NULL;
    return pumped;
}
