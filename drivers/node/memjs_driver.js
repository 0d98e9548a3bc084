// SPDX-License-Identifier: MIT
// memjs under memchaos: npm install memjs, then: memchaos -driver 'node drivers/node/memjs_driver.js'
//
// One client for all workers on one event loop, as Node programs have it. All settings are the
// library's own, except for the timeouts and the number of tries.
"use strict";
const readline = require("readline");
const memjs = require("memjs");
const version = require("memjs/package.json").version;

const failures = [ // the texts of memjs and of Node, the first that fits
  [/ECONNREFUSED/, "refused"], [/ECONNRESET/, "reset"], [/EPIPE|closed/i, "closed"],
  [/timed out connecting|connect.*timeout/i, "connect_timeout"], [/tim(ed|e) ?out/i, "io_timeout"],
  [/TOO LARGE|too large/i, "too_large"], [/KEY TOO LONG|INVALID|NON-NUMERIC/i, "client_error"],
  [/No servers available/i, "breaker_open"], [/^MemJS.*:/, "server_error"]];

let client, servers;

function say(record) {
  process.stdout.write(JSON.stringify(record) + "\n");
}

function now() {
  return Number(process.hrtime.bigint());
}

function hello(ask) {
  servers = ask.servers;
  client = memjs.Client.create(servers.join(","), {
    timeout: ask.timeout_ms / 1000,
    conntimeout: (ask.connect_timeout_ms || ask.timeout_ms) / 1000,
    retries: 1, // each try has the whole timeout for itself
    logger: { log: () => {} }, // the texts come with the errors as well
  });
  say({ hello: 1, client: "memjs " + version, runtime: "Node " + process.version,
    processes: "one", operations: ["get", "set", "add", "delete", "increment"],
    honours: ["timeout_ms", "connect_timeout_ms"],
    promises: { default_timeout_s: 0.5, default_retries: 2, failover: false } });
}

async function get(ask) {
  const { value } = await client.get(ask.key);
  return value === null ? { outcome: "miss" }
    : { outcome: "hit", value: value.toString("base64") };
}

async function store(ask) {
  const done = await client[ask.op](ask.key, Buffer.from(ask.value, "base64"),
    { expires: ask.ttl_s });
  return { outcome: done ? "stored" : "not_stored" };
}

async function remove(ask) {
  return { outcome: await client.delete(ask.key) ? "deleted" : "not_found" };
}

async function increment(ask) {
  const { value } = await client.increment(ask.key, ask.delta,
    { initial: ask.delta, expires: ask.ttl_s });
  return { outcome: "ok", number: value };
}

const calls = { get, set: store, add: store, delete: remove, increment };

function outcomeOf(error) {
  const text = String(error && error.message || error);
  const found = failures.find(([pattern]) => pattern.test(text)) || [null, "other"];
  return { outcome: found[1], error: text };
}

async function answer(ask) {
  const node = servers.length > 1 ? client.getServer(ask.key) : 0;
  say({ begin: ask.id, at_ns: now() });
  const end = await calls[ask.op](ask).catch(outcomeOf);
  say({ end: ask.id, at_ns: now(), node, ...end });
}

const input = readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
input.on("close", () => process.exit(0)); // memchaos is gone
input.on("line", (line) => {
  const ask = JSON.parse(line);
  if (ask.op === "hello") hello(ask);
  else if (ask.op === "bye") process.stdout.write('{"bye":true}\n', () => process.exit(0));
  else if (ask.id !== undefined) answer(ask);
});
