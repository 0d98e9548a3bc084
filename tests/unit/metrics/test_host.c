/* SPDX-License-Identifier: MIT */
#include "metrics/host.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "metrics/host_reader.h"

#define TICK (10 * NS_PER_MS)

static const char stat_text[] = "cpu  1000 20 300 5000 400 10 20 50 7 0\n"
                                "cpu0 500 10 150 2500 200 5 10 25 7 0\n"
                                "intr 12345 0 1\n";

static const char dev_text[] =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
    "    lo: 9000     10    0    0    0     0          0         0     9000      10    0    0\n"
    "  eth0: 1000      5    0    0    0     0          0         0      200       4    0    0\n"
    "wlan0:123 5 0 0 0 0 0 0 77 4 0 0\n";

static const char snmp_text[] =
    "Ip: Forwarding DefaultTTL\nIp: 1 64\n"
    "Tcp: RtoAlgorithm ActiveOpens CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts\n"
    "Tcp: 1 30 4 5000 6000 17 0 3\n"
    "Udp: InDatagrams\nUdp: 5\n";

static const char netstat_text[] = "TcpExt: SyncookiesSent ListenOverflows ListenDrops Lost\n"
                                   "TcpExt: 0 4 6 9\n"
                                   "IpExt: InNoRoutes\nIpExt: 0\n";

static const char psi_text[] = "some avg10=1.53 avg60=2.00 avg300=0.10 total=2500\n"
                               "full avg10=0.00 avg60=0.00 avg300=0.00 total=11\n";

static const char process_text[] =
    "77 (a ) b (c) S 1 77 77 0 -1 4194304 92 0 0 0 250 50 0 0 20 0 3 0 4242 8192000 300 1844\n";

static void reads_the_files_of_proc(void **state)
{
    (void)state;
    struct host_sample s = host_sample_unknown(5);
    host_parse_stat(stat_text, TICK, &s);
    assert_int_equal(s.cpu_ns, 6800 * TICK);
    assert_int_equal(s.cpu_busy_ns, 1400 * TICK);
    assert_int_equal(s.cpu_steal_ns, 50 * TICK);
    host_parse_meminfo("MemTotal:        8000 kB\nMemFree: 1 kB\nMemAvailable:    3000 kB\n", &s);
    assert_int_equal(s.memory_bytes, 8000 * 1024);
    assert_int_equal(s.memory_available_bytes, 3000 * 1024);
    host_parse_net_dev(dev_text, &s);
    assert_int_equal(s.loopback_bytes, 9000);
    assert_int_equal(s.received_bytes, 1123);
    assert_int_equal(s.sent_bytes, 277);
    host_parse_net_tcp(snmp_text, &s);
    host_parse_net_tcp(netstat_text, &s);
    assert_int_equal(s.tcp_segments, 6000);
    assert_int_equal(s.tcp_retransmits, 17);
    assert_int_equal(s.tcp_accept_drops, 6);
    host_parse_pressure(psi_text, HOST_MEMORY, &s);
    assert_int_equal(s.memory_pressure_ns, 2500 * NS_PER_US);
    assert_int_equal(s.cpu_pressure_ns, HOST_UNKNOWN);
    uint64_t cpu_ns, pages;
    assert_true(host_parse_process(process_text, TICK, &cpu_ns, &pages));
    assert_int_equal(cpu_ns, 300 * TICK);
    assert_int_equal(pages, 300);
}

static void what_is_missing_is_unknown_and_not_zero(void **state)
{
    (void)state;
    const char *const odd[] = {"",
                               "\n",
                               "cpu",
                               "cpu 1 2",
                               "Tcp:",
                               "Tcp: OutSegs\n",
                               "Tcp: a\nUdp: 1\n",
                               "some avg10=",
                               "12 (x",
                               "12 (x) S 1",
                               "::::\n::\n",
                               "eth0: 5"};
    const struct host_sample unknown = host_sample_unknown(0);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct host_sample s = host_sample_unknown(0);
        uint64_t cpu_ns, pages;
        host_parse_stat(odd[i], TICK, &s);
        host_parse_meminfo(odd[i], &s);
        host_parse_net_dev(odd[i], &s);
        host_parse_net_tcp(odd[i], &s);
        host_parse_pressure(odd[i], HOST_IO, &s);
        assert_false(host_parse_process(odd[i], TICK, &cpu_ns, &pages));
        assert_memory_equal(&s, &unknown, sizeof s);
    }
    struct host_sample s = host_read("/nonexistent", NULL, 0, 0);
    assert_memory_equal(&s, &unknown, sizeof s);
}

static void uses_are_differences_that_add_up(void **state)
{
    (void)state;
    struct host_sample s[3];
    for (int i = 0; i < 3; i++) {
        s[i] = host_sample_unknown(i * NS_PER_SEC);
        s[i].cpu_ns = (uint64_t)i * 2 * NS_PER_SEC;
        s[i].cpu_busy_ns = (uint64_t)i * NS_PER_SEC;
        s[i].cpu_pressure_ns = (uint64_t)i * NS_PER_SEC / 4;
        s[i].memory_available_bytes = 1000 - 100 * (uint64_t)i;
        s[i].generator_memory_bytes = i == 1 ? 900 : 500;
    }
    s[1].nodes_cpu_ns = 50;
    s[2].nodes_cpu_ns = 20; /* restarted */
    struct host_use a = host_use_between(&s[0], &s[1]), b = host_use_between(&s[1], &s[2]);
    assert_int_equal(a.nodes_cpu_ns, HOST_UNKNOWN);
    assert_int_equal(b.nodes_cpu_ns, 20);
    struct host_use all = host_use_none();
    host_use_add(&all, &a);
    host_use_add(&all, &b);
    assert_int_equal(all.length_ns, 2 * NS_PER_SEC);
    assert_true(host_share(all.cpu_busy_ns, all.cpu_ns) == 0.5);
    assert_true(host_pressure(&all, HOST_CPU) == 0.25);
    assert_true(isnan(host_pressure(&all, HOST_IO)));
    assert_true(isnan(host_share(0, 0)));
    assert_int_equal(all.nodes_cpu_ns, HOST_UNKNOWN);
    assert_int_equal(all.memory_available_min_bytes, 800);
    assert_int_equal(all.generator_memory_max_bytes, 900);
    assert_int_equal(all.memory_bytes, HOST_UNKNOWN);
}

static void this_machine_has_the_basic_figures(void **state)
{
    (void)state;
    pid_t nodes[] = {0, getpid()};
    struct host_sample s = host_read("/proc", nodes, 2, 0);
    assert_true(s.cpu_ns != HOST_UNKNOWN && s.cpu_busy_ns <= s.cpu_ns);
    assert_true(s.memory_available_bytes <= s.memory_bytes && s.memory_bytes != HOST_UNKNOWN);
    assert_true(s.generator_memory_bytes > 0 && s.generator_memory_bytes != HOST_UNKNOWN);
    assert_true(s.nodes_cpu_ns >= s.generator_cpu_ns && s.nodes_cpu_ns != HOST_UNKNOWN);
    assert_true(s.tcp_segments != HOST_UNKNOWN && s.tcp_accept_drops != HOST_UNKNOWN);
    s = host_read("/proc", NULL, 0, 0);
    assert_int_equal(s.nodes_cpu_ns, HOST_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_files_of_proc),
        cmocka_unit_test(what_is_missing_is_unknown_and_not_zero),
        cmocka_unit_test(uses_are_differences_that_add_up),
        cmocka_unit_test(this_machine_has_the_basic_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
