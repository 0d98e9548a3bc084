#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""libmcmeta next to bare sockets and libmemcached: bench/client.py [rounds] [group...]

Starts a memcached, runs the driver (bench/client_bench.c), whose contestants take turns of some
milliseconds, and prints medians, and ratios of turns that followed each other with the middle half
of them as range. A ratio says more than a time: both sides had the same weather.
"""
import glob
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# What is promised: group, contestant, rival, what, the limit, and whether it is the least or most.
TARGETS = [
    ("get", "exclusive", "raw", "wall", 1.03, "most"),
    ("get", "shared", "raw", "wall", 1.03, "most"),
    ("get_16_threads", "shared", "own", "rate", 2.0, "least"),
    ("get_16_threads", "shared", "libmemcached_pool_8", "rate", 3.0, "least"),
    ("get_16_threads", "shared", "libmemcached_pool_16", "rate", 3.0, "least"),
    ("get_16_threads", "shared", "own", "server", 0.3, "most"),
    ("get_16_threads", "shared", "own", "cpu", 0.5, "most"),
    ("multi_get_100", "multi_get", "raw_classic", "wall", 1.1, "most"),
    ("set_1MB", "exclusive", "libmemcached", "wall", 0.75, "most"),
]


def find_driver():
    built = glob.glob(HERE + "/../build*/bench/client_bench")
    for path in [os.environ.get("CLIENT_BENCH", "")] + built:
        if path and os.access(path, os.X_OK):
            return path
    sys.exit("client.py: build/bench/client_bench is not built")


def start_server():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "2"]
    if os.getuid() == 0:
        command += ["-u", "root"]
    server = subprocess.Popen(command)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return server, port
        except OSError:
            time.sleep(0.02)
    server.kill()
    sys.exit("client.py: memcached does not answer")


def parse(lines):
    """{group: {contestant: [turn, ...]}}, in order."""
    groups = {}
    for line in lines:
        group, name, *numbers = line.split()
        operations, wall, client, server, calls, allocations = map(int, numbers)
        groups.setdefault(group, {}).setdefault(name, []).append({
            "wall": wall / max(operations, 1), "client": client / max(operations, 1),
            "server": server / max(operations, 1), "calls": calls / max(operations, 1),
            "allocations": allocations / max(operations, 1),
            "cpu": (client + server) / max(operations, 1),
            "rate": operations * 1e9 / max(wall, 1), "operations": operations})
    return groups


def quartiles(values):
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return ordered[quarter], statistics.median(ordered), ordered[-1 - quarter]


def print_group(group, contestants):
    print(f"\n{group}")
    print("  contestant             us/op  (best)  client us  server us"
          "  calls/op  allocs/op     op/s")
    for name, turns in contestants.items():
        middle = {what: statistics.median(turn[what] for turn in turns) for what in turns[0]}
        best = min(turn["wall"] for turn in turns)
        times = f"{middle['wall'] / 1e3:7.2f} {best / 1e3:8.2f} {middle['client'] / 1e3:9.2f}"
        counts = f"{middle['calls']:9.2f} {middle['allocations']:10.3f} {middle['rate']:9.0f}"
        print(f"  {name:21} {times} {middle['server'] / 1e3:10.2f} {counts}")


def print_target(groups, target):
    group, name, rival, what, limit, bound = target
    contestants = groups.get(group, {})
    if name not in contestants or rival not in contestants:
        return
    pairs = zip(contestants[name], contestants[rival])
    low, middle, high = quartiles([a[what] / b[what] for a, b in pairs])
    reached = middle <= limit if bound == "most" else middle >= limit
    print(f"  {group}: {name} / {rival}, {what}: {middle:.2f} ({low:.2f} to {high:.2f}),"
          f" wanted at {bound} {limit:g}: {'reached' if reached else 'MISSED'}")


def main():
    wanted = sys.argv[1:]
    rounds = wanted.pop(0) if wanted and wanted[0].isdigit() else "8"
    if shutil.which("memcached") is None:
        sys.exit("client.py: no memcached in PATH")
    server, port = start_server()
    try:
        output = subprocess.run([find_driver(), str(port), str(server.pid), rounds, *wanted],
                                check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    groups = parse(output.splitlines())
    idle = groups.pop("idle")["bytes_per_connection"][0]["operations"]
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for group, contestants in groups.items():
        print_group(group, contestants)
    print(f"\nmemory of an idle connection: {idle} bytes, wanted at most 600")
    print("ratios of neighbouring turns: median (middle half)")
    for target in TARGETS:
        print_target(groups, target)


if __name__ == "__main__":
    main()
