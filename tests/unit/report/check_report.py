#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_report.py MODE WRITER FILE ARG...

golden: what the writer prints for ARG is the same as FILE, byte by byte.
schema: what it prints is valid JSON and conforms to the schema in FILE.
lines:  the same of each line.
junit:  it is well-formed XML whose counts are right, and has the text of FILE in a message.
html:   it is well-formed, refers to nothing outside of itself, and has no markup out of names.
"""
import difflib
import json
import re
import subprocess
import sys
import xml.etree.ElementTree
from html.parser import HTMLParser


def check_golden(text, path):
    with open(path, encoding="utf-8", newline="") as file:
        expected = file.read()
    sys.stdout.writelines(
        difflib.unified_diff(expected.splitlines(True), text.splitlines(True), path, "written"))
    return text == expected


def schema_errors(documents, path):
    from jsonschema import Draft202012Validator
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    errors = [e for d in documents for e in validator.iter_errors(json.loads(d))]
    for error in errors:
        print("/".join(map(str, error.absolute_path)) + ": " + error.message)
    return errors


def check_schema(text, path):
    return not schema_errors([text], path)


def check_lines(text, path):
    return len(text.splitlines()) > 3 and not schema_errors(text.splitlines(), path)


def check_junit(text, message):
    root = xml.etree.ElementTree.fromstring(text)
    suites = root.findall("testsuite")
    problems = []
    for node in [root] + suites:
        for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"),
                               ("skipped", "skipped")):
            found = len(node.findall(".//" + tag))
            if int(node.get(attribute)) != found:
                problems.append(f"{node.tag}: {attribute} is {node.get(attribute)}, not {found}")
    messages = [n.get("message") for n in root.iter() if n.get("message")]
    if not any(message in m for m in messages):
        problems.append(f"no message has {message!r}: {messages}")
    print("\n".join(problems))
    return not problems


class Page(HTMLParser):
    """Open elements, what is wrong with them, and the text of the scripts."""
    VOID = {"meta", "br", "link", "img", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.problems, self.scripts, self.tags = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append("")
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "src" or (name == "href" and value[0] != "#"):
                self.problems.append(f"<{tag} {name}={value}>")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()} closes another element")

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data


def check_html(text, _path):
    page = Page()
    page.feed(text)
    page.close()
    problems = page.problems + [f"<{tag}> is not closed" for tag in page.open]
    if len(page.scripts) != 2:
        problems.append(f"{len(page.scripts)} scripts")
    if "default-src 'none'" not in text:
        problems.append("no content security policy")
    outside = [u for u in re.findall(r"https?://[^\s\"'<)]+|@import|url\(", text)
               if u != "http://www.w3.org/2000/svg"]
    problems += [f"refers to {u}" for u in outside]
    for needed in ("prefers-color-scheme: dark", "<h3>Recovery</h3>", "<h3>Checks</h3>",
                   "<h3>Configuration</h3>", "<noscript>"):
        if needed not in text:
            problems.append(f"no {needed}")
    for run in json.loads(page.scripts[0])["runs"]:
        lengths = {len(run[c]) for c in ("from", "to", "ok", "failed", "offered", "dropped")}
        lengths |= {len(v) for v in list(run["latency"].values()) + list(run["kinds"].values())}
        lengths |= {len(n[c]) for n in run["nodes"] for c in ("active", "total", "waiting")}
        if len(lengths) != 1:
            problems.append(f"columns of different lengths: {lengths}")
    print("\n".join(problems))
    return not problems


def main():
    mode, writer, path, *args = sys.argv[1:]
    text = subprocess.run([writer, *args], check=True, stdout=subprocess.PIPE,
                          timeout=60).stdout.decode("utf-8")
    check = {"golden": check_golden, "schema": check_schema, "lines": check_lines,
             "junit": check_junit, "html": check_html}[mode]
    sys.exit(0 if check(text, path) else 1)


main()
