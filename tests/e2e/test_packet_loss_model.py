#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The packet_loss toxic against packets that are really lost.

In a network namespace of its own, nftables drops 5 % of the data segments that a server sends over
loopback; the delays of request/response exchanges are compared with those of the toxic, which runs
in virtual time (loss_model). Needs root, nftables, iproute2 and unshare; skipped elsewhere.

What is compared does not depend on a fast machine: shares of exchanges beyond thresholds that lie
far from what scheduling adds, within 4.5 standard deviations of a binomial, and quantiles of the
timeouts within 30 ms.

With --table it prints the distributions as a table for docs/toxics/packet_loss.md.
"""
import math
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

SKIP = 77
LOSS = 0.05
# Bytes of a response and exchanges: one segment, two, three.
CASES = ((100, 1500), (2800, 1500), (4300, 1500))
MODEL_COUNT = 200000
PORT = 7777
REQUEST = b"q" * 50
# Loopback takes a few dozen microseconds. Whether its sender believes a loss at once or after a
# timer, when one or two segments arrive behind it, hangs on single microseconds: the toxic knows
# the one case at a short round trip and the other at a longer one.
RTT_MS = 0.03
RTT_DOUBT_MS = 1
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
NFT_RULES = """
table inet loss {
  chain receive {
    type filter hook input priority 0;
    tcp sport %d meta length > 100 numgen random mod 100 < %d counter drop
  }
}
"""


def skip(reason):
    print("skipped: " + reason)
    sys.exit(SKIP)


def run(*argv, stdin=None):
    return subprocess.run(argv, input=stdin, text=True, capture_output=True, timeout=30,
                          check=False)


def enter_namespace(tools):
    """Starts this program again inside a new network namespace."""
    if os.geteuid() != 0:
        skip("needs root")
    for tool in tools:
        if not shutil.which(tool):
            skip("needs " + tool)
    if run("unshare", "-n", "true").returncode != 0:
        skip("may not create a network namespace")
    os.environ["LOSS_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable] + sys.argv)


def set_up(loss):
    # One segment is one packet: an Ethernet's MTU, and no large segments for a card to cut.
    up = run("ip", "link", "set", "lo", "up", "mtu", "1500", "gso_max_segs", "1")
    if up.returncode != 0:
        skip("cannot limit loopback to single segments: " + up.stderr.strip())
    rules = run("nft", "-f", "-", stdin=NFT_RULES % (PORT, round(loss * 100)))
    if rules.returncode != 0:
        skip("nftables cannot drop here: " + rules.stderr.strip())


def serve(listener, size):
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    response = b"r" * size
    with connection:
        while connection.recv(65536):
            connection.sendall(response)


def exchange(connection, size):
    start = time.monotonic()
    connection.sendall(REQUEST)
    got = 0
    while got < size:
        data = connection.recv(65536)
        if not data:
            raise EOFError("the server closed")
        got += len(data)
    return (time.monotonic() - start) * 1000


def measure(size, count, addresses=("127.0.0.1", "127.0.0.1")):
    """Milliseconds of each exchange on one connection, sorted.

    The server listens on the first address, the client connects to the second."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        listener.bind((addresses[0], PORT))
        listener.listen()
        server = threading.Thread(target=serve, args=(listener, size), daemon=True)
        server.start()
        with socket.create_connection((addresses[1], PORT)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(100)
            delays = sorted(exchange(connection, size) for _ in range(count))
        server.join(10)
    return delays


def model(program, size, rtt_ms):
    out = subprocess.run(
        [program, str(LOSS), str(rtt_ms), str(size), str(MODEL_COUNT), "1"],
        capture_output=True, text=True, check=True, timeout=60)
    return sorted(float(line) for line in out.stdout.split())


def share(delays, above):
    return sum(1 for d in delays if d > above) / len(delays)


def quantiles(delays, above):
    late = [d for d in delays if d > above]
    return [late[int(len(late) * q)] for q in QUANTILES] if late else []


class Check:
    def __init__(self):
        self.failures = 0

    def within(self, what, real, low, high):
        good = low <= real <= high
        self.failures += not good
        print("%-4s %-42s kernel %9.4f, expected %9.4f to %9.4f"
              % ("ok" if good else "BAD", what, real, low, high))


def spread(p, real, ours):
    """How far two measured shares of the same p may differ; rare events are not quite normal."""
    n, m = len(real), len(ours)
    return 4.5 * math.sqrt(max(p, 0.0005) * (1 - p) * (1 / n + 1 / m)) + 2 / n


def compare(check, size, real, ours, doubting, noise):
    # Delayed at all; noise is the share of the exchanges that are that late without any loss.
    low, high = share(ours, 3), share(doubting, 3)
    check.within("%d bytes: share above 3 ms" % size, share(real, 3),
                 low - spread(low, real, ours), high + spread(high, real, ours) + noise)
    for above in (100, 300):
        p = share(ours, above)
        check.within("%d bytes: share above %d ms" % (size, above), share(real, above),
                     p - spread(p, real, ours), p + spread(p, real, ours))
    if share(ours, 100) < 0.03:
        return
    # Timeouts: dozens of them, nearly all the first one. A noisy machine may add to each.
    for q, theirs, mine in zip(QUANTILES[:4], quantiles(real, 100), quantiles(ours, 100)):
        check.within("%d bytes: p%d of the timeouts, ms" % (size, q * 100), theirs,
                     mine - 5, mine + 30)


def table(size, real, ours):
    for name, delays in (("kernel", real), ("toxic", ours)):
        shares = " | ".join("%.2f %%" % (100 * share(delays, above)) for above in (3, 100, 300))
        marks = " | ".join("%.1f" % d for d in quantiles(delays, 3))
        print("| %d | %s | %s | %s |" % (size, name, shares, marks))


def main():
    if "LOSS_NAMESPACE" not in os.environ:
        enter_namespace(("unshare", "ip", "nft"))
    program = [a for a in sys.argv[1:] if not a.startswith("-")][0]
    set_up(0)
    noise = share(measure(CASES[0][0], CASES[0][1]), 3)
    run("nft", "flush", "ruleset")
    set_up(LOSS)
    check = Check()
    for size, count in CASES:
        real = measure(size, count)
        ours = model(program, size, RTT_MS)
        doubting = model(program, size, RTT_DOUBT_MS)
        if "--table" in sys.argv:
            table(size, real, ours)
        compare(check, size, real, ours, doubting, noise)
    sys.exit(1 if check.failures else 0)


if __name__ == "__main__":
    main()
