/* SPDX-License-Identifier: MIT */
/* The controller against a real proxy server in this process; time is told, not waited for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proxy/server.h"
#include "scenario/controller.h"

#define SEC NS_PER_SEC

struct rig {
    struct proxy_server *server;
    struct apiclient *api;
    struct scenario scenario;
    struct plan plan;
    struct controller controller;
    ns_t start_ns;
    int begun, ended;
};

static const char *const proxies[] = {"a", "b"};

static void on_begin(void *arg, size_t fault, ns_t now)
{
    struct rig *rig = arg;
    (void)fault;
    (void)now;
    rig->begun++;
}

static void on_end(void *arg, size_t fault, ns_t now)
{
    struct rig *rig = arg;
    (void)fault;
    (void)now;
    rig->ended++;
}

static void rig_start(struct rig *rig, const char *steps)
{
    struct err err = {""};
    *rig = (struct rig){0};
    struct proxy_server_config server = {.host = "127.0.0.1"};
    assert_int_equal(proxy_server_start(&server, &rig->server, &err), 0);
    char url[64], text[1024];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)proxy_server_api_port(rig->server));
    struct apiclient_config api = {.url = url, .cancel_fd = -1};
    assert_int_equal(apiclient_new(&api, &rig->api, &err), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            apiclient_create(rig->api, proxies[i], "127.0.0.1:0", "127.0.0.1:1", NULL, &err), 0);
    snprintf(text, sizeof text,
             "name: t\ndescription: d\nphases: {baseline: 1s, fault: 4s, recovery: 1s}\n%s", steps);
    struct plan_config plan = {.node_count = 2, .seed = 1};
    if (scenario_parse("t", text, strlen(text), &rig->scenario, &err) != 0 ||
        plan_init(&rig->plan, &rig->scenario, &plan, &err) != 0)
        fail_msg("%s", err.text);
    rig->start_ns = ns_now();
    struct controller_config config = {
        .plan = &rig->plan,
        .env = {.api = rig->api, .proxies = proxies},
        .start_ns = rig->start_ns,
        .fault_begins = on_begin,
        .fault_ended = on_end,
        .arg = rig,
    };
    assert_int_equal(controller_init(&rig->controller, &config, &err), 0);
}

static void rig_stop(struct rig *rig)
{
    controller_deinit(&rig->controller);
    plan_deinit(&rig->plan);
    apiclient_free(rig->api);
    proxy_server_stop(rig->server);
}

static void advance(struct rig *rig, ns_t at)
{
    struct err err = {""};
    if (controller_advance(&rig->controller, rig->start_ns + at, SCENARIO_PHASES_MAX, &err) != 0)
        fail_msg("%s", err.text);
}

static struct apiclient_proxy proxy_of(struct rig *rig, const char *name)
{
    struct apiclient_proxy proxy;
    struct err err = {""};
    if (apiclient_get(rig->api, name, &proxy, &err) != APICLIENT_OK)
        fail_msg("%s", err.text);
    return proxy;
}

static void switches_toxics_on_and_off_at_their_times(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, "steps:\n- {target: node 2, toxic: latency, stream: both,\n"
                    "   attributes: {latency: 5}, at: 1s, for: 500ms, every: 1s}\n");
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(controller_deadline(&rig.controller), rig.start_ns + (2 + turn) * SEC);
        advance(&rig, (2 + turn) * SEC - 1);
        assert_int_equal(proxy_of(&rig, "b").toxic_count, 0);
        advance(&rig, (2 + turn) * SEC);
        assert_int_equal(proxy_of(&rig, "b").toxic_count, 2);
        assert_int_equal(proxy_of(&rig, "a").toxic_count, 0);
        assert_int_equal(rig.begun, 1);
        assert_int_equal(rig.ended, 0);
        advance(&rig, (2 + turn) * SEC + SEC / 2);
        assert_int_equal(proxy_of(&rig, "b").toxic_count, 0);
    }
    assert_int_equal(rig.ended, 1);
    assert_int_equal(controller_deadline(&rig.controller), NS_NEVER);
    assert_true(rig.controller.faults[0].fault.victims.counted);
    rig_stop(&rig);
}

static double latency_of(struct rig *rig, size_t *count)
{
    struct apiclient_toxic_view toxics[4];
    struct err err = {""};
    assert_int_equal(apiclient_toxics(rig->api, "a", toxics, 4, count, &err), APICLIENT_OK);
    for (size_t i = 0; *count > 0 && i < toxics[0].attribute_count; i++)
        if (strcmp(toxics[0].attributes[i].name, "latency") == 0)
            return toxics[0].attributes[i].number;
    return -1;
}

static void a_ramp_updates_the_toxic_and_begins_anew_each_time(void **state)
{
    (void)state;
    struct rig rig;
    size_t count;
    rig_start(&rig, "steps:\n- {target: node 1, toxic: latency, for: 1s, every: 2s,\n"
                    "   attributes: {latency: {from: 0, to: 30, steps: 4}}}\n");
    for (int turn = 0; turn < 2; turn++) {
        for (int step = 0; step < 4; step++) {
            advance(&rig, (1 + 2 * turn) * SEC + step * SEC / 4);
            assert_true(latency_of(&rig, &count) == 10 * step);
            assert_int_equal(count, 1);
        }
        assert_int_equal(rig.ended, 0);
        advance(&rig, (2 + 2 * turn) * SEC);
        latency_of(&rig, &count);
        assert_int_equal(count, 0);
    }
    assert_int_equal(rig.begun, 1);
    assert_int_equal(rig.ended, 1);
    rig_stop(&rig);
}

static void an_event_waits_for_its_phase(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = {""};
    rig_start(&rig, "steps:\n- {target: node 1, proxy: down}\n");
    assert_int_equal(controller_advance(&rig.controller, rig.start_ns + SEC, 0, &err), 0);
    assert_true(proxy_of(&rig, "a").enabled);
    assert_int_equal(controller_advance(&rig.controller, rig.start_ns + SEC, 1, &err), 0);
    assert_false(proxy_of(&rig, "a").enabled);
    rig_stop(&rig);
}

static void undo_takes_off_what_is_on_and_only_once(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = {""};
    rig_start(&rig, "steps:\n- {target: node 1, proxy: down}\n- {target: all, toxic: noop}\n");
    advance(&rig, 1 * SEC);
    assert_false(proxy_of(&rig, "a").enabled);
    assert_int_equal(proxy_of(&rig, "b").toxic_count, 1);
    assert_int_equal(controller_undo(&rig.controller, &err), 0);
    assert_true(proxy_of(&rig, "a").enabled);
    assert_int_equal(proxy_of(&rig, "a").toxic_count, 0);
    assert_int_equal(proxy_of(&rig, "b").toxic_count, 0);
    assert_int_equal(rig.ended, 3);
    assert_int_equal(controller_undo(&rig.controller, &err), 0);
    assert_int_equal(rig.ended, 3);
    rig_stop(&rig);
}

static void what_the_proxy_refuses_is_told_and_undone(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = {""};
    rig_start(&rig, "steps:\n- {target: node 1, toxic: noop, stream: both}\n");
    const struct apiclient_toxic taken = {
        .name = "memchaos_1_downstream", .type = "noop", .toxicity = 1};
    assert_int_equal(apiclient_toxic_add(rig.api, "a", &taken, &err), APICLIENT_OK);
    assert_int_equal(controller_advance(&rig.controller, rig.start_ns + SEC, 1, &err), -1);
    assert_non_null(strstr(err.text, "node 1"));
    assert_non_null(strstr(err.text, "exists"));
    assert_int_equal(controller_undo(&rig.controller, &err), 0);
    assert_int_equal(proxy_of(&rig, "a").toxic_count, 0);
    rig_stop(&rig);
}

static void undo_goes_on_after_an_error(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = {""};
    rig_start(&rig, "steps:\n- {target: node 1, proxy: down}\n- {target: node 2, toxic: noop}\n");
    advance(&rig, 1 * SEC);
    assert_int_equal(apiclient_delete(rig.api, "a", &err), APICLIENT_OK);
    assert_int_equal(controller_undo(&rig.controller, &err), -1);
    assert_non_null(strstr(err.text, "node 1"));
    assert_int_equal(proxy_of(&rig, "b").toxic_count, 0);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(switches_toxics_on_and_off_at_their_times),
        cmocka_unit_test(a_ramp_updates_the_toxic_and_begins_anew_each_time),
        cmocka_unit_test(an_event_waits_for_its_phase),
        cmocka_unit_test(undo_takes_off_what_is_on_and_only_once),
        cmocka_unit_test(what_the_proxy_refuses_is_told_and_undone),
        cmocka_unit_test(undo_goes_on_after_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
