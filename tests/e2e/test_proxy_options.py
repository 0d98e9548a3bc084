# SPDX-License-Identifier: MIT
"""What the proxy server can do beyond Toxiproxy's: options, Unix sockets, toxics in files.

None of it shows, or acts, unless it was asked for.
"""
import json
import os
import select
import socket
import threading
import time

import harness

from proxyharness import (WAIT, Case, Server, Upstream, dial, echo, receive, reset, stream,
                          until)

SHARED = "shared_rate_kb_per_s"


def count_then_answer(peer):
    """Reads to the end of stream and only then answers: needs a half-close."""
    size = 0
    while True:
        data = peer.recv(65536)
        if not data:
            break
        size += len(data)
    peer.sendall(b"%d\n" % size)


class Options(Case):
    def test_nothing_shows_unless_set(self):
        made = self.proxy()
        self.assertEqual(list(made), ["name", "listen", "upstream", "enabled", "Logger", "toxics"])
        for off in ({"half_close": False}, {"pass_reset": None}, {SHARED: {}},
                    {SHARED: {"upstream": 0}}):
            self.assertEqual(self.api(200, "PATCH", "/proxies/p", off), made)

    def test_shown_and_kept(self):
        made = self.proxy(half_close=True, pass_reset=True, HALF_CLOSE=True,
                          **{SHARED: {"downstream": 50}})
        self.assertEqual((made["half_close"], made["pass_reset"], made[SHARED]),
                         (True, True, {"upstream": 0, "downstream": 50}))
        now = self.api(200, "POST", "/proxies/p", {"enabled": False})
        self.assertEqual(now[SHARED], {"upstream": 0, "downstream": 50})
        now = self.api(200, "POST", "/proxies/p", {SHARED: {"upstream": 7}, "half_close": False})
        self.assertEqual(now[SHARED], {"upstream": 7, "downstream": 50})
        self.assertNotIn("half_close", now)

    def test_wrong_types_change_nothing(self):
        made = self.proxy()
        for bad in ({"half_close": 1}, {"pass_reset": "yes"}, {SHARED: 5},
                    {SHARED: {"upstream": -1}},
                    {SHARED: {"upstream": 1.5}}, {SHARED: {"downstream": 10**12}}):
            status, answer = self.server.call("PATCH", "/proxies/p", dict(bad, enabled=False))
            self.assertEqual(status, 400, bad)
            self.assertRegex(answer["error"], "^bad request body: ")
        self.assertEqual(self.api(200, "GET", "/proxies/p"), made)

    def test_options_change_under_open_connections(self):
        made = self.proxy()
        with dial(made["listen"]) as peer:
            peer.sendall(b"a")
            receive(peer, 1)
            self.api(200, "PATCH", "/proxies/p", {"half_close": True, "pass_reset": True})
            peer.sendall(b"b")
            self.assertEqual(receive(peer, 1), b"b")
        self.assertEqual(self.stats()["connections_cut"], 0)

    def test_populate_sets_options_without_touching_connections(self):
        made = self.proxy()
        with dial(made["listen"]) as peer:
            item = {"name": "p", "listen": made["listen"], "upstream": made["upstream"]}
            answer = self.api(201, "POST", "/populate", [dict(item, half_close=True)])
            self.assertTrue(answer["proxies"][0]["half_close"])
            self.assertTrue(self.api(201, "POST", "/populate", [item])["proxies"][0]["half_close"])
            peer.sendall(b"a")
            self.assertEqual(receive(peer, 1), b"a")


class HalfClose(Case):
    def ask(self, listen, data):
        with dial(listen) as peer:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            return receive(peer, 100)

    def test_passes_the_end_of_one_direction(self):
        source = Upstream(count_then_answer)
        made = self.proxy(upstream=source.address, half_close=True)
        self.assertEqual(self.ask(made["listen"], b"x" * 100000), b"100000\n")
        self.api(200, "PATCH", "/proxies/p", {"half_close": False})
        self.assertEqual(self.ask(made["listen"], b"x" * 1000), b"")
        until(lambda: self.stats()["connections_open"] == 0, "no connection is left")
        source.close()

    def test_works_through_toxics(self):
        source = Upstream(count_then_answer)
        made = self.proxy(upstream=source.address, half_close=True)
        for way in ("upstream", "downstream"):
            self.toxic("latency", stream=way, attributes={"latency": 20, "jitter": 10})
        self.assertEqual(self.ask(made["listen"], b"x" * 100000), b"100000\n")
        self.toxic("slow_close", stream="upstream", attributes={"delay": 50})
        begin = time.monotonic()
        self.assertEqual(self.ask(made["listen"], b"x"), b"1\n")
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)
        source.close()

    def test_a_toxic_still_closes_both(self):
        made = self.proxy(half_close=True)
        self.toxic("limit_data", stream="upstream", attributes={"bytes": 10})
        with dial(made["listen"]) as peer:
            peer.sendall(b"x" * 20)
            receive(peer, 1000)
        until(lambda: self.stats()["connections_open"] == 0, "no connection is left")

    def test_a_half_closed_client_that_dies_is_noticed(self):
        source = Upstream(lambda peer: (peer.recv(10), time.sleep(WAIT)))
        made = self.proxy(upstream=source.address, half_close=True)
        peer = dial(made["listen"])
        peer.shutdown(socket.SHUT_WR)
        until(lambda: self.stats()["connections_open"] == 1, "it is open")
        reset(peer)
        until(lambda: self.stats()["connections_open"] == 0, "its death is noticed")
        source.close()


class PassReset(Case):
    def upstream_of_resets(self):
        """Tells how each of its connections ended."""
        ends = []

        def serve(peer):
            try:
                while True:
                    data = peer.recv(65536)
                    if not data:
                        ends.append("end")
                        return
                    if data == b"reset me":
                        reset(peer)
                        return
                    peer.sendall(data)
            except ConnectionResetError:
                ends.append("reset")
        return Upstream(serve), ends

    def test_resets_pass_both_ways(self):
        source, ends = self.upstream_of_resets()
        for on, want in ((True, "reset"), (False, "end")):
            made = self.proxy(f"p{on}", upstream=source.address, pass_reset=on)
            peer = dial(made["listen"])
            peer.sendall(b"x")
            receive(peer, 1)
            reset(peer)
            until(lambda: ends, "the server's side ends")
            self.assertEqual(ends.pop(), want)
            with dial(made["listen"]) as peer:
                peer.sendall(b"reset me")
                if on:
                    self.assertRaises(ConnectionResetError, peer.recv, 1)
                else:
                    self.assertEqual(peer.recv(1), b"")
            with dial(made["listen"]) as peer:
                peer.sendall(b"x")
                receive(peer, 1)
            until(lambda: ends, "the server's side ends")
            self.assertEqual(ends.pop(), "end")
        source.close()

    def test_a_reset_stays_behind_the_data(self):
        source, ends = self.upstream_of_resets()
        made = self.proxy(upstream=source.address, pass_reset=True)
        self.toxic("latency", stream="upstream", attributes={"latency": 100})
        peer = dial(made["listen"])
        peer.sendall(b"x" * 1000)
        until(lambda: self.stats()["upstream_received_bytes"] == 1000, "the bytes are inside")
        reset(peer)
        until(lambda: ends, "the server's side ends")
        self.assertEqual(self.stats()["upstream_sent_bytes"], 1000)
        self.assertEqual(ends, ["reset"])
        source.close()


class SharedRate(Case):
    def test_all_connections_share_it(self):
        source = Upstream(lambda peer: peer.sendall(bytes(100000)))
        made = self.proxy(upstream=source.address, **{SHARED: {"downstream": 1000}})
        begin = time.monotonic()
        peers = [dial(made["listen"]) for _ in range(4)]
        got = [0] * len(peers)
        while sum(got) < 400000:
            for i, peer in enumerate(peers):
                if select.select([peer], [], [], 0.001)[0]:
                    got[i] += len(peer.recv(65536))
            if sum(got) > 200000 and not hasattr(self, "half"):
                self.half = list(got)
        took = time.monotonic() - begin
        self.assertEqual(got, [100000] * 4)
        self.assertGreaterEqual(took, 0.39)
        self.assertLess(took, 0.8 * harness.TIME_FACTOR)
        # Fair: half-way nobody has been left behind.
        self.assertGreater(min(self.half), 25000, self.half)
        for peer in peers:
            peer.close()
        source.close()

    def test_each_direction_has_its_own(self):
        made = self.proxy(**{SHARED: {"upstream": 100}})
        with dial(made["listen"]) as peer:
            begin = time.monotonic()
            peer.sendall(bytes(30000))
            receive(peer, 30000)
            self.assertGreaterEqual(time.monotonic() - begin, 0.29)
            self.api(200, "PATCH", "/proxies/p", {SHARED: {"upstream": 0}})
            begin = time.monotonic()
            sender = threading.Thread(target=peer.sendall, args=(bytes(10000000),))
            sender.start()
            receive(peer, 10000000)
            self.assertLess(time.monotonic() - begin, 20 * harness.TIME_FACTOR)
            sender.join()

    def test_lifting_it_releases_who_waits(self):
        made = self.proxy(**{SHARED: {"upstream": 1}})
        with dial(made["listen"]) as peer:
            peer.sendall(bytes(100000))
            self.api(200, "PATCH", "/proxies/p", {SHARED: {"upstream": 100000}})
            begin = time.monotonic()
            receive(peer, 100000)
            self.assertLess(time.monotonic() - begin, 10 * harness.TIME_FACTOR)


class ChunkToxicity(Case):
    def test_shown_only_when_set(self):
        self.proxy()
        made = self.toxic("latency")
        self.assertNotIn("chunk_toxicity", made)
        path = "/proxies/p/toxics/latency_downstream"
        now = self.api(200, "PATCH", path, {"chunk_toxicity": 0.25})
        self.assertEqual(now["chunk_toxicity"], 0.25)
        self.assertEqual(self.api(200, "PATCH", path, {"toxicity": 0.5})["chunk_toxicity"], 0.25)
        for bad in (2, -0.1, "x", True):
            self.assertEqual(self.server.call("PATCH", path, {"chunk_toxicity": bad})[0], 400)
        self.assertEqual(self.api(200, "GET", path)["chunk_toxicity"], 0.25)
        self.assertEqual(self.api(200, "PATCH", path, {"chunk_toxicity": 1}), dict(
            made, toxicity=0.5))
        self.assertEqual(self.toxic("noop", chunk_toxicity=0)["chunk_toxicity"], 0)


class DeadClients(Case):
    """A peer that is gone is noticed although toxics hold everything back."""

    def test_both_ends_die_behind_a_blocked_toxic(self):
        peers = []
        source = Upstream(lambda peer: (peers.append(peer), peer.sendall(bytes(10000)),
                                        time.sleep(WAIT)))
        made = self.proxy(upstream=source.address)
        for way in ("upstream", "downstream"):
            self.toxic("bandwidth", stream=way, attributes={"rate": 0})
        client = dial(made["listen"])
        client.sendall(bytes(10000))
        until(lambda: self.stats()["upstream_received_bytes"] == 10000, "the toxic holds data")
        until(lambda: self.stats()["downstream_received_bytes"] == 10000, "both ways")
        before = self.server.fds()
        reset(client)
        reset(peers[0])
        until(lambda: self.stats()["connections_open"] == 0, "both deaths are noticed")
        until(lambda: self.server.fds() < before, "its descriptors are given back")
        source.close()

    def test_data_of_the_dead_still_arrives(self):
        got = []
        source = Upstream(lambda peer: got.append(receive(peer, 100000)))
        made = self.proxy(upstream=source.address)
        self.toxic("bandwidth", stream="upstream", attributes={"rate": 0})
        client = dial(made["listen"])
        client.sendall(b"x" * 100000)
        until(lambda: self.stats()["upstream_received_bytes"] > 0, "the toxic holds data")
        client.close()
        self.api(204, "DELETE", "/proxies/p/toxics/bandwidth_upstream")
        until(lambda: got, "the server has it all")
        self.assertEqual(len(got[0]), 100000)
        until(lambda: self.stats()["connections_open"] == 0, "no connection is left")
        source.close()

    def test_a_dead_receiver_ends_a_blocked_direction(self):
        source = Upstream(stream)
        made = self.proxy(upstream=source.address)
        self.toxic("bandwidth", attributes={"rate": 0})
        client = dial(made["listen"])
        until(lambda: self.stats()["downstream_received_bytes"] > 0, "the toxic holds data")
        reset(client)
        until(lambda: self.stats()["connections_open"] == 0, "its death is noticed")
        source.close()


class Addresses(Case):
    def test_ipv6(self):
        source = Upstream(echo, host="::1")
        made = self.proxy(listen="[::1]:0", upstream=source.address)
        self.assertRegex(made["listen"], r"^\[::1\]:\d+$")
        with dial(made["listen"]) as peer:
            peer.sendall(b"six")
            self.assertEqual(receive(peer, 3), b"six")
        source.close()

    def test_unix_sockets(self):
        directory = self.temp_dir()
        source = Upstream(echo, path=directory + "/up")
        listen = f"unix:{directory}/listen"
        made = self.proxy(listen=listen, upstream=source.address)
        self.assertEqual((made["listen"], made["upstream"]), (listen, source.address))
        with dial(listen) as peer:
            peer.sendall(b"local")
            self.assertEqual(receive(peer, 5), b"local")
            same = self.api(200, "POST", "/proxies/p", {"listen": listen})
            self.assertEqual(same, made)
            peer.sendall(b"still")
            self.assertEqual(receive(peer, 5), b"still")
        self.toxic("reset_peer", stream="upstream")
        with dial(listen) as peer:
            peer.sendall(b"x")
            try:
                self.assertEqual(peer.recv(1), b"")
            except ConnectionResetError:
                pass
        self.error(500, f"listen unix {directory}/listen: bind: address already in use", "POST",
                   "/proxies", {"name": "q", "upstream": "u:1", "listen": listen})
        self.api(200, "POST", "/proxies/p", {"enabled": False})
        self.assertFalse(os.path.exists(directory + "/listen"))
        self.api(200, "POST", "/proxies/p", {"enabled": True})
        dial(listen).close()
        self.api(204, "DELETE", "/proxies/p")
        self.assertFalse(os.path.exists(directory + "/listen"))
        source.close()

    def test_stale_and_foreign_files(self):
        directory = self.temp_dir()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(directory + "/stale")
        self.proxy(listen=f"unix:{directory}/stale")
        dial(f"unix:{directory}/stale").close()
        # Somebody replaced our file: it is not ours to remove.
        os.unlink(directory + "/stale")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(directory + "/stale")
            self.api(204, "DELETE", "/proxies/p")
            self.assertTrue(os.path.exists(directory + "/stale"))
        with open(directory + "/file", "w", encoding="ascii") as file:
            file.write("precious")
        status, _ = self.server.call("POST", "/proxies", {
            "name": "f", "upstream": "u:1", "listen": f"unix:{directory}/file"})
        self.assertEqual(status, 500)
        self.assertEqual(os.path.getsize(directory + "/file"), 8)
        status, _ = self.server.call("POST", "/proxies", {
            "name": "f", "upstream": "u:1", "listen": "unix:/" + "x" * 200})
        self.assertEqual(status, 500)

    def test_files_go_with_the_server(self):
        path = self.temp_dir() + "/s"
        server = Server()
        server.call("POST", "/proxies", {"name": "u", "upstream": "u:1", "listen": "unix:" + path})
        self.assertTrue(os.path.exists(path))
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(path))

    def test_dead_unix_upstream_closes_the_client(self):
        made = self.proxy(upstream="unix:/nowhere/at/all")
        with dial(made["listen"]) as peer:
            self.assertEqual(peer.recv(1), b"")


ITEM = {"name": "c", "upstream": "u:1", "listen": "localhost:0", "toxics": [
    {"type": "latency", "attributes": {"latency": 7}},
    {"type": "timeout", "stream": "upstream", "name": "t", "toxicity": 0.5}]}


class PopulateToxics(Case):
    flags = ("-populate-toxics",)

    def test_before_the_first_connection(self):
        item = dict(ITEM, upstream=self.echo.address)
        made = self.api(201, "POST", "/populate", [item])["proxies"][0]
        self.assertEqual([t["name"] for t in made["toxics"]], ["t", "latency_downstream"])
        self.assertEqual(made["toxics"][1]["attributes"], {"latency": 7, "jitter": 0})
        again = self.api(201, "POST", "/populate", [dict(item, listen=made["listen"], toxics=[])])
        self.assertEqual(again["proxies"][0], made)
        # What the server prints is what it takes.
        self.api(204, "DELETE", "/proxies/c")
        self.assertEqual(self.api(201, "POST", "/populate", [made])["proxies"][0], made)

    def test_errors_name_the_entry_and_the_toxic(self):
        good = {"name": "a", "upstream": "u:1"}
        for toxics, want in (
                (5, 'toxics of proxy 2 ("b"): bad request body: they must be an array'),
                ([{"type": "noop"}, {"type": "nope"}],
                 'toxic 2 of proxy 2 ("b"): invalid toxic type'),
                ([{"type": "noop"}, {"type": "noop"}],
                 'toxic 2 of proxy 2 ("b"): toxic already exists'),
                ([{"type": "noop", "stream": "x"}], 'toxic 1 of proxy 2 ("b"): stream was invalid,'
                 ' can be either upstream or downstream'),
                ([{"type": "latency", "attributes": {"latency": "x"}}],
                 'toxic 1 of proxy 2 ("b"): bad request body: json: cannot unmarshal string into'
                 ' Go struct field latency of type int64')):
            status, answer = self.server.call("POST", "/populate", [
                good, {"name": "b", "upstream": "u:1", "toxics": toxics}])
            self.assertEqual((status, answer),
                             (400, {"error": want, "status": 400, "proxies": None}))
        self.assertEqual(self.api(200, "GET", "/proxies"), {})
        self.api(201, "POST", "/populate", [dict(good, toxics=None)])


class PopulateWithoutTheFlag(Case):
    def test_toxics_are_ignored(self):
        made = self.api(201, "POST", "/populate", [ITEM, dict(ITEM, name="d", toxics=5)])
        self.assertEqual([p["toxics"] for p in made["proxies"]], [[], []])


class Config(harness.Case):
    def load(self, text):
        path = self.temp_dir() + "/config.json"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        server = Server("-config", path)
        proxies = server.call("GET", "/proxies")[1]
        self.assertEqual(server.stop(), 0)
        return proxies, [e for e in server.log if e["level"] == "error"]

    def test_toxics_and_options(self):
        proxies, errors = self.load(json.dumps([dict(ITEM, half_close=True)]))
        self.assertEqual(errors, [])
        self.assertEqual([t["type"] for t in proxies["c"]["toxics"]], ["timeout", "latency"])
        self.assertTrue(proxies["c"]["half_close"])

    def test_errors_tell_where(self):
        for text, want in (
                (json.dumps([ITEM, dict(ITEM, name="d", toxics=[{"type": "x"}])]),
                 r'^toxic 1 of proxy 2 \("d"\): invalid toxic type$'),
                ('[{"name": "c",\n]', "line 2")):
            proxies, errors = self.load(text)
            self.assertEqual(proxies, {})
            self.assertEqual(errors[0]["message"], "Failed to populate proxies from file")
            self.assertRegex(errors[0]["error"], want)


if __name__ == "__main__":
    harness.main()
