"""TLS that fails: the client is told why, by an alert that no reset takes away from it."""
import os
import socket
import ssl

import harness
from tls_test import lenient_context, make_pair

ALERT = 21            # content type (RFC 8446 §5.1)
MUCH = b"x" * 50_000  # more than the server has taken when it gives up


class Wire:
    """A client's TLS over a socket that the test can write to as well."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=harness.SECONDS_TO_ANSWER)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = lenient_context().wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def until(self, step):
        """What `step` gives once the server has sent enough."""
        while True:
            try:
                done = step()
                self.send_pending()
                return done
            except ssl.SSLWantReadError:
                self.send_pending()
                octets = self.socket.recv(65536)
                if not octets:
                    raise EOFError from None
                self.incoming.write(octets)

    def send_pending(self):
        if octets := self.outgoing.read():
            self.socket.sendall(octets)

    def ask(self, command):
        self.tls.write(command.encode() + b"\r\n")
        return self.until(lambda: self.tls.read(4096))


class AlertTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.world.maildrop()
        certificate, key = make_pair(self.world, "server")
        self.tls_port = harness.free_port()
        self.server = self.world.serve(**{
            "listener.pop3s": {"address": f'["127.0.0.1:{self.tls_port}"]', "tls": '"required"'},
            "tls": {"certificate": f'"{certificate}"', "key": f'"{key}"'},
        })

    def end_of(self, connection):
        """All octets to the end of the connection, which is no reset."""
        octets = b""
        while more := connection.recv(65536):
            octets += more
        return octets

    def test_what_begins_no_handshake(self):
        with socket.create_connection(("127.0.0.1", self.tls_port), timeout=harness.SECONDS_TO_ANSWER) as connection:
            connection.sendall(b"\x16\x03\x01\x00\x04\xff\x00\x00\x00" + MUCH)
            self.assertEqual(self.end_of(connection)[:1], bytes([ALERT]))

    def test_a_record_that_was_not_sent_by_the_client(self):
        wire = Wire(self.tls_port)
        self.addCleanup(wire.socket.close)
        wire.until(wire.tls.do_handshake)
        self.assertTrue(wire.until(lambda: wire.tls.read(4096)).startswith(b"+OK POP3 ready"))
        self.assertTrue(wire.ask("CAPA").startswith(b"+OK"))
        wire.socket.sendall(b"\x17\x03\x03\x00\x40" + os.urandom(64) + MUCH)
        with self.assertRaisesRegex(ssl.SSLError, "(?i)bad.record.mac"):
            wire.until(lambda: wire.tls.read(4096))
        self.assertEqual(self.end_of(wire.socket), b"")
