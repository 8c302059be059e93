"""Maildrops as an operator meets them: locked, missing, unreadable, full, damaged."""
import contextlib
import os
import random
import subprocess
import unittest

import harness

MESSAGE = b"From: a@example.org\r\nSubject: one\r\n\r\nhello\r\n"


class LockTest(harness.SystemTest):
    """Exclusive access (RFC 1939 section 4)."""

    def setUp(self):
        super().setUp()
        self.world.deliver(MESSAGE)

    def test_a_second_login_is_refused_until_the_first_ends(self):
        server = self.world.serve()
        first = server.logged_in()
        for _ in range(4):  # whichever reactor it lands on
            with harness.Client(server.port) as second:
                self.assert_starts(second.log_in(), "-ERR [IN-USE]")
                self.assert_starts(second.log_in(), "-ERR [IN-USE]")  # the connection lives on
        self.assert_starts(first.ask("QUIT"), "+OK")
        with harness.Client(server.port) as third:  # at once: the lock is gone before the reply to QUIT
            self.assert_starts(third.log_in(), "+OK")
        server.stop()

    def test_a_second_server_respects_the_lock_of_the_first(self):
        first = self.world.serve()
        second = self.world.serve(port=harness.free_port())
        client = first.logged_in()
        with harness.Client(second.port) as other:
            self.assert_starts(other.log_in(), "-ERR [IN-USE]")
        client.ask("QUIT")
        with harness.Client(second.port) as other:
            self.assert_starts(other.log_in(), "+OK")

    def test_the_lock_dies_with_a_killed_server(self):
        first = self.world.serve()
        first.logged_in()
        first.kill()
        self.world.serve(port=harness.free_port()).logged_in()

    def test_a_lost_connection_frees_the_lock_and_removes_nothing(self):
        server = self.world.serve()
        client = server.logged_in()
        self.assert_starts(client.ask("DELE 1"), "+OK")
        client.close()
        self.assertEqual(server.logged_in().ask("STAT"), f"+OK 1 {len(MESSAGE)}")
        self.assertEqual(list(self.world.stored().values()), [MESSAGE])


class MissingTest(harness.SystemTest):
    """What is not there."""

    def test_a_user_without_a_maildrop_has_an_empty_one_and_nothing_is_created(self):
        server = self.world.serve()
        client = server.logged_in()
        self.assertEqual(client.ask("STAT"), "+OK 0 0")
        self.assertEqual(client.listing("UIDL"), [])
        self.assert_starts(client.ask("QUIT"), "+OK")
        self.assertEqual(os.listdir(self.world.mail), [])
        server.stop()

    def test_a_missing_mail_root_is_sys_temp_and_logged(self):
        self.world.deliver(MESSAGE)
        server = self.world.serve()
        os.rename(self.world.mail, self.world.mail + ".away")
        with harness.Client(server.port) as client:
            self.assert_starts(client.log_in(), "-ERR [SYS/TEMP]")
        server.wait_for_log("error: .*" + self.world.mail)
        os.rename(self.world.mail + ".away", self.world.mail)
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)

    def test_a_server_started_without_its_mail_root_says_sys_temp_not_empty(self):
        os.rmdir(self.world.mail)
        server = self.world.serve()
        with harness.Client(server.port) as client:
            self.assert_starts(client.log_in(), "-ERR [SYS/TEMP]")
        self.assertFalse(os.path.exists(self.world.mail))

    def test_a_message_removed_by_another_program_refuses_its_retr_only(self):
        first = self.world.deliver(MESSAGE)
        self.world.deliver(MESSAGE + b"two\r\n")
        server = self.world.serve()
        client = server.logged_in()
        os.remove(first)
        self.assert_starts(client.ask("RETR 1"), "-ERR")
        self.assertEqual(client.retrieve(2), MESSAGE + b"two\r\n")
        self.assert_starts(client.ask("DELE 1"), "+OK")
        self.assert_starts(client.ask("QUIT"), "+OK")  # already gone counts as done
        self.assertEqual(len(self.world.stored()), 1)


class UnreadableTest(harness.SystemTest):
    """Permissions, with a server that has none of root's."""

    def test_an_unreadable_message_refuses_its_retr_and_the_session_goes_on(self):
        first = self.world.deliver(MESSAGE)
        self.world.deliver(b"Subject: two\r\n\r\n")
        os.chmod(first, 0)
        server = self.world.serve()
        client = server.logged_in()
        self.assertEqual(len(client.listing("UIDL")), 2)  # listed, not hidden
        self.assert_starts(client.ask("RETR 1"), "-ERR [SYS/")
        self.assert_starts(client.ask("TOP 1 0"), "-ERR [SYS/")
        self.assertEqual(client.retrieve(2), b"Subject: two\r\n\r\n")
        client.ask("QUIT")
        server.wait_for_log("(?i)error: .*permission denied")
        os.chmod(first, 0o600)
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)

    def test_an_unreadable_maildrop_is_refused_and_logged_not_empty(self):
        self.world.deliver(MESSAGE)
        new = os.path.join(self.world.maildrop(), "new")
        os.chmod(new, 0)
        server = self.world.serve()
        with harness.Client(server.port) as client:
            self.assert_starts(client.log_in(), "-ERR [SYS/")
        server.wait_for_log("(?i)error: .*" + self.world.maildrop() + ".*permission denied")
        os.chmod(new, 0o700)
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)

    def test_messages_that_cannot_be_removed_are_told_and_kept(self):
        self.world.deliver(MESSAGE)
        server = self.world.serve()
        client = server.logged_in()
        self.assert_starts(client.ask("DELE 1"), "+OK")
        new = os.path.join(self.world.maildrop(), "new")
        os.chmod(new, 0o500)
        self.assert_starts(client.ask("QUIT"), "-ERR [SYS/TEMP]")
        os.chmod(new, 0o700)
        self.assertEqual(list(self.world.stored().values()), [MESSAGE])
        server.wait_for_log("(?i)error: .*permission denied")

    def test_a_read_only_maildrop_is_served_without_an_index(self):
        self.world.deliver(MESSAGE)
        maildrop = self.world.maildrop()
        os.chmod(maildrop, 0o500)
        server = self.world.serve()
        for _ in range(2):
            client = server.logged_in()
            self.assertEqual(client.retrieve(1), MESSAGE)
            self.assert_starts(client.ask("QUIT"), "+OK")
        self.assertNotIn("restante.index", os.listdir(maildrop))
        os.chmod(maildrop, 0o700)
        server.stop()

    def test_symbolic_links_folders_and_dot_files_are_not_messages(self):
        self.world.deliver(MESSAGE)
        new = os.path.join(self.world.maildrop(), "new")
        os.symlink("/etc/passwd", os.path.join(new, "1700000001.link"))
        os.mkfifo(os.path.join(new, "1700000002.fifo"))
        os.mkdir(os.path.join(new, "1700000003.folder"))
        self.world.write(os.path.join(new, ".hidden"), MESSAGE)
        client = self.world.serve().logged_in()
        self.assertEqual(client.ask("STAT"), f"+OK 1 {len(MESSAGE)}")


class FullDiskTest(harness.SystemTest):
    """A mail root without a free octet: reading and deleting go on."""

    @unittest.skipUnless(harness.is_root(), "needs root to mount a tmpfs")
    def test_a_full_disk_costs_the_index_and_nothing_else(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", self.world.mail], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.world.mail], check=False)
        for _ in range(3):
            self.world.deliver(MESSAGE)
        filler = os.path.join(self.world.mail, "filler")
        while os.statvfs(self.world.mail).f_bavail > 0:  # a refusal may come before the last page is taken
            with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 1024)
        server = self.world.serve()
        client = server.logged_in()
        ids = client.listing("UIDL")
        self.assertEqual(client.retrieve(1), MESSAGE)
        self.assert_starts(client.ask("QUIT"), "+OK")
        server.wait_for_log("(?i)(warning|error): .*restante.index.*no space left")
        client = server.logged_in()
        self.assertEqual(client.listing("UIDL"), ids)
        self.assert_starts(client.ask("DELE 2"), "+OK")
        self.assert_starts(client.ask("QUIT"), "+OK")
        self.assertEqual(len(self.world.stored()), 2)
        leftovers = [name for name in os.listdir(self.world.maildrop()) if name not in ("new", "cur", "tmp")]
        self.assertEqual(leftovers, [])
        self.assertEqual(os.listdir(os.path.join(self.world.maildrop(), "tmp")), [])
        os.remove(filler)
        client = server.logged_in()
        self.assertEqual(client.ask("STAT"), f"+OK 2 {2 * len(MESSAGE)}")
        client.close()
        server.stop()


class DamagedIndexTest(harness.SystemTest):
    """restante.index is a cache: any damage changes nothing that a client sees."""

    damages = 200

    def seen(self, server):
        """Everything a client can see of the maildrop."""
        client = server.logged_in()
        seen = [client.ask("STAT"), client.listing("LIST"), client.listing("UIDL"), client.retrieve(3),
                client.ask("TOP 2 0"), client.body()]
        self.assert_starts(client.ask("QUIT"), "+OK")
        client.close()
        return seen

    def damaged(self, octets, dice):
        kind = dice.randrange(4)
        if kind == 0:
            return octets[:dice.randrange(len(octets))]
        if kind == 1:
            return octets + dice.randbytes(dice.randrange(1, 100))
        at = dice.randrange(len(octets))
        if kind == 2:
            return octets[:at] + bytes([octets[at] ^ (1 << dice.randrange(8))]) + octets[at + 1:]
        return octets[:at] + dice.randbytes(dice.randrange(1, 64)) + octets[at:]

    def test_random_damage_changes_nothing_visible(self):
        for number, (_, octets) in enumerate(harness.corpus()[:12]):
            self.world.deliver(octets, name=f"{1700000000 + number}.M{number}P1.post")
        server = self.world.serve(pop3={"durable": "false"})
        expected = self.seen(server)
        index = os.path.join(self.world.maildrop(), "restante.index")
        whole = open(index, "rb").read()
        dice = random.Random(seed := random.randrange(1 << 32))
        for number in range(self.damages // (4 if harness.settings.quick else 1)):
            os.remove(index)
            self.world.write(index, self.damaged(whole, dice))
            if number % 20 == 0:  # whatever the reactors remember of it is gone too
                server.stop()
                server = self.world.serve(pop3={"durable": "false"})
            self.assertEqual(self.seen(server), expected, f"seed {seed}, damage {number}")
        server.stop()

    def test_an_index_of_another_maildrop_changes_nothing_visible(self):
        self.world.set_users("mrose", "other")
        for number in range(4):
            self.world.deliver(MESSAGE + b"x" * number, name=f"{1700000000 + number}.M1P1.post")
            self.world.deliver(MESSAGE + b"other" * number, name=f"{1700000000 + number}.M1P1.post", user="other")
        server = self.world.serve()
        expected = self.seen(server)
        server.logged_in("other").ask("QUIT")
        server.stop()
        with open(os.path.join(self.world.maildrop("other"), "restante.index"), "rb") as file:
            self.world.write(os.path.join(self.world.maildrop(), "restante.index"), file.read())
        self.assertEqual(self.seen(self.world.serve()), expected)
