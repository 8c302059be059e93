"""Mail on a slow disk delays whose it is, and nobody else."""
import os
import subprocess
import threading
import time
import unittest

import harness
import mirror_mount

SECONDS_OF_DELAY = 1
DELAY = f"{SECONDS_OF_DELAY * 1000}"
# What no other session may take: sessions follow each other so fast that one which waits for a slow
# request waits for nearly all of it. On a busy machine they take a tenth of it.
SECONDS_OF_OTHERS_MAX = 0.9 * SECONDS_OF_DELAY
SECONDS_FOR_THE_SLOW = 120
SLOW_MESSAGES = 2
OTHERS = 3


def message(user, number):
    return f"From: a@example.org\r\nSubject: {user} {number}\r\n\r\n".encode() + b"line\r\n" * number


class Others:
    """Users whose disk is not slow: polls and fetches, one session after the other, on a thread each.
    Some sessions find new mail: then the folders are listed and the index is written."""

    def __init__(self, world, server, users):
        self.world = world
        self.server = server
        self.seconds = []
        self.broken = []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(user,)) for user in users]

    def _run(self, user):
        number = 1
        try:
            while not self.is_over.wait(0.02):
                if len(self.seconds) % 4 == 0:
                    number += 1
                    self._deliver(user, number)
                began = time.monotonic()
                self._session(user, number)
                self.seconds.append(time.monotonic() - began)
        except Exception as error:  # pylint: disable=broad-except
            self.broken.append(f"{user}: {error!r}")

    def _deliver(self, user, number):
        maildrop = os.path.join(self.world.mail, *reversed(user.split("@")))
        part = os.path.join(maildrop, "tmp", f"{number}")
        with open(part, "wb") as file:
            file.write(message(user, number))
        harness.give_to_nobody(part)
        os.rename(part, os.path.join(maildrop, "new", f"{1700000000 + number}.M1P1.post"))

    def _session(self, user, number):
        with harness.Client(self.server.port) as client:
            reply = client.log_in(user)
            assert reply.startswith("+OK"), reply
            assert len(client.listing("UIDL")) == number
            assert client.retrieve(number) == message(user, number)
            assert client.ask("QUIT").startswith("+OK")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


class SlowDiskTest(harness.SystemTest):
    """A file system that delays requests by a second, for some users."""

    def setUp(self):
        super().setUp()
        mirror_mount.need_fuse(self)
        self.others = [f"other{number}@fast" for number in range(OTHERS)]
        self.users = list(self.others)

    def add_slow_users(self, count):
        slow = [f"slow{number}@slow" for number in range(count)]
        self.users += slow
        return slow

    def deliver(self):
        self.world.set_users(*self.users)
        for user in self.users:
            local, domain = user.split("@")
            for number in range(1, SLOW_MESSAGES + 1 if domain == "slow" else 2):
                self.world.deliver(message(user, number), user=f"{domain}/{local}")

    def serve(self):
        """One reactor: what stalls it, stalls everybody."""
        return self.world.serve(
            storage={"maildir": f'"{self.world.mail}/{{domain}}/{{local}}"'}, runtime={"reactors": "1"})

    def fetch_all(self, server, user, deletes=False):
        with harness.Client(server.port, timeout=SECONDS_FOR_THE_SLOW) as client:
            self.assert_starts(client.log_in(user), "+OK")
            for number in range(1, SLOW_MESSAGES + 1):
                self.assertEqual(client.retrieve(number), message(user, number))
            if deletes:
                self.assert_starts(client.ask("DELE 1"), "+OK")
            self.assert_starts(client.ask("QUIT"), "+OK")

    def fetch_at_once(self, server, users, deletes):
        """A session of each slow user, all at about the same time."""
        broken = []

        def fetch(user):
            try:
                self.fetch_all(server, user, deletes)
            except Exception as error:  # pylint: disable=broad-except
                broken.append(f"{user}: {error!r}")

        threads = [threading.Thread(target=fetch, args=(user,)) for user in users]
        began = time.monotonic()
        for thread in threads:
            thread.start()
            time.sleep(0.2 if deletes else 0)  # what one writes meets what the next one reads
        for thread in threads:
            thread.join()
        self.assertEqual(broken, [], server.log())
        return time.monotonic() - began

    def check_isolation(self, server, slow, deletes=False):
        """The slow get their mail, late; the others do not notice."""
        with Others(self.world, server, self.others) as others:
            seconds = self.fetch_at_once(server, slow, deletes)
        self.assertEqual(others.broken, [], server.log())
        self.assertGreater(seconds, SECONDS_OF_DELAY)  # or nothing was shown
        self.assertGreater(len(others.seconds), 20)
        if os.environ.get("SHOW"):
            print(self.id(), "%.1f" % seconds, len(others.seconds), sorted(others.seconds)[-3:])
        self.assertLess(max(others.seconds), SECONDS_OF_OTHERS_MAX)
        server.stop()

    def test_reads_delayed_for_one_user_of_a_fuse_root(self):
        slow = self.add_slow_users(1)
        self.deliver()
        mount = mirror_mount.MirrorMount(self, self.world, self.world.mail)
        mount.suffer(f"read /slow {DELAY}")
        self.check_isolation(self.serve(), slow)

    def test_reads_delayed_for_more_users_of_a_fuse_root_than_there_are_helpers(self):
        slow = self.add_slow_users(24)
        self.deliver()
        mount = mirror_mount.MirrorMount(self, self.world, self.world.mail)
        mount.suffer(f"read /slow {DELAY}")
        self.check_isolation(self.serve(), slow)

    def test_closes_delayed_for_one_user_of_a_fuse_root(self):
        slow = self.add_slow_users(1)
        self.deliver()
        mount = mirror_mount.MirrorMount(self, self.world, self.world.mail)
        mount.suffer(f"flush /slow {DELAY}")
        self.check_isolation(self.serve(), slow)

    def test_reads_delayed_on_a_mount_below_a_local_root(self):
        slow = self.add_slow_users(24)
        self.deliver()
        mount = mirror_mount.MirrorMount(self, self.world, os.path.join(self.world.mail, "slow"))
        mount.suffer(f"read / {DELAY}")
        self.check_isolation(self.serve(), slow)

    def test_all_delayed_on_a_mount_below_a_local_root(self):
        slow = self.add_slow_users(1)
        self.deliver()
        mount = mirror_mount.MirrorMount(self, self.world, os.path.join(self.world.mail, "slow"))
        server = self.serve()
        self.fetch_all(server, slow[0])  # its index is made while all is well
        mount.suffer(f"any / {DELAY}")
        self.check_isolation(server, slow)

    def slow_local_disk(self):
        """ext4 on an image on a disk that obeys rules, with nothing of it cached: its mount."""
        if not harness.is_root():
            self.skipTest("needs root to mount a loop device")
        folder = os.path.join(self.world.mail, "slow")
        disk = os.path.join(self.world.root, "disk")
        os.mkdir(disk)
        os.mkdir(folder)
        image = os.path.join(disk, "image")
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        self.mount_image(image, folder)
        self.addCleanup(subprocess.run, ["umount", "-q", folder], check=False)
        self.deliver()
        subprocess.run(["umount", folder], check=True)
        mount = mirror_mount.MirrorMount(self, self.world, disk)
        self.mount_image(image, folder)
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=False)
        self.addCleanup(mount.suffer)  # or unmounting would
        return mount

    def mount_image(self, image, folder):
        mounted = subprocess.run(["mount", "-o", "loop", image, folder], check=False,
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"no loop device can be mounted: {mounted.stderr.strip()}")

    def test_cold_files_of_a_slow_local_disk(self):
        slow = self.add_slow_users(2)
        mount = self.slow_local_disk()
        mount.suffer(f"read / {DELAY}")
        self.check_isolation(self.serve(), slow)

    def test_slow_writes_of_a_local_disk(self):
        """Its journal is always being written: who reads must not wait for it, not even to note when."""
        slow = self.add_slow_users(8)
        mount = self.slow_local_disk()
        mount.suffer(f"write / {DELAY}", f"fsync / {DELAY}")
        self.check_isolation(self.serve(), slow, deletes=True)
