#!/usr/bin/python3
"""Runs the system tests: run.py --binary PATH [--quick] [--backend NAME] [PATTERN ...]. A PATTERN is a
part of a test's name. One line a test; last line: `N passed, N failed`; `skipped: NAME: REASON` for the others."""
import argparse
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True  # the checkout stays as it was
import harness


class Report(unittest.TestResult):
    """Prints each test as it ends."""

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def _say(self, verdict, test):
        print(f"{verdict}: {name_of(test)} ({time.monotonic() - self.started:.1f} s)", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._say("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(self.failures[-1][1], end="")
        self._say("FAILED", test)

    def addError(self, test, err):
        super().addError(test, err)
        print(self.errors[-1][1], end="")
        self._say("FAILED", test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(f"{name_of(test)}: {subtest._subDescription()}:\n{self._exc_info_to_string(err, test)}",
                  end="")
            self._say("FAILED part of", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped: {name_of(test)}: {reason}", flush=True)


def name_of(test):
    return ".".join(test.id().split(".")[-3:]) if "." in test.id() else test.id()


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def install_binary(path):
    """A copy where everybody may run it: the checkout may be in a closed home."""
    folder = tempfile.mkdtemp(prefix="restante-binary-")
    os.chmod(folder, 0o755)
    copy = os.path.join(folder, "restante")
    shutil.copy(path, copy)
    os.chmod(copy, 0o755)
    return folder, copy


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--quick", action="store_true", help="leave out what is slow")
    arguments.add_argument("--backend", default="auto", choices=("auto", "uring", "epoll"),
                           help="[runtime] backend of servers that do not name theirs")
    arguments.add_argument("patterns", nargs="*", default=[""], metavar="pattern")
    chosen = arguments.parse_args()
    harness.settings.build = os.path.dirname(os.path.abspath(chosen.binary))
    folder, harness.settings.binary = install_binary(chosen.binary)
    harness.settings.quick = chosen.quick
    harness.settings.backend = chosen.backend
    found = unittest.defaultTestLoader.discover(harness.HERE, pattern="*_test.py")
    tests = [test for test in tests_of(found) if any(each in test.id() for each in chosen.patterns)]
    report = Report()
    try:
        unittest.TestSuite(tests).run(report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    broken = {name_of(getattr(test, "test_case", test)) for test, _ in report.failures + report.errors}
    print(f"{report.testsRun - len(broken) - len(report.skipped)} passed, {len(broken)} failed")
    return 1 if broken or report.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
