# SPDX-License-Identifier: MIT
"""Client libraries written for Toxiproxy, unchanged, against our server.

They are fetched with their own package manager into a temporary directory; without it, or without a
registry, the test is skipped.
"""
import json
import os
import shutil
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


if __name__ == "__main__":
    harness.main()
