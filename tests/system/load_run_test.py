"""pop3load against restante and pop3null: every profile, the open model, TLS, searches, reports."""
import contextlib
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import false_server
import harness
from false_server import FalseServer, Session
from load_program import FELL_BEHIND, LoadCase, pop3load
from pop3null_test import Floor

USERS = 5


class SeededWorld(harness.World):
    """Maildrops that `pop3load seed` made, and restante in front of them."""

    def __init__(self, test, *arguments, users=USERS):
        super().__init__(test)
        os.remove(self.users)
        subprocess.run(
            pop3load("seed", "--maildir", os.path.join(self.mail, "{user}"),
                     "--user-count", str(users), "--passwd-file", self.users, "--add", "--quiet",
                     *arguments), check=True, timeout=60, stdout=subprocess.DEVNULL)
        harness.give_to_nobody(self.root)


class LoadRunTest(LoadCase):
    def test_every_profile_finds_restante_right(self):
        server = SeededWorld(self, "--messages", "7", "--sizes", "2000").serve()
        for profile in ["poll", "sync", "drain", "top", "keep", "noop", "idle", "idle-anonymous",
                        "login-storm", "leave-on-server"]:
            for extra in [[], ["--pipelined"]]:
                with self.subTest(profile=profile, extra=extra):
                    _, report = self.run_load(
                        server.port, "--profile", profile, "--verify", "all", "--connections", "2",
                        *extra, users=USERS, expect=0)
                    self.assertEqual(report.faults, {})
                    if profile == "drain":
                        self.assertGreater(report.measured["bodies_verified"], 0)

    def test_how_many_sessions_find_a_new_message(self):
        """A user's first session, when nothing is known of the maildrop yet, no more often than the others."""
        server = SeededWorld(self, "--messages", "7", "--sizes", "600", users=300).serve()
        for users, rate in ((5, "40"), (300, "100")):
            fetched = {}
            for share in ("0", "0.5", "1"):
                _, report = self.run_load(server.port, "--profile", "leave-on-server", "--new-share", share,
                                          "--rate", rate, users=users, seconds="1s", expect=0)
                fetched[share] = report.measured["messages"] / report.measured["sessions_ended"]
            self.assertEqual((fetched["0"], fetched["1"]), (0, 1))
            self.assertAlmostEqual(fetched["0.5"], 0.5, delta=0.35)  # of 40 sessions: 4 deviations

    def test_every_way_to_log_in(self):
        for auth in ("user", "apop", "plain"):
            for password, expected in (("secret", 0), ("wrong", 1)):
                with self.subTest(auth=auth, password=password), FalseServer() as server:
                    _, report = self.run_load(server.port, "--auth", auth, "--password", password, expect=expected)
                self.assertEqual(set(report.faults), {"login_refused"} if expected else set())

    def test_apop_with_a_server_that_does_not_offer_it(self):
        with FalseServer("no timestamp") as server:
            done, report = self.run_load(server.port, "--auth", "apop", expect=1)
            self.run_load(server.port, "--auth", "plain", expect=0)
        self.assertEqual(set(report.faults), {"no_apop"})
        self.assertIn("the server offers no APOP", done.stderr)

    def test_sizes_and_counts_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as sizes, tempfile.NamedTemporaryFile("w") as counts:
            sizes.write("# octets, weight\n600 3\n2000 1\n")
            counts.write("3 1\n5 1\n")
            sizes.flush()
            counts.flush()
            world = SeededWorld(self, "--messages", counts.name, "--sizes", sizes.name, users=30)
            text = sizes.name + ": line 4: "
            sizes.write("x 1\n")
            sizes.flush()
            done = subprocess.run(pop3load("seed", "--maildir", world.mail + "/{user}", "--sizes", sizes.name),
                                  capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(text, done.stderr)
        maildrops = [world.stored(f"user{user}").values() for user in range(30)]
        self.assertEqual({len(maildrop) for maildrop in maildrops}, {3, 5})
        self.assertEqual({len(mail) + mail.count(b"\n") for maildrop in maildrops for mail in maildrop}, {600, 2000})

    def test_slow_is_slow_on_the_servers_side_too(self):
        """What the server cannot get rid of is its to keep: the client's kernel does not take it ahead."""
        with FalseServer() as server:
            server.RequestHandlerClass, server.sent = GenerousSession, 0
            self.run_load(server.port, "--profile", "slow", expect=1)
            self.assertGreater(server.sent, 6_000)
            self.assertLess(server.sent, 6_000 * GenerousSession.SECONDS + 60_000)

    def test_deleting_leaves_nothing_and_nothing_comes_back(self):
        world = SeededWorld(self, "--messages", "7", "--sizes", "2000")
        server = world.serve()
        def has_emptied_all():
            self.run_load(server.port, "--profile", "drain", "--delete", "--connections", "2",
                          users=USERS, expect=0)
            return not any(world.stored(f"user{user}") for user in range(USERS))

        harness.wait_until(has_emptied_all, "all mail to be fetched and deleted")
        self.run_load(server.port, "--profile", "drain", "--delete", users=USERS, expect=0)

    def test_wire_ready_and_dotted_and_large_messages(self):
        for line_ends in ["lf", "crlf", "wire-ready"]:
            with self.subTest(line_ends=line_ends):
                server = SeededWorld(self, "--messages", "3", "--sizes", "300000", "--line-ends",
                                     line_ends).serve()
                _, report = self.run_load(server.port, "--profile", "drain", "--verify", "1",
                                          users=USERS, expect=0)
                self.assertGreater(report.measured["bodies_verified"], 0)

    def test_arrivals_come_at_the_rate_whatever_the_server_does(self):
        floor = Floor(self)
        _, report = self.run_load(floor.port, "--rate", "200", "--arrivals", "fixed", users=50,
                                  seconds="2s", expect=0)
        self.assertAlmostEqual(report.measured["sessions_begun"], 400, delta=2)
        _, report = self.run_load(floor.port, "--rate", "200", users=50, seconds="2s", expect=0)
        self.assertAlmostEqual(report.measured["sessions_begun"], 400, delta=100)  # 5 deviations

    @harness.alone
    def test_a_generator_that_was_held_up_says_so(self):
        floor = Floor(self)
        load = subprocess.Popen(
            pop3load("run", "--port", str(floor.port), "--user-count", "1000", "--rate", "200",
                     "--duration", "3s", "--warm-up", "100ms", "--threads", "1"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        load.stderr.readline()  # of the live view: it is under way
        load.send_signal(signal.SIGSTOP)
        time.sleep(1)
        load.send_signal(signal.SIGCONT)
        _, errors = load.communicate(timeout=60)
        self.assertEqual(load.returncode, FELL_BEHIND)
        self.assertIn("the generator fell behind", errors)

    def test_the_same_seed_is_the_same_run(self):
        """The moments at which sessions begin, whatever the threads and however long answers take."""
        server = SeededWorld(self, "--messages", "3", "--sizes", "600").serve()
        runs = []
        for threads in (1, 1, 2):
            _, report = self.run_load(server.port, "--profile", "drain", "--rate", "60", "--think", "2ms",
                                      "--seed", "7", threads=threads, users=USERS, seconds="2s", expect=0)
            runs.append([report.measured["sessions_begun"], [each["arrivals"] for each in report.intervals]])
        self.assertGreater(runs[0][0], 60)
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(runs[0], runs[2])

    def test_specmail2001_takes_its_rate_from_the_users(self):
        floor = Floor(self)
        _, report = self.run_load(floor.port, "--profile", "specmail2001", users=600_000,
                                  seconds="1s", expect=0)
        self.assertAlmostEqual(report.measured["sessions_begun"], 100, delta=50)
        self.assertIsNone(report.measured["looked_again_seconds"])

    def test_specmail2001_takes_all_it_finds_in_either_pool(self):
        world = SeededWorld(self, "--messages", "2", "--sizes", "600")
        server = world.serve()
        self.run_load(server.port, "--profile", "specmail2001", "--rate", "50", users=USERS, seconds="2s",
                      expect=0)
        self.assertEqual([world.stored(f"user{user}") for user in range(USERS)], [{}] * USERS)

    def test_specmail2001_says_how_soon_a_mailbox_was_looked_at_again(self):
        with FalseServer() as server:
            done, report = self.run_load(server.port, "--profile", "specmail2001", "--rate", "50", users=20,
                                         seconds="2s", expect=0)
        self.assertLess(report.measured["looked_again_seconds"], 3)
        self.assertIn("SPECmail2001 has 300 s", done.stdout)

    @harness.alone
    def test_the_highest_rate_is_searched(self):
        floor = Floor(self)
        done, _ = self.run_load(floor.port, "--find-max", "p50<1s,errors<1%", users=200,
                                seconds="300ms")
        if "the generator fell behind" in done.stdout and "no rate holds" in done.stderr:
            self.skipTest("the machine is too busy for any rate to hold")
        # pop3null may hold more than the generator makes, which is told.
        self.assertIn(done.returncode, [0, FELL_BEHIND], done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"highest rate that holds: \d+")

    def test_stages_are_shares_of_the_rate(self):
        floor = Floor(self)
        done, report = self.run_load(floor.port, "--rate", "100", "--stages", "50%,1.5", users=50,
                                     seconds="500ms", expect=0)
        self.assertEqual([stage["rate_per_second"] for stage in report.stages], [50, 150])
        self.assertRegex(done.stdout, r"(?m)^ +50\.0 ")
        self.assertRegex(done.stdout, r"(?m)^ +150\.0 ")

    def test_a_threshold_that_does_not_hold_is_exit_1(self):
        floor = Floor(self)
        done, _ = self.run_load(floor.port, "--threshold", "p50<1us", expect=1)
        self.assertIn("p50<1us does not hold", done.stderr)

    def test_the_servers_cpu_is_charged_to_its_sessions(self):
        floor = Floor(self)
        done, _ = self.run_load(floor.port, "--server-pid", str(floor.process.pid),
                                seconds="1s", expect=0)
        self.assertRegex(done.stdout, r"CPU: +[0-9.]+ us a session")

    def test_ipv6_and_source_addresses(self):
        floor = Floor(self, "--address", "::1")
        self.run_load(floor.port, "--host", "::1", expect=0)
        floor = Floor(self)
        self.run_load(floor.port, "--source", "127.0.0.2,127.0.0.3", users=4, expect=0)

    def test_every_report_is_written(self):
        floor = Floor(self)
        with tempfile.TemporaryDirectory() as folder:
            paths = {kind: os.path.join(folder, kind) for kind in ("csv", "hgrm", "html")}
            options = [word for kind, path in paths.items() for word in ("--" + kind, path)]
            self.run_load(floor.port, *options, expect=0)
            for path in paths.values():
                self.assertGreater(os.path.getsize(path), 100)
        done, _ = self.run_load(floor.port, "--csv", "/nonexistent/file", expect=1)
        self.assertIn("/nonexistent/file", done.stderr)


class GenerousSession(Session):
    """Counts what it gets rid of within a second of a message that does not end."""
    SECONDS = 1

    def do_retr(self, _number):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.wfile.write(b"+OK\r\n")
        deadline = time.monotonic() + self.SECONDS
        with contextlib.suppress(TimeoutError):
            while (left := deadline - time.monotonic()) > 0:
                self.request.settimeout(left)
                self.server.sent += self.request.send(b"x" * 998 + b"\r\n")
        return False


class TlsSession(Session):
    def do_stls(self):
        self.say("+OK")
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.rfile = self.request.makefile("rb", -1)
        self.wfile = self.request.makefile("wb", 0)


class TlsServer(FalseServer):
    """The honest one, with a certificate made on the spot; `implicit`: TLS from the first octet."""

    def __init__(self, folder, implicit):
        certificate = os.path.join(folder, "certificate.pem")
        key = os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-days", "1",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.implicit = implicit
        self.handshakes = {True: 0, False: 0}  # by whether they resumed
        super().__init__()
        self.RequestHandlerClass = TlsSession

    def finish_request(self, request, client_address):
        if self.implicit:
            request = self.context.wrap_socket(request, server_side=True)
            self.handshakes[request.session_reused] += 1
        super().finish_request(request, client_address)


class LoadTlsTest(LoadCase):
    def check(self, mode, *arguments, **options):
        with tempfile.TemporaryDirectory() as folder, TlsServer(folder,
                                                                mode == "implicit") as server:
            _, report = self.run_load(server.port, "--tls", mode, "--profile", "drain", *arguments,
                                      expect=0, **options)
            self.assertGreater(report.measured["messages"], 0)
            self.assertIn("tls", report.steps)
            for figure, least in [("tls_handshakes", 1), ("tls_resumed", "--tls-resumed" in arguments)]:
                self.assertGreaterEqual(report.measured[figure], least)
            return server.handshakes

    def test_starttls(self):
        self.check("starttls")

    def test_implicit_with_full_handshakes(self):
        self.assertEqual(self.check("implicit")[True], 0)

    def test_implicit_resumed(self):
        handshakes = self.check("implicit", "--tls-resumed", "1")
        self.assertGreater(handshakes[True], handshakes[False])

    def test_a_share_resumes(self):
        handshakes = self.check("implicit", "--tls-resumed", "50%", "--rate", "60", users=20, seconds="2s")
        count = sum(handshakes.values())
        self.assertGreater(count, 60)
        self.assertAlmostEqual(handshakes[True] / count, 0.5, delta=0.3)  # of 60: 4 deviations

    def test_slow_is_slow_over_tls(self):
        """6,000 octets a second for each connection, though a record of TLS has 16 KiB."""
        world = SeededWorld(self, "--messages", "1", "--sizes", "300000")
        mail = next(pathlib.Path(world.mail).rglob("*.pop3load")).read_bytes().replace(b"\n", b"\r\n")
        unseeded = false_server.MAIL[:]
        self.addCleanup(false_server.MAIL.__setitem__, slice(None), unseeded)
        false_server.MAIL[:] = [mail]
        with tempfile.TemporaryDirectory() as folder, TlsServer(folder, True) as server:
            _, report = self.run_load(server.port, "--tls", "implicit", "--profile", "slow",
                                      "--connections", "2", users=USERS, seconds="2s")
        self.assertGreater(report.measured["octets"], 1_000)
        self.assertLess(report.measured["octets"], 2 * 2 * 6_000 * 2)

    def test_no_tls_there_is_a_fault_of_its_own(self):
        floor = Floor(self)
        _, report = self.run_load(floor.port, "--tls", "implicit", expect=1)
        self.assertGreater(report.faults["tls_failed"], 0)


class LoadRefusesTest(LoadCase):
    def test_a_server_that_closes_each_connection(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def close_each():
            try:
                while True:
                    listener.accept()[0].close()
            except OSError:
                pass

        threading.Thread(target=close_each, daemon=True).start()
        _, report = self.run_load(listener.getsockname()[1], expect=1)
        self.assertGreater(report.faults["closed"], 0)
