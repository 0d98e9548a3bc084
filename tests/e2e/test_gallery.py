# SPDX-License-Identifier: MIT
"""Positive controls: every deliberately broken client of tests/gallery is caught by the scenario
that is named for it, by the check that is named for it; the correct one passes all of them.

What is invalid (98), or could not be set up (1), says nothing: on a machine that is busy with
other things it is run again.
"""
import concurrent.futures
import json
import os

from harness import Case, main

GALLERY = os.path.join(os.path.dirname(__file__), "..", "gallery")
CLIENTS = os.environ.get("GALLERY_CLIENTS", "build/tests/gallery")
TRIES = 6
AT_ONCE = 3
TIMEOUT = "300ms"

# client: the scenario, and the checks that must fail; the first is also a reason of the verdict.
CAUGHT = {
    "no_timeout": ("silence", ["no_operation_overdue"]),
    "deadlocks": ("silence", ["calls_ended", "no_operation_overdue"]),
    "reuses_connection": ("silence", ["wrong_data"]),
    "leaks_connections": ("silence", ["leaked_connections"]),
    "timeout_is_miss": ("silence", ["hit_rate"]),
    "shared_breaker": ("silence", ["others_clean"]),
    "stuck_half_open": ("outage", ["recovered", "breaker_closed"]),
    "retries_without_limit": ("resets", ["fault.node1.amplification"]),
    "swaps_answers": ("calm", ["wrong_data"]),
    "stale_cache": ("calm", ["wrong_data"]),
    "short_batch": ("batches", ["hit_rate"]),
}
SCENARIOS = sorted({scenario for scenario, _ in CAUGHT.values()} | {"blackhole"})


class Gallery(Case):
    def attempt(self, client, scenario):
        return self.run_memchaos(
            "-driver", os.path.join(CLIENTS, client + ".so"), "-runs", 1, "-json", "-quiet",
            "-scenario", os.path.join(GALLERY, scenario + ".yaml"), "-timeout", TIMEOUT,
            "-proxy-port", 0, "-api-port", 0, timeout=60)

    def run_client(self, client, scenario):
        """The exit code, and the run as in the JSON result."""
        for _ in range(TRIES):
            done = self.attempt(client, scenario)
            if done.code not in (1, 98):
                break
        self.assertIn(done.code, (0, 98, 99), f"{client} in {scenario}: {done.err}")
        run = json.loads(done.out)["runs"][0]
        return done.code, run

    def all_of(self, pairs):
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda pair: self.run_client(*pair), pairs))

    def test_every_broken_client_is_caught_by_the_check_named_for_it(self):
        pairs = [(client, scenario) for client, (scenario, _) in CAUGHT.items()]
        for (client, scenario), (code, run) in zip(pairs, self.all_of(pairs)):
            failed = [check["name"] for check in run["checks"] if not check["ok"]]
            with self.subTest(client=client):
                self.assertEqual(code, 99, f"{client} in {scenario}: {failed}")
                for check in CAUGHT[client][1]:
                    self.assertIn(check, failed, f"{client} in {scenario}")
                text = next(c["text"] for c in run["checks"] if c["name"] == CAUGHT[client][1][0])
                self.assertTrue(any(text in reason for reason in run["reasons"]), run["reasons"])

    def test_the_correct_client_passes_every_scenario(self):
        pairs = [("correct", scenario) for scenario in SCENARIOS]
        for (_, scenario), (code, run) in zip(pairs, self.all_of(pairs)):
            failed = [(check["name"], check["measured"]) for check in run["checks"]
                      if not check["ok"]]
            with self.subTest(scenario=scenario):
                self.assertEqual(code, 0, f"{scenario}: {failed}")

    def test_every_client_of_the_gallery_has_its_scenario(self):
        there = {name[:-2] for name in os.listdir(GALLERY) if name.endswith(".c")}
        self.assertEqual(there - {"core", "correct"}, set(CAUGHT))


if __name__ == "__main__":
    main()
