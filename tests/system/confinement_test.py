"""What a running server has given up: capabilities, core dumps, files and ports that are not its business."""
import errno
import os
import shutil
import signal
import socket
import subprocess
import unittest

import harness
import process_usage
import uring_refused_test

LANDLOCK_CREATE_RULESET = 444
MESSAGE = b"Subject: a\r\n\r\nb\r\n"
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")


def privileged_port():
    """A free port that root alone may open; None where every user may open all."""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        first = int(file.read())
    return harness.free_port(range(first - 1, 600, -1))


class PrivilegesTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.world.deliver(MESSAGE)

    def assert_nothing_left(self, server, sets=CAPABILITY_SETS):
        for status in process_usage.statuses(server):
            self.assertEqual(status["NoNewPrivs"], "1")
            for name in sets:
                self.assertEqual(int(status[name], 16), 0, name)

    def test_every_thread_has_no_capability_and_may_gain_none(self):
        server = self.world.serve()
        server.logged_in().retrieve(1)
        self.assert_nothing_left(server)

    @unittest.skipUnless(harness.is_root(), "needs root")
    def test_started_as_root_the_bounding_set_is_empty_too(self):
        server = self.world.serve(as_root=True)
        server.logged_in().retrieve(1)
        self.assert_nothing_left(server, (*CAPABILITY_SETS, "CapBnd"))

    @unittest.skipUnless(harness.is_root(), "needs root to give a capability")
    def test_as_its_user_with_the_capability_of_the_systemd_unit_it_opens_a_port_and_gives_that_up(self):
        port = privileged_port()
        if port is None:
            self.skipTest("every user may open every port here")
        command = ["setpriv", "--pdeathsig", "KILL", "--reuid=nobody", "--regid=nogroup",
                   "--clear-groups", "--inh-caps=-all,+net_bind_service",
                   "--ambient-caps=-all,+net_bind_service", "--bounding-set=-all,+net_bind_service",
                   "--", harness.settings.binary, "serve", "--config", self.world.configuration(port)]
        server = harness.Server(self, [], port, command=command, folder=self.world.root)
        server.wait_until_ready()
        self.assert_nothing_left(server)

    def test_no_core_file_is_made_and_its_own_user_cannot_read_its_memory(self):
        server = self.world.serve()
        process = server.process.pid
        with open(f"/proc/{process}/limits", encoding="ascii") as file:
            self.assertRegex(file.read(), r"Max core file size +0 +0 ")
        for name in ("mem", "environ", "maps"):
            done = subprocess.run(harness.unprivileged(["head", "-c", "1", f"/proc/{process}/{name}"]),
                                  capture_output=True, text=True, check=False)
            self.assertIn("Permission denied", done.stderr, name)
        for name in ("status", "stat"):  # what load tools and monitors read
            done = subprocess.run(harness.unprivileged(["cat", f"/proc/{process}/{name}"]),
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)


class ConfinementTest(harness.SystemTest):
    def confined(self, **options):
        """A server and what it says of its confinement; the test is skipped where there is none."""
        server = self.world.serve(**options)
        line = server.wait_for_log(r"(not )?confined.*").group(0)
        if line.startswith("not"):
            server.stop()
            self.skipTest(line)
        return server, line

    def test_the_log_says_what_may_be_written(self):
        server, line = self.confined()
        self.assertIn(f"written beneath {self.world.mail};", line)
        self.assertIn("none executed", line)
        self.assertEqual(server.logged_in().ask("STAT"), "+OK 0 0")

    def test_a_mail_root_that_is_a_symbolic_link_is_served(self):
        os.rename(self.world.mail, self.world.mail + ".real")
        os.symlink(self.world.mail + ".real", self.world.mail)
        self.world.deliver(MESSAGE)
        server, _ = self.confined()
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)

    def test_a_mail_root_that_is_made_after_the_start_is_served(self):
        os.rename(self.world.mail, self.world.mail + ".away")
        server, line = self.confined()
        self.assertIn(f"written beneath {self.world.root} (there is no {self.world.mail})", line)
        os.rename(self.world.mail + ".away", self.world.mail)
        self.world.deliver(MESSAGE)
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)

    def test_mail_in_homes_is_served_and_the_log_says_that_files_are_written_anywhere(self):
        path = self.world.deliver(MESSAGE)
        home = os.path.join(self.world.root, "home")
        os.mkdir(home)
        shutil.move(os.path.dirname(os.path.dirname(path)), os.path.join(home, "Maildir"))
        line = f"mrose:{{PLAIN}}{harness.PASSWORD}::::{home}::\n"
        self.world.write(self.world.users, line.encode())
        server, line = self.confined(storage={"maildir": '"{home}/Maildir"'})
        self.assertIn("written beneath / (maildrops may lie anywhere)", line)
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)

    def test_a_users_own_maildrop_outside_the_mail_root_is_served(self):
        elsewhere = os.path.join(self.world.root, "elsewhere")
        shutil.move(os.path.dirname(os.path.dirname(self.world.deliver(MESSAGE))), elsewhere)
        line = f"mrose:{{PLAIN}}{harness.PASSWORD}::::::userdb_mail=maildir:{elsewhere}\n"
        self.world.write(self.world.users, line.encode())
        server, line = self.confined()
        self.assertIn("written beneath / (maildrops may lie anywhere)", line)
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)

    def test_a_passwd_file_that_is_replaced_is_read_again(self):
        server, _ = self.confined()
        self.assertIn("-ERR", server.client().log_in("newton"))
        new = self.world.users + ".new"
        self.world.write(new, f"newton:{{PLAIN}}{harness.PASSWORD}\n".encode())
        os.rename(new, self.world.users)
        harness.wait_until(lambda: server.client().log_in("newton").startswith("+OK"), "the new user")

    def test_without_landlock_mail_is_served_and_the_log_says_so(self):
        self.world.deliver(MESSAGE)
        path = self.world.configuration()
        server = harness.Server(
            self, ["serve", "--config", path], self.world.port, folder=self.world.root,
            before=lambda: uring_refused_test.refuse(LANDLOCK_CREATE_RULESET, errno.ENOSYS))
        server.wait_until_ready()
        server.wait_for_log("not confined; not in force: everything: Landlock: Function not impl")
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)


class ServiceManagerTest(harness.SystemTest):
    """Type=notify of the systemd unit."""

    def setUp(self):
        super().setUp()
        path = os.path.join(self.world.root, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(path)
        self.socket.settimeout(harness.SECONDS_TO_START)
        harness.give_to_nobody(self.world.root)
        self.server = self.world.serve(environment={"NOTIFY_SOCKET": path})

    def test_it_hears_that_the_server_serves_and_that_it_stops(self):
        self.assertEqual(self.socket.recv(256), b"READY=1")
        self.server.stop()
        self.assertEqual(self.socket.recv(256), b"STOPPING=1")

    def test_it_hears_of_a_reload_and_its_end(self):
        self.assertEqual(self.socket.recv(256), b"READY=1")
        self.server.process.send_signal(signal.SIGHUP)
        self.assertRegex(self.socket.recv(256), rb"\ARELOADING=1\nMONOTONIC_USEC=\d+\Z")
        self.assertEqual(self.socket.recv(256), b"READY=1")


if __name__ == "__main__":
    unittest.main()
