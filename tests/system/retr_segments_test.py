"""A reply goes out in as few segments as its size needs: the status line, the message (though the kernel takes it
from the file) and the final '.' share them, and so do replies to commands that came together."""
import statistics

import delivery_test
import harness
import tcp_segments

# Those to be used. Others send replies that could go together piece by piece, and what the client acknowledges
# meanwhile decides how the pieces are cut.
STRATEGIES = ("auto", "copy")
SPLICED, SMALL = 40_000, 1_000  # octets of messages that `auto` splices, and reads
SMALL_MESSAGES = 20
ROUNDS = 10
PIPELINED_SEGMENTS_MAX = 4


class RetrSegmentsTest(harness.SystemTest):
    """Each round asks for the same; the median is judged: a busy machine may send before all is there, and a
    connection's first segments are smaller than those it learns to take."""

    def setUp(self):
        super().setUp()
        self.large = delivery_test.ready_message(SPLICED)
        self.small = delivery_test.ready_message(SMALL)
        for message in [self.large] + [self.small] * SMALL_MESSAGES:
            self.world.deliver(message)

    def check(self, first, last, message, segments_max):
        """RETRs of the messages from `first` to `last` in one segment. `segments_max(client, octets)`: how many
        their replies of so many octets may take."""
        commands = b"".join(b"RETR %d\r\n" % number for number in range(first, last + 1))
        status = f"+OK {len(message)} octets"
        octets = (last - first + 1) * (len(status) + len(b"\r\n") + len(message) + len(b".\r\n"))
        for strategy in STRATEGIES:
            with self.subTest(strategy=strategy):
                server = self.world.serve(delivery={"strategy": f'"{strategy}"'})
                counts = []
                with server.logged_in() as client:
                    for _ in range(ROUNDS):
                        before = tcp_segments.received_with_data(client)
                        client.send(commands)
                        for _ in range(first, last + 1):
                            self.assertEqual(client.line(), status)
                            self.assertEqual(client.body(), message)
                        counts.append(tcp_segments.received_with_data(client) - before)
                    self.assertLessEqual(statistics.median(counts), segments_max(client, octets), counts)
                server.stop()

    def test_status_line_spliced_message_and_dot_share_segments(self):
        self.check(1, 1, self.large, lambda client, octets: -(-octets // tcp_segments.most_octets(client)))

    def test_replies_to_pipelined_retrs_share_segments(self):
        self.check(2, SMALL_MESSAGES + 1, self.small, lambda *_: PIPELINED_SEGMENTS_MAX)
