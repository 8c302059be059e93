"""Crowds that never log in: silent and trickling connections, more connections than descriptors, and
exchanges of AUTH that nobody ends. Figures are printed; RESTANTE_WHOLE_LOAD=1 for all of it."""
import concurrent.futures
import contextlib
import itertools
import resource
import socket
import struct
import time

import handshakes_test
import harness
import overload
import process_usage

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a RST
# A client has 28,000 ports an address; those of closed connections rest for a minute.
SOURCES = [f"127.0.0.{number}" for number in range(10, 30)]


def connect(port, source="127.0.0.1"):
    """A connection; nothing is read from it yet."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=harness.SECONDS_TO_ANSWER,
                                          source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


class SilentTest(overload.Overload):
    """A fourth each: silent, and trickling a line that never ends; silent before the ClientHello, and
    trickling one. All of them are closed when the time to log in is over, and not before."""

    CONNECTIONS = overload.scaled(5000, 2000, 400)
    SECONDS_TO_LOG_IN = overload.scaled(60, 6, 6)

    def test_silent_and_trickling_connections(self):
        self.begin(limits={"login_timeout": f'"{self.SECONDS_TO_LOG_IN}s"',
                           "connections": str(4 * self.CONNECTIONS)})
        takes = {"connections": self.CONNECTIONS, "TLS": self.CONNECTIONS // 2}
        with self.load(f"{self.CONNECTIONS} silent and trickling connections", takes):
            started = time.monotonic()
            quarter = self.CONNECTIONS // 4
            crowd = self.connect_crowd(quarter)
            connected = time.monotonic() - started
            self.trickle(crowd[quarter:2 * quarter], crowd[3 * quarter:], started)
            late = self.wait_until_closed(crowd, started)
        print(f"    connected in {connected:.2f} s; the last one was closed {late:.2f} s after its "
              f"{self.SECONDS_TO_LOG_IN} s")
        with self.same_load_again():
            crowd = self.connect_crowd(quarter)
            self.wait_until_accepted(len(crowd))
            for connection in crowd:
                connection.close()

    def connect_crowd(self, quarter):
        ports = [self.world.port] * 2 * quarter + [self.world.tls_port] * 2 * quarter
        crowd = [connect(port, source) for port, source in zip(ports, itertools.cycle(SOURCES))]
        self.addCleanup(lambda: [each.close() for each in crowd])
        return crowd

    def wait_until_accepted(self, count):
        if self.start_descriptors is not None:
            harness.wait_until(lambda: process_usage.descriptors(self.server) >= count, f"{count} connections")

    def trickle(self, plain, secured, started):
        """An octet each in turn, until a second before the time to log in ends."""
        line = itertools.chain(b"USER ", itertools.repeat(ord("x")))
        hello = iter(handshakes_test.client_hello()[:-1])
        ends = started + self.SECONDS_TO_LOG_IN - 1
        pause = (ends - time.monotonic()) / 200
        while time.monotonic() < ends:
            rest = time.monotonic() + pause
            for crowd, octets in ((plain, line), (secured, hello)):
                octet = next(octets, None)
                for connection in crowd if octet is not None else ():
                    connection.send(bytes([octet]))
            time.sleep(max(0.0, rest - time.monotonic()))

    def wait_until_closed(self, crowd, started):
        """How late the last one was. None may have been closed early."""
        standing = process_usage.descriptors(self.server)
        if standing is not None and time.monotonic() < started + self.SECONDS_TO_LOG_IN - 0.2:
            self.assertGreaterEqual(standing, len(crowd), "some were closed early")
        for connection in crowd:
            connection.settimeout(overload.SECONDS_TO_RECOVER + self.SECONDS_TO_LOG_IN)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
        return time.monotonic() - started - self.SECONDS_TO_LOG_IN


class DescriptorsTest(overload.Overload):
    """More connections than the server may have descriptors. Who is in stays in, and is served."""

    CONNECTIONS = 1000
    DESCRIPTORS = 256
    SECONDS = overload.scaled(60, 4, 2)

    def test_a_thousand_connections_with_256_descriptors(self):
        limit = (self.DESCRIPTORS, self.DESCRIPTORS)
        self.begin(before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
        what = f"{self.CONNECTIONS} connections with {self.DESCRIPTORS} descriptors"
        with self.load(what, {"connections": self.DESCRIPTORS}, stays=True):
            crowd = [connect(self.world.port, source)
                     for _, source in zip(range(self.CONNECTIONS), itertools.cycle(SOURCES))]
            time.sleep(self.SECONDS)
            for connection in crowd:
                connection.close()
        self.assertLess(self.server.log().count("\n"), 100, "the log is flooded")


class AbortedAuthTest(overload.Overload):
    """Exchanges of AUTH that are given up: by "*", by what is no base64, by the end of the connection
    in the middle, by a reset."""

    EXCHANGES = overload.scaled(1_000_000, 16_000, 2_000)
    MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256")
    # "*" and bad base64 count as bad lines, of which the fifth closes the connection.
    EXCHANGES_A_CONNECTION = 5
    WORKERS = 4
    LEFT_KIB_MAX = 4096  # of all of them

    def begin_exchanges(self, number):
        """Five on one connection, the last one left open."""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection = connect(self.world.port, SOURCES[number % len(SOURCES)])
            lines = []
            for step in range(self.EXCHANGES_A_CONNECTION):
                lines.append(b"AUTH " + self.MECHANISMS[(number + step) % len(self.MECHANISMS)].encode())
                lines.append((b"*", b"=not base64=")[(number + step) % 2])
            connection.sendall(b"\r\n".join(lines[:-1]) + b"\r\n")
            self.read_challenges(connection, number)
            (reset if number % 2 else socket.socket.close)(connection)

    def read_challenges(self, connection, number):
        seen = b""
        while seen.count(b"\n+ ") < self.EXCHANGES_A_CONNECTION:
            piece = connection.recv(4096)
            assert piece, f"connection {number} was closed after {seen!r}"
            seen += piece

    def test_aborted_exchanges(self):
        self.begin(auth={"mechanisms": str(list(self.MECHANISMS)).replace("'", '"')})
        self.give_up(range(0, 400))  # what is allocated once
        self.start_kib = process_usage.anonymous_kib(self.server)
        connections = self.EXCHANGES // self.EXCHANGES_A_CONNECTION
        before = process_usage.cpu_seconds(self.server)
        with self.load(f"{self.EXCHANGES} aborted AUTHs", {"connections": self.WORKERS}):
            started = time.monotonic()
            for first in range(0, connections, 1000):
                self.give_up(range(first, min(first + 1000, connections)))
            took = time.monotonic() - started
        cpu = process_usage.cpu_seconds(self.server) - before
        print(f"    {self.EXCHANGES / took:.0f} a second; {cpu / self.EXCHANGES * 1e6:.0f} us of the "
              "server's time each, the bystanders' with it")
        if not harness.is_sanitized():
            self.assertLess(self.left_kib, self.LEFT_KIB_MAX, "memory after the load")

    def give_up(self, numbers):
        with concurrent.futures.ThreadPoolExecutor(self.WORKERS) as pool:
            list(pool.map(self.begin_exchanges, numbers))
