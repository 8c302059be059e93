"""Maildirs of every mail set for every server, below one folder.

`pop3load seed` makes each mail set once, and every server gets hard links to it, so that all read the same pages of
the same cache; but each server has directories of its own, because each keeps an index there. Everything is seen
mail in cur/. Names have no S= and no W=: Dovecot 2.3 needs twice the time for a maildrop of 10,000 messages whose
names have them (25 instead of 13 ms a poll), and this is no place to pick the worse.
"""
import os
import shutil
import subprocess

import load
import maildrops

MAILDIR_PARTS = ("new", "cur", "tmp")


class Store:
    def __init__(self, folder, owner, pop3load):
        self.folder = folder
        self.owner = owner  # (uid, gid), None: whoever runs this
        self.pop3load = pop3load
        self.seeded = os.path.join(folder, "seeded")
        self.made = set()   # (server, prefix); (None, prefix): seeded

    def mail_folder(self, server):
        return os.path.join(self.folder, f"mail-{server}")

    def make(self, server, mail_set):
        """The maildirs of `mail_set`; once."""
        if (server, mail_set.prefix) in self.made:
            return
        target = self.mail_folder(server)
        os.makedirs(target, exist_ok=True)
        if self.owner is not None:
            os.chown(target, *self.owner)
        self._seed(mail_set)
        if mail_set.messages > 0:
            seeded = [os.path.join(self.seeded, mail_set.prefix, f"{mail_set.prefix}{number}")
                      for number in range(mail_set.users)]
            subprocess.run(["cp", "--archive", "--link", "--target-directory", target, *seeded], check=True)
        self.made.add((server, mail_set.prefix))

    def _seed(self, mail_set):
        """Sizes one after the other, since a maildrop has exactly so many messages of each."""
        if (None, mail_set.prefix) in self.made:
            return
        for number, (octets, messages) in enumerate(mail_set.counts().items(), 1):
            load.seed(self.pop3load, os.path.join(self.seeded, mail_set.prefix, "{user}"), mail_set.user_format(),
                      mail_set.users, self.owner, "--messages", str(messages), "--sizes", str(octets),
                      "--line-ends", "wire-ready" if mail_set.crlf else "lf",
                      "--pool", str(maildrops.POOL_FILES), "--seed", str(number))
        self.made.add((None, mail_set.prefix))

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


def remove(entry):
    """A file, or a folder with all in it."""
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path)
    else:
        os.remove(entry.path)
