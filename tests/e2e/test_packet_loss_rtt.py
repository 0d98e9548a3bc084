#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The packet_loss toxic against packets that are really lost on a path with a round trip of 1 ms.

As test_packet_loss_model.py, but the path is a tun device: this program takes each packet out,
drops it or holds it for half a round trip, and puts it back with the two addresses swapped, so that
one kernel is both ends. Needs root, iproute2, unshare and /dev/net/tun; skipped elsewhere.
"""
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

import test_packet_loss_model as loss

RTT_MS = 1
CASES = ((100, 1000), (2800, 1000))
NEAR, FAR = "10.0.0.1", "10.0.0.2"
DATA_BYTES_MIN = 100
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
LATE_MS = (3, 100, 300)


def open_path():
    try:
        path = os.open("/dev/net/tun", os.O_RDWR)
        request = struct.pack("16sH22x", b"path", IFF_TUN | IFF_NO_PI)
        fcntl.ioctl(path, TUNSETIFF, request)
    except OSError as error:
        loss.skip("no tun device: %s" % error)
    for command in ("ip link set lo up", "ip addr add %s/24 dev path" % NEAR,
                    "ip link set path up mtu 1500"):
        result = loss.run(*command.split())
        if result.returncode != 0:
            loss.skip(command + ": " + result.stderr.strip())
    return path


def is_data(packet):
    return struct.unpack("!H", packet[20:22])[0] == loss.PORT and len(packet) > DATA_BYTES_MIN


def carry(path, loss_rate):
    """Is the network, for ever."""
    dice = random.Random(1)
    waiting = []
    count = 0
    while True:
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(path, heapq.heappop(waiting)[2])
        # The last moments are waited for awake: a round trip is short.
        left = waiting[0][0] - time.monotonic() - 0.0002 if waiting else 1
        if not select.select([path], [], [], max(left, 0))[0]:
            continue
        packet = os.read(path, 2000)
        is_tcp = packet[0] >> 4 == 4 and packet[9] == 6
        if not is_tcp or (is_data(packet) and dice.random() < loss_rate):
            continue
        # The sums of the headers do not change when the addresses change places.
        swapped = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
        count += 1
        heapq.heappush(waiting, (time.monotonic() + RTT_MS / 2000, count, swapped))


def measure(path, loss_rate, size, count):
    """What each exchange took longer than one without loss, in milliseconds, sorted."""
    network = os.fork()
    if network == 0:
        carry(path, loss_rate)
    try:
        delays = loss.measure(size, count, (NEAR, FAR))
    finally:
        os.kill(network, 9)
        os.waitpid(network, 0)
    normal = delays[count // 4]
    return [d - normal for d in delays]


def main():
    if "LOSS_NAMESPACE" not in os.environ:
        loss.enter_namespace(("unshare", "ip"))
    program = [a for a in sys.argv[1:] if not a.startswith("-")][0]
    path = open_path()
    quiet = measure(path, 0, CASES[0][0], CASES[0][1])
    check = loss.Check()
    for size, count in CASES:
        real = measure(path, loss.LOSS, size, count)
        ours = loss.model(program, size, RTT_MS)
        if "--table" in sys.argv:
            loss.table(size, real, ours)
        for above in LATE_MS:
            p = loss.share(ours, above)
            slack = loss.spread(p, real, ours)
            check.within("%d bytes: share above %d ms" % (size, above), loss.share(real, above),
                         p - slack, p + slack + loss.share(quiet, above))
    sys.exit(1 if check.failures else 0)


if __name__ == "__main__":
    main()
