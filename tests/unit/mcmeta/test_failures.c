/* SPDX-License-Identifier: MIT */
/*
 * Every system call and every allocation of a client fails once, in turn: the n-th one of a script
 * fails, for n = 1, 2, 3 ... until the script needs no more. Whatever happens, calls end in time
 * with an outcome that fits, the client works afterwards, and nothing is left open or allocated.
 *
 * The linker puts the functions below in the place of the real ones (--wrap).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define ROUNDS_MAX 400
#define VALUE_SIZE 300

/* --- Failing on demand --- */

enum kind { MEMORY, SOCKET, SEND, RECEIVE, POLL, THREAD, KINDS };

static _Thread_local bool armed;    /* only the thread under test fails */
static _Thread_local unsigned left; /* calls of the kind until one fails */
static _Thread_local enum kind failing;
static _Thread_local int failing_errno;
static _Thread_local bool failed;
static _Thread_local size_t transfer_max; /* at most so many bytes in a send or receive; 0: any */

static bool must_fail(enum kind kind)
{
    if (!armed || kind != failing || failed || --left > 0)
        return false;
    failed = true;
    errno = failing_errno;
    return true;
}

#define REAL(type, name, ...)        \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__);

REAL(void *, malloc, size_t)
REAL(void *, calloc, size_t, size_t)
REAL(void *, realloc, void *, size_t)
REAL(int, epoll_create1, int)
REAL(char *, strdup, const char *)
REAL(int, socket, int, int, int)
REAL(int, connect, int, const struct sockaddr *, socklen_t)
REAL(int, getsockopt, int, int, int, void *, socklen_t *)
REAL(int, setsockopt, int, int, int, const void *, socklen_t)
REAL(ssize_t, sendmsg, int, const struct msghdr *, int)
REAL(ssize_t, recvmsg, int, struct msghdr *, int)
REAL(ssize_t, send, int, const void *, size_t, int)
REAL(ssize_t, recv, int, void *, size_t, int)
REAL(int, ppoll, struct pollfd *, nfds_t, const struct timespec *, const sigset_t *)
REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
REAL(void *, mmap, void *, size_t, int, int, int, off_t)
REAL(void *, mmap64, void *, size_t, int, int, int, off_t)

int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __real_fcntl(int fd, int command, ...);
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void *__wrap_malloc(size_t size)
{
    return must_fail(MEMORY) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail(MEMORY) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return must_fail(MEMORY) ? NULL : __real_realloc(block, size);
}

int __wrap_epoll_create1(int flags)
{
    return must_fail(SOCKET) ? -1 : __real_epoll_create1(flags);
}

char *__wrap_strdup(const char *string)
{
    return must_fail(MEMORY) ? NULL : __real_strdup(string);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list arguments;
    if (must_fail(MEMORY))
        return -1;
    va_start(arguments, format);
    int size = vasprintf(out, format, arguments);
    va_end(arguments);
    return size;
}

int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    va_list arguments;
    (void)flag;
    if (must_fail(MEMORY))
        return -1;
    va_start(arguments, format);
    int size = vasprintf(out, format, arguments);
    va_end(arguments);
    return size;
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return must_fail(MEMORY) ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return must_fail(MEMORY) ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}

int __wrap_socket(int domain, int type, int protocol)
{
    return must_fail(SOCKET) ? -1 : __real_socket(domain, type, protocol);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return must_fail(SOCKET) ? -1 : __real_connect(fd, address, size);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    return must_fail(SOCKET) ? -1 : __real_getsockopt(fd, level, name, value, size);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return must_fail(SOCKET) ? -1 : __real_setsockopt(fd, level, name, value, size);
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    int argument = va_arg(arguments, int);
    va_end(arguments);
    return must_fail(SOCKET) ? -1 : __real_fcntl(fd, command, argument);
}

int __wrap_fcntl64(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    int argument = va_arg(arguments, int);
    va_end(arguments);
    return must_fail(SOCKET) ? -1 : __real_fcntl(fd, command, argument);
}

/* The pieces of a message, cut to transfer_max bytes. */
static struct msghdr cut(const struct msghdr *message, struct iovec piece[1])
{
    struct msghdr shorter = *message;
    if (armed && transfer_max > 0 && message->msg_iovlen > 0) {
        piece[0] = message->msg_iov[0];
        if (piece[0].iov_len > transfer_max)
            piece[0].iov_len = transfer_max;
        shorter.msg_iov = piece;
        shorter.msg_iovlen = 1;
    }
    return shorter;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct iovec piece[1];
    struct msghdr shorter = cut(message, piece);
    return must_fail(SEND) ? -1 : __real_sendmsg(fd, &shorter, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct iovec piece[1];
    struct msghdr shorter = cut(message, piece);
    return must_fail(RECEIVE) ? -1 : __real_recvmsg(fd, &shorter, flags);
}

static size_t shorter_size(size_t size)
{
    return armed && transfer_max > 0 && size > transfer_max ? transfer_max : size;
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
    return must_fail(SEND) ? -1 : __real_send(fd, data, shorter_size(size), flags);
}

ssize_t __wrap_recv(int fd, void *data, size_t size, int flags)
{
    return must_fail(RECEIVE) ? -1 : __real_recv(fd, data, shorter_size(size), flags);
}

int __wrap_ppoll(struct pollfd *polled, nfds_t count, const struct timespec *span,
                 const sigset_t *mask)
{
    return must_fail(POLL) ? -1 : __real_ppoll(polled, count, span, mask);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg)
{
    return must_fail(THREAD) ? failing_errno : __real_pthread_create(thread, attributes, run, arg);
}

/* --- A server that keeps one value --- */

struct server {
    int listener;
    pthread_t thread;
    char address[32];
    char value[VALUE_SIZE];
    size_t size;
};

static bool read_line(FILE *stream, char *line, size_t size)
{
    return fgets(line, (int)size, stream) != NULL;
}

static void answer(struct server *server, FILE *in, FILE *stream, const char *line)
{
    const char *token = strstr(line, " O");
    int token_size = token != NULL ? (int)strcspn(token + 1, " \r\n") + 1 : 0;
    char end[2];
    if (strncmp(line, "set ", 4) == 0) {
        char login[64];
        if (fgets(login, sizeof(login), in) != NULL)
            fputs("STORED\r\n", stream);
    } else if (sscanf(line, "ms %*s %zu", &server->size) == 1) {
        if (server->size <= VALUE_SIZE &&
            fread(server->value, 1, server->size, in) == server->size && fread(end, 1, 2, in) == 2)
            fprintf(stream, "HD c1%.*s\r\n", token_size, token);
    } else if (strncmp(line, "md ", 3) == 0) {
        fprintf(stream, "HD%.*s\r\n", token_size, token);
    } else {
        fprintf(stream, "VA %zu f0 c1%.*s\r\n%.*s\r\n", server->size, token_size, token,
                (int)server->size, server->value);
    }
    fflush(stream);
}

struct served {
    struct server *server;
    int fd;
};

static void *serve_one(void *arg)
{
    struct served served = *(struct served *)arg;
    char line[1024];
    free(arg);
    setsockopt(served.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    /* One stream for both would forget the requests it has read ahead. */
    FILE *in = fdopen(served.fd, "r"), *out = fdopen(dup(served.fd), "w");
    while (read_line(in, line, sizeof(line)))
        answer(served.server, in, out, line);
    fclose(in);
    fclose(out);
    return NULL;
}

static void *serve(void *arg)
{
    struct server *server = arg;
    int fd;
    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        struct served *served = malloc(sizeof(*served));
        *served = (struct served){server, fd};
        pthread_create(&thread, NULL, serve_one, served);
        pthread_detach(thread);
    }
    return NULL;
}

static int start_server(void **state)
{
    static struct server server;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(sa);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server.listener, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        listen(server.listener, 64) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&sa, &size) != 0)
        return -1;
    snprintf(server.address, sizeof(server.address), "127.0.0.1:%d", ntohs(sa.sin_port));
    *state = &server;
    return pthread_create(&server.thread, NULL, serve, &server);
}

static int stop_server(void **state)
{
    struct server *server = *state;
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    return close(server->listener);
}

/* --- The script --- */

static int open_descriptors(void)
{
    DIR *listing = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(listing) != NULL)
        count++;
    closedir(listing);
    return count;
}

static struct mcm_client_config config_for(const struct server *server, enum mcm_mode mode)
{
    static struct mcm_server servers;
    static struct mcm_breaker_settings breaker;
    servers = (struct mcm_server){.address = server->address, .name = "one"};
    mcm_breaker_preset_get(MCM_BREAKER_GOBREAKER, &breaker);
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &servers;
    config.server_count = 1;
    config.mode = mode;
    config.connections_max = 3;
    config.maintenance_thread = failing == THREAD;
    config.connect_timeout = 5 * SEC;
    config.idle_check = 0;
    config.user = "user";
    config.password = "password";
    config.breaker = &breaker;
    config.selector = MCM_SELECTOR_KETAMA;
    config.failure_deletes_max = 10;
    return config;
}

static char sent_value[VALUE_SIZE];

static enum mcm_outcome check_value(enum mcm_outcome outcome, struct mcm_slice value)
{
    if (outcome == MCM_OK) {
        assert_int_equal(value.size, VALUE_SIZE);
        assert_memory_equal(value.data, sent_value, VALUE_SIZE);
    }
    return outcome;
}

static enum mcm_outcome set(struct mcm_client *client, struct mcm_result *result)
{
    struct mcm_slice value = {sent_value, sizeof(sent_value)};
    return mcm_set(client, MCM_KEY("key"), value, 0, mcm_after(10 * SEC), result);
}

static enum mcm_outcome get(struct mcm_client *client, struct mcm_result *result)
{
    static char buffer[VALUE_SIZE];
    enum mcm_outcome outcome =
        mcm_get(client, MCM_KEY("key"), buffer, sizeof(buffer), mcm_after(10 * SEC), result);
    return check_value(outcome, result->value);
}

static struct mcm_batch_options batch_options(void)
{
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    options.deadline = mcm_after(10 * SEC);
    options.plain = true; /* the server above knows no lines of keys */
    options.dedupe = true;
    return options;
}

/* Two items, one of which is dealt with by the other. */
static enum mcm_outcome batch_set(struct mcm_client *client, struct mcm_result *result)
{
    struct mcm_batch_options options = batch_options();
    struct mcm_batch_item items[2];
    for (int i = 0; i < 2; i++)
        items[i] = (struct mcm_batch_item){.key = MCM_KEY("key"),
                                           .value = {sent_value, sizeof(sent_value)}};
    (void)result;
    mcm_multi_set(client, items, 2, &options, NULL);
    return items[0].outcome != MCM_OK ? items[0].outcome : items[1].outcome;
}

static enum mcm_outcome batch_get(struct mcm_client *client, struct mcm_result *result)
{
    struct mcm_batch_options options = batch_options();
    struct mcm_batch_item items[2] = {{.key = MCM_KEY("key")}, {.key = MCM_KEY("key")}};
    struct mcm_arena *arena = mcm_arena_new();
    (void)result;
    if (arena == NULL)
        return MCM_E_NO_MEMORY;
    options.arena = arena;
    mcm_multi_get(client, items, 2, &options, NULL);
    assert_int_equal(items[0].outcome, items[1].outcome);
    check_value(items[0].outcome, items[0].value);
    mcm_arena_free(arena);
    return items[0].outcome;
}

static enum mcm_outcome lease_get(struct mcm_client *client, struct mcm_result *result)
{
    static char buffer[VALUE_SIZE];
    struct mcm_lease_options options = MCM_LEASE_OPTIONS_DEFAULT;
    struct mcm_fill fill;
    mcm_get_or_lease(client, MCM_KEY("key"), buffer, sizeof(buffer), &options, mcm_after(10 * SEC),
                     &fill, result);
    return check_value(result->outcome, result->value);
}

static enum mcm_outcome lease_fill(struct mcm_client *client, struct mcm_result *result)
{
    struct mcm_slice value = {sent_value, sizeof(sent_value)};
    struct mcm_fill fill = {.cas = 1};
    return mcm_fill(client, MCM_KEY("key"), value, &fill, 0, mcm_after(10 * SEC), result);
}

/* The ways to store and to fetch. */
typedef enum mcm_outcome (*call_fn)(struct mcm_client *client, struct mcm_result *result);
static const struct surface {
    call_fn set, get;
} one_key = {set, get}, batches = {batch_set, batch_get}, leases = {lease_fill, lease_get};
static const struct surface *surface = &one_key;

static void arm(enum kind kind, unsigned nth, int error)
{
    failing = kind;
    left = nth;
    failing_errno = error;
    failed = false;
    armed = true;
}

/* What may come of a call in which something failed. */
static void check_outcome(enum kind kind, int error, enum mcm_outcome outcome)
{
    enum mcm_class class = mcm_outcome_class(outcome);
    bool may_succeed = outcome == MCM_OK;
    if (kind == MEMORY)
        assert_true(may_succeed || outcome == MCM_E_NO_MEMORY);
    else if (error == EINTR || error == EAGAIN)
        assert_true(may_succeed || kind == SOCKET);
    else
        assert_true(may_succeed || class == MCM_CLASS_LOCAL || class == MCM_CLASS_CONNECT ||
                    class == MCM_CLASS_IO);
}

/* True when the n-th call of the kind existed, and so failed. */
static bool run_script(const struct server *server, enum mcm_mode mode, enum kind kind,
                       unsigned nth, int error)
{
    struct mcm_result result;
    mcm_ns start = mcm_after(0);
    failing = kind; /* which decides on the maintenance thread */
    struct mcm_client_config config = config_for(server, mode);
    arm(kind, nth, error);
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    if (client == NULL) {
        armed = false;
        assert_true(failed && (kind == MEMORY || kind == THREAD));
        return true;
    }
    check_outcome(kind, error, surface->set(client, &result));
    armed = false;
    assert_int_equal(surface->set(client, &result), MCM_OK);
    armed = true;
    check_outcome(kind, error, surface->get(client, &result));
    armed = false;
    assert_true(mcm_after(0) - start < 20 * SEC);
    /* It went by: the same client works. */
    assert_string_equal(mcm_outcome_name(surface->get(client, &result)), "ok");
    mcm_client_free(client);
    return failed;
}

/* --- The same in a loop --- */

struct ended {
    bool is;
    enum mcm_outcome outcome;
};

static void note_end(void *arg, const struct mcm_result *result)
{
    struct ended *ended = arg;
    assert_false(ended->is);
    *ended = (struct ended){true, result->outcome};
    if (result->value.size > 0)
        check_value(result->outcome, result->value);
}

static enum mcm_outcome loop_call(struct mcm_loop *loop, bool stores)
{
    static char buffer[VALUE_SIZE];
    struct ended ended = {0};
    struct mcm_loop_call call = {.deadline = mcm_after(10 * SEC), .done = note_end, .arg = &ended};
    struct mcm_slice value = {sent_value, sizeof(sent_value)};
    enum mcm_outcome outcome =
        stores ? mcm_loop_set(loop, &call, MCM_KEY("key"), value, 0)
               : mcm_loop_get(loop, &call, MCM_KEY("key"), buffer, sizeof(buffer));
    if (outcome != MCM_OK)
        return outcome;
    mcm_loop_run(loop, mcm_after(11 * SEC));
    assert_true(ended.is);
    return ended.outcome;
}

static bool run_loop_script(const struct server *server, enum kind kind, unsigned nth, int error)
{
    struct mcm_client_config config = config_for(server, MCM_MODE_EXCLUSIVE);
    config.lanes = 1;
    arm(kind, nth, error);
    struct mcm_loop *loop = mcm_loop_new(&config, NULL, 0);
    if (loop == NULL) {
        armed = false;
        assert_true(failed);
        return true;
    }
    check_outcome(kind, error, loop_call(loop, true));
    armed = false;
    assert_string_equal(mcm_outcome_name(loop_call(loop, true)), "ok");
    armed = true;
    check_outcome(kind, error, loop_call(loop, false));
    armed = false;
    assert_string_equal(mcm_outcome_name(loop_call(loop, false)), "ok");
    mcm_loop_free(loop);
    return failed;
}

#define LOOP ((enum mcm_mode)(MCM_MODE_SHARED + 1))

static void fail_each(struct server *server, enum mcm_mode mode, enum kind kind, int error)
{
    int before = open_descriptors();
    unsigned nth = 1;
    while (nth < ROUNDS_MAX && (mode == LOOP ? run_loop_script(server, kind, nth, error)
                                             : run_script(server, mode, kind, nth, error)))
        nth++;
    assert_in_range(nth, kind == POLL ? 1 : 2, ROUNDS_MAX - 1);
    for (int i = 0; i < 2000 && open_descriptors() > before; i++)
        usleep(1000); /* the server closes its ends */
    assert_int_equal(open_descriptors(), before);
}

static void any_allocation_may_fail(void **state)
{
    fail_each(*state, MCM_MODE_EXCLUSIVE, MEMORY, ENOMEM);
    fail_each(*state, MCM_MODE_SHARED, MEMORY, ENOMEM);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 3; i++)
        fail_each(*state, MCM_MODE_EXCLUSIVE, MEMORY, ENOMEM);
    /* The server's streams come and go; a leak of a client would be many times this. */
    assert_true(mallinfo2().uordblks < before.uordblks + 20000);
}

static void any_call_that_makes_a_socket_may_fail(void **state)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ECONNREFUSED, EINTR, ENETUNREACH};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        fail_each(*state, MCM_MODE_EXCLUSIVE, SOCKET, errors[i]);
    fail_each(*state, MCM_MODE_SHARED, SOCKET, EMFILE);
}

static void any_send_and_receive_may_fail(void **state)
{
    static const int errors[] = {ECONNRESET, EPIPE, EINTR, EAGAIN, ETIMEDOUT, ENOMEM};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        for (enum mcm_mode mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
            fail_each(*state, mode, SEND, errors[i]);
            fail_each(*state, mode, RECEIVE, errors[i]);
        }
    }
}

static void transfers_may_be_as_short_as_a_byte(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 50};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (enum mcm_mode mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
            transfer_max = sizes[i];
            fail_each(*state, mode, RECEIVE, EINTR);
            fail_each(*state, mode, SEND, ECONNRESET);
        }
    }
    transfer_max = 0;
}

static void any_wait_may_fail(void **state)
{
    fail_each(*state, MCM_MODE_EXCLUSIVE, POLL, EINTR);
    fail_each(*state, MCM_MODE_EXCLUSIVE, POLL, ENOMEM);
    fail_each(*state, MCM_MODE_SHARED, POLL, EINTR);
}

static void batches_and_leases_survive_the_same(void **state)
{
    static const struct surface *const surfaces[] = {&batches, &leases};
    for (size_t i = 0; i < sizeof(surfaces) / sizeof(surfaces[0]); i++) {
        surface = surfaces[i];
        for (enum mcm_mode mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
            fail_each(*state, mode, MEMORY, ENOMEM);
            fail_each(*state, mode, SOCKET, EMFILE);
            fail_each(*state, mode, SEND, EINTR);
            fail_each(*state, mode, SEND, ECONNRESET);
            fail_each(*state, mode, RECEIVE, EINTR);
            fail_each(*state, mode, RECEIVE, ECONNRESET);
            fail_each(*state, mode, POLL, EINTR);
            transfer_max = 3;
            fail_each(*state, mode, RECEIVE, EINTR);
            fail_each(*state, mode, SEND, EAGAIN);
            transfer_max = 0;
        }
    }
    surface = &one_key;
}

static void a_loop_survives_the_same(void **state)
{
    fail_each(*state, LOOP, MEMORY, ENOMEM);
    fail_each(*state, LOOP, SOCKET, EMFILE);
    fail_each(*state, LOOP, SEND, EINTR);
    fail_each(*state, LOOP, SEND, ECONNRESET);
    fail_each(*state, LOOP, RECEIVE, EINTR);
    fail_each(*state, LOOP, RECEIVE, ECONNRESET);
    transfer_max = 3;
    fail_each(*state, LOOP, RECEIVE, EINTR);
    fail_each(*state, LOOP, SEND, EAGAIN);
    transfer_max = 0;
}

static void a_thread_that_cannot_start_is_told(void **state)
{
    fail_each(*state, MCM_MODE_EXCLUSIVE, THREAD, EAGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(any_call_that_makes_a_socket_may_fail),
        cmocka_unit_test(any_send_and_receive_may_fail),
        cmocka_unit_test(transfers_may_be_as_short_as_a_byte),
        cmocka_unit_test(any_wait_may_fail),
        cmocka_unit_test(batches_and_leases_survive_the_same),
        cmocka_unit_test(a_loop_survives_the_same),
        cmocka_unit_test(a_thread_that_cannot_start_is_told),
    };
    signal(SIGPIPE, SIG_IGN); /* of the server; the client raises none */
    for (size_t i = 0; i < sizeof(sent_value); i++)
        sent_value[i] = (char)('a' + i % 26);
    return cmocka_run_group_tests_name("mcmeta/failures", tests, start_server, stop_server);
}
