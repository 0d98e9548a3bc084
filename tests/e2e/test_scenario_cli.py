# SPDX-License-Identifier: MIT
"""What can be asked about scenarios without starting anything, and what a run makes of them."""
import json
import os
import re

from harness import Case, main

LIGHT = ("-rate", "400", "-concurrency", "8", "-api-port", "0", "-proxy-port", "0")
HEAD = "description: for a test\n"


class Scenario(Case):
    def file(self, name, text):
        path = os.path.join(self.temp_dir(), name + ".yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"name: {name}\n{HEAD}{text}")
        return path

    def ok(self, *args, code=0):
        process = self.run_memchaos(*args)
        self.assertEqual(process.code, code, process.describe())
        return process

    def plan(self, *args):
        return json.loads(self.ok("show", "-json", *args).out)


class Check(Scenario):
    def test_a_good_file_is_told_in_one_line(self):
        path = self.file("good", "phases: {baseline: 1s, fault: 2s, recovery: 1m}\n"
                         "steps: [{target: all, proxy: down}]\n")
        self.assertEqual(self.ok("check", path).out,
                         f"{path}: good: ok, 3 phases, 1 step, 0 checks, 1m3s\n")

    def test_every_mistake_of_every_file_is_told_with_its_place(self):
        bad = self.file("bad", "phases: {baseline: 1, fault: 2s, recovery: 1s}\n"
                        "load: {workload: mixd, rate: fast}\nsteps: [{target: all, proxy: dwon}]\n")
        good = self.file("good", "phases: {baseline: 1s}\n")
        process = self.ok("check", bad, good, "./nowhere.yaml", code=104)
        for line in (f"{bad}:3:20: baseline", f"{bad}:4:18: workload",
                     f'{bad}:4:30: rate: "fast"',
                     f'{bad}:5:30: unknown proxy state "dwon"; did you mean "down"?',
                     "./nowhere.yaml: No such file"):
            self.assertIn(line, process.err)
        self.assertIn("did you mean mixed?", process.err)
        self.assertIn("\n  steps: [{target: all, proxy: dwon}]\n" + " " * 31 + "^\n", process.err)
        self.assertIn("good: ok", process.out)

    def test_targets_must_exist_among_the_nodes(self):
        path = self.file("five", "phases: {baseline: 1s, fault: 2s, recovery: 1s}\n"
                         "steps: [{target: node 5, proxy: down}]\n")
        self.assertIn("there is no node 5, only 3", self.ok("check", path, code=104).err)
        self.ok("check", path, "-nodes", "5")

    def test_usage(self):
        self.assertIn("which file?", self.ok("check", code=2).err)
        self.assertIn("memchaos check ./mine.yaml", self.ok("check", "-help").out)


class Show(Scenario):
    def test_the_timeline_of_a_shipped_scenario(self):
        out = self.ok("show", "single-node-failure").out
        for line in ("single-node-failure: 30s, group main, smoke",
                     " at  phase, node  for  fault       by",
                     " 0s  baseline      5s",
                     " 5s    node1      15s  proxy down  step 1: node 1",
                     "20s  recovery     10s",
                     "30s  end"):
            self.assertIn(line + "\n", out)

    def test_the_same_seed_shows_the_same_plan_and_a_run_carries_it_out(self):
        path = self.file("drawn", "phases: {baseline: 3s, slow: 1s, down: 1s, recovery: 6s}\n"
                         "steps:\n- {target: one, toxic: latency, at: 100ms, jitter: 500ms,\n"
                         "   attributes: {latency: {from: 1, to: 9, steps: 3}}}\n"
                         "- {target: minority, phase: down, proxy: down}\n")
        plans = [self.plan(path, "-seed", str(seed)) for seed in range(12)]
        self.assertEqual(plans[7], self.plan("-seed", "7", path))
        self.assertEqual({p["faults"][0]["node"] for p in plans}, {1, 2, 3})
        self.assertEqual(len({p["events"][0]["at_ns"] for p in plans}), 12)
        self.assertEqual([e["action"] for e in plans[7]["events"]],
                         ["on", "change", "change", "off", "on", "off"])
        self.assertEqual([e["attributes"]["latency"] for e in plans[7]["events"][:3]], [1, 5, 9])
        result = json.loads(self.ok(*LIGHT, "-scenario", path, "-runs", "1", "-seed", "7",
                                    "-json").out)
        run = result["runs"][0]
        self.assertEqual([p["name"] for p in run["phases"]],
                         ["baseline", "slow", "down", "recovery"])
        self.assertEqual([(f["node"], f["phase"]) for f in run["faults"]],
                         [(f"node{f['node']}", f["phase"]) for f in plans[7]["faults"]])
        self.assertEqual([f["target"] for f in run["faults"]], ["one", "minority"])
        begun = (run["faults"][0]["start_ns"] - run["phases"][0]["start_ns"]) / 1e9
        self.assertAlmostEqual(begun, plans[7]["events"][0]["at_ns"] / 1e9, delta=0.4)
        self.assertEqual(run["load"]["rate"], "400")

    def test_a_group_is_shown_as_a_list(self):
        names = [p["scenario"] for p in self.plan("smoke")]
        self.assertIn("healthy", names)
        self.assertEqual([p["events"] for p in self.plan("smoke") if p["scenario"] == "healthy"],
                         [[]])

    def test_duration_and_nodes_are_those_given(self):
        plan = self.plan("single-node-failure", "-duration", "1m", "-nodes", "7")
        self.assertEqual(plan["length_ns"], 60 * 10**9)
        self.assertEqual(plan["nodes"], 7)
        self.assertEqual([e["at_ns"] for e in plan["events"]], [10 * 10**9, 40 * 10**9])

    def test_mistakes(self):
        self.assertIn('did you mean "latency"', self.ok("show", "latnecy", code=2).err)
        self.assertIn("give the name", self.ok("show", code=2).err)
        self.ok("show", "./nowhere.yaml", code=104)

    def test_hottest_is_the_node_with_the_most_keys(self):
        path = self.file("hot", "phases: {baseline: 1s, fault: 1s, recovery: 5s}\n"
                         "steps: [{target: hottest, toxic: noop}]\n")
        nodes = {self.plan(path, "-seed", str(seed))["faults"][0]["node"] for seed in range(4)}
        self.assertEqual(len(nodes), 1)


class Tutorial(Scenario):
    def test_the_scenario_that_the_page_builds_is_in_order_and_shows_what_the_page_shows(self):
        page_path = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "scenarios.md")
        with open(page_path, encoding="utf-8") as file:
            page = file.read()
        story = page[:page.index("## The same again")]
        path = os.path.join(self.temp_dir(), "slow-upgrade.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(re.findall(r"```yaml\n(.*?)```", story, re.DOTALL)))
        self.assertIn("4 phases, 2 steps, 3 checks, 37s", self.ok("check", path).out)
        shown = self.ok("show", path).out
        timeline = re.search(r"\n\.\.\.\n(.*?)```", story, re.DOTALL)[1]
        self.assertGreater(timeline.count("\n"), 8)
        self.assertIn(timeline, shown)


class Load(Scenario):
    def test_the_scenario_sets_the_load_and_a_flag_wins(self):
        path = self.file("loaded", "phases: {baseline: 1s}\nload: {rate: 300, concurrency: 3}\n")
        args = ("-scenario", path, "-runs", "1", "-api-port", "0", "-proxy-port", "0", "-json",
                "-quiet", "-concurrency", "5")
        process = self.run_memchaos(*args)
        result = json.loads(process.out)
        run = result["runs"][0]
        self.assertEqual(run["load"]["rate"], "300")
        self.assertEqual(run["load"]["concurrency"], "5")
        self.assertEqual(result["options"]["rate"], "10k")
        self.assertLess(run["counts"]["attempted"], 700)


class List(Scenario):
    def test_groups_with_their_lengths_and_every_scenario_once_described(self):
        out = self.ok("-list").out
        self.assertRegex(out, r"\nmain: \d+ scenarios, \S+ \(also called all, and the default\)\n")
        self.assertRegex(out, r"\nsmoke: \d+ scenarios, \S+\n")
        self.assertRegex(out, r"\noriginal: \d+ scenarios, \S+\n")
        self.assertEqual(out.count("\n      The process of node 1 dies"), 1)
        self.assertRegex(out, r"\n  single-node-failure +30s  see main\n")


if __name__ == "__main__":
    main()
