# SPDX-License-Identifier: MIT
"""Clients as shared objects: the example as its comment says, libmemcached and its pool, and what
cannot be loaded."""
import json
import os
import shutil
import subprocess

from harness import Case, main

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DRIVERS = os.environ.get("DRIVERS", "build/drivers/c")
SANITIZED = os.environ.get("SANITIZE", "none") != "none"


class Plugin(Case):
    def run_driver(self, driver, *more, scenario="healthy", timeout=30):
        done = self.run_memchaos("-driver", driver, "-scenario", scenario, "-proxy-port", 0,
                                 "-api-port", 0, "-quiet", "-json", "-rate", 500, "-concurrency",
                                 8, *more, timeout=timeout)
        self.assertIn(done.code, (0, 98, 99), done.err)
        return json.loads(done.out)["runs"][0]

    def assert_works(self, run):
        total = run["counts"]
        self.assertGreater(total["succeeded"], 100)
        self.assertEqual(total["wrong_data"], 0, run["checks"])
        self.assertGreater(total["outcomes"].get("hit", 0), 0)
        self.assertGreater(total["outcomes"].get("stored", 0), 0)

    def test_the_example_is_compiled_as_its_comment_says_and_works(self):
        if SANITIZED or not shutil.which("cc"):
            self.skipTest("needs the compiler of the system")
        folder = self.temp_dir()
        for flags in (["-std=c11", "-D_GNU_SOURCE"], ["-std=gnu11"]):
            subprocess.run(["cc", *flags, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-shared",
                            "-fPIC", "-fvisibility=hidden", "-I", f"{ROOT}/include",
                            f"{ROOT}/drivers/c/example.c", "-o", f"{folder}/example.so"],
                           check=True)
        self.assert_works(self.run_driver(f"{folder}/example.so", "-duration", "1s"))
        counted = self.run_driver(f"{folder}/example.so", "-duration", "1s", "-workload",
                                  "counters")
        self.assertEqual(counted["counts"]["wrong_data"], 0, counted["checks"])
        refused = self.run_driver(f"{folder}/example.so", "-duration", "1s", "-workload",
                                  "poison")
        self.assertGreater(refused["counts"]["outcomes"].get("rejected", 0), 0)
        self.assertEqual(refused["counts"]["wrong_data"], 0, refused["checks"])

    def test_the_header_is_c11_and_cpp17(self):
        for compiler, language, standard in (("cc", "c", "c11"), ("c++", "c++", "c++17")):
            if shutil.which(compiler):
                subprocess.run([compiler, f"-std={standard}", "-x", language, "-Wall", "-Wextra",
                                "-Wpedantic", "-Werror", "-fsyntax-only", "-I", f"{ROOT}/include",
                                "-"],
                               input=b"#include <memchaos/driver.h>\nextern int not_empty;\n",
                               check=True)

    def libmemcached(self, name):
        if not os.path.exists(f"{DRIVERS}/driver-{name}.so"):
            self.skipTest("libmemcached-dev is not installed")
        for workload in ("batch", "counters"):
            run = self.run_driver(name, "-duration", "1s", "-workload", workload, "-prefill",
                                  "on" if workload == "batch" else "auto")
            total = run["counts"]
            self.assertEqual(total["wrong_data"], 0, run["checks"])
            self.assertEqual(total["failed"], 0, total["outcomes"])
            self.assertGreater(total["succeeded"], 100)
        # Each node's operations are told apart, by libmemcached's own key map.
        run = self.run_driver(name, "-duration", "1s")
        self.assertTrue(all(n["counts"]["succeeded"] > 0 for n in run["nodes"]), run["nodes"])

    def test_libmemcached_works_with_a_handle_per_worker(self):
        self.libmemcached("libmemcached")

    def test_libmemcached_works_with_its_pool(self):
        self.libmemcached("libmemcached-pool")

    def test_libmemcached_tells_a_timeout_from_a_miss(self):
        if not os.path.exists(f"{DRIVERS}/driver-libmemcached.so"):
            self.skipTest("libmemcached-dev is not installed")
        gallery = os.path.join(ROOT, "tests", "gallery", "silence.yaml")
        for workload in ("get-heavy", "batch"):
            run = self.run_driver("libmemcached", "-runs", 1, "-timeout", "300ms", "-workload",
                                  workload, scenario=gallery)
            outcomes = run["counts"]["outcomes"]
            self.assertGreater(outcomes.get("io_timeout", 0), 0, outcomes)
            self.assertEqual(outcomes.get("miss", 0), 0, outcomes)
            self.assertEqual(outcomes.get("other", 0), 0, outcomes)

    def test_what_is_no_driver_is_named(self):
        folder = self.temp_dir()
        with open(f"{folder}/text.so", "w", encoding="utf-8") as file:
            file.write("no shared object")
        for driver, reason in ((f"{folder}/text.so", "cannot load the driver"),
                               (f"{folder}/absent.so", "there is no readable file"),
                               ("libmemcachd", 'did you mean "libmemcached"?')):
            done = self.run_memchaos("-driver", driver)
            self.assertEqual(done.code, 2)
            self.assertIn(reason, done.err)


if __name__ == "__main__":
    main()
