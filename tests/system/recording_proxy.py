"""A TCP proxy that keeps every octet, and the reader that turns a recording into exchanges."""
import collections
import socket
import threading

Exchange = collections.namedtuple("Exchange", "command reply body")  # body: un-stuffed, None if none

MULTI_LINE = ("RETR", "TOP", "CAPA")
MULTI_LINE_WITHOUT_ARGUMENT = ("LIST", "UIDL", "AUTH")


class Recording:
    """What one connection carried."""

    def __init__(self):
        self.from_client = bytearray()
        self.from_server = bytearray()

    def exchanges(self):
        """Every command with its reply, in order; asserts the framing of RFC 1939 section 3."""
        server = bytes(self.from_server)
        _, _, server = server.partition(b"\r\n")  # the greeting
        found = []
        for line in bytes(self.from_client).split(b"\r\n")[:-1]:
            command = line.decode("latin-1")
            reply, end, server = server.partition(b"\r\n")
            assert end, f"no reply to {command}"
            body = None
            if reply.startswith(b"+OK") and has_body(command):
                body, server = split_body(server)
            found.append(Exchange(command, reply.decode("latin-1"), body))
        assert not server, f"octets after the last reply: {server[:80]!r}"
        return found


def has_body(command):
    words = command.upper().split()
    if not words:
        return False
    return words[0] in MULTI_LINE or (words[0] in MULTI_LINE_WITHOUT_ARGUMENT and len(words) == 1)


def split_body(octets):
    """(un-stuffed body, the rest) of a multi-line response's octets."""
    if octets.startswith(b".\r\n"):
        return b"", octets[3:]
    stuffed, end, rest = octets.partition(b"\r\n.\r\n")
    assert end, "a multi-line response without its end"
    lines = []
    for line in stuffed.split(b"\r\n"):
        # A line starts after CRLF and nowhere else: that is where a client undoes the stuffing.
        assert not line.startswith(b".") or line.startswith(b".."), f"not stuffed: {line[:80]!r}"
        lines.append(line[1:] if line.startswith(b"..") else line)
    return b"\r\n".join(lines) + b"\r\n", rest


class RecordingProxy:
    """Listens on `port`, passes everything to `target_port` on loopback and keeps it."""

    def __init__(self, test, target_port):
        self.target_port = target_port
        self.recordings = []
        self._open = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        test.addCleanup(self._close)

    def take_exchanges(self):
        """The exchanges of every connection so far, which have ended; forgets them."""
        for thread in self._open:
            thread.join(60)
            assert not thread.is_alive(), "a connection is still open"
        recordings, self.recordings, self._open = self.recordings, [], []
        return [exchange for recording in recordings for exchange in recording.exchanges()]

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(("127.0.0.1", self.target_port))
            recording = Recording()
            self.recordings.append(recording)
            for source, target, record in ((client, server, recording.from_client),
                                           (server, client, recording.from_server)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=pump, args=(source, target, record), daemon=True)
                self._open.append(thread)
                thread.start()

    def _close(self):
        self._listener.close()


def pump(source, target, record):
    """Octets from `source` to `target` until the end, which is passed on."""
    try:
        while octets := source.recv(65536):
            record += octets
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
