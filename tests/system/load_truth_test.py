"""pop3load against a server that is wrong in each way it must notice, and one that is right."""
import os
import pathlib
import resource
import signal
import socket
import subprocess
import tempfile
import time

import false_server
import harness
from false_server import FalseServer, Session
from load_program import FELL_BEHIND, LoadCase, pop3load


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

    def test_a_unique_id_that_is_longer_than_70_octets(self):
        self.check_noticed("long unique-id", "malformed_answer", "--profile", "sync")

    def test_top_that_sends_more_than_the_message(self):
        self.check_noticed("long top", "wrong_octets", "--profile", "top")

    def test_lost_message(self):
        self.check_noticed("lost message", "message_lost", "--profile", "sync")

    def test_mail_that_is_lost_between_two_stages(self):
        """Each user has one session in the first, and one in the second."""
        with FalseServer("lost message") as server:
            server.honest = 12
            _, report = self.run_load(server.port, "--profile", "sync", "--rate", "20", "--arrivals", "fixed",
                                      "--stages", "100%,100%", users=12, seconds="500ms", expect=1)
        self.assertEqual(set(report.faults), {"message_lost"})
        self.assertEqual([stage["faults"] > 0 for stage in report.stages], [False, True])

    def test_a_mailbox_that_lost_all_its_mail(self):
        for profile in ["poll", "sync", "drain", "leave-on-server", "keep"]:
            with self.subTest(profile=profile):
                self.check_noticed("lost all", "message_lost", "--profile", profile, "--commands", "2")

    def test_removing_more_or_other_mail_than_was_deleted(self):
        for mischief, fault in [("deletes too much", "message_lost"),
                                ("deletes another", "message_resurrected")]:
            with self.subTest(mischief=mischief):
                self.check_noticed(mischief, fault, "--profile", "drain", "--delete-share", "40%")

    def test_what_was_not_deleted_stays_with_an_honest_server(self):
        with FalseServer() as server:
            _, report = self.run_load(server.port, "--profile", "drain", "--delete-share", "20%", expect=0)
            self.assertTrue(server.deleted["user0"])
        self.assertEqual(report.faults, {})

    def test_refused_quit(self):
        self.check_noticed("refuse quit", "command_refused", "--profile", "sync")

    def test_a_status_that_only_begins_like_ok(self):
        self.check_noticed("okay", "malformed_answer", "--profile", "noop", "--commands", "2")

    def test_one_malformed_answer_is_enough(self):
        with FalseServer("rare bare line feed") as server:
            done, report = self.run_load(server.port, "--rate", "100", "--arrivals", "fixed", seconds="3s",
                                         users=300, expect=1)
        self.assertEqual(report.faults, {"malformed_answer": 1})
        self.assertIn("malformed_answer 1 times, first: a status line that ends in LF alone (STAT of user",
                      done.stderr)

    def test_a_wrong_answer_ends_the_search_for_the_highest_rate(self):
        with FalseServer("early wrong stat") as server:
            done, _ = self.run_load(server.port, "--find-max", "p50<2s", "--profile", "sync",
                                    users=4, expect=1)
        self.assertIn("wrong answers: wrong_octets", done.stderr)
        self.assertNotIn("highest rate", done.stdout)

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

    def test_what_the_generator_lacks_is_not_the_servers_fault(self):
        def few_descriptors():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

        with FalseServer("hang") as server:
            command = pop3load("run", "--port", str(server.port), "--user-count", "1000", "--quiet",
                               "--duration", "60s", "--warm-up", "0s", "--threads", "1")
            done = subprocess.run([*command, "--rate", "200"], capture_output=True, text=True, timeout=60,
                                  check=False, preexec_fn=few_descriptors)
            self.assertEqual(done.returncode, FELL_BEHIND, done.stderr)
            self.assertIn("the generator could not go on", done.stderr)
            self.assertIn("Too many open files; raise ulimit -n", done.stderr)
            self.assertNotIn("connect_failed", done.stdout)
            done = subprocess.run([*command, "--connections", "100"], capture_output=True, text=True,
                                  timeout=60, check=False, preexec_fn=few_descriptors)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("100 connections need more descriptors than this process may have, 40", done.stderr)

    def test_a_rate_far_beyond_everything_ends_with_a_sentence(self):
        with FalseServer("hang") as server:
            done, report = self.run_load(server.port, "--rate", "1000000", "--in-flight", "1", timeout="60s",
                                         users=10, seconds="60s", expect=FELL_BEHIND)
        self.assertIn("a million sessions of one thread are due", done.stderr)
        self.assertTrue(report.generator["own_fault"])

    def test_the_password_is_in_no_report(self):
        with FalseServer() as server:
            _, report = self.run_load(server.port, "--password", "secret", expect=0)
            self.assertIn("--password ...", report.run["command_line"])
            _, report = self.run_load(server.port, "--password=secret", expect=0)
        self.assertNotIn("secret", report.run["command_line"])

    def test_what_it_cannot_do_is_a_sentence(self):
        for arguments, said in [
                (["run", "--profile", "pol", "--rate", "1"], "no profile pol: did you mean \"poll\"?"),
                (["run", "--connections", "20", "--user-count", "5"], "20 connections need as many users"),
                (["run", "--rate", "0"], "0 is no number above 0 and up to 1000000"),
                (["run", "--rate", "1", "--threads", "300"], "256"),
                (["run", "--rate", "1", "--tls", "foo"], "\"foo\" is none of none, starttls, implicit"),
                (["run", "--rate", "1", "--verify", "some"], "\"some\" is neither all nor a share"),
                (["run", "--rate", "1", "--duration", "0s"], "--duration: no time at all"),
                (["run", "--rate", "1", "--think", "-5s"], "--think: below 0"),
                (["run", "--rate", "1", "--source", "192.0.2.1"], "192.0.2.1: no address of this machine"),
                (["run", "--rate", "1", "--source", "::1"], "one is IPv4 and the other IPv6"),
                (["run", "--profile", "specmail2001", "--user-count", "1"], "--user-count 2"),
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

    def test_ctrl_c_while_the_last_sessions_end(self):
        with FalseServer("hang") as server:
            load = subprocess.Popen(
                pop3load("run", "--port", str(server.port), "--user-count", "1", "--connections", "1",
                         "--quiet", "--duration", "100ms", "--warm-up", "0s"),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(1)  # its time is over: it waits for 10 s more
            began = time.monotonic()
            load.send_signal(signal.SIGINT)
            load.communicate(timeout=60)
        self.assertEqual(load.returncode, 130)
        self.assertLess(time.monotonic() - began, 5)


class SeededSession(Session):
    """A mailbox of mail that `pop3load seed` made; its server has `spoil`, from octets and the number of the
    session to octets."""

    def text_of(self, index):
        return self.server.spoil(super().text_of(index), self.number)


class LoadVerifyTest(LoadCase):
    """Content: what was seeded for this user and nothing else."""

    def setUp(self):
        super().setUp()
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(pop3load("seed", "--maildir", os.path.join(folder, "{user}"), "--user-count", "2",
                                    "--messages", "3", "--sizes", "900", "--line-ends", "crlf", "--quiet"),
                           check=True, timeout=60, stdout=subprocess.DEVNULL)
            self.mail = {user: [path.read_bytes() for path in
                                sorted(pathlib.Path(folder, user, "new").iterdir())]
                         for user in ("user0", "user1")}
        unseeded = false_server.MAIL[:]
        self.addCleanup(false_server.MAIL.__setitem__, slice(None), unseeded)
        false_server.MAIL[:] = self.mail["user0"]

    def verify(self, spoil, what="all", **options):
        with FalseServer() as server:
            server.RequestHandlerClass = SeededSession
            server.spoil = spoil
            return self.run_load(server.port, "--profile", "drain", "--verify", what, **options)

    def check_wrong(self, spoil, said, what="all"):
        done, report = self.verify(spoil, what, expect=1)
        self.assertGreater(report.faults.get("wrong_content", 0), 0)
        self.assertRegex(done.stderr, rf"a message of 900 octets: {said}.* \(RETR \d of user0\)")

    def test_what_was_seeded_is_right(self):
        _, report = self.verify(lambda text, _: text, expect=0)
        self.assertGreater(report.measured["bodies_verified"], 0)

    def test_another_users_mail(self):
        others = dict(zip(self.mail["user0"], self.mail["user1"]))
        self.check_wrong(lambda text, _: others[text], "it is another user's")

    def test_a_changed_body(self):
        self.check_wrong(lambda text, _: text[:-5] + b"zzz\r\n", "its headers or its body are not")

    def test_a_changed_header(self):
        self.check_wrong(lambda text, _: text.replace(b"Subject: ", b"Subject; "), "its headers or its body")

    def test_a_message_without_the_mark(self):
        def spoil(text, _):
            return text.replace(b"X-Pop3load: ", b"X-Other123: ")

        self.check_wrong(spoil, "it has no mark of pop3load seed, which --verify all demands")
        done, report = self.verify(spoil, "sample=100%", expect=0)
        self.assertGreater(report.measured["bodies_unmarked"], 0)
        self.assertIn("without a mark of pop3load seed", done.stdout)

    def test_another_message_under_the_same_unique_id(self):
        def spoil(text, session):
            return MAIL[0] if session > 1 else text

        MAIL = self.mail["user0"]
        done, report = self.verify(spoil, expect=1)
        self.assertGreater(report.faults.get("wrong_content", 0), 0)
        self.assertIn("another message than before under its unique-id (RETR 2 of user0)", done.stderr)
