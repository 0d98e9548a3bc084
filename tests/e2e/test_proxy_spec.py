# SPDX-License-Identifier: MIT
"""Toxiproxy's HTTP API row by row: transport, JSON, resources, endpoints, errors, addresses.

Each table was taken down from the wire of the real server; where we differ on purpose, the row says
so. Requests are raw bytes where a client library would tidy them up.
"""
import json
import re
import socket
import struct
import time

import harness

from proxyharness import SERVER, WAIT, Case, Server, dial, free_port, receive, until

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
ID = "X-Toxiproxy-Request-Id"
BAD = "bad request body: "


def exchange(port, request, close=True):
    """Sends bytes, returns (status line, headers, body) of the answer to a request that closes."""
    with dial(f"127.0.0.1:{port}") as peer:
        peer.sendall(request)
        if not close:
            peer.shutdown(socket.SHUT_WR)
        data = receive(peer, 1 << 24)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return lines[0], dict(line.split(": ", 1) for line in lines[1:]), body.decode()


def request(method, path, body=b"", headers=(), version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: x", "Connection: close",
             f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Transport(Case):
    def get(self, path, method="GET", **more):
        line, headers, body = exchange(self.server.port, request(method, path, **more))
        return int(line.split()[1]), headers, body

    def test_versions_and_connections(self):
        line, headers, body = exchange(self.server.port, b"GET /version HTTP/1.0\r\n\r\n")
        self.assertEqual(line, "HTTP/1.0 200 OK")
        self.assertEqual(body, '{"version": "2.12.0"}\n')
        line, headers, _ = exchange(self.server.port, request("GET", "/version"))
        self.assertEqual(line, "HTTP/1.1 200 OK")
        self.assertIn("Date", headers)
        self.assertEqual(headers["Connection"], "close")
        with dial(f"127.0.0.1:{self.server.port}") as peer:
            for _ in range(3):
                peer.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = b""
                while not answer.endswith(b"}\n"):
                    answer += peer.recv(4096)
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
                self.assertNotIn(b"Connection: close", answer)

    def test_pipelined_requests_are_answered_in_order(self):
        one = b"GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n"
        with dial(f"127.0.0.1:{self.server.port}") as peer:
            peer.sendall(one % (b"version", b"") + one % (b"nope", b"")
                         + one % (b"proxies", b"Connection: close\r\n"))
            data = receive(peer, 1 << 20)
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", data), [b"200", b"404", b"200"])

    def test_no_compression_and_no_cors(self):
        _, headers, _ = self.get("/version", headers=("Accept-Encoding: gzip", "Origin: http://a"))
        self.assertFalse([h for h in headers if h.lower().startswith("access-control")])
        self.assertNotIn("Content-Encoding", headers)

    def test_which_answers_carry_a_request_id(self):
        for method, path, agent, want in (
                ("GET", "/version", "x", True), ("GET", "/proxies/nope", "x", True),
                ("POST", "/proxies", "x", True), ("GET", "/version", "Mozilla/1", True),
                ("DELETE", "/proxies/nope", "x", True), ("GET", "/nope", "x", False),
                ("GET", "/nope", "Mozilla/1", False), ("PUT", "/proxies", "x", False),
                ("PUT", "/proxies", "Mozilla/1", False), ("GET", "//version", "x", False)):
            _, headers, _ = self.get(path, method, headers=(f"User-Agent: {agent}",))
            self.assertEqual(ID in headers, want, (method, path, agent))

    def test_paths(self):
        self.proxy("a b")
        self.proxy("é")
        self.proxy("x.y~z")
        for path, want in (
                ("/proxies/a%20b", 200), ("/proxies/%C3%A9", 200), ("/proxies/x.y~z", 200),
                ("/proxies/%61%20b", 200), ("/%70roxies", 200), ("/proxies/a+b", 404),
                ("/PROXIES", 404), ("/proxies/", 404),
                ("/proxies/a%20b/", 404), ("/proxies/a%2Fb", 404), ("/proxies/a%20b/toxics/", 404),
                ("/proxies//toxics", 301), ("/proxies/./a", 301), ("/proxies/..", 301),
                ("/version/", 404), ("/version?a=b&c", 200), ("/version%00", 404)):
            line, _, _ = exchange(self.server.port, request("GET", path))
            self.assertEqual(int(line.split()[1]), want, path)

    def test_methods(self):
        self.proxy()
        self.toxic("noop")
        table = {
            "/version": "GET", "/proxies": "GET POST", "/proxies/p": "GET POST PATCH DELETE",
            "/proxies/p/toxics": "GET POST", "/reset": "POST", "/populate": "POST",
            "/proxies/p/toxics/noop_downstream": "GET POST PATCH DELETE"}
        for path, known in table.items():
            for method in ("HEAD", "PUT", "OPTIONS", "TRACE", "GET", "POST", "PATCH", "DELETE"):
                if method in known.split():
                    continue
                status, headers, body = self.get(path, method)
                self.assertEqual((status, body), (405, ""), (method, path))
                self.assertEqual(headers["Content-Length"], "0")
                self.assertNotIn("Allow", headers)

    def test_content_types(self):
        self.proxy()
        self.toxic("noop")
        toxic = "/proxies/p/toxics/noop_downstream"
        for method, path, body, status, kind in (
                ("GET", "/version", b"", 200, "application/json;charset=utf-8"),
                ("GET", "/proxies", b"", 200, JSON), ("GET", "/proxies/p", b"", 200, JSON),
                ("POST", "/proxies/p", b"{}", 200, JSON), ("PATCH", "/proxies/p", b"{}", 200, JSON),
                ("GET", "/proxies/p/toxics", b"", 200, JSON), ("GET", toxic, b"", 200, JSON),
                ("POST", toxic, b"{}", 200, JSON), ("PATCH", toxic, b"{}", 200, JSON),
                ("POST", "/populate", b"[]", 201, JSON), ("POST", "/populate", b"{", 400, JSON),
                ("POST", "/reset", b"", 204, None), ("DELETE", toxic, b"", 404, PLAIN),
                ("DELETE", "/proxies/p", b"", 204, None), ("GET", "/proxies/p", b"", 404, PLAIN),
                ("POST", "/proxies", b"", 400, PLAIN)):
            got, headers, text = self.get(path, method, body=body)
            self.assertEqual((got, headers.get("Content-Type")), (status, kind), (method, path))
            self.assertEqual(headers.get("X-Content-Type-Options"),
                             "nosniff" if kind == PLAIN else None)
            if kind == PLAIN:
                self.assertTrue(text.endswith("}\n"))
                self.assertEqual(json.loads(text)["status"], status)
            elif status == 204:
                self.assertEqual(text, "")
            elif path != "/version":
                self.assertFalse(text.endswith("\n"))

    def test_a_body_over_the_limit_is_refused(self):
        with dial(f"127.0.0.1:{self.server.port}") as peer:
            peer.sendall(b"POST /proxies HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
            self.assertIn(b" 413 ", peer.recv(4096))
        self.assertEqual(self.get("/version")[0], 200)


# body of POST /proxies: what must come of it. None = accepted.
BODIES = (
    ('{"name":"p","upstream":"u:1"} garbage', None),
    (' \r\n\t{"name":"p","upstream":"u:1"}', None),
    ('\ufeff{"name":"p","upstream":"u:1"}', BAD),
    ('{"NAME":"p","uPsTrEaM":"u:1","ENABLED":false}', None),
    ('{"name":"x","name":"p","upstream":"u:1"}', None),
    ('{"name":"x","upstream":"u:1","NAME":"p"}', None),
    ('{"name":"p","upstream":"u:1","what":[{"ever":1}]}', None),
    ('{"name":"p","upstream":"u:1","n":18446744073709551616}', None),
    ('{"name":"p","upstream":"u:1","n":-99999999999999999999999}', None),
    ('{"name":"p","upstream":"u:1","n":1e999,"m":[-1e999,1E+400]}', None),
    ('{"name":"p","upstream":"u:1","n":"\\u0000\\ud800\\udc00 \\ud800"}', None),
    ('{"name":"p","upstream":"u:1","n":"\\udc00\\ud800\\u0041"}', None),
    ('{"name":"p","upstream":"u:1","n\\u0000":1}', None),
    ('{"name":"p","upstream":"u:1","toxics":[1],"Logger":{"a":1}}', None),
    ('{"name":"p","upstream":"u:1","toxics":"x","Logger":null}', None),
    ('{"name":"p","upstream":"u:1","Logger":1}', BAD),
    ('{"name":"p","upstream":"u:1","listen":null,"enabled":null}', None),
    ('null', "missing required field: name"),
    ('{}', "missing required field: name"),
    ('{"name":"","upstream":""}', "missing required field: name"),
    ('{"name":"p"}', "missing required field: upstream"),
    ('{"name":"p","upstream":""}', "missing required field: upstream"),
    ('', BAD + "EOF"),
    (' \n', BAD + "EOF"),
    ('{', BAD + "unexpected EOF"),
    ('{"name":"p"', BAD + "unexpected EOF"),
    ('{"name":"p","upstream":"u', BAD + "unexpected EOF"),
    ('x', BAD + "invalid character 'x' looking for beginning of value"),
    ('{name:"p"}', BAD), ("{'name':'p'}", BAD), ('{"name":"p",}', BAD), ('[1,]', BAD),
    ('{"name":"a\nb","upstream":"u:1"}', BAD), ('{"name":"\\x","upstream":"u:1"}', BAD),
    ('{"name":"\\u12","upstream":"u:1"}', BAD), ('{"name":01}', BAD), ('{"name":+1}', BAD),
    ('[]', BAD + "json: cannot unmarshal array into Go value of type toxiproxy.Proxy"),
    ('"x"', BAD + "json: cannot unmarshal string into Go value of type toxiproxy.Proxy"),
    ('5', BAD + "json: cannot unmarshal number into Go value of type toxiproxy.Proxy"),
    ('true', BAD + "json: cannot unmarshal bool into Go value of type toxiproxy.Proxy"),
    ('{"name":5}', BAD + "json: cannot unmarshal number into Go struct field Proxy.name of type"
     " string"),
    ('{"listen":[]}', BAD + "json: cannot unmarshal array into Go struct field Proxy.listen of type"
     " string"),
    ('{"upstream":{}}', BAD + "json: cannot unmarshal object into Go struct field Proxy.upstream of"
     " type string"),
    ('{"enabled":"true"}', BAD + "json: cannot unmarshal string into Go struct field Proxy.enabled"
     " of type bool"),
    ('{"enabled":1}', BAD + "json: cannot unmarshal number into Go struct field Proxy.enabled of"
     " type bool"),
)

# a name as JSON text, and as it comes back
NAMES = (
    (b'"plain"', "plain"), (b'"<&>"', r"\u003c\u0026\u003e"),
    (b'"\\u2028\\u2029"', r"\u2028\u2029"),
    (b'"a\\nb\\rc\\td\\"e\\\\f"', r'a\nb\rc\td\"e\\f'), (b'"\\u0001\\u001f"', r"\u0001\u001f"),
    (b'"\\b\\f"', r"\u0008\u000c"), (b'"\x7f"', "\x7f"), (b'"\\u00e9"', "é"),
    (b'"\\ud83d\\ude00"', "\U0001f600"), (b'"a\xffb"', "a\ufffdb"),
    (b'"\xed\xa0\x80"', "\ufffd" * 3),
    (b'"\\ud800"', "\ufffd"), (b'"\\udc00x"', "\ufffdx"), (b'"\\ud800\\u0041"', "\ufffdA"),
    (b'"\\ud800\\ud83d\\ude00"', "\ufffd\U0001f600"), (b'"\\/"', "/"),
    # Ours: Go keeps the NUL; no client library sends one.
    (b'"a\\u0000b"', "a\ufffdb"),
)

TOXICITIES = (
    ("1", "1"), ("0", "0"), ("0.1", "0.1"), ("0.3333333333", "0.33333334"),
    ("0.30000001192092896", "0.3"), ("2", "2"), ("-1", "-1"), ("1e21", "1e+21"), ("1e-7", "1e-7"),
    ("1e-6", "0.000001"), ("1e20", "100000000000000000000"), ("0.70", "0.7"), ("1E0", "1"),
    ("18446744073709551616", "18446744000000000000"), ("1e39", None), ("-1e39", None),
    ("1e999", None), ('"1"', None), ("true", None), ("null", "1"), ("[]", None))

INTEGERS = (
    ("0", 0), ("-5", -5), ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -2**63),
    ("9223372036854775808", None), ("-9223372036854775809", None), ("100.0", None), ("1e2", None),
    ("100.5", None), ('"100"', None), ("true", None), ("[]", None), ("{}", None), ("null", 0),
    ("123456789012345678901234567890", None))


class Json(Case):
    def restart(self):
        """A name with a slash cannot be deleted."""
        self.assertEqual(self.server.stop(), 0)
        self.server = Server()

    def test_bodies(self):
        for body, want in BODIES:
            with self.subTest(body=body):
                status, _, answer = self.server.raw("POST", "/proxies", body.encode())
                if want is None:
                    self.assertEqual(status, 201, answer)
                    self.assertEqual(self.server.raw("DELETE", "/proxies/p")[0], 204)
                else:
                    self.assertEqual(status, 400)
                    self.assertTrue(json.loads(answer)["error"].startswith(want), answer)

    def test_names(self):
        for name, want in NAMES:
            body = b'{"name":' + name + b',"upstream":"u:1","enabled":false,"listen":"l"}'
            status, _, answer = self.server.raw("POST", "/proxies", body)
            self.assertEqual((status, answer), (
                201, f'{{"name":"{want}","listen":"l","upstream":"u:1","enabled":false,'
                '"Logger":{},"toxics":[]}'), name)
            self.assertIn(f'"{want}":{answer}', self.server.raw("GET", "/proxies")[2])
            self.restart()

    def test_toxicities(self):
        self.proxy()
        for text, want in TOXICITIES:
            status, _, answer = self.server.raw(
                "POST", "/proxies/p/toxics", '{"type":"noop","toxicity":%s}' % text)
            self.assertEqual(status, 400 if want is None else 200, (text, answer))
            if want is not None:
                self.assertTrue(answer.endswith(f'"toxicity":{want}}}'), answer)
                self.api(204, "DELETE", "/proxies/p/toxics/noop_downstream")

    def test_integers(self):
        self.proxy()
        for text, want in INTEGERS:
            status, _, answer = self.server.raw(
                "POST", "/proxies/p/toxics",
                '{"type":"latency","attributes":{"latency":%s}}' % text)
            self.assertEqual(status, 400 if want is None else 200, (text, answer))
            if want is None:
                self.assertTrue(json.loads(answer)["error"].startswith(BAD))
            else:
                self.assertIn(f'"latency":{want},', answer)
                self.api(204, "DELETE", "/proxies/p/toxics/latency_downstream")


class Toxics(Case):
    def test_output_and_order_of_attributes(self):
        self.proxy()
        for kind, attributes in (
                ("latency", '{"latency":0,"jitter":0}'), ("bandwidth", '{"rate":0}'),
                ("slow_close", '{"delay":0}'), ("timeout", '{"timeout":0}'),
                ("reset_peer", '{"timeout":0}'), ("limit_data", '{"bytes":0}'), ("noop", "{}"),
                ("slicer", '{"average_size":0,"size_variation":0,"delay":0}')):
            self.assertEqual(
                self.server.raw("POST", "/proxies/p/toxics", json.dumps({"type": kind}))[::2],
                (200, f'{{"attributes":{attributes},"name":"{kind}_downstream","type":"{kind}",'
                 '"stream":"downstream","toxicity":1}'))

    def test_names_streams_and_order(self):
        self.proxy()
        for body, name, stream in (
                ({"type": "noop"}, "noop_downstream", "downstream"),
                ({"type": "noop", "stream": "DownStream"}, "noop_DownStream", "DownStream"),
                ({"type": "noop", "stream": "UPSTREAM"}, "noop_UPSTREAM", "UPSTREAM"),
                ({"type": "noop", "stream": "upstream", "name": ""}, "noop_upstream", "upstream"),
                ({"type": "noop", "stream": None, "name": "n"}, "n", "downstream")):
            made = self.api(200, "POST", "/proxies/p/toxics", body)
            self.assertEqual((made["name"], made["stream"]), (name, stream))
        listed = [t["name"] for t in self.api(200, "GET", "/proxies/p")["toxics"]]
        self.assertEqual(listed, ["noop_UPSTREAM", "noop_upstream", "noop_downstream",
                                  "noop_DownStream", "n"])
        self.assertEqual([t["name"] for t in self.api(200, "GET", "/proxies/p/toxics")], listed)

    def test_order_of_checks(self):
        self.proxy()
        path = "/proxies/p/toxics"
        self.api(200, "POST", path, {"type": "noop", "name": "there"})
        invalid = "stream was invalid, can be either upstream or downstream"
        for where, body, status, want in (
                ("/proxies/x/toxics", "garbage", 404, "proxy not found"),
                (path, '{"type":"x","stream":"y","name":"there","attributes":1}', 400, BAD),
                (path, '{"type":"x","stream":"y","name":5}', 400, BAD),
                (path, '{"type":"x","stream":"y","name":"there"}', 400, invalid),
                (path, '{"type":"x","stream":""}', 400, invalid),
                (path, '{"type":"x","name":"there"}', 400, "invalid toxic type"),
                (path, '{"type":"Latency"}', 400, "invalid toxic type"),
                (path, '{"type":null}', 400, "invalid toxic type"),
                (path, '{"type":"latency","name":"there","attributes":{"latency":"x"}}', 409,
                 "toxic already exists"),
                (path, '{"type":"latency","attributes":{"latency":"x"}}', 400, BAD),
                (path, '[]', 400, BAD), (path, '', 400, BAD + "EOF")):
            got, _, answer = self.server.raw("POST", where, body)
            self.assertEqual(got, status, (body, answer))
            self.assertTrue(json.loads(answer)["error"].startswith(want), (body, answer))
        self.assertEqual(len(self.api(200, "GET", path)), 1)

    def test_update(self):
        self.proxy()
        self.toxic("latency", attributes={"latency": 5, "jitter": 6}, toxicity=0.5)
        path = "/proxies/p/toxics/latency_downstream"
        for body, want in (
                ('{"attributes":{"jitter":7}}', (5, 7, 0.5)), ("{}", (5, 7, 0.5)),
                ("null", (5, 7, 0.5)), ('{"toxicity":0}', (5, 7, 0)),
                ('{"attributes":null,"toxicity":null}', (5, 7, 0)),
                ('{"attributes":{"latency":null,"JITTER":8,"x":1}}', (5, 8, 0)),
                ('{"name":"n","type":"noop","stream":"upstream","attributes":{"latency":1}} more',
                 (1, 8, 0))):
            for method in ("POST", "PATCH"):
                status, _, answer = self.server.raw(method, path, body)
                now = json.loads(answer)
                self.assertEqual((status, now["name"], now["type"], now["stream"]),
                                 (200, "latency_downstream", "latency", "downstream"), body)
                self.assertEqual((now["attributes"]["latency"], now["attributes"]["jitter"],
                                  now["toxicity"]), want, body)
        for body in ('{"attributes":5}', '{"attributes":{"latency":"x"}}', "", "[]"):
            self.assertEqual(self.server.raw("PATCH", path, body)[0], 400, body)
        self.error(404, "proxy not found", "PATCH", "/proxies/x/toxics/y")
        self.error(404, "toxic not found", "PATCH", "/proxies/p/toxics/y")

    def test_on_a_disabled_proxy(self):
        self.proxy(enabled=False)
        self.toxic("latency")
        self.api(200, "POST", "/proxies/p", {"enabled": True})
        self.assertEqual(len(self.api(200, "GET", "/proxies/p/toxics")), 1)
        self.api(200, "POST", "/proxies/p", {"upstream": "u:2"})
        self.api(200, "POST", "/proxies/p", {"enabled": False})
        self.assertEqual(len(self.api(200, "GET", "/proxies/p/toxics")), 1)


class Proxies(Case):
    def test_order_of_checks_on_create(self):
        made = self.proxy()
        for body, status, want in (
                ({"name": "p", "listen": "bad"}, 400, "missing required field: upstream"),
                ({"name": "p", "upstream": "u:1", "listen": "bad"}, 409, "proxy already exists"),
                ({"name": "q", "upstream": "u:1", "listen": "bad"}, 500,
                 "listen tcp: address bad: missing port in address"),
                ({"name": "q", "upstream": "u:1", "listen": made["listen"]}, 500,
                 f"listen tcp {made['listen']}: bind: address already in use")):
            self.error(status, want, "POST", "/proxies", body)
        self.assertEqual(list(self.api(200, "GET", "/proxies")), ["p"])
        # A bad address is found when it is needed.
        self.api(201, "POST", "/proxies", {"name": "q", "upstream": "u:1", "listen": "bad",
                                           "enabled": False})
        self.error(500, "address bad: missing port in address", "POST", "/proxies/q",
                   {"enabled": True})
        self.error(500, "listen tcp: address bad: missing port in address", "POST", "/reset")

    def test_listen_addresses(self):
        port = free_port()
        for listen, want in (
                ("", r"^\[::\]:\d+$"), (":0", r"^\[::\]:\d+$"), ("0.0.0.0:", r"^\[::\]:\d+$"),
                ("localhost:0", r"^127\.0\.0\.1:\d+$"), ("127.0.0.1:", r"^127\.0\.0\.1:\d+$"),
                ("[::1]:0", r"^\[::1\]:\d+$"), ("127.0.0.2:0", r"^127\.0\.0\.2:\d+$"),
                (f"LOCALHOST:{port}", f"^127.0.0.1:{port}$")):
            with self.subTest(listen=listen):
                status, answer = self.server.call("POST", "/proxies", {
                    "name": "p", "upstream": "u:1", "listen": listen})
                self.assertEqual(status, 201, answer)
                self.assertRegex(answer["listen"], want)
                self.api(204, "DELETE", "/proxies/p")

    def test_bad_listen_addresses(self):
        for listen, create, update in (
                ("bad", "listen tcp: address bad: missing port in address",
                 "address bad: missing port in address"),
                ("h:99999", "listen tcp: address 99999: invalid port",
                 "address 99999: invalid port"),
                ("h:-1", "listen tcp: address -1: invalid port", "address -1: invalid port"),
                ("h:abc", "listen tcp: address tcp/abc: unknown port",
                 "address tcp/abc: unknown port"),
                ("::1:18990", "listen tcp: address ::1:18990: too many colons in address",
                 "address ::1:18990: too many colons in address"),
                ("[::1]", "listen tcp: address [::1]: missing port in address",
                 "address [::1]: missing port in address"),
                ("[::1:80", "listen tcp: address [::1:80: missing ']' in address",
                 "address [::1:80: missing ']' in address")):
            self.error(500, create, "POST", "/proxies", {"name": "x", "upstream": "u:1",
                                                         "listen": listen})
            made = self.proxy()
            self.error(500, update, "POST", "/proxies/p", {"listen": listen, "upstream": "new:1"})
            self.assertEqual(self.api(200, "GET", "/proxies/p"), made)
            self.api(204, "DELETE", "/proxies/p")

    def test_what_an_update_changes(self):
        made = self.proxy()
        port = made["listen"].rsplit(":", 1)[1]
        other = free_port()
        for body, cuts, want in (
                ({}, False, {}), ({"name": "new"}, False, {}), ({"enabled": True}, False, {}),
                ({"listen": f"localhost:{port}"}, False, {}),
                ({"listen": None, "upstream": None, "enabled": None}, False, {}),
                ({"upstream": made["upstream"]}, False, {}),
                ({"upstream": self.echo.address.replace("127.0.0.1", "localhost")}, True,
                 {"upstream": self.echo.address.replace("127.0.0.1", "localhost")}),
                ({"listen": f"127.0.0.1:{other}"}, True, {"listen": f"127.0.0.1:{other}"}),
                ({"listen": "127.0.0.1:0"}, True, None),
                ({"upstream": ""}, True, {"upstream": ""}),
                ({"enabled": False}, False, {"enabled": False}),
                ({"enabled": False}, False, {"enabled": False})):
            with self.subTest(body=body):
                before = self.stats()["connections_cut"]
                peer = None
                if self.api(200, "GET", "/proxies/p")["upstream"] and made["enabled"]:
                    peer = dial(made["listen"])
                    peer.sendall(b"x")
                    receive(peer, 1)
                made_now = self.api(200, "POST", "/proxies/p", body)
                if want is not None:
                    self.assertEqual(made_now, dict(made, **want))
                made = made_now
                if peer:
                    self.assertEqual(self.stats()["connections_cut"] - before,
                                     1 if cuts else 0)
                    peer.close()
                    until(lambda: self.stats()["connections_open"] == 0, "it is closed")

    def test_port_zero_is_kept_over_disable_and_enable(self):
        made = self.proxy()
        self.api(200, "POST", "/proxies/p", {"enabled": False})
        self.assertEqual(self.api(200, "POST", "/proxies/p", {"enabled": True}), made)

    def test_wildcard_spellings_differ_on_update(self):
        made = self.proxy(listen=":0")
        port = made["listen"].rsplit(":", 1)[1]
        # Ours: Toxiproxy takes these for changes and restarts; nothing is bound differently.
        for listen in (f":{port}", f"0.0.0.0:{port}", f"[::]:{port}"):
            with dial(f"127.0.0.1:{port}") as peer:
                peer.sendall(b"x")
                receive(peer, 1)
                self.assertEqual(self.api(200, "POST", "/proxies/p", {"listen": listen}), made)
                peer.sendall(b"y")
                self.assertEqual(receive(peer, 1), b"y")

    def test_names_that_no_path_reaches(self):
        for name in ("a/b", "..", "."):
            self.proxy(name)
        self.assertEqual(self.server.raw("GET", "/proxies/a%2Fb")[0], 404)
        self.assertEqual(sorted(self.api(200, "GET", "/proxies")), [".", "..", "a/b"])


class Populate(Case):
    def test_rows(self):
        port = free_port()
        keep = {"name": "keep", "listen": f"localhost:{port}", "upstream": "u:1"}
        self.api(201, "POST", "/populate", [keep])
        self.toxic("latency", "keep")
        # Its enabled state stays, whatever the item says.
        now = self.api(201, "POST", "/populate", [dict(keep, enabled=False)])["proxies"][0]
        self.assertEqual((now["enabled"], len(now["toxics"])), (True, 1))
        self.api(200, "POST", "/proxies/keep", {"enabled": False})
        now = self.api(201, "POST", "/populate", [keep])["proxies"][0]
        self.assertEqual((now["enabled"], len(now["toxics"])), (False, 1))
        # One that differs is replaced, toxics and all.
        now = self.api(201, "POST", "/populate", [dict(keep, upstream="u:2")])["proxies"][0]
        self.assertEqual((now["enabled"], now["toxics"], now["upstream"]), (True, [], "u:2"))

    def test_checks_come_first(self):
        for body, want in (
                ([{"name": "a", "upstream": "u:1"}, {"name": ""}],
                 "missing required field: name at proxy 2"),
                ([{"name": "a"}, {"name": ""}], "missing required field: upstream at proxy 1"),
                ([{"name": 5}], BAD), ({"name": "a"}, BAD), ("x", BAD), ([1], BAD)):
            status, answer = self.server.call("POST", "/populate", body)
            self.assertEqual((status, answer["status"], answer["proxies"]), (400, 400, None))
            self.assertTrue(answer["error"].startswith(want), answer)
        for body in ("", "{", "[{]"):
            self.assertEqual(self.server.raw("POST", "/populate", body)[0], 400)
        self.assertEqual(self.api(200, "GET", "/proxies"), {})

    def test_the_same_name_twice(self):
        answer = self.api(201, "POST", "/populate", [
            {"name": "a", "upstream": "u:1", "listen": "localhost:0"},
            {"name": "a", "upstream": "u:2", "listen": "localhost:0"}])
        self.assertEqual([p["upstream"] for p in answer["proxies"]], ["u:1", "u:2"])
        self.assertEqual(self.api(200, "GET", "/proxies/a"), answer["proxies"][1])

    def test_a_failure_in_the_middle(self):
        with socket.create_server(("127.0.0.1", 0)) as busy:
            taken = "127.0.0.1:%d" % busy.getsockname()[1]
            self.proxy("b")
            status, answer = self.server.call("POST", "/populate", [
                {"name": "a", "upstream": "u:1", "listen": "localhost:0"},
                {"name": "b", "upstream": "u:1", "listen": taken},
                {"name": "c", "upstream": "u:1", "listen": "localhost:0"}])
        self.assertEqual((status, answer["error"]), (
            500, f"listen tcp {taken}: bind: address already in use"))
        self.assertEqual([p["name"] for p in answer["proxies"]], ["a"])
        now = self.api(200, "GET", "/proxies")
        self.assertEqual(({k: p["enabled"] for k, p in now.items()}), {"a": True, "b": False})


class Reset(Case):
    def test_every_proxy_is_reset_though_one_fails(self):
        # Ours: Toxiproxy stops at the first failure, in random order.
        with socket.create_server(("127.0.0.1", 0)) as busy:
            taken = "127.0.0.1:%d" % busy.getsockname()[1]
            for name in "abc":
                self.proxy(name, enabled=False)
                self.toxic("latency", name)
            self.api(200, "POST", "/proxies/b", {"listen": taken, "enabled": False})
            self.error(500, f"listen tcp {taken}: bind: address already in use", "POST", "/reset")
        now = self.api(200, "GET", "/proxies")
        self.assertEqual({k: (p["enabled"], len(p["toxics"])) for k, p in now.items()},
                         {"a": (True, 0), "b": (False, 0), "c": (True, 0)})
        self.api(204, "POST", "/reset")

    def test_connections_are_kept(self):
        made = self.proxy()
        self.toxic("latency")
        with dial(made["listen"]) as peer:
            peer.sendall(b"x")
            receive(peer, 1)
            self.api(204, "POST", "/reset")
            peer.sendall(b"y")
            self.assertEqual(receive(peer, 1), b"y")


class Lifecycle(Case):
    def test_sockets(self):
        made = self.proxy()
        with dial(made["listen"]) as peer:
            peer.sendall(b"x")
            receive(peer, 1)
            self.api(200, "POST", "/proxies/p", {"enabled": False})
            self.assertEqual(peer.recv(1), b"")
        self.assert_refuses(made["listen"])
        # The port can be taken again at once, though connections of it linger.
        self.api(200, "POST", "/proxies/p", {"enabled": True})

    def test_disabling_discards_what_toxics_hold(self):
        made = self.proxy()
        self.toxic("bandwidth", attributes={"rate": 0})
        with dial(made["listen"]) as peer:
            peer.sendall(b"x" * 1000)
            until(lambda: self.stats()["downstream_received_bytes"] == 1000, "it is inside")
            self.api(200, "POST", "/proxies/p", {"enabled": False})
            self.assertEqual(peer.recv(1), b"")
        self.assertEqual(self.stats()["downstream_sent_bytes"], 0)


METRIC_LINE = re.compile(
    r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})?'
    r' (-?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|Inf)|NaN)$')


def parse_metrics(text):
    """Prometheus text format, strictly; returns {(name, labels): value} and {name: type}."""
    types, helps, samples, family = {}, set(), {}, None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in helps, f"{name} has two HELP lines, or its samples are torn apart"
            helps.add(name)
            family = name
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family and name not in types, line
            assert kind in ("counter", "gauge", "summary", "histogram", "untyped"), line
            types[name] = kind
        else:
            match = METRIC_LINE.match(line)
            assert match, f"not a sample: {line}"
            assert match[1] == family and family in types, f"outside of its family: {line}"
            key = (match[1], match[2] or "")
            assert key not in samples, f"twice: {line}"
            samples[key] = float(match[3])
    return samples, types


class Metrics(Case):
    flags = ("-proxy-metrics", "-runtime-metrics")

    def metrics(self):
        status, _, text = self.server.raw("GET", "/metrics")
        self.assertEqual(status, 200)
        return parse_metrics(text)

    def test_format_and_absence_at_the_beginning(self):
        samples, types = self.metrics()
        self.assertFalse([n for n, _ in samples if n.startswith(("toxiproxy_", "memchaos_proxy_"))])
        self.assertEqual(samples["promhttp_metric_handler_errors_total", 'cause="encoding"'], 0)
        self.assertEqual(types["process_open_fds"], "gauge")
        for name in ("go_info", "go_goroutines", "go_threads", "process_cpu_seconds_total",
                     "process_max_fds", "process_resident_memory_bytes",
                     "process_virtual_memory_bytes", "process_virtual_memory_max_bytes",
                     "process_start_time_seconds"):
            self.assertIn(name, types)

    def test_victims(self):
        made = self.proxy('p"\\\n')
        path = '/proxies/p"\\\n'.replace("\n", "%0A").replace('"', "%22").replace("\\", "%5C")
        toxic = {"type": "latency", "attributes": {"latency": 20}}
        for _ in range(2):
            self.assertEqual(self.server.call("POST", path + "/toxics", toxic)[0], 200)
            with dial(made["listen"]) as peer:
                peer.sendall(b"12345")
                receive(peer, 5)
            self.assertEqual(self.server.raw("DELETE", path + "/toxics/latency_downstream")[0], 204)
        limit = {"type": "limit_data", "stream": "upstream", "attributes": {"bytes": 1}}
        self.assertEqual(self.server.call("POST", path + "/toxics", limit)[0], 200)
        with dial(made["listen"]) as peer:
            peer.sendall(b"123")
            receive(peer, 10)
        proxy = r'proxy="p\"\\\n"'
        key = ("memchaos_proxy_connections_open", proxy)
        until(lambda: self.metrics()[0][key] == 0, "no connection is left")
        samples, types = self.metrics()
        self.assertEqual(samples["memchaos_proxy_accepts_total", proxy], 3)
        self.assertEqual(types["memchaos_proxy_connections_open"], "gauge")
        for name in ("dial_failures", "accept_failures", "connections_cut"):
            self.assertEqual(samples[f"memchaos_proxy_{name}_total", proxy], 0)
        labels = proxy + ',stream="downstream",toxic="latency_downstream",type="latency"'
        for name, want in (("connections", 2), ("chunks", 2), ("bytes", 10), ("dropped_bytes", 0),
                           ("closes", 0), ("resets", 0)):
            self.assertEqual(samples[f"memchaos_proxy_toxic_{name}_total", labels], want, name)
            self.assertEqual(types[f"memchaos_proxy_toxic_{name}_total"], "counter")
        delay = samples["memchaos_proxy_toxic_delay_seconds_total", labels]
        self.assertGreaterEqual(delay, 0.039)
        self.assertLess(delay, 10)
        labels = proxy + ',stream="upstream",toxic="limit_data_upstream",type="limit_data"'
        self.assertEqual(samples["memchaos_proxy_toxic_closes_total", labels], 1)
        self.assertEqual(samples["memchaos_proxy_toxic_dropped_bytes_total", labels], 2)
        address = f'listener="{made["listen"]}",{proxy},upstream="{made["upstream"]}"'
        name = "toxiproxy_proxy_received_bytes_total"
        self.assertEqual(samples[name, 'direction="upstream",' + address], 13)
        self.assertEqual(self.server.raw("DELETE", path)[0], 204)
        samples, _ = self.metrics()
        self.assertNotIn("memchaos_proxy_accepts_total", {n for n, _ in samples})
        self.assertEqual(samples[name, 'direction="upstream",' + address], 13)

    def test_any_method(self):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            self.assertEqual(self.server.raw(method, "/metrics")[0], 200)


class Log(harness.Case):
    def finish(self):
        code = self.server.stop() if self.server.process.poll() is None else 0
        return super().finish() + ([] if code == 0 else [f"the server ended with {code}"])

    def test_lines(self):
        self.server = Server("-seed", "1", log_level="trace")
        with socket.create_server(("127.0.0.1", 0)) as upstream:
            address = "127.0.0.1:%d" % upstream.getsockname()[1]
            made = self.server.call("POST", "/proxies", {
                "name": "p", "upstream": address, "listen": "localhost:0"})[1]
            peer = dial(made["listen"])
            server, _ = upstream.accept()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            self.assertEqual(server.recv(1), b"")
            server.close()
        dial(made["listen"]).close()
        until(lambda: self.server.events("Unable to open connection to upstream"), "it is logged")
        self.server.call("GET", "/proxies/nope")
        self.server.raw("GET", "/nothing", headers={"User-Agent": "a\"b"})
        self.server.call("POST", "/proxies", {"name": "q", "upstream": "u:1", "listen": "bad"})
        self.assertEqual(self.server.stop(), 0)
        common = {"name": "p", "listen": made["listen"], "upstream": address}
        for message, level, fields in (
                ("Starting Toxiproxy", "info", {"version": "2.12.0"}),
                ("Starting Toxiproxy HTTP server", "info",
                 {"address": f"localhost:{self.server.port}"}),
                ("Started proxy", "info", common), ("Accepted client", "info", common),
                ("Setup connection", "debug", dict(common, direction="upstream")),
                ("Source terminated", "warn", dict(common, bytes=0,
                                                   error="connection reset by peer")),
                ("Unable to open connection to upstream", "error",
                 dict(common, error="connection refused")),
                ("Error did not include status code", "warn", {}),
                ("Terminated proxy", "info", common), ("Shutdown started", "info", {})):
            with self.subTest(message=message):
                events = self.server.events(message)
                self.assertTrue(events, message)
                self.assertEqual(events[0]["level"], level)
                self.assertEqual({k: events[0].get(k) for k in fields}, fields)
                self.assertRegex(events[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
                self.assertEqual(list(events[0])[0], "level")
                self.assertEqual(list(events[0])[-2:], ["time", "message"])
        self.assertIn("client", self.server.events("Accepted client")[0])
        access = [e for e in self.server.log if "handler" in e and "message" not in e]
        self.assertEqual([(e["handler"], e["method"], e["url"], e["status"]) for e in access], [
            ("ProxyCreate", "POST", "/proxies", 201), ("ProxyShow", "GET", "/proxies/nope", 404),
            ("ProxyCreate", "POST", "/proxies", 500)])
        self.assertEqual(list(access[0]), [
            "level", "request_id", "client", "method", "url", "user_agent", "status", "size",
            "duration", "handler", "time"])
        self.assertEqual(access[0]["level"], "debug")
        self.assertGreater(access[0]["duration"], 0)
        self.assertLess(access[0]["duration"], 1000 * WAIT)
        self.assertNotEqual(access[0]["duration"], int(access[0]["duration"]))



class LogLevels(harness.Case):
    def run_with(self, level):
        port = self.free_port()
        process = self.start(*SERVER[1:], "-port", port, env={"LOG_LEVEL": level})
        until(lambda: harness.listens(port), f"the server of level {level!r} listens")
        self.http("GET", f"http://127.0.0.1:{port}/version")
        self.assertEqual(process.stop(15), 0)
        return {json.loads(line)["level"] for line in process.out.splitlines()}

    def test_levels(self):
        everything = {"debug", "info"}
        for level, want in (
                ("trace", everything), ("debug", everything), ("0", everything),
                ("-5", everything), ("info", {"info"}), ("INFO", {"info"}), ("1", {"info"}),
                ("warn", set()), ("error", set()), ("fatal", set()), ("panic", set()),
                ("disabled", set()), ("7", set()), ("", set()),
                # Ours: Toxiproxy's README promises "warning", its server refuses it.
                ("warning", set()), ("nonsense", everything | {"error"})):
            self.assertEqual(self.run_with(level), want, level)


class Signals(harness.Case):
    def run_and_signal(self, number):
        server = Server()
        server.process.send_signal(number)
        return server

    def test_ends(self):
        for number, code in ((2, 0), (15, 0), (1, -1), (3, 2)):
            server = self.run_and_signal(number)
            self.assertEqual(server.process.wait(WAIT), code, number)
            until(lambda s=server: s.events("Shutdown started"), "it is logged")

    def test_ignored(self):
        for number in (10, 13):
            server = self.run_and_signal(number)
            time.sleep(0.01)
            self.assertEqual(server.call("GET", "/version")[0], 200)
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    harness.main()
