/* SPDX-License-Identifier: MIT */
/* Starting and stopping, from several threads and with traffic. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/apiclient.h"
#include "proxy/server.h"
#include "proxy/sock.h"

static void count_line(void *arg, const char *line, size_t size)
{
    atomic_size_t *count = arg;
    assert_int_equal(line[size - 1], '\n');
    ++*count;
}

static void a_busy_port_is_named(void **state)
{
    (void)state;
    struct proxy_server *first, *second;
    struct err err;
    struct proxy_server_config config = {.seed = 1};
    assert_int_equal(proxy_server_start(&config, &first, &err), 0);
    config.port = proxy_server_api_port(first);
    char port[16];
    snprintf(port, sizeof port, ":%u", config.port);
    assert_int_equal(proxy_server_start(&config, &second, &err), -1);
    assert_non_null(strstr(err.text, port));
    assert_non_null(strstr(err.text, "address already in use"));
    proxy_server_stop(first);
    proxy_server_stop(NULL);
}

static void too_many_threads_are_refused(void **state)
{
    (void)state;
    struct proxy_server *server;
    struct err err;
    const struct proxy_server_config config = {.threads = PROXY_THREADS_MAX + 1};
    assert_int_equal(proxy_server_start(&config, &server, &err), -1);
    assert_string_equal(err.text, "proxy server: at most 64 threads are possible, not 65");
}

/* A connected client through proxy `listen`, with the upstream end accepted. */
static void connect_pair(const char *listen_text, int upstream, int *client, int *server)
{
    struct address_hostport hostport;
    struct address_list list;
    assert_int_equal(address_split(listen_text, &hostport, NULL), 0);
    assert_true(address_known(&hostport, &list));
    *client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*client, &list.items[0].sa.any, list.items[0].size), 0);
    *server = accept(upstream, NULL, NULL);
    assert_true(*server >= 0);
}

static void *live_once(void *arg)
{
    struct proxy_server *server;
    struct apiclient *c;
    struct apiclient_proxy p;
    struct err err;
    atomic_size_t lines = 0;
    char url[32], bytes[8], upstream[ADDRESS_TEXT_MAX];
    int client, peer;
    const unsigned *threads = arg;
    struct address any = {.size = sizeof any.sa.v4}, bound;
    any.sa.v4.sin_family = AF_INET;
    any.sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, &any.sa.any, any.size), 0);
    assert_int_equal(listen(listener, 8), 0);
    bound.size = sizeof bound.sa;
    getsockname(listener, &bound.sa.any, &bound.size);
    address_format(&bound, upstream);

    const struct proxy_server_config config = {
        .seed = 1,
        .threads = *threads,
        .log = {.write = count_line, .arg = &lines, .level = PROXY_LOG_TRACE}};
    assert_int_equal(proxy_server_start(&config, &server, &err), 0);
    snprintf(url, sizeof url, "127.0.0.1:%u", proxy_server_api_port(server));
    assert_int_equal(
        apiclient_new(&(struct apiclient_config){.url = url, .cancel_fd = -1}, &c, &err), 0);
    assert_int_equal(apiclient_create(c, "p", "127.0.0.1:0", upstream, &p, &err), 0);
    connect_pair(p.listen, listener, &client, &peer);
    assert_int_equal(send(client, "ping", 4, 0), 4);
    assert_int_equal(recv(peer, bytes, 4, MSG_WAITALL), 4);
    proxy_server_stop(server);
    assert_int_equal(recv(client, bytes, 1, 0), 0);
    assert_int_equal(recv(peer, bytes, 1, 0), 0);
    assert_true(lines > 0);
    apiclient_free(c);
    close(client);
    close(peer);
    close(listener);
    return NULL;
}

/* ThreadSanitizer knows nothing of timerfd_create(): it takes a number that a thread of one server
 * gave back and another one's timer got for a descriptor that both use. So it sees them one by one.
 */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if __has_feature(thread_sanitizer) || defined(__SANITIZE_THREAD__)
#define AT_ONCE 1
#else
#define AT_ONCE 3
#endif

static void servers_live_and_die_side_by_side(void **state)
{
    (void)state;
    static unsigned counts[] = {0, 1, 4};
    for (int i = 0; i < 15; i += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, live_once, &counts[(i + k) % 3]), 0);
        for (int k = 0; k < AT_ONCE; k++)
            pthread_join(threads[k], NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_port_is_named),
        cmocka_unit_test(too_many_threads_are_refused),
        cmocka_unit_test(servers_live_and_die_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
