"""A user whose disk takes a second for every read costs the others nothing that a client would notice. Figures are
printed. (slow_disk_test.py: what else may be slow, and that nobody waits for it.)"""
import time

import harness
import mirror_mount
import overload

SECONDS_OF_DELAY = 1
SECONDS = overload.scaled(60, 12, 12)
SLOW = "slow"
SLOW_MESSAGE = b"Subject: slow\r\n\r\n" + b"a line\r\n" * 10


class SlowDiskBesideOthersTest(overload.Overload):
    """The twin's mail is on such a file system, too, and none of its users is slow."""

    judges_p99 = True  # of hundreds of polls

    def setUp(self):
        super().setUp()
        mirror_mount.need_fuse(self)
        self.mount, _ = (mirror_mount.MirrorMount(self, world, world.mail)
                         for world in (self.world, self.twin_world))

    def test_others_keep_their_p99_beside_slow_reads(self):
        self.begin(users=[SLOW], runtime={"reactors": "1"})  # what stalls it, stalls everybody
        self.world.deliver(SLOW_MESSAGE, user=SLOW)
        reads = f"read /{SLOW} {SECONDS_OF_DELAY * 1000}"
        self.mount.suffer(reads)
        what = f"a user whose every read takes {SECONDS_OF_DELAY} s"
        with self.load(what, {"connections": 1, "message buffers": 1}):
            self.fetch_for(SECONDS)
        # Or nothing was shown. (A session waits for at most as long again for other things.)
        self.assertGreaterEqual(self.mount.suffered(reads), SECONDS // (2 * SECONDS_OF_DELAY))
        self.server.stop()

    def fetch_for(self, seconds):
        """The slow user's sessions, one after the other."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            with self.server.logged_in(SLOW) as client:
                self.assertEqual(client.retrieve(1), SLOW_MESSAGE)
                self.assert_starts(client.ask("QUIT"), "+OK")
