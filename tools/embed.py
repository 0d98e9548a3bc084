#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns scenario files into a C table: embed.py OUTPUT FILE..."""

import os
import sys


def c_string(data):
    lines = []
    for line in data.splitlines(keepends=True):
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append('        "%s"' % escaped)
    return "\n".join(lines) or '        ""'


def main():
    output, files = sys.argv[1], sorted(sys.argv[2:], key=os.path.basename)
    with open(output, "w", encoding="utf-8") as out:
        out.write('#include "scenario/catalog.h"\n\n'
                  'const struct catalog_file catalog_files[] = {\n')
        for path in files:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            out.write('    {\n        "scenarios/%s",\n%s,\n        %d,\n    },\n'
                      % (os.path.basename(path), c_string(text), len(text.encode("utf-8"))))
        out.write("};\n\nconst size_t catalog_file_count = %d;\n" % len(files))


if __name__ == "__main__":
    main()
