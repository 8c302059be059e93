"""Handshakes that clients give up at each flight: memory and descriptors stay flat."""
import contextlib
import os
import socket
import ssl

import harness
import process_usage
import tls_test

# At each flight; RESTANTE_HANDSHAKES=100000 in the long run.
COUNT = int(os.environ.get("RESTANTE_HANDSHAKES", "0"))
GROWTH_KB_MAX = 2048
OPENED_ONCE_MAX = 8
# A client does not wait until the server has noticed its end: as many may be open at once.
AT_ONCE_MAX = 100


def client_hello():
    """The first flight of OpenSSL's client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls_test.lenient_context().wrap_bio(incoming, outgoing)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


class HandshakesTest(harness.SystemTest):
    """Implicit TLS; each flight is cut off, then the connection closed."""

    def setUp(self):
        super().setUp()
        paths = [os.path.join(self.world.root, name) for name in ("c.pem", "k.pem")]
        for path, content in zip(paths, tls_test.shared_pair()):
            self.world.write(path, content)
        self.tls_port = harness.free_port()
        self.server = self.world.serve(**{
            "listener.pop3s": {"address": f'["127.0.0.1:{self.tls_port}"]', "tls": '"required"'},
            "tls": {"certificate": f'"{paths[0]}"', "key": f'"{paths[1]}"'},
            "log": {"level": '"error"'},
        })

    def give_up(self, octets, waits):
        """Sends `octets`; with `waits` the server's flight is awaited before the end."""
        with socket.create_connection(("127.0.0.1", self.tls_port), harness.SECONDS_TO_ANSWER) as client:
            client.sendall(octets)
            if waits:
                client.recv(1)

    def give_up_before_finished(self):
        """The whole handshake but the client's last flight."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context.wrap_bio(incoming, outgoing)
        with socket.create_connection(("127.0.0.1", self.tls_port), harness.SECONDS_TO_ANSWER) as raw:
            for _ in range(100):
                try:
                    client.do_handshake()
                    return  # its last flight lies in `outgoing`, unsent
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
        self.fail("the handshake does not end")

    def check(self, flight, share=1):
        count = (COUNT or (200 if harness.settings.quick else 2000)) // share
        self.open_before = process_usage.descriptors(self.server)
        self.allocate_once(flight)
        before = process_usage.anonymous_kib(self.server)
        for i in range(count):
            flight()
            if (i + 1) % AT_ONCE_MAX == 0:
                self.wait_until_gone()
        self.wait_until_gone()
        grown = process_usage.anonymous_kib(self.server) - before
        print(f"    {count} handshakes given up: {grown} kB more")
        if not harness.is_sanitized():
            self.assertLess(grown, GROWTH_KB_MAX)

    def allocate_once(self, flight):
        """What so many connections take, which the server may keep for others."""
        with contextlib.ExitStack() as held:
            for _ in range(AT_ONCE_MAX):
                held.enter_context(socket.create_connection(
                    ("127.0.0.1", self.tls_port), harness.SECONDS_TO_ANSWER)).sendall(client_hello())
        self.wait_until_gone()
        for _ in range(AT_ONCE_MAX):
            flight()
        self.wait_until_gone()

    def wait_until_gone(self):
        """Until no connection is left but what the server has opened once."""
        if self.open_before is not None:
            harness.wait_until(
                lambda: process_usage.descriptors(self.server) <= self.open_before + OPENED_ONCE_MAX,
                f"about the {self.open_before} descriptors of before")

    def test_before_the_first_octet(self):
        self.check(lambda: self.give_up(b"", waits=False))

    def test_in_the_middle_of_the_client_hello(self):
        hello = client_hello()
        self.check(lambda: self.give_up(hello[:len(hello) // 2], waits=False))

    def test_after_the_client_hello(self):
        hello = client_hello()
        self.check(lambda: self.give_up(hello, waits=True))

    def test_before_the_clients_last_flight(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                self.context = tls_test.lenient_context(version)
                self.check(self.give_up_before_finished, share=2)
