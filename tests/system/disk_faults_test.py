"""Disks that are full, over quota, read-only, broken or slow: what the server says of a removal is true,
no message is lost or changed, and all is well again once the disk is.
"""
import collections
import concurrent.futures
import errno
import itertools
import os
import time

import ending_server
import harness
import image_mount
import mirror_mount
import removal

# Of mirror_fs (tests/fuse): an operation, its error, whether it fails from before the login on (early)
# or only after it, and the command that is refused then; "": none.
Fault = collections.namedtuple("Fault", "operation error when refused")


def faults(operations, errors, **refused):
    """`refused`: of early, late or both; of that which is left out there is no such operation."""
    for operation, error, when in itertools.product(operations.split(), errors.split(), refused):
        yield Fault(operation, error, when, refused[when])


ERRORS_OF_WRITING = "EIO ENOSPC EDQUOT EROFS"
FAULTS = [
    *faults("opendir", "EIO", early="PASS", late="QUIT"),
    *faults("readdir", "EIO", early="PASS"),
    *faults("getattr", "EIO", early="PASS", late="RETR"),
    # A message that cannot be read is listed: nobody must take it for gone.
    *faults("open read", "EIO", early="RETR", late="RETR"),
    *faults("unlink fsyncdir", ERRORS_OF_WRITING, early="QUIT", late="QUIT"),
    # Only the index is written, at the login: it can be done without.
    *faults("create write rename", ERRORS_OF_WRITING, early=""),
    *faults("flush", "EIO", early="", late=""),
]
# Longer than all buffers on the way to a client.
LONG = b"Subject: long\r\n\r\n" + (b"y" * 77 + b"\r\n") * (24 << 20 >> 6)
# A request of the disk that the server does not live to see the end of.
MILLISECONDS_LONGER_THAN_THE_SERVER = 1500
SECONDS_OF_PATIENCE = 0.3  # in which a reply that is too early would come


def names_but(removed):
    """Base names of the messages whose numbers these are not."""
    return [removal.unique_id(message[1]) for number, message in enumerate(removal.MESSAGES, 1)
            if number not in removed]


class DiskFaultsTest(harness.SystemTest):
    """A world whose mail is on a disk that something is wrong with."""

    def make_world(self):
        return ending_server.EndingWorld(self)

    def check_next_start(self, world, sessions):
        server = ending_server.EndingServer(self, world)
        for session in sessions:
            try:
                removal.check(world, server, session, session.user)
            except Exception as fault:
                raise AssertionError(f"{session.user}: {fault}\n{session.said}\n{server.log()}") from fault
        self.assertEqual(server.complaints(), [])
        server.stop()

    def test_each_operation_fails_with_each_errno(self):
        world = self.make_world()
        users = [f"{fault.operation}-{fault.error}-{fault.when}".lower() for fault in FAULTS]
        world.set_users(*users)
        for user in users:
            removal.deliver(world, user)
        mount = mirror_mount.MirrorMount(self, world, world.mail)
        server = ending_server.EndingServer(self, world)
        sessions = []
        for user, fault in zip(users, FAULTS):
            rule = f"{fault.operation} /{user} 0 {fault.error}"
            if fault.when == "early":
                mount.suffer(rule)
            sessions.append(removal.Session(world.port, user, after_login=lambda: mount.suffer(rule)).run())
            with self.subTest(fault=fault):
                self.assertGreater(mount.suffered(rule), 0, "it has not happened")
                self.assertEqual(sessions[-1].refused, fault.refused, sessions[-1].said)
                if fault.refused:
                    self.assertRegex(sessions[-1].said[-2], r": -ERR \[SYS/(TEMP|PERM)\] ")
        mount.suffer()
        server.kill()
        self.check_next_start(world, sessions)

    def test_an_index_that_cannot_be_synced_is_told_of_where_it_alone_knows_an_id(self):
        """Two files have one name: which had it as its unique-id first must outlive a power cut."""
        world = self.make_world()
        rules = [f"{operation} / 0 {error}" for operation, error in
                 itertools.product(("fsync", "fsyncdir"), ERRORS_OF_WRITING.split())]
        users = [f"user{number}" for number in range(len(rules))]
        world.set_users(*users)
        for user, folder in itertools.product(users, ("new", "cur")):
            world.deliver(f"From: {folder}\n\n".encode(), "1130000000.M1P2.pop", folder, user)
        mount = mirror_mount.MirrorMount(self, world, world.mail)
        server = ending_server.EndingServer(self, world)
        shown = []
        for user, rule in zip(users, rules):
            mount.suffer(rule)
            shown.append(removal.look(server, user))
            self.assertGreater(mount.suffered(rule), 0, f"{rule} has not happened")
        mount.suffer()
        server.stop()
        self.assertEqual(server.log().count("restante.index cannot be written"), len(rules), server.log())
        server = ending_server.EndingServer(self, world)
        self.assertEqual([removal.look(server, user) for user in users], shown)

    def test_all_is_slow(self):
        world = self.make_world()
        removal.deliver(world)
        mount = mirror_mount.MirrorMount(self, world, world.mail)
        mount.suffer("any / 15")
        server = ending_server.EndingServer(self, world)
        session = removal.Session(world.port).run()
        self.assertTrue(session.is_acknowledged, session.said)
        self.assertGreater(mount.suffered("any / 15"), 0, "nothing was slow")
        server.kill()
        self.check_next_start(world, [session])

    def test_a_message_that_breaks_off_is_never_ended(self):
        """A read fails after +OK: only a closed connection keeps a part from being taken for the whole."""
        world = self.make_world()
        world.deliver(LONG)
        mount = mirror_mount.MirrorMount(self, world, world.mail)
        server = ending_server.EndingServer(self, world)
        with harness.Client(world.port) as client:
            self.assert_starts(client.log_in(), "+OK")
            self.assert_starts(client.ask("RETR 1"), "+OK")
            mount.suffer("read / 0 EIO")
            with self.assertRaises(EOFError):
                removal.read_body(client)
            self.assertTrue(client.is_closed())
        server.wait_for_log("Input/output error")

    def killed_during(self, rule, is_reached):
        """The base names that are left when the server is killed while it waits for a disk."""
        world = self.make_world()
        removal.deliver(world)
        mount = mirror_mount.MirrorMount(self, world, world.mail)
        mount.suffer(rule)
        server = ending_server.EndingServer(self, world)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            session = removal.Session(world.port)
            running = pool.submit(session.run)
            harness.wait_until(lambda: is_reached(os.path.join(mount.below, "mrose")), rule)
            time.sleep(SECONDS_OF_PATIENCE)
            server.kill()
            running.result()
        self.assertTrue(session.has_quit, session.said)
        self.assertFalse(session.is_acknowledged, session.said)
        self.assertGreater(mount.suffered(rule), 0, "it has not happened")
        mount.suffer()
        left = sorted(world.stored())
        self.check_next_start(world, [session])
        return left

    def test_killed_between_two_removals(self):
        """The first is gone, the second is not: the second fails, but only after the server's end."""
        first, second = (os.path.join(*removal.MESSAGES[number - 1][:2]) for number in removal.MARKED[:2])
        left = self.killed_during(
            f"unlink /mrose/{second} {MILLISECONDS_LONGER_THAN_THE_SERVER} EIO",
            lambda maildrop: not os.path.exists(os.path.join(maildrop, first)))
        self.assertEqual(left, names_but(removal.MARKED[:1]))

    def test_nothing_is_acknowledged_before_it_is_synced(self):
        last = os.path.join(*removal.MESSAGES[removal.MARKED[-1] - 1][:2])
        left = self.killed_during(
            f"fsyncdir /mrose {MILLISECONDS_LONGER_THAN_THE_SERVER} EIO",
            lambda maildrop: not os.path.exists(os.path.join(maildrop, last)))
        self.assertEqual(left, names_but(removal.MARKED))

    def fill(self, folder, error):
        """Until there is no more room; what fills it."""
        path = os.path.join(folder, "filler")
        with open(path, "wb", buffering=0) as file:
            harness.give_to_nobody(path)
            for octets in (1 << 20, 1 << 10):
                with self.assertRaises(OSError) as full:
                    while True:
                        file.write(b"x" * octets)
                        os.fsync(file.fileno())
                self.assertEqual(full.exception.errno, error)
        return path

    def session_without_room(self, world, mount, error):
        """login, RETR, DELE and QUIT go well, and once there is room, the index is written."""
        removal.deliver(world)
        mount.sync()
        filler = self.fill(mount.folder, error)
        server = ending_server.EndingServer(self, world)
        session = removal.Session(world.port).run()
        os.unlink(filler)
        server.kill()
        self.check_next_start(world, [session])
        return session, server.log()

    def test_full_disk(self):
        world = self.make_world()
        mount = image_mount.ImageMount(self, world, "ext4", mebibytes=8, make=("-m", "0"))
        session, log = self.session_without_room(world, mount, errno.ENOSPC)
        self.assertTrue(session.is_acknowledged, f"{session.said} {log}")
        self.assertIn("restante.index cannot be written: No space left on device", log)

    def test_no_inode_left(self):
        world = self.make_world()
        mount = image_mount.ImageMount(self, world, "ext4", mebibytes=8, make=("-N", "32"))
        removal.deliver(world)
        with self.assertRaises(OSError) as full:
            for number in itertools.count():
                with open(os.path.join(mount.folder, f"filler-{number}"), "wb"):
                    pass
        self.assertEqual(full.exception.errno, errno.ENOSPC)
        server = ending_server.EndingServer(self, world)
        session = removal.Session(world.port).run()
        self.assertTrue(session.is_acknowledged, session.said)
        self.assertIn("restante.index cannot be written: No space left on device", server.log())
        server.kill()
        os.unlink(os.path.join(mount.folder, "filler-0"))
        self.check_next_start(world, [session])

    def test_quota_exceeded(self):
        world = self.make_world()
        mount = image_mount.ImageMount(self, world, "btrfs", mebibytes=128)
        for command in (("quota", "enable"), ("qgroup", "limit", "2M")):
            if complaint := image_mount.run("btrfs", *command, mount.folder):
                self.skipTest(f"no quotas: btrfs {' '.join(command)}: {complaint}")
        session, log = self.session_without_room(world, mount, errno.EDQUOT)
        self.assertTrue(session.is_acknowledged, f"{session.said} {log}")
        self.assertIn("restante.index cannot be written: Disk quota exceeded", log)

    def test_disk_becomes_read_only(self):
        world = self.make_world()
        mount = image_mount.ImageMount(self, world, "ext4")
        removal.deliver(world)
        server = ending_server.EndingServer(self, world)
        session = removal.Session(world.port, after_login=lambda: mount.remount("ro")).run()
        self.assertEqual(session.refused, "QUIT", session.said)
        self.assertEqual(len(removal.look(server)), len(removal.MESSAGES))
        server.kill()
        server = ending_server.EndingServer(self, world)
        self.assertEqual(len(removal.look(server)), len(removal.MESSAGES))
        self.assertEqual(mount.remount("rw"), "")
        session = removal.Session(world.port).run()
        self.assertTrue(session.is_acknowledged, session.said)
        server.kill()
        self.check_next_start(world, [session])
