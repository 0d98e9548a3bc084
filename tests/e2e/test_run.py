# SPDX-License-Identifier: MIT
"""The main job: real nodes, proxies, load, a fault, a verdict."""
import json
import os
import re
import signal
import socket
import time

from fake_memcached import FakeMemcached
from harness import Case, TIME_FACTOR, children, main

# Light enough for two busy cores and for sanitizers; any free ports, so that tests cannot collide.
LIGHT = ("-rate", "400", "-concurrency", "8", "-api-port", "0", "-proxy-port", "0", "-seed", "7")


class Run(Case):
    def result_of(self, *args, code=None, timeout=60.0, env=None):
        process = self.run_memchaos(*LIGHT, "-json", *args, timeout=timeout, env=env)
        if code is not None:
            self.assertEqual(process.code, code, process.describe())
        return json.loads(process.out)

    def scenario_file(self, name, rest):
        path = os.path.join(self.temp_dir(), name + ".yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"name: {name}\ndescription: for a test\n{rest}")
        return path

    def node_down_file(self):
        """node 1 goes down for 3 s; the recovery is long enough for a busy machine to calm down."""
        return self.scenario_file("node-down",
                                  "phases: {baseline: 3s, fault: 3s, recovery: 9s}\n"
                                  "steps:\n- {target: node 1, proxy: down}\n")

    def started(self, *args):
        """A run that is under way: the process, after its addresses were announced."""
        process = self.start(*LIGHT, *args)
        self.until(lambda: "Toxiproxy API on" in process.err, "the API is announced")
        return process

    @staticmethod
    def api_url(process):
        return re.search(r"Toxiproxy API on (\S+)", process.err)[1]

    @staticmethod
    def memcached_pids():
        return [pid for pid, name in children().items() if name == "memcached"]


class Verdicts(Run):
    def test_a_healthy_run_passes(self):
        result = self.result_of("-scenario", "healthy", "-duration", "3s", code=0)
        self.assertEqual(result["schema_version"], 1)
        self.assertEqual(result["verdict"], "passed")
        self.assertEqual(result["seed"], "7")
        self.assertEqual(len(result["nodes"]), 3)
        run = result["runs"][0]
        self.assertEqual(run["scenario"], "healthy")
        self.assertGreater(run["counts"]["succeeded"], 500)
        self.assertEqual(run["counts"]["failed"], 0)
        self.assertAlmostEqual(sum(n["key_share_ratio"] for n in result["nodes"]), 1, places=3)

    def test_smoke_passes_within_a_minute_and_shows_what_it_broke(self):
        """The group for CI, as users run it, but for a load that suits a busy machine."""
        begin = time.monotonic()
        result = self.result_of("-scenario", "smoke", "-runs", "1", code=0, timeout=90.0)
        self.assertLess(time.monotonic() - begin, 60 * TIME_FACTOR)
        runs = {run["scenario"]: run for run in result["runs"]}
        self.assertEqual(set(runs), {"healthy", "brief-packet-drop", "single-node-failure"})
        self.assertEqual([run["verdict"] for run in runs.values()], ["passed"] * 3)
        self.assert_delayed_only(runs["brief-packet-drop"])
        self.assert_lost_alone_and_back(runs["single-node-failure"])

    def assert_delayed_only(self, run):
        victims = run["faults"][0]["victims"]
        self.assertGreater(victims["chunks"], 0)
        self.assertEqual(victims["bytes_dropped"], 0)
        self.assertEqual(run["counts"]["failed"], 0)

    def assert_lost_alone_and_back(self, run):
        self.assertEqual([p["name"] for p in run["phases"]], ["baseline", "fault", "recovery"])
        fault = run["faults"][0]
        self.assertEqual(fault["node"], "node1")
        self.assertGreater(fault["victims"]["connections_cut"], 0)
        for time_seen in ("first_error", "breaker_open", "first_success", "steady"):
            self.assertTrue(any(k.startswith(time_seen) and v is not None
                                for k, v in fault.items()), f"{time_seen} in {fault}")
        self.assertGreater(run["nodes"][0]["counts"]["failed"], 0)
        self.assertEqual([n["counts"]["failed"] for n in run["nodes"][1:]], [0, 0])
        self.assertEqual(run["phases"][0]["counts"]["failed"], 0)

    def test_wrong_data_fails_the_run_and_is_shown(self):
        liar = FakeMemcached(lambda value: value[:-1] + bytes([value[-1] ^ 1])
                             if value.startswith(b"MCV2") else value)
        self.addCleanup(liar.close)
        process = self.run_memchaos(*LIGHT, "-scenario", "healthy", "-duration", "3s", "-servers",
                                    liar.address)
        self.assertEqual(process.code, 99)
        self.assertIn("checksum", process.out)
        self.assertRegex(process.out.lower(), "verdict.*failed|failed")

    def test_a_node_that_dies_unasked_makes_the_run_invalid(self):
        process = self.started("-scenario", "healthy", "-duration", "60s")
        os.kill(self.memcached_pids_of(process)[0], signal.SIGKILL)
        self.assertEqual(process.wait(10.0), 98)
        self.assertRegex(process.out, r"node\d .*killed by signal 9")

    def test_scenarios_of_the_user_run_without_recompiling(self):
        path = self.scenario_file("mine", "phases: {baseline: 2s, fault: 1s, recovery: 6s}\n"
                                  "steps:\n- {target: node 2, toxic: latency,"
                                  " attributes: {latency: 30}}\n")
        result = self.result_of("-scenario", path, "-runs", "1", code=0)
        self.assertEqual(result["runs"][0]["scenario"], "mine")
        self.assertEqual(result["runs"][0]["faults"][0]["node"], "node2")

    def memcached_pids_of(self, process):
        def find():
            pids = []
            for entry in os.listdir("/proc"):
                if not entry.isdigit():
                    continue
                try:
                    with open(f"/proc/{entry}/stat", encoding="utf-8") as stat:
                        name, rest = stat.read().split("(", 1)[1].rsplit(")", 1)
                except OSError:
                    continue
                if name == "memcached" and int(rest.split()[1]) == process.pid:
                    pids.append(int(entry))
            return pids if len(pids) == 3 else None
        return self.until(find, "three nodes run")


class Ending(Run):
    def test_ctrl_c_ends_within_a_second_and_still_reports(self):
        process = self.started("-scenario", "latency", "-duration", "60s", "-json")
        self.until(lambda: "baseline" in process.err, "figures appear")
        begin = time.monotonic()
        self.assertEqual(process.stop(signal.SIGINT), 105)
        self.assertLess(time.monotonic() - begin, 1.0 * max(TIME_FACTOR, 2))
        self.assertEqual(json.loads(process.out)["verdict"], "interrupted")

    def test_continuous_mode_ends_with_the_verdict_of_what_was_completed(self):
        path = self.scenario_file("calm", "phases: {baseline: 2s}\n")
        process = self.started("-scenario", path)
        self.until(lambda: process.out.count("calm (2.00 s): passed") >= 2, "two runs have passed",
                   30.0)
        self.assertEqual(process.stop(), 0)
        self.assertIn("verdict: passed", process.out)

    def test_sigkill_leaves_no_node(self):
        process = self.started("-scenario", "healthy", "-duration", "60s")
        process.kill()  # the harness finds what is left

    def test_two_runs_at_once_do_not_disturb_each_other(self):
        file = self.node_down_file()
        runs = [self.start(*LIGHT, "-scenario", file, "-runs", "1") for _ in range(2)]
        self.assertEqual([p.wait(60.0) for p in runs], [0, 0],
                         "\n".join(p.describe() for p in runs))

    def test_a_foreign_toxiproxy_is_used_and_left_clean(self):
        port = self.free_port()
        self.start("proxy", "-port", port)
        url = f"http://127.0.0.1:{port}"
        self.until(lambda: self.http("GET", url + "/proxies")[0] == 200, "the proxy answers")
        result = self.result_of("-toxiproxy", url, "-scenario", "latency", "-duration", "9s")
        self.assertEqual(len(result["runs"][0]["faults"]), 3)
        self.assertEqual(self.http("GET", url + "/proxies"), (200, {}))

    def test_ctrl_c_removes_its_toxics_from_a_foreign_toxiproxy(self):
        port = self.free_port()
        self.start("proxy", "-port", port)
        url = f"http://127.0.0.1:{port}"
        self.until(lambda: self.http("GET", url + "/proxies")[0] == 200, "the proxy answers")
        process = self.start(*LIGHT, "-toxiproxy", url, "-scenario", "latency", "-duration", "4s")

        def toxics():
            proxies = self.http("GET", url + "/proxies")[1]
            return [t for p in proxies.values() for t in p["toxics"]]
        self.until(toxics, "a toxic is on", 20.0)
        process.stop()
        self.assertEqual(self.http("GET", url + "/proxies"), (200, {}))


class BadInput(Run):
    def assert_refused(self, code, words, *args, env=None):
        process = self.run_memchaos(*args, timeout=15.0, env=env)
        self.assertEqual(process.code, code, process.describe())
        for word in words:
            self.assertIn(word, process.err)
        self.assertEqual(process.out, "")

    def test_wrong_usage_is_named_with_the_nearest_right_one(self):
        for words, args in (
                (["-scenaro", "did you mean -scenario"], ["-scenaro", "x"]),
                (["latncy", "did you mean \"latency\""], ["-scenario", "latncy"]),
                (["-duration", "\"10\""], ["-duration", "10"]),
                (["-duration", "\"1x\""], ["-duration=1x"]),
                (["-concurrency", "\"0\""], ["-concurrency", "0"]),
                (["-concurrency", "1000000000"], ["-concurrency", "1000000000"]),
                (["-timeout"], ["-timeout", "0s"]),
                (["-pool"], ["-pool", "-3"]),
                (["-breaker", "fast"], ["-breaker", "fats"]),
                (["-workload", "mixed"], ["-workload", "mxed"]),
                (["extra"], ["-runs", "1", "extra"]),
                (["unknown command", "proxy"], ["prxy"]),
                (["-direct", "latency"], ["-direct", "-scenario", "latency"])):
            with self.subTest(args=args):
                self.assert_refused(2, words, *args)

    def test_a_bad_scenario_file_is_named_with_its_place(self):
        path = self.scenario_file("bad", "descripton: y\n")
        self.assert_refused(104, [path + ":3:1", "did you mean \"description\""], "-scenario", path)

    def test_an_unreachable_server_is_named(self):
        address = f"127.0.0.1:{self.free_port()}"
        self.assert_refused(1, [address, "refused"], *LIGHT, "-servers", address)

    def test_a_server_that_is_no_memcached_is_named(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            address = "127.0.0.1:%d" % silent.getsockname()[1]
            self.assert_refused(1, [address, "does not answer mn"], *LIGHT, "-servers", address)

    def test_waiting_for_a_toxiproxy_can_be_interrupted(self):
        process = self.start(*LIGHT, "-toxiproxy", f"http://127.0.0.1:{self.free_port()}")
        self.until(lambda: "waiting for the Toxiproxy" in process.err, "it waits")
        self.assertEqual(process.stop(timeout=5.0), 105)

    def test_busy_ports_are_named_with_their_flag(self):
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            port = str(busy.getsockname()[1])
            self.assert_refused(1, [port, "-api-port"], *LIGHT, "-api-port", port)
            self.assert_refused(1, [port, "-proxy-port"], *LIGHT, "-proxy-port", port)

    def test_a_missing_memcached_comes_with_the_line_that_installs_it(self):
        self.assert_refused(1, ["apt-get install memcached"], *LIGHT,
                            env={"PATH": self.temp_dir()})

    def test_too_few_file_descriptors_are_told_before_the_start(self):
        memchaos = os.path.abspath(os.environ.get("MEMCHAOS", "build/memchaos"))
        process = self.start_program("/bin/sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\"", memchaos,
                                     *LIGHT, "-scenario", "healthy")
        self.assertEqual(process.wait(10.0), 1)
        self.assertIn("ulimit -Hn", process.err)


class Words(Run):
    def test_help_leads_with_examples_and_tells_every_flag(self):
        process = self.run_memchaos("-help")
        self.assertEqual(process.code, 0)
        self.assertLess(process.out.index("memchaos -scenario packet-loss"),
                        process.out.index("-concurrency n"))
        for flag in ("-scenario", "-duration", "-concurrency", "-list", "-metrics-interval",
                     "-json", "-workload", "-runs", "-seed", "-servers", "-toxiproxy", "-timeout"):
            self.assertIn(flag, process.out)

    def test_list_names_every_scenario(self):
        process = self.run_memchaos("-list")
        self.assertEqual(process.code, 0)
        for name in ("brief-packet-drop", "packet-loss", "latency", "single-node-failure",
                     "multiple-node-failure", "combined", "toxiproxy-packet-loss", "mixed"):
            self.assertIn(name, process.out)


if __name__ == "__main__":
    main()
