"""Starting, stopping and being started wrongly: signals, exit codes, privileges, the demo."""
import collections
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import harness
import process_usage

MESSAGE = b"Subject: one\r\n\r\nhello\r\n"


class SignalTest(harness.SystemTest):
    """SIGTERM drains: who is logged in may finish, nobody new comes in."""

    def setUp(self):
        super().setUp()
        self.world.deliver(MESSAGE)

    def test_sigterm_without_sessions_ends_with_0_at_once(self):
        server = self.world.serve(limits={"drain_timeout": '"1h"'})
        server.stop()

    def test_sigterm_lets_a_session_finish(self):
        server = self.world.serve(limits={"drain_timeout": '"1h"'})
        client = server.logged_in()
        self.assert_starts(client.ask("DELE 1"), "+OK")
        server.process.send_signal(signal.SIGTERM)
        self.wait_until_refused(server.port)
        self.assert_starts(client.ask("NOOP"), "+OK")
        self.assert_starts(client.ask("QUIT"), "+OK")
        self.assertEqual(server.wait_for_end(), 0)
        self.assertEqual(self.world.stored(), {})

    def test_sigterm_ends_connections_that_did_not_log_in(self):
        server = self.world.serve()
        client = server.client()
        server.process.send_signal(signal.SIGTERM)
        self.assertTrue(client.is_closed())
        self.assertEqual(server.wait_for_end(), 0)

    def test_drain_timeout_ends_a_session_and_removes_nothing(self):
        server = self.world.serve(limits={"drain_timeout": '"1s"'})
        client = server.logged_in()
        self.assert_starts(client.ask("DELE 1"), "+OK")
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        self.assertTrue(client.is_closed())
        self.assertEqual(server.wait_for_end(), 0)
        self.assertGreater(time.monotonic() - started, 0.8)
        self.assertEqual(len(self.world.stored()), 1)

    def test_a_second_signal_ends_at_once_and_removes_nothing(self):
        server = self.world.serve(limits={"drain_timeout": '"1h"'})
        client = server.logged_in()
        self.assert_starts(client.ask("DELE 1"), "+OK")
        server.process.send_signal(signal.SIGTERM)
        self.wait_until_refused(server.port)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_end()
        self.assertEqual(len(self.world.stored()), 1)

    def wait_until_refused(self, port):
        deadline = time.monotonic() + harness.SECONDS_TO_ANSWER
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), harness.SECONDS_TO_ANSWER).close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                pass  # it came as the listener closed: reset in the kernel's queue
            time.sleep(0.02)
        self.fail("still accepts connections after SIGTERM")


class ThreadsTest(harness.SystemTest):
    def test_threads_are_named_for_what_they_do(self):
        server = self.world.serve(runtime={"reactors": "3"})

        def named():
            return collections.Counter(status["Name"] for status in process_usage.statuses(server))
        every = {"restante", "reactor", "files", "hashing", "far files", "tokens"}
        harness.wait_until(lambda: named().keys() >= every and named()["reactor"] == 3, "all names")


class StartTest(harness.SystemTest):
    """What cannot start says why, in words that name the cure, and exits as the contract says."""

    def run_serve(self, path):
        done = harness.run_binary("serve", "--config", path)
        return done.returncode, done.stdout + done.stderr

    def test_a_misspelt_key_is_exit_2_with_file_line_column_and_the_nearest_name(self):
        path = self.world.configuration(limits={"idle_timout": '"10m"'})
        line = open(path, encoding="utf-8").read().split("\n").index('idle_timout = "10m"') + 1
        status, output = self.run_serve(path)
        self.assertEqual(status, 2, output)
        self.assertRegex(output, re.escape(path) + rf":{line}:1: .*idle_timout.*idle_timeout")

    def test_a_wrong_type_is_exit_2_with_its_place(self):
        path = self.world.configuration(pop3={"durable": '"yes"'})
        status, output = self.run_serve(path)
        self.assertEqual(status, 2, output)
        self.assertRegex(output, re.escape(path) + r":\d+:\d+: .*durable")

    def test_broken_toml_is_exit_2_with_its_place(self):
        path = os.path.join(self.world.root, "broken.toml")
        self.world.write(path, b'hostname = "a"\n[storage\n')
        status, output = self.run_serve(path)
        self.assertEqual(status, 2, output)
        self.assertRegex(output, re.escape(path) + r":2:\d+: ")

    def test_a_missing_file_is_exit_2_and_named(self):
        path = os.path.join(self.world.root, "missing.toml")
        status, output = self.run_serve(path)
        self.assertEqual(status, 2, output)
        self.assertIn(path, output)

    def test_tls_that_is_not_built_is_refused_by_name(self):
        path = self.world.configuration(**{"listener.pop3": {"tls": '"required"'}})
        status, output = self.run_serve(path)
        self.assertEqual(status, 2, output)
        self.assertIn("tls", output)

    def test_check_config_says_the_same_without_serving(self):
        good = harness.run_binary("check-config", "--config", self.world.configuration())
        self.assertEqual(good.returncode, 0, good.stderr)
        bad = harness.run_binary("check-config", "--config", self.world.configuration(pop3={"aop": "true"}))
        self.assertEqual(bad.returncode, 2)
        self.assertRegex(bad.stdout + bad.stderr, r":\d+:1: .*aop.*apop")

    def test_the_documented_configuration_passes_and_changes_nothing(self):
        with open(os.path.join(harness.HERE, "..", "..", "conf", "restante.toml"), "rb") as file:
            documented = file.read()
        path = os.path.join(self.world.root, "documented.toml")
        self.world.write(path, documented)
        done = harness.run_binary("check-config", "--config", path)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_port_in_use_is_exit_1_and_named(self):
        with socket.create_server(("127.0.0.1", self.world.port)):
            status, output = self.run_serve(self.world.configuration())
        self.assertEqual(status, 1, output)
        self.assertIn(f"127.0.0.1:{self.world.port}", output)
        self.assertRegex(output, "in use")

    def test_a_second_server_on_the_port_of_the_first_is_exit_1(self):
        self.world.serve()
        status, output = self.run_serve(self.world.configuration())
        self.assertEqual(status, 1, output)
        self.assertIn(f"127.0.0.1:{self.world.port}", output)

    def test_an_unknown_subcommand_is_exit_2_and_version_prints_one(self):
        self.assertEqual(harness.run_binary("sreve").returncode, 2)
        version = harness.run_binary("version")
        self.assertEqual(version.returncode, 0)
        self.assertRegex(version.stdout, r"restante \d")

    @unittest.skipUnless(harness.is_root(), "needs root")
    def test_started_as_root_it_serves_as_the_user_of_the_storage(self):
        self.world.deliver(MESSAGE)
        server = self.world.serve(as_root=True, environment={"ASAN_OPTIONS": "detect_leaks=0"})
        uid, gid = str(harness.UNPRIVILEGED.pw_uid), str(harness.UNPRIVILEGED.pw_gid)
        for status in process_usage.statuses(server):
            self.assertEqual(status["Uid"].split(), 4 * [uid])
            self.assertEqual(status["Gid"].split(), 4 * [gid])
            self.assertIn(status["Groups"].strip(), ("", gid))
            self.assertEqual(int(status["CapEff"], 16), 0)
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)
        server.process.send_signal(signal.SIGTERM)

    @unittest.skipUnless(harness.is_root(), "needs root")
    def test_started_as_root_with_a_user_that_does_not_exist_it_names_it(self):
        path = self.world.configuration(storage={"user": '"no-such-user-here"'})
        done = subprocess.run(harness.unprivileged([harness.settings.binary, "serve", "--config", path], True),
                              capture_output=True, text=True, timeout=harness.SECONDS_TO_ANSWER, check=False)
        self.assertIn(done.returncode, (1, 2))
        self.assertIn("no-such-user-here", done.stdout + done.stderr)


class DemoTest(harness.SystemTest):
    """`restante demo`: what it prints works as printed."""

    def start(self, **options):
        port = harness.free_port()
        arguments = ["demo", "--port", str(port), "--tls-port", str(harness.free_port())]
        server = harness.Server(self, arguments, port, folder=self.world.root, **options)
        server.wait_until_ready()
        harness.wait_until(lambda: "Ctrl-C" in server.output(), "the demo's words")
        return server

    def test_the_printed_curl_lines_work_verbatim(self):
        server = self.start()
        printed = server.output() + server.log()
        lines = re.findall(r"^\s*(curl .*)$", printed, re.M)
        self.assertEqual(len(lines), 3, printed)
        for line in lines:
            done = subprocess.run(["sh", "-c", line], capture_output=True, check=False,
                                  timeout=harness.SECONDS_TO_ANSWER)
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stderr}")
            self.assertGreater(len(done.stdout), 0)
        self.assertIn("pop3s://", lines[-1])
        server.stop()

    def test_the_printed_password_logs_demo_in_and_there_is_mail(self):
        server = self.start()
        printed = server.output() + server.log()
        password = self.password_in(printed)
        client = server.client()
        self.assert_starts(client.log_in("demo", password), "+OK")
        count = int(client.ask("STAT").split()[1])
        self.assertGreaterEqual(count, 3)
        for number in range(1, count + 1):
            self.assertIn(b"\r\n", client.retrieve(number))
        self.assert_starts(client.ask("QUIT"), "+OK")

    def test_each_demo_has_a_password_of_its_own(self):
        passwords = {self.password_in(server.output() + server.log())
                     for server in (self.start(), self.start())}
        self.assertEqual(len(passwords), 2)

    @unittest.skipUnless(harness.is_root(), "needs root")
    def test_started_as_root_it_serves_as_nobody(self):
        server = self.start(as_root=True, environment={"ASAN_OPTIONS": "detect_leaks=0"})
        with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
            self.assertRegex(file.read(), rf"Uid:(\s+{harness.UNPRIVILEGED.pw_uid}){{4}}\n")
        client = server.client()
        self.assert_starts(client.log_in("demo", self.password_in(server.output() + server.log())), "+OK")
        self.assertGreater(len(client.retrieve(1)), 0)
        client.close()
        self.assert_leaves_nothing(server)

    def test_it_removes_its_maildrop_when_it_ends(self):
        self.assert_leaves_nothing(self.start())

    def assert_leaves_nothing(self, server):
        folder = self.folder_of(server)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_end()
        self.assertFalse(os.path.exists(folder), f"{folder} is left")

    def folder_of(self, server):
        """The temporary folder it says its mail is in."""
        printed = server.output() + server.log()
        found = re.search(re.escape(tempfile.gettempdir()) + r"/[\w./-]+", printed)
        self.assertIsNotNone(found, printed)
        self.assertTrue(os.path.exists(found.group()), printed)
        return found.group()

    def password_in(self, printed):
        line = re.search(r"^\s*(curl .*)$", printed, re.M).group(1)
        account = next(word for word in shlex.split(line) if "demo:" in word)
        return re.search(r"demo:([^@\s]+)", account).group(1)
