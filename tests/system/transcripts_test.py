"""Every transcript, played at the real server: as written and octet by octet; plain, over TLS and after STLS; and
with mail that goes from its file to the socket, however small it is. run.py --strategy NAME: with that alone."""
import base64
import fcntl
import glob
import hashlib
import os
import socket
import ssl
import time
from typing import NamedTuple

import harness
import tls_test
import transcript

FOLDER = os.path.join(harness.HERE, "..", "transcripts")


class Way(NamedTuple):
    """How a client talks, and how mail gets to it. `tls` is the listener's; under TLS each octet is a record of
    its own. `strategy` is delivery's: `auto` copies mail that is as small as nearly all of transcripts'.
    `is_stored_with_crlf`: as it is sent but for dots, or it would have to be converted (most is written with
    LF alone), and no strategy but those that map it would differ from copying."""
    tls: str
    octet_by_octet: bool
    strategy: str = "auto"
    is_stored_with_crlf: bool = False

    def stored(self, octets):
        return harness.crlf_form(octets) if self.is_stored_with_crlf else octets


WAYS = [Way(tls, split) for tls in ("none", "required", "starttls") for split in (False, True)]
WAYS.append(Way("none", False, "splice", is_stored_with_crlf=True))
QUICK_WAYS = [Way("none", False), Way("required", True)]


def ways_to_play():
    """What is sent under TLS is copied, whatever the strategy."""
    if harness.settings.strategy != "auto":
        return [Way("none", not crlf, harness.settings.strategy, crlf) for crlf in (False, True)]
    return QUICK_WAYS if harness.settings.quick else WAYS


class Connection:
    """A client's end: sends at a pace, hands out lines."""

    def __init__(self, port, way):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=harness.SECONDS_TO_ANSWER)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.octet_by_octet = way.octet_by_octet
        self.buffer = b""
        self.timestamp = b""
        self.is_closed = False
        if way.tls == "starttls":
            greeting = self.line()
            self.socket.sendall(b"STLS\r\n")
            assert self.line().startswith(b"+OK"), "STLS is refused"
            self.buffer = greeting + b"\r\n"  # the transcript's first line
        if way.tls != "none":
            self.socket = tls_test.lenient_context().wrap_socket(self.socket)

    def send(self, octets):
        size = 1 if self.octet_by_octet else len(octets)
        try:
            for at in range(0, len(octets), size):
                self.socket.sendall(octets[at:at + size])
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass  # what it sent before closing is judged

    def more(self):
        """Whether the server sent more, rather than closed."""
        try:
            octets = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            octets = b""
        self.buffer += octets
        return bool(octets)

    def line(self):
        while b"\r\n" not in self.buffer:
            assert self.more(), f"closed after {self.buffer!r}"
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        assert b"\n" not in line, f"bare LF in {line!r}"
        if line.startswith(b"+OK POP3 ready <"):
            self.timestamp = line[line.index(b"<"):]
        return line

    def rest(self):
        """Everything up to the server's end, which must come."""
        while self.more():
            pass
        return self.buffer

    def close(self):
        self.is_closed = True
        self.socket.close()


class Player:
    """Plays the steps; an AssertionError says at which line what was wrong."""

    def __init__(self, test, script, server, port, way):
        self.test = test
        self.script = script
        self.server = server
        self.port = port
        self.way = way
        self.connections = {}
        self.current = None
        self.ended = 1  # connections that the server must have noticed the end of; one was the harness's
        self.lines = set()
        self.dialogue = []

    def play(self):
        for step in self.script.steps:
            try:
                getattr(self, "do_" + step.kind)(step)
            except (AssertionError, TimeoutError) as failure:
                shown = "\n".join(self.dialogue[-30:])
                raise AssertionError(f"{self.script.name}.pop3:{step.line}: {failure}\n{shown}") from None
        for number, connection in self.connections.items():
            if not connection.is_closed:
                self.end(number, connection)

    def end(self, number, connection):
        """The client drops a connection that is still open: nothing may be left over."""
        try:
            # Not the SSLSocket's own, which forgets TLS: what is left over is read as ciphertext then.
            socket.socket.shutdown(connection.socket, socket.SHUT_WR)
        except OSError:
            pass  # the server closed it
        left_over = connection.rest()
        connection.close()
        self.test.assertEqual(left_over, b"", f"{self.script.name}.pop3: left over on connection {number}")

    def do_open(self, step):
        self.current = self.connections[step.value] = Connection(self.port, self.way)
        self.test.addCleanup(self.current.close)

    def do_use(self, step):
        self.current = self.connections[step.value]

    def do_send(self, step):
        octets = step.value
        if b"{apop}" in octets:
            digest = hashlib.md5(self.current.timestamp + self.script.password).hexdigest()
            octets = octets.replace(b"{apop}", digest.encode())
        self.dialogue.append(f"C: {octets[:200]!r}")
        self.current.send(octets)

    def do_line(self, step):
        line = self.current.line()
        self.dialogue.append(f"S: {line[:200]!r}")
        self.test.assertTrue(step.value.fullmatch(line), f"expected {step.value.pattern!r}, got {line!r}")
        if step.novelty is not None:
            self.test.assertEqual(line in self.lines, step.novelty == "seen", f"{line!r} is not {step.novelty}")
        self.lines.add(line)

    def do_skip(self, _):
        while not self.current.buffer.startswith(b".\r\n"):
            self.lines.add(self.current.line())
            while len(self.current.buffer) < 3 and self.current.more():
                pass

    def do_server_closes(self, _):
        self.ended += 1
        self.test.assertEqual(self.current.rest(), b"", "expected the server to close without a word")

    def do_close(self, _):
        self.current.close()
        self.ended += 1
        # What other sessions see once the server has noticed is judged; its lock is gone before it logs.
        harness.wait_until(lambda: self.server.log().count(": Disconnected") >= self.ended,
                           "the server to notice the end of a connection")

    def do_remove(self, step):
        os.remove(self.path_of(step.value))

    def do_flag(self, step):
        path = self.path_of(step.value)
        name = os.path.basename(path)
        marked = name + "S" if ":2," in name else name + ":2,S"
        os.rename(path, os.path.join(self.test.world.maildrop(), "cur", marked))

    def do_deliver(self, step):
        self.test.world.deliver(self.way.stored(step.value.octets), name=step.value.name)

    def path_of(self, number):
        base = self.test.names[number - 1].split(":")[0]
        for folder in ("new", "cur"):
            directory = os.path.join(self.test.world.maildrop(), folder)
            for name in os.listdir(directory):
                if name.split(":")[0] == base:
                    return os.path.join(directory, name)
        raise AssertionError(f"message {number} is not there")


class TranscriptTest(harness.SystemTest):
    """One test a transcript, made below."""

    def play(self, script):
        if script.waits():
            self.skipTest("waits: the simulator's clock plays it")
        if script.faults:
            self.skipTest("wants a fault of the file system: the simulator plays it")
        for way in ways_to_play():
            if way.tls != "none" and script.settings.get("auth", {}).get("allow_cleartext") == "false":
                continue  # about what is not offered without TLS
            self.world = harness.World(self)
            self.lay_out(script, way)
            server = self.world.serve(**self.sections(script, way))
            port = self.tls_port if way.tls == "required" else server.port
            Player(self, script, server, port, way).play()
            self.wait_until_unlocked()
            left = {name.split(":")[0] for name in self.world.stored()}
            expected = {self.names[number - 1].split(":")[0] for number in script.left}
            self.assertEqual(left, expected, f"{script.name}.pop3: what is left")
            server.stop()

    def sections(self, script, way):
        sections = {"limits": {"failed_delay": '"0s"'}, "delivery": {"strategy": f'"{way.strategy}"'},
                    **script.settings}
        if way.tls == "none":
            return sections
        certificate, key = (os.path.join(self.world.root, name) for name in ("c.pem", "k.pem"))
        for path, content in zip((certificate, key), tls_test.shared_pair()):
            self.world.write(path, content)
        tls = {"certificate": f'"{certificate}"', "key": f'"{key}"'}
        self.tls_port = harness.free_port()
        address = f'["127.0.0.1:{self.tls_port}"]'
        return {**sections, "tls": tls, "listener.pop3": {"tls": '"starttls"'},
                "listener.pop3s": {"address": address, "tls": '"required"'}}

    def lay_out(self, script, way):
        password = base64.b64encode(script.password)
        self.world.write(self.world.users, b"mrose:{PLAIN.b64}" + password + b"\n")
        arrivals = [step.value for step in script.steps if step.kind == "deliver"]
        self.names = [message.name for message in script.messages + arrivals]
        if script.has_maildrop:
            self.world.maildrop()
        for message in script.messages:
            folder = "cur" if ":2," in message.name else "new"
            self.world.deliver(way.stored(message.octets), name=message.name, folder=folder)

    def wait_until_unlocked(self):
        if not os.path.isdir(path := os.path.join(self.world.mail, transcript.USER)):
            return
        directory = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, directory)
        deadline = time.monotonic() + harness.SECONDS_TO_ANSWER
        while time.monotonic() < deadline:
            try:
                return fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)
        self.fail("the maildrop stays locked")


def make_test(path):
    return lambda self: self.play(transcript.Transcript(path))


for each in sorted(glob.glob(os.path.join(FOLDER, "*.pop3"))):
    test_name = "test_" + os.path.basename(each).removesuffix(".pop3")
    setattr(TranscriptTest, test_name, make_test(each))
