# SPDX-License-Identifier: MIT
"""A driver program on a dictionary that misbehaves as its argument says; "good" does not.

What it does it does from operation number 20 on, so that the talk is in full swing.
"""
import base64
import json
import os
import signal
import sys
import time

MODE = sys.argv[1]
FROM = 20
SLOW_S = float(sys.argv[2]) if len(sys.argv) > 2 else 0
store = {}


def raw(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def say(**record):
    raw(json.dumps(record) + "\n")


def call(ask):
    op, key = ask["op"], ask.get("key")
    if op == "get":
        if key not in store:
            return {"outcome": "miss"}
        return {"outcome": "hit", "value": store[key]}
    if op == "add" and key in store:
        return {"outcome": "not_stored"}
    if op in ("set", "add"):
        store[key] = ask["value"]
        return {"outcome": "stored"}
    if op == "delete":
        return {"outcome": "deleted" if store.pop(key, None) is not None else "not_found"}
    if op == "increment":
        number = ask["delta"]
        if key in store:
            number += int(base64.b64decode(store[key]))
        store[key] = base64.b64encode(str(number).encode()).decode()
        return {"outcome": "ok", "number": number}
    return {"outcome": "invalid"}


def end(ask, **more):
    say(end=ask["id"], at_ns=time.monotonic_ns(), **call(ask), **more)


def misbehave(ask):
    """Answers the operation in the wrong way; True when it has been dealt with."""
    if MODE == "begins_only":
        say(begin=ask["id"], at_ns=time.monotonic_ns())
        return True
    if MODE == "exit0":
        sys.exit(0)
    if MODE == "crash":
        sys.stderr.write("my last words\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGSEGV)
    if MODE == "closes_output":
        os.close(1)
        time.sleep(60)
    if MODE == "slow":
        time.sleep(SLOW_S)
    if MODE == "garbage":
        raw("Traceback (most recent call last):\n")
    if MODE == "unknown_id":
        say(end=4711, at_ns=1, outcome="miss")
    if MODE == "no_begin":
        end(ask)
        return True
    if MODE == "milliseconds":
        say(begin=ask["id"], at_ns=0)
        end(ask)
        return True
    if MODE == "wrong_word":
        say(begin=ask["id"], at_ns=time.monotonic_ns())
        say(end=ask["id"], at_ns=time.monotonic_ns(), outcome="great")
        return True
    return False


def answer(ask, count):
    if count >= FROM and misbehave(ask):
        return
    say(begin=ask["id"], at_ns=time.monotonic_ns())
    end(ask)
    if MODE == "double_end" and count >= FROM:
        end(ask)


def main():
    count = 0
    if MODE == "leaves_a_child" and os.fork() == 0:
        time.sleep(600)
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["op"] == "hello":
            if MODE == "no_hello":
                raw("Starting up...\n")
            if MODE == "dies_at_once":
                sys.exit("nothing works")
            say(hello=1, client="fake 1.0", runtime="Python", honours=[], promises={},
                processes="per_worker" if MODE == "per_worker" else "one",
                operations=["get", "set", "add", "delete", "increment", "stats"])
            sys.stderr.write("the fake is ready\n")
            sys.stderr.flush()
        elif ask["op"] == "bye":
            if MODE == "stays":
                time.sleep(600)
            if MODE != "no_bye":
                say(bye=True)
            sys.exit(3 if MODE == "status3" else 0)
        elif ask["op"] == "stats":
            say(stats=[{"active": 1, "idle": 2, "waiting": 3, "breaker": "half-open"}] * 3)
        elif "id" in ask:
            count += 1
            answer(ask, count)


main()
