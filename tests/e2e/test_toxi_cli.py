#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The commands of toxiproxy-cli: the exact words that scripts read, and what people see."""
import http.server
import json
import os
import pty
import re
import subprocess
import threading
from urllib.parse import quote

from harness import Case, MEMCHAOS, TIME_FACTOR, main

URL = "TOXIPROXY_URL"


class Cli(Case):
    """Each test has a server of its own, named by TOXIPROXY_URL."""

    def setUp(self):
        super().setUp()
        self.port = self.free_port()
        self.start("proxy", "-port", self.port, env={"LOG_LEVEL": "error"})
        self.url = f"http://127.0.0.1:{self.port}"
        self.until(lambda: self.http("GET", self.url + "/version"), "the API answers")

    def cli(self, *args, env=None):
        return self.run_memchaos(*args, env={URL: self.url, "NO_COLOR": "", **(env or {})})

    def ok(self, *args, out=None, env=None):
        """Runs a command that succeeds in silence on stderr; returns what it printed."""
        process = self.cli(*args, env=env)
        self.assertEqual((process.code, process.err), (0, ""), process.describe())
        if out is not None:
            self.assertEqual(process.out, out)
        return process.out

    def fails(self, *args, err, code=1, env=None):
        process = self.cli(*args, env=env)
        self.assertEqual(process.err, err)
        self.assertEqual(process.code, code, process.describe())
        return process.out

    def create(self, name="p1"):
        self.ok("create", "-l", "127.0.0.1:0", "-u", "localhost:20002", name,
                out=f"Created new proxy {name}\n")
        return self.http("GET", f"{self.url}/proxies/{quote(name)}")[1]["listen"]

    def toxic(self, name, proxy="p1"):
        return self.http("GET", f"{self.url}/proxies/{proxy}/toxics/{name}")[1]

    def inspected(self, out, proxy="p1"):
        self.ok("inspect", proxy, out=out)


def line(name, kind, stream, toxicity, *attributes):
    """What inspect prints for one toxic."""
    values = "".join(f"\t{a}" for a in attributes)
    return f"{name}\ttype={kind}\tstream={stream}\ttoxicity={toxicity}\tattributes=[{values}\t]\n"


class Proxies(Cli):
    def test_create_list_toggle_inspect_delete(self):
        self.ok("list", out="")
        listen = self.create("shopify_http")
        row = f"shopify_http\t{listen}\tlocalhost:20002\t%s\t0\n"
        self.ok("list", out=row % "enabled")
        self.ok("toggle", "shopify_http", out="Proxy shopify_http is now disabled\n")
        self.ok("list", out=row % "disabled")
        self.inspected("", "shopify_http")
        self.ok("toggle", "shopify_http", out="Proxy shopify_http is now enabled\n")
        self.ok("list", out=row % "enabled")
        self.ok("delete", "shopify_http", out="Deleted proxy shopify_http\n")
        self.ok("list", out="")

    def test_list_sorts_by_name_and_counts_toxics(self):
        for name in ("b", "a", "C"):
            self.create(name)
        self.ok("toxic", "add", "-t", "noop", "a")
        names = [row.split("\t")[0::4] for row in self.ok("list").splitlines()]
        self.assertEqual(names, [["C", "0"], ["a", "1"], ["b", "0"]])

    def test_a_list_longer_than_the_first_answer_has_room_for(self):
        proxies = [{"name": f"p{i:03}", "listen": "127.0.0.1:0", "upstream": "localhost:1",
                    "enabled": False} for i in range(300)]
        self.assertEqual(self.http("POST", self.url + "/populate", proxies)[0], 201)
        names = [row.split("\t")[0] for row in self.ok("list").splitlines()]
        self.assertEqual(names, [p["name"] for p in proxies])

    def test_every_alias(self):
        listen = self.create()
        row = f"p1\t{listen}\tlocalhost:20002\tenabled\t0\n"
        for word in ("l", "li", "ls", "list"):
            self.ok(word, out=row)
        for word in ("i", "ins"):
            self.ok(word, "p1", out="")
        self.ok("tog", "p1", out="Proxy p1 is now disabled\n")
        self.ok("d", "p1", out="Deleted proxy p1\n")
        for number, word in enumerate(("c", "new")):
            self.ok(word, "--listen=127.0.0.1:0", "--upstream", "a:1", f"q{number}",
                    out=f"Created new proxy q{number}\n")
        self.ok("t", "a", "-t", "noop", "q0",
                out="Added downstream noop toxic 'noop_downstream' on proxy 'q0'\n")
        self.ok("t", "u", "-n", "noop_downstream", "q0",
                out="Updated toxic 'noop_downstream' on proxy 'q0'\n")
        for word in ("r", "delete", "d", "remove"):
            self.ok("toxic", "add", "-t", "noop", "-n", word, "q0")
            self.ok("t", word, "-n", word, "q0", out=f"Removed toxic '{word}' on proxy 'q0'\n")

    def test_refusals_of_the_server(self):
        self.create()
        absent = "HTTP 404: proxy not found\n"
        self.fails("create", "-l", "127.0.0.1:0", "-u", "a:1", "p1",
                   err="Failed to create proxy: create: HTTP 409: proxy already exists\n")
        self.fails("create", "-l", f"127.0.0.1:{self.port}", "-u", "a:1", "p2",
                   err="Failed to create proxy: create: HTTP 500: listen tcp "
                       f"127.0.0.1:{self.port}: bind: address already in use\n")
        for word in ("inspect", "toggle", "delete", "stats"):
            self.fails(word, "nope", err=f"Failed to retrieve proxy nope: {absent}")
        for word, flags in (("add", ("-t", "noop")), ("update", ("-n", "x")),
                            ("remove", ("-n", "x"))):
            self.fails("toxic", word, *flags, "nope",
                       err=f"Failed to {word} toxic: failed to retrieve proxy with name `nope`: "
                           + absent)

    def test_missing_arguments_show_the_help_on_stdout(self):
        for word in ("inspect", "toggle", "delete", "create", "stats"):
            out = self.fails(word, err="Proxy name is required as the first argument.\n")
            self.assertIn(f"Usage: memchaos {word} [flags] NAME\n", out)
        for word in ("add", "update", "remove"):
            out = self.fails("toxic", word, err="Proxy name is missing.\n")
            self.assertIn(f"Usage: memchaos toxic {word} [flags] NAME\n", out)
        empty = "Required argument '%s' was empty.\n"
        self.fails("create", "p1", err=empty % "listen")
        self.fails("create", "-l", "127.0.0.1:0", "p1", err=empty % "upstream")
        self.fails("toxic", "add", "p1", err=empty % "type")
        self.fails("toxic", "update", "p1", err=empty % "toxicName")
        self.fails("toxic", "remove", "p1", err=empty % "toxicName")

    def test_wrong_words_and_flags(self):
        self.fails("lisst", code=2, err='memchaos: unknown command "lisst"; did you mean "list"?\n'
                                        "See memchaos help\n")
        self.fails("toxic", "ad", code=3, err="No help topic for 'ad'; did you mean 'add'?\n")
        self.fails("toxic", "xyz", code=3, err="No help topic for 'xyz'\n")
        self.fails("create", "-listn", "x", "p1", code=2,
                   err="flag provided but not defined: -listn; did you mean -listen?\n")
        self.fails("inspect", "a", "b", code=2,
                   err='unexpected argument "b": the proxy is "a" already\n')
        self.fails("list", "a", code=2, err='unexpected argument "a"\n')
        self.fails("inspect", "a", "-host", code=2,
                   err="flag needs an argument: -host takes a text\n")

    def test_flags_may_follow_the_name(self):
        self.ok("create", "p1", "-l", "127.0.0.1:0", "--upstream=a:1")
        self.ok("toxic", "add", "p1", "-t", "latency", "-a", "latency=1", "-u",
                out="Added upstream latency toxic 'latency_upstream' on proxy 'p1'\n")
        self.ok("create", "-l", "127.0.0.1:0", "-u", "a:1", "--", "-odd-")
        self.ok("delete", "--", "-odd-", out="Deleted proxy -odd-\n")

    def test_names_that_need_encoding(self):
        for name in ("a b", "50%", "q?x#y", "größe"):
            self.create(name)
            self.ok("toxic", "add", "-t", "noop", "-n", name, name,
                    out=f"Added downstream noop toxic '{name}' on proxy '{name}'\n")
            self.inspected(line(name, "noop", "downstream", "1.00"), name)
            self.ok("toxic", "remove", "-n", name, name)
            self.ok("delete", name)

    def test_stats_show_whom_a_toxic_has_hit(self):
        self.create()
        self.ok("toxic", "add", "-t", "latency", "p1")
        rows = [row.split("\t") for row in self.ok("stats", "p1").splitlines()]
        self.assertEqual(rows[0], ["connections_open", "0"])
        self.assertEqual(rows[-1][:4], ["toxic", "latency_downstream", "type=latency",
                                        "stream=downstream"])
        self.assertIn("connections=0", rows[-1])


class Toxics(Cli):
    """The steps of Toxiproxy's own end-to-end script."""

    def setUp(self):
        super().setUp()
        self.create()

    def test_latency_downstream_then_upstream(self):
        for stream, first, second in (("downstream", "0.99", "0.7"), ("upstream", "1", "0.3")):
            name = f"latency_{stream}"
            self.ok("toxic", "add", f"--{stream}", "--type=latency", f"--toxicName={name}",
                    "--attribute=latency=1000", "--attribute=jitter=50", f"--toxicity={first}",
                    "p1", out=f"Added {stream} latency toxic '{name}' on proxy 'p1'\n")
            self.inspected(line(name, "latency", stream, f"{float(first):.2f}", "jitter=50",
                                "latency=1000"))
            self.ok("toxic", "update", f"--toxicName={name}", "--attribute=jitter=20",
                    f"--toxicity={second}", "p1", out=f"Updated toxic '{name}' on proxy 'p1'\n")
            self.inspected(line(name, "latency", stream, f"{float(second):.2f}", "jitter=20",
                                "latency=1000"))
            self.ok("toxic", "delete", f"--toxicName={name}", "p1",
                    out=f"Removed toxic '{name}' on proxy 'p1'\n")
        self.inspected("")

    def test_bandwidth_timeout_slicer_reset_peer(self):
        self.ok("toxic", "add", "--type=bandwidth", "--toxicName=bandwidth_kb_per_second",
                "--attribute=rate=1", "--toxicity=0.5", "p1",
                out="Added downstream bandwidth toxic 'bandwidth_kb_per_second' on proxy 'p1'\n")
        self.ok("toxic", "update", "--toxicName=bandwidth_kb_per_second", "--attribute=rate=10",
                "--toxicity=1.0", "p1")
        self.inspected(line("bandwidth_kb_per_second", "bandwidth", "downstream", "1.00",
                            "rate=10"))
        self.ok("toxic", "delete", "--toxicName=bandwidth_kb_per_second", "p1")
        for kind, name, toxicity, attributes in (
                ("timeout", "timeout_ms", "0.10", ["timeout=10"]),
                ("slicer", "slicer_us", "1.00",
                 ["average_size=64", "delay=10", "size_variation=32"]),
                ("reset_peer", "reset_peer", "1.00", ["timeout=2000"])):
            flags = [f"--attribute={a}" for a in attributes]
            self.ok("toxic", "add", f"--type={kind}", f"--toxicName={name}", *flags,
                    f"--toxicity={float(toxicity)}", "p1",
                    out=f"Added downstream {kind} toxic '{name}' on proxy 'p1'\n")
            self.inspected(line(name, kind, "downstream", toxicity, *attributes))
            self.ok("toxic", "delete", f"--toxicName={name}", "p1",
                    out=f"Removed toxic '{name}' on proxy 'p1'\n")

    def test_update_keeps_the_toxicity(self):
        self.ok("toxic", "add", "-t", "latency", "-tox", "0.25", "p1")
        self.ok("toxic", "update", "-n", "latency_downstream", "-a", "latency=5", "p1")
        self.assertEqual(self.toxic("latency_downstream")["toxicity"], 0.25)
        self.ok("toxic", "update", "-n", "latency_downstream", "--tox", "0", "p1")
        self.assertEqual(self.toxic("latency_downstream")["toxicity"], 0)
        self.assertEqual(self.toxic("latency_downstream")["attributes"]["latency"], 5)

    def test_attributes_repeated_and_in_lists(self):
        self.ok("toxic", "add", "-t", "slicer", "-a", "average_size=1,delay=2", "-a",
                "size_variation=3", "p1")
        self.ok("toxic", "update", "-n", "slicer_downstream", "-a", "delay=7, average_size=8,,",
                "-a", "delay=9", "p1")
        self.inspected(line("slicer_downstream", "slicer", "downstream", "1.00", "average_size=8",
                            "delay=9", "size_variation=3"))

    def test_numbers_are_printed_as_go_prints_them(self):
        for value, text in (("0", "0"), ("-1", "-1"), ("100000", "100000"), ("1e6", "1e+06"),
                            ("999999", "999999"), ("1234567", "1.234567e+06"),
                            ("123456789", "1.23456789e+08"), ("1e18", "1e+18")):
            self.ok("toxic", "add", "-t", "latency", "-n", "n", "-a", f"latency={value}", "p1")
            self.inspected(line("n", "latency", "downstream", "1.00", "jitter=0",
                                f"latency={text}"))
            self.ok("toxic", "remove", "-n", "n", "p1")
        self.ok("toxic", "add", "-t", "packet_loss", "-a", "loss_rate=0.1,correlation=0.00001",
                "p1")
        self.inspected(line("packet_loss_downstream", "packet_loss", "downstream", "1.00",
                            "correlation=1e-05", "loss_rate=0.1", "rtt=1"))

    def test_inspect_shows_upstream_first_and_more_than_a_few(self):
        for i in range(40):
            body = {"name": f"d{i:02}", "type": "noop"}
            self.assertEqual(self.http("POST", f"{self.url}/proxies/p1/toxics", body)[0], 200)
        self.ok("toxic", "add", "-t", "noop", "-n", "up", "-upstream", "p1")
        names = [row.split("\t")[0] for row in self.ok("inspect", "p1").splitlines()]
        self.assertEqual(names, ["up"] + [f"d{i:02}" for i in range(40)])

    def test_what_the_server_refuses(self):
        add = "Failed to add toxic: failed to add toxic to proxy p1: AddToxic: "
        self.fails("toxic", "add", "-t", "xyz", "p1", err=add + "HTTP 400: invalid toxic type\n")
        self.fails("toxic", "add", "-t", "latncy", "p1",
                   err=add + "HTTP 400: invalid toxic type\nDid you mean 'latency'?\n")
        self.ok("toxic", "add", "-t", "noop", "p1")
        self.fails("toxic", "add", "-t", "noop", "p1",
                   err=add + "HTTP 409: toxic already exists\n")
        process = self.cli("toxic", "add", "-t", "latency", "-a", "latency=soon", "p1")
        self.assertEqual(process.code, 1)
        self.assertIn(add + "HTTP 400: bad request body: ", process.err)
        self.fails("toxic", "remove", "-n", "nope", "p1",
                   err="Failed to remove toxic: failed to remove toxic 'nope' from proxy 'p1': "
                       "HTTP 404: toxic not found\n")
        self.fails("toxic", "update", "-n", "nope", "p1",
                   err="Failed to update toxic: failed to update toxic 'nope' of proxy 'p1': "
                       "HTTP 404: toxic not found\n")

    def test_what_is_refused_before_the_server_is_asked(self):
        self.fails("toxic", "add", "-t", "noop", "-u", "-d", "p1",
                   err="Only one should be specified: upstream or downstream.\n")
        for value in ("2", "-0.1", "x", "nan", "inf", "0.5x", " 1"):
            self.fails("toxic", "add", "-t", "noop", f"--toxicity={value}", "p1",
                       err="toxicity should be a float between 0 and 1.\n")
        many = ",".join(f"k{i}=1" for i in range(65))
        self.fails("toxic", "add", "-t", "noop", "-a", many, "p1",
                   err="Too many attributes: at most 64, 4096 bytes together.\n")
        self.fails("toxic", "add", "-t", "noop", "-a", "k=" + "1" * 4096, "p1",
                   err="Too many attributes: at most 64, 4096 bytes together.\n")
        self.inspected("")

    def test_attributes_without_effect_are_told(self):
        process = self.cli("toxic", "add", "-t", "latency", "-a", "latncy=5", "-a", "jitter", "p1")
        self.assertEqual(process.code, 0)
        self.assertEqual(process.err.splitlines(), [
            "Warning: attribute 'jitter' is ignored: it has no value, as in jitter=100",
            "Warning: the server ignored attribute 'latncy': a latency toxic has none of that "
            "name; did you mean 'latency'?"])


class Servers(Cli):
    def test_the_server_is_named_in_many_ways(self):
        self.create()
        place = f"127.0.0.1:{self.port}"
        for url in (place, f"http://{place}", f"http://{place}/", f"localhost:{self.port}"):
            self.assertIn("p1\t", self.ok("list", env={URL: url}))
            for flags in (("list", "-host", url), ("list", f"--host={url}"), ("list", "-h", url),
                          ("-h", url, "list"), ("--host", url, "list"), ("-host=" + url, "ls")):
                self.assertIn("p1\t", self.ok(*flags, env={URL: "localhost:1"}))
        self.ok("toxic", "-h", url, "add", "-t", "noop", "p1", env={URL: "localhost:1"})

    def test_a_wrong_url(self):
        self.fails("list", "-host", "https://x",
                   err="https://x: the API's URL has the form http://host:port\n")

    def test_nobody_answers(self):
        free = self.free_port()
        self.fails("list", env={URL: f"127.0.0.1:{free}"},
                   err=f"Failed to retrieve proxies: GET http://127.0.0.1:{free}/proxies: connect: "
                       "connection refused\n"
                       "Is a proxy server running there? memchaos proxy starts one; -host or "
                       "TOXIPROXY_URL names another.\n")

    def test_help(self):
        for flags in (("toxic",), ("toxic", "-help"), ("toxic", "-h"), ("toxic", "help")):
            out = self.ok(*flags)
            self.assertLess(out.index("Examples:"), out.index("Commands:"))
            self.assertIn("average_size=<bytes>", out)
        for flags in (("list",), ("create",), ("stats",), ("toxic", "add"), ("toxic", "update")):
            for flag in ("-help", "--help", "-h"):
                out = self.ok(*flags, flag)
                self.assertIn(f"Usage: memchaos {' '.join(flags)} [flags]", out)
        self.assertIn("\n  toxic ", self.ok("help"))

    def test_output_that_cannot_be_written(self):
        self.create()
        with open("/dev/full", "w") as full:
            done = subprocess.run([MEMCHAOS, "list", "-host", self.url], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=30 * TIME_FACTOR)
        self.assertEqual((done.returncode, done.stderr), (1, "writing the output failed\n"))

    def test_it_may_be_installed_as_toxiproxy_cli(self):
        link = os.path.join(self.temp_dir(), "toxiproxy-cli")
        os.symlink(os.path.abspath(MEMCHAOS), link)
        self.create()

        def run(*args):
            process = self.start_program(link, *args)
            return process.wait(), process.out, process.err
        code, out, _ = run("-h", self.url, "list")
        self.assertEqual((code, out[:3]), (0, "p1\t"))
        self.assertEqual(run("--version"), (0, "toxiproxy-cli version 2.12.0\n", ""))
        self.assertEqual(run("xyz"), (3, "", "No help topic for 'xyz'\n"))
        self.assertIn("Commands:", run()[1])


class Shopify(http.server.BaseHTTPRequestHandler):
    """Answers as Shopify's server does where that differs from ours; keeps what it was sent."""

    def answer(self, status, body):
        self.server.seen.append((self.command, self.path, self.headers["User-Agent"], self.body()))
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data = body.encode()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))

    def body(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return json.loads(data) if data else None

    def handle_any(self):
        toxic = {"attributes": {"latency": 7, "mode": "fast", "on": True}, "name": "t",
                 "type": "latency", "stream": "UpStream", "toxicity": 0.3}
        proxy = {"name": "p", "listen": "[::]:1", "upstream": "u:1", "enabled": True, "Logger": {},
                 "toxics": [toxic]}
        if self.path == "/proxies/p":
            self.answer(200, json.dumps(proxy))
        elif self.path == "/proxies/p/toxics":
            self.answer(200, json.dumps([toxic]))
        elif self.path == "/proxies/p/toxics/t":
            self.answer(200, json.dumps(toxic))
        elif self.path == "/proxies/odd/toxics":
            self.answer(200, '[1,{"attributes":[],"name":3}]')
        elif self.path == "/proxies/odd":
            self.answer(200, "[]")
        elif self.path == "/proxies":
            self.answer(200, '[1,null]')
        else:
            self.answer(404, "404 page not found\n")

    do_GET = do_POST = do_PATCH = handle_any

    def log_message(self, *args):
        pass


class OtherServers(Case):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shopify)
        self.server.seen = []
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.env = {URL: f"127.0.0.1:{self.server.server_address[1]}"}

    def cli(self, *args):
        return self.run_memchaos(*args, env=self.env)

    def test_attributes_that_are_no_numbers_are_shown(self):
        self.assertEqual(self.cli("inspect", "p").out,
                         line("t", "latency", "UpStream", "0.30", "latency=7", "mode=fast",
                              "on=true"))

    def test_update_sends_the_toxicity_only_when_it_is_given(self):
        self.assertEqual(self.cli("toxic", "update", "-n", "t", "-a", "latency=7", "p").code, 0)
        self.assertEqual(self.cli("toxic", "update", "-n", "t", "-tox", "0.3", "p").code, 0)
        bodies = [body for _, path, _, body in self.server.seen if path.endswith("/t")]
        self.assertEqual(bodies, [{"attributes": {"latency": 7}},
                                  {"attributes": {}, "toxicity": 0.3}])
        self.assertTrue(all(agent.startswith("memchaos") for _, _, agent, _ in self.server.seen))

    def test_text_attributes_are_sent_as_texts(self):
        self.cli("toxic", "add", "-t", "x", "-a", "mode=fast,latency=1.5,on=7", "p")
        self.assertEqual(self.server.seen[-1][3], {
            "name": None, "type": "x", "stream": "downstream", "toxicity": 1.0,
            "attributes": {"mode": "fast", "latency": 1.5, "on": 7}})

    def test_a_server_without_counters(self):
        process = self.cli("stats", "p")
        self.assertEqual((process.code, process.err), (
            1, f"The server at http://{self.env[URL]} has no counters; memchaos proxy has.\n"))

    def test_answers_of_another_shape_do_no_harm(self):
        process = self.cli("list")
        self.assertEqual((process.code, process.out), (0, ""))
        process = self.cli("inspect", "odd")
        self.assertEqual((process.code, process.out), (0, line("", "", "", "0.00") * 2))


class Terminal(Cli):
    """What people see: through a pseudo-terminal."""

    def see(self, *args, env=None):
        leader, follower = pty.openpty()
        variables = {**os.environ, URL: self.url, "TERM": "xterm", **(env or {})}
        with subprocess.Popen([MEMCHAOS, *args], stdout=follower, stderr=follower,
                              env=variables) as process:
            os.close(follower)
            text = b""
            while True:
                try:
                    part = os.read(leader, 4096)
                except OSError:  # all of the other side is closed
                    break
                if not part:
                    break
                text += part
            code = process.wait(30 * TIME_FACTOR)
        os.close(leader)
        self.assertEqual(code, 0, text)
        return text.decode().replace("\r\n", "\n")

    def test_list_is_an_aligned_table_in_colours(self):
        listen = self.create("a-name-that-is-rather-long")
        self.create("b")
        self.ok("toggle", "b")
        self.ok("toxic", "add", "-t", "noop", "b")
        text = self.see("list")
        self.assertIn("\x1b[32ma-name-that-is-rather-long\x1b[0m  \x1b[34m" + listen, text)
        self.assertIn("\x1b[31mb\x1b[0m", text)
        lines = re.sub("\x1b\\[[0-9]*m", "", text).split("\n")
        self.assertRegex(lines[0], "^Name +Listen +Upstream +Enabled +Toxics$")
        self.assertEqual(lines[1], "=" * len(lines[0]))
        column = lines[0].index("Toxics")
        self.assertEqual([row[column:] for row in lines[2:4]], ["None", "1"])
        self.assertEqual(lines[4:], ["", "Hint: inspect toxics with `memchaos inspect NAME`", ""])

    def test_no_color_and_dumb_terminals(self):
        self.create()
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            text = self.see("list", env=env)
            self.assertTrue(text.startswith("Name "), text)
            self.assertNotIn("\x1b", text)
        self.assertIn("\x1b", self.see("list", env={"NO_COLOR": ""}))

    def test_no_proxies(self):
        text = self.see("list", env={"NO_COLOR": "1"})
        self.assertIn("\nno proxies\n\nHint: create a proxy with `memchaos create", text)

    def test_inspect_has_a_group_per_direction(self):
        listen = self.create()
        env = {"NO_COLOR": "1"}
        self.assertIn("\nProxy has no toxics enabled.\n\nHint: add a toxic with",
                      self.see("inspect", "p1", env=env))
        self.ok("toxic", "add", "-t", "latency", "-a", "latency=5", "p1")
        heading = f"Name: p1  Listen: {listen}  Upstream: localhost:20002"
        self.assertEqual(self.see("inspect", "p1", env=env), "\n".join([
            heading, "=" * len(heading),
            "Upstream toxics:", "Proxy has no upstream toxics enabled.", "",
            "Downstream toxics:",
            "latency_downstream:\ttype=latency\tstream=downstream\ttoxicity=1.00\tattributes=["
            "\tjitter=0\tlatency=5\t]", "",
            "Hint: add a toxic with `memchaos toxic add -t TYPE -a KEY=VALUE NAME`", ""]))

    def test_toggle_in_colours(self):
        self.create()
        self.assertEqual(self.see("toggle", "p1"),
                         "Proxy \x1b[31mp1\x1b[0m is now \x1b[31mdisabled\x1b[0m\n")

    def test_names_cannot_command_the_terminal(self):
        body = {"name": "a\x1b[2Jb", "listen": "127.0.0.1:0", "upstream": "u:1"}
        self.assertEqual(self.http("POST", self.url + "/proxies", body)[0], 201)
        self.assertIn("a?[2Jb", self.see("list"))


if __name__ == "__main__":
    main()
