#!/usr/bin/python3
"""Runs the system tests: run.py --binary PATH [--quick] [--backend NAME] [--strategy NAME] [--jobs N]
[--without PATTERN]... [PATTERN ...]. A PATTERN is a part of a test's name. Each test is a process; N of them run at
a time, then those one by one that are to be alone (harness.alone). One line a test, below its output; last line:
`N passed, N failed`; `skipped: NAME: REASON` for the others."""
import argparse
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True  # the checkout stays as it was
import harness

# Begun first, so that nobody waits for them at the end.
LONGEST = ("test_testssl", "KillTest", "OwnMailTest", "HandshakesTest", "EveryStrategyTest",
           "test_every_profile_finds", "test_an_unknown_user_and", "SlowDiskTest")
PASSED, FAILED, SKIPPED = 0, 1, 3  # exit codes of a test's process; others are failures too
SECONDS_MAX = 900  # of one test; the whole loads of tools/soak take minutes
SECONDS_TO_CLEAN_UP = 20  # of a test that is told to end


class Stopped(BaseException):
    """The test is told to end: it fails and cleans up."""


class Report(unittest.TestResult):
    """Prints what fails, and why a test is skipped."""

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(self.failures[-1][1], end="")

    def addError(self, test, err):
        super().addError(test, err)
        print(self.errors[-1][1], end="")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(f"{name_of(test)}: {subtest._subDescription()}:\n{self._exc_info_to_string(err, test)}",
                  end="")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped: {name_of(getattr(test, 'test_case', test))}: {reason}", flush=True)

    def verdict(self):
        if not self.wasSuccessful():
            return FAILED
        return SKIPPED if self.skipped else PASSED


class Running:
    """A test in a process of its own."""

    def __init__(self, test):
        self.test = test
        self.output = tempfile.TemporaryFile()
        self.started = time.monotonic()
        self.is_late = False
        self.process = multiprocessing.get_context("fork").Process(target=self._run)
        self.process.start()

    def _run(self):
        signal.signal(signal.SIGINT, lambda *_: None)  # the runner's affair, which sends a SIGTERM
        signal.signal(signal.SIGTERM, stop)
        for descriptor in (1, 2):
            os.dup2(self.output.fileno(), descriptor)
        report = Report()
        self.test.run(report)
        sys.exit(report.verdict())

    def limit(self):
        """One that hangs is told to end, and then ended."""
        seconds = time.monotonic() - self.started
        if seconds > SECONDS_MAX + SECONDS_TO_CLEAN_UP:
            self.process.kill()
        elif seconds > SECONDS_MAX and not self.is_late:
            self.is_late = True
            self.process.terminate()

    def end(self):
        """Its exit code, once it has ended; its output and its line are printed."""
        self.process.join()
        self.output.seek(0)
        sys.stdout.flush()
        shutil.copyfileobj(self.output, sys.stdout.buffer)
        self.output.close()
        code = self.process.exitcode
        if code != SKIPPED:
            seconds = time.monotonic() - self.started
            ended = f": its process ended with {code}" if code not in (PASSED, FAILED) else ""
            print(f"{'ok' if code == PASSED else 'FAILED'}: {name_of(self.test)} ({seconds:.1f} s){ended}",
                  flush=True)
        return code


def stop(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def run(tests, jobs):
    """The exit codes of all of them, so many at a time."""
    waiting, running, codes = list(tests), [], []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(Running(waiting.pop(0)))
            multiprocessing.connection.wait([each.process.sentinel for each in running], 1)
            for each in running:
                each.limit()
            for each in [each for each in running if each.process.exitcode is not None]:
                running.remove(each)
                codes.append(each.end())
    finally:
        end_all(running)
    return codes


def end_all(running):
    """After Ctrl-C: servers, mounts and folders of the tests that run are not left behind."""
    for each in running:
        each.process.terminate()
    deadline = time.monotonic() + SECONDS_TO_CLEAN_UP
    for each in running:
        each.process.join(max(0, deadline - time.monotonic()))
        each.process.kill()
        each.end()


def name_of(test):
    return ".".join(test.id().split(".")[-3:]) if "." in test.id() else test.id()


def is_alone(test):
    function = getattr(test, getattr(test, "_testMethodName", ""), None)
    return getattr(test, "is_alone", False) or getattr(function, "is_alone", False)


def rank(test):
    """Lower: begun earlier."""
    return next((place for place, name in enumerate(LONGEST) if name in test.id()), len(LONGEST))


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


@contextlib.contextmanager
def installed_binary(path):
    """A copy where everybody may run it: the checkout may be in a closed home."""
    folder = tempfile.mkdtemp(prefix="restante-binary-")
    try:
        os.chmod(folder, 0o755)
        copy = os.path.join(folder, "restante")
        shutil.copy(path, copy)
        os.chmod(copy, 0o755)
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def chosen_options():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--quick", action="store_true", help="leave out what is slow")
    arguments.add_argument("--backend", default="auto", choices=("auto", "uring", "epoll"),
                           help="[runtime] backend of servers that do not name theirs")
    arguments.add_argument("--strategy", default="auto",
                           help="[delivery] strategy of servers that do not name theirs")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() + 1,
                           help="tests at a time (one more than there are processors)")
    arguments.add_argument("--without", action="append", default=[], metavar="PATTERN",
                           help="leave out these tests")
    arguments.add_argument("patterns", nargs="*", default=[""], metavar="pattern")
    return arguments.parse_args()


def main():
    chosen = chosen_options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    harness.settings.build = os.path.dirname(os.path.abspath(chosen.binary))
    harness.settings.quick = chosen.quick
    harness.settings.backend = chosen.backend
    harness.settings.strategy = chosen.strategy
    found = unittest.defaultTestLoader.discover(harness.HERE, pattern="*_test.py")
    tests = list(tests_of(found))
    for pattern in chosen.patterns + chosen.without:
        if not any(pattern in test.id() for test in tests):
            sys.exit(f"run.py: no test's name has {pattern} in it")
    tests = [test for test in tests if any(each in test.id() for each in chosen.patterns)
             and not any(each in test.id() for each in chosen.without)]
    together = sorted((test for test in tests if not is_alone(test)), key=rank)
    with installed_binary(chosen.binary) as harness.settings.binary:
        codes = run(together, chosen.jobs) + run(filter(is_alone, tests), 1)
    passed, skipped = codes.count(PASSED), codes.count(SKIPPED)
    failed = len(codes) - passed - skipped
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not codes else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
