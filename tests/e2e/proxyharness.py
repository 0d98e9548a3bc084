# SPDX-License-Identifier: MIT
"""What the tests of the proxy server share: a server process, upstreams, and a Case with both."""
import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import harness

SERVER = (harness.MEMCHAOS, "proxy")
WAIT = 30 * harness.TIME_FACTOR  # seconds: the bound of every wait, far above what is expected
# The same tests hold with any number of threads; the suite runs some of them with several.
THREADS = int(os.environ.get("PROXY_THREADS", "1"))
SPARE_PIPE_FDS = 2 * 4 * THREADS + 1  # and the one to which the server writes its log


class Server:
    """One server process on a port of its own choice."""

    def __init__(self, *flags, files=None, log_level="info"):
        def limit():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        env = dict(os.environ, LOG_LEVEL=log_level)
        self.log = []  # the events so far, as dictionaries
        if THREADS > 1 and "-threads" not in flags:
            flags = ("-threads", str(THREADS), *flags)
        self.process = subprocess.Popen([*SERVER, "-port", "0", *flags], stdout=subprocess.PIPE,
                                        text=True, env=env, preexec_fn=limit)
        for line in self.process.stdout:
            event = json.loads(line)
            self.log.append(event)
            if event.get("message") == "Starting Toxiproxy HTTP server":
                self.port = int(event["address"].rsplit(":", 1)[1])
                break
        else:
            raise RuntimeError("the server did not start")
        self.reader = threading.Thread(target=self.drain, daemon=True)
        self.reader.start()

    def drain(self):
        for line in self.process.stdout:
            self.log.append(json.loads(line))

    def events(self, message):
        return [event for event in self.log if event.get("message") == message]

    def raw(self, method, path, body=None, headers=None, timeout=WAIT):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def call(self, method, path, body=None, timeout=WAIT):
        text = None if body is None else json.dumps(body)
        status, _, answer = self.raw(method, path, text, timeout=timeout)
        return status, json.loads(answer) if answer else None

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def fds(self):
        """Descriptors in use. The few pipes that are kept for later do not count."""
        folder = f"/proc/{self.process.pid}/fd"
        pipes = others = 0
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(f"{folder}/{name}").startswith("pipe:"):
                    pipes += 1
                else:
                    others += 1
        return others + max(0, pipes - SPARE_PIPE_FDS)

    def stop(self):
        """Ends the server; then the log is complete."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(WAIT)
        self.reader.join(WAIT)
        return code


class Upstream:
    """Accepts on a free port and runs `serve(socket)` in a thread for each connection."""

    def __init__(self, serve, host="127.0.0.1", path=None):
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen(128)
            self.address = "unix:" + path
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.listener = socket.create_server((host, 0), family=family, backlog=128)
            shown = f"[{host}]" if ":" in host else host
            self.address = f"{shown}:{self.listener.getsockname()[1]}"
        self.serve = serve
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(peer,), daemon=True).start()

    def run(self, peer):
        with peer, contextlib.suppress(OSError):
            self.serve(peer)

    def close(self):
        self.listener.close()


def echo(peer):
    while True:
        data = peer.recv(65536)
        if not data:
            return
        peer.sendall(data)


def stream(peer):
    block = bytes(65536)
    while True:
        peer.sendall(block)


def dial(listen):
    if listen.startswith("unix:"):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(WAIT)
        peer.connect(listen[5:])
        return peer
    host, port = listen.rsplit(":", 1)
    peer = socket.create_connection((host.strip("[]"), int(port)), timeout=WAIT)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def receive(peer, size):
    data = b""
    while len(data) < size:
        part = peer.recv(size - len(data))
        if not part:
            break
        data += part
    return data


def reset(peer):
    """Closes with a reset instead of an end of stream."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def until(test, what):
    end = time.monotonic() + WAIT
    while not test():
        if time.monotonic() > end:
            raise AssertionError("never: " + what)
        time.sleep(0.005)


class Case(harness.Case):
    flags = ()
    files = None

    def setUp(self):
        super().setUp()
        self.server = Server(*self.flags, files=self.files)
        self.echo = Upstream(echo)

    def finish(self):
        self.echo.close()
        code = self.server.stop()
        complaints = super().finish()
        return complaints if code == 0 else complaints + [f"the server ended with {code}"]

    def api(self, status, method, path, body=None, timeout=WAIT):
        got, answer = self.server.call(method, path, body, timeout)
        self.assertEqual(got, status, answer)
        return answer

    def proxy(self, name="p", upstream=None, listen="127.0.0.1:0", **more):
        return self.api(201, "POST", "/proxies", dict(
            name=name, upstream=upstream or self.echo.address, listen=listen, **more))

    def toxic(self, kind, name="p", **body):
        return self.api(200, "POST", f"/proxies/{name}/toxics", dict(type=kind, **body))

    def error(self, status, text, method, path, body=None):
        self.assertEqual(self.api(status, method, path, body), {"error": text, "status": status})

    def stats(self, name="p"):
        return self.api(200, "GET", f"/proxies/{name}/stats")

    def assert_listens(self, listen):
        dial(listen).close()

    def assert_refuses(self, listen):
        with self.assertRaises(ConnectionRefusedError):
            dial(listen)
