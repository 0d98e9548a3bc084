#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The end-to-end harness itself: each of its alarms must go off."""
import socket
import subprocess
import sys

from harness import Case, Process, children, listens, main, run_case, until


class Inner(Case):
    """Tests that must fail; they are run by the tests below, not by main()."""

    def leaves_a_process(self):
        subprocess.Popen(["sleep", "60"])

    def leaves_an_orphan(self):
        self.start_program("sh", "-c", "sleep 60 & exit 0").wait()

    def leaves_a_port(self):
        global leaked_socket
        leaked_socket = socket.socket()
        leaked_socket.bind(("127.0.0.1", self.free_port()))
        leaked_socket.listen()

    def has_a_sanitizer_report(self):
        self.start_program("sh", "-c", "echo '==1==ERROR: AddressSanitizer: x' >&2").wait()

    def fails(self):
        self.start_program("echo", "some output").wait()
        self.assertEqual(1, 2)

    def passes(self):
        self.start_program("sleep", "60")

    def skips(self):
        self.skipTest("no reason")


leaked_socket = None


class Harness(Case):
    def problem_of(self, name):
        problem, skip = run_case(Inner(name))
        self.assertIsNone(skip)
        return problem

    def test_notices_a_child_left_behind(self):
        self.assertIn("left behind: process", self.problem_of("leaves_a_process"))
        self.assertEqual(children(), {})

    def test_notices_an_orphan_left_behind(self):
        self.assertIn("(sleep)", self.problem_of("leaves_an_orphan"))
        self.assertEqual(children(), {})

    def test_notices_a_port_left_behind(self):
        try:
            self.assertIn("something listens on port", self.problem_of("leaves_a_port"))
        finally:
            leaked_socket.close()

    def test_notices_a_sanitizer_report(self):
        self.assertIn("AddressSanitizer", self.problem_of("has_a_sanitizer_report"))

    def test_shows_the_output_of_a_failed_test(self):
        problem = self.problem_of("fails")
        self.assertIn("1 != 2", problem)
        self.assertIn("some output", problem)

    def test_ends_what_a_passing_test_started(self):
        self.assertIsNone(self.problem_of("passes"))
        self.assertEqual(children(), {})

    def test_tells_a_skip_from_a_pass(self):
        self.assertEqual(run_case(Inner("skips")), (None, "no reason"))

    def test_gives_up_waiting_at_the_deadline(self):
        with self.assertRaisesRegex(AssertionError, "in vain until pigs fly"):
            until(lambda: False, "pigs fly", 0.05)

    def test_gives_up_on_a_program_that_does_not_end(self):
        process = self.start_program("sleep", "60")
        with self.assertRaisesRegex(AssertionError, "still runs"):
            process.wait(0.05)

    def test_starts_and_stops_memcached(self):
        process, port = self.start_memcached()
        self.assertTrue(listens(port))
        process.stop()
        self.assertFalse(listens(port))

    def test_runs_the_program_under_test(self):
        self.assertIsInstance(self.run_memchaos("-help"), Process)


if __name__ == "__main__":
    assert sys.version_info >= (3, 9)
    main()
