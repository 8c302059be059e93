"""The largest maildrops and messages there are. Figures are printed; RESTANTE_WHOLE_LOAD=1 for all
of it."""
import os
import time

import bystanders
import harness
import overload

MEBIBYTE = 1 << 20
LINKS_A_FILE_MAX = 60_000  # ext4: 65,000


class MaildropTest(overload.Overload):
    """A maildrop of very many files: the first login measures all of them, the next ones none."""

    MESSAGES = overload.scaled(1_000_000, 50_000, 5_000)
    # Of a message while its index is made (maildir/index_memory.h), with six times its name.
    INDEX_MIB = 64 + MESSAGES * (1024 + 6 * 64) // 2**20
    MESSAGE = b"Subject: one of many\n\n" + b"a line of it\n" * 20

    def fill(self, folder):
        """Hard links to a few files, whose owner is theirs as well."""
        for number in range(self.MESSAGES):
            path = os.path.join(folder, f"{1600000000 + number}.M{number}P1.post:2,S")
            if number % LINKS_A_FILE_MAX == 0:
                with open(path, "wb") as file:
                    file.write(self.MESSAGE)
                if harness.is_root():
                    os.chown(path, harness.UNPRIVILEGED.pw_uid, harness.UNPRIVILEGED.pw_gid)
                first = path
            else:
                os.link(first, path)

    def test_a_maildrop_of_very_many_messages(self):
        self.octets = len(harness.crlf_form(self.MESSAGE))
        folder = os.path.join(self.world.maildrop("hoarder"), "cur")
        self.begin(users=["hoarder"],
                   limits={"connections": "1000", "index_memory": str(self.INDEX_MIB),
                           "index_cache": "64"})
        self.fill(folder)
        takes = {"indexes": self.INDEX_MIB, "indexes kept": 64}
        with self.load(f"a maildrop of {self.MESSAGES} files", takes):
            first, removing, last = [self.visit(removed) for removed in (0, 100, 0)]
            print(f"    seconds of login/LIST and UIDL/QUIT: {first} at first; {removing} with 100 DELE; "
                  f"then {last}")

    def test_a_maildrop_beyond_the_memory_for_indexes_is_refused_and_the_others_are_not(self):
        self.MESSAGES = 60_000
        folder = os.path.join(self.world.maildrop("hoarder"), "cur")
        self.fill(folder)
        self.begin(users=["hoarder"], limits={"index_memory": "64"})
        with harness.Client(self.server.port) as client:
            self.assert_starts(client.log_in("hoarder"), "-ERR [SYS/TEMP]")
        self.server.wait_for_log("no room in \\[limits\\] index_memory")
        bystanders.poll(self.server.port, bystanders.USERS[0])
        for number, name in enumerate(os.listdir(folder)):
            if number % 2 == 0:
                os.unlink(os.path.join(folder, name))
        with harness.Client(self.server.port, timeout=60) as client:
            self.assert_starts(client.log_in("hoarder"), "+OK")
            self.assertEqual(client.ask("STAT").split()[1], str(self.MESSAGES // 2))

    def visit(self, removed):
        """A session over all of it; the rest goes on being there."""
        with harness.Client(self.world.port, timeout=600) as client:
            started = time.monotonic()
            self.assert_starts(client.log_in("hoarder"), "+OK")
            opened = time.monotonic()
            self.assertEqual(client.ask("STAT"), f"+OK {self.MESSAGES} {self.MESSAGES * self.octets}")
            scan = client.listing("LIST")
            self.assertEqual((len(scan), scan[-1]), (self.MESSAGES, f"{self.MESSAGES} {self.octets}"))
            ids = [line.split()[1] for line in client.listing("UIDL")]
            self.assertEqual(len(set(ids)), self.MESSAGES)
            for number in (1, self.MESSAGES // 2, self.MESSAGES):
                self.assertEqual(client.retrieve(number), harness.crlf_form(self.MESSAGE))
            listed = time.monotonic()
            for number in range(1, removed + 1):
                self.assert_starts(client.ask(f"DELE {number}"), "+OK")
            left = time.monotonic()
            self.assert_starts(client.ask("QUIT"), "+OK")
            self.MESSAGES -= removed
            return "/".join(f"{each:.2f}" for each in (opened - started, listed - opened,
                                                       time.monotonic() - left))


class MessageTest(overload.Overload):
    """A message beyond what 32 bits count: a mebibyte of mail every 16, NUL octets without a line end
    between, which the file system need not store."""

    MEBIBYTES = overload.scaled(5 * 1024, 1024, 64)
    EVERY = 16

    def setUp(self):
        super().setUp()
        line = b"".join(b"%c" % (33 + (7 * octet) % 90) for octet in range(76)) + b"\n"
        self.text = (b"\n" + b"." + line) * (MEBIBYTE // (len(line) + 2))
        self.stored = self.received = 0
        path = self.world.deliver(b"", user="giant")
        with open(path, "r+b") as file:
            for number in range(0, self.MEBIBYTES, self.EVERY):
                file.seek(number * MEBIBYTE)
                file.write(self.text)
            file.truncate(self.MEBIBYTES * MEBIBYTE - 1)
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
        texts = len(range(0, self.MEBIBYTES, self.EVERY))
        self.octets = self.MEBIBYTES * MEBIBYTE + texts * self.text.count(b"\n") + 1
        # On the wire each of the lines that begin with a dot has one more.
        self.wire_octets = self.octets + texts * self.text.count(b"\n.") + len(b".\r\n")
        self.wire_text = self.text.replace(b"\n", b"\r\n").replace(b"\n.", b"\n..")

    def test_a_message_of_gibibytes(self):
        self.begin(users=["giant"])
        takes = {"connections": 1, "message buffers": 2}
        with self.load(f"a message of {self.MEBIBYTES} MiB", takes):
            client = harness.Client(self.world.port, timeout=600)
            self.addCleanup(client.close)
            started = time.monotonic()
            self.assert_starts(client.log_in("giant"), "+OK")
            opened = time.monotonic()
            self.assertEqual(client.ask("STAT"), f"+OK 1 {self.octets}")
            self.assertEqual(client.ask("RETR 1"), f"+OK {self.octets} octets")
            self.read(client.file)
            took = time.monotonic() - opened
            self.assert_starts(client.ask("QUIT"), "+OK")
            client.close()
        print(f"    measured in {opened - started:.1f} s, sent and checked in {took:.1f} s, "
              f"{self.octets / took / 1e6:.0f} MB/s")

    def read(self, file):
        """All of it is what was stored: text where there was text, NUL octets elsewhere."""
        gap = (self.EVERY - 1) * MEBIBYTE + MEBIBYTE - len(self.text)
        left = self.wire_octets
        while left > len(b"\r\n.\r\n"):
            text = file.read(len(self.wire_text))
            self.assert_same_octets(text, self.wire_text, f"text, {left} octets before the end")
            left -= len(text)
            nul = min(gap, left - len(b"\r\n.\r\n"))
            left -= nul
            while nul > 0:
                piece = file.read(min(nul, MEBIBYTE))
                self.assertEqual(piece.count(0), len(piece), f"{left} octets before the end")
                self.assertNotEqual(piece, b"", f"closed {left} octets before the end")
                nul -= len(piece)
        self.assertEqual(file.read(left), b"\r\n.\r\n")
