"""Unique-ids outlive what other programs do to a maildrop (RFC 1939 section 7), and those of a former
server are kept in value and order."""
import os

import harness

NAMES = ["1700000001.M10P1.post", "1700000002.M20P2.post,S=30", "1700000003.M30P3.post"]


class UniqueIdTest(harness.SystemTest):
    """One maildrop of three messages, each of another length."""

    def setUp(self):
        super().setUp()
        for number, name in enumerate(NAMES, 1):
            self.world.deliver(b"Subject: %d\r\n\r\n" % number + b"x" * number + b"\r\n", name=name)
        self.maildrop = self.world.maildrop()

    def unique_ids(self, server):
        client = server.logged_in()
        listed = client.listing("UIDL")
        self.assert_starts(client.ask("QUIT"), "+OK")
        return [line.split(" ", 1)[1] for line in listed]

    def place(self, name, octets):
        self.world.write(os.path.join(self.maildrop, name), octets)

    def test_they_survive_flags_moves_a_lost_index_and_a_restart(self):
        server = self.world.serve()
        before = self.unique_ids(server)
        self.assertEqual(len(set(before)), 3)
        os.rename(os.path.join(self.maildrop, "new", NAMES[0]),
                  os.path.join(self.maildrop, "cur", NAMES[0] + ":2,S"))
        self.assertEqual(self.unique_ids(server), before)
        os.rename(os.path.join(self.maildrop, "cur", NAMES[0] + ":2,S"),
                  os.path.join(self.maildrop, "cur", NAMES[0] + ":2,FRS"))
        self.assertEqual(self.unique_ids(server), before)
        server.stop()
        os.remove(os.path.join(self.maildrop, "restante.index"))
        self.assertEqual(self.unique_ids(self.world.serve()), before)

    def test_a_flag_changed_during_a_session_does_not_keep_a_message_from_removal(self):
        client = self.world.serve().logged_in()
        self.assert_starts(client.ask("DELE 1"), "+OK")
        os.rename(os.path.join(self.maildrop, "new", NAMES[0]),
                  os.path.join(self.maildrop, "cur", NAMES[0] + ":2,S"))
        self.assert_starts(client.ask("QUIT"), "+OK")
        self.assertEqual(sorted(self.world.stored()), NAMES[1:])

    def test_mail_that_arrives_during_a_session_waits_for_the_next(self):
        server = self.world.serve()
        client = server.logged_in()
        self.world.deliver(b"late\r\n", name="1600000000.early.name")
        self.assert_starts(client.ask("STAT"), "+OK 3 ")
        self.assert_starts(client.ask("DELE 1"), "+OK")
        self.assert_starts(client.ask("QUIT"), "+OK")
        self.assertEqual(sorted(self.world.stored()), ["1600000000.early.name", *NAMES[1:]])
        self.assert_starts(server.logged_in().ask("STAT"), "+OK 3 ")

    def test_those_of_a_dovecot_uidlist_are_kept(self):
        self.place("dovecot-uidlist", (
            "3 V1130000000 N30 G00000000000000000000000000000000\n"
            f"26 :{NAMES[0]}\n27 Pstored-by-migration :{NAMES[1]}\n28 :{NAMES[2]}\n").encode())
        server = self.world.serve()
        self.assertEqual(self.unique_ids(server),
                         ["0000001a435a6e80", "stored-by-migration", "0000001c435a6e80"])

    def test_the_format_of_the_former_dovecot_is_followed(self):
        self.place("dovecot-uidlist", f"3 V1130000000 N30\n26 :{NAMES[0]}\n".encode())
        server = self.world.serve(pop3={"dovecot_uidl_format": '"%v.%u"'})
        self.assertEqual(self.unique_ids(server)[0], "1130000000.26")

    def test_those_of_a_courier_size_list_are_kept(self):
        self.place("courierpop3dsizelist", (
            "/2 9 1130000000\n" + "".join(f"{name} 20 {number}:1130000000\n"
                                          for number, name in enumerate(NAMES, 4))).encode())
        self.assertEqual(self.unique_ids(self.world.serve()),
                         ["UID4-1130000000", "UID5-1130000000", "UID6-1130000000"])
