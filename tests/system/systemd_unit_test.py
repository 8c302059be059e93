"""conf/systemd/restante.service: as closed as systemd-analyze can tell, and open to what the server does."""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import unittest

import harness

UNIT = os.path.join(harness.HERE, "..", "..", "conf", "systemd", "restante.service")
EXPOSURE_MAX = 2.0
PR_SET_MDWE = 65  # Linux 6.3
REFUSE_EXEC_GAIN = 1
MESSAGE = b"Subject: a\r\n\r\nb\r\n"
# By the dynamic loader and strace's own start, before the filter of a service is in force.
BEFORE_THE_SERVICE = {"execve"}


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60,
                          check=False)
    return done.stdout + done.stderr


def system_calls(name):
    """What a name of SystemCallFilter= stands for: a set ("@aio") or a call."""
    if not name.startswith("@"):
        return {name}
    calls = set()
    for line in analyze("syscall-filter", name).splitlines():
        member = line.strip()
        if line.startswith("    ") and not member.startswith("#"):
            calls |= system_calls(member)
    return calls


def allowed_calls(unit):
    """The filter's lines in their order, as systemd.exec(5) has it."""
    allowed = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
        calls = set().union(*(system_calls(name) for name in line.lstrip("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze (package systemd)")
class UnitTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        with open(UNIT, encoding="utf-8") as file:
            self.unit = file.read()

    def test_its_exposure_is_at_most_2(self):
        report = analyze("security", "--offline=true", "--no-pager", UNIT)
        found = re.search(r"Overall exposure level for restante\.service: ([\d.]+)", report)
        self.assertIsNotNone(found, report)
        self.assertLessEqual(float(found.group(1)), EXPOSURE_MAX, report)

    def test_systemd_finds_no_mistake_in_it(self):
        copy = os.path.join(self.world.root, "restante.service")
        unit = self.unit.replace("/usr/local/bin/restante", harness.settings.binary)
        self.world.write(copy, unit.encode())
        self.assertEqual(analyze("verify", "--man=no", copy), "")

    def test_it_names_what_the_server_and_its_manual_name(self):
        self.assertIn("\nType=notify\n", self.unit)
        self.assertIn("--config /etc/restante/restante.toml\n", self.unit)
        self.assertIn("\nUser=vmail\n", self.unit)  # the default of [storage] user

    def test_the_server_needs_no_memory_that_is_written_and_executed(self):
        self.assertIn("\nMemoryDenyWriteExecute=yes\n", self.unit)
        prctl = ctypes.CDLL(None).prctl
        self.world.deliver(MESSAGE)
        server = harness.Server(
            self, ["serve", "--config", self.world.configuration()], self.world.port,
            folder=self.world.root, before=lambda: prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0))
        server.wait_until_ready()
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)

    @unittest.skipUnless(shutil.which("strace"), "no strace")
    def test_its_filter_allows_every_system_call_of_a_server(self):
        if harness.is_sanitized():
            self.skipTest("a sanitizer makes system calls of its own")
        self.world.deliver(MESSAGE)
        self.world.deliver(b"Subject: large\n\n" + b"x" * 60 + b"\n" * 200_000)
        trace = os.path.join(self.world.root, "trace")
        command = harness.unprivileged(
            ["strace", "-f", "-qq", "-o", trace, "-e", "signal=none", harness.settings.binary, "serve",
             "--config", self.world.configuration()])
        self.world.write(trace, b"")
        server = harness.Server(self, [], self.world.port, command=command, folder=self.world.root)
        server.wait_until_ready()
        session = server.logged_in()
        self.assertEqual(session.retrieve(1), MESSAGE)
        session.retrieve(2)
        session.ask("DELE 1")
        self.assert_starts(session.ask("QUIT"), "+OK")
        with open(trace, encoding="utf-8", errors="replace") as file:
            traced = file.read()
        self.addCleanup(os.kill, int(traced.split(maxsplit=1)[0]), signal.SIGKILL)  # it outlives strace
        made = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", traced, re.M))
        self.assertIn("epoll_wait" if harness.settings.backend == "epoll" else "io_uring_enter", made)
        self.assertEqual(made - allowed_calls(self.unit) - BEFORE_THE_SERVICE, set())


if __name__ == "__main__":
    unittest.main()
