# SPDX-License-Identifier: MIT
"""Driver programs: ours with their real clients, and some that do everything wrong."""
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

from harness import Case, children, main

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVERS = os.path.join(HERE, "..", "..", "drivers")
FAKE = f"{sys.executable} {os.path.join(HERE, 'fake_driver.py')}"
LIGHT = ("-rate", "300", "-concurrency", "2", "-api-port", "0", "-proxy-port", "0", "-seed", "7",
         "-servers", "127.0.0.1:1", "-direct", "-scenario", "healthy", "-timeout", "100ms")
PYTHON = "/usr/bin/python3"  # the one that sees Debian's modules


class Fakes(Case):
    """A program that misbehaves is found out, whatever its exit status says."""

    def setUp(self):
        super().setUp()
        self.memcached, port = self.start_memcached()
        self.servers = ("-servers", f"127.0.0.1:{port}")

    def finish(self):
        self.memcached.kill()  # it would take a second to end by itself
        return super().finish()

    def run_with(self, mode, duration="600ms", *more):
        process = self.run_memchaos(*LIGHT, *self.servers, "-json", "-duration", duration, "-runs",
                                    "1", "-driver", f"{FAKE} {mode}", *more)
        self.assertIn(process.code, (0, 98, 99), process.describe())
        return process, json.loads(process.out)["runs"][0]

    def failed_checks(self, run):
        return {c["name"]: c for c in run["checks"] if not c["ok"]}

    def assert_found(self, mode, name, *words, duration="600ms"):
        process, run = self.run_with(mode, duration)
        if name in ("driver_crashed", "driver_exited", "driver_silent"):
            self.assertEqual(process.code, 99)  # whatever else the run shows
        failed = self.failed_checks(run)
        found = {n for n in failed if n.startswith("driver_")}
        self.assertIn(name, found, run["checks"])
        self.assertNotEqual(process.code, 0)
        for word in words:
            self.assertIn(word, failed[name]["measured"])
        self.assertIn("driver: ", process.err)
        return found

    def test_a_good_one_has_no_findings_and_its_cost_is_told(self):
        process, run = self.run_with("good")
        checks = {c["name"]: c for c in run["checks"]}
        self.assertFalse([n for n in self.failed_checks(run) if n.startswith("driver_")])
        self.assertIn("fake 1.0 on Python", checks["driver_cost"]["measured"])
        self.assertIn("p99", checks["driver_cost"]["measured"])
        self.assertIn("driver: the fake is ready", process.err)
        self.assertEqual(checks["wrong_data"]["ok"], True)

    def test_a_process_per_worker(self):
        process, run = self.run_with("per_worker")
        self.assertFalse([n for n in self.failed_checks(run) if n.startswith("driver_")])
        self.assertIn("a process per worker", process.err)
        self.assertIn("driver 1: the fake is ready", process.err)

    def test_one_that_exits_with_0_in_the_midst_of_it(self):
        self.assertEqual(self.assert_found("exit0", "driver_exited", "ended with status 0"),
                         {"driver_exited"})

    def test_one_that_crashes(self):
        self.assert_found("crash", "driver_crashed", "signal 11", "my last words")

    def test_one_that_closes_its_output(self):
        self.assert_found("closes_output", "driver_exited", "closed its standard output",
                          duration="1500ms")

    def test_one_that_stops_answering(self):
        self.assert_found("begins_only", "driver_silent", "begun and never ended",
                          duration="1500ms")

    def test_one_that_answers_too_late(self):
        found = self.assert_found("slow 1.15", "driver_late", "was answered after",
                                  duration="1500ms")
        self.assertEqual(found, {"driver_late", "driver_silent"})

    def test_one_that_is_late_within_reason(self):
        _, run = self.run_with("slow 0.15", "1s")
        self.assertFalse([n for n in self.failed_checks(run) if n.startswith("driver_")])

    def test_one_that_breaks_the_protocol(self):
        for mode, words in (
                ("garbage", ("not JSON", "Traceback")), ("unknown_id", ("not in progress", "4711")),
                ("no_begin", ("without its begin",)), ("double_end", ("a second end",)),
                ("milliseconds", ("nanoseconds of a monotonic clock",)),
                ("wrong_word", ("great",))):
            with self.subTest(mode):
                found = self.assert_found(mode, "driver_protocol", *words, duration="400ms")
                self.assertEqual(found, {"driver_protocol"})

    def test_one_that_does_not_say_bye(self):
        found = self.assert_found("no_bye", "driver_no_bye", "without its final line",
                                  duration="300ms")
        self.assertEqual(found, {"driver_no_bye"})

    def test_one_that_does_not_end(self):
        self.assert_found("stays", "driver_no_bye", "still ran", duration="300ms")

    def test_one_that_ends_with_a_status(self):
        self.assert_found("status3", "driver_exited", "status 3 after its final line",
                          duration="300ms")

    def test_one_that_leaves_a_child_behind(self):
        self.run_with("leaves_a_child", "300ms")  # the harness looks for what is left

    def test_one_that_does_not_start(self):
        for command, words in ((f"{FAKE} no_hello", "Starting up..."),
                               (f"{FAKE} dies_at_once", "nothing works"),
                               ("/nowhere/at/all", "not found")):
            process = self.run_memchaos(*LIGHT, *self.servers, "-driver", command, "-runs", "1",
                                        "-duration", "300ms")
            self.assertEqual(process.code, 1, process.describe())
            self.assertIn(words, process.err.splitlines()[-1])

    def test_ctrl_c_ends_the_program_as_well(self):
        process = self.start(*LIGHT, *self.servers, "-driver", f"{FAKE} good", "-duration", "60s")
        self.until(lambda: "the fake is ready" in process.err, "the driver runs")
        self.assertEqual(process.stop(signal.SIGINT), 105)

    def test_a_killed_memchaos_leaves_no_program(self):
        process = self.start(*LIGHT, *self.servers, "-driver", f"{FAKE} stays", "-duration", "60s")
        self.until(lambda: "the fake is ready" in process.err, "the driver runs")
        process.kill()
        self.until(lambda: "python3" not in " ".join(children().values()), "the driver is gone")

    def test_a_name_that_is_none_has_a_suggestion(self):
        process = self.run_memchaos("-driver", "mcmetta")
        self.assertEqual(process.code, 2)
        self.assertIn('did you mean "mcmeta"?', process.err)


class Checker(Case):
    """memchaos driver-check tells an author what is wrong."""

    def check(self, command, env=None):
        process = self.run_memchaos("driver-check", command, timeout=60, env=env)
        return process, [line for line in process.out.splitlines() if line.startswith("✗")]

    def assert_passes(self, command, skipped, env=None):
        process, failed = self.check(command, env)
        self.assertEqual((process.code, failed), (0, []), process.describe())
        self.assertIn(f", 0 failed, {skipped} skipped", process.out)

    def test_the_template_fails_where_there_is_no_server_behind_it(self):
        process, failed = self.check(f"{PYTHON} {DRIVERS}/template/driver.py")
        self.assertEqual(process.code, 99)
        self.assertEqual(failed, ["✗ impossible keys are refused, and do no harm",
                                  "✗ a server that does not answer is a failure in time",
                                  "✗ a server that is not there is a failure in time"])
        self.assertIn("dictionary 1.0", process.out)

    def test_what_is_wrong_is_told_with_a_hint(self):
        for mode, words in (("double_end", "eight workers"),
                            ("no_hello", "it starts and says hello"),
                            ("status3", "bye ends it, with its final line and status 0")):
            process, failed = self.check(f"{FAKE} {mode}")
            self.assertEqual(process.code, 99, process.describe())
            self.assertTrue(any(words in line for line in failed), process.describe())

    def test_usage(self):
        self.assertEqual(self.run_memchaos("driver-check").code, 2)
        self.assertEqual(self.run_memchaos("driver-check", "-help").code, 0)

    def test_pymemcache(self):
        if subprocess.run([PYTHON, "-c", "import pymemcache"], capture_output=True,
                          check=False).returncode != 0:
            self.skipTest("python3-pymemcache is not installed")
        self.assert_passes(f"{PYTHON} {DRIVERS}/python/pymemcache_driver.py", 1)

    def test_libmemcached(self):
        if not shutil.which("cc"):
            self.skipTest("no C compiler")
        program = os.path.join(self.temp_dir(), "driver")
        built = subprocess.run(
            ["cc", "-Wall", "-Werror", "-o", program, f"{DRIVERS}/c/libmemcached_driver.c",
             "-lmemcached", "-ljansson"], capture_output=True, text=True, check=False)
        if "No such file" in built.stderr or "cannot find" in built.stderr:
            self.skipTest("libmemcached-dev is not installed")
        self.assertEqual(built.returncode, 0, built.stderr)
        self.assert_passes(program, 2)

    def test_memjs(self):
        if not shutil.which("npm") or not shutil.which("node"):
            self.skipTest("no npm")
        directory = self.temp_dir()
        with open(directory + "/package.json", "w", encoding="ascii") as file:
            json.dump({"name": "test", "version": "1.0.0", "private": True}, file)
        try:
            done = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                 "--fetch-retries=0", "--fetch-timeout=10000", "memjs@1.3.2"],
                cwd=directory, capture_output=True, text=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            self.skipTest("the npm registry does not answer")
        if done.returncode != 0:
            self.skipTest("npm install failed: " + done.stderr.strip().split("\n")[-1])
        self.assert_passes(f"node {DRIVERS}/node/memjs_driver.js", 2,
                           env={"NODE_PATH": directory + "/node_modules"})


class Clients(Case):
    """A whole run with a real client behind the protocol."""

    @unittest.skipIf(subprocess.run([PYTHON, "-c", "import pymemcache"], capture_output=True,
                                    check=False).returncode != 0,
                     "python3-pymemcache is not installed")
    def test_a_run_with_pymemcache(self):
        process = self.run_memchaos(
            "-driver", f"{PYTHON} {DRIVERS}/python/pymemcache_driver.py", "-scenario", "healthy",
            "-duration", "1s", "-runs", "1", "-rate", "100", "-concurrency", "4", "-api-port", "0",
            "-proxy-port", "0", "-json")
        run = json.loads(process.out)["runs"][0]
        checks = {c["name"]: c for c in run["checks"]}
        self.assertTrue(checks["wrong_data"]["ok"], process.describe())
        self.assertTrue(checks["operations_done"]["ok"], process.describe())
        self.assertFalse([n for n in checks if n.startswith("driver_") and not checks[n]["ok"]])
        self.assertIn("pymemcache", checks["driver_cost"]["measured"])


if __name__ == "__main__":
    main()
