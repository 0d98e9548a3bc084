/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "metrics/sockets.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void reads_what_the_kernel_prints(void **state)
{
    (void)state;
    struct sockets_peer peer;
    uint64_t inode;
    /* 127.0.0.1:11211 as a little-endian machine prints it. */
    uint32_t loopback = htonl(INADDR_LOOPBACK);
    char line[256];
    snprintf(line, sizeof(line),
             "   3: 0100007F:BD2A %08X:2BCB 01 00000000:00000000 00:00000000 00000000     0        "
             "0 4711 1 0000000000000000 20 4 30 10 -1",
             loopback);
    assert_true(sockets_parse_line(line, false, &peer, &inode));
    assert_int_equal(inode, 4711);
    assert_int_equal(peer.port, 11211);
    assert_memory_equal(peer.address, "\x7f\0\0\x01", 4);
    snprintf(line, sizeof(line),
             "   0: 00000000000000000000000001000000:1F90 0000000000000000%08X%08X:2BCB 01 "
             "00000000:00000000 00:00000000 00000000  1000        0 815 1 0000000000000000",
             htonl(0xffff), loopback);
    assert_true(sockets_parse_line(line, true, &peer, &inode));
    assert_int_equal(inode, 815);
    assert_false(peer.is_v6); /* ::ffff:127.0.0.1 */
    assert_memory_equal(peer.address, "\x7f\0\0\x01", 4);
    static const char head[] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when";
    assert_false(sockets_parse_line(head, false, &peer, &inode));
    assert_false(sockets_parse_line("", true, &peer, &inode));
}

static int listener(char *address, size_t size)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &length), 0);
    snprintf(address, size, "127.0.0.1:%u", ntohs(in.sin_port));
    return fd;
}

static int connected(int listening)
{
    struct sockaddr_in in;
    socklen_t length = sizeof(in);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&in, &length), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, length), 0);
    return fd;
}

static void counts_our_connections_to_the_peers_and_no_others(void **state)
{
    (void)state;
    static struct sockets_peers peers;
    char address[64], other[64];
    struct err err = {""};
    int watched = listener(address, sizeof(address)), elsewhere = listener(other, sizeof(other));
    peers.count = 0;
    assert_int_equal(sockets_peers_add(&peers, address, &err), 0);
    assert_int_equal(sockets_count(&peers, &err), 0);
    int first = connected(watched), second = connected(watched), third = connected(elsewhere);
    assert_int_equal(sockets_count(&peers, &err), 2);
    /* The accepted end has its peer elsewhere, and is not counted. */
    int accepted = accept(watched, NULL, NULL);
    assert_int_equal(sockets_count(&peers, &err), 2);
    close(first);
    assert_int_equal(sockets_count(&peers, &err), 1);
    close(accepted); /* the peer has closed, ours is still there */
    assert_int_equal(sockets_count(&peers, &err), 1);
    close(second);
    assert_int_equal(sockets_count(&peers, &err), 0);
    close(third);
    close(watched);
    close(elsewhere);
}

static void addresses_without_a_port_are_refused(void **state)
{
    (void)state;
    static struct sockets_peers peers;
    struct err err = {""};
    peers.count = 0;
    assert_int_equal(sockets_peers_add(&peers, "[::1]:11211", &err), 0);
    assert_true(peers.list[0].is_v6 && peers.list[0].port == 11211);
    assert_int_equal(peers.list[0].address[15], 1);
    assert_int_equal(sockets_peers_add(&peers, "nowhere", &err), -1);
    assert_non_null(strstr(err.text, "nowhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_the_kernel_prints),
        cmocka_unit_test(counts_our_connections_to_the_peers_and_no_others),
        cmocka_unit_test(addresses_without_a_port_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
