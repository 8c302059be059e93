"""How a connection ends: the reply to QUIT and the end come together, and the reply always comes."""
import harness
import tcp_segments

MORE_THAN_ONE_RECEIVE = b"NOOP\r\n" * 10000
SESSIONS_MAX = 20


class LastReplyTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.server = self.world.serve()

    def segments_of_the_end(self):
        with self.server.logged_in() as client:
            before = tcp_segments.received(client)
            self.assert_starts(client.ask("QUIT"), "+OK")
            self.assertEqual(client.line(), "")
            return tcp_segments.received(client) - before

    def test_one_segment_has_the_reply_and_the_end(self):
        # A busy machine may acknowledge QUIT before it answers.
        counts = [self.segments_of_the_end() for _ in range(SESSIONS_MAX)]
        self.assertIn(1, counts)

    def test_octets_behind_quit_do_not_cost_its_reply(self):
        # Closing a socket with unread octets throws away what was not sent yet.
        for _ in range(SESSIONS_MAX):
            with self.server.logged_in() as client:
                client.send(b"QUIT\r\n" + MORE_THAN_ONE_RECEIVE)
                self.assert_starts(client.line(), "+OK")
