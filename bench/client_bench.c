/* SPDX-License-Identifier: MIT */
/*
 * Measures libmcmeta next to libmemcached and to bare sockets, in turns of some milliseconds, so
 * that whatever else the machine does hits all of them alike. bench/client.py starts the server and
 * makes a report of what this prints, one line per turn:
 *
 *     group contestant operations wall_ns client_cpu_ns server_cpu_ns calls allocations
 *
 * Usage: client_bench PORT SERVER_PID ROUNDS [GROUP...]
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "count.h"

#ifdef HAVE_LIBMEMCACHED
#include <libmemcached/memcached.h>
#include <libmemcached/util.h>
#endif

#define SECOND INT64_C(1000000000)
#define KEYS 100
#define VALUE_SIZE 100
#define LARGE_SIZE 1000000
#define THREADS 16
#define IDLE_CONNECTIONS 1000

static int port;
static int server_pid;
static clockid_t server_clock;
static char address[32];
static char value[VALUE_SIZE];
static char large[LARGE_SIZE];
static char key_texts[KEYS][16];

static void give_up(const char *what)
{
    fprintf(stderr, "client_bench: %s\n", what);
    exit(1);
}

/* A number from the command line or /proc; 0 when it is none. */
static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

/*
 * Puts every thread of a process on one processor, or lets it run on all (-1). Waking another
 * processor takes several times as long as changing threads on one, so when a lone client and its
 * server are where they like, that decides more than anything that is measured.
 */
static void place(int pid, int cpu)
{
    char path[64];
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (cpu < 0 || i == cpu)
            CPU_SET(i, &set);
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        give_up("no such server process");
    struct dirent *task;
    while ((task = readdir(tasks)) != NULL)
        if (task->d_name[0] != '.')
            sched_setaffinity(number(task->d_name), sizeof(set), &set);
    closedir(tasks);
}

static void place_both(int cpu)
{
    place(server_pid, cpu);
    place(getpid(), cpu);
}

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * SECOND + ts.tv_nsec;
}

/* Where everything stood when a turn began. */
struct stand {
    int64_t wall, client, server;
    uint64_t calls, allocations;
};

static struct stand take_stand(void)
{
    return (struct stand){
        .calls = atomic_load(&count_calls),
        .allocations = atomic_load(&count_allocations),
        .client = read_clock(CLOCK_PROCESS_CPUTIME_ID),
        .server = read_clock(server_clock),
        .wall = read_clock(CLOCK_MONOTONIC),
    };
}

static void print_turn(const char *group, const char *name, uint64_t operations, struct stand from)
{
    struct stand to = take_stand();
    printf("%s %s %llu %lld %lld %lld %llu %llu\n", group, name, (unsigned long long)operations,
           (long long)(to.wall - from.wall), (long long)(to.client - from.client),
           (long long)(to.server - from.server), (unsigned long long)(to.calls - from.calls),
           (unsigned long long)(to.allocations - from.allocations));
}

/* ---- bare sockets ---- */

static int raw_connect(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
        give_up("cannot connect");
    return fd;
}

static void raw_exchange(int fd, const char *request, size_t size, const char *end)
{
    static char answer[65536];
    size_t got = 0, end_size = strlen(end);
    if (send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
        give_up("send");
    while (got < end_size || memcmp(answer + got - end_size, end, end_size) != 0) {
        ssize_t part = recv(fd, answer + got, sizeof(answer) - got, 0);
        if (part <= 0)
            give_up("recv");
        got += (size_t)part;
    }
}

static int raw_fd;

static void raw_get(unsigned i)
{
    char line[64];
    int size = snprintf(line, sizeof(line), "mg %s v f c O00000\r\n", key_texts[i % KEYS]);
    raw_exchange(raw_fd, line, (size_t)size, "x\r\n");
}

static void raw_get_100(unsigned i)
{
    (void)i;
    static char line[KEYS * 16 + 8];
    static size_t size;
    if (size == 0) {
        size = (size_t)snprintf(line, sizeof(line), "get");
        for (int k = 0; k < KEYS; k++)
            size += (size_t)snprintf(line + size, sizeof(line) - size, " %s", key_texts[k]);
        size += (size_t)snprintf(line + size, sizeof(line) - size, "\r\n");
    }
    raw_exchange(raw_fd, line, size, "END\r\n");
}

static void raw_set_large(unsigned i)
{
    (void)i;
    char line[64], answer[64];
    int size = snprintf(line, sizeof(line), "ms large %d\r\n", LARGE_SIZE);
    struct iovec parts[3] = {{line, (size_t)size}, {large, LARGE_SIZE}, {(char *)"\r\n", 2}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    if (sendmsg(raw_fd, &message, MSG_NOSIGNAL) != size + LARGE_SIZE + 2 ||
        recv(raw_fd, answer, sizeof(answer), 0) != 4)
        give_up("raw set");
}

/* ---- libmcmeta ---- */

static struct mcm_client *new_client(enum mcm_mode mode, unsigned connections)
{
    struct mcm_server server = {.address = address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    char error[MCM_ERROR_SIZE];
    config.servers = &server;
    config.server_count = 1;
    config.mode = mode;
    config.connections_max = connections;
    config.maintenance_thread = false;
    struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
    if (client == NULL)
        give_up(error);
    return client;
}

static struct mcm_client *exclusive, *shared;

static void mcm_get_one(struct mcm_client *client, unsigned i)
{
    char buffer[256];
    struct mcm_result result;
    mcm_get(client, MCM_KEY(key_texts[i % KEYS]), buffer, sizeof(buffer), mcm_after(10 * SECOND),
            &result);
    if (result.outcome != MCM_OK || result.value.size != VALUE_SIZE)
        give_up(mcm_outcome_text(result.outcome));
}

static void exclusive_get(unsigned i)
{
    mcm_get_one(exclusive, i);
}

static void shared_get(unsigned i)
{
    mcm_get_one(shared, i);
}

static void exclusive_set_large(unsigned i)
{
    (void)i;
    struct mcm_result result;
    struct mcm_slice slice = {large, LARGE_SIZE};
    if (mcm_set(exclusive, MCM_KEY("large"), slice, 0, mcm_after(10 * SECOND), &result) != MCM_OK)
        give_up(mcm_outcome_text(result.outcome));
}

static struct mcm_batch_item multi_items[KEYS];

/* Made once, as the line of the bare socket is. */
static void make_items(void)
{
    static char buffers[KEYS][VALUE_SIZE];
    for (int k = 0; k < KEYS; k++) {
        multi_items[k].key = MCM_KEY(key_texts[k]);
        multi_items[k].buffer = buffers[k];
        multi_items[k].buffer_size = sizeof(buffers[k]);
    }
}

static void multi_get_100(unsigned i)
{
    (void)i;
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    struct mcm_batch_result result;
    options.deadline = mcm_after(10 * SECOND);
    mcm_multi_get(exclusive, multi_items, KEYS, &options, &result);
    if (result.ok != KEYS)
        give_up("multi-get");
}

static struct mcm_loop *loop;

static void note(void *arg, const struct mcm_result *result)
{
    *(unsigned *)arg += result->outcome == MCM_OK;
}

static void loop_get_100(unsigned i)
{
    (void)i;
    static char buffers[KEYS][256];
    unsigned good = 0;
    struct mcm_loop_call call = {.deadline = mcm_after(10 * SECOND), .done = note, .arg = &good};
    for (int k = 0; k < KEYS; k++) {
        if (mcm_loop_get(loop, &call, MCM_KEY(key_texts[k]), buffers[k], 256) != MCM_OK)
            give_up("loop");
    }
    mcm_loop_run(loop, call.deadline);
    if (good != KEYS)
        give_up("loop answers");
}

static void open_loop(void)
{
    struct mcm_server server = {.address = address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.lanes = 1;
    loop = mcm_loop_new(&config, NULL, 0);
    if (loop == NULL)
        give_up("loop");
}

/* ---- libmemcached ---- */

#ifdef HAVE_LIBMEMCACHED
static memcached_st *lm;
static memcached_pool_st *lm_pool, *lm_small_pool;

static memcached_st *lm_open(void)
{
    memcached_st *handle = memcached_create(NULL);
    memcached_server_add(handle, "127.0.0.1", (in_port_t)port);
    memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    return handle;
}

static void lm_get_with(memcached_st *handle, unsigned i)
{
    size_t size;
    uint32_t flags;
    memcached_return_t rc;
    const char *key = key_texts[i % KEYS];
    char *got = memcached_get(handle, key, strlen(key), &size, &flags, &rc);
    if (got == NULL || size != VALUE_SIZE)
        give_up("libmemcached get");
    free(got);
}

static void lm_get(unsigned i)
{
    lm_get_with(lm, i);
}

static void lm_pool_get_with(memcached_pool_st *pool, unsigned i)
{
    memcached_return_t rc;
    memcached_st *handle = memcached_pool_pop(pool, true, &rc);
    if (handle == NULL)
        give_up("libmemcached pool");
    lm_get_with(handle, i);
    memcached_pool_push(pool, handle);
}

static void lm_pool_get(unsigned i)
{
    lm_pool_get_with(lm_pool, i);
}

static void lm_small_pool_get(unsigned i)
{
    lm_pool_get_with(lm_small_pool, i);
}

static void lm_get_100(unsigned i)
{
    (void)i;
    const char *keys[KEYS];
    size_t sizes[KEYS];
    for (int k = 0; k < KEYS; k++) {
        keys[k] = key_texts[k];
        sizes[k] = strlen(keys[k]);
    }
    memcached_return_t rc = memcached_mget(lm, keys, sizes, KEYS);
    memcached_result_st result;
    unsigned got = 0;
    memcached_result_create(lm, &result);
    while (memcached_fetch_result(lm, &result, &rc) != NULL)
        got++;
    memcached_result_free(&result);
    if (got != KEYS)
        give_up("libmemcached mget");
}

static void lm_set_large(unsigned i)
{
    (void)i;
    if (memcached_set(lm, "large", 5, large, LARGE_SIZE, 0, 0) != MEMCACHED_SUCCESS)
        give_up("libmemcached set");
}
#endif

/* ---- turns ---- */

struct contestant {
    const char *name;
    void (*run)(unsigned i);
};

/* `turns` turns of `count` operations each by one thread, contestants alternating. */
static void run_single(const char *group, const struct contestant *list, unsigned turns,
                       unsigned count)
{
    for (unsigned turn = 0; turn < turns; turn++) {
        for (const struct contestant *it = list; it->name != NULL; it++) {
            it->run(0);
            struct stand from = take_stand();
            for (unsigned i = 0; i < count; i++)
                it->run(i);
            print_turn(group, it->name, count, from);
        }
    }
}

struct team {
    const struct contestant *contestant;
    atomic_bool stop;
    atomic_uint_least64_t operations;
    pthread_barrier_t start, warm;
};

static void *play(void *arg)
{
    struct team *team = arg;
    for (unsigned i = 0; i < 20; i++)
        team->contestant->run(i);
    pthread_barrier_wait(&team->warm);
    pthread_barrier_wait(&team->start);
    uint64_t operations = 0;
    for (; !atomic_load_explicit(&team->stop, memory_order_relaxed); operations++)
        team->contestant->run((unsigned)operations);
    atomic_fetch_add(&team->operations, operations);
    return NULL;
}

static void run_threads(const char *group, const struct contestant *contestant, int64_t span)
{
    struct team team = {.contestant = contestant};
    pthread_t threads[THREADS];
    pthread_barrier_init(&team.start, NULL, THREADS + 1);
    pthread_barrier_init(&team.warm, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, play, &team) != 0)
            give_up("thread");
    }
    pthread_barrier_wait(&team.warm);
    struct stand from = take_stand();
    pthread_barrier_wait(&team.start);
    struct timespec pause = {.tv_nsec = span};
    nanosleep(&pause, NULL);
    atomic_store(&team.stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    print_turn(group, contestant->name, atomic_load(&team.operations), from);
    pthread_barrier_destroy(&team.start);
    pthread_barrier_destroy(&team.warm);
}

/* Memory of a client by the connections it can hold; a connection in use adds none that lasts. */
static void print_idle_memory(void)
{
    size_t empty = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct mcm_client *small = new_client(MCM_MODE_EXCLUSIVE, 1);
    size_t with_one = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct mcm_client *big = new_client(MCM_MODE_EXCLUSIVE, IDLE_CONNECTIONS + 1);
    size_t with_many = mallinfo2().uordblks + mallinfo2().hblkhd;
    printf("idle bytes_per_connection %zu 0 0 0 0 0\n",
           ((with_many - with_one) - (with_one - empty)) / IDLE_CONNECTIONS);
    mcm_client_free(big);
    mcm_client_free(small);
}

static const struct contestant singles[] = {
    {"raw", raw_get},
    {"exclusive", exclusive_get},
    {"shared", shared_get},
#ifdef HAVE_LIBMEMCACHED
    {"libmemcached", lm_get},
#endif
    {NULL, NULL},
};

static const struct contestant multis[] = {
    {"raw_classic", raw_get_100},
    {"multi_get", multi_get_100},
    {"loop", loop_get_100},
#ifdef HAVE_LIBMEMCACHED
    {"libmemcached", lm_get_100},
#endif
    {NULL, NULL},
};

static const struct contestant larges[] = {
    {"raw", raw_set_large},
    {"exclusive", exclusive_set_large},
#ifdef HAVE_LIBMEMCACHED
    {"libmemcached", lm_set_large},
#endif
    {NULL, NULL},
};

static const struct contestant teams[] = {
    {"own", exclusive_get},
    {"shared", shared_get},
#ifdef HAVE_LIBMEMCACHED
    {"libmemcached_pool_16", lm_pool_get},
    {"libmemcached_pool_8", lm_small_pool_get},
#endif
};

static void prepare(void)
{
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    memset(value, 'x', sizeof(value));
    memset(large, 'L', sizeof(large));
    exclusive = new_client(MCM_MODE_EXCLUSIVE, THREADS);
    shared = new_client(MCM_MODE_SHARED, THREADS);
    for (int k = 0; k < KEYS; k++) {
        struct mcm_result result;
        struct mcm_slice slice = {value, VALUE_SIZE};
        snprintf(key_texts[k], sizeof(key_texts[k]), "bench-key-%02d", k);
        if (mcm_set(exclusive, MCM_KEY(key_texts[k]), slice, 0, mcm_after(10 * SECOND), &result) !=
            MCM_OK)
            give_up(mcm_outcome_text(result.outcome));
    }
    make_items();
    raw_fd = raw_connect();
    open_loop();
#ifdef HAVE_LIBMEMCACHED
    lm = lm_open();
    lm_pool = memcached_pool_create(lm_open(), THREADS, THREADS);
    lm_small_pool = memcached_pool_create(lm_open(), THREADS / 2, THREADS / 2);
#endif
}

/* Whether a group is in the list, which may be empty. */
static bool is_wanted(const char *group, char *const *wanted)
{
    bool all = *wanted == NULL;
    while (*wanted != NULL && strcmp(*wanted, group) != 0)
        wanted++;
    return all || *wanted != NULL;
}

static void run_round(char *const *wanted)
{
    place_both(0);
    if (is_wanted("get", wanted))
        run_single("get", singles, 20, 200);
    place_both(-1);
    if (is_wanted("multi_get_100", wanted))
        run_single("multi_get_100", multis, 10, 20);
    if (is_wanted("set_1MB", wanted))
        run_single("set_1MB", larges, 5, 8);
    for (size_t i = 0; i < sizeof(teams) / sizeof(teams[0]); i++) {
        if (is_wanted("get_16_threads", wanted))
            run_threads("get_16_threads", &teams[i], 400000000);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        give_up("usage: client_bench PORT SERVER_PID ROUNDS [GROUP...]");
    port = number(argv[1]);
    server_pid = number(argv[2]);
    if (clock_getcpuclockid(server_pid, &server_clock) != 0)
        give_up("no such server process");
    int rounds = number(argv[3]);
    prepare();
    print_idle_memory();
    for (int round = 0; round < rounds; round++)
        run_round(argv + 4);
    mcm_loop_free(loop);
    mcm_client_free(shared);
    mcm_client_free(exclusive);
    return 0;
}
