# SPDX-License-Identifier: MIT
"""Every kind of fault hits, is undone whatever happens, and says so where it cannot be done."""
import json
import os
import re
import shutil
import signal

from harness import Case, MEMCHAOS, main

LIGHT = ("-rate", "400", "-concurrency", "8", "-api-port", "0", "-proxy-port", "0", "-seed", "7",
         "-timeout", "300ms", "-runs", "1",
         # A breaker that stayed open would hide from the client what comes after a restart.
         "-breaker-open", "100ms")
CANNOT = "is skipped: network"


class Faults(Case):
    def scenario(self, step, phases="baseline: 2s, fault: 1500ms, recovery: 1s"):
        name = re.sub("[^a-z0-9]+", "-", step).strip("-")[:40]
        path = os.path.join(self.temp_dir(), name + ".yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"name: {name}\ndescription: for a test\nphases: {{{phases}}}\n"
                       f"steps:\n- {{target: node 1, {step}}}\n")
        return path

    def begin(self, step, *args, **keywords):
        return self.start(*LIGHT, "-scenario", self.scenario(step, **keywords), *args)

    def fault_of(self, process):
        """The only fault of a finished run, and whether the verdict says that it hit."""
        process.wait(60.0)
        if CANNOT in process.err:
            self.skipTest(process.err.split(CANNOT, 1)[1].strip()[:100])
        self.assertIn(process.code, (0, 98, 99), process.describe())
        run = json.loads(process.out)["runs"][0]
        hit = [c["ok"] for c in run["checks"] if c["name"] == "fault_hit"]
        return run["faults"][0], hit == [True]

    def assert_hits(self, expected, **keywords):
        """All at once; expected: step -> names of victims that must not be 0."""
        started = {step: self.begin(step, "-json", **keywords) for step in expected}
        for step, names in expected.items():
            fault, hit = self.fault_of(started[step])
            for name in names:
                self.assertGreater(fault["victims"][name], 0, f"{step}: {name}\n{fault}")
            self.assertTrue(hit, f"{step}: {fault}")

    def until_fault(self, process):
        self.until(lambda: " begins" in process.err or process.code is not None, "the fault begins",
                   20.0)
        if CANNOT in process.err:
            self.skipTest(process.err.split(CANNOT, 1)[1].strip()[:100])
        self.assertIsNone(process.code, process.describe())


class Hits(Faults):
    def test_a_node_that_is_paused_killed_or_restarted_has_victims(self):
        self.assert_hits({
            "node: pause": ["connections", "bytes", "delay_ms"],
            "node: kill": ["connections_cut", "items_lost", "connections_refused"],
            "node: restart": ["connections_cut", "items_lost"],
            "node: slow_start": ["connections", "delay_ms"],
        })

    def test_a_node_that_lacks_connections_memory_or_items_has_victims(self):
        self.assert_hits({
            "node: connection_limit, attributes: {limit: 0}": ["connections_refused"],
            "node: out_of_memory": ["stores_refused"],
            "node: out_of_memory, attributes: {evict: 1}": ["items_lost"],
            "node: flush_all": ["items_lost"],
        }, phases="baseline: 2s, fault: 4s, recovery: 1s")

    def test_the_kernel_loses_packets_both_ways_and_one_way(self):
        self.assert_hits({
            "network: loss, attributes: {rate: 0.3}": ["packets", "bytes"],
            "network: partition": ["packets"],
            "network: partition, stream: upstream": ["packets"],
            "network: partition, stream: downstream": ["packets"],
        })

    def test_packets_are_lost_without_being_root(self):
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("is not root, or there is no setpriv: the other tests show it")
        argv = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        probe = self.start_program(*argv, "test", "-x", os.path.abspath(MEMCHAOS))
        if probe.wait(10.0) != 0:
            self.skipTest("another account cannot run " + MEMCHAOS)
        path = self.scenario("network: partition")
        os.chmod(os.path.dirname(path), 0o755)
        process = self.start_program(*argv, os.path.abspath(MEMCHAOS), *LIGHT, "-json", "-scenario",
                                     path)
        fault, hit = self.fault_of(process)
        self.assertGreater(fault["victims"]["packets"], 0)
        self.assertTrue(hit)
        self.assertIn("-U --preserve-credentials", process.err)

    def test_a_fault_that_hits_nobody_makes_the_run_invalid(self):
        roomy = self.begin("node: out_of_memory, attributes: {memory: 64}", "-json")
        lossless = self.begin("network: loss, attributes: {rate: 0}", "-json")
        for process in (roomy, lossless):
            fault, hit = self.fault_of(process)
            self.assertFalse(hit, fault)
            self.assertEqual(process.code, 98)


class Impossible(Faults):
    def refused(self, step, *args):
        process = self.begin(step, *args)
        self.assertEqual(process.wait(20.0), 98, process.describe())
        self.assertEqual(process.out, "")
        self.assertNotIn("memcached", process.err.replace("-servers", ""))
        return process.err

    def test_foreign_nodes_are_not_killed_and_the_run_is_skipped_before_its_start(self):
        _, port = self.start_memcached()
        servers = ("-servers", f"127.0.0.1:{port}")
        self.assertIn("node kill needs nodes that memchaos has started",
                      self.refused("node: kill", *servers))
        self.assertIn("outside of a private network", self.refused("network: partition", *servers))

    def test_packets_are_delayed_or_the_reason_is_told(self):
        process = self.begin("network: delay, attributes: {delay: 5}", "-json")
        if process.wait(30.0) == 98 and process.out == "":
            self.assertRegex(process.err, "network delay: .*(netem|namespace|not installed)")
        else:
            self.assertGreater(self.fault_of(process)[0]["victims"]["packets"], 0)


class NothingSurvives(Faults):
    LONG = {"phases": "baseline: 1s, fault: 60s, recovery: 1s"}

    def test_sigkill_in_the_middle_leaves_no_process_whatever_the_fault(self):
        steps = ("node: pause", "node: kill", "node: slow_start", "node: out_of_memory",
                 "node: connection_limit", "network: partition", "toxic: blackhole")
        started = [self.begin(step, **self.LONG) for step in steps]
        for process in started:
            self.until(lambda p=process: " begins" in p.err or p.code is not None,
                       "the fault begins", 20.0)
            process.kill()  # the harness finds what is left

    def test_ctrl_c_in_the_middle_ends_soon_and_leaves_no_process(self):
        steps = ("node: pause", "node: kill", "node: slow_start", "network: partition")
        started = [self.begin(step, **self.LONG) for step in steps]
        for process in started:
            self.until(lambda p=process: " begins" in p.err or p.code is not None,
                       "the fault begins", 20.0)
            self.assertIn(process.stop(signal.SIGTERM), (98, 105))

    def foreign_proxy(self):
        port = self.free_port()
        self.start("proxy", "-port", port)
        url = f"http://127.0.0.1:{port}"
        self.until(lambda: self.http("GET", url + "/proxies")[0] == 200, "the proxy answers")
        return url

    def test_sigkill_leaves_nothing_on_a_foreign_toxiproxy(self):
        for step in ("toxic: latency, stream: both, attributes: {latency: 5}", "proxy: down"):
            with self.subTest(step=step):
                url = self.foreign_proxy()
                process = self.begin(step, "-toxiproxy", url, **self.LONG)
                self.until_fault(process)
                process.kill()
                self.until(lambda u=url: self.http("GET", u + "/proxies") == (200, {}),
                           "the dead man's switch has cleaned up")

    def test_what_an_earlier_run_left_is_recognised_and_cleaned_at_the_start(self):
        url = self.foreign_proxy()
        self.http("POST", url + "/proxies", {"name": "old", "listen": "127.0.0.1:0",
                                             "upstream": "127.0.0.1:1"})
        for name in ("memchaos_1_downstream", "mine"):
            self.http("POST", url + "/proxies/old/toxics", {"name": name, "type": "noop"})
        orphan = self.start_program("env", "MEMCHAOS_NODE_OWNER=4194304:1", "sleep", "60")
        process = self.begin("toxic: latency, attributes: {latency: 5}", "-toxiproxy", url,
                             **self.LONG)
        self.until_fault(process)
        self.assertEqual(orphan.wait(5.0), -signal.SIGKILL)
        self.assertIn(f"killed process {orphan.pid}, a node of an earlier run", process.err)
        self.assertIn("removing the toxic memchaos_1_downstream", process.err)
        left = self.http("GET", url + "/proxies/old/toxics")[1]
        self.assertEqual([t["name"] for t in left], ["mine"])


if __name__ == "__main__":
    main()
