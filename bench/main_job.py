#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The main job, measured: the proxy hop, the rig's limits, and what each breaker preset reaches.

Direct and proxied runs alternate, so that a machine that changes its speed changes both. Figures
are medians over the rounds with the range behind them. ROUNDS=1 makes it quick; the default is 3.
"""
import json
import os
import statistics
import subprocess
import sys

MEMCHAOS = os.environ.get("MEMCHAOS", "build/memchaos")
ROUNDS = int(os.environ.get("ROUNDS", "3"))
FREE_PORTS = ("-api-port", "0", "-proxy-port", "0", "-quiet", "-json")


def run(*args):
    done = subprocess.run([MEMCHAOS, *FREE_PORTS, *args], stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        sys.exit(f"memchaos {' '.join(args)} ended with {done.returncode} and no result")
    return json.loads(done.stdout)["runs"][-1]


def spread(values, unit="", digits=3):
    def text(value):
        return "never" if value is None else f"{value:.{digits}g}"
    known = sorted(v for v in values if v is not None)
    if not known:
        return "never"
    middle = statistics.median(known)
    never = f", never {len(values) - len(known)}×" if len(known) < len(values) else ""
    return f"{text(middle)}{unit} ({text(known[0])}–{text(known[-1])}{never})"


def us(ns):
    return ns / 1e3


def hop():
    print("\n## The proxy hop: healthy, 100 workers, paced at 10 000 op/s\n")
    modes = {"direct": ("-direct",), "through the proxies": ()}
    figures = {mode: {"p50": [], "p99": [], "rate": []} for mode in modes}
    for _ in range(ROUNDS):
        for mode, flags in modes.items():
            result = run("-scenario", "healthy", "-duration", "5s", "-rate", "10000", *flags)
            figures[mode]["p50"].append(us(result["service"]["p50_ns"]))
            figures[mode]["p99"].append(us(result["service"]["p99_ns"]))
            length_s = (result["end_ns"] - result["start_ns"]) / 1e9
            figures[mode]["rate"].append(result["counts"]["succeeded"] / length_s)
    for mode, f in figures.items():
        print(f"{mode:20}  p50 {spread(f['p50'], ' us')}   p99 {spread(f['p99'], ' us')}   "
              f"{spread(f['rate'], ' op/s', 5)}")
    ratios = [b / a for a, b in zip(figures["direct"]["p50"],
                                    figures["through the proxies"]["p50"])]
    print(f"p50 through the proxies / direct, pair by pair: {spread(ratios)}")


def unpaced():
    print("\n## As fast as it goes, through the proxies (-rate 0)\n")
    for workers in ("100", "1000"):
        rates, p99 = [], []
        for _ in range(ROUNDS):
            result = run("-scenario", "healthy", "-duration", "5s", "-rate", "0", "-concurrency",
                         workers)
            length_s = (result["end_ns"] - result["start_ns"]) / 1e9
            rates.append(result["counts"]["succeeded"] / length_s)
            p99.append(us(result["service"]["p99_ns"]) / 1e3)
        print(f"{workers:>5} workers  {spread(rates, ' op/s', 5)}   p99 {spread(p99, ' ms')}")


def breakers():
    print("\n## Breaker presets: seconds from the start of the fault, and from its end\n")
    cases = (("node down", ("-scenario", "single-node-failure", "-duration", "20s")),
             ("replies dropped", ("-scenario", "toxiproxy-brief-packet-drop", "-duration", "15s")))
    for what, flags in cases:
        for preset in ("fast", "original"):
            opened, first, steady, goodput = [], [], [], []
            for _ in range(ROUNDS):
                result = run(*flags, "-breaker", preset)
                fault = result["faults"][0]

                def seconds(name, fault=fault):
                    return None if fault[name] is None else fault[name] / 1e9
                opened.append(seconds("breaker_open_after_start_ns"))
                first.append(seconds("first_success_after_end_ns"))
                steady.append(seconds("steady_after_end_ns"))
                phase = result["phases"][1]
                length_s = (phase["end_ns"] - phase["start_ns"]) / 1e9
                goodput.append(phase["counts"]["succeeded"] / length_s)
            print(f"{what:16} {preset:9} open {spread(opened)}   first success {spread(first)}   "
                  f"steady {spread(steady)}   goodput meanwhile {spread(goodput, ' op/s', 5)}")
    print("\nFalse alarms: breakers opened while no node was down (packet-loss, latency)\n")
    for scenario in ("packet-loss", "latency"):
        for preset in ("fast", "original"):
            opened = []
            for _ in range(ROUNDS):
                result = run("-scenario", scenario, "-duration", "10s", "-breaker", preset)
                opened.append(sum(t["to"] == "open" for t in result["transitions"]))
            print(f"{scenario:16} {preset:9} {spread(opened)}")


def main():
    print(f"# Main job, {ROUNDS} rounds, {os.cpu_count()} cores")
    hop()
    unpaced()
    breakers()


if __name__ == "__main__":
    main()
