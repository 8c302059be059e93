"""bench/versus --strategies: which there are, what is said of them and of what delivery_bench measured, how messages
are fetched and evicted."""
import json
import mmap
import socket
import tempfile
import threading
import time
import unittest

import delivery_test
import harness
from versus_test import PageParser  # it knows where the modules of bench/versus are

import delivery_bench
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
        self.measured = measured
        self.context = {
            "date": "2026-01-02T03:04:05Z", "pace": "quick", "accounting": "cgroup v1", "version": "restante 1",
            "machine": {"processor": "P", "logical_processors": 2, "kernel": "Linux 6"}}
        self.data = strategies.as_json(measured, self.context)

    def test_all_strategies_that_the_program_has_are_compared_and_tested(self):
        self.assertEqual(strategies.known_to(harness.settings.binary), list(delivery_test.STRATEGIES))
        self.assertEqual(strategies.known_to("false"), [])

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

    def test_what_delivery_bench_measured_is_drawn_on_the_same_page(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(report_of_delivery_bench(), file)
            file.flush()
            bench = delivery_bench.read(file.name)
        self.assertEqual(bench["strategies"], ["copy", "warp"])
        self.assertEqual([(cell["octets"], cell["form"], cell["state"], cell["evicted"]) for cell in bench["cells"]],
                         [(2048, "wire-ready", "cached", None), (64 << 20, "lf", "cold", 1)])
        copy = bench["cells"][0]["strategies"]["copy"]
        self.assertEqual((copy["cpu_us"], copy["low"], copy["high"], copy["slices"]), (11, 10.5, 11.5, [10, 12]))
        self.assertAlmostEqual(copy["mb_per_second"], 102.4)
        data = strategies.as_json(self.measured, self.context, bench)
        parser = PageParser()
        parser.feed(page := strategies_page.render(data))
        self.assertEqual((parser.fetched, parser.counts["svg"]), ([], 12))
        self.assertIn("Wire-ready files, in the page cache (delivery_bench)", page)
        text = strategies_page.render_text(data)
        self.assertRegex(text, r"2,048 +11\.0\* +22\.0")
        self.assertIn("lf, 67,108,864 octets, cold (delivery_bench): warp: stays", text)

    def test_another_file_than_delivery_bench_writes_is_refused(self):
        for content in ("", "[]", "{}", '{"benchmarks": [{}]}'):
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                file.write(content)
                file.flush()
                with self.assertRaises(delivery_bench.Unreadable):
                    delivery_bench.read(file.name)

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


def report_of_delivery_bench():
    def run(name, cpu_us, **more):
        return {"name": name, "run_type": "iteration", "real_time": cpu_us, "time_unit": "us", "wall": 20e-6, **more}

    return {"context": {"date": "2026-01-02T03:04:05+00:00"}, "benchmarks": [
        run("deliver/copy/ready/2k/manual_time", 10), run("deliver/copy/ready/2k/manual_time", 12),
        run("deliver/copy/ready/2k/manual_time_mean", 99, run_type="aggregate"),
        run("deliver/warp/ready/2k/manual_time", 22), run("deliver/copy/lf/64M/cold/manual_time", 5000),
        {"name": "deliver/warp/lf/64M/cold/manual_time", "run_type": "iteration", "error_occurred": True,
         "error_message": "stays"}]}


def send_in_pieces(connection, pieces):
    connection.recv(100)
    for piece in pieces:
        connection.sendall(piece)
        time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
