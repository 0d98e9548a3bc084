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

/* After a call that gave `got`: MCM_OUTCOME_COUNT to go on later, else how the login ended. */
static enum mcm_outcome wait_or_fail(ssize_t got, int *sys_errno)
{
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return MCM_OUTCOME_COUNT;
    *sys_errno = got == 0 ? ECONNRESET : errno;
    return MCM_E_CONNECT;
}

enum mcm_outcome mcm_auth_step(const struct mcm_auth *auth, struct mcm_login *login,
                               struct mcm_stream *stream, int fd, bool *writes, int *sys_errno)
{
    *sys_errno = 0;
    while (login->sent < auth->size) {
        ssize_t part =
            send_part(stream, fd, auth->command + login->sent, auth->size - login->sent, writes);
        if (part <= 0)
            return wait_or_fail(part, sys_errno);
        login->sent += (size_t)part;
    }
    while (memchr(login->answer, '\n', login->used) == NULL) {
        if (login->used == sizeof(login->answer))
            return MCM_E_AUTH;
        ssize_t got = receive_part(stream, fd, login->answer + login->used,
                                   sizeof(login->answer) - login->used, writes);
        if (got <= 0)
            return wait_or_fail(got, sys_errno);
        login->used += (size_t)got;
    }
    bool stored = login->used == 8 && memcmp(login->answer, "STORED\r\n", 8) == 0;
    return stored ? MCM_OK : MCM_E_AUTH;
}

enum mcm_outcome mcm_auth_run(const struct mcm_auth *auth, struct mcm_stream *stream, int fd,
                              mcm_ns deadline, int *sys_errno)
{
    struct mcm_login login = {.sent = 0};
    enum mcm_outcome outcome;
    bool writes;
    while ((outcome = mcm_auth_step(auth, &login, stream, fd, &writes, sys_errno)) ==
           MCM_OUTCOME_COUNT) {
        int ready = mcm_socket_wait(fd, writes, deadline);
        if (ready <= 0) {
            *sys_errno = ready == 0 ? ETIMEDOUT : errno;
            return mcm_socket_connect_outcome(*sys_errno);
        }
    }
    return outcome;
}
