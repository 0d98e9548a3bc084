/* SPDX-License-Identifier: MIT */
/* The dead man's switch against a real proxy server. It is started before there are threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/apiclient.h"
#include "proxy/server.h"
#include "scenario/watchdog.h"

#define FAR (3600 * NS_PER_SEC)

struct rig {
    struct watchdog *watchdog;
    struct proxy_server *server;
    struct apiclient *api;
};

static void rig_start(struct rig *rig, bool foreign)
{
    struct err err = {""};
    char url[64];
    assert_int_equal(watchdog_start(&rig->watchdog, &err), 0);
    struct proxy_server_config server = {.host = "127.0.0.1"};
    assert_int_equal(proxy_server_start(&server, &rig->server, &err), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)proxy_server_api_port(rig->server));
    struct apiclient_config api = {.url = url, .cancel_fd = -1};
    assert_int_equal(apiclient_new(&api, &rig->api, &err), 0);
    watchdog_server(rig->watchdog, url, foreign);
    static const char *const proxies[] = {"made", "other"};
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            apiclient_create(rig->api, proxies[i], "127.0.0.1:0", "127.0.0.1:1", NULL, &err), 0);
    watchdog_proxy(rig->watchdog, "made", true);
    watchdog_proxy(rig->watchdog, "other", true);
    watchdog_proxy(rig->watchdog, "other", false);
}

static void rig_stop(struct rig *rig)
{
    apiclient_free(rig->api);
    proxy_server_stop(rig->server);
}

static struct watchdog_order toxic_on(struct rig *rig, const char *proxy, const char *name)
{
    struct err err = {""};
    const struct apiclient_toxic toxic = {.name = name, .type = "noop", .toxicity = 1};
    struct watchdog_order order = {.kind = WATCHDOG_TOXICS};
    snprintf(order.proxy, sizeof order.proxy, "%s", proxy);
    snprintf(order.toxics[1], sizeof order.toxics[1], "%s", name);
    if (apiclient_toxic_add(rig->api, proxy, &toxic, &err) != APICLIENT_OK)
        fail_msg("%s", err.text);
    return order;
}

static struct apiclient_proxy proxy_of(struct rig *rig, const char *name)
{
    struct apiclient_proxy proxy = {.name = ""};
    apiclient_get(rig->api, name, &proxy, NULL);
    return proxy;
}

static void the_end_of_the_parent_cleans_a_foreign_server(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, true);
    struct watchdog_order mine = toxic_on(&rig, "other", "a"), off = {.kind = WATCHDOG_NOTHING};
    toxic_on(&rig, "other", "b");
    off = toxic_on(&rig, "other", "c");
    watchdog_arm(rig.watchdog, 0, ns_now() + FAR, &mine);
    watchdog_arm(rig.watchdog, 1, ns_now() + FAR, &off);
    watchdog_disarm(rig.watchdog, 1);
    watchdog_stop(rig.watchdog); /* what the child sees is the same when we are killed */
    assert_string_equal(proxy_of(&rig, "made").name, "");
    assert_int_equal(proxy_of(&rig, "other").toxic_count, 2);
    rig_stop(&rig);
}

static void a_proxy_that_was_disabled_is_enabled_again(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = {""};
    rig_start(&rig, true);
    struct watchdog_order order = {.kind = WATCHDOG_PROXY, .proxy = "other"};
    watchdog_arm(rig.watchdog, 255, ns_now() + FAR, &order);
    assert_int_equal(apiclient_set_enabled(rig.api, "other", false, &err), APICLIENT_OK);
    watchdog_stop(rig.watchdog);
    assert_true(proxy_of(&rig, "other").enabled);
    rig_stop(&rig);
}

static void an_own_server_is_left_alone(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, false);
    watchdog_stop(rig.watchdog);
    assert_string_equal(proxy_of(&rig, "made").name, "made");
    rig_stop(&rig);
}

static void an_overdue_fault_is_undone_while_the_parent_lives(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, false);
    struct watchdog_order overdue = toxic_on(&rig, "other", "a");
    struct watchdog_order later = toxic_on(&rig, "other", "b");
    watchdog_arm(rig.watchdog, 1, ns_now() + FAR, &later);
    watchdog_arm(rig.watchdog, 0, ns_now(), &overdue);
    for (int i = 0; i < 5000 && proxy_of(&rig, "other").toxic_count > 1; i++)
        usleep(2000);
    assert_int_equal(proxy_of(&rig, "other").toxic_count, 1);
    watchdog_stop(rig.watchdog);
    rig_stop(&rig);
}

static void an_overdue_paused_process_goes_on(void **state)
{
    (void)state;
    struct watchdog *watchdog;
    struct err err = {""};
    assert_int_equal(watchdog_start(&watchdog, &err), 0);
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(7);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    struct watchdog_order order = {.kind = WATCHDOG_PROCESS, .pid = pid};
    watchdog_arm(watchdog, 3, ns_now(), &order);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    watchdog_stop(watchdog);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_the_parent_cleans_a_foreign_server),
        cmocka_unit_test(a_proxy_that_was_disabled_is_enabled_again),
        cmocka_unit_test(an_own_server_is_left_alone),
        cmocka_unit_test(an_overdue_fault_is_undone_while_the_parent_lives),
        cmocka_unit_test(an_overdue_paused_process_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
