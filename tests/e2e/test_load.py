# SPDX-License-Identifier: MIT
"""Loads against real nodes: arrivals, workloads, hit ratio, saturation, calibration."""
import json
import signal

from harness import Case, main

PLACE = ("-api-port", "0", "-proxy-port", "0", "-seed", "7")
HEALTHY = ("-scenario", "healthy", "-concurrency", "8")


class Load(Case):
    def run_of(self, *args, duration="1s", code=None):
        process = self.run_memchaos(*PLACE, *HEALTHY, "-json", "-duration", duration, *args,
                                    timeout=60.0)
        if code is not None:
            self.assertEqual(process.code, code, process.describe())
        result = json.loads(process.out)
        return result["runs"][0], result

    @staticmethod
    def operations(run):
        return {op["name"]: op["counts"] for op in run["operations"]}


class Workloads(Load):
    def test_batches_counters_and_adds_are_never_wrong_data(self):
        run, result = self.run_of("-workload", "loadtest", "-rate", "600", duration="2s")
        self.assertEqual(run["counts"]["wrong_data"], 0)
        self.assertEqual(run["counts"]["failed"], 0)
        self.assertEqual({"get", "set", "add", "delete", "increment", "multi_get", "multi_set"},
                         set(self.operations(run)))
        self.assertEqual(result["options"]["keys"], "100k")
        self.assertAlmostEqual(sum(n["load_share_ratio"] for n in run["nodes"]), 1, places=6)
        self.assertAlmostEqual(sum(n["key_share_ratio"] for n in result["nodes"]), 1, places=6)

    def test_poison_is_refused_by_client_and_server(self):
        run, _ = self.run_of("-workload", "poison", "-rate", "500", duration="2s")
        self.assertEqual(run["counts"]["wrong_data"], 0)
        self.assertEqual(run["counts"]["failed"], 0)
        self.assertGreater(run["counts"]["outcomes"]["rejected"], 50)

    def test_values_of_all_sizes_come_back(self):
        run, _ = self.run_of("-workload", "get-heavy", "-value-size", "boundaries", "-rate", "100",
                             "-keys", "60 size 250")
        self.assertEqual(run["counts"]["failed"], 0)
        self.assertGreater(run["counts"]["outcomes"]["hit"], 50)

    def test_hits_are_as_many_as_asked_for(self):
        run, _ = self.run_of("-workload", "get", "-hit-ratio", "50%", "-rate", "1k")
        self.assertAlmostEqual(run["counts"]["hit_ratio"], 0.5, delta=0.08)

    def test_hot_keys_give_nodes_different_shares_of_load(self):
        run, result = self.run_of("-workload", "get", "-keys", "1k hot 1 90%", "-rate", "500")
        self.assertGreater(max(n["load_share_ratio"] for n in run["nodes"]), 0.85)
        self.assertLess(max(n["key_share_ratio"] for n in result["nodes"]), 0.5)


    def test_storing_the_keys_can_be_interrupted(self):
        process = self.start(*PLACE, *HEALTHY, "-keys", "1M", "-prefill", "on")
        self.until(lambda: "scenario healthy" in process.err, "the run begins")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10.0), 105)


class Arrivals(Load):
    def test_a_ramp_offers_what_lies_under_it(self):
        run, _ = self.run_of("-arrival", "ramp 0..1k 2s", "-workload", "get", duration="2s")
        self.assertLessEqual(run["counts"]["offered"], 1100)
        self.assertGreaterEqual(run["counts"]["offered"], 500)

    def test_a_load_that_cannot_be_made_is_not_a_result(self):
        # Eight workers cannot start three million operations per second.
        run, result = self.run_of("-rate", "3M", "-workload", "get", code=98)
        self.assertEqual(result["verdict"], "invalid")
        failed = {c["name"] for c in run["checks"] if not c["ok"]}
        self.assertIn("generator_kept_up", failed)
        self.assertGreater(run["counts"]["dropped"], run["counts"]["attempted"])

    def test_a_wrong_flag_names_the_place(self):
        process = self.run_memchaos("-arrival", "ramp 1k..5k")
        self.assertEqual(process.code, 2)
        self.assertIn("the length of the ramp is needed", process.err)
        process = self.run_memchaos("-keys", "10 zipff 1")
        self.assertEqual(process.code, 2)
        self.assertIn('keys: "10 zipff 1", column 4, "zipff"', process.err)


class Calibrate(Case):
    def test_it_can_be_interrupted(self):
        process = self.start("calibrate", *PLACE, "-concurrency", "8", "-workload", "get",
                             "-step", "60s")
        self.until(lambda: "looking for" in process.err, "the search begins")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10.0), 105)

    def calibrate(self, *args):
        process = self.run_memchaos("calibrate", *PLACE, "-concurrency", "8", "-workload", "get",
                                    "-step", "200ms", *args, timeout=60.0)
        return process, json.loads(process.out) if "-json" in args else None

    def test_a_rate_that_holds_up_to_the_maximum(self):
        process, result = self.calibrate("-json", "-max-rate", "200", "-p99", "10s")
        self.assertEqual(process.code, 0, process.describe())
        self.assertEqual((result["rate_per_s"], result["limit"]), (200, "max_rate"))
        self.assertEqual(len(result["steps"]), 1)

    def test_the_generator_is_named_when_it_is_the_limit(self):
        # Not even without a client does an operation end within 10 us of its time at this rate.
        process, result = self.calibrate("-json", "-driver", "null", "-p99", "10us")
        self.assertIn(process.code, (0, 99), process.describe())
        self.assertEqual(result["limit"], "generator")

    def test_a_shape_with_its_own_rate_is_refused(self):
        process, _ = self.calibrate("-arrival", "poisson 5k")
        self.assertEqual(process.code, 2)
        self.assertIn("names a rate", process.err)


if __name__ == "__main__":
    main()
