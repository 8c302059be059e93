"""One user's mail never reaches another: 500 users with mail of their own octets, over TLS and
without, in sessions that are cut off, reset, half-closed, read slowly and pipelined; every octet of
every stream is judged. RESTANTE_OWN_MAIL_SECONDS=300 for minutes of it, RESTANTE_OWN_MAIL_SEED for
the sessions of a former run (not for their interleaving)."""
import collections
import contextlib
import itertools
import os
import random
import socket
import ssl
import struct
import threading
import time
import unittest

import harness
import own_mail
import tls_test

SECONDS = int(os.environ.get("RESTANTE_OWN_MAIL_SECONDS", "0")) or (5 if harness.settings.quick else 20)
SEED = int(os.environ.get("RESTANTE_OWN_MAIL_SEED", "0")) or random.randrange(1, 1 << 32)
USERS = 500
WORKERS = 48
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a RST
TRANSPORTS = ("plain", "tls 1.2", "tls 1.3", "stls")
PACES = ("pipelined", "in pieces", "one by one")
ENDINGS = ("quit", "slow", "half-close", "abort", "reset")
ENDED_BY_THE_SERVER = ("quit", "slow", "half-close")  # the last once it has answered what it was sent
OCTETS_A_SECOND_MIN = 250_000  # judged: some fiftieth of what is usual


class Unanswered(AssertionError):
    """A session that the server ended before its QUIT was answered."""


class Visit:
    """One session of a user, decided by dice."""

    def __init__(self, user, ports, dice):
        self.user = user
        self.ports = ports
        self.dice = dice
        self.transport = dice.choice(TRANSPORTS)
        self.pace = dice.choice(PACES)
        self.ending = dice.choice(ENDINGS)
        self.commands = own_mail.plan(user, dice)
        self.judge = own_mail.Judge(user, self.commands, greeted=self.transport == "stls")
        # An abort or a reset comes when so much was read; the long message is 90 kB.
        self.octets_max = int(dice.paretovariate(0.3)) if self.ending in ("abort", "reset") else None

    def __str__(self):
        return f"{self.transport}, {self.pace}, {self.ending}: {', '.join(self.commands)}"

    def is_answered(self):
        """All of it."""
        return self.judge.has_answered(len(self.commands))

    def run(self, contexts):
        """All of it; Foreign where the stream has what it may not have, Unanswered where the server ended
        what nobody else did. (After a refused login it may: every command then is a bad one.)"""
        self.connect_and_talk(contexts)
        may_end = self.judge.is_refused or self.ending not in ENDED_BY_THE_SERVER
        if not may_end and not self.is_answered():
            raise Unanswered(f"the server has closed after {self.judge.octets} octets")

    def connect_and_talk(self, contexts):
        port = self.ports["tls" if self.transport.startswith("tls") else "plain"]
        raw = socket.socket()
        raw.settimeout(harness.SECONDS_TO_ANSWER)
        if self.ending == "slow":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", port))
        connection = raw
        try:
            connection = self.secure(raw, contexts)
            self.talk(connection)
            if self.ending == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            pass  # what was answered until then counts
        finally:
            connection.close()

    def secure(self, raw, contexts):
        if self.transport == "plain":
            return raw
        if self.transport == "stls":
            file = raw.makefile("rb", buffering=0)  # what follows is not to be read ahead
            assert file.readline().startswith(b"+OK")  # the greeting
            raw.sendall(b"STLS\r\n")
            assert file.readline().startswith(b"+OK")
        return contexts.wrap(raw, self.transport, self.dice)

    def talk(self, connection):
        lines = [f"{command}\r\n".encode() for command in self.commands]
        if self.pace == "one by one":
            for number, line in enumerate(lines, 1):
                connection.sendall(line)
                if not self.read(connection, lambda: self.judge.has_answered(number)):
                    return
        else:
            self.send_in_pieces(connection, b"".join(lines))
        if self.ending == "half-close":
            socket.socket.shutdown(connection, socket.SHUT_WR)  # TLS goes on behind it
        self.read(connection, lambda: False)

    def send_in_pieces(self, connection, octets):
        if self.pace == "pipelined":
            return connection.sendall(octets)
        while octets:
            count = self.dice.randrange(1, 40)
            connection.sendall(octets[:count])
            octets = octets[count:]
            time.sleep(self.dice.random() / 1000)

    def read(self, connection, is_enough):
        """False: the end of the stream, or as much of it as was wanted."""
        while not is_enough():
            if self.octets_max is not None and self.judge.octets >= self.octets_max:
                return False
            at_once = 65536
            if self.ending == "slow":
                at_once = self.dice.randrange(1, 8192)
                time.sleep(self.dice.random() / 500)
            piece = connection.recv(at_once)
            if not piece:
                return False
            self.judge.feed(piece)
        return True


class Contexts:
    """TLS for clients: one a version; sessions are resumed, by whomever they were begun."""

    def __init__(self):
        versions = {"tls 1.2": ssl.TLSVersion.TLSv1_2, "tls 1.3": ssl.TLSVersion.TLSv1_3, "stls": None}
        self.contexts = {name: tls_test.lenient_context(version) for name, version in versions.items()}
        self.sessions = {}

    def wrap(self, raw, transport, dice):
        resumed = self.sessions.get(transport) if dice.random() < 0.5 else None
        connection = self.contexts[transport].wrap_socket(raw, session=resumed)
        self.sessions[transport] = connection.session
        return connection


class OwnMailTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.users = [own_mail.User(number) for number in range(USERS)]
        lines = "".join(f"{user.name}:{{PLAIN}}{user.name}\n" for user in self.users)
        for user in self.users:
            maildrop = os.path.join(self.world.mail, user.name)
            for folder in ("new", "cur", "tmp"):
                os.makedirs(os.path.join(maildrop, folder))
            for number, (name, octets) in enumerate(zip(user.ids, user.messages)):
                place = f"cur/{name}:2,S" if number == 1 else f"new/{name}"
                with open(os.path.join(maildrop, place), "wb") as file:
                    file.write(octets)
        certificate, key = tls_test.make_pair(self.world, "server")
        self.ports = {"plain": self.world.port, "tls": harness.free_port()}
        self.world.write(self.world.users, lines.encode())
        self.server = self.world.serve(**{
            "listener.pop3": {"tls": '"starttls"'},
            "listener.pop3s": {"address": f'["127.0.0.1:{self.ports["tls"]}"]', "tls": '"required"'},
            "tls": {"certificate": f'"{certificate}"', "key": f'"{key}"'},
            "log": {"level": '"warn"'},
        })
        self.contexts = Contexts()
        self.numbers = iter(range(1 << 40))
        self.lock = threading.Lock()
        self.told = []
        self.seen = collections.Counter()

    def work(self, ends):
        """Visits until the time is over, or one has seen what it may not."""
        while time.monotonic() < ends and not self.told:
            with self.lock:
                number = next(self.numbers)
            dice = random.Random(f"{SEED}-{number}")
            visit = Visit(dice.choice(self.users), self.ports, dice)
            try:
                visit.run(self.contexts)
            except (AssertionError, OSError) as error:
                self.told.append(f"seed {SEED}, session {number} ({visit}): {type(error).__name__}: {error}")
            with self.lock:
                refused = "refused" if visit.judge.is_refused else visit.ending
                self.seen.update({"sessions": 1, "octets": visit.judge.octets, refused: 1,
                                  visit.transport: 1, "whole": visit.is_answered()})

    def test_no_octet_of_another_in_any_stream(self):
        ends = time.monotonic() + SECONDS
        workers = [threading.Thread(target=self.work, args=(ends,)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        counts = ", ".join(f"{name} {self.seen[name]}"
                           for name in (*TRANSPORTS, *ENDINGS, "refused", "whole"))
        print(f"load: own mail, seed {SEED}: {self.seen['sessions']} sessions in {SECONDS} s, "
              f"{self.seen['octets'] / 1e6:.0f} MB judged ({counts})")
        self.assertEqual(self.told, [])
        self.assertGreater(self.seen["quit"], self.seen["refused"] / 4, "hardly anybody got in")
        self.assertGreater(self.seen["whole"], WORKERS, "hardly any session was answered")
        self.assertGreater(self.seen["octets"], OCTETS_A_SECOND_MIN * SECONDS, "hardly any mail was read")
        self.server.stop()
        self.assert_nothing_has_changed()

    def assert_nothing_has_changed(self):
        """Nothing was removed, and no index knows of anybody else."""
        for user in self.users:
            self.assertEqual(self.world.stored(user.name), dict(zip(user.ids, user.messages)))
            index = os.path.join(self.world.mail, user.name, "restante.index")
            with contextlib.suppress(FileNotFoundError), open(index, "rb") as file:
                letters = {match[1] for match in own_mail.TOKEN.finditer(file.read())}
                self.assertEqual(letters, {user.letters})


def stream_of(pieces):
    """What the server says, see own_mail.Judge."""
    return b"".join(b"+OK\r\n" if piece == own_mail.OK else piece for piece in pieces)


@contextlib.contextmanager
def server_that_says(octets):
    """Its port. It says so much to the first who comes, whatever it is asked, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def answer():
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):  # the client has gone
                connection.sendall(octets)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
        answering = threading.Thread(target=answer)
        answering.start()
        yield listening.getsockname()[1]
        answering.join()


NOTHING, GREETING = slice(0), slice(len("+OK\r\n"))
ALL_BUT_THE_LAST_LINE, ALL_BUT_THE_LAST_OCTET = slice(-len("+OK\r\n")), slice(-1)


class VisitTest(unittest.TestCase):
    """A server that ends sessions passes for none that serves them."""

    def visit(self, ending, said):
        """Of a server that closes once it has said this slice of what it would have to say."""
        dice = (random.Random(number) for number in itertools.count())
        ports = {}
        visit = next(visit for visit in (Visit(own_mail.User(9), ports, each) for each in dice)
                     if (visit.transport, visit.ending) == ("plain", ending))
        octets = stream_of(visit.judge.pieces)
        with server_that_says(octets[said]) as ports["plain"]:
            visit.run(None)
        return visit

    def test_a_session_that_the_server_ends_is_a_fault(self):
        for ending in ENDED_BY_THE_SERVER:
            for said in (NOTHING, GREETING, ALL_BUT_THE_LAST_LINE, ALL_BUT_THE_LAST_OCTET):
                with self.assertRaises(Unanswered):
                    self.visit(ending, said)
            self.assertTrue(self.visit(ending, slice(None)).is_answered())

    def test_a_session_that_the_client_ends_counts_only_where_it_is_whole(self):
        for ending in set(ENDINGS) - set(ENDED_BY_THE_SERVER):
            self.assertFalse(self.visit(ending, GREETING).is_answered())


class JudgeTest(unittest.TestCase):
    """The judge misses nothing."""

    def setUp(self):
        self.user, other = own_mail.User(9), own_mail.User(10)
        self.commands = [f"USER {self.user.name}", f"PASS {self.user.name}", "UIDL", "RETR 3", "QUIT"]
        pieces = [piece for command in self.commands for piece in self.user.replies[command]]
        self.stream = stream_of((own_mail.OK, *pieces))
        self.other = other

    def judge(self, stream, step=7):
        judge = own_mail.Judge(self.user, self.commands, greeted=False)
        for first in range(0, len(stream), step):
            judge.feed(stream[first:first + step])
        return judge

    def test_what_is_right_passes_whole_and_cut_off_anywhere(self):
        for step in (1, 7, 1 << 20):
            self.assertTrue(self.judge(self.stream, step).has_answered(len(self.commands)))
        for length in range(0, len(self.stream), 997):
            self.judge(self.stream[:length], 1 << 20)

    def test_each_octet_of_another_is_seen(self):
        start = self.stream.index(b"octets\r\n") + len(b"octets\r\n")
        for at in range(start, len(self.stream) - 5, 2003):
            changed = bytearray(self.stream)
            changed[at] = next(octet for octet in self.other.letters if octet != changed[at])
            with self.assertRaises(own_mail.Foreign):
                self.judge(bytes(changed), 1 << 20)

    def test_a_token_in_a_status_line_is_seen(self):
        with self.assertRaisesRegex(own_mail.Foreign, "somebody else's"):
            self.judge(b"+OK " + self.other.token + self.stream[len(b"+OK"):])

    def test_nothing_may_follow_the_last_reply(self):
        with self.assertRaises(own_mail.Foreign):
            self.judge(self.stream + b"+OK\r\n")

    def test_a_refused_login_is_followed_by_refusals_and_the_reply_to_quit(self):
        refused = b"+OK\r\n+OK\r\n" + b"-ERR [IN-USE] no\r\n" + b"-ERR no\r\n" * 2 + b"+OK\r\n"
        self.assertTrue(self.judge(refused).has_answered(len(self.commands)))
        with self.assertRaises(own_mail.Foreign):
            self.judge(refused[:-len(b"+OK\r\n")] + b"-ERR no\r\n-ERR no\r\n")

    def test_all_users_differ(self):
        letters = {own_mail.letters_of(number) for number in range(own_mail.USERS_MAX)}
        self.assertEqual(len(letters), own_mail.USERS_MAX)
