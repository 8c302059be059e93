"""What a turn of io_uring costs: a command is one entry into the kernel, which sends the reply and waits for the next
one. strace counts; figures are printed."""
import os
import re
import shutil
import subprocess
import unittest

import harness
import process_usage

ENTER = "io_uring_enter"
NOOPS = 100
POLLS = 10
ENTERS_A_POLL_MAX = 6  # connect, USER, PASS, STAT and QUIT take a turn each; one more on a busy machine
FEW = 5  # strace's own coming and going, the log


def reactors_of(server):
    return [int(each["Pid"]) for each in process_usage.statuses(server) if each["Name"] == "reactor"]


class Trace:
    """`with Trace(test, server)`: what its reactor, which must be the only one, asks of the kernel meanwhile.
    Afterwards: `enters` into the ring but those which a timer ended, and the names of all `others`."""

    def __init__(self, test, server):
        # A thread that it has just begun has its name for a moment.
        harness.wait_until(lambda: len(reactors_of(server)) == 1, "one reactor")
        reactor, = reactors_of(server)
        self.test = test
        self.path = os.path.join(test.world.root, "trace")
        self.command = ["strace", "-e", "signal=none", "-o", self.path, "-p", str(reactor)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        self.test.addCleanup(self._end)
        told = self.process.stderr.readline()
        if "attached" not in told:
            self._end()
            self.test.skipTest(f"strace may not attach to the server: {told.strip()}")
        return self

    def __exit__(self, *_):
        self._end()
        with open(self.path, encoding="utf-8", errors="replace") as file:
            calls = re.findall(r"^(\w+)\((.*)$", file.read(), re.M)
        self.enters = sum(name == ENTER and "ETIME" not in rest for name, rest in calls)
        self.others = [name for name, _ in calls if name != ENTER]

    def _end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.communicate()


@unittest.skipUnless(shutil.which("strace"), "no strace")
class SystemCallsTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        if harness.settings.backend == "epoll":
            self.skipTest("about io_uring")
        if harness.is_sanitized():
            self.skipTest("a sanitizer makes system calls of its own")
        self.world.deliver(b"Subject: a\r\n\r\nb\r\n")
        self.server = self.world.serve(runtime={"reactors": "1"})
        if "epoll takes io_uring's place" in self.server.log():
            self.skipTest("io_uring is refused here")
        self.poll()  # there is an index from now on

    def poll(self):
        with self.server.logged_in() as client:
            self.assert_starts(client.ask("STAT"), "+OK 1 ")
            self.assert_starts(client.ask("QUIT"), "+OK")
            self.assertTrue(client.is_closed())

    def test_a_noop_is_one_system_call(self):
        client = self.server.logged_in()
        with Trace(self, self.server) as trace:
            for _ in range(NOOPS):
                self.assert_starts(client.ask("NOOP"), "+OK")
        print(f"load: {NOOPS} NOOPs: {trace.enters} {ENTER}, {len(trace.others)} other system calls", flush=True)
        self.assertGreaterEqual(trace.enters, NOOPS)  # or it was not they that were counted
        self.assertLessEqual(trace.enters, NOOPS + FEW)
        self.assertLessEqual(len(trace.others), FEW, trace.others)

    def test_a_poll_enters_the_ring_once_a_turn(self):
        with Trace(self, self.server) as trace:
            for _ in range(POLLS):
                self.poll()
        print(f"load: {POLLS} polls: {trace.enters} {ENTER}, {len(trace.others)} other system calls", flush=True)
        self.assertGreaterEqual(trace.enters, POLLS)
        self.assertLessEqual(trace.enters, POLLS * ENTERS_A_POLL_MAX + FEW)
