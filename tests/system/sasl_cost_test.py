"""What SCRAM over passwords in clear costs the server, and whom: keys are derived of a proof only, and the
same for everybody whose proof is wrong."""
import contextlib
import socket

import harness
from process_usage import cpu_seconds
from scram_client import ScramClient

EXCHANGES = 60 if harness.settings.quick else 150
KNOWN, UNKNOWN = "mrose", "nrose"


@harness.alone
class ScramCostTest(harness.SystemTest):
    """Seen by the processor time, which other programs' load changes less than time itself."""

    def setUp(self):
        super().setUp()
        self.world.maildrop(KNOWN)
        self.world.write(self.world.users, f"{KNOWN}:{{PLAIN}}{harness.PASSWORD}\n".encode())

    def serve(self, **options):
        return self.world.serve(auth={"mechanisms": '["SCRAM-SHA-256"]', "allow_cleartext": "true",
                                      **options}, limits={"failed_delay": '"0s"'})

    @contextlib.contextmanager
    def client(self, server, user, password):
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            yield ScramClient(connection, user, password)

    def cost(self, server, user, password=None):
        """CPU seconds of one exchange, and its replies. Without a password it ends at the challenge."""
        replies = set()
        before = cpu_seconds(server)
        for _ in range(EXCHANGES):
            with self.client(server, user, password or "") as client:
                challenge = client.open()
                replies.add((len(challenge), challenge[challenge.index(b",i="):]))
                if password is not None:
                    replies.add(client.prove())
                    client.send(b"QUIT")
                    client.file.readline()
        return (cpu_seconds(server) - before) / EXCHANGES, replies

    def test_who_gives_up_at_the_challenge_costs_next_to_nothing(self):
        server = self.serve()
        wrong, _ = self.cost(server, KNOWN, "guess")
        for user in (KNOWN, UNKNOWN):
            opened, _ = self.cost(server, user)
            print(f"    {user}: {opened * 1e6:.0f} us opened, {wrong * 1e6:.0f} us with a wrong proof")
            self.assertLess(opened, wrong / 2)

    def test_a_wrong_proof_of_a_known_and_of_an_unknown_user_look_alike(self):
        server = self.serve()
        self.cost(server, KNOWN, harness.PASSWORD)  # whose keys are remembered now
        known, known_replies = self.cost(server, KNOWN, "guess")
        unknown, unknown_replies = self.cost(server, UNKNOWN, "guess")
        print(f"    known {known * 1e6:.0f} us, unknown {unknown * 1e6:.0f} us")
        self.assertEqual(known_replies, unknown_replies)
        self.assertIn(b"-ERR [AUTH] authentication failed\r\n", known_replies)
        self.assertLess(max(known, unknown), 3 * min(known, unknown))

    def test_the_owners_next_login_derives_nothing_unless_there_is_no_cache(self):
        for ttl, is_cheap in (("5m", True), ("0s", False)):
            with self.subTest(cache_ttl=ttl):
                server = self.serve(cache_ttl=f'"{ttl}"')
                wrong, _ = self.cost(server, KNOWN, "guess")
                right, replies = self.cost(server, KNOWN, harness.PASSWORD)
                print(f"    cache_ttl {ttl}: {right * 1e6:.0f} us a login, {wrong * 1e6:.0f} us if wrong")
                self.assertIn(b"+OK logged in\r\n", replies)
                self.assertEqual(right < wrong / 2, is_cheap)
                server.stop()
