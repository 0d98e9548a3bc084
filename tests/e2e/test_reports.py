# SPDX-License-Identifier: MIT
"""What a session writes: reports, files of a run in progress, the page in Chromium."""
import csv
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import xml.etree.ElementTree
import zlib

from harness import Case, TIME_FACTOR, main

LIGHT = ("-rate", "400", "-concurrency", "8", "-api-port", "0", "-proxy-port", "0", "-seed", "7",
         "-metrics-interval", "200ms", "-quiet")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FORMATS = ("text", "json", "html", "junit", "tap", "markdown", "csv", "ndjson", "hlog", "hgrm",
           "hgrm-response")


def events_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Reports(Case):
    """One run, all formats: they must agree."""

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8", newline="") as file:
            return file.read()

    def test_all_formats_tell_the_same_result(self):
        self.folder = self.temp_dir()
        flags = [f for name in FORMATS for f in ("-report", f"{name}={self.folder}/{name}")]
        process = self.run_memchaos(*LIGHT, "-scenario", "single-node-failure", "-duration", "4s",
                                    "-events", f"{self.folder}/events", *flags, timeout=60)
        self.assertIn(process.code, (0, 98, 99), process.describe())
        result = json.loads(self.read("json"))
        run = result["runs"][0]
        self.assertIn("verdict: " + result["verdict"], process.out)
        self.assertIn("verdict: " + result["verdict"], self.read("text"))
        self.check_cases(run)
        self.check_series(run)
        self.check_events(run)
        self.check_histograms(run)
        self.assertEqual([], [n for n in os.listdir(self.folder) if n.endswith(".tmp")])

    def check_cases(self, run):
        bad = [c for c in run["checks"] if not c["ok"]]
        suite = xml.etree.ElementTree.fromstring(self.read("junit")).find("testsuite")
        self.assertEqual(int(suite.get("tests")), len(run["checks"]))
        self.assertEqual(int(suite.get("failures")) + int(suite.get("errors")), len(bad))
        for check in bad:
            self.assertIn(check["measured"], [n.get("message") for n in suite.iter()])
        tap = self.read("tap").splitlines()
        self.assertEqual(tap[:2], ["TAP version 14", f"1..{len(run['checks'])}"])
        self.assertEqual(len([t for t in tap if t.startswith("not ok ")]), len(bad))
        markdown = self.read("markdown")
        self.assertIn(f"memchaos: {run['verdict']}", markdown.splitlines()[0])
        self.assertLess(len(markdown), 20000)

    def check_series(self, run):
        rows = list(csv.DictReader(self.read("csv").splitlines()))
        self.assertEqual(len(rows), len(run["intervals"]))
        self.assertGreater(len(rows), 10)
        for row, interval in zip(rows, run["intervals"]):
            self.assertEqual(int(row["succeeded_ops"]), interval["succeeded"])
            if interval["service"]["count"] > 0:
                self.assertAlmostEqual(float(row["p99_ms"]) * 1e6, interval["service"]["p99_ns"],
                                       delta=1)

    def check_events(self, run):
        lines = [json.loads(t) for t in self.read("ndjson").splitlines()]
        ends = ("check", "run_end", "session_end")
        inside = [e["at_ns"] for e in lines if e["event"] not in ends]
        self.assertEqual(inside, sorted(inside))
        live = events_of(os.path.join(self.folder, "events"))

        def count(events, name):
            return len([e for e in events if e["event"] == name])
        for name in ("session_start", "run_start", "phase", "fault_on", "fault_off", "breaker",
                     "check", "run_end", "session_end"):
            self.assertGreater(count(lines, name), 0, name)
            self.assertEqual(count(lines, name), count(live, name), name)
        self.assertEqual(count(live, "interval"), len(run["intervals"]))
        self.assertEqual(live[-2]["verdict"], run["verdict"])

    def check_histograms(self, run):
        total = sum(p["service"]["count"] for p in run["phases"])
        hgrm = self.read("hgrm")
        self.assertEqual(int(re.search(r"Total count += +(\d+)\]", hgrm)[1]), total)
        most = float(re.search(r"Max += +([\d.]+),", hgrm)[1])
        self.assertAlmostEqual(most * 1e6, run["service"]["max_ns"], delta=1)
        lines = [t for t in self.read("hlog").splitlines() if "HISTFAAAA" in t]
        self.assertGreater(len([t for t in lines if t.startswith("Tag=response,")]), 5)
        self.assertTrue(any(abs(float(t.split(",")[2]) - most) < 0.001 for t in lines
                            if not t.startswith("Tag=")))


class Refusals(Case):
    def refused(self, *flags):
        process = self.run_memchaos(*LIGHT, "-scenario", "healthy", "-duration", "1s", *flags)
        self.assertEqual(process.code, 2, process.describe())
        return process.err

    def test_what_cannot_be_written_is_said_before_the_run(self):
        self.assertIn("-report: /nowhere/x: directory /nowhere: No such file",
                      self.refused("-report", "html=/nowhere/x"))
        self.assertIn('did you mean "html"', self.refused("-report", "htm=x"))
        self.assertIn("two reports for standard output",
                      self.refused("-json", "-report", "tap=-"))
        for flag in ("-events", "-status", "-snapshot"):
            self.assertIn(f"{flag}: /nowhere/x", self.refused(flag, "/nowhere/x"))

    def test_a_full_disk_takes_no_other_report_with_it(self):
        folder = self.temp_dir()
        process = self.run_memchaos(*LIGHT, "-scenario", "healthy", "-duration", "1s", "-report",
                                    "html=/dev/full", "-report", f"json={folder}/r.json", "-report",
                                    "tap=-", "-status", "/dev/full", "-events", "/dev/full")
        self.assertEqual(process.code, 1, process.describe())
        self.assertIn("the html report is lost: cannot write /dev/full: No space left", process.err)
        self.assertEqual(process.err.count("-status: cannot write"), 1)
        self.assertEqual(process.err.count("-events: cannot write"), 1)
        self.assertTrue(process.out.startswith("TAP version 14\n"))
        with open(f"{folder}/r.json", encoding="utf-8") as file:
            self.assertEqual(json.load(file)["schema_version"], 1)


class LongRuns(Case):
    @staticmethod
    def load(path):
        """None until the file is there; then it must be whole at every look."""
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def started(self, folder, *flags):
        return self.start(*LIGHT, "-scenario", "single-node-failure", "-status", f"{folder}/status",
                          "-snapshot", f"{folder}/snapshot", "-snapshot-every", "1", *flags)

    def test_a_killed_session_leaves_whole_files(self):
        folder = self.temp_dir()
        process = self.started(folder, "-events", f"{folder}/events")

        def looks():
            status, snapshot = self.load(f"{folder}/status"), self.load(f"{folder}/snapshot")
            return status and snapshot and status["run"] and \
                len(snapshot["runs"][0]["intervals"]) >= 4 and status
        status = self.until(looks, "the snapshot has four intervals", 20)
        self.assertEqual(status["state"], "running")
        self.assertEqual(status["pid"], process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertEqual(self.load(f"{folder}/status")["run"]["scenario"], "single-node-failure")
        snapshot = self.load(f"{folder}/snapshot")
        self.assertEqual(snapshot["verdict"], "interrupted")
        run = snapshot["runs"][0]
        self.assertGreater(run["counts"]["succeeded"], 0)
        self.assertEqual(run["load"]["rate"], "400")
        self.assertEqual(events_of(f"{folder}/events")[0]["event"], "session_start")

    def test_the_last_snapshot_is_the_result(self):
        folder = self.temp_dir()
        process = self.started(folder, "-report", f"json={folder}/result", "-runs", "1",
                               "-duration", "2s")
        process.wait(30)
        self.assertEqual(self.load(f"{folder}/snapshot"), self.load(f"{folder}/result"))
        status = self.load(f"{folder}/status")
        self.assertEqual((status["state"], status["runs_ended"], status["run"]), ("ended", 1, None))


class Browser(Case):
    """The page in headless Chromium, where that is installed."""

    def setUp(self):
        super().setUp()
        if CHROMIUM is None:
            self.skipTest("there is no chromium")

    def chromium(self, *flags):
        profile = self.temp_dir()
        done = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--virtual-time-budget=2000",
             "--enable-logging=stderr", *flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * TIME_FACTOR, check=True)
        console = [t for t in done.stderr.decode().splitlines() if "CONSOLE" in t]
        self.assertEqual(console, [])
        return done.stdout.decode()

    @staticmethod
    def first_pixel(path):
        """Of a PNG: the background of the page. No filter changes the very first pixel."""
        with open(path, "rb") as file:
            data = file.read()[8:]
        packed = b""
        while data:
            length, kind = struct.unpack(">I4s", data[:8])
            packed += data[8:8 + length] if kind == b"IDAT" else b""
            data = data[12 + length:]
        return tuple(zlib.decompress(packed)[1:4])

    def test_the_page_draws_its_charts_in_light_and_dark(self):
        folder = self.temp_dir()
        page = f"{folder}/page.html"
        scenario = f"{folder}/x.yaml"
        with open(scenario, "w", encoding="utf-8") as file:
            file.write("name: browser\ndescription: '</script><script>alert(1)</script>'\n"
                       "phases: {baseline: 600ms, fault: 600ms, recovery: 600ms}\n"
                       "steps:\n- {target: node 1, proxy: down}\n")
        self.run_memchaos(*LIGHT, "-scenario", scenario, "-runs", "1", "-report", f"html={page}")
        dom = self.chromium("--dump-dom", "--window-size=1200,900", f"file://{page}")
        self.assertIn('data-drawn="yes"', dom)
        for title in ("Goodput", "Errors by kind", "Latency", "Circuit breakers",
                      "Connection pools", "Latency spectrum"):
            self.assertIn(f"<h3>{title}</h3>", dom)
        self.assertEqual(dom.count("<svg"), 5 + 3)  # a pool of each node
        self.assertIn('class="fault"', dom)
        self.assertNotIn("NaN", dom)
        shot = f"{folder}/dark.png"
        self.chromium("--blink-settings=preferredColorScheme=0", "--window-size=400,800",
                      f"--screenshot={shot}", f"file://{page}")
        self.assertEqual(self.first_pixel(shot), (0x12, 0x16, 0x1c))
        self.assertIn("--page: #f6f7f9;", dom)  # which headless Chromium has otherwise


if __name__ == "__main__":
    main()
