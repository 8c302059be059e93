"""Reads a transcript (../transcripts/README.md) into the world it wants and the steps to play."""
import collections
import os
import re

USER = "mrose"
LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", '"': b'"', "\\": b"\\", "*": b"*"}

# kind: send, line, skip, close, server_closes, wait, open, use, remove, flag, deliver
Step = collections.namedtuple("Step", "line kind value novelty", defaults=(None, None))
Message = collections.namedtuple("Message", "name octets")


def unescaped(text):
    """The octets of a text with escapes."""
    octets, at = bytearray(), 0
    while at < len(text):
        if text[at] != "\\":
            octets += text[at].encode()
            at += 1
            continue
        mark = text[at + 1]
        if mark == "(":
            end = text.index(")", text.index("*", at))
            repeated, count = text[at + 2:end].rsplit("*", 1)
            octets += unescaped(repeated) * int(count)
            at = end + 1
        elif mark == "x":
            octets.append(int(text[at + 2:at + 4], 16))
            at += 4
        else:
            octets += ESCAPES[mark]
            at += 2
    return bytes(octets)


def pattern(text, escapes):
    """A compiled pattern of octets in which a `*` that is not escaped is anything."""
    pieces, at = [""], 0
    while at < len(text):
        if text[at] == "*":
            pieces.append("")
            at += 1
        else:
            step = re.match(r"\\\([^)]*\)|\\x..|\\.|.", text[at:], re.S).group() if escapes else text[at]
            pieces[-1] += step
            at += len(step)
    octets = [unescaped(piece) if escapes else piece.encode() for piece in pieces]
    return re.compile(b".*".join(re.escape(piece) for piece in octets), re.S)


def generated_message(octets):
    """An LF message that is `octets` long at the client."""
    head = b"Subject: %d octets\n\n" % octets
    message, left = b"", octets
    if octets >= len(head) + 2 and octets != len(head) + 3:  # no line has one octet
        message, left = head, octets - len(head) - 2
    lines = []
    while left >= 2:
        size = min(left, len(LETTERS) + 2)
        size -= left - size == 1
        lines.append(LETTERS[:size - 2] + b"\n")
        left -= size
    return message + b"".join(lines)


def wire_lines(stored):
    """The stuffed lines that RETR sends of a stored message, without line ends."""
    lines = stored.split(b"\n")
    last = lines.pop()
    lines = [line[:-1] if line.endswith(b"\r") else line for line in lines] + ([last] if last else [])
    return [b"." + line if line.startswith(b".") else line for line in lines]


class Transcript:
    """One file. `left` are the numbers of the messages that remain."""

    def __init__(self, path):
        self.name = os.path.basename(path).removesuffix(".pop3")
        self.password = b"secret"
        self.has_maildrop = True
        self.messages = []
        self.settings = {}
        self.faults = []
        self.steps = []
        self.left = None
        self.connections = 0
        self.arrived = 0
        with open(path, encoding="utf-8", newline="") as file:
            for number, line in enumerate(file.read().split("\n"), 1):
                if line.strip() and not line.startswith("#"):
                    self._read(number, line)
        assert self.left is not None, f"{self.name}: no left:"

    def waits(self):
        return any(step.kind == "wait" for step in self.steps)

    def _read(self, number, line):
        for prefix, read in self._forms():
            if line.startswith(prefix):
                read(number, line[len(prefix):])
                return
        raise ValueError(f"{self.name}.pop3:{number}: not understood: {line}")

    def _forms(self):
        """(how a line begins, what reads the rest), the longer first."""
        return [
            ("C: ", lambda at, text: self._add(at, "send", text.encode() + b"\r\n")),
            ("C, raw: ", lambda at, text: self._add(at, "send", unescaped(text))),
            ("C:", lambda at, text: self._add(at, "send", text.encode() + b"\r\n")),
            ("S: ...*", lambda at, _: self._add(at, "skip")),
            ("S: ", lambda at, text: self._add(at, "line", pattern(text, False))),
            ("S:", lambda at, text: self._add(at, "line", pattern(text, False))),
            ("S, raw: ", lambda at, text: self._add(at, "line", pattern(text, True))),
            ("S, new: ", lambda at, text: self._add(at, "line", pattern(text, False), "new")),
            ("S, seen: ", lambda at, text: self._add(at, "line", pattern(text, False), "seen")),
            ("S, message: ", self._expect_message),
            ("S closes", lambda at, _: self._add(at, "server_closes")),
            ("CLOSE", lambda at, _: self._add(at, "close")),
            ("login", self._login),
            ("new connection", lambda at, _: self._open(at)),
            ("connection ", lambda at, text: self._add(at, "use", int(text))),
            ("wait ", lambda at, text: self._add(at, "wait", text)),
            ("outside: remove ", lambda at, text: self._add(at, "remove", int(text))),
            ("outside: flag ", lambda at, text: self._add(at, "flag", int(text))),
            ("outside: deliver ", self._deliver),
            ("left:", self._left),
            ("message", self._message),
            ("maildrop: missing", lambda *_: setattr(self, "has_maildrop", False)),
            ("password: ", lambda _, text: setattr(self, "password", unescaped(text))),
            ("setting: ", self._setting),
            ("fault: ", lambda _, text: self.faults.append(text)),
        ]

    def _add(self, at, kind, value=None, novelty=None):
        if not self.steps and kind != "open":
            self._open(at)
        self.steps.append(Step(at, kind, value, novelty))

    def _open(self, at):
        self.connections += 1
        self._add(at, "open", self.connections)

    def _login(self, at, _):
        if not self.steps or self.steps[-1].kind == "open":
            self._add(at, "line", pattern("+OK POP3 ready*", False))
        self._add(at, "send", b"USER " + USER.encode() + b"\r\n")
        self._add(at, "line", pattern("+OK", False))
        self._add(at, "send", b"PASS " + self.password + b"\r\n")
        self._add(at, "line", pattern("+OK logged in", False))

    def _expect_message(self, at, text):
        for line in [*wire_lines(self.messages[int(text) - 1].octets), b"."]:
            self._add(at, "line", re.compile(re.escape(line)))

    def _octets(self, text):
        return unescaped(text[1:-1]) if text.startswith('"') else generated_message(int(text))

    def _next_name(self):
        return f"{1000000000 + len(self.messages) + self.arrived + 1}.M1P1.transcript"

    def _message(self, _, text):
        head = text.split('"', 1)[0]
        at = head.rindex(": ")
        self.messages.append(Message(text[:at].strip() or self._next_name(), self._octets(text[at + 2:].strip())))

    def _deliver(self, at, text):
        self._add(at, "deliver", Message(self._next_name(), self._octets(text)))
        self.arrived += 1

    def _setting(self, _, text):
        key, value = text.split("=", 1)
        section, name = key.strip().rsplit(".", 1)
        self.settings.setdefault(section, {})[name] = value.strip()

    def _left(self, _, text):
        everything = list(range(1, len(self.messages) + self.arrived + 1))
        self.left = {"all": everything, "none": []}.get(text.strip(), None)
        if self.left is None:
            self.left = [int(word) for word in text.split()]
