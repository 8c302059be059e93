"""The users and their mail: every server gets the same.

The messages lie once in a pool and are hard-linked into the maildirs, so that all servers read the same
pages of the same cache; but each server has directories of its own, because each keeps an index there.
Everything is seen mail in cur/. Names have no S= and no W=: Dovecot 2.3 needs twice the time for a maildrop
of 10,000 messages whose names have them (25 instead of 13 ms a poll), and this is no place to pick the worse.
For the same reason this is not left to `pop3load seed`, whose names count alike (see file_name()).
"""
import dataclasses
import os
import shutil

PASSWORD = "secret"
MAILDIR_PARTS = ("new", "cur", "tmp")
POOL_FILES = 64  # of each size, unless a mail set has more: a file on ext4 has 65,000 names at most
FIRST_SECOND = 1700000000
LINE = b"seventy-seven octets a line, its end left out, as most mail programs fold it."

# Mean 35,000 octets: half of the messages are short, a tenth makes two thirds of the volume.
SIZES_OF_MEAN_35_KB = ([3000] * 10 + [10000] * 5 + [40000] * 3 + [250000] * 2)
SIZES_SMALL = [4000]


@dataclasses.dataclass(frozen=True)
class MailSet:
    """Users `prefix`0 to `prefix`(users - 1), each with the same messages."""
    prefix: str
    users: int
    messages: int
    sizes: tuple = tuple(SIZES_SMALL)  # taken in turn
    crlf: bool = False
    scheme: str = "PLAIN"
    pool_files: int = POOL_FILES

    def user_format(self):
        return self.prefix + "{}"


def message(octets, crlf, variant):
    """`octets` on the wire. The LF form has a few lines that begin with a dot, the CRLF form has none, so
    that it can be sent as it is."""
    end = b"\r\n" if crlf else b"\n"
    head = [b"From: clerk@example.org", b"Subject: letter %08d" % variant,
            b"Message-ID: <%08d@example.org>" % variant, b""]
    left = octets - sum(len(line) + 2 for line in head)
    body = []
    while left > 2:
        line = LINE[:max(0, min(len(LINE), left - 2))]
        if not crlf and len(body) % 100 == 50 and line:
            line = b"." + line[1:]
        body.append(line)
        left -= len(line) + 2
    return b"".join(line + end for line in head + body)


def file_name(number):
    """As deliveries are named: time, microseconds, process. The parts must not count alike: names such as
    1700000123.M123P1 collide in Dovecot's hash of names and make its polls 15 times dearer."""
    microseconds = number * 618033 % 1000000
    process = 1000 + number * 7919 % 30000
    return f"{FIRST_SECOND + number * 37}.M{microseconds:06}P{process}.post:2,S"


class Pool:
    """Message files by size and form, made when first asked for."""

    def __init__(self, folder):
        self.folder = folder
        self.files = {}
        os.makedirs(folder)

    def files_of(self, octets, crlf, count):
        """Paths of at least `count` messages of `octets` on the wire."""
        files = self.files.setdefault((octets, crlf), [])
        files += [self._write(octets, crlf, variant) for variant in range(len(files), count)]
        return files

    def _write(self, octets, crlf, variant):
        path = os.path.join(self.folder, f"{octets}-{'crlf' if crlf else 'lf'}-{variant}")
        with open(path, "wb") as file:
            file.write(message(octets, crlf, variant))
        return path


class Store:
    """Maildirs of every mail set for every server, below one folder."""

    def __init__(self, folder, owner):
        self.folder = folder
        self.owner = owner  # (uid, gid), None: whoever runs this
        self.pool = Pool(os.path.join(folder, "pool"))
        self.made = set()

    def mail_folder(self, server):
        return os.path.join(self.folder, f"mail-{server}")

    def make(self, server, mail_set):
        """The maildirs of `mail_set`; once."""
        if (server, mail_set.prefix) in self.made:
            return
        self.made.add((server, mail_set.prefix))
        for number in range(mail_set.users):
            maildir = self.maildir(server, mail_set, number)
            for part in MAILDIR_PARTS:
                os.makedirs(os.path.join(maildir, part))
            self._deliver(os.path.join(maildir, "cur"), mail_set)
        self._give(server)

    def remove(self, server, mail_set):
        for number in range(mail_set.users):
            shutil.rmtree(self.maildir(server, mail_set, number), ignore_errors=True)

    def forget_indexes(self, server, mail_set):
        """Removes all that a server keeps beside the mail."""
        for number in range(mail_set.users):
            with os.scandir(self.maildir(server, mail_set, number)) as entries:
                for entry in entries:
                    if entry.name not in MAILDIR_PARTS:
                        remove(entry)

    def maildir(self, server, mail_set, number):
        return os.path.join(self.mail_folder(server), f"{mail_set.prefix}{number}")

    def _deliver(self, cur, mail_set):
        for number in range(mail_set.messages):
            octets = mail_set.sizes[number % len(mail_set.sizes)]
            files = self.pool.files_of(octets, mail_set.crlf, mail_set.pool_files)
            os.link(files[number % len(files)], os.path.join(cur, file_name(number)))

    def _give(self, server):
        if self.owner is None:
            return
        for folder, _, _ in os.walk(self.mail_folder(server)):
            os.chown(folder, *self.owner)
        for name in os.listdir(self.pool.folder):
            os.chown(os.path.join(self.pool.folder, name), *self.owner)


def remove(entry):
    """A file, or a folder with all in it."""
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path)
    else:
        os.remove(entry.path)


def passwd_lines(mail_sets, hashes):
    """The passwd-file: hashes[scheme] is a list of {SCHEME}hash, taken in turn."""
    for mail_set in mail_sets:
        known = hashes[mail_set.scheme]
        for number in range(mail_set.users):
            yield f"{mail_set.prefix}{number}:{known[number % len(known)]}\n"
