# SPDX-License-Identifier: MIT
"""What the end-to-end tests stand on: start the real program, wait with a deadline, leave nothing.

    from harness import Case, main

    class Proxy(Case):
        def test_answers_version(self):
            port = self.free_port()
            proxy = self.start("proxy", "-port", port)
            url = f"http://127.0.0.1:{port}/version"
            self.until(lambda: self.http("GET", url), "the API answers")
            self.assertEqual(proxy.stop(), 0)

    if __name__ == "__main__":
        main()

After each test every process that it started, and their children, must be gone, no free_port()
may still be listened on, and no output may hold a sanitizer report; otherwise the test fails.
Prints TAP. Names on the command line select tests: test_x.py answers_version
"""
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import unittest
import urllib.error
import urllib.request

MEMCHAOS = os.environ.get("MEMCHAOS", "build/memchaos")
# Sanitizers make everything slower; every deadline is multiplied by this.
TIME_FACTOR = float(os.environ.get("TIME_FACTOR", "1"))
SANITIZER_REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                     "WARNING: ThreadSanitizer", ": runtime error: ")
PR_SET_CHILD_SUBREAPER = 36


def until(condition, what, timeout=10.0):
    """Calls condition() until it is true; returns what it gave, AssertionError after the timeout.

    Refused connections count as "not yet". `what` ends the sentence "waited in vain until ...".
    """
    deadline = time.monotonic() + timeout * TIME_FACTOR
    pause = 0.002
    while True:
        try:
            value = condition()
        except (ConnectionError, urllib.error.URLError, socket.timeout):
            value = None
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout * TIME_FACTOR:g} s in vain until {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def listens(port, host="127.0.0.1"):
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def children():
    """Our living children, orphans of theirs included, as a dictionary pid: name."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                name, rest = stat.read().split("(", 1)[1].rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid() and state != "Z":
            found[int(entry)] = name
    return found


class Process:
    """A started program. Its output goes to files, so it can never block on us."""

    def __init__(self, argv, env=None, cwd=None):
        self.argv = [str(a) for a in argv]
        self._out = tempfile.TemporaryFile()
        self._err = tempfile.TemporaryFile()
        self._popen = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err,
            env={**os.environ, **(env or {})}, cwd=cwd)
        self.pid = self._popen.pid

    @staticmethod
    def _text(file):
        size = os.fstat(file.fileno()).st_size
        return os.pread(file.fileno(), size, 0).decode("utf-8", "replace")

    @property
    def out(self):
        """What it has written to standard output so far."""
        return self._text(self._out)

    @property
    def err(self):
        return self._text(self._err)

    @property
    def code(self):
        """Its exit code, -N after signal N, None while it runs."""
        return self._popen.poll()

    def send_signal(self, number):
        self._popen.send_signal(number)

    def wait(self, timeout=30.0):
        """Waits for its end and returns the exit code; AssertionError after the timeout."""
        try:
            return self._popen.wait(timeout * TIME_FACTOR)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{' '.join(self.argv)} still runs after "
                                 f"{timeout * TIME_FACTOR:g} s") from None

    def stop(self, number=signal.SIGINT, timeout=10.0):
        """Asks it to end, as Ctrl-C does, and returns the exit code."""
        if self.code is None:
            self.send_signal(number)
        return self.wait(timeout)

    def kill(self):
        if self.code is None:
            self._popen.kill()
        self._popen.wait()

    def close(self):
        self._out.close()
        self._err.close()

    def describe(self):
        text = [f"$ {' '.join(self.argv)}", f"exit code: {self.code}"]
        for name, output in (("stdout", self.out), ("stderr", self.err)):
            lines = output.splitlines()
            if lines:
                text += [f"{name}, the last of {len(lines)} lines:"] + lines[-40:]
        return "\n".join(text)


class Case(unittest.TestCase):
    """One test file has one or more of these; the methods named test_... are the tests."""

    def setUp(self):
        self._processes = []
        self._ports = []

    def start(self, *args, env=None, cwd=None):
        """Starts memchaos with these arguments."""
        return self.start_program(MEMCHAOS, *args, env=env, cwd=cwd)

    def start_program(self, *argv, env=None, cwd=None):
        process = Process(argv, env, cwd)
        self._processes.append(process)
        return process

    def run_memchaos(self, *args, timeout=30.0, env=None, cwd=None):
        """Runs memchaos to its end; look at .code, .out and .err of what it returns."""
        process = self.start(*args, env=env, cwd=cwd)
        process.wait(timeout)
        return process

    def free_port(self):
        """A TCP port of 127.0.0.1 that nobody listens on."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._ports.append(port)
        return port

    def temp_dir(self):
        directory = tempfile.TemporaryDirectory(prefix="memchaos-test-")
        self.addCleanup(directory.cleanup)
        return directory.name

    def start_memcached(self, *flags):
        """Starts a memcached, waits until it accepts connections, and returns (process, port)."""
        port = self.free_port()
        user = ["-u", "root"] if os.geteuid() == 0 else []
        process = self.start_program("memcached", "-l", "127.0.0.1", "-p", port, "-U", 0, "-m", 64,
                                     *user, *flags)
        self.until(lambda: listens(port), "memcached accepts connections")
        return process, port

    until = staticmethod(until)

    @staticmethod
    def http(method, url, body=None, timeout=5.0):
        """One request; returns (status, body), the body parsed when it is JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout * TIME_FACTOR) as response:
                status, text = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        try:
            return status, json.loads(text)
        except json.JSONDecodeError:
            return status, text

    def finish(self):
        """Ends what still runs; returns what the test left behind, as a list of complaints."""
        started = {p.pid for p in self._processes}
        for process in self._processes:
            if process.code is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(5.0)
            except AssertionError:
                process.kill()
        complaints = []
        try:
            # Children of a killed program need a moment to notice.
            until(lambda: not children(), "all children are gone", 3.0)
        except AssertionError:
            for pid, name in children().items():
                complaints.append(f"left behind: process {pid} ({name})")
                os.kill(pid, signal.SIGKILL)
        reap(started)
        complaints += [f"left behind: something listens on port {p}"
                       for p in self._ports if listens(p)]
        for process in self._processes:
            for report in SANITIZER_REPORTS:
                if report in process.err:
                    complaints.append(f"sanitizer report of {process.argv[0]}: {report}")
        return complaints

    def describe_processes(self):
        return "\n".join(p.describe() for p in self._processes)

    def close_processes(self):
        for process in self._processes:
            process.close()


def reap(known):
    """Collects the exit codes of orphans that were handed to us."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0 or pid in known:
            return


def run_case(test):
    """Runs one test; returns (problem or None, reason for a skip or None)."""
    result = unittest.TestResult()
    method = getattr(test, test._testMethodName)
    holder = {"complaints": [], "processes": ""}

    def guarded():
        try:
            method()
        finally:
            holder["complaints"] = test.finish()
            holder["processes"] = test.describe_processes()
            test.close_processes()

    setattr(test, test._testMethodName, guarded)
    test.run(result)
    if result.skipped:
        return None, result.skipped[0][1]
    problems = [text for _, text in result.errors + result.failures] + holder["complaints"]
    if not problems:
        return None, None
    return "\n".join(problems + [holder["processes"]]), None


def main():
    """Runs the Cases of the calling file and exits."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    module = sys.modules["__main__"]
    tests = [t for suite in unittest.defaultTestLoader.loadTestsFromModule(module) for t in suite]
    names = sys.argv[1:]
    if names:
        tests = [t for t in tests if any(n in t.id() for n in names)]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        name = test.id().split(".", 1)[1].replace(".test_", ": ").replace("_", " ")
        begin = time.monotonic()
        try:
            problem, skip = run_case(test)
        except Exception:  # a bug in the harness must not hide the tests that follow
            problem, skip = traceback.format_exc(), None
        seconds = time.monotonic() - begin
        if problem:
            failed += 1
            print("".join(f"# {line}\n" for line in problem.splitlines()), end="")
        end = f" # SKIP {skip}" if skip else f" ({seconds:.2f} s)"
        print(f"{'not ok' if problem else 'ok'} {number} - {name}{end}", flush=True)
    sys.exit(1 if failed else 0)
