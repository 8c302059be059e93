"""The power goes: ext4 and xfs on a loop device are shut down without a flush, and mounted again.

What UPDATE acknowledged does not come back, what was not marked is whole, and the next server needs no
repair (a torn restante.index is made again, which its log tells). RESTANTE_POWER_CUTS=all cuts before
and after every operation of a session, on each ring, else at those that write to the disk or wait for it,
on the ring that run.py is told.
"""
import concurrent.futures
import os
import random

import ending_server
import harness
import image_mount
import removal

CUTS_EVERYWHERE = os.environ.get("RESTANTE_POWER_CUTS") == "all"
# What writes to the disk, or waits for it.
KINDS = ending_server.KINDS if CUTS_EVERYWHERE else ("replace_file", "remove", "sync")
OPERATIONS_MAX = 100  # of a kind; more than any session has
USERS = [f"user{number}" for number in range(16)]
CUTS_OF_MANY = 20 if CUTS_EVERYWHERE else 3
CUTS_OF_CONTROL = 3


class PowerCuts:
    """Of a world whose mail is on a file system of its own."""

    file_system = None

    def setUp(self):
        super().setUp()
        ending_server.need(self)

    def make_world(self, backend=None):
        world = ending_server.EndingWorld(self, backend)
        return world, image_mount.ImageMount(self, world, self.file_system)

    def cut(self, mount, server):
        """The power goes, and comes back."""
        mount.shut_down()
        server.kill()
        mount.mount_again()

    def check_next_start(self, world, sessions, what, bounds=None):
        server = ending_server.EndingServer(self, world)
        for session in sessions:
            try:
                removal.check(world, server, session, session.user, bounds)
            except Exception as fault:
                raise AssertionError(f"{what}: {fault}\n{session.said}\n{server.log()}") from fault
        torn = "restante.index is damaged"
        self.assertEqual([line for line in server.complaints() if torn not in line], [])
        server.kill()

    def cut_at(self, world, mount, ending):
        """False: the session was over before."""
        removal.deliver(world)
        mount.sync()
        server = ending_server.EndingServer(self, world, ending)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            running = pool.submit(removal.Session(world.port).run)
            harness.wait_until(lambda: running.done() or server.has_stopped_or_ended(), ending,
                               harness.SECONDS_TO_STOP)
            was_stopped = server.has_stopped_or_ended()
            self.cut(mount, server)
            session = running.result()
        bounds = removal.gone_when_cut(session, ending) if was_stopped else None
        self.check_next_start(world, [session], ending, bounds)
        return was_stopped

    def test_cut_before_and_after_operations(self):
        for backend in ending_server.BACKENDS if CUTS_EVERYWHERE else (None,):
            with self.subTest(backend=backend):
                self.cut_everywhere(*self.make_world(backend))

    def cut_everywhere(self, world, mount):
        for kind in KINDS:
            for number in range(1, OPERATIONS_MAX):
                if not self.cut_at(world, mount, f"before {kind} {number} STOP"):
                    break
                self.cut_at(world, mount, f"after {kind} {number} STOP")

    def test_cut_right_after_the_reply_to_quit(self):
        world, mount = self.make_world()
        removal.deliver(world)
        mount.sync()
        server = ending_server.EndingServer(self, world)
        session = removal.Session(world.port).run()
        self.cut(mount, server)
        self.assertTrue(session.is_acknowledged, session.said)
        self.check_next_start(world, [session], "after the reply")

    def test_cut_in_the_midst_of_many_sessions(self):
        """The server lives on without its disk for a moment, and must not take silence for success."""
        world, mount = self.make_world()
        world.set_users(*USERS)
        randomness = random.Random(1)
        for _ in range(CUTS_OF_MANY):
            for user in USERS:
                removal.deliver(world, user)
            mount.sync()
            server = ending_server.EndingServer(self, world)
            sessions = [removal.Session(world.port, user) for user in USERS]
            with concurrent.futures.ThreadPoolExecutor(len(USERS)) as pool:
                running = [pool.submit(session.run) for session in sessions]
                quitting = randomness.randrange(1, len(USERS))
                harness.wait_until(lambda: sum(session.has_quit for session in sessions) >= quitting,
                                   f"{quitting} sessions at QUIT")
                self.cut(mount, server)
                for each in running:
                    each.result()
            said = (f"{sum(session.is_acknowledged for session in sessions)} acknowledged, "
                    f"{sum(session.has_quit for session in sessions)} at QUIT")
            if os.environ.get("SHOW"):
                print(self.file_system, said)
            self.check_next_start(world, sessions, said)

    def test_without_durable_they_come_back(self):
        """A cut that takes nothing back would prove nothing. Who syncs the whole machine spoils one."""
        self.assertTrue(any(self.comes_back_unsynced() for _ in range(CUTS_OF_CONTROL)))

    def comes_back_unsynced(self):
        world, mount = self.make_world()
        world.config = world.configuration(pop3={"durable": "false"})
        removal.deliver(world)
        mount.sync()
        server = ending_server.EndingServer(self, world)
        session = removal.Session(world.port).run()
        self.cut(mount, server)
        self.assertTrue(session.is_acknowledged, session.said)
        found = removal.look(ending_server.EndingServer(self, world))
        return [each for each, _ in found] == [removal.unique_id(name) for _, name, *_ in removal.MESSAGES]

    def look_after_cut(self, meddle):
        """What the next server finds after a session that marked message 1 and was told that it is
        removed; another program had its hands in the maildrop between DELE and QUIT."""
        world, mount = self.make_world()
        maildrop = removal.deliver(world)
        mount.sync()
        # The time at which a folder was read is a change of it, which has the others written with it.
        self.assertEqual(mount.remount("noatime"), "")
        server = ending_server.EndingServer(self, world)
        with harness.Client(world.port) as client:
            self.assert_starts(client.log_in(), "+OK")
            self.assert_starts(client.ask("DELE 1"), "+OK")
            meddle(maildrop, mount)
            self.assert_starts(client.ask("QUIT"), "+OK")
        self.cut(mount, server)
        return removal.look(ending_server.EndingServer(self, world))

    def assert_only_the_first_is_gone(self, found):
        self.assertEqual([each for each, _ in found],
                         [removal.unique_id(name) for _, name, *_ in removal.MESSAGES[1:]])

    def test_cut_after_another_program_removed_what_was_marked(self):
        """Gone already counts as removed: so it must stay gone."""
        def meddle(maildrop, _):
            os.unlink(os.path.join(maildrop, *removal.MESSAGES[0][:2]))
        self.assert_only_the_first_is_gone(self.look_after_cut(meddle))

    def test_cut_after_another_program_moved_and_removed_what_was_marked(self):
        """From new/, the folder it was indexed in, to cur/: only the latter is not on the disk."""
        def meddle(maildrop, mount):
            folder, name, *_ = removal.MESSAGES[0]
            moved = os.path.join(maildrop, "cur", name + ":2,S")
            os.rename(os.path.join(maildrop, folder, name), moved)
            mount.sync()
            os.unlink(moved)
        self.assert_only_the_first_is_gone(self.look_after_cut(meddle))

    def test_cut_after_another_program_replaced_what_was_marked(self):
        """Another file under its name: that one is nobody's to remove, and the marked one is gone."""
        text = b"From: another\r\n\r\nprogram\r\n"

        def meddle(maildrop, mount):
            made = os.path.join(maildrop, "tmp", "replacement")
            with open(made, "wb") as file:
                file.write(text)
            harness.give_to_nobody(made)
            mount.sync()
            os.rename(made, os.path.join(maildrop, *removal.MESSAGES[0][:2]))
        found = self.look_after_cut(meddle)
        self.assertEqual([octets for _, octets in found],
                         [text, *(harness.crlf_form(octets) for _, _, octets, _ in removal.MESSAGES[1:])])

    def test_unique_ids_of_messages_with_one_name_outlive_a_cut(self):
        """Of two files with one name only the index remembers which had the name as its unique-id: the
        other one must not get it when the first is removed."""
        world, mount = self.make_world()
        for folder, text in (("new", b"From: a\r\n\r\none\r\n"), ("cur", b"From: b\r\n\r\ntwo\r\n")):
            world.deliver(text, "1130000000.M1P2.pop", folder)
        mount.sync()
        server = ending_server.EndingServer(self, world)
        shown = removal.look(server)
        named = [each for each, _ in shown].index("1130000000.M1P2.pop")
        with harness.Client(world.port) as client:
            self.assert_starts(client.log_in(), "+OK")
            self.assert_starts(client.ask(f"DELE {named + 1}"), "+OK")
            self.assert_starts(client.ask("QUIT"), "+OK")
        self.cut(mount, server)
        del shown[named]
        self.assertEqual(removal.look(ending_server.EndingServer(self, world)), shown)


class Ext4PowerCutTest(PowerCuts, harness.SystemTest):
    """The journal is on the disk after a cut, and nothing else."""

    file_system = "ext4"


class XfsPowerCutTest(PowerCuts, harness.SystemTest):
    """The same of its log."""

    file_system = "xfs"
