#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libmcmeta as a package: installed to a directory, used from there by a program of its own.

    test_package.py SOURCE BUILD [MEMCACHED]; prints TAP
"""
import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SOURCE, BUILD = sys.argv[1], sys.argv[2]
MEMCACHED = sys.argv[3] if len(sys.argv) > 3 else ""
SANITIZED = os.environ.get("SANITIZE", "none") != "none"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


class Skipped(Exception):
    """Says why in its text."""


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                          check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


class Package:
    """What `meson install` made."""

    def __init__(self, root):
        self.root = root
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
        self.pc = self.find("libmcmeta.pc")
        self.env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(self.pc),
                        PKG_CONFIG_SYSROOT_DIR=root)

    def find(self, name):
        found = glob.glob(f"{self.root}/**/{name}", recursive=True)
        if not found:
            raise AssertionError(f"{name} was not installed")
        return found[0]

    def flags(self, *options):
        return run("pkg-config", *options, "libmcmeta", env=self.env).split()

    def build(self, source, program, *flags):
        run("cc", "-std=c11", *WARNINGS, *self.flags("--cflags"), source, *flags, "-o", program)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """A memcached for the time of a with statement."""

    def __enter__(self):
        if not MEMCACHED:
            raise Skipped("memcached is not installed")
        self.port = free_port()
        user = ["-u", "root"] if os.getuid() == 0 else []
        self.process = subprocess.Popen([MEMCACHED, "-l", "127.0.0.1", "-p", str(self.port), "-U",
                                         "0"] + user)
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.01)
        return f"127.0.0.1:{self.port}"

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def refuse_sanitizers():
    if SANITIZED:
        raise Skipped("a library with a sanitizer needs a program with it")


def test_a_program_links_the_shared_library(package):
    refuse_sanitizers()
    program = f"{package.root}/shared"
    package.build(f"{SOURCE}/examples/blocking.c", program, *package.flags("--libs"))
    library = os.path.dirname(package.find("libmcmeta.so.0"))
    with Node() as address:
        output = run(program, address, env=dict(os.environ, LD_LIBRARY_PATH=library))
    assert output == "set: done\nget: done\nhello\n", output
    assert "libmcmeta.so.0" in run("readelf", "-d", program)


def test_a_program_links_the_static_library(package):
    refuse_sanitizers()
    program = f"{package.root}/static"
    libs = [package.find("libmcmeta.a") if flag == "-lmcmeta" else flag
            for flag in package.flags("--static", "--libs")]
    package.build(f"{SOURCE}/examples/blocking.c", program, *libs)
    assert "libmcmeta" not in run("readelf", "-d", program)
    with Node() as address:
        assert run(program, address).endswith("hello\n")


def test_the_tls_example_compiles_against_the_package(package):
    refuse_sanitizers()
    package.build(f"{SOURCE}/examples/tls.c", f"{package.root}/tls", *package.flags("--libs"))


def test_each_public_header_stands_alone_in_c_and_cpp(package):
    folder = os.path.dirname(package.find("mcmeta.h"))
    compilers = [["cc", "-std=c11", "-x", "c"]]
    if shutil.which("c++"):
        compilers.append(["c++", "-std=c++17", "-x", "c++"])
    for name in sorted(os.listdir(folder)):
        for compiler in compilers:
            run(*compiler, *WARNINGS, *package.flags("--cflags"), "-fsyntax-only", "-",
                input=f"#include <mcmeta/{name}>\nextern int not_empty;\n")
    public = {os.path.basename(p) for p in glob.glob(f"{SOURCE}/include/mcmeta/*.h")}
    assert set(os.listdir(folder)) == public, "a public header is not installed"


def test_the_shared_library_exports_the_listed_symbols_only(package):
    lines = run("nm", "-D", "--defined-only", package.find("libmcmeta.so.0")).splitlines()
    names = sorted(line.split()[2].split("@")[0] for line in lines if " A " not in line)
    if SANITIZED:
        names = [name for name in names if name.startswith("mcm_")]
    with open(f"{SOURCE}/src/mcmeta/libmcmeta.symbols", encoding="utf-8") as listed:
        expected = listed.read().split()
    more, fewer = set(names) - set(expected), set(expected) - set(names)
    assert not more and not fewer, f"libmcmeta.symbols: not listed {more}, not there {fewer}"


def test_the_static_library_defines_only_names_of_ours(package):
    lines = run("nm", "--defined-only", "-g", package.find("libmcmeta.a")).splitlines()
    names = [line.split()[2] for line in lines if len(line.split()) == 3]
    foreign = [n for n in names if not n.startswith("mcm_")]
    assert names and (SANITIZED or not foreign), foreign


def test_the_pkg_config_file_hides_what_only_the_archive_needs(package):
    assert "-lssl" not in package.flags("--libs")
    with open(package.pc, encoding="utf-8") as file:
        text = file.read()
    if "openssl" in text:
        assert "Requires.private: openssl" in text, text
    assert "xxhash" not in text, text


def test_manual_pages_are_right_and_complete(package):
    pages = glob.glob(f"{package.root}/**/man[37]/*.[37]", recursive=True)
    named = {os.path.basename(p).rsplit(".", 1)[0] for p in pages}
    with open(f"{SOURCE}/src/mcmeta/libmcmeta.symbols", encoding="utf-8") as listed:
        missing = set(listed.read().split()) - named
    assert not missing, f"no manual page for {sorted(missing)}"
    if not shutil.which("mandoc"):
        raise Skipped("mandoc is not installed")
    for page in glob.glob(f"{SOURCE}/man/*.[37]"):
        run("mandoc", "-Tlint", "-Wwarning", page)


def main():
    tests = [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failures = 0
    with tempfile.TemporaryDirectory() as root:
        package = Package(root)
        for number, (name, test) in enumerate(tests, 1):
            try:
                test(package)
                print(f"ok {number} {name}")
            except Skipped as reason:
                print(f"ok {number} {name} # SKIP {reason}")
            except AssertionError as problem:
                failures += 1
                print(f"not ok {number} {name}")
                print("\n".join("# " + line for line in str(problem).splitlines()))
    return 1 if failures else 0


sys.exit(main())
