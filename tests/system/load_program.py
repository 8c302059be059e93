"""Runs pop3load and reads its report."""
import json
import os
import subprocess
import tempfile
import unittest

import harness

FELL_BEHIND = 4  # pop3load's exit code
LONGER = "10s"   # where a session takes longer than a short run: a busy machine


def pop3load(*arguments):
    return [os.path.join(harness.settings.build, "pop3load"), *arguments]


class Report:
    """What a test asks of the JSON report."""

    def __init__(self, text):
        report = json.loads(text)
        self.run = report["run"]
        self.generator = report["generator"]
        self.intervals = report["intervals"]
        self.measured = report["measured"]
        self.stages = report["stages"]
        self.faults = {kind["kind"]: kind["count"] for kind in report["faults"]["kinds"]}
        self.steps = {step["step"]: step for step in report["steps"]}


class LoadCase(unittest.TestCase):
    def setUp(self):
        harness.need_program(self, "pop3load")

    def run_load(self, port, *arguments, seconds="300ms", timeout="30s", users=1, threads=1,
                 expect=None):
        """What became of a short run, and its report. In the closed model unless told otherwise. An
        answer that takes longer than `timeout` is a fault."""
        with tempfile.NamedTemporaryFile(suffix=".json") as report:
            is_told = any(word in arguments
                          for word in ("--rate", "--connections", "--find-max", "specmail2001"))
            load = [] if is_told else ["--connections", "1"]
            done = subprocess.run(
                pop3load("run", "--port", str(port), "--user-count", str(users), "--quiet",
                         "--duration", seconds, "--warm-up", "100ms", "--timeout", timeout,
                         "--threads", str(threads), "--json", report.name, *load, *arguments),
                capture_output=True, text=True, timeout=300, check=False)
            if expect == 0 and seconds != LONGER and done.stderr.endswith("no session ended well\n"):
                return self.run_load(port, *arguments, seconds=LONGER, timeout=timeout, users=users,
                                     threads=threads, expect=expect)
            text = report.read()
            told = Report(text) if text else None
            # A busy machine holds up the generator, and it says so: no matter here.
            is_held_up = (expect == 0 and done.returncode == FELL_BEHIND and told is not None
                          and not told.generator["own_fault"])
            if expect is not None and not is_held_up:
                self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
            return done, told
