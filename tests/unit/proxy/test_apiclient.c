/* SPDX-License-Identifier: MIT */
/* The client against our own server in the same process, and its parser against every split. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/apiclient.h"
#include "proxy/apihttp.h"
#include "proxy/server.h"
#include "proxy/sock.h"

static const struct {
    const char *text;
    int status;
    const char *body;
} answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}"},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, NULL},
    {"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
     201, "abcde"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx", 404, "x"},
};

static void parses_answers_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        size_t size = strlen(answers[i].text);
        struct apihttp_answer out;
        for (size_t n = 0; n < size; n++) {
            char part[256];
            memcpy(part, answers[i].text, n);
            part[n] = '\0';
            int rc = apihttp_parse(part, n, 0, &out);
            /* Only the line end after the last chunk may be missing. */
            assert_true(rc == 0 ||
                        (rc == 1 && strstr(answers[i].text, "chunked") && size - n <= 2));
            free(out.body);
        }
        assert_int_equal(apihttp_parse(answers[i].text, size, 0, &out), 1);
        assert_int_equal(out.status, answers[i].status);
        if (answers[i].body) {
            assert_int_equal(out.body_size, strlen(answers[i].body));
            assert_memory_equal(out.body, answers[i].body, out.body_size);
        }
        free(out.body);
    }
    struct apihttp_answer out;
    assert_int_equal(apihttp_parse("HTTP/1.0 200 OK\r\n\r\nrest", 23, 0, &out), 0);
    assert_int_equal(apihttp_parse("HTTP/1.0 200 OK\r\n\r\nrest", 23, 1, &out), 1);
    assert_int_equal(out.body_size, 4);
    free(out.body);
    assert_int_equal(apihttp_parse("SSH-2.0-x\r\n\r\n", 13, 0, &out), -1);
}

struct rig {
    struct proxy_server *server;
    struct apiclient *client;
};

static void setup(struct rig *rig)
{
    struct err err = {.text = ""};
    char url[64];
    const struct proxy_server_config config = {.seed = 1};
    assert_int_equal(proxy_server_start(&config, &rig->server, &err), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", proxy_server_api_port(rig->server));
    const struct apiclient_config client = {.url = url, .cancel_fd = -1};
    assert_int_equal(apiclient_new(&client, &rig->client, &err), 0);
}

static void teardown(struct rig *rig)
{
    apiclient_free(rig->client);
    proxy_server_stop(rig->server);
}

static void drives_a_proxy(void **state)
{
    (void)state;
    struct rig rig;
    struct err err;
    char version[32];
    struct apiclient_proxy p, all[4];
    struct apiclient_stats stats;
    size_t count;
    setup(&rig);
    struct apiclient *c = rig.client;
    assert_int_equal(apiclient_wait(c, 0, &err), APICLIENT_OK);
    assert_int_equal(apiclient_version(c, version, sizeof version, &err), APICLIENT_OK);
    assert_string_equal(version, PROXY_API_VERSION);
    assert_int_equal(apiclient_create(c, "a/ b", "127.0.0.1:0", "127.0.0.1:1", &p, &err), 0);
    assert_int_equal(apiclient_create(c, "n1", "127.0.0.1:0", "127.0.0.1:1", &p, &err), 0);
    assert_true(p.enabled);
    assert_int_equal(apiclient_create(c, "n1", "127.0.0.1:0", "127.0.0.1:1", &p, &err),
                     APICLIENT_CONFLICT);
    assert_non_null(strstr(err.text, "HTTP 409: proxy already exists"));
    assert_int_equal(apiclient_list(c, all, 4, &count, &err), 0);
    assert_int_equal(count, 2);
    const struct apiclient_attribute latency = {.name = "latency", .value = 5};
    const struct apiclient_toxic toxic = {.name = "t",
                                          .type = "latency",
                                          .stream = "upstream",
                                          .toxicity = 0.5,
                                          .attributes = &latency,
                                          .attribute_count = 1};
    assert_int_equal(apiclient_toxic_add(c, "n1", &toxic, &err), 0);
    assert_int_equal(apiclient_toxic_update(c, "n1", &toxic, &err), 0);
    assert_int_equal(apiclient_stats(c, "n1", &stats, &err), 0);
    assert_int_equal(stats.toxic_count, 1);
    assert_string_equal(stats.toxics[0].stream, "upstream");
    assert_int_equal(apiclient_toxic_remove(c, "n1", "t", &err), 0);
    assert_int_equal(apiclient_toxic_remove(c, "n1", "t", &err), APICLIENT_NOT_FOUND);
    assert_int_equal(apiclient_set_enabled(c, "n1", false, &err), 0);
    assert_int_equal(apiclient_get(c, "n1", &p, &err), 0);
    assert_false(p.enabled);
    assert_int_equal(apiclient_reset(c, &err), 0);
    assert_int_equal(apiclient_delete(c, "n1", &err), 0);
    assert_int_equal(apiclient_get(c, "n1", &p, &err), APICLIENT_NOT_FOUND);
    assert_int_equal(apiclient_stats(c, "n1", &stats, &err), APICLIENT_NOT_FOUND);
    teardown(&rig);
}

static void assert_attribute(const struct apiclient_toxic_view *t, size_t i, const char *name,
                             double value)
{
    assert_true(i < t->attribute_count);
    assert_string_equal(t->attributes[i].name, name);
    assert_true(t->attributes[i].is_number);
    assert_true(t->attributes[i].number == value);
}

static void shows_toxics_with_every_attribute(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = {.text = ""};
    struct apiclient_toxic_view t, all[2];
    size_t count = 9;
    setup(&rig);
    struct apiclient *c = rig.client;
    assert_int_equal(apiclient_toxics(c, "p", all, 2, &count, &err), APICLIENT_NOT_FOUND);
    assert_string_equal(apiclient_refusal(&err), "HTTP 404: proxy not found");
    assert_int_equal(apiclient_create(c, "p", "127.0.0.1:0", "127.0.0.1:1", NULL, &err), 0);
    assert_int_equal(apiclient_toxics(c, "p", all, 2, &count, &err), 0);
    assert_int_equal(count, 0);

    const struct apiclient_attribute loss = {.name = "loss_rate", .value = 0.25};
    struct apiclient_toxic toxic = {
        .type = "packet_loss", .toxicity = -1, .attributes = &loss, .attribute_count = 1};
    assert_int_equal(apiclient_toxic_add_view(c, "p", &toxic, &t, &err), 0);
    assert_string_equal(t.name, "packet_loss_downstream");
    assert_string_equal(t.stream, "downstream");
    assert_true(t.toxicity == 1);
    assert_int_equal(t.attribute_count, 3);
    assert_attribute(&t, 0, "correlation", 0);
    assert_attribute(&t, 1, "loss_rate", 0.25);
    assert_attribute(&t, 2, "rtt", 1);

    toxic = (struct apiclient_toxic){.type = "noop", .stream = "UpStream", .toxicity = 0.5};
    assert_int_equal(apiclient_toxic_add_view(c, "p", &toxic, &t, &err), 0);
    assert_string_equal(t.stream, "UpStream");
    assert_int_equal(t.attribute_count, 0);

    /* Without a toxicity the server keeps the one it has. */
    toxic = (struct apiclient_toxic){.name = t.name, .toxicity = -1};
    assert_int_equal(apiclient_toxic_update_view(c, "p", &toxic, &t, &err), 0);
    assert_true(t.toxicity == 0.5);

    assert_int_equal(apiclient_toxics(c, "p", all, 1, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(all[0].name, "noop_UpStream");
    teardown(&rig);
}

static void sends_attributes_that_are_texts(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = {.text = ""};
    const struct apiclient_attribute soon = {.name = "latency", .text = "soon"};
    const struct apiclient_toxic toxic = {
        .type = "latency", .toxicity = -1, .attributes = &soon, .attribute_count = 1};
    setup(&rig);
    assert_int_equal(apiclient_create(rig.client, "p", "127.0.0.1:0", "127.0.0.1:1", NULL, &err),
                     0);
    assert_int_equal(apiclient_toxic_add(rig.client, "p", &toxic, &err), APICLIENT_REFUSED);
    assert_non_null(strstr(apiclient_refusal(&err), "HTTP 400: bad request body: "));
    teardown(&rig);
}

static void keeps_errors_that_no_server_made(void **state)
{
    (void)state;
    const struct err err = {.text = "GET http://h:1/version: connecting: connection refused"};
    assert_ptr_equal(apiclient_refusal(&err), err.text);
}

/* A port that takes connections into its backlog and never answers. */
static int silent_server(char *url, size_t url_size)
{
    struct address_hostport hostport = {.host = "127.0.0.1"};
    struct address_list list;
    struct address bound;
    assert_true(address_known(&hostport, &list));
    int fd = sock_listen(&list.items[0], &bound, NULL);
    assert_true(fd >= 0);
    snprintf(url, url_size, "127.0.0.1:%u", address_port(&bound));
    return fd;
}

static void gives_up_in_time(void **state)
{
    (void)state;
    char url[64], version[8];
    struct apiclient *c;
    struct err err;
    int fd = silent_server(url, sizeof url);
    const struct apiclient_config config = {
        .url = url, .timeout_ns = 50 * NS_PER_MS, .cancel_fd = -1};
    assert_int_equal(apiclient_new(&config, &c, &err), 0);
    assert_int_equal(apiclient_version(c, version, sizeof version, &err), APICLIENT_TIMEOUT);
    assert_non_null(strstr(err.text, url));
    apiclient_free(c);
    close(fd);
}

static void a_readable_descriptor_cancels(void **state)
{
    (void)state;
    char url[64], version[8];
    struct apiclient *c;
    struct err err;
    int fd = silent_server(url, sizeof url);
    int cancel = eventfd(1, 0);
    const struct apiclient_config config = {
        .url = url, .timeout_ns = 100 * NS_PER_SEC, .cancel_fd = cancel};
    assert_int_equal(apiclient_new(&config, &c, &err), 0);
    assert_int_equal(apiclient_version(c, version, sizeof version, &err), APICLIENT_CANCELLED);
    assert_int_equal(apiclient_wait(c, 0, &err), APICLIENT_CANCELLED);
    apiclient_free(c);
    close(cancel);
    close(fd);
}

static void checks_the_url(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out; /* NULL = refused */
    } rows[] = {
        {"http://h:1", "http://h:1"},
        {"h:1/", "http://h:1"},
        {"h", "http://h:8474"},
        {"[::1]:9", "http://[::1]:9"},
        {"[::1]", "http://[::1]:8474"},
        {"https://h:1", NULL},
        {"http://h:1/x", NULL},
        {"", NULL},
        {"h:x9", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct apiclient *c = NULL;
        struct err err;
        const struct apiclient_config config = {.url = rows[i].in, .cancel_fd = -1};
        int rc = apiclient_new(&config, &c, &err);
        assert_int_equal(rc, rows[i].out ? 0 : -1);
        if (rows[i].out)
            assert_string_equal(apiclient_url(c), rows[i].out);
        apiclient_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_answers_at_every_split),
        cmocka_unit_test(drives_a_proxy),
        cmocka_unit_test(shows_toxics_with_every_attribute),
        cmocka_unit_test(sends_attributes_that_are_texts),
        cmocka_unit_test(keeps_errors_that_no_server_made),
        cmocka_unit_test(gives_up_in_time),
        cmocka_unit_test(a_readable_descriptor_cancels),
        cmocka_unit_test(checks_the_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
