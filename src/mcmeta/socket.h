/* SPDX-License-Identifier: MIT */
/*
 * The system's side of a connection: addresses, connecting, and driving a connection's state
 * machine over a socket, all within a deadline.
 *
 * Sockets are blocking with a short receive timeout, so an exchange with time to spare is one
 * send and one recv; only the last part before the deadline is watched exactly by poll(). Another
 * thread stops an exchange or a connect by shutdown() on the socket.
 */
#ifndef MCMETA_SOCKET_H
#define MCMETA_SOCKET_H

#include <stdatomic.h>
#include <sys/socket.h>

#include "mcmeta/conn.h"

#define MCM_PORT_DEFAULT "11211"
#define MCM_ADDRESSES_MAX 8

struct mcm_address {
    struct sockaddr_storage sockets[MCM_ADDRESSES_MAX];
    socklen_t sizes[MCM_ADDRESSES_MAX];
    unsigned count; /* 0: the name could not be resolved */
};

/* Whether `text` has the form "host:port", "[v6]:port" or "unix:/path". */
bool mcm_address_is_valid(const char *text);

/*
 * Resolves a valid address. A name that cannot be resolved leaves a count of 0. May block on a
 * host name.
 */
void mcm_address_resolve(struct mcm_address *address, const char *text);

#define MCM_HOST_SIZE 256

/* Whether a valid address has a host name, which may come to mean other addresses. */
bool mcm_address_is_name(const char *text);

/* The host in a valid address; the path of a unix socket. */
void mcm_address_host(const char *text, char host[MCM_HOST_SIZE]);

/* A socket for address `index`, not connected; -1 with errno. */
int mcm_socket_new(const struct mcm_address *address, unsigned index);

/*
 * Connects until `deadline`. *stop is looked at after the connect began: whoever sets it and then
 * shuts the socket down makes this return soon. MCM_OK or an outcome, with *sys_errno.
 */
enum mcm_outcome mcm_socket_connect(int fd, const struct mcm_address *address, unsigned index,
                                    mcm_ns deadline, const atomic_int *stop, int *sys_errno);

/* TCP gives up on a connection when data it sent stays unconfirmed for `span`; 0: the system's. */
void mcm_socket_limit_unacked(int fd, mcm_ns span);

/* 0 when the connect() that made the socket writable succeeded, else its errno. */
int mcm_socket_connect_error(int fd);

/* The outcome of a connect that failed with `error`. */
enum mcm_outcome mcm_socket_connect_outcome(int error);

/* Whether an idle connection is still open and silent. Bytes nobody asked for count as dead. */
bool mcm_socket_is_quiet(int fd);

/* Sends and receives until every operation of `conn` is done, at the latest at `deadline`. */
void mcm_socket_exchange(int fd, struct mcm_conn *conn, mcm_ns deadline);

/* How mcm_socket_pump() goes about receiving: WAIT until something comes, for a slice at most; only
 * legal when mcm_socket_may_block(), and not over a stream. */
enum mcm_pump { MCM_PUMP_SEND, MCM_PUMP_RECEIVE, MCM_PUMP_WAIT };

struct mcm_pumped {
    bool writes;   /* the socket must become writable to go on */
    bool received; /* something came */
};

/* Sends what the kernel takes, and then receives. */
struct mcm_pumped mcm_socket_pump(int fd, struct mcm_conn *conn, enum mcm_pump how);

/* Whether a blocking recv() may be used: it returns one slice later at the latest, before `until`,
 * and this thread has no token to watch. */
bool mcm_socket_may_block(mcm_ns now, mcm_ns until);

/*
 * Waits until the socket is readable, or writable when `writes`, at the latest until `until`. 1; 0
 * when the time passed; -1 with errno, ECANCELED when the token of this thread was fired.
 */
int mcm_socket_wait(int fd, bool writes, mcm_ns until);

#endif
