"""bench/versus --strategies: what is said of delivery strategies, how messages are fetched and evicted for them."""
import mmap
import socket
import tempfile
import threading
import time
import unittest

from versus_test import PageParser  # it knows where the modules of bench/versus are

import strategies
import strategies_page


class StrategiesTest(unittest.TestCase):
    def setUp(self):
        measured = strategies.Measured(["copy", "sendfile"], {"mmap": "refused"}, {}, {})
        for state, evicted in (("cached", None), ("cold", 0.5)):
            measured.cells[2048, "lf", state] = {
                "copy": [strategies.Slice(20.0, 100.0, evicted), strategies.Slice(22.0, 110.0, evicted)],
                "sendfile": [strategies.Slice(10.0, 90.0, evicted)]}
            measured.failures[2048, "lf", state] = {"splice": "it <broke>"}
        self.data = strategies.as_json(measured, {
            "date": "2026-01-02T03:04:05Z", "pace": "quick", "accounting": "cgroup v1", "version": "restante 1",
            "machine": {"processor": "P", "logical_processors": 2, "kernel": "Linux 6"}})

    def test_a_maildrop_has_at_least_four_messages_of_any_size(self):
        counts = [strategies.Cell(octets, "lf").mail_set().messages for octets in strategies.SIZES]
        self.assertEqual((counts[0], counts[-1], min(counts), max(counts)), (64, 4, 4, 64))

    def test_the_cheapest_is_marked_and_what_stayed_cached_is_told(self):
        text = strategies_page.render_text(self.data)
        self.assertRegex(text, r"2,048 +21\.0 +10\.0\*")
        self.assertRegex(text, r"2,048 +105\* +90\.0")
        self.assertRegex(text, r"2,048 +50% stayed cached")
        self.assertIn("skipped: mmap: refused", text)
        self.assertIn("splice: it <broke>", text)

    def test_the_page_draws_plots_and_fetches_nothing(self):
        text = strategies_page.render(self.data)
        parser = PageParser()
        parser.feed(text)
        self.assertEqual((parser.fetched, parser.counts["svg"]), ([], 6))
        self.assertNotIn("<broke>", text)

    def test_a_file_whose_pages_are_in_use_is_not_called_cold(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x" * 100000)
            file.flush()
            self.assertEqual(strategies.cached_share(file.fileno()), 1)
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                self.assertEqual(set(mapped[:]), {ord("x")})
                self.assertFalse(strategies.evict(file.name))

    def test_a_message_is_read_to_its_end_wherever_it_is_cut(self):
        for cut in range(1, 9):
            here, there = socket.socketpair()
            with here, there:
                text = b"+OK\r\nbody\r\n.\r\n"
                sender = threading.Thread(target=send_in_pieces, args=(there, [text[:-cut], text[-cut:]]))
                sender.start()
                strategies.retrieve(here, 1)
                sender.join()

    def test_a_refused_message_is_an_error(self):
        here, there = socket.socketpair()
        with here, there:
            there.sendall(b"-ERR no\r\n")
            with self.assertRaises(OSError):
                strategies.retrieve(here, 1)


def send_in_pieces(connection, pieces):
    connection.recv(100)
    for piece in pieces:
        connection.sendall(piece)
        time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
