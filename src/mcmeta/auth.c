/* SPDX-License-Identifier: MIT */
/*
 * Authentication of the text protocol. It must be the first command, it must be the classic `set`,
 * and nothing may go before it: some servers hang up on a short command from a stranger.
 */
#include "mcmeta/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "mcmeta/socket.h"

#define ANSWER_SIZE 256

int mcm_auth_init(struct mcm_auth *auth, const char *user, const char *password)
{
    *auth = (struct mcm_auth){0};
    if (user == NULL)
        return 0;
    size_t block = strlen(user) + 1 + strlen(password);
    int size = asprintf(&auth->command, "set auth 0 0 %zu\r\n%s %s\r\n", block, user, password);
    if (size < 0) {
        auth->command = NULL;
        return -1;
    }
    auth->size = (size_t)size;
    return 0;
}

void mcm_auth_deinit(struct mcm_auth *auth)
{
    if (auth->command != NULL)
        explicit_bzero(auth->command, auth->size);
    free(auth->command);
    auth->command = NULL;
}

static ssize_t send_part(struct mcm_stream *stream, int fd, const char *data, size_t size,
                         bool *writes)
{
    *writes = true;
    if (stream != NULL)
        return stream->ops->send(stream, data, size, writes);
    return send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t receive_part(struct mcm_stream *stream, int fd, char *data, size_t size,
                            bool *writes)
{
    *writes = false;
    if (stream != NULL)
        return stream->ops->receive(stream, data, size, writes);
    return recv(fd, data, size, MSG_DONTWAIT);
}

/* After a call that gave `got`: MCM_OK to go on, else how the login ended. */
static enum mcm_outcome wait_or_fail(ssize_t got, int fd, bool writes, mcm_ns deadline,
                                     int *sys_errno)
{
    *sys_errno = got == 0 ? ECONNRESET : errno;
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        return MCM_E_CONNECT;
    int ready = mcm_socket_wait(fd, writes, deadline);
    *sys_errno = ready > 0 ? 0 : ready == 0 ? ETIMEDOUT : errno;
    return ready > 0 ? MCM_OK : mcm_socket_connect_outcome(*sys_errno);
}

static enum mcm_outcome send_command(const struct mcm_auth *auth, struct mcm_stream *stream, int fd,
                                     mcm_ns deadline, int *sys_errno)
{
    enum mcm_outcome outcome = MCM_OK;
    for (size_t sent = 0; sent < auth->size && outcome == MCM_OK;) {
        bool writes;
        ssize_t part = send_part(stream, fd, auth->command + sent, auth->size - sent, &writes);
        if (part > 0)
            sent += (size_t)part;
        else
            outcome = wait_or_fail(part, fd, writes, deadline, sys_errno);
    }
    return outcome;
}

enum mcm_outcome mcm_auth_run(const struct mcm_auth *auth, struct mcm_stream *stream, int fd,
                              mcm_ns deadline, int *sys_errno)
{
    char answer[ANSWER_SIZE];
    size_t used = 0;
    enum mcm_outcome outcome = send_command(auth, stream, fd, deadline, sys_errno);
    while (outcome == MCM_OK && memchr(answer, '\n', used) == NULL) {
        bool writes;
        if (used == sizeof(answer))
            return MCM_E_AUTH;
        ssize_t got = receive_part(stream, fd, answer + used, sizeof(answer) - used, &writes);
        if (got > 0)
            used += (size_t)got;
        else
            outcome = wait_or_fail(got, fd, writes, deadline, sys_errno);
    }
    if (outcome != MCM_OK)
        return outcome;
    return used == 8 && memcmp(answer, "STORED\r\n", 8) == 0 ? MCM_OK : MCM_E_AUTH;
}
