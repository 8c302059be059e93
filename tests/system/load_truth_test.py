"""pop3load against a server that is wrong in each way it must notice, and one that is right."""
import signal
import socket
import subprocess
import time

import harness
from false_server import FalseServer, Session
from load_program import LoadCase, pop3load


class SlowLogin(Session):
    def do_pass(self, password):
        time.sleep(1)
        super().do_pass(password)


class LoadTruthTest(LoadCase):
    def check_noticed(self, mischief, fault, *arguments, **options):
        with FalseServer(mischief) as server:
            done, report = self.run_load(server.port, *arguments, expect=1, **options)
        self.assertTrue(fault in done.stderr or "no session ended well: " in done.stderr, done.stderr)
        self.assertGreater(report.faults.get(fault, 0), 0)

    def test_an_honest_server_passes(self):
        for profile in ["poll", "sync", "drain", "keep", "top", "noop", "leave-on-server",
                        "login-storm"]:
            with self.subTest(profile=profile), FalseServer() as server:
                if profile == "top":
                    continue  # it has no TOP
                self.run_load(server.port, "--profile", profile, "--verify", "1", expect=0)

    def test_deleted_mail_stays_deleted(self):
        with FalseServer() as server:
            _, report = self.run_load(server.port, "--profile", "drain", "--delete", expect=0)
        self.assertGreater(report.measured["sessions_ended"], 0)

    def test_wrong_octets(self):
        self.check_noticed("wrong octets", "wrong_octets", "--profile", "drain")

    def test_stat_that_disagrees_with_list(self):
        self.check_noticed("wrong stat", "wrong_octets", "--profile", "sync")

    def test_uidl_shorter_than_list(self):
        self.check_noticed("short uidl", "wrong_count", "--profile", "sync")

    def test_missing_final_dot(self):
        self.check_noticed("no final dot", "closed", "--profile", "drain")

    def test_missing_final_dot_of_a_listing(self):
        self.check_noticed("no final dot in list", "closed", "--profile", "sync")

    def test_bare_line_feeds(self):
        self.check_noticed("bare line feeds", "malformed_answer", "--profile", "drain")

    def test_changed_unique_id(self):
        self.check_noticed("changed unique-id", "unique_id_changed", "--profile", "sync")

    def test_repeated_unique_id(self):
        self.check_noticed("repeated unique-id", "unique_id_repeated", "--profile", "sync")

    def test_lost_message(self):
        self.check_noticed("lost message", "message_lost", "--profile", "sync")

    def test_resurrected_message(self):
        self.check_noticed("resurrected message", "message_resurrected", "--profile", "drain",
                           "--delete")

    def test_refused_message(self):
        self.check_noticed("refused retr", "command_refused", "--profile", "drain")

    def test_refused_login(self):
        self.check_noticed("refuse login", "login_refused")

    def test_wrong_password_accepted(self):
        self.check_noticed("accept anything", "wrong_password_accepted", "--profile",
                           "login-storm", "--wrong-passwords", "1")

    def test_wrong_passwords_refused_are_no_fault(self):
        with FalseServer() as server:
            self.run_load(server.port, "--profile", "login-storm", "--wrong-passwords", "1",
                          expect=0)

    def test_another_protocol(self):
        self.check_noticed("garbage", "malformed_answer")

    def test_a_server_that_says_nothing(self):
        self.check_noticed("hang", "timed_out", timeout="1s")

    def test_nobody_listens(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            done, report = self.run_load(unused.getsockname()[1], expect=1)
        self.assertIn("Connection refused", done.stderr)
        self.assertGreater(report.faults["connect_failed"], 0)

    @harness.alone
    def test_a_stall_is_seen_by_every_session_it_delays(self):
        """20 sessions a second, one stall of a second, two connections at most: the sessions that
        wait for theirs are only in the corrected latency."""
        with FalseServer("stall") as server:
            _, report = self.run_load(server.port, "--rate", "20", "--in-flight", "2",
                                      "--arrivals", "fixed", users=50, seconds="5s")
        session = report.steps["session"]
        late = session["corrected"]["p90_us"]
        self.assertGreater(late, 100e3)
        self.assertLess(session["uncorrected"]["p90_us"], late / 2)

    def test_who_logs_in_after_the_end_only_to_stay_leaves_again(self):
        with FalseServer() as server:
            server.RequestHandlerClass = SlowLogin
            _, report = self.run_load(server.port, "--profile", "idle", expect=0)
        self.assertEqual(report.faults, {})

    def test_the_live_view_is_plain_lines_with_the_faults_by_kind(self):
        with FalseServer("refuse login") as server:
            done = subprocess.run(
                pop3load("run", "--port", str(server.port), "--connections", "1", "--think", "50ms",
                         "--duration", "3s", "--warm-up", "100ms", "--threads", "1"),
                capture_output=True, text=True, timeout=60, check=False)
        lines = done.stderr.splitlines()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(lines[0], r"^\d+ s  0/s  in flight \d+  p50 -  .* faults?.*  warm-up$")
        self.assertRegex(lines[3], r"^\d+ s  0/s  in flight \d+  p50 -  .* faults: login_refused "
                                   r"[\d,]+  last sessions end$")
        self.assertNotIn("\x1b", done.stderr)

    def test_what_it_cannot_do_is_a_sentence(self):
        for arguments, said in [
                (["run", "--profile", "pol", "--rate", "1"], "no profile pol"),
                (["run"], "--rate"),
                (["run", "--rate", "1", "--connections", "1"], "excludes"),
                (["run", "--rate", "1", "--threshold", "p99<50"], "50"),
                (["run", "--rate", "1", "--duration", "5"], "duration"),
                (["run", "--rate", "1", "--users-file", "/nonexistent"], "/nonexistent"),
                (["fly"], "subcommand")]:
            with self.subTest(arguments=arguments):
                done = subprocess.run(pop3load(*arguments), capture_output=True, text=True,
                                      timeout=60, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(said, done.stderr)

    def test_ctrl_c_ends_with_what_was_measured(self):
        with FalseServer() as server:
            load = subprocess.Popen(
                pop3load("run", "--port", str(server.port), "--user-count", "1",
                         "--connections", "1", "--quiet", "--duration", "60s",
                         "--warm-up", "100ms"),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            harness.wait_until(lambda: server.sessions > 0, "the first session")
            time.sleep(1)  # the warm-up is over
            load.send_signal(signal.SIGINT)
            out, _ = load.communicate(timeout=60)
        self.assertEqual(load.returncode, 130)
        self.assertIn("session", out)

