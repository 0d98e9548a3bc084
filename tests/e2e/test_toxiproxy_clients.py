# SPDX-License-Identifier: MIT
"""Client libraries written for Toxiproxy against our server.

Node's is fetched with its own package manager into a temporary directory and runs unchanged;
without it, or without a registry, the test is skipped. Debian has none of the others: what Go's
(Shopify/toxiproxy/client), Ruby's (toxiproxy-ruby), Python's (toxiproxy-python) and Java's
(toxiproxy-java) send through the HTTP code of their language is repeated here byte for byte.
"""
import http.client
import json
import os
import shutil
import socket
import subprocess

import harness

from proxyharness import WAIT, Case

NODE_CLIENT = "toxiproxy-node-client@4.1.0"
NODE_SCRIPT = r"""
const assert = require("assert");
const net = require("net");
const { Toxiproxy } = require("toxiproxy-node-client");
const [url, upstream] = process.argv.slice(2);

function echo(listen, text) {
  return new Promise((resolve) => {
    const [host, port] = listen.split(":");
    const peer = net.connect(Number(port), host, () => peer.write(text));
    const begin = process.hrtime.bigint();
    peer.on("error", () => resolve(null));
    peer.on("close", () => resolve(null));
    peer.on("data", () => {
      resolve(Number(process.hrtime.bigint() - begin) / 1e6);
      peer.destroy();
    });
  });
}

async function fails(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("this should have failed");
}

async function main() {
  const toxiproxy = new Toxiproxy(url);
  assert.match(await toxiproxy.getVersion(), /2\.12\.0/);
  assert.deepStrictEqual(await toxiproxy.getAll(), {});

  const proxy = await toxiproxy.createProxy(
    { name: "one", listen: "localhost:0", upstream, enabled: true });
  assert.match(proxy.listen, /^127\.0\.0\.1:\d+$/);
  assert.strictEqual(proxy.enabled, true);
  assert.ok(await echo(proxy.listen, "x") !== null);
  assert.strictEqual((await toxiproxy.get("one")).upstream, upstream);
  assert.deepStrictEqual(Object.keys(await toxiproxy.getAll()), ["one"]);
  await fails(toxiproxy.createProxy({ name: "one", listen: "localhost:0", upstream }));
  await fails(toxiproxy.get("none"));

  const toxic = await proxy.addToxic(
    { type: "latency", attributes: { latency: 100, jitter: 0 } });
  assert.strictEqual(toxic.name, "latency_downstream");
  assert.strictEqual(toxic.toxicity, 1);
  assert.ok(await echo(proxy.listen, "x") >= 99);
  const updated = await toxic.update({ attributes: { latency: 1 }, toxicity: 0.5 });
  assert.deepStrictEqual(updated.attributes, { latency: 1, jitter: 0 });
  assert.strictEqual(updated.toxicity, 0.5);
  assert.deepStrictEqual((await proxy.getToxic("latency_downstream")).toJson(), updated.toJson());
  const named = await proxy.addToxic({ type: "slicer", name: "s", stream: "upstream",
    attributes: { average_size: 64, size_variation: 32, delay: 10 } });
  assert.strictEqual(named.stream, "upstream");
  await toxic.remove();
  await fails(proxy.getToxic("latency_downstream"));

  const off = await proxy.update({ enabled: false, listen: proxy.listen, upstream });
  assert.strictEqual(off.enabled, false);
  assert.strictEqual(await echo(proxy.listen, "x"), null);
  await toxiproxy.reset();
  assert.strictEqual((await toxiproxy.get("one")).enabled, true);
  await fails(proxy.getToxic("s"));

  const made = await toxiproxy.populate([
    { name: "one", listen: proxy.listen, upstream },
    { name: "two", listen: "localhost:0", upstream, enabled: true }]);
  assert.deepStrictEqual(Object.keys(made), ["one", "two"]);
  assert.ok(await echo(made.two.listen, "x") !== null);
  await made.one.remove();
  await made.two.remove();
  assert.deepStrictEqual(await toxiproxy.getAll(), {});
  console.log("passed");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
"""


class NodeClient(Case):
    def install(self, directory):
        if not shutil.which("npm") or not shutil.which("node"):
            self.skipTest("no npm")
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                   "--fetch-retries=0", "--fetch-timeout=10000", NODE_CLIENT]
        with open(directory + "/package.json", "w", encoding="ascii") as file:
            json.dump({"name": "test", "version": "1.0.0", "private": True}, file)
        try:
            done = subprocess.run(command, cwd=directory, capture_output=True, text=True,
                                  timeout=120, check=False)
        except subprocess.TimeoutExpired:
            self.skipTest("the npm registry does not answer")
        if done.returncode != 0:
            self.skipTest("npm install failed: " + done.stderr.strip().split("\n")[-1])

    def test_everything_it_can_do(self):
        directory = self.temp_dir()
        self.install(directory)
        script = os.path.join(directory, "test.js")
        with open(script, "w", encoding="ascii") as file:
            file.write(NODE_SCRIPT)
        done = subprocess.run(
            ["node", script, f"http://127.0.0.1:{self.server.port}", self.echo.address],
            cwd=directory, capture_output=True, text=True, timeout=WAIT, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "passed\n"), done.stderr)


class Dialect:
    """How one HTTP client words its requests, over a connection that it keeps or does not."""

    def __init__(self, headers, form=None, keeps=True, apart=False, empty=()):
        self.headers = headers  # of every request; HOST stands for the address
        self.form = form  # the content type of a body, where it is not among the headers
        self.keeps = keeps
        self.apart = apart  # the body follows in a segment of its own
        self.empty = empty  # methods that tell the length of an empty body

    def send(self, peer, host, method, path, body):
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1"] + [h.replace("HOST", host) for h in self.headers]
        if data and self.form:
            lines.append("Content-type: " + self.form)
        if data or method in self.empty:
            lines.append(f"Content-Length: {len(data)}")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        for part in [head, data] if self.apart else [head + data]:
            peer.sendall(part)


FORM = "application/x-www-form-urlencoded"
DIALECTS = {
    "Go 1.19": Dialect([
        "Host: HOST", "User-Agent: toxiproxy-cli", "Content-Type: application/json",
        "Accept-Encoding: gzip"], empty=("POST",)),
    "Ruby 3.1": Dialect([
        "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3", "Accept: */*",
        "User-Agent: Ruby", "Connection: close", "Host: HOST"],
        form=FORM, keeps=False, apart=True, empty=("POST",)),
    "Python requests 2.28": Dialect([
        "Host: HOST", "User-Agent: python-requests/2.28.1", "Accept-Encoding: gzip, deflate",
        "Accept: */*", "Connection: keep-alive"],
        form="application/json", apart=True, empty=("POST", "DELETE")),
    "Java 17": Dialect([
        "User-Agent: Java/17.0.15", "Host: HOST",
        "Accept: text/html, image/gif, image/jpeg, */*; q=0.2", "Connection: keep-alive"],
        form=FORM, apart=True, empty=("POST",)),
}


class Dialects(Case):
    """Every call of the libraries, in the words of each language's HTTP client."""

    def calls(self):
        upstream = self.echo.address
        toxic = {"name": "bw", "stream": "downstream", "toxicity": 1.0, "type": "bandwidth",
                 "attributes": {"rate": 1000}}
        return (
            ("GET", "/version", None, 200, lambda a: a["version"] == "2.12.0"),
            # Go sends all of its struct, with null for no toxics; Ruby null for enabled.
            ("POST", "/proxies", {"name": "one", "listen": "localhost:0", "upstream": upstream,
                                  "enabled": True, "toxics": None}, 201,
             lambda a: a["enabled"] is True and a["toxics"] == []),
            ("POST", "/proxies", {"upstream": upstream, "name": "two", "listen": "localhost:0",
                                  "enabled": None}, 201, lambda a: a["enabled"] is True),
            ("POST", "/proxies", {"name": "two", "listen": "localhost:0", "upstream": upstream},
             409, lambda a: (a["error"], a["status"]) == ("proxy already exists", 409)),
            ("GET", "/proxies/none", None, 404, lambda a: a["status"] == 404 and a["error"]),
            ("POST", "/proxies/one/toxics", toxic, 200, lambda a: a == toxic),
            ("POST", "/proxies/one/toxics/bw", {"attributes": {"rate": 500}}, 200,
             lambda a: a["attributes"] == {"rate": 500} and a["toxicity"] == 1),
            ("PATCH", "/proxies/one/toxics/bw", {"toxicity": 0.5}, 200,
             lambda a: a["attributes"] == {"rate": 500} and a["toxicity"] == 0.5),
            ("POST", "/proxies/one/toxics", dict(toxic, type="nope"), 400,
             lambda a: (a["error"], a["status"]) == ("invalid toxic type", 400)),
            ("GET", "/proxies/one/toxics", None, 200, lambda a: [t["name"] for t in a] == ["bw"]),
            ("DELETE", "/proxies/one/toxics/bw", None, 204, None),
            ("DELETE", "/proxies/one/toxics/bw", None, 404, lambda a: a["status"] == 404),
            ("POST", "/proxies/one", {"enabled": False}, 200, lambda a: a["enabled"] is False),
            ("POST", "/reset", None, 204, None),
            ("GET", "/proxies", None, 200,
             lambda a: sorted(a) == ["one", "two"] and a["one"]["enabled"]),
            ("POST", "/populate", [{"name": "two", "listen": "localhost:0", "upstream": upstream},
                                   {"name": "three", "listen": "localhost:0",
                                    "upstream": upstream}], 201,
             lambda a: [p["name"] for p in a["proxies"]] == ["two", "three"]),
            ("DELETE", "/proxies/one", None, 204, None),
            ("DELETE", "/proxies/two", None, 204, None),
            ("DELETE", "/proxies/three", None, 204, None),
        )

    def test_every_call(self):
        address = ("127.0.0.1", self.server.port)
        for name, dialect in DIALECTS.items():
            peer = None
            for method, path, body, status, holds in self.calls():
                peer = peer or socket.create_connection(address, WAIT)
                dialect.send(peer, "%s:%d" % address, method, path, body)
                answer = http.client.HTTPResponse(peer, method=method)
                answer.begin()
                text = answer.read().decode()
                where = f"{name}: {method} {path}: {answer.status} {text}"
                self.assertEqual(answer.status, status, where)
                self.assertTrue(holds(json.loads(text)) if holds else text == "", where)
                self.assertIsNone(answer.getheader("Content-Encoding"), where)
                self.assertEqual(answer.will_close, not dialect.keeps, where)
                if not dialect.keeps:
                    peer.close()
                    peer = None
            if peer:
                peer.close()


if __name__ == "__main__":
    harness.main()
