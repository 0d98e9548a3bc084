# SPDX-License-Identifier: MIT
"""The proxy with several threads: what is shared among them, and that nobody notices.

Most of what has to hold is tested by the other files of the proxy, which the suite runs once more
with PROXY_THREADS=3.
"""
import os
import select
import threading
import time

import harness

from proxyharness import SERVER, WAIT, Case, Server, Upstream, dial, echo, receive, stream, until

THREADS = 3
CONNECTIONS = 30


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def sockets_by_loop(pid):
    """How many descriptors each epoll instance of the process watches, the fullest first."""
    counts = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            if "eventpoll" in os.readlink(f"/proc/{pid}/fd/{name}"):
                with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as info:
                    counts.append(info.read().count("tfd:"))
        except FileNotFoundError:
            pass
    return sorted(counts, reverse=True)


class Flag(harness.Case):
    def test_bad_numbers_are_refused_with_the_limits(self):
        for value in ("0", "-1", "65", "1000"):
            with self.subTest(value=value):
                done = self.start(*SERVER[1:], "-port", "0", "-threads", value)
                self.assertEqual(done.wait(), 2)
                self.assertIn(f'invalid value "{value}" for flag -threads: must be from 1 to 64',
                              done.err)
        for value in ("x", "1.5", ""):
            with self.subTest(value=value):
                done = self.start(*SERVER[1:], "-port", "0", "-threads", value)
                self.assertEqual(done.wait(), 2)
                self.assertIn(f'"{value}" for flag -threads: must be a whole number', done.err)

    def test_there_are_as_many_as_asked_for(self):
        found = []
        for count in (1, 2, 64):
            server = Server("-threads", str(count))
            found.append(threads_of(server.process.pid))
            self.assertEqual(server.stop(), 0)
        # What the program has besides, like the one that waits for signals, is always the same.
        self.assertEqual([count - found[0] for count in found], [0, 1, 63])


class Threads(Case):
    flags = ("-threads", str(THREADS), "-seed", "5", "-proxy-metrics")

    def connect(self, listen, count=CONNECTIONS):
        """Open connections through which a byte has gone there and back."""
        peers = []
        for _ in range(count):
            peers.append(dial(listen))
            self.addCleanup(peers[-1].close)
            peers[-1].sendall(b"x")
            self.assertEqual(receive(peers[-1], 1), b"x")
        return peers

    def assert_closed_now(self, peers):
        for peer in peers:
            peer.setblocking(False)
            try:
                self.assertEqual(peer.recv(1), b"")
            except ConnectionResetError:
                pass

    def test_connections_are_spread_evenly(self):
        pid = self.server.process.pid
        listen = self.proxy()["listen"]
        before = sockets_by_loop(pid)[:THREADS]
        peers = self.connect(listen)
        after = sockets_by_loop(pid)[:THREADS]
        # A connection of the API may be there or not, and the first loop has some descriptors more.
        self.assertAlmostEqual(sum(after) - sum(before), 2 * CONNECTIONS, delta=2)
        self.assertLessEqual(max(after) - min(after), before[0], (before, after))
        self.assertLess(before[0], CONNECTIONS // THREADS)
        # Those that come later fill up what has become free.
        for peer in peers[:CONNECTIONS // 2]:
            peer.close()
        until(lambda: self.stats()["connections_open"] == CONNECTIONS // 2, "they have gone")
        self.connect(listen, CONNECTIONS // 2)
        for now, then in zip(sockets_by_loop(pid), after):
            self.assertAlmostEqual(now, then, delta=2)

    def test_nothing_is_open_when_a_proxy_was_stopped(self):
        for how in (("PATCH", {"enabled": False}, 200), ("DELETE", None, 204)):
            with self.subTest(how=how[0]):
                listen = self.proxy()["listen"]
                peers = self.connect(listen)
                # Some that nobody has waited for may still be on their way to their thread.
                peers += [dial(listen) for _ in range(CONNECTIONS)]
                until(lambda: self.stats()["connections_accepted"] == len(peers), "all are in")
                self.api(how[2], how[0], "/proxies/p", how[1])
                self.assert_closed_now(peers)
                self.assert_refuses(listen)
                if how[0] == "PATCH":
                    stats = self.stats()
                    self.assertEqual(stats["connections_open"], 0)
                    self.assertEqual(stats["connections_cut"], len(peers))
                    self.api(204, "DELETE", "/proxies/p")

    def test_counters_add_up(self):
        size = 50000
        listen = self.proxy()["listen"]
        self.toxic("latency", attributes={"latency": 1}, stream="downstream")
        self.toxic("latency", name="p", stream="upstream", toxicity=0, attributes={"latency": 1})
        answers = []

        def transfer():
            with dial(listen) as peer:
                sender = threading.Thread(target=peer.sendall, args=(bytes(size),))
                sender.start()
                answers.append(len(receive(peer, size)))
                sender.join()
        workers = [threading.Thread(target=transfer) for _ in range(CONNECTIONS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(answers, [size] * CONNECTIONS)
        until(lambda: self.stats()["connections_open"] == 0, "all have gone")
        total = size * CONNECTIONS
        for _ in range(2):
            stats = self.stats()
            self.assertEqual(stats["connections_accepted"], CONNECTIONS)
            for key in ("upstream_received", "upstream_sent", "downstream_received",
                        "downstream_sent"):
                self.assertEqual(stats[key + "_bytes"], total, key)
            hit = {t["name"]: t for t in stats["toxics"]}
            self.assertEqual(hit["latency_downstream"]["connections"], CONNECTIONS)
            self.assertEqual(hit["latency_downstream"]["bytes"], total)
            self.assertEqual(hit["latency_upstream"]["connections"], 0)
        metrics = self.server.raw("GET", "/metrics")[2]
        sent = [line for line in metrics.splitlines()
                if line.startswith('toxiproxy_proxy_sent_bytes_total{direction="upstream"')]
        self.assertEqual([line.rsplit(" ", 1)[1] for line in sent], [str(total)])
        self.api(204, "DELETE", "/proxies/p/toxics/latency_downstream")
        removed = self.stats()["removed_toxics"]
        self.assertEqual([(t["connections"], t["bytes"]) for t in removed], [(CONNECTIONS, total)])

    def test_a_seed_means_the_same_for_any_number_of_threads(self):
        """The dice of connection n are those of n, wherever it runs."""
        def cut_ones(server):
            made = server.call("POST", "/proxies", {
                "name": "dice", "listen": "127.0.0.1:0", "upstream": self.echo.address})[1]
            server.call("POST", "/proxies/dice/toxics", {
                "type": "limit_data", "attributes": {"bytes": 3}, "toxicity": 0.5})
            found = []
            for _ in range(40):
                with dial(made["listen"]) as peer:
                    peer.sendall(b"12345")
                    found.append(len(receive(peer, 5)))
            return found
        several = cut_ones(self.server)
        self.assertEqual(set(several), {3, 5})
        for threads in ("1", "2"):
            other = Server("-seed", "5", "-threads", threads)
            self.assertEqual(cut_ones(other), several)
            self.assertEqual(other.stop(), 0)

    def test_a_server_ends_under_full_traffic(self):
        source = Upstream(stream)
        server = Server("-threads", str(THREADS))
        listen = server.call("POST", "/proxies", {
            "name": "p", "listen": "127.0.0.1:0", "upstream": source.address})[1]["listen"]
        peers = [dial(listen) for _ in range(2 * THREADS)]
        for peer in peers:
            receive(peer, 100000)
        self.assertEqual(server.stop(), 0)
        for peer in peers:
            peer.close()
        source.close()

    def test_proxies_come_and_go_while_clients_connect(self):
        """Connections that are on their way to a thread when their proxy goes."""
        over = threading.Event()
        listens = []

        def client():
            while not over.is_set():
                for listen in listens[-1:]:
                    try:
                        dial(listen).close()
                    except OSError:
                        pass
        clients = [threading.Thread(target=client) for _ in range(4)]
        for each in clients:
            each.start()
        accepted = 0
        for _ in range(25):
            listens.append(self.proxy()["listen"])
            mine = [dial(listens[-1]) for _ in range(5)]
            accepted += self.stats()["connections_accepted"]
            self.api(204, "DELETE", "/proxies/p")
            for peer in mine:
                peer.close()
        over.set()
        for each in clients:
            each.join()
        self.assertGreater(accepted, 25)
        # What is still there afterwards works.
        self.connect(self.proxy()["listen"], THREADS)

    def test_a_shared_rate_is_one_for_all_threads(self):
        size = 50000
        source = Upstream(lambda peer: peer.sendall(bytes(size)))
        made = self.proxy(upstream=source.address, shared_rate_kb_per_s={"downstream": 1000})
        begin = time.monotonic()
        peers = [dial(made["listen"]) for _ in range(2 * THREADS)]
        got = [0] * len(peers)
        half = None
        while sum(got) < size * len(peers):
            waiting = [peer for peer, count in zip(peers, got) if count < size]
            ready = select.select(waiting, [], [], WAIT)[0]
            self.assertTrue(ready, got)
            for peer in ready:
                part = peer.recv(4096)
                self.assertTrue(part, got)
                got[peers.index(peer)] += len(part)
            half = half or (sum(got) > size * len(peers) / 2 and list(got))
        took = time.monotonic() - begin
        self.assertEqual(got, [size] * len(peers))
        self.assertGreaterEqual(took, size * len(peers) / 1e6 - 0.01)
        # Nobody is left behind, wherever it is.
        self.assertGreater(min(half), size / 20, half)
        for peer in peers:
            peer.close()
        source.close()

    def test_toxics_reach_the_connections_of_all_threads(self):
        source = Upstream(echo)
        peers = self.connect(self.proxy(upstream=source.address)["listen"])
        self.toxic("timeout", attributes={"timeout": 0})
        for peer in peers:
            peer.sendall(b"lost")
        until(lambda: self.stats()["toxics"][0]["connections"] == len(peers), "all are hit")
        self.api(204, "DELETE", "/proxies/p/toxics/timeout_downstream")
        self.assert_closed_now(peers)
        source.close()


if __name__ == "__main__":
    harness.main()
