#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_report.py golden WRITER FILE ARG... | check_report.py schema WRITER SCHEMA ARG...

golden: what the writer prints for ARG is the same as FILE, byte by byte.
schema: what it prints is valid JSON and conforms to SCHEMA.
"""
import difflib
import json
import subprocess
import sys


def check_golden(text, path):
    with open(path, encoding="utf-8") as file:
        expected = file.read()
    sys.stdout.writelines(
        difflib.unified_diff(expected.splitlines(True), text.splitlines(True), path, "written"))
    return text == expected


def check_schema(text, path):
    from jsonschema import Draft202012Validator
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    errors = list(Draft202012Validator(schema).iter_errors(json.loads(text)))
    for error in errors:
        print("/".join(map(str, error.absolute_path)) + ": " + error.message)
    return not errors


def main():
    mode, writer, path, *args = sys.argv[1:]
    text = subprocess.run([writer, *args], check=True, stdout=subprocess.PIPE,
                          timeout=60).stdout.decode("utf-8")
    check = {"golden": check_golden, "schema": check_schema}[mode]
    sys.exit(0 if check(text, path) else 1)


main()
