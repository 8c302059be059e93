"""Clients that ask and do not read: they cost a bounded piece of memory, and nobody else's time.
Figures are printed; RESTANTE_WHOLE_LOAD=1 for all of it."""
import contextlib
import os
import socket
import ssl
import time

import harness
import overload
import tls_test

MEBIBYTE = 1 << 20
LINE = b"x" * 75


def large_message(octets, line_end):
    line = LINE + line_end
    return b"Subject: large\n\n".replace(b"\n", line_end) + line * (octets // len(line))


def flood(connection, octets, seconds=0.5):
    """Sends until the peer has taken nothing for so long: octets that it took."""
    taken = 0
    connection.settimeout(seconds)
    with contextlib.suppress(TimeoutError):
        while taken < len(octets):
            taken += connection.send(octets[taken:taken + 65536])
    connection.settimeout(harness.SECONDS_TO_ANSWER)
    return taken


class UnreadMessagesTest(overload.Overload):
    """Sessions that RETR 50 MB and read nothing of it; a third each: stored with CRLF, with LF, and
    under TLS."""

    SESSIONS = overload.scaled(2000, 90, 30)
    MEGABYTES = overload.scaled(50, 50, 10)
    SECONDS = overload.scaled(30, 2, 1)

    def setUp(self):
        super().setUp()
        self.users = [f"reader{number}" for number in range(self.SESSIONS)]
        pool = {name: os.path.join(self.world.root, name) for name in ("crlf", "lf")}
        for name, path in pool.items():
            self.world.write(path, large_message(self.MEGABYTES * 10**6,
                                                 b"\r\n" if name == "crlf" else b"\n"))
        for number, user in enumerate(self.users):
            for folder in ("new", "cur", "tmp"):
                os.makedirs(os.path.join(self.world.mail, user, folder))
            os.link(pool["crlf" if number % 3 == 0 else "lf"],
                    os.path.join(self.world.mail, user, "new", "1700000000.M1P1.post"))
        harness.give_to_nobody(self.world.mail)

    def ask(self, number):
        """A session that has sent its RETR, with at most the first octets of the reply read."""
        is_secured = number % 3 == 2
        connection = socket.create_connection(
            ("127.0.0.1", self.world.tls_port if is_secured else self.world.port), timeout=60)
        self.addCleanup(connection.close)
        if is_secured:
            connection = tls_test.lenient_context(ssl.TLSVersion.TLSv1_3).wrap_socket(connection)
            self.addCleanup(connection.close)
        login = f"USER {self.users[number]}\r\nPASS {harness.PASSWORD}\r\nRETR 1\r\n".encode()
        connection.sendall(login)
        seen = b""
        while seen.count(b"\r\n") < 4:  # greeting, USER, PASS, RETR
            piece = connection.recv(64)
            assert piece and b"-ERR" not in seen, seen
            seen += piece
        return connection

    def test_messages_that_nobody_reads(self):
        self.begin(users=self.users, limits={"connections": str(4 * self.SESSIONS)})
        secured = self.SESSIONS // 3
        takes = {"connections": self.SESSIONS, "message buffers": self.SESSIONS, "TLS": secured,
                 "messages under TLS": secured}
        what = f"{self.SESSIONS} sessions that read nothing of {self.MEGABYTES} MB"
        with self.load(what, takes):
            self.ask_all_and_wait()
        with self.same_load_again():
            self.ask_all_and_wait()
        self.server.stop()

    def ask_all_and_wait(self):
        crowd = [self.ask(number) for number in range(self.SESSIONS)]
        time.sleep(self.SECONDS)
        for connection in crowd:
            connection.close()


class UnreadRepliesTest(overload.Overload):
    """A megabyte of pipelined RETR whose replies nobody reads; then all of them are read."""

    SESSIONS = overload.scaled(200, 6, 2)
    COMMANDS = MEBIBYTE // len(b"RETR 1\r\n")
    MESSAGE = b"Subject: small\r\n\r\n" + b"a few words, one after the other\r\n" * 4

    def setUp(self):
        super().setUp()
        self.users = [f"hasty{number}" for number in range(self.SESSIONS)]
        for user in self.users:
            self.world.deliver(self.MESSAGE, user=user)

    def begin_session(self, user):
        client = harness.Client(self.world.port)
        self.addCleanup(client.close)
        self.assert_starts(client.log_in(user), "+OK")
        return client

    def test_a_megabyte_of_commands(self):
        self.begin(users=self.users)
        commands = b"RETR 1\r\n" * self.COMMANDS
        what = f"{self.SESSIONS} times {self.COMMANDS} RETRs, unread"
        takes = dict.fromkeys(("connections", "lines", "message buffers"), self.SESSIONS)
        with self.load(what, takes):
            clients = [self.begin_session(user) for user in self.users]
            rest = [commands[flood(client.socket, commands):] for client in clients]
            self.read_all(clients[0], rest[0])
            for client in clients:
                client.close()

    def read_all(self, client, rest):
        """Every reply whole and in order, while the rest of the commands is sent."""
        reply = f"+OK {len(self.MESSAGE)} octets\r\n".encode() + self.MESSAGE + b".\r\n"
        client.socket.setblocking(False)
        left, ahead = self.COMMANDS * len(reply), b""
        ends = time.monotonic() + 60
        while left > 0:
            self.assertLess(time.monotonic(), ends, f"{left} octets of replies are missing")
            with contextlib.suppress(BlockingIOError):
                rest = rest[client.socket.send(rest[:65536]):] if rest else rest
            try:
                piece = client.socket.recv(256 * 1024)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            self.assertNotEqual(piece, b"", f"closed with {left} octets missing")
            left -= len(piece)
            ahead += piece
            whole = len(ahead) // len(reply)
            self.assert_same_octets(ahead[:whole * len(reply)], reply * whole, "replies")
            ahead = ahead[whole * len(reply):]
        self.assertEqual((left, ahead), (0, b""))
