#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A driver to start from: docs/writing-a-driver.md. It works as it is, on a dictionary.

Try it:   memchaos driver-check 'python3 drivers/template/driver.py'
Replace what is marked with HERE by your client, until all checks pass.
"""
import base64
import json
import sys
import threading
import time
import zlib

output = threading.Lock()


class Client:
    """HERE: your client library. This one keeps everything in memory and never fails."""

    store = {}

    def __init__(self, servers, timeout_s):
        self.servers, self.timeout_s = servers, timeout_s

    def node(self, key):
        """The server that a key belongs to; recovery is measured by server."""
        return self.servers[zlib.crc32(key.encode()) % len(self.servers)]

    def get(self, key):
        return self.store.get(key)

    def set(self, key, value, ttl_s):
        self.store[key] = value

    def add(self, key, value, ttl_s):
        return self.store.setdefault(key, value) is value

    def delete(self, key):
        return self.store.pop(key, None) is not None


def outcome_of(error):
    """HERE: the exceptions of your client, as words of docs/driver-protocol.md."""
    if isinstance(error, TimeoutError):
        return "io_timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "other"


def call(client, ask):
    """One operation. HERE: what your client's calls return, as outcomes."""
    if ask["op"] == "get":
        value = client.get(ask["key"])
        if value is None:
            return {"outcome": "miss"}
        return {"outcome": "hit", "value": base64.b64encode(value).decode()}
    if ask["op"] == "set":
        client.set(ask["key"], base64.b64decode(ask["value"]), ask["ttl_s"])
        return {"outcome": "stored"}
    if ask["op"] == "add":
        done = client.add(ask["key"], base64.b64decode(ask["value"]), ask["ttl_s"])
        return {"outcome": "stored" if done else "not_stored"}
    if ask["op"] == "increment":
        number = int(client.get(ask["key"]) or 0) + ask["delta"]
        client.set(ask["key"], str(number).encode(), ask["ttl_s"])
        return {"outcome": "ok", "number": number}
    if ask["op"] == "delete":
        return {"outcome": "deleted" if client.delete(ask["key"]) else "not_found"}
    return {"outcome": "invalid"}


def say(**record):
    """One line; several threads may speak, but not into each other's lines."""
    line = json.dumps(record) + "\n"
    with output:
        sys.stdout.write(line)
        sys.stdout.flush()


def answer(client, ask):
    say(begin=ask["id"], at_ns=time.monotonic_ns())
    try:
        end = call(client, ask)
    except Exception as error:
        end = {"outcome": outcome_of(error), "error": repr(error)}
    say(end=ask["id"], at_ns=time.monotonic_ns(), node=client.node(ask["key"]), **end)


def main():
    client = None
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["op"] == "hello":
            client = Client(ask["servers"], ask["timeout_ms"] / 1000)
            say(hello=1, client="dictionary 1.0", runtime="Python " + sys.version.split()[0],
                # "per_worker": a process for each worker, which is the simplest and the right
                # thing for a blocking client. "one": a process for all, with threads or an event
                # loop behind it; see drivers/python and drivers/node.
                processes="per_worker" if "--per-worker" in sys.argv else "one",
                operations=["get", "set", "delete", "add", "increment"],
                honours=["timeout_ms"], promises={})
        elif ask["op"] == "bye":
            say(bye=True)
            break
        elif "id" in ask:
            answer(client, ask)


main()
