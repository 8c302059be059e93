"""Any octets at any point cost at most their connection."""
import random
import socket
import struct

import harness
import process_usage

MESSAGE = b"Subject: one\r\n\r\nhello\r\n"
MEBIBYTE = 1 << 20
RSS_KIB_MAX = 64 * 1024


class GarbageTest(harness.SystemTest):
    """Octets that are no POP3, before and after login, beside a session that must not notice."""

    def setUp(self):
        super().setUp()
        self.world.set_users("mrose", "other")
        self.world.deliver(MESSAGE)
        self.world.deliver(MESSAGE, user="other")
        self.server = self.world.serve(limits={"failed_delay": '"0s"'})
        self.bystander = self.server.logged_in("other")

    def tearDown(self):
        for client in self.server.clients:
            if client is not self.bystander:
                client.close()
        self.assertEqual(self.bystander.retrieve(1), MESSAGE)
        self.assert_starts(self.bystander.ask("QUIT"), "+OK")
        self.assertEqual(self.server.logged_in().retrieve(1), MESSAGE)
        self.assertEqual(list(self.world.stored().values()), [MESSAGE])
        super().tearDown()

    def pour(self, octets, logged_in=False):
        """Sends it all and reads to the end: what the server said."""
        client = self.server.logged_in() if logged_in else self.server.client()
        said = bytearray()
        try:
            client.send(octets)
            client.socket.shutdown(socket.SHUT_WR)
            while piece := client.socket.recv(65536):
                said += piece
        except OSError:
            pass  # it had enough
        client.close()
        return bytes(said)

    def assert_only_replies(self, said):
        for line in said.split(b"\r\n")[:-1]:
            self.assertTrue(line.startswith((b"+", b"-ERR")), line[:100])
            self.assertLessEqual(len(line), 510)

    def test_random_octets(self):
        dice = random.Random(seed := random.randrange(1 << 32))
        for logged_in in (False, True):
            for _ in range(10 if harness.settings.quick else 40):
                with self.subTest(seed=seed, logged_in=logged_in):
                    said = self.pour(dice.randbytes(dice.randrange(1, 5000)), logged_in)
                    self.assertTrue(all(32 <= octet < 127 or octet in b"\r\n" for octet in said), said[:200])

    def test_lines_of_a_mebibyte(self):
        for logged_in in (False, True):
            for octet in (b"A", b"\0", b" ", b"\r"):
                said = self.pour(octet * MEBIBYTE + b"\r\nNOOP\r\n", logged_in)
                self.assert_only_replies(said)

    def test_an_overlong_line_is_told_once_and_the_session_goes_on(self):
        for client in (self.server.client(), self.server.logged_in()):
            client.send(b"NOOP " + b"x" * 4000 + b"\r\nQUIT\r\n")
            self.assert_starts(client.line(), "-ERR")
            self.assert_starts(client.line(), "+OK")
            self.assertEqual(client.line(), "")
            client.close()

    def test_a_line_without_end_is_told_once_and_closed(self):
        said = self.pour(b"x" * (128 * 1024))
        self.assertRegex(said, rb"\A-ERR [^\r\n]*\r\n\Z")

    def test_nul_octets_are_refused(self):
        client = self.server.client()
        self.assert_starts(client.ask("NO\0OP"), "-ERR")
        self.assert_starts(client.ask("USER \0"), "-ERR")
        self.assert_starts(client.log_in(), "+OK")
        self.assert_starts(client.ask("STAT\0"), "-ERR")
        self.assert_starts(client.ask("NOOP"), "+OK")

    def test_five_bad_lines_before_login_close(self):
        client = self.server.client()
        for _ in range(5):
            self.assert_starts(client.ask("GET / HTTP/1.1"), "-ERR")
        self.assertEqual(client.line(), "")

    def test_twenty_bad_lines_in_a_row_after_login_close_and_remove_nothing(self):
        client = self.server.logged_in()
        self.assert_starts(client.ask("DELE 1"), "+OK")
        for _ in range(20):
            self.assert_starts(client.ask("XYZZY"), "-ERR")
        self.assertEqual(client.line(), "")

    def test_no_reply_echoes_a_client(self):
        said = self.pour(b"plugh-1\r\nUSER plugh-2\r\nPASS plugh-3\r\nRETR plugh-4\r\nAUTH plugh-5\r\n")
        self.assertNotIn(b"plugh", said.lower())
        said = self.pour(b"RETR plugh\r\nTOP 1 plugh\r\nplugh\r\nLIST plugh\r\nUIDL plugh\r\n", True)
        self.assertNotIn(b"plugh", said.lower())

    def test_resets_in_mid_command_and_mid_reply(self):
        linger_reset = struct.pack("ii", 1, 0)
        for octets in (b"", b"US", b"USER mrose\r\nPASS", b"USER mrose\r\nPASS x\r\n", b"AUTH PLAIN\r\n"):
            client = self.server.client()
            client.send(octets)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_reset)
            client.close()
        client = self.server.logged_in()
        client.send(b"RETR 1\r\n" * 20000)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_reset)
        client.close()

    def test_a_thousand_pipelined_commands_are_answered_in_order(self):
        client = self.server.logged_in()
        client.send(b"NOOP\r\nSTAT\r\nLIST 1\r\nRETR 1\r\n" * 250)
        for _ in range(250):
            self.assert_starts(client.line(), "+OK")
            self.assertEqual(client.line(), f"+OK 1 {len(MESSAGE)}")
            self.assertEqual(client.line(), f"+OK 1 {len(MESSAGE)}")
            self.assert_starts(client.line(), "+OK")
            self.assertEqual(client.body(), MESSAGE)


class LargeTest(harness.SystemTest):
    """Long lines pass through bounded memory. (Long messages: giants_test.)"""

    def test_a_line_of_megabytes_and_a_client_that_does_not_read(self):
        message = b"Subject: long\r\n\r\n" + b"." * (8 * MEBIBYTE) + b"\r\n"
        self.world.deliver(message)
        server = self.world.serve()
        client = server.client()
        self.assert_starts(client.log_in(), "+OK")
        client.send(b"RETR 1\r\n" * 16)  # 128 MiB of replies that nobody reads yet
        with harness.Client(server.port) as other:
            self.assert_starts(other.ask("CAPA"), "+OK")
        if not harness.is_sanitized():
            self.assertLess(process_usage.resident_kib(server), RSS_KIB_MAX)
        self.assert_starts(client.line(), "+OK")
        self.assert_same_octets(client.body(), message, "message 1")
        client.close()
        server.stop()
