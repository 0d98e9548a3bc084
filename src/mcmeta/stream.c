/* SPDX-License-Identifier: MIT */
/* Handshake and exchange over a stream, within a deadline. */
#include "mcmeta/stream.h"

#include <errno.h>
#include <string.h>

#include "mcmeta/socket.h"

#define SPILL_SIZE 4096
#define RECORD_OPS 64 /* requests in a record */
#define OP_PIECES 3   /* a line, a value and its end */

void mcm_stream_free(struct mcm_stream *stream)
{
    if (stream != NULL)
        stream->ops->free(stream);
}

enum mcm_outcome mcm_stream_handshake(struct mcm_stream *stream, int fd, mcm_ns deadline,
                                      int *sys_errno)
{
    bool writes = false;
    while (stream->ops->handshake(stream, &writes) != 0) {
        *sys_errno = errno;
        if (errno != EAGAIN)
            return MCM_E_TLS;
        int ready = mcm_socket_wait(fd, writes, deadline);
        *sys_errno = ready == 0 ? ETIMEDOUT : errno;
        if (ready <= 0)
            return ready == 0 ? MCM_E_CONNECT_TIMEOUT : mcm_socket_connect_outcome(errno);
    }
    *sys_errno = 0;
    return MCM_OK;
}

static bool receive_some(struct mcm_stream *stream, struct mcm_conn *conn, bool *writes)
{
    char spill[SPILL_SIZE];
    struct iovec pieces[2];
    mcm_conn_read_target(conn, spill, sizeof(spill), pieces);
    ssize_t got = stream->ops->receive(stream, pieces[0].iov_base, pieces[0].iov_len, writes);
    conn->receives++;
    if (got > 0)
        mcm_conn_fed(conn, spill, (size_t)got);
    else if (got == 0)
        mcm_conn_fail(conn, MCM_E_CLOSED, 0);
    else if (errno == EAGAIN)
        return false;
    else
        mcm_conn_fail(conn, errno == ETIMEDOUT ? MCM_E_TIMEOUT_READ : MCM_E_RESET, errno);
    return true;
}

/* How many bytes the next record has: whole requests, or what fits of a large one. */
static size_t record_size(const struct mcm_conn *conn)
{
    size_t size = 0;
    const struct mcm_op *op = conn->unsent;
    for (unsigned i = 0; i < RECORD_OPS && op != NULL; i++, op = op->next) {
        size_t left = op->bytes_total - op->bytes_sent;
        if (size + left > MCM_RECORD_SIZE)
            return size > 0 ? size : MCM_RECORD_SIZE;
        size += left;
    }
    return size;
}

/* Small pieces leave together in one record. */
static size_t gather(const struct mcm_conn *conn, char record[MCM_RECORD_SIZE])
{
    struct iovec pieces[RECORD_OPS * OP_PIECES];
    unsigned count = mcm_conn_want_write(conn, pieces, RECORD_OPS * OP_PIECES);
    size_t used = 0, end = record_size(conn);
    for (unsigned i = 0; i < count && used < end; i++) {
        size_t room = end - used;
        size_t size = pieces[i].iov_len < room ? pieces[i].iov_len : room;
        memcpy(record + used, pieces[i].iov_base, size);
        used += size;
    }
    return used;
}

static bool send_some(struct mcm_stream *stream, struct mcm_conn *conn, bool *writes)
{
    char record[MCM_RECORD_SIZE];
    size_t size = gather(conn, record);
    ssize_t sent = stream->ops->send(stream, record, size, writes);
    conn->sends++;
    if (sent > 0) {
        mcm_conn_wrote(conn, (size_t)sent);
        return true;
    }
    if (errno == EAGAIN)
        return false;
    int error = errno;
    bool ignored;
    /* A server that hangs up may have said why before. */
    while (conn->first != NULL && receive_some(stream, conn, &ignored))
        continue;
    mcm_conn_fail(conn, error == ETIMEDOUT ? MCM_E_TIMEOUT_WRITE : MCM_E_RESET, error);
    return true;
}

static void wait_for_stream(int fd, struct mcm_conn *conn, bool writes, mcm_ns deadline)
{
    int ready = mcm_socket_wait(fd, writes, deadline);
    enum mcm_outcome timeout = conn->unsent != NULL ? MCM_E_TIMEOUT_WRITE : MCM_E_TIMEOUT_READ;
    if (ready == 0)
        mcm_conn_fail(conn, timeout, 0);
    else if (ready < 0)
        mcm_conn_fail(conn, errno == ECANCELED ? MCM_E_CANCELLED : MCM_E_SYSTEM, errno);
}

void mcm_stream_exchange(struct mcm_stream *stream, int fd, struct mcm_conn *conn, mcm_ns deadline)
{
    while (conn->first != NULL) {
        bool send_writes = false, receive_writes = false;
        if (conn->unsent != NULL && send_some(stream, conn, &send_writes))
            continue;
        if (conn->first != NULL && receive_some(stream, conn, &receive_writes))
            continue;
        if (conn->first != NULL)
            wait_for_stream(fd, conn, send_writes || receive_writes, deadline);
    }
}

bool mcm_stream_pump(struct mcm_stream *stream, struct mcm_conn *conn)
{
    bool send_writes = false, receive_writes = false;
    while (conn->first != NULL) {
        if (conn->unsent != NULL && send_some(stream, conn, &send_writes))
            continue;
        /* What was decrypted already does not make the socket readable: always look. */
        if (conn->first == NULL || !receive_some(stream, conn, &receive_writes))
            break;
    }
    return send_writes || receive_writes;
}
