#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pymemcache under memchaos: -driver 'python3 drivers/python/pymemcache_driver.py'

A thread and a HashClient of its own for each worker, since a HashClient is not thread-safe. All
settings are the library's own, except for the timeouts (it has none by default) and noreply (on by
default, it makes errors of writes invisible).
"""
import base64
import json
import platform
import queue
import socket
import sys
import threading
import time

import pymemcache
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import (
    MemcacheClientError, MemcacheError, MemcacheIllegalInputError, MemcacheServerError,
    MemcacheUnexpectedCloseError, MemcacheUnknownError)

FAILURES = (  # the first that fits
    (MemcacheIllegalInputError, "invalid"), (MemcacheClientError, "client_error"),
    (MemcacheUnexpectedCloseError, "closed"), (MemcacheServerError, "server_error"),
    (MemcacheUnknownError, "protocol"), (MemcacheError, "breaker_open"),  # all servers are dead
    (socket.timeout, "io_timeout"), (ConnectionRefusedError, "refused"),
    (ConnectionResetError, "reset"), (BrokenPipeError, "closed"), (OSError, "other"))
output = threading.Lock()


def say(**record):
    line = json.dumps(record) + "\n"
    with output:
        sys.stdout.write(line)
        sys.stdout.flush()


def get(value):
    if value is None:
        return {"outcome": "miss"}
    return {"outcome": "hit", "value": base64.b64encode(value).decode()}


def call(client, op, ask):
    key = ask.get("key")
    value = base64.b64decode(ask.get("value", ""))
    if op == "get":
        return get(client.get(key))
    if op in ("set", "add"):
        done = getattr(client, op)(key, value, ask["ttl_s"])
        return {"outcome": "stored" if done else "not_stored"}
    if op == "delete":
        return {"outcome": "deleted" if client.delete(key) else "not_found"}
    if op == "increment":
        number = client.incr(key, ask["delta"])
        if number is None and client.add(key, str(ask["delta"]), ask["ttl_s"]):
            number = ask["delta"]
        if number is None:  # somebody else has added it in between
            number = client.incr(key, ask["delta"])
        return {"outcome": "ok", "number": number} if number else {"outcome": "not_found"}
    if op == "multi_get":
        keys = [item["key"] for item in ask["items"]]
        found = client.get_many(keys)
        return {"items": [{**get(found.get(key)), "node": node(client, key)} for key in keys]}
    return {"outcome": "invalid"}


def node(client, key):
    """Where the key goes now; pymemcache changes that when it takes a server for dead."""
    return client.hasher.get_node(key)


def work(hello, asks):
    client = HashClient(
        hello["servers"], connect_timeout=hello["connect_timeout_ms"] / 1000 or None,
        timeout=hello["timeout_ms"] / 1000, no_delay=True, default_noreply=False)
    for ask in iter(asks.get, None):
        end = {"node": node(client, ask["key"])} if "key" in ask else {}
        say(begin=ask["id"], at_ns=time.monotonic_ns())
        try:
            end.update(call(client, ask["op"], ask))
        except Exception as error:  # every way to fail is an outcome
            words = [word for kind, word in FAILURES if isinstance(error, kind)] or ["other"]
            too_large = "too large" in str(error)
            end.update(outcome="too_large" if too_large else words[0], error=repr(error))
        say(end=ask["id"], at_ns=time.monotonic_ns(), **end)


def main():
    asks = {}
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["op"] == "hello":
            hello = ask
            say(hello=1, client="pymemcache " + pymemcache.__version__, processes="one",
                runtime="Python " + platform.python_version(),
                operations=["get", "set", "add", "delete", "increment", "multi_get"],
                honours=["timeout_ms", "connect_timeout_ms"],
                promises={"retry_attempts": 2, "retry_timeout_s": 1, "dead_timeout_s": 60,
                          "default_timeout": "none", "moves_keys_of_dead_servers": True,
                          "answers_miss_until_retry": True})
        elif ask["op"] == "bye":
            say(bye=True)
            break
        elif "id" in ask:
            if ask["worker"] not in asks:
                asks[ask["worker"]] = queue.SimpleQueue()
                threading.Thread(target=work, args=(hello, asks[ask["worker"]]),
                                 daemon=True).start()
            asks[ask["worker"]].put(ask)


main()
