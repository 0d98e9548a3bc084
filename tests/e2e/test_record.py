# SPDX-License-Identifier: MIT
"""Flight recordings and the operation log, with the real program."""
import csv
import glob
import io
import json
import os
import signal

from harness import Case, main, until

LIGHT = ("-rate", "400", "-concurrency", "8", "-api-port", "0", "-proxy-port", "0", "-seed", "7",
         "-driver", "null", "-scenario", "steady")


class Recording(Case):
    def scenario(self, checks=""):
        path = os.path.join(self.temp_dir(), "steady.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("name: steady\ndescription: for a test\nphases: {baseline: 1500ms}\n"
                       + checks)
        return path

    def flags(self, checks="", *more):
        flags = list(LIGHT)
        flags[-1] = self.scenario(checks)
        return [*flags, "-runs", "1", *more]

    def test_the_log_has_every_operation_of_the_result(self):
        log = os.path.join(self.temp_dir(), "ops.zst")
        run = self.run_memchaos(*self.flags("", "-oplog", log, "-json"), timeout=60.0)
        attempted = json.loads(run.out)["runs"][0]["counts"]["attempted"]
        shown = self.run_memchaos("oplog", log, "-format", "csv", timeout=30.0)
        rows = list(csv.DictReader(io.StringIO(shown.out)))
        self.assertEqual(shown.code, 0, shown.err)
        self.assertEqual(len(rows), attempted)
        some = self.run_memchaos("oplog", log, "-worker", "3", "-last", "2", "-format", "ndjson",
                                 timeout=30.0)
        records = [json.loads(line) for line in some.out.splitlines()]
        self.assertEqual([r["worker"] for r in records], [3, 3])
        with open(log, "rb") as file:
            data = file.read()
        with open(log, "wb") as file:
            file.write(data[:-5])
        cut = self.run_memchaos("oplog", log, timeout=30.0)
        self.assertEqual(cut.code, 1)
        self.assertIn("cut off", cut.err)

    def test_a_failed_check_leaves_a_flight_recording_and_a_pass_none(self):
        directory = self.temp_dir()
        self.run_memchaos(*self.flags("", "-flight-dir", directory), timeout=60.0)
        self.assertEqual(glob.glob(directory + "/*.mcf"), [])
        run = self.run_memchaos(*self.flags("checks:\n- goodput > 100000\n", "-flight-dir",
                                            directory), timeout=60.0)
        files = glob.glob(directory + "/*.mcf")
        self.assertEqual(len(files), 1, run.err)
        self.assertIn(files[0], run.err)
        shown = self.run_memchaos("flight", files[0], "-last", "5", timeout=30.0)
        self.assertEqual(shown.code, 0, shown.err)
        self.assertIn("reason: ", shown.out)
        self.assertIn("worker", shown.out)

    def test_a_signal_asks_for_a_flight_recording_and_the_run_goes_on(self):
        directory = self.temp_dir()
        process = self.start("-metrics-interval", "100ms",
                             *self.flags("", "-flight-dir", directory))
        until(lambda: "baseline" in process.err, "the first live line", timeout=30.0)
        process.send_signal(signal.SIGUSR1)
        # On a busy machine the run may be invalid; it was not ended by the signal.
        self.assertIn(process.wait(30.0), (0, 98), process.err)
        files = glob.glob(directory + "/*.mcf")
        self.assertEqual(len(files), 1, process.err)
        shown = self.run_memchaos("flight", files[0], "-format", "ndjson", timeout=30.0)
        self.assertGreater(len(shown.out.splitlines()), 8)


if __name__ == "__main__":
    main()
