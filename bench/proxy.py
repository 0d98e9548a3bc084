#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The proxy against HAProxy, nginx and socat: what a hop costs, and how exact the toxics are.

All contestants run at the same time and are measured in turn, ROUNDS times (default 3), so that a
machine that changes its speed changes all of them. Figures are medians with the range behind them;
ratios are taken round by round against HAProxy. CPU is what the kernel charged to the proxy's own
threads, so load beside it moves the times but hardly the ratios.

    bench/proxy.py [ops] [churn] [bulk] [idle] [accuracy] [threads]    (default: all)
"""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
MEMCHAOS = os.path.abspath(os.environ.get("MEMCHAOS", "build/memchaos"))
NETLOAD = os.environ.get("NETLOAD", os.path.join(os.path.dirname(MEMCHAOS), "bench", "netload"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = float(os.environ.get("SECONDS", "1"))
THREADS = os.environ.get("THREADS", "1")
IDLE = 1000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid):
    """A process and its children."""
    pids = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
            pids += [int(p) for p in f.read().split()]
    return pids


def cpu_seconds(pid):
    """CPU of a process's threads, and of the children that it had for connections now closed."""
    for _ in range(100):
        if len(tree(pid)) == 1:
            break
        time.sleep(0.02)
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        children = [int(n) for n in f.read().rsplit(")", 1)[1].split()[13:15]]
    return total / 1e9 + sum(children) / os.sysconf("SC_CLK_TCK")


def memory_kib(pid):
    total = 0
    for p in tree(pid):
        with open(f"/proc/{p}/smaps_rollup", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total


class Contestant:
    """A running proxy (or none, for the direct way) in front of the server."""

    def __init__(self, name, port, process=None, series=None):
        self.name, self.port, self.process = name, port, process
        self.figures = series if series is not None else {}

    def note(self, what, value):
        self.figures.setdefault(what, []).append(value)


class Ours:
    """memchaos proxy with one proxy per way of use."""

    def __init__(self, server_port, threads=THREADS):
        self.api = free_port()
        flags = ["-threads", threads] if threads != "1" else []
        env = dict(os.environ, LOG_LEVEL="")
        self.process = subprocess.Popen([MEMCHAOS, "proxy", "-port", str(self.api), *flags],
                                        stdout=subprocess.DEVNULL, env=env)
        self.upstream = f"127.0.0.1:{server_port}"

    def call(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.api}{path}",
                                         json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def proxy(self, name, *toxics):
        made = self.call("/proxies", {"name": name, "listen": "127.0.0.1:0",
                                      "upstream": self.upstream})
        for stream, kind, attributes in toxics:
            self.call(f"/proxies/{name}/toxics", {"type": kind, "stream": stream,
                                                  "attributes": attributes})
        return int(made["listen"].rsplit(":", 1)[1])


HAPROXY = """global
    nbthread 1
    maxconn 5000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen bench
    bind 127.0.0.1:{port}
    {options}
    server one 127.0.0.1:{server}
"""
NGINX = """{module}
daemon off;
master_process off;
worker_rlimit_nofile 20000;
error_log {folder}/nginx.log crit;
pid {folder}/nginx.pid;
events {{ worker_connections 10000; }}
stream {{
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        tcp_nodelay on;
        proxy_pass 127.0.0.1:{server};
    }}
}}
"""


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def start_haproxy(folder, server, port, options=""):
    config = write(f"{folder}/haproxy{port}.cfg",
                   HAPROXY.format(port=port, server=server, options=options))
    return ["haproxy", "-q", "-db", "-f", config]


def start_nginx(folder, server, port):
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    load = f"load_module {module};" if os.path.exists(module) else ""
    config = write(f"{folder}/nginx.conf",
                   NGINX.format(module=load, folder=folder, port=port, server=server))
    return ["nginx", "-p", folder, "-c", config]


def start_socat(_folder, server, port):
    return ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,backlog=1024,nodelay",
            f"TCP:127.0.0.1:{server},nodelay"]


OTHERS = {
    "haproxy": ("haproxy", start_haproxy),
    "haproxy splice": ("haproxy", lambda *a: start_haproxy(*a, "option splice-auto")),
    "nginx stream": ("nginx", start_nginx),
    "socat": ("socat", start_socat),
}


def wait_for_port(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def load(*args):
    done = subprocess.run([NETLOAD, *[str(a) for a in args]], stdout=subprocess.PIPE,
                          check=False, timeout=60)
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)


def measured(contestant, mode, *args):
    """Runs a load and returns its result with the CPU time that the proxy took for it."""
    pid = contestant.process.pid if contestant.process else None
    before = cpu_seconds(pid) if pid else 0
    result = load(mode, contestant.port, *args)
    if result is None:
        return None, 0
    return result, (cpu_seconds(pid) if pid else 0) - before


def measure_ops(c):
    result, cpu = measured(c, "ops", 100, SECONDS)
    if result:
        c.note("op/s", result["count"] / result["seconds"])
        if c.process:
            c.note("us/op", cpu * 1e6 / result["count"])


def measure_churn(c):
    result, cpu = measured(c, "churn", 20, SECONDS)
    if result:
        c.note("conn/s", result["count"] / result["seconds"])
        if c.process:
            c.note("us/conn", cpu * 1e6 / result["count"])


def measure_bulk(c):
    result, cpu = measured(c, "bulk", 1, SECONDS)
    if result:
        c.note("Gbit/s", result["bytes"] * 8e-9 / result["seconds"])
        if c.process:
            c.note("cpu-s/GB", cpu * 1e9 / result["bytes"])


def measure_syscalls(c):
    """System calls per operation, where perf may count them."""
    if not c.process or not shutil.which("perf"):
        return
    client = subprocess.Popen([NETLOAD, "ops", str(c.port), "100", "1"], stdout=subprocess.PIPE)
    time.sleep(0.3)
    pids = ",".join(str(p) for p in tree(c.process.pid))
    done = subprocess.run(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", pids,
                           "--", "sleep", "0.4"], stderr=subprocess.PIPE, check=False, text=True)
    result = json.loads(client.communicate(timeout=20)[0])
    count = done.stderr.split(",")[0]
    if count.isdigit():
        c.note("syscalls/op", int(count) / (result["count"] / result["seconds"] * 0.4))


def measure_idle(c):
    """Memory per connection that was used once; the first ones fill pools and do not count."""
    held = []
    sizes = []
    for count in (100, IDLE):
        client = subprocess.Popen([NETLOAD, "idle", str(c.port), str(count)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        client.stdout.readline()
        held.append(client)
        sizes.append(memory_kib(c.process.pid))
    for client in held:
        client.stdin.close()
        client.wait(20)
    c.note("KiB/conn", (sizes[1] - sizes[0]) / IDLE)


def text(values, digits=3):
    def number(value):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"
    if not values:
        return "-"
    return f"{number(statistics.median(values))} ({number(min(values))}–{number(max(values))})"


def table(contestants, columns):
    print(f"{'':18}" + "".join(f"{what:>24}{'× haproxy':>12}" for what in columns))
    reference = next((c for c in contestants if c.name == "haproxy"), None)
    for c in contestants:
        line = f"{c.name:18}"
        for what in columns:
            values = c.figures.get(what, [])
            ratio = "-"
            if reference and values and reference.figures.get(what):
                pairs = zip(values, reference.figures[what])
                ratio = f"{statistics.median(a / b for a, b in pairs if b > 0):.2f}"
            line += f"{text(values):>24}{ratio:>12}"
        print(line)


def rounds(contestants, measure, count=ROUNDS):
    for turn in range(count):
        # There and back, so that nobody always comes first.
        for c in contestants if turn % 2 == 0 else reversed(contestants):
            measure(c)


def accuracy(ours):
    print("\n## Accuracy of the toxics\n")
    plain = ours.proxy("plain")
    slow = ours.proxy("slow", ("downstream", "latency", {"latency": 5}))
    line = ours.proxy("line", ("downstream", "bandwidth", {"rate": 100000}))
    figures = {}
    for _ in range(ROUNDS):
        for name, got, less in (("a timer of this machine", load("timer", 0, 200), 0),
                                ("a hop without toxics", load("ops", plain, 1, 0.5), 0),
                                ("latency 5 ms", load("ops", slow, 1, 2), 5000)):
            figures.setdefault((name, less), []).append(got)
        result = load("bulk", line, 1, 1)
        figures.setdefault("rate", []).append(result["bytes"] / result["seconds"] / 1e6)
    rates = figures.pop("rate")
    print(f"{'µs late':26}{'p50':>24}{'p99':>24}")
    for (name, less), got in figures.items():
        columns = [text([g[p] - less for g in got]) for p in ("p50_us", "p99_us")]
        print(f"{name:26}{columns[0]:>24}{columns[1]:>24}")
    print(f"bandwidth 100000 KB/s: {text(rates, 5)} MB/s")


def idle(server, others):
    """A process of its own for each row: freed memory of other work would hide what is taken."""
    ours = []
    contestants = []
    for name, attributes in (("memchaos", None), ("memchaos lat. 0", {"latency": 0})):
        ours.append(Ours(server))
        wait_for_port(ours[-1].api)
        toxics = [(way, "latency", attributes) for way in ("upstream", "downstream")]
        port = ours[-1].proxy("idle", *(toxics if attributes else []))
        contestants.append(Contestant(name, port, ours[-1].process))
    contestants += others
    rounds(contestants, measure_idle, 1)
    table(contestants, ("KiB/conn",))
    for each in ours:
        each.process.terminate()
        each.process.wait(10)


def measure_streams(c):
    result, cpu = measured(c, "bulk", 8, SECONDS)
    if result:
        c.note("MB/s", result["bytes"] * 1e-6 / result["seconds"])
        c.note("cpu-s/GB", cpu * 1e9 / result["bytes"])


def threads(server):
    """-threads 2 against -threads 1, in turn. Load generator and server run on the same cores."""
    print(f"\n## Two threads against one, {os.cpu_count()} cores with the load generator on them\n")
    plain, sliced = [], []
    for count in ("1", "2"):
        ours = Ours(server, count)
        wait_for_port(ours.api)
        plain.append(Contestant(count, ours.proxy("bench"), ours.process))
        # A write for each 100 bytes: here the proxy has most of the work.
        port = ours.proxy("slices", ("downstream", "slicer", {"average_size": 100}))
        sliced.append(Contestant(count, port, ours.process))
    for measure in (measure_ops, measure_churn, measure_streams):
        rounds(plain, measure)
    rounds(sliced, measure_streams)
    print(f"{'':34}{'one':>24}{'two':>24}{'two / one':>22}")
    for way, what, words in (
            (plain, "op/s", "op/s, 100 connections"), (plain, "us/op", "µs CPU per operation"),
            (plain, "conn/s", "new connections/s"), (plain, "us/conn", "µs CPU per connection"),
            (plain, "MB/s", "MB/s, 8 streams"), (plain, "cpu-s/GB", "CPU-s per GB"),
            (sliced, "MB/s", "MB/s, 8 streams in slices"), (sliced, "cpu-s/GB", "CPU-s per GB")):
        one, two = (c.figures[what] for c in way)
        pairs = [b / a for a, b in zip(one, two)]
        print(f"{words:34}{text(one):>24}{text(two):>24}{text(pairs):>22}")
    for each in plain:
        each.process.terminate()
        each.process.wait(10)


def make_contestants(folder, server, ours):
    plain = Contestant("memchaos", ours.proxy("bench"), ours.process)
    idle = Contestant("memchaos lat. 0",
                      ours.proxy("zero", ("upstream", "latency", {"latency": 0}),
                                 ("downstream", "latency", {"latency": 0})), ours.process)
    contestants = [Contestant("direct", server), plain, idle]
    missing = []
    for name, (program, start) in OTHERS.items():
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin"):
            missing.append(program)
            continue
        port = free_port()
        env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin")
        process = subprocess.Popen(start(folder, server, port), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=env)
        contestants.append(Contestant(name, port, process))
        wait_for_port(port)
    if missing:
        print(f"not installed, so not compared: {', '.join(sorted(set(missing)))}")
    return contestants


def run(what, folder, server, ours):
    contestants = make_contestants(folder, server, ours)
    names = {c.name: c for c in contestants}
    small = [c for c in contestants if c.name != "haproxy splice"]
    if "idle" in what:
        # First of all, while the others are fresh, too.
        print(f"\n## Memory of {IDLE} idle connections\n")
        idle(server, [c for c in small if c.name in ("haproxy", "nginx stream")])
    if "ops" in what:
        print("\n## 32-byte requests, 100 connections\n")
        rounds(small, measure_ops)
        rounds(small, measure_syscalls, 1)
        table(small, ("us/op", "syscalls/op", "op/s"))
        zero, plain = names["memchaos lat. 0"].figures, names["memchaos"].figures
        pairs = [a / b for a, b in zip(zero["us/op"], plain["us/op"])]
        print(f"latency 0 both ways / no toxic: {text(pairs)} × CPU per operation")
    if "churn" in what:
        print("\n## New connections: connect, one request, close; 20 at a time\n")
        rounds([c for c in small if c.name != "memchaos lat. 0"], measure_churn)
        table(small, ("conn/s", "us/conn"))
    if "bulk" in what:
        print("\n## Bulk, one stream\n")
        rounds(contestants, measure_bulk)
        table(contestants, ("Gbit/s", "cpu-s/GB"))
    if "accuracy" in what:
        accuracy(ours)
    if "threads" in what:
        threads(server)
    return contestants


def main():
    what = sys.argv[1:] or ["ops", "churn", "bulk", "idle", "accuracy", "threads"]
    server = subprocess.Popen([NETLOAD, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server_port = int(server.stdout.readline())
    children = [server]
    print(f"# Proxy hop, {ROUNDS} rounds of {SECONDS:g} s, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(server_port)
        children.append(ours.process)
        wait_for_port(ours.api)
        try:
            children += [c.process for c in run(what, folder, server_port, ours) if c.process]
        finally:
            for child in subprocess_children():
                os.kill(child, signal.SIGTERM)
            for child in set(children):
                child.wait(10)


def subprocess_children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


if __name__ == "__main__":
    main()
