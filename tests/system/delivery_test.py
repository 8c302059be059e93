"""Every delivery strategy of the real server: the same octets to real clients, and never a final dot
that a message does not have."""
import hashlib
import io
import os
import poplib
import shutil
import socket
import subprocess
import threading
import time

import harness

STRATEGIES = ("auto", "copy", "sendfile", "splice", "mmap", "mmap_zerocopy", "uring_splice")
HEADERS = b"From: a@example.org\r\nSubject: one\r\n\r\n"
LARGE = 8_000_000  # more than sockets hold
LINE = b"This line and its line end are 64 octets long, give or take....\n"


def lf_message(octets):
    return HEADERS.replace(b"\r\n", b"\n") + LINE * (octets // len(LINE))


def ready_message(octets):
    """Every line ends in CRLF: it can be sent as it is stored."""
    return HEADERS + LINE.replace(b"\n", b"\r\n") * (octets // (len(LINE) + 1))


def dotted_message(dots, line_end=b"\r\n"):
    between = (b"x" * 62 + line_end) * 300  # worth sending by itself
    lines = [b"." * (1 + number % 3) + line_end + between for number in range(dots)]
    return HEADERS.replace(b"\r\n", line_end) + b"".join(lines)


MESSAGES = (
    lf_message(2_000), ready_message(2_000), lf_message(300_000), ready_message(300_000),
    dotted_message(1), dotted_message(15), dotted_message(16), dotted_message(17), dotted_message(16, b"\n"),
    HEADERS + b"no final line end", b"", b".", b".\r\n", b".first octet\r\n" * 16,
    b"\r\n.\r\n.\r\n", lf_message(9_000_000), ready_message(9_000_000),  # more than may be locked in memory
)


def slow_socket(port):
    """A connection that holds little on the client's side, so that the server has to wait for it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.settimeout(harness.SECONDS_TO_ANSWER)
    client.connect(("127.0.0.1", port))
    return client


class EveryStrategyTest(harness.SystemTest):
    """What each strategy must do on the real kernel."""

    def with_each_server(self, check):
        """check(server) of each strategy, one after the other on the same maildrops."""
        for strategy in STRATEGIES:
            with self.subTest(strategy=strategy):
                server = self.world.serve(delivery={"strategy": f'"{strategy}"'},
                                          limits={"drain_timeout": '"1s"'})
                try:
                    check(server)
                finally:
                    server.end()

    def assert_received(self, got, message, what):
        self.assert_same_octets(got, harness.crlf_form(message), what)

    def test_every_message_arrives_octet_for_octet(self):
        for message in MESSAGES:
            self.world.deliver(message)
        self.with_each_server(self.check_every_message)

    def check_every_message(self, server):
        client = server.logged_in()
        for number, message in enumerate(MESSAGES, 1):
            size = len(harness.crlf_form(message))
            self.assertEqual(client.ask(f"LIST {number}"), f"+OK {number} {size}")
            if len(message) < 1_000_000:
                self.assert_received(client.retrieve(number), message, f"message {number}")
        client.send(b"".join(b"RETR %d\r\n" % number for number in range(1, len(MESSAGES) + 1)))
        for number, message in enumerate(MESSAGES, 1):
            self.assert_starts(client.line(), "+OK")
            self.assert_received(client.body(), message, f"message {number}, pipelined")
        self.assert_starts(client.ask("QUIT"), "+OK")

    def test_top_sends_what_was_asked_for(self):
        messages = (lf_message(300_000), ready_message(300_000), dotted_message(16))
        for message in messages:
            self.world.deliver(message)

        def check(server):
            client = server.logged_in()
            for number, message in enumerate(messages, 1):
                lines = harness.crlf_form(message).splitlines(keepends=True)
                for count in (0, 5, 100_000):
                    self.assert_starts(client.ask(f"TOP {number} {count}"), "+OK")
                    self.assert_same_octets(client.body(), b"".join(lines[:3 + count]),
                                            f"TOP {number} {count}")
            client.ask("QUIT")

        self.with_each_server(check)

    def test_real_clients_fetch_the_same(self):
        messages = (lf_message(100_000), ready_message(3_000_000), dotted_message(16), lf_message(3_000_000))
        for message in messages:
            self.world.deliver(message)
        if shutil.which("curl") is None:
            self.fail("curl is not installed (tools/install test)")

        def check(server):
            client = poplib.POP3("127.0.0.1", server.port, timeout=harness.SECONDS_TO_ANSWER)
            client.user("mrose")
            client.pass_(harness.PASSWORD)
            for number, message in enumerate(messages, 1):
                got = b"".join(line + b"\r\n" for line in client.retr(number)[1])
                self.assert_received(got, message, f"poplib, message {number}")
            client.quit()
            for number, message in enumerate(messages, 1):
                self.assert_received(self.fetch_with_curl(server, number), message,
                                     f"curl, message {number}")

        self.with_each_server(check)

    def fetch_with_curl(self, server, number):
        """The lock of the session before may last a moment."""
        deadline = time.monotonic() + harness.SECONDS_TO_ANSWER
        while True:
            done = subprocess.run(
                ["curl", "--silent", "--max-time", "60", "--user", f"mrose:{harness.PASSWORD}",
                 f"pop3://127.0.0.1:{server.port}/{number}"], capture_output=True, check=False)
            if done.returncode == 0 or time.monotonic() > deadline:
                self.assertEqual(done.returncode, 0, done.stderr)
                return done.stdout
            time.sleep(0.05)

    def received_while(self, server, change):
        """All that a client receives that begins to read a large message, waits, and reads on after change()."""
        with slow_socket(server.port) as client:
            client.sendall(f"USER mrose\r\nPASS {harness.PASSWORD}\r\nRETR 1\r\nQUIT\r\n".encode())
            received = io.BytesIO()
            while b" octets\r\n" not in received.getvalue():
                received.write(client.recv(100))
            time.sleep(0.2)  # the server has sent what it can
            change()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            while octets := client.recv(1 << 20):
                received.write(octets)
            return received.getvalue()

    def check_changed_under_transfer(self, message, change):
        """`change(path)` while a client that has begun to read a large message waits."""
        path = self.world.deliver(message, name="1700000000.M1P1.post")
        self.world.set_users("mrose", "other")
        self.world.deliver(b"other\n", name="1700000000.M1P1.post", user="other")

        def check(server):
            self.world.write(path, message)
            received = self.received_while(server, lambda: change(path))
            self.assertNotIn(b".\r\n+OK bye", received[-20:], "ended as if it were whole")
            other = server.logged_in("other")
            self.assertEqual(other.retrieve(1), b"other\r\n")
            other.ask("QUIT")
            server.wait_for_log(r"error: .*message 1 \(")

        self.with_each_server(check)

    def test_a_message_truncated_under_a_slow_client_is_not_ended(self):
        for message in (lf_message(LARGE), ready_message(LARGE)):
            self.check_changed_under_transfer(message, lambda path: os.truncate(path, LARGE // 3))

    def test_a_message_whose_last_lines_are_cut_off_under_a_slow_client_is_not_ended(self):
        cut = 2 * len(LINE)  # within the last page: a mapping has zeros there
        for message in (lf_message(LARGE), ready_message(LARGE)):
            self.check_changed_under_transfer(
                message, lambda path: os.truncate(path, os.path.getsize(path) - cut))

    def check_arrives_whole_though(self, change):
        """`change(path)` while a client that has begun to read a large message waits: what arrives is the file
        that was opened."""
        for message in (lf_message(LARGE), ready_message(LARGE)):
            def check(server):
                shutil.rmtree(self.world.maildrop())  # what the strategy before has left
                path = self.world.deliver(message, name="1700000000.M1P1.post")
                received = self.received_while(server, lambda: change(path))
                body, _, end = received.partition(b" octets\r\n")[2].rpartition(b".\r\n")
                self.assert_starts(end.decode(), "+OK bye")
                self.assert_received(body, message, "message 1")

            self.with_each_server(check)

    def test_a_message_removed_under_a_slow_client_arrives_whole(self):
        self.check_arrives_whole_though(os.remove)

    def test_a_message_renamed_under_a_slow_client_arrives_whole(self):
        """As IMAP servers do with one that they have shown."""
        self.check_arrives_whole_though(
            lambda path: os.rename(path, path.replace("/new/", "/cur/") + ":2,S"))

    def test_a_message_replaced_under_a_slow_client_arrives_as_it_was(self):
        """By another file of the same size that is renamed over it."""
        def replace(path):
            with open(path, "rb") as file:
                octets = file.read()
            other = path.replace("/new/", "/tmp/")
            self.world.write(other, octets.swapcase())
            os.rename(other, path)

        self.check_arrives_whole_though(replace)

    def test_many_slow_clients_at_once_get_all(self):
        count = 20
        message = ready_message(1_000_000)
        users = [f"user{number}" for number in range(count)]
        self.world.set_users(*users)
        for user in users:
            self.world.deliver(message, user=user)
        expected = hashlib.sha256(harness.crlf_form(message)).hexdigest()

        def check(server):
            digests = []
            threads = [threading.Thread(target=self.fetch_slowly, args=(server.port, user, digests))
                       for user in users]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(digests, [expected] * count)

        self.with_each_server(check)

    @staticmethod
    def fetch_slowly(port, user, digests):
        with slow_socket(port) as client:
            client.sendall(f"USER {user}\r\nPASS {harness.PASSWORD}\r\nRETR 1\r\nQUIT\r\n".encode())
            time.sleep(0.3)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            received = io.BytesIO()
            while octets := client.recv(1 << 16):
                received.write(octets)
        response = received.getvalue().partition(b" octets\r\n")[2]
        body = response.partition(b"\r\n.\r\n")[0] + b"\r\n"
        digests.append(hashlib.sha256(body).hexdigest())


class ConfigurationTest(harness.SystemTest):
    """`[delivery] strategy`."""

    def test_an_unknown_strategy_is_refused_with_the_choices(self):
        path = self.world.configuration(delivery={"strategy": '"teleport"'})
        for arguments in (("serve", "--config", path), ("check-config", "--config", path)):
            done = harness.run_binary(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("teleport", done.stderr)
            for strategy in STRATEGIES:
                self.assertIn(strategy, done.stderr)
