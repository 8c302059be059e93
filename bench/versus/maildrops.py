"""The users and their mail: every server gets the same.

The messages lie once in a pool and are hard-linked into the maildirs, so that all servers read the same
pages of the same cache; but each server has directories of its own, because each keeps an index there.
Everything is seen mail in cur/. Names have no S= and no W=: Dovecot 2.3 needs twice the time for a maildrop
of 10,000 messages whose names have them (25 instead of 13 ms a poll), and this is no place to pick the worse.
"""
import dataclasses
import os
import shutil

PASSWORD = "secret"
POOL_FILES = 64  # of each size: a file on ext4 has 65,000 names at most
FIRST_SECOND = 1700000000
LINE = b"seventy-seven octets a line, its end left out, as most mail programs fold it."

# Mean 35,000 octets: half of the messages are short, a tenth makes two thirds of the volume.
SIZES_OF_MEAN_35_KB = ([3000] * 10 + [10000] * 5 + [40000] * 3 + [250000] * 2)
SIZES_SMALL = [4000]

# SPECmail2001, architecture white paper v1.00: size in kB and its share in percent; messages in a
# maildrop and their share in percent.
SPECMAIL_SIZES = {1: 10.20, 2: 30.71, 3: 20.59, 4: 10.78, 5: 5.88, 6: 3.74, 10: 7.44, 100: 9.79, 1000: 0.69,
                  2675: 0.18}
SPECMAIL_COUNTS = [26.50, 16.11, 12.25, 9.61, 7.56, 5.95, 4.68, 3.69, 2.90, 2.29, 1.80, 1.42, 1.12, 0.88, 0.69,
                   0.54, 0.43, 0.34, 0.27, 0.21, 0.16, 0.13, 0.10, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02]


@dataclasses.dataclass(frozen=True)
class MailSet:
    """Users `prefix`0 to `prefix`(users - 1), each with the same messages."""
    prefix: str
    users: int
    messages: int
    sizes: tuple = tuple(SIZES_SMALL)  # taken in turn
    crlf: bool = False
    scheme: str = "PLAIN"

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

    def files_of(self, octets, crlf):
        """Paths of POOL_FILES messages of `octets` on the wire."""
        key = (octets, crlf)
        if key not in self.files:
            self.files[key] = [self._write(octets, crlf, variant) for variant in range(POOL_FILES)]
        return self.files[key]

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
        self.delivered = 0

    def mail_folder(self, server):
        return os.path.join(self.folder, f"mail-{server}")

    def make(self, server, mail_set):
        """The maildirs of `mail_set`; once."""
        if (server, mail_set.prefix) in self.made:
            return
        self.made.add((server, mail_set.prefix))
        for number in range(mail_set.users):
            maildir = self._maildir(server, f"{mail_set.prefix}{number}")
            sizes = [mail_set.sizes[n % len(mail_set.sizes)] for n in range(mail_set.messages)]
            self._deliver(maildir, sizes, mail_set.crlf, 0)
        self._give(server)

    def refill(self, server, prefix, counts):
        """New maildirs in place of those of `prefix`: user n has counts[n], a list of octets."""
        for number, sizes in enumerate(counts):
            name = f"{prefix}{number}"
            shutil.rmtree(os.path.join(self.mail_folder(server), name), ignore_errors=True)
            self._deliver(self._maildir(server, name), sizes, False, self.delivered)
            self.delivered += len(sizes)
        self._give(server)

    def _maildir(self, server, user):
        maildir = os.path.join(self.mail_folder(server), user)
        for part in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(maildir, part))
        return maildir

    def _deliver(self, maildir, sizes, crlf, first):
        cur = os.path.join(maildir, "cur")
        for number, octets in enumerate(sizes, first):
            path = self.pool.files_of(octets, crlf)[number % POOL_FILES]
            os.link(path, os.path.join(cur, file_name(number)))

    def _give(self, server):
        if self.owner is None:
            return
        for folder, _, _ in os.walk(self.mail_folder(server)):
            os.chown(folder, *self.owner)
        for name in os.listdir(self.pool.folder):
            os.chown(os.path.join(self.pool.folder, name), *self.owner)


def passwd_lines(mail_sets, hashes):
    """The passwd-file: hashes[scheme] is a list of {SCHEME}hash, taken in turn."""
    for mail_set in mail_sets:
        known = hashes[mail_set.scheme]
        for number in range(mail_set.users):
            yield f"{mail_set.prefix}{number}:{known[number % len(known)]}\n"


def specmail_maildrops(users, chance):
    """Octets of the messages of each of `users` maildrops, drawn from SPECmail2001's tables."""
    counts = chance.choices(range(len(SPECMAIL_COUNTS)), SPECMAIL_COUNTS, k=users)
    kilobytes, shares = list(SPECMAIL_SIZES), list(SPECMAIL_SIZES.values())
    return [[1000 * each for each in chance.choices(kilobytes, shares, k=count)] for count in counts]
