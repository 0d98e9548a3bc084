# SPDX-License-Identifier: MIT
"""The proxy under everything at once, for as long as there is time.

ENDURANCE_SECONDS (default 24) is divided among the tests that run against the clock. Everything
random comes from ENDURANCE_SEED, which is printed; the same seed gives the same operations.
"""
import contextlib
import os
import random
import resource
import socket
import threading
import time
import zlib

import harness

from proxyharness import WAIT, Case, Server, Upstream, dial, receive, reset, stream, until

SECONDS = float(os.environ.get("ENDURANCE_SECONDS", "24"))
SEED = int(os.environ.get("ENDURANCE_SEED", str(time.time_ns() % 2**32)))
IDLE_CONNECTIONS = 5000
IDLE_BYTES_MAX = 2048
# A sanitizer's own bookkeeping and its quarantine are not what is measured.
PLAIN = harness.TIME_FACTOR == 1


class Endurance(Case):
    flags = ("-seed", "7", "-proxy-metrics")

    def setUp(self):
        super().setUp()
        self.problems = []
        self.over = threading.Event()
        self.threads = []

    def spawn(self, work, *args):
        """Runs work(*args) again and again until the test is over; its first error fails the test.
        """
        def run():
            try:
                while not self.over.is_set():
                    work(*args)
            except Exception as error:  # pylint: disable=broad-except
                self.problems.append(f"{work.__name__}: {error!r}")
                self.over.set()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)

    def run_for(self, seconds, work, finish=lambda: None):
        """Runs work() in this thread until the time is over, then finish(), and ends the other
        threads.
        """
        end = time.monotonic() + seconds
        rounds = 0
        try:
            while time.monotonic() < end and not self.over.is_set():
                work()
                rounds += 1
        finally:
            self.over.set()
            finish()
            for thread in self.threads:
                thread.join(WAIT)
        self.assertEqual(self.problems, [])
        self.assertFalse([t for t in self.threads if t.is_alive()], "a thread hangs")
        return rounds

    def assert_nothing_left(self, fds):
        until(lambda: self.stats()["connections_open"] == 0, "no connection is left")
        # The connection of the call itself, and one that is being closed.
        until(lambda: self.server.fds() <= fds + 1, "descriptors are given back")

    def test_short_lived_clients_while_toxics_toggle(self):
        """The deadlock that Toxiproxy's users have met for ten years."""
        source = Upstream(stream)
        listen = self.proxy(upstream=source.address)["listen"]
        fds = self.server.fds()

        def short_life():
            peer = dial(listen)
            receive(peer, 2000)
            reset(peer)
        for _ in range(12):
            self.spawn(short_life)
        slowest = [0.0]

        def toggle():
            begin = time.monotonic()
            self.toxic("latency", attributes={"latency": 10})
            self.api(204, "DELETE", "/proxies/p/toxics/latency_downstream")
            slowest[0] = max(slowest[0], time.monotonic() - begin)
        rounds = self.run_for(SECONDS / 4, toggle)
        print(f"# {rounds} toxics, {self.stats()['connections_accepted']} connections, "
              f"slowest pair of calls {slowest[0] * 1000:.0f} ms")
        self.assertGreater(rounds, 10)
        # Far above what it takes on a busy machine, and far below for ever.
        self.assertLess(slowest[0], 10 * harness.TIME_FACTOR)
        self.assert_nothing_left(fds)
        source.close()

    # Toxics that keep every byte; a connection may end early only by what the API does to it.
    KINDS = (
        ("latency", {"latency": 20, "jitter": 10}), ("latency", {"latency": 0}),
        ("bandwidth", {"rate": 4000}), ("bandwidth", {"rate": 0}),
        ("slicer", {"average_size": 300, "size_variation": 100, "delay": 10}), ("slicer", {}),
        ("slow_close", {"delay": 30}), ("noop", {}),
        ("packet_loss", {"loss_rate": 0.05}), ("slow_open", {}))

    def test_random_calls_against_checksummed_streams(self):
        print(f"# ENDURANCE_SEED={SEED}")
        rng = random.Random(SEED)
        listen = self.proxy()["listen"]
        fds = self.server.fds()
        done = [0]
        in_flight = set()

        def transfer(seed):
            """Sends random bytes in random pieces through an echo; what comes back is the same."""
            data = random.Random(seed + done[0]).randbytes(60000)
            peer = dial(listen)
            in_flight.add(peer)
            try:
                sender = threading.Thread(target=send_pieces, args=(peer, data), daemon=True)
                sender.start()
                got = receive(peer, len(data))
                sender.join(WAIT)
                if not data.startswith(got) or (len(got) < len(data) and not self.over.is_set()):
                    raise AssertionError(
                        f"{len(got)} of {len(data)} bytes, crc {zlib.crc32(got):x}")
                done[0] += 1
            except OSError:
                if not self.over.is_set():
                    raise
            finally:
                in_flight.discard(peer)
                peer.close()

        def send_pieces(peer, data):
            with contextlib.suppress(OSError):
                for i in range(0, len(data), 7000):
                    peer.sendall(data[i:i + 7000])
        for i in range(6):
            self.spawn(transfer, i << 32)

        def operate():
            names = [t["name"] for t in self.api(200, "GET", "/proxies/p/toxics")]
            kind, attributes = rng.choice(self.KINDS)
            name = rng.choice("abcd")
            chance = rng.random()
            if name not in names and chance < 0.6:
                self.api(200, "POST", "/proxies/p/toxics", {
                    "type": kind, "name": name, "attributes": attributes,
                    "stream": rng.choice(("upstream", "downstream")),
                    "toxicity": rng.choice((0.3, 1)), "chunk_toxicity": rng.choice((0.5, 1))})
            elif name in names and chance < 0.5:
                self.api(204, "DELETE", f"/proxies/p/toxics/{name}")
            elif name in names:
                self.api(200, "PATCH", f"/proxies/p/toxics/{name}", {
                    "attributes": attributes, "toxicity": rng.random()})
            elif chance < 0.7:
                self.api(200, "PATCH", "/proxies/p", {"shared_rate_kb_per_s": {
                    "upstream": rng.choice((0, 20000)), "downstream": rng.choice((0, 20000))}})
            elif chance < 0.8:
                self.api(204, "POST", "/reset")
            else:
                self.server.raw("GET", rng.choice(("/metrics", "/proxies", "/proxies/p/stats")))
            # Blocked for ever is what rate 0 is for; let the streams go on now and then.
            if rng.random() < 0.3:
                self.api(204, "POST", "/reset")

        rounds = self.run_for(SECONDS / 4, operate, lambda: self.api(204, "POST", "/reset"))
        print(f"# {rounds} calls, {done[0]} streams")
        self.assertGreater(done[0], 0)
        self.assert_nothing_left(fds)

    def test_peers_that_vanish(self):
        """Clients and servers end in every way there is, at a random moment."""
        rng = random.Random(SEED + 1)
        lock = threading.Lock()

        def draw(*choices):
            with lock:
                return rng.choice(choices)

        def end_somehow(peer):
            how = draw("reset", "close", "half", "stall", "half and reset")
            if how.startswith("half"):
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_WR)
                    if how == "half":
                        peer.settimeout(0.5)
                        receive(peer, 100000)
            elif how == "stall":
                self.over.wait(0.05)
            if how in ("reset", "half and reset"):
                reset(peer)
            else:
                peer.close()

        def serve(peer):
            with contextlib.suppress(OSError):
                peer.sendall(bytes(draw(0, 1, 1000, 300000)))
                peer.settimeout(0.2)
                peer.recv(draw(1, 1000))
            end_somehow(peer)
        source = Upstream(serve)
        listen = self.proxy(upstream=source.address)["listen"]
        fds = self.server.fds()

        def client():
            try:
                peer = dial(listen)
            except ConnectionResetError:
                return  # the server was quick
            with contextlib.suppress(OSError):
                peer.settimeout(0.2)
                peer.sendall(bytes(draw(0, 1, 1000, 100000)))
                receive(peer, draw(0, 1, 5000))
            end_somehow(peer)
        for _ in range(12):
            self.spawn(client)

        def disturb():
            kind, attributes = draw(*self.KINDS, ("timeout", {"timeout": 20}), ("reset_peer", {}),
                                    ("limit_data", {"bytes": 500}))
            made = self.toxic(kind, stream=draw("upstream", "downstream"), attributes=attributes)
            self.api(200, "PATCH", "/proxies/p", {
                "half_close": draw(True, False), "pass_reset": draw(True, False)})
            self.over.wait(0.01)
            self.api(204, "DELETE", f"/proxies/p/toxics/{made['name']}")
        self.run_for(SECONDS / 4, disturb)
        print(f"# {self.stats()['connections_accepted']} connections")
        self.assert_nothing_left(fds)
        source.close()

    def test_fuzzed_bodies(self):
        """No body makes the server fail otherwise than with 4xx, or die."""
        rng = random.Random(SEED + 2)
        self.proxy()
        self.toxic("latency")
        words = (b'{', b'}', b'[', b']', b',', b':', b'"', b'\\u', b'd800', b'\\', b'0', b'-',
                 b'1e9', b'null', b'true', b'"name"', b'"toxics"', b'"type":"slicer"',
                 b'"attributes"', b'"rate"', b'9223372036854775808', b'\xff', b'\x00',
                 b'"toxicity":1e38',
                 b'"shared_rate_kb_per_s"', b'"listen":"unix:/', b'"chunk_toxicity"')
        seeds = (b'{"name":"q","upstream":"u:1","enabled":false,"half_close":true}',
                 b'[{"name":"q","upstream":"u:1","enabled":false,"toxics":[{"type":"noop"}]}]',
                 b'{"type":"latency","attributes":{"latency":1},"toxicity":0.5,"stream":"upstream"'
                 b'}')
        paths = ("/proxies", "/populate", "/proxies/p", "/proxies/p/toxics",
                 "/proxies/p/toxics/latency_downstream")
        counts = {}

        def mutate():
            body = bytearray(rng.choice(seeds))
            for _ in range(rng.randrange(6)):
                at = rng.randrange(len(body) + 1)
                what = rng.random()
                if what < 0.4:
                    body[at:at] = rng.choice(words)
                elif what < 0.7:
                    del body[at:at + rng.randrange(1, 9)]
                elif at < len(body):
                    body[at] = rng.randrange(256)
            return bytes(body)

        def call():
            # Nothing may listen that would have to be cleaned up.
            body = mutate().replace(b'"enabled":true', b'"enabled":false')
            status, _, _ = self.server.raw(rng.choice(("POST", "PATCH")), rng.choice(paths), body)
            counts[status] = counts.get(status, 0) + 1
            assert status in (200, 201, 400, 404, 405, 409, 500), (status, body)
        rounds = self.run_for(SECONDS / 8, call)
        print(f"# {rounds} bodies: {counts}")
        self.assertEqual(self.server.call("GET", "/version")[0], 200)

    def test_memory_comes_to_rest(self):
        """The same work twice: the second time costs nothing more."""
        source = Upstream(stream)
        listen = self.proxy(upstream=source.address)["listen"]
        self.toxic("latency", attributes={"latency": 5})

        def work():
            peers = [dial(listen) for _ in range(50)]
            for peer in peers:
                receive(peer, 200000)
                reset(peer)
            until(lambda: self.stats()["connections_open"] == 0, "no connection is left")
        for _ in range(2):
            work()
        before = self.server.rss_bytes()
        end = time.monotonic() + SECONDS / 8
        while time.monotonic() < end:
            work()
        grown = self.server.rss_bytes() - before
        print(f"# {grown / 1024:.0f} KiB more")
        if PLAIN:
            self.assertLess(grown, 8 << 20)
        source.close()


class Idle(Case):
    def test_idle_connections_are_small(self):
        count = IDLE_CONNECTIONS if PLAIN else 500
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        need = 2 * count + 200
        if hard < need:
            self.skipTest(f"RLIMIT_NOFILE is {hard}, {need} are needed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        server, echo_server, peers = Server(), Upstream(lambda peer: None), []
        echo_server.close()
        held = []
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        taker = threading.Thread(target=take, args=(listener, held, count), daemon=True)
        taker.start()
        try:
            made = server.call("POST", "/proxies", {
                "name": "p", "listen": "127.0.0.1:0",
                "upstream": "127.0.0.1:%d" % listener.getsockname()[1]})[1]

            def opened():
                return server.call("GET", "/proxies/p/stats")[1]["connections_open"]
            for _ in range(50):
                peers.append(dial(made["listen"]))
            until(lambda: len(held) == 50, "the first are open")
            fds, rss = server.fds(), server.rss_bytes()
            while len(peers) < count:
                for _ in range(50):
                    peers.append(dial(made["listen"]))
                until(lambda: len(held) == len(peers), "they are open")
            self.assertEqual(opened(), count)
            each = (server.rss_bytes() - rss) / (count - 50)
            print(f"# {each:.0f} bytes for each of {count} idle connections")
            if PLAIN:
                self.assertLessEqual(each, IDLE_BYTES_MAX)
            for peer in peers:
                peer.close()
            until(lambda: opened() == 0, "all are gone")
            until(lambda: server.fds() <= fds, "descriptors are given back")
        finally:
            for peer in peers + held:
                peer.close()
            listener.close()
            self.assertEqual(server.stop(), 0)


def take(listener, held, count):
    with contextlib.suppress(OSError):
        while len(held) < count:
            held.append(listener.accept()[0])


class Starved(Case):
    files = 120

    def test_without_descriptors_the_api_and_old_connections_go_on(self):
        listen = self.proxy()["listen"]
        first = dial(listen)
        first.sendall(b"a")
        receive(first, 1)
        fds = self.server.fds()
        for _ in range(3):
            peers = [dial(listen) for _ in range(120)]
            until(lambda: self.stats()["accept_failures"] > 0, "descriptors run out")
            for _ in range(5):
                self.toxic("latency")
                self.api(204, "DELETE", "/proxies/p/toxics/latency_downstream")
            first.sendall(b"b")
            self.assertEqual(receive(first, 1), b"b")
            for peer in peers:
                reset(peer)
            until(lambda: self.stats()["connections_open"] == 1, "only the first is left")
        until(lambda: self.server.fds() <= fds + 1, "descriptors are given back")
        with dial(listen) as peer:
            peer.sendall(b"c")
            self.assertEqual(receive(peer, 1), b"c")
        first.close()


if __name__ == "__main__":
    harness.main()
