#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns files into C tables.

embed.py OUTPUT FILE...           scenario files, as scenario/catalog.h wants them
embed.py --lines OUTPUT FILE...   each file, line by line, as `embedded_<name>_<ext>[]`
"""

import os
import re
import sys


def c_literal(line):
    return line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def c_string(data):
    lines = ['        "%s"' % c_literal(line) for line in data.splitlines(keepends=True)]
    return "\n".join(lines) or '        ""'


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write_catalog(out, paths):
    out.write('#include "scenario/catalog.h"\n\n'
              'const struct catalog_file catalog_files[] = {\n')
    for path in sorted(paths, key=os.path.basename):
        text = read(path)
        out.write('    {\n        "scenarios/%s",\n%s,\n        %d,\n    },\n'
                  % (os.path.basename(path), c_string(text), len(text.encode("utf-8"))))
    out.write("};\n\nconst size_t catalog_file_count = %d;\n" % len(paths))


def write_lines(out, paths):
    """One string per line: a compiler need not take longer ones than 4095 bytes."""
    for path in paths:
        name = "embedded_" + re.sub(r"\W", "_", os.path.basename(path))
        lines = ['    "%s",\n' % c_literal(line) for line in read(path).splitlines(keepends=True)]
        out.write("extern const char *const %s[];\nconst char *const %s[] = {\n%s    0,\n};\n\n"
                  % (name, name, "".join(lines)))


def main():
    args = sys.argv[1:]
    write = write_catalog
    if args[0] == "--lines":
        write, args = write_lines, args[1:]
    with open(args[0], "w", encoding="utf-8") as out:
        write(out, args[1:])


if __name__ == "__main__":
    main()
