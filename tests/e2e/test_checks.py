# SPDX-License-Identifier: MIT
"""Checks of a scenario, repeated runs and the comparison of results, with the real program."""
import json
import os
import time

from harness import Case, TIME_FACTOR, main

LIGHT = ("-rate", "400", "-concurrency", "8", "-api-port", "0", "-proxy-port", "0", "-seed", "7",
         "-quiet")
# What a good client keeps to when one of three nodes goes down. The limits leave room for a busy
# machine; what they mean is tested exactly in the unit tests.
GOOD_CLIENT = """
- baseline.errors only []
- fault.error_rate < 0.75
- recovery.p(99) < 1s
- breaker(node1).opened_within < 2s
- node1.recovered_within < 5s
- goodput >= healthy_share - 20%
- other_nodes.error_rate == 0
- max_operation < timeout + 250ms
- wrong_values == 0
- stale_reads == 0
- errors only [connection, timeout, breaker_open]
- leaked_connections == 0
"""


class Checks(Case):
    def scenario(self, name, rest):
        path = os.path.join(self.temp_dir(), name + ".yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"name: {name}\ndescription: for a test\n{rest}\n")
        return path

    def node_down(self, checks, fault="2s", recovery="6s"):
        return self.scenario("node-down", "phases: {baseline: 2s, fault: %s, recovery: %s}\n"
                             "steps:\n- {target: node 1, proxy: down}\nchecks:%s"
                             % (fault, recovery, checks))

    def result_of(self, *args):
        process = self.run_memchaos(*LIGHT, "-json", *args, timeout=60.0)
        return process.code, json.loads(process.out), process

    def checks_of(self, result):
        return {c["text"]: c for c in result["runs"][0]["checks"]}

    def test_a_good_client_meets_its_checks_and_the_result_says_with_which_values(self):
        code, result, process = self.result_of("-scenario", self.node_down(GOOD_CLIENT), "-runs",
                                               "1")
        checks = self.checks_of(result)
        for line in GOOD_CLIENT.strip().splitlines():
            check = checks[line[2:]]
            self.assertTrue(check["ok"], f"{check}\n{process.err}")
            self.assertNotEqual(check["measured"], "")
        self.assertEqual(code, 0)
        run = result["runs"][0]
        self.assertEqual(run["leaked_connections"], 0)
        self.assertFalse(run["aborted"])
        breaker = run["nodes"][0]["breaker"]
        self.assertGreater(breaker["rejected"], 0)
        self.assertEqual(breaker["probes"],
                         breaker["probes_succeeded"] + breaker["probes_failed"])
        figures = {f["name"]: f for f in run["figures"]}
        self.assertEqual(figures["recovered_within"]["unit"], "ns")
        self.assertGreater(figures["fault.error_rate"]["value"], 0)

    def test_abort_ends_the_run_and_fails_it(self):
        begin = time.monotonic()
        path = self.node_down("\n- {check: fault.error_rate < 1%, abort: true}", fault="60s")
        process = self.run_memchaos(*LIGHT, "-scenario", path, "-runs", "1")
        self.assertEqual(process.code, 99, process.describe())
        self.assertLess(time.monotonic() - begin, 25 * TIME_FACTOR)
        self.assertRegex(process.out, r"✗ fault\.error_rate < 1%: .* %; this ended the run")
        self.assertIn("verdict: failed: fault.error_rate < 1%", process.out)

    def test_what_cannot_be_measured_makes_the_run_invalid(self):
        path = self.scenario("calm", "phases: {baseline: 1500ms}\nchecks:\n"
                             "- breaker(node1).opened == 0\n- node9.p(99) < 1s")
        code, result, _ = self.result_of("-scenario", path, "-runs", "1", "-driver", "null")
        self.assertEqual(code, 98)
        checks = self.checks_of(result)
        self.assertIn("no circuit breaker", checks["breaker(node1).opened == 0"]["measured"])
        self.assertIn("no such node", checks["node9.p(99) < 1s"]["measured"])

    def test_a_generator_that_cannot_keep_up_makes_the_run_invalid(self):
        path = self.scenario("calm", "phases: {baseline: 2s}")
        process = self.run_memchaos(*LIGHT, "-scenario", path, "-runs", "1", "-concurrency", "1",
                                    "-rate", "1000000")
        self.assertEqual(process.code, 98, process.describe())
        self.assertRegex(process.out, "✗ the load generator (kept up|was not saturated)")

    def test_a_mistake_in_a_check_is_shown_with_its_place(self):
        path = self.scenario("calm", "phases: {baseline: 2s}\nchecks:\n- baseline.eror_rate < 1")
        process = self.run_memchaos(*LIGHT, "-scenario", path)
        self.assertEqual(process.code, 104)
        self.assertIn(path + ":5:12", process.err)
        self.assertIn("did you mean \"error_rate\"?", process.err)

    def test_repeated_runs_show_their_spread_and_can_be_compared(self):
        path = self.scenario("calm", "phases: {baseline: 1500ms}")
        code, result, process = self.result_of("-scenario", path, "-runs", "2")
        self.assertEqual(code, 0, process.err)
        spread = result["spread"][0]
        self.assertEqual((spread["scenario"], spread["runs"]), ("calm", 2))
        for figure in spread["figures"]:
            if figure["median"] is not None:
                self.assertLessEqual(figure["min"], figure["median"])
                self.assertLessEqual(figure["median"], figure["max"])
        file = os.path.join(self.temp_dir(), "a.json")
        with open(file, "w", encoding="utf-8") as out:
            out.write(process.out)
        compare = self.run_memchaos("compare", file, file)
        self.assertEqual(compare.code, 98, compare.describe())
        self.assertIn("too few runs to tell", compare.out)
        compare = self.run_memchaos("compare", "-json", "-alpha", "0.4", file, file)
        self.assertEqual(compare.code, 0, compare.describe())
        self.assertEqual(json.loads(compare.out)["worse"], 0)

    def test_compare_tells_what_it_needs(self):
        self.assertEqual(self.run_memchaos("compare", "one.json").code, 2)
        missing = self.run_memchaos("compare", "/nowhere/a.json", "/nowhere/b.json")
        self.assertEqual(missing.code, 1)
        self.assertIn("/nowhere/a.json", missing.err)
        usage = self.run_memchaos("compare", "-help")
        self.assertEqual(usage.code, 0)
        self.assertIn("-threshold", usage.out)


if __name__ == "__main__":
    main()
