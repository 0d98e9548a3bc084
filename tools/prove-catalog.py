#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether the checks of shipped scenarios can fail: prove-catalog.py MEMCHAOS SCENARIO.yaml...

Runs each scenario twice, for real: as it is, where it must pass, and with the flags of its comment
"# Fails with: ...", which make the client worse, where a check of its own must fail. Prints a line
for each run and, at the end, how many were not as they should be. For people, not for CI: it takes
as long as the scenarios do. JOBS=3 runs three at a time, FLAGS="-rate 1k" are added to those that
set no rate, DURATION=30s shortens those of more than a minute.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys

COMMENT = re.compile(r"# Fails with: (.*)")
LONG_NS = 60 * 10**9


def run(memchaos, path, flags):
    argv = [memchaos, "-scenario", path, "-runs", "1", "-api-port", "0", "-proxy-port", "0",
            "-quiet", "-json", *flags]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    try:
        return json.loads(done.stdout)["runs"][0]
    except (ValueError, IndexError):
        return {"verdict": "exit code %d: %s" % (done.returncode, done.stderr.strip()[-200:]),
                "checks": []}


def flags_for(memchaos, path, text):
    sets_rate = re.search(r"[ {](rate|arrival):", text.split("phases:")[0])
    flags = [] if sets_rate else os.environ.get("FLAGS", "").split()
    shown = subprocess.run([memchaos, "show", "-json", path], capture_output=True, check=True)
    duration = os.environ.get("DURATION")
    if duration and json.loads(shown.stdout)["length_ns"] > LONG_NS:
        flags += ["-duration", duration]
    return flags


def prove(memchaos, path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    flags = flags_for(memchaos, path, text)
    own = set(re.findall(r"^  - (?!target)(.*)", text.partition("\nchecks:\n")[2], re.M))
    name = os.path.basename(path)
    lines, bad = [], 0
    worse = COMMENT.search(text)
    for more in [[]] + ([worse[1].split()] if worse else []):
        result = run(memchaos, path, flags + more)
        wanted = "failed" if more else "passed"
        failed = [c for c in result["checks"] if not c["ok"]]
        ok = result["verdict"] == wanted and (not more or any(c["text"] in own for c in failed))
        bad += not ok
        lines.append("%s %s %s: %s" % ("ok " if ok else "BAD", name, " ".join(more),
                                       result["verdict"]))
        lines += [f"      {c['text']}: {c['measured']}" for c in failed]
    if not worse:
        lines.append(f"    {name} names no flags that make it fail")
    print("\n".join(lines), flush=True)
    return bad


def main():
    memchaos, *paths = sys.argv[1:]
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "1"))) as pool:
        bad = sum(pool.map(lambda path: prove(memchaos, path), paths))
    print(f"{len(paths)} scenarios, {bad} runs not as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
