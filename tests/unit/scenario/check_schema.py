#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The JSON schema of scenario files: check_schema.py MEMCHAOS SCHEMA SCENARIO...

It must be what the program writes, accept every shipped scenario, and agree with the program about
what is wrong, as far as a schema can tell.
"""
import json
import os
import subprocess
import sys
import tempfile

SKIPPED = 77

HEAD = "name: x\ndescription: d\n"
PHASES = "phases: {baseline: 1s, fault: 2s, recovery: 3s}\n"


def steps(*lines):
    return HEAD + PHASES + "steps:\n" + "".join(f"- {{{line}}}\n" for line in lines)


GOOD = (
    HEAD + "phases: {baseline: 1s}\n",
    HEAD + "group: [main, smoke]\nphases: {baseline: 1s}\nload: {rate: 200, workload: mixed}\n",
    HEAD + "phases: {baseline: 1s, a: 1s, b-2: 1m30s, recovery: 1.5s}\n"
    "steps:\n- {target: one, proxy: down, phase: b-2}\n",
    steps("target: nodes 1 3, toxic: latency, attributes: {latency: 5}, toxicity: 0.5"),
    steps("target: random 2, toxic: latency, attributes: {latency: {from: 0, to: 5, steps: 5}},"
          "toxicity: {from: 0, to: 1}"),
    steps("target: all, proxy: down, at: 1s, for: 10ms, every: 100ms, jitter: 5ms, stagger: 1ms"),
    steps("target: hottest, toxic: noop, stream: both"),
    HEAD + PHASES + "steps:\n- {target: majority, toxic: noop}\n"
    "checks:\n- fault.error_rate < 40%\n- {check: wrong_values == 0, abort: true}\n",
)
BAD = (
    "description: d\nphases: {baseline: 1s}\n",
    HEAD + "phases: {fault: 1s, recovery: 1s}\n",
    HEAD + "phases: {baseline: 5}\n",
    HEAD + "phases: {baseline: 1s, A B: 1s}\n",
    HEAD + "phase: {baseline: 1s}\n",
    HEAD + "phases: {baseline: 1s}\nload: {speed: 1}\n",
    steps("proxy: down"),
    steps("target: node, proxy: down"),
    steps("target: some, proxy: down"),
    steps("target: all"),
    steps("target: all, proxy: down, toxic: noop"),
    steps("target: all, proxy: dwon"),
    steps("target: all, toxic: latncy"),
    steps("target: all, toxic: noop, attributes: {a: 1}"),
    steps("target: all, toxic: latency, attributes: {latncy: 1}"),
    steps("target: all, toxic: latency, attributes: {latency: 1.5}"),
    steps("target: all, toxic: bandwidth, attributes: {rate: -1}"),
    steps("target: all, toxic: latency, attributes: {latency: {from: 1}}"),
    steps("target: all, toxic: latency, attributes: {latency: {from: 0, to: 9, steps: 1}}"),
    steps("target: all, toxic: packet_loss, attributes: {loss_rate: {from: 0, to: 5}}"),
    steps("target: all, toxic: noop, stream: up"),
    steps("target: all, proxy: down, stream: both"),
    steps("target: all, proxy: down, toxicity: 1"),
    steps("target: all, proxy: down, for: 5"),
    HEAD + "phases: {baseline: 1s}\nchecks: wrong_values == 0\n",
    HEAD + "phases: {baseline: 1s}\nchecks:\n- {check: wrong_values == 0, stop: true}\n",
)


def program_accepts(memchaos, text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "f.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([memchaos, "check", path], capture_output=True, timeout=30,
                              check=False)
    assert done.returncode in (0, 104), done
    return done.returncode == 0


def main():
    memchaos, schema_path, shipped = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(schema_path, encoding="utf-8") as file:
        written = file.read()
    done = subprocess.run([memchaos, "schema"], capture_output=True, timeout=30, check=True)
    assert done.stdout.decode() == written, \
        f"{schema_path} is old: {memchaos} schema > schema/scenario.v1.json"
    try:
        import jsonschema
        import yaml
    except ImportError as missing:
        print(f"skipped: {missing}")
        return SKIPPED
    schema = json.loads(written)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in shipped:
        with open(path, encoding="utf-8") as file:
            validator.validate(yaml.safe_load(file))
    for text in GOOD + BAD:
        good = text in GOOD
        assert validator.is_valid(yaml.safe_load(text)) == good, f"schema, {good}:\n{text}"
        assert program_accepts(memchaos, text) == good, f"program, {good}:\n{text}"
    print(f"{len(shipped)} scenarios, {len(GOOD)} good and {len(BAD)} bad texts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
