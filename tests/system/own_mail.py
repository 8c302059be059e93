"""Users whose every octet is their own, and what a session of theirs may see: their own."""
import re

# Three letters, one of each group: any three octets in a row of a user's mail tell whose they are.
GROUPS = (b"abcdefgh", b"ijklmnop", b"qrstuvwx")
USERS_MAX = 512
TOKEN = re.compile(rb"([a-h][i-p][q-x])\1\1")
LINE_OCTETS = 72
LINE_OCTETS_MAX = 512  # of a reply (RFC 2449 section 4)
OK, REFUSED = b"+OK", b"-ERR"


def letters_of(number):
    """Of user 0 to USERS_MAX - 1."""
    return bytes((GROUPS[0][number // 64], GROUPS[1][number // 8 % 8], GROUPS[2][number % 8]))


class User:
    """Name, password, unique-ids, header and text are the user's token and nothing else."""

    def __init__(self, number):
        self.letters = letters_of(number)
        self.token = self.letters * 4
        self.name = self.token.decode()
        self.messages = [self._small(), self._stored_as_sent(), self._dotted()]
        self.on_the_wire = [octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for octets in self.messages]
        self.ids = [f"{1700000000 + number}.{self.name}.{self.name}" for number in range(3)]
        self.replies = self._replies()

    def _lines(self, count, line_end, start=b""):
        line = start + (self.letters * LINE_OCTETS)[:LINE_OCTETS] + line_end
        return self.token + b": " + self.token + line_end * 2 + line * count

    def _small(self):
        return self._lines(8, b"\n")

    def _stored_as_sent(self):
        """Goes from file to socket within the kernel."""
        return self._lines(600, b"\r\n")

    def _dotted(self):
        """Each line has to be converted and its dot doubled; more than is read at a time."""
        return self._lines(1200, b"\n", b".")

    def _replies(self):
        """By command: pieces of what the server says, see Judge."""
        listing = "".join(f"{n} {len(octets)}\r\n" for n, octets in enumerate(self.on_the_wire, 1))
        ids = "".join(f"{n} {each}\r\n" for n, each in enumerate(self.ids, 1))
        total = sum(map(len, self.on_the_wire))
        replies = {
            f"USER {self.name}": [OK], f"PASS {self.name}": [OK], "NOOP": [OK], "RSET": [OK],
            "DELE 2": [OK], "QUIT": [OK], "STAT": [f"+OK 3 {total}\r\n".encode()],
            "LIST": [OK, listing.encode() + b".\r\n"], "UIDL": [OK, ids.encode() + b".\r\n"],
            "UIDL 3": [f"+OK 3 {self.ids[2]}\r\n".encode()],
        }
        for number, octets in enumerate(self.on_the_wire, 1):
            stuffed = octets.replace(b"\n.", b"\n..")  # none begins with a dot
            top = b"\r\n".join(stuffed.split(b"\r\n", 7)[:7]) + b"\r\n"  # a header, a blank line, five
            replies[f"RETR {number}"] = [f"+OK {len(octets)} octets\r\n".encode(), stuffed + b".\r\n"]
            replies[f"TOP {number} 5"] = [OK, top + b".\r\n"]
        return replies


def plan(user, dice):
    """Commands of a session, QUIT the last; nothing is removed by it."""
    wanted = [f"{verb} {number}" for verb in ("RETR", "RETR") for number in (1, 2, 3)]
    wanted += ["STAT", "LIST", "UIDL", "UIDL 3", "TOP 1 5", "TOP 2 5", "TOP 3 5", "NOOP", "DELE 2"]
    chosen = []
    for command in dice.choices(wanted, k=dice.randrange(1, 10)):
        chosen += [command, "RSET"] if command == "DELE 2" else [command]
    return [f"USER {user.name}", f"PASS {user.name}", *chosen, "QUIT"]


class Foreign(AssertionError):
    """Octets that are not what the user has."""


class Judge:
    """Reads a stream in any pieces and holds it against what the commands must be answered. Every
    octet must be the expected one, but for words behind a status, which must have no token of
    anybody else. After a refused login everything but QUIT is refused."""

    def __init__(self, user, commands, greeted=True):
        self.user = user
        self.commands = commands
        self.pieces = [] if greeted else [OK]  # OK and REFUSED: a line; else these very octets
        self.ends_of = []  # by command: how many pieces are behind once it is answered
        for command in commands:
            self.pieces += user.replies[command]
            self.ends_of.append(len(self.pieces))
        self.done = 0
        self.at = 0  # in the present piece
        self.ahead = b""
        self.octets = 0
        self.is_refused = False

    def feed(self, octets):
        self.octets += len(octets)
        self.ahead += octets
        while self.ahead and self._take():
            pass

    def has_answered(self, commands):
        """The first so many of them."""
        return self.done >= self.ends_of[commands - 1]

    def _take(self):
        """False: more octets are needed."""
        if self.done == len(self.pieces):
            self._tell("nothing was asked")
        expected = self.pieces[self.done]
        if expected in (OK, REFUSED):
            return self._take_line(expected)
        have = self.ahead[:len(expected) - self.at]
        if not expected.startswith(have, self.at):
            self._tell(f"expected {expected[self.at:self.at + 60]!r}...")
        self.ahead = self.ahead[len(have):]
        self.at += len(have)
        if self.at == len(expected):
            self.done, self.at = self.done + 1, 0
        return True

    def _take_line(self, expected):
        line, end, rest = self.ahead.partition(b"\r\n")
        if not end:
            if len(line) > LINE_OCTETS_MAX:
                self._tell("a line without end")
            return False
        if self.done == self.ends_of[1] - 1 and line.startswith(REFUSED):
            self._refuse()
        elif not line.startswith(expected):
            self._tell(f"expected {expected!r}")
        if any(match[1] != self.user.letters for match in TOKEN.finditer(line)):
            self._tell("somebody else's token")
        self.ahead = rest
        self.done += 1
        return True

    def _refuse(self):
        """The login: its maildrop is open in another session."""
        self.is_refused = True
        left = len(self.commands) - 2
        self.pieces = [OK] * (self.done + 1) + [REFUSED] * (left - 1) + [OK]
        self.ends_of[2:] = range(self.done + 2, self.done + 2 + left)

    def _tell(self, what):
        owners = {match[1].decode() for match in TOKEN.finditer(self.ahead)} - {self.user.letters.decode()}
        raise Foreign(f"{self.user.name}, piece {self.done} of {len(self.pieces)}, {self.octets} octets "
                      f"received: {what}, got {self.ahead[:120]!r}; letters of others: {sorted(owners)}")
