"""A session that fetches and removes, broken off anywhere, and what it must leave: what `+OK` to QUIT
acknowledged stays removed, what UPDATE had not come to yet is there, and so is every message that was
not marked, with its octets and its unique-id (tests/sim/crash_test.cc is the same in the simulator).
"""
import os
import shutil

import harness

# Folder, file name, octets, whether the session marks it. In the order of their numbers; more than a
# page and more than a segment are sent in another way than what is small.
LONG = b"Subject: long\r\n\r\n" + b"".join(b"%07d a line as it is on the wire\r\n" % n
                                            for n in range(4000))
MESSAGES = (
    ("new", "1130000000.M1P2.pop", b"From: a\n\none\n", True),
    ("cur", "1130000001.M1P2.pop:2,S", b"From: b\n\n.two\n.\n", False),
    ("cur", "1130000002.M1P2.pop:2,", LONG, True),
    ("new", "1130000003.M1P2.pop", b"From: d\r\n\r\nfour\r\n", False),
    ("new", "1130000004.M1P2.pop", b"From: e\n\nfive, without a line end", True),
)
MARKED = [number for number, message in enumerate(MESSAGES, 1) if message[3]]
FETCHED = (2, 3)
# Beside new/, cur/ and tmp/, once somebody has logged in.
OWN_FILES = {"restante.index"}
# Operations that belong to no step of UPDATE: the log is written when that can be.
AT_ANY_TIME = ("sleep", "write")


def unique_id(name):
    return name.split(":")[0]


def deliver(world, user="mrose"):
    """MESSAGES are in the maildrop, and nothing else is."""
    maildrop = os.path.join(world.mail, user)
    shutil.rmtree(maildrop, ignore_errors=True)
    for folder in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(maildrop, folder))
    for folder, name, octets, _ in MESSAGES:
        with open(os.path.join(maildrop, folder, name), "wb") as file:
            file.write(octets)
    harness.give_to_nobody(maildrop)
    return maildrop


class Session:
    """USER, PASS, RETR, DELE of what is marked, QUIT: each after the reply to the one before. The server
    may end at any moment; what it has said until then counts."""

    def __init__(self, port, user="mrose", fetched=FETCHED, after_login=lambda: None):
        self.port = port
        self.user = user
        self.fetched = fetched
        self.after_login = after_login
        self.has_quit = False  # QUIT was sent
        self.is_acknowledged = False
        self.refused = ""  # the keyword of the command that -ERR was said to
        self.said = []  # one entry a reply

    def run(self):
        """Itself, when it is over."""
        try:
            with harness.Client(self.port) as client:
                self._run(client)
        except (ConnectionError, EOFError) as end:
            self.said.append(repr(end))
        return self

    def _run(self, client):
        self._note("greeting", client.greeting)
        for command in (f"USER {self.user}", f"PASS {harness.PASSWORD}"):
            self._ask(client, command)
        self.after_login()
        for number in self.fetched:
            self._ask(client, f"RETR {number}")
            expected = harness.crlf_form(MESSAGES[number - 1][2])
            assert (got := read_body(client)) == expected, f"{number}: {got!r}"
        for number in MARKED:
            self._ask(client, f"DELE {number}")
        self.has_quit = True
        self._ask(client, "QUIT")
        self.is_acknowledged = True
        assert client.is_closed()

    def _ask(self, client, command):
        client.send(command.encode() + b"\r\n")
        self._note(command, client.line())

    def _note(self, command, reply):
        if not reply:
            raise EOFError(command)
        self.said.append(f"{command}: {reply}")
        if not reply.startswith("+OK"):
            self.refused = command.split()[0]
            raise EOFError(self.refused)


def read_body(client):
    """A multi-line response's octets; EOFError where it has no end."""
    lines = []
    while (octets := client.file.readline()) != b".\r\n":
        if not octets.endswith(b"\r\n"):
            raise EOFError("in a message")
        lines.append(octets[1:] if octets.startswith(b"..") else octets)
    return b"".join(lines)


def look(server, user="mrose"):
    """(unique-id, octets) of all messages, in the order of their numbers; LIST, STAT and RETR agree."""
    with harness.logged_in_when_unlocked(lambda: harness.Client(server.port), user) as client:
        count, total = client.ask("STAT").split()[1:]
        listed = [int(line.split()[1]) for line in client.listing("LIST")]
        ids = [line.split()[1] for line in client.listing("UIDL")]
        texts = [client.retrieve(number) for number in range(1, len(ids) + 1)]
        assert client.ask("QUIT").startswith("+OK")
    assert [len(text) for text in texts] == listed, listed
    assert (int(count), int(total)) == (len(listed), sum(listed)), (count, total, listed)
    return list(zip(ids, texts))


def gone(session):
    """The numbers of the messages that are gone at least, and at most, whatever ended the session."""
    return set(MARKED if session.is_acknowledged else ()), set(MARKED if session.has_quit else ())


def gone_when_killed(session, ending, renamed=()):
    """The same where the server was killed at `ending` (RESTANTE_ENDING), by SAFETY.md's table of UPDATE.
    `renamed`: those that another program has renamed, which are looked for once the others are gone."""
    at_least, at_most = gone(session)
    moment, kind, number, _ = ending.split()
    if at_least == at_most or kind in AT_ANY_TIME:
        return at_least, at_most
    found_at_once = at_most - set(renamed)
    done = int(number) - (moment == "before")
    if kind == "remove":
        removed = (set(), found_at_once, at_most)[min(done, 2)]
    elif kind == "list_directory":
        removed = found_at_once
    elif kind == "sync" or (kind == "send" and moment == "before"):
        removed = at_most
    else:
        removed = set()
    return removed, removed


def gone_when_cut(session, ending):
    """The same where the power went at `ending`: what was not synced may be back."""
    at_most = gone_when_killed(session, ending)[1]
    moment, kind, number, _ = ending.split()
    if session.is_acknowledged or kind == "send":
        return at_most, at_most
    synced = ("new", "cur")[:int(number) - (moment == "before")] if kind == "sync" else ()
    return {each for each in at_most if MESSAGES[each - 1][0] in synced}, at_most


def check(world, server, session, user="mrose", bounds=None):
    """Of what the next server finds: as many of the marked are gone as `bounds` (see gone()) says, nothing
    unmarked is gone or changed, and nothing had to be mended. Returns how many messages are left."""
    at_least, at_most = bounds or gone(session)
    found = look(server, user)
    left = [each for each, _ in found]
    whole = [(unique_id(name), harness.crlf_form(octets)) for _, name, octets, _ in MESSAGES]
    assert found == [each for each in whole if each[0] in left], (left, session.said)
    missing = {number for number, message in enumerate(MESSAGES, 1) if unique_id(message[1]) not in left}
    assert at_least <= missing <= at_most, f"{missing} are gone, not {at_least} to {at_most}: {session.said}"
    assert look(server, user) == found, "it does not stay so"
    assert sorted(world.stored(user)) == sorted(left)
    beside = set(os.listdir(os.path.join(world.mail, user))) - {"new", "cur", "tmp"}
    assert beside == OWN_FILES, beside
    return len(left)
