#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/catalog.md from the scenario files: draw-catalog.py [-check] MEMCHAOS PAGE SCENARIO...

With -check nothing is written; the exit code tells whether the page is what would be written.
"""
import json
import subprocess
import sys
import textwrap

HEAD = """\
# The shipped scenarios

Written by `tools/draw-catalog.py` from the files in `scenarios/`; [Writing a
scenario](scenarios.md) explains the keys. `-scenario NAME` runs one of them, `-scenario GROUP` a
group, and `-scenario all` the group `main`. `memchaos show NAME` prints the timeline of one, with
the nodes that a seed draws.
"""


def duration(nanoseconds):
    seconds = nanoseconds / 1e9
    minutes, rest = divmod(seconds, 60)
    return (f"{minutes:.0f}m" if minutes else "") + (f"{rest:g}s" if rest or not minutes else "")


def load(memchaos, path):
    done = subprocess.run([memchaos, "show", "-json", path], capture_output=True, timeout=30,
                          check=True)
    plan = json.loads(done.stdout)
    with open(path, encoding="utf-8") as file:
        lines = file.read().rstrip("\n").split("\n")
    begin = next(i for i, line in enumerate(lines) if line.startswith(("load:", "phases:")))
    plan["text"] = "\n".join(lines[begin:])
    return plan


def describe(plan, group):
    also = [g for g in plan["groups"] if g != group]
    more = f", also in {', '.join(also)}" if also else ""
    text = textwrap.fill(plan["description"], 120)
    return (f"\n### {plan['scenario']}\n\n{duration(plan['length_ns'])}{more}.\n\n{text}\n\n"
            f"```yaml\n{plan['text']}\n```\n")


def overview(groups):
    page = "\n| group | scenarios | length |\n|---|---|---|\n"
    for group, plans in groups.items():
        names = ", ".join(f"[{p['scenario']}](#{p['scenario']})" for p in plans)
        page += f"| `{group}` | {names} | {duration(sum(p['length_ns'] for p in plans))} |\n"
    return page


def draw(plans):
    groups = {"main": []}
    for plan in plans:
        for group in plan["groups"]:
            groups.setdefault(group, []).append(plan)
    page = HEAD + overview(groups)
    for group, members in groups.items():
        own = [p for p in members if p["groups"][0] == group]
        if own:
            page += f"\n## {group}\n" + "".join(describe(plan, group) for plan in own)
    return page


def main():
    arguments = sys.argv[1:]
    check = arguments[0] == "-check"
    memchaos, target, *paths = arguments[check:]
    page = draw([load(memchaos, path) for path in sorted(paths)])
    if not check:
        with open(target, "w", encoding="utf-8") as file:
            file.write(page)
        return 0
    with open(target, encoding="utf-8") as file:
        if file.read() == page:
            return 0
    print(f"{target} is old; write it with: tools/draw-catalog.py build/src/cli/memchaos "
          "docs/catalog.md scenarios/*.yaml")
    return 1


if __name__ == "__main__":
    sys.exit(main())
