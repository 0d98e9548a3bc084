# SPDX-License-Identifier: MIT
"""The proxy server over its real sockets.

The API as Toxiproxy's own tests see it, and links with traffic.
"""
import contextlib
import hashlib
import http.client
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import harness

from proxyharness import (SERVER, WAIT, Case, Server, Upstream, dial, free_port, receive, stream,
                          until)


class Transport(Case):
    def test_version(self):
        status, headers, body = self.server.raw("GET", "/version", headers={"User-Agent": "curl"})
        self.assertEqual((status, body), (200, '{"version": "2.12.0"}\n'))
        self.assertEqual(headers["Content-Type"], "application/json;charset=utf-8")
        self.assertRegex(headers["X-Toxiproxy-Request-Id"], "^[0-9a-v]{20}$")

    def test_browsers_are_blocked(self):
        for agent, want in (("Mozilla/5.0 (X11)", 403), ("Wget/2.1", 200), ("mozilla/5", 200)):
            status, _, body = self.server.raw("GET", "/proxies", headers={"User-Agent": agent})
            self.assertEqual(status, want)
            if want == 403:
                self.assertEqual(body, "User agent not allowed\n")

    def test_unknown_paths_and_methods(self):
        for method, path, want in (
                ("GET", "/", 404), ("GET", "/proxies/", 404), ("GET", "/Proxies", 404),
                ("GET", "/proxies/a%2Fb", 404), ("GET", "/metrics", 404), ("PUT", "/proxies", 405),
                ("OPTIONS", "/proxies", 405), ("HEAD", "/version", 405), ("GET", "/reset", 405),
                ("GET", "//proxies", 301), ("GET", "/a/../version?x=1", 301),
                ("GET", "/version?x=1", 200)):
            with self.subTest(method=method, path=path):
                status, headers, body = self.server.raw(method, path)
                self.assertEqual(status, want)
                if want == 404:
                    self.assertEqual(body, "404 page not found\n")
                    self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                    self.assertNotIn("X-Toxiproxy-Request-Id", headers)
                if want in (405, 301):
                    self.assertEqual((body, headers["Content-Length"]), ("", "0"))
                if want == 301:
                    self.assertIn(headers["Location"], ("/proxies", "/version"))

    def test_missing_host_header(self):
        with dial("127.0.0.1:%d" % self.server.port) as peer:
            peer.sendall(b"GET /version HTTP/1.1\r\n\r\n")
            self.assertIn(b" 400 ", receive(peer, 100000))

    def test_chunked_and_expect(self):
        body = json.dumps({"name": "c", "upstream": "u:1", "enabled": False}).encode()
        with dial("127.0.0.1:%d" % self.server.port) as peer:
            peer.sendall(b"POST /proxies HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                         b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
            self.assertIn(b" 100 ", peer.recv(100))
            peer.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            self.assertIn(b" 201 ", receive(peer, 100000))


class Proxies(Case):
    def test_exact_output(self):
        status, headers, body = self.server.raw(
            "POST", "/proxies", '{"NAME":"<a>","UpStream":"localhost:1","listen":"localhost:0",'
            '"enabled":null,"toxics":[1],"Logger":null} trailing')
        self.assertEqual((status, headers["Content-Type"]), (201, "application/json"))
        self.assertRegex(body, r'^{"name":"\\u003ca\\u003e","listen":"127.0.0.1:\d+",'
                         r'"upstream":"localhost:1","enabled":true,"Logger":{},"toxics":\[\]}$')
        self.server.call("DELETE", "/proxies/%3Ca%3E")

    def test_index_with_no_proxies(self):
        self.assertEqual(self.server.raw("GET", "/proxies")[2], "{}")

    def test_missing_fields(self):
        self.error(400, "missing required field: name", "POST", "/proxies", {"name": ""})
        self.error(400, "missing required field: upstream", "POST", "/proxies", {"name": "x"})

    def test_bad_bodies(self):
        for body, want in (("", "bad request body: EOF"), ("{", "bad request body: unexpected EOF"),
                           ("[]", "bad request body: json: cannot unmarshal array into Go value of"
                            " type toxiproxy.Proxy")):
            status, headers, answer = self.server.raw("POST", "/proxies", body)
            self.assertEqual((status, json.loads(answer)["error"]), (400, want))
            self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")

    def test_create_and_get(self):
        made = self.proxy()
        self.assertEqual(self.api(200, "GET", "/proxies/p"), made)
        self.assertEqual(self.api(200, "GET", "/proxies"), {"p": made})
        self.assertTrue(made["enabled"])
        self.assert_listens(made["listen"])

    def test_listing_is_sorted(self):
        for name in ("b", "a", "B"):
            self.proxy(name)
        self.assertEqual(list(self.api(200, "GET", "/proxies")), ["B", "a", "b"])

    def test_disabled_then_enabled(self):
        port = free_port()
        made = self.proxy(listen=f"localhost:{port}", enabled=False)
        self.assertEqual(made["listen"], f"localhost:{port}")
        self.assert_refuses(f"127.0.0.1:{port}")
        made["enabled"] = True
        now = self.api(200, "POST", "/proxies/p", made)
        self.assertEqual((now["listen"], now["enabled"]), (f"127.0.0.1:{port}", True))
        self.assert_listens(now["listen"])
        now = self.api(200, "PATCH", "/proxies/p", {"enabled": False})
        self.assertEqual((now["listen"], now["enabled"]), (f"127.0.0.1:{port}", False))
        self.assert_refuses(now["listen"])

    def test_delete(self):
        made = self.proxy()
        self.assertEqual(self.server.raw("DELETE", "/proxies/p")[0], 204)
        self.assert_refuses(made["listen"])
        self.error(404, "proxy not found", "DELETE", "/proxies/p")

    def test_port_conflict(self):
        made = self.proxy()
        body = {"name": "q", "upstream": "x:1", "listen": made["listen"]}
        self.error(500, f"listen tcp {made['listen']}: bind: address already in use", "POST",
                   "/proxies", body)
        self.api(204, "DELETE", "/proxies/p")
        self.api(201, "POST", "/proxies", body)

    def test_name_conflict(self):
        self.proxy()
        port = free_port()
        self.error(409, "proxy already exists", "POST", "/proxies",
                   {"name": "p", "upstream": "x:1", "listen": f"127.0.0.1:{port}"})
        self.assert_refuses(f"127.0.0.1:{port}")

    def test_bad_listen_addresses(self):
        for listen, want in (
                ("bad", "listen tcp: address bad: missing port in address"),
                ("h:99999", "listen tcp: address 99999: invalid port"),
                ("h:abc", "listen tcp: address tcp/abc: unknown port"),
                ("::1:18990", "listen tcp: address ::1:18990: too many colons in address"),
                ("192.0.2.1:8099",
                 "listen tcp 192.0.2.1:8099: bind: cannot assign requested address")):
            self.error(500, want, "POST", "/proxies",
                       {"name": "x", "upstream": "x:1", "listen": listen})
        self.proxy()
        self.error(500, "address bad: missing port in address", "POST", "/proxies/p",
                   {"listen": "bad"})
        self.assertTrue(self.api(200, "GET", "/proxies/p")["enabled"])

    def test_unknown_host_waits_without_blocking(self):
        status, answer = self.server.call("POST", "/proxies", {
            "name": "x", "upstream": "x:1", "listen": "no-such-host.invalid:1"})
        self.assertEqual(status, 500)
        self.assertRegex(answer["error"], "^listen tcp: lookup no-such-host.invalid")
        self.error(404, "proxy not found", "GET", "/proxies/x")

    def test_wildcards_are_dual_stack(self):
        for listen in ("", ":0", "0.0.0.0:0", "[::]:0"):
            made = self.proxy(listen=listen)
            self.assertRegex(made["listen"], r"^\[::\]:\d+$")
            self.assert_listens("127.0.0.1:" + made["listen"].rsplit(":", 1)[1])
            self.api(204, "DELETE", "/proxies/p")

    def test_update_keeps_connections_when_nothing_changes(self):
        made = self.proxy()
        port = made["listen"].rsplit(":", 1)[1]
        with dial(made["listen"]) as peer:
            peer.sendall(b"a")
            self.assertEqual(receive(peer, 1), b"a")
            for listen in (f"localhost:{port}", made["listen"]):
                now = self.api(200, "POST", "/proxies/p", {"listen": listen, "enabled": None})
                self.assertEqual(now["listen"], made["listen"])
            peer.sendall(b"b")
            self.assertEqual(receive(peer, 1), b"b")
            self.api(200, "POST", "/proxies/p", {"upstream": "127.0.0.1:1"})
            self.assertEqual(receive(peer, 1), b"")

    def test_failed_update_leaves_it_stopped(self):
        made, other = self.proxy(), self.proxy("q")
        status, _ = self.server.call("POST", "/proxies/p", {"listen": other["listen"]})
        self.assertEqual(status, 500)
        now = self.api(200, "GET", "/proxies/p")
        self.assertEqual((now["enabled"], now["listen"]), (False, other["listen"]))
        self.api(200, "POST", "/proxies/p", {"listen": made["listen"], "enabled": True})
        self.assert_listens(made["listen"])

    def test_update_of_nothing_is_404_before_its_body(self):
        self.assertEqual(self.server.raw("POST", "/proxies/nope", "garbage")[0], 404)

    def test_reset(self):
        made = self.proxy(enabled=False, listen=f"localhost:{free_port()}")
        self.toxic("latency")
        self.assertEqual(self.server.raw("POST", "/reset", "garbage")[0], 204)
        now = self.api(200, "GET", "/proxies/p")
        self.assertEqual((now["enabled"], now["toxics"]), (True, []))
        self.assert_listens(now["listen"])
        self.assertNotEqual(made["listen"], now["listen"])


class Populate(Case):
    def test_populate(self):
        answer = self.api(201, "POST", "/populate", [
            {"name": "two", "listen": "localhost:0", "upstream": "u:1"},
            {"name": "one", "listen": "localhost:0", "upstream": "u:1", "enabled": True}])
        self.assertEqual([p["name"] for p in answer["proxies"]], ["two", "one"])
        for p in answer["proxies"]:
            self.assert_listens(p["listen"])

    def test_nothing(self):
        for body in ("[]", "null"):
            status, _, answer = self.server.raw("POST", "/populate", body)
            self.assertEqual((status, answer), (201, '{"proxies":null}'))

    def test_unchanged_keeps_toxics(self):
        port = free_port()
        items = [{"name": "one", "listen": f"localhost:{port}", "upstream": "u:1"},
                 {"name": "two", "listen": "localhost:0", "upstream": "u:1"}]
        first = self.api(201, "POST", "/populate", items)["proxies"]
        self.toxic("latency", "one")
        self.toxic("latency", "two")
        items[1]["upstream"] = "u:2"
        second = self.api(201, "POST", "/populate", items)["proxies"]
        self.assertEqual(first[0]["listen"], f"127.0.0.1:{port}")
        self.assertEqual(second[0]["listen"], f"127.0.0.1:{port}")
        self.assertEqual([len(p["toxics"]) for p in second], [1, 0])

    def test_wildcard_spellings_are_no_change(self):
        port = free_port()
        for listen in (f"0.0.0.0:{port}", f":{port}", f"[::]:{port}"):
            self.api(201, "POST", "/populate", [{"name": "p", "listen": listen, "upstream": "u:1"}])
            if not self.api(200, "GET", "/proxies/p/toxics"):
                self.assertEqual(listen, f"0.0.0.0:{port}")
                self.toxic("latency")

    def test_errors(self):
        status, headers, answer = self.server.raw(
            "POST", "/populate", '[{"name":"a","upstream":"u:1"},{"upstream":"u:1"}]')
        self.assertEqual((status, answer, headers["Content-Type"]), (
            400, '{"error":"missing required field: name at proxy 2","status":400,"proxies":null}',
            "application/json"))
        self.assertEqual(self.api(200, "GET", "/proxies"), {})
        status, answer = self.server.call("POST", "/populate", [
            {"name": "a", "upstream": "u:1"},
            {"name": "b", "upstream": "u:1", "listen": "local373"},
            {"name": "c", "upstream": "u:1"}])
        self.assertEqual((status, answer["status"], [p["name"] for p in answer["proxies"]]),
                         (500, 500, ["a"]))
        self.assertEqual(list(self.api(200, "GET", "/proxies")), ["a"])


class Toxics(Case):
    def test_add_and_list(self):
        self.proxy()
        self.assertEqual(self.server.raw("GET", "/proxies/p/toxics")[2], "[]")
        status, _, body = self.server.raw(
            "POST", "/proxies/p/toxics", '{"type":"latency","stream":"UpStream","toxicity":0.2,'
            '"attributes":{"LATENCY":100,"x":1}}')
        self.assertEqual((status, body), (
            200, '{"attributes":{"latency":100,"jitter":0},"name":"latency_UpStream",'
            '"type":"latency","stream":"UpStream","toxicity":0.2}'))
        self.toxic("bandwidth", attributes=None)
        self.toxic("noop", toxicity=0)
        names = [t["name"] for t in self.api(200, "GET", "/proxies/p/toxics")]
        self.assertEqual(names, ["latency_UpStream", "bandwidth_downstream", "noop_downstream"])
        self.assertEqual(len(self.api(200, "GET", "/proxies/p")["toxics"]), 3)

    def test_every_type_is_known(self):
        self.proxy()
        for kind, want in (("latency", "latency jitter"), ("bandwidth", "rate"),
                           ("slow_close", "delay"), ("timeout", "timeout"),
                           ("reset_peer", "timeout"), ("limit_data", "bytes"), ("noop", ""),
                           ("slicer", "average_size size_variation delay"),
                           ("packet_loss", "loss_rate correlation")):
            self.assertEqual(" ".join(self.toxic(kind)["attributes"])[:len(want)], want)

    def test_errors(self):
        self.proxy()
        path = "/proxies/p/toxics"
        self.toxic("latency", name="p", attributes={"latency": 5})
        self.error(404, "proxy not found", "POST", "/proxies/x/toxics", {})
        self.error(400, "stream was invalid, can be either upstream or downstream", "POST", path,
                   {"type": "nope", "stream": "walrustream"})
        self.error(400, "stream was invalid, can be either upstream or downstream", "POST", path,
                   {"type": "latency", "stream": ""})
        self.error(400, "invalid toxic type", "POST", path, {"type": "down"})
        self.error(400, "invalid toxic type", "POST", path, {})
        self.error(409, "toxic already exists", "POST", path,
                   {"type": "timeout", "name": "latency_downstream", "stream": "upstream"})
        self.toxic("latency", stream="upstream")
        for value in (100.5, "100", True, 2**63):
            status, answer = self.server.call("POST", path, {
                "type": "latency", "name": "x", "attributes": {"latency": value}})
            self.assertEqual(status, 400, value)
            self.assertRegex(answer["error"], "^bad request body: ")
        self.error(404, "toxic not found", "GET", path + "/x")
        self.error(404, "toxic not found", "DELETE", path + "/x")
        self.assertEqual(self.server.raw("POST", path + "/x", "garbage")[0], 404)

    def test_update(self):
        self.proxy()
        self.toxic("latency", attributes={"latency": 100, "jitter": 10}, toxicity=0.5)
        path = "/proxies/p/toxics/latency_downstream"
        for method in ("POST", "PATCH"):
            now = self.api(200, method, path, {"attributes": {"jitter": 3}, "name": "z"})
            self.assertEqual(now["attributes"], {"latency": 100, "jitter": 3})
            self.assertEqual((now["toxicity"], now["name"]), (0.5, "latency_downstream"))
        bad = {"attributes": {"latency": 1, "jitter": "x"}}
        self.assertEqual(self.server.call("PATCH", path, bad)[0], 400)
        self.assertEqual(self.api(200, "GET", path)["attributes"], {"latency": 100, "jitter": 3})
        self.api(204, "DELETE", path)
        self.assertEqual(self.api(200, "GET", "/proxies/p/toxics"), [])


class Links(Case):
    def test_bytes_arrive_whole(self):
        data = os.urandom(3 << 20)
        with dial(self.proxy()["listen"]) as peer:
            sender = threading.Thread(target=peer.sendall, args=(data,))
            sender.start()
            self.assertEqual(receive(peer, len(data)), data)
            sender.join()
        stats = self.stats()
        self.assertEqual(stats["upstream_received_bytes"], len(data))
        self.assertEqual(stats["downstream_sent_bytes"], len(data))

    def test_dead_upstream_closes_the_client(self):
        with dial(self.proxy(upstream=f"127.0.0.1:{free_port()}")["listen"]) as peer:
            self.assertEqual(peer.recv(1), b"")
        self.assertEqual(self.stats()["dial_failures"], 1)

    def test_latency(self):
        listen = self.proxy()["listen"]
        with dial(listen) as peer:
            self.toxic("latency", attributes={"latency": 100})
            begin = time.monotonic()
            peer.sendall(b"x")
            receive(peer, 1)
            self.assertGreaterEqual(time.monotonic() - begin, 0.1)
            stats = self.stats()["toxics"][0]
            self.assertEqual((stats["connections"], stats["bytes"]), (1, 1))
            self.assertGreaterEqual(stats["delay_ms"], 99)

    def test_bandwidth(self):
        data = os.urandom(50000)
        with dial(self.proxy()["listen"]) as peer:
            self.toxic("bandwidth", attributes={"rate": 100})
            begin = time.monotonic()
            peer.sendall(data)
            self.assertEqual(receive(peer, len(data)), data)
            self.assertGreaterEqual(time.monotonic() - begin, 0.45)

    def test_timeout_closes_and_its_removal_too(self):
        listen = self.proxy()["listen"]
        self.toxic("timeout", attributes={"timeout": 50})
        with dial(listen) as peer:
            peer.sendall(b"x")
            self.assertEqual(receive(peer, 1), b"")
        self.api(200, "PATCH", "/proxies/p/toxics/timeout_downstream",
                 {"attributes": {"timeout": 0}})
        with dial(listen) as peer:
            peer.sendall(b"x")
            until(lambda: self.stats()["toxics"][0]["bytes_dropped"] >= 2, "the drop is counted")
            self.api(204, "DELETE", "/proxies/p/toxics/timeout_downstream")
            self.assertEqual(receive(peer, 1), b"")

    def test_reset_peer(self):
        listen = self.proxy()["listen"]
        self.toxic("reset_peer", stream="upstream")
        with dial(listen) as peer:
            peer.sendall(b"x")
            with self.assertRaises(ConnectionResetError):
                peer.recv(1)

    def test_disable_cuts_under_traffic(self):
        source = Upstream(stream)
        made = self.proxy(upstream=source.address)
        peers = [dial(made["listen"]) for _ in range(10)]
        for peer in peers:
            receive(peer, 1000)
        for _ in range(3):
            self.api(200, "POST", "/proxies/p", {"enabled": False})
            self.assert_refuses(made["listen"])
            self.api(200, "POST", "/proxies/p", {"enabled": True})
        for peer in peers:
            with contextlib.suppress(ConnectionResetError):
                while peer.recv(1 << 20):
                    pass
            peer.close()
        self.assertEqual(self.stats()["connections_cut"], 10)
        until(lambda: self.stats()["connections_open"] == 0, "no connection is left")
        source.close()

    def test_stalled_receiver_disturbs_nobody(self):
        source = Upstream(stream)
        listen = self.proxy(upstream=source.address)["listen"]
        other = self.proxy("other")["listen"]
        stalled = dial(listen)
        last = [-1]

        def settled():
            now = self.stats()["downstream_sent_bytes"]
            same = now == last[0]
            last[0] = now
            time.sleep(0.05)
            return same
        until(settled, "the receiver's buffers are full")
        for _ in range(20):
            self.toxic("latency", attributes={"latency": 10})
            self.api(204, "DELETE", "/proxies/p/toxics/latency_downstream")
        with dial(other) as peer:
            peer.sendall(b"x")
            self.assertEqual(receive(peer, 1), b"x")
        stalled.close()
        until(lambda: self.stats()["connections_open"] == 0, "the stalled connection is gone")
        source.close()

    def test_no_byte_is_lost_while_toxics_toggle(self):
        data = os.urandom(4 << 20)
        stop = threading.Event()
        listen = self.proxy()["listen"]

        def toggle():
            while not stop.is_set():
                self.toxic("latency", attributes={"latency": 20, "jitter": 5})
                self.api(204, "DELETE", "/proxies/p/toxics/latency_downstream")
        toggler = threading.Thread(target=toggle)
        with dial(listen) as peer:
            sender = threading.Thread(target=peer.sendall, args=(data,))
            toggler.start()
            sender.start()
            got = receive(peer, len(data))
            stop.set()
            sender.join()
            toggler.join()
        self.assertEqual(got, data)

    def test_a_fast_stream_stays_whole_while_toxics_toggle(self):
        # Bytes that are in a pipe between the sockets when a toxic comes or goes.
        block = os.urandom((1 << 20) - 7)
        count = 200
        source = Upstream(lambda peer: [peer.sendall(block) for _ in range(count)])
        listen = self.proxy(upstream=source.address)["listen"]
        stop = threading.Event()

        def toggle():
            while not stop.is_set():
                for kind, attributes in (("latency", {"latency": 1}),
                                         ("bandwidth", {"rate": 500000}), ("slicer", {})):
                    self.toxic(kind, attributes=attributes)
                    self.api(204, "DELETE", f"/proxies/p/toxics/{kind}_downstream")
        toggler = threading.Thread(target=toggle)
        got, want = hashlib.sha256(), hashlib.sha256()
        size = 0
        with dial(listen) as peer:
            toggler.start()
            while part := peer.recv(1 << 20):
                got.update(part)
                size += len(part)
            stop.set()
            toggler.join()
        for _ in range(count):
            want.update(block)
        self.assertEqual(size, count * len(block))
        self.assertEqual(got.digest(), want.digest())
        until(lambda: self.stats()["connections_open"] == 0, "the connection is gone")
        stats = self.stats()
        self.assertEqual(stats["downstream_received_bytes"], size)
        self.assertEqual(stats["downstream_sent_bytes"], size)
        source.close()

    def test_dying_clients_while_toxics_toggle(self):
        source = Upstream(stream)
        listen = self.proxy(upstream=source.address)["listen"]
        before = self.server.fds()
        stop = threading.Event()

        def die_young():
            while not stop.is_set():
                peer = dial(listen)
                receive(peer, 1000)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
        clients = [threading.Thread(target=die_young) for _ in range(6)]
        for client in clients:
            client.start()
        for _ in range(50):
            self.toxic("latency", attributes={"latency": 10})
            self.api(204, "DELETE", "/proxies/p/toxics/latency_downstream")
        stop.set()
        for client in clients:
            client.join()
        until(lambda: self.stats()["connections_open"] == 0, "all connections are gone")
        until(lambda: self.server.fds() <= before + 1, "descriptors are given back")
        source.close()

    def test_hanging_dial_blocks_nobody(self):
        # A full backlog: the kernel drops further SYNs, so the dial hangs.
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        listen = self.proxy(upstream="127.0.0.1:%d" % address[1])["listen"]
        clients = [dial(listen) for _ in range(3)]
        until(lambda: self.stats()["connections_open"] == 3, "all clients are dialled for")
        self.api(200, "POST", "/proxies/p", {"enabled": False})
        for client in clients:
            self.assertEqual(client.recv(1), b"")
            client.close()
        self.api(204, "DELETE", "/proxies/p")
        for filler in fillers:
            filler.close()
        full.close()

    def test_rate_zero_blocks_and_its_removal_returns(self):
        with dial(self.proxy()["listen"]) as peer:
            for way in ("upstream", "downstream"):
                self.toxic("bandwidth", stream=way, attributes={"rate": 0})
            peer.sendall(b"x" * 10000)
            self.assertEqual(select.select([peer], [], [], 0.1)[0], [])
            for way in ("upstream", "downstream"):
                self.api(204, "DELETE", f"/proxies/p/toxics/bandwidth_{way}")
            self.assertEqual(receive(peer, 10000), b"x" * 10000)


class Exhaustion(Case):
    files = 100

    def test_running_out_of_descriptors_is_survived(self):
        listen = self.proxy()["listen"]
        peers = []
        for _ in range(80):
            peers.append(dial(listen))
        until(lambda: self.stats()["accept_failures"] > 0, "descriptors run out")
        self.toxic("latency")
        self.api(204, "DELETE", "/proxies/p/toxics/latency_downstream")
        for peer in peers:
            peer.close()
        until(lambda: self.stats()["connections_open"] == 0, "all connections are gone")
        with dial(listen) as peer:
            peer.sendall(b"x")
            self.assertEqual(receive(peer, 1), b"x")


class Metrics(Case):
    flags = ("-proxy-metrics", "-runtime-metrics")

    def test_metrics(self):
        made = self.proxy()
        with dial(made["listen"]) as peer:
            peer.sendall(b"hello")
            receive(peer, 5)
            status, headers, text = self.server.raw("POST", "/metrics")
        self.assertEqual((status, headers["Content-Type"]),
                         (200, "text/plain; version=0.0.4; charset=utf-8"))
        labels = f'listener="{made["listen"]}",proxy="p",upstream="{made["upstream"]}"'
        for family in ("received", "sent"):
            name = f"toxiproxy_proxy_{family}_bytes_total"
            self.assertIn(f"# HELP {name} \n# TYPE {name} counter\n", text)
            for way in ("upstream", "downstream"):
                self.assertIn(f'{name}{{direction="{way}",{labels}}} 5\n', text)
        self.assertTrue(re.search("^go_info", text, re.M))
        self.assertTrue(re.search("^process_open_fds [0-9]+$", text, re.M))


class Process(harness.Case):
    def test_busy_port_is_exit_1(self):
        with socket.create_server(("127.0.0.1", 0)) as busy:
            port = str(busy.getsockname()[1])
            done = subprocess.run([*SERVER, "-port", port], capture_output=True, text=True,
                                  timeout=WAIT, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(port, done.stderr)

    def test_config_is_loaded_before_the_api_listens(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
            config.write('[{"name":"c","upstream":"u:1","listen":"localhost:0"}, {"name":"bad"}]')
            config.flush()
            server = Server("-config", config.name)
            self.assertEqual(server.call("GET", "/proxies"), (200, {}))
            self.assertEqual(server.stop(), 0)
            config.seek(0)
            config.truncate()
            config.write('[{"name":"c","upstream":"u:1","listen":"localhost:0"}]')
            config.flush()
            server = Server("-config", config.name)
            dial(server.call("GET", "/proxies/c")[1]["listen"]).close()
            self.assertEqual(server.stop(), 0)

    def test_version_and_usage(self):
        done = subprocess.run([*SERVER, "-version"], capture_output=True, text=True, timeout=WAIT,
                              check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "toxiproxy-server version 2.12.0\n"))
        done = subprocess.run([*SERVER, "-nope"], capture_output=True, text=True, timeout=WAIT,
                              check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    harness.main()
