"""The users and their mail: every server gets the same."""
import collections
import dataclasses

PASSWORD = "secret"
POOL_FILES = 64  # of each size at least: no maildrop has a file twice

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
    crlf: bool = False  # ready for the wire: no line begins with a dot
    scheme: str = "PLAIN"

    def user_format(self):
        return self.prefix + "{}"

    def counts(self):
        """How many messages of each size a maildrop has: {octets on the wire: messages}."""
        return collections.Counter(self.sizes[number % len(self.sizes)] for number in range(self.messages))


def passwd_lines(mail_sets, hashes):
    """The passwd-file: hashes[scheme] is a list of {SCHEME}hash, taken in turn."""
    for mail_set in mail_sets:
        known = hashes[mail_set.scheme]
        for number in range(mail_set.users):
            yield f"{mail_set.prefix}{number}:{known[number % len(known)]}\n"
