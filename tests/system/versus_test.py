"""bench/versus: its statistics on known data, its accounting on files as the kernel writes them, its page,
and the whole of it in its shortest form."""
import html.parser
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

import harness

VERSUS = os.path.join(harness.HERE, "..", "..", "bench", "versus")
sys.path.append(VERSUS)
import cgroups
import load
import maildrops
import measure
import page
import pairs
import peers
import plots
import results
import table
import workloads

SECONDS_FOR_ALL = 180


def slice_of(server, cpu_us_per_session, sessions=1000):
    return load.Slice(server=server, cpu_seconds=cpu_us_per_session * sessions / 1e6, seconds=1.0,
                      sessions=sessions, commands=4 * sessions, messages=0, p50_us=100.0, p99_us=900.0)


class OrderTest(unittest.TestCase):
    def test_two_servers_alternate_a_b_b_a(self):
        self.assertEqual(pairs.round_order(["A", "B"]), ["A", "B", "B", "A"])

    def test_every_two_of_more_servers_stand_as_a_b_b_a(self):
        order = pairs.round_order(["A", "B", "C", "F"])
        for first, second in ("AB", "AC", "BF", "CF"):
            left = [name for name in order if name in (first, second)]
            self.assertEqual(left, [first, second, second, first])

    def test_a_drift_that_is_linear_in_time_falls_out(self):
        order = pairs.round_order(["A", "B"])
        taken = {"A": [], "B": []}
        for number in range(6):
            costs = {"A": [], "B": []}
            for place, name in enumerate(order):
                drift = 1 + 0.05 * (number * len(order) + place)
                costs[name].append((10 if name == "A" else 20) * drift)
            for name, values in costs.items():
                taken[name].append(values)
        ratio = pairs.median_ratio(taken["B"], taken["A"])
        self.assertAlmostEqual(ratio.value, 2.0, delta=0.01)


class StatisticsTest(unittest.TestCase):
    def test_median_of_odd_and_even_counts(self):
        self.assertEqual(pairs.median([3, 1, 2]), 2)
        self.assertEqual(pairs.median([4, 1, 2, 3]), 2.5)

    def test_quantiles_are_linear_between_neighbours(self):
        self.assertEqual(pairs.quantile([10, 20, 30, 40, 50], 0.25), 20)
        self.assertAlmostEqual(pairs.quantile([0, 10], 0.975), 9.75)
        self.assertEqual(pairs.quantile([7], 0.5), 7)

    def test_ratios_are_taken_within_the_half_of_a_round(self):
        self.assertEqual(pairs.round_ratios([[10, 40], [30, 30]], [[5, 10], [10, 15]]), [[2, 4], [3, 2]])

    def test_the_median_ratio_of_known_data(self):
        ratio = pairs.median_ratio([[10, 40], [30, 30]], [[5, 10], [10, 15]])
        self.assertEqual(ratio.value, 2.5)

    def test_without_noise_the_interval_is_the_ratio(self):
        ratio = pairs.median_ratio([[30, 30]] * 5, [[10, 10]] * 5)
        self.assertEqual((ratio.value, ratio.low, ratio.high), (3, 3, 3))

    def test_one_round_has_no_interval(self):
        ratio = pairs.median_ratio([[30, 30]], [[10, 10]])
        self.assertEqual((ratio.value, ratio.low, ratio.high), (3, None, None))

    def test_the_bootstrap_gives_the_same_at_the_same_seed(self):
        chance = random.Random(1)
        above = [[chance.uniform(18, 22) for _ in range(2)] for _ in range(6)]
        below = [[chance.uniform(9, 11) for _ in range(2)] for _ in range(6)]
        first, again = (pairs.median_ratio(above, below, seed=7).as_json() for _ in range(2))
        self.assertEqual(first, again)
        self.assertLess(first["low"], first["median"])
        self.assertGreater(first["high"], first["median"])

    def test_the_interval_covers_the_truth_as_often_as_results_say(self):
        for rounds, share in pairs.COVERAGE.items():
            with self.subTest(rounds=rounds):
                self.assertAlmostEqual(self.coverage(rounds), share, delta=0.06)

    def coverage(self, rounds):
        chance = random.Random(20)
        covered = 0
        for _ in range(300):
            above = [[20 * chance.lognormvariate(0, 0.1) for _ in range(2)] for _ in range(rounds)]
            below = [[10 * chance.lognormvariate(0, 0.1) for _ in range(2)] for _ in range(rounds)]
            ratio = pairs.median_ratio(above, below, resamples=400)
            covered += ratio.low <= 2 <= ratio.high
        return covered / 300


class AccountingTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        with open(os.path.join(self.folder.name, name), "w", encoding="ascii") as file:
            file.write(text)
        return os.path.join(self.folder.name, name)

    def test_version_2_is_taken_where_its_memory_controller_is(self):
        self.write("cgroup.controllers", "cpuset cpu io memory pids\n")
        mounts = self.write("mounts", f"cgroup2 {self.folder.name} cgroup2 rw 0 0\n")
        found = cgroups.find(mounts)
        self.assertEqual((found.version, found.cpu), (2, self.folder.name))

    def test_version_1_is_taken_where_version_2_has_no_memory_controller(self):
        self.write("cgroup.controllers", "hugetlb\n")
        mounts = self.write("mounts", f"cgroup2 {self.folder.name} cgroup2 rw 0 0\n"
                                      "cgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
                                      "cgroup /c/memory cgroup rw,memory 0 0\n")
        found = cgroups.find(mounts)
        self.assertEqual((found.version, found.cpu, found.memory), (1, "/c/cpu,cpuacct", "/c/memory"))

    def test_without_any_the_sentence_says_how_to_mount_one(self):
        with self.assertRaisesRegex(cgroups.Unusable, "mount -t cgroup"):
            cgroups.find(self.write("mounts", "proc /proc proc rw 0 0\n"))

    def test_cpu_time_of_both_versions_is_in_seconds(self):
        self.write("cpuacct.usage", "2500000000\n")
        self.write("cpu.stat", "usage_usec 1500000\nuser_usec 1\nsystem_usec 2\n")
        self.assertEqual(cgroups.cpu_seconds(self.folder.name, 1), 2.5)
        self.assertEqual(cgroups.cpu_seconds(self.folder.name, 2), 1.5)

    def test_memory_of_both_versions_leaves_the_cache_of_files_out(self):
        self.write("memory.usage_in_bytes", "1000\n")
        self.write("memory.current", "2000\n")
        self.write("memory.stat", "anon 1\nactive_file 100\ninactive_file 200\n"
                                  "total_active_file 10\ntotal_inactive_file 20\n")
        self.assertEqual(cgroups.memory_octets(self.folder.name, 1), 970)
        self.assertEqual(cgroups.memory_octets(self.folder.name, 2), 1700)


class MailTest(unittest.TestCase):
    def test_a_message_has_the_octets_asked_for_on_the_wire(self):
        for octets in (200, 3000, 10000, 250000):
            stored = maildrops.message(octets, crlf=False, variant=3)
            self.assertEqual(len(stored) + stored.count(b"\n"), octets)
            self.assertEqual(len(maildrops.message(octets, crlf=True, variant=3)), octets)

    def test_crlf_messages_are_ready_for_the_wire_and_others_need_stuffing(self):
        ready = maildrops.message(20000, crlf=True, variant=0)
        self.assertNotIn(b"\n.", ready)
        self.assertTrue(ready.endswith(b"\r\n"))
        self.assertEqual(ready.count(b"\n"), ready.count(b"\r\n"))
        self.assertIn(b"\n.", maildrops.message(20000, crlf=False, variant=0))

    def test_the_letters_have_a_mean_of_35_kb(self):
        sizes = maildrops.SIZES_OF_MEAN_35_KB
        self.assertEqual((sum(sizes) / len(sizes), len(sizes)), (35000, 20))

    def test_names_are_unique(self):
        self.assertEqual(len({maildrops.file_name(number) for number in range(10000)}), 10000)

    def test_specmail2001_maildrops_follow_its_tables(self):
        drops = maildrops.specmail_maildrops(20000, random.Random(5))
        counts = [len(drop) for drop in drops]
        self.assertAlmostEqual(sum(counts) / len(counts), 3.43, delta=0.1)
        self.assertAlmostEqual(counts.count(0) / len(counts), 0.265, delta=0.01)
        sizes = pairs.flat(drops)
        self.assertAlmostEqual(sizes.count(2000) / len(sizes), 0.3071, delta=0.01)

    def test_every_server_gets_the_same_files(self):
        with tempfile.TemporaryDirectory() as folder:
            store = maildrops.Store(folder, None)
            mail_set = maildrops.MailSet("u", users=2, messages=5)
            for server in ("one", "other"):
                store.make(server, mail_set)
            listed = [{name: os.stat(os.path.join(store.mail_folder(server), "u1/cur", name)).st_ino
                       for name in os.listdir(os.path.join(store.mail_folder(server), "u1/cur"))}
                      for server in ("one", "other")]
            self.assertEqual(len(listed[0]), 5)
            self.assertEqual(listed[0], listed[1])


class LoadTest(unittest.TestCase):
    REPORT = {"measured": {"seconds": 2.0, "sessions_ended": 400, "commands": 1600, "messages": 0},
              "server": {"cpu_seconds": 0.02},
              "steps": [{"step": "session", "corrected": {"p50_us": 120.5, "p99_us": 900.0}}]}

    def test_a_report_becomes_cost_and_speed(self):
        taken = load.slice_of("restante", "session", self.REPORT)
        self.assertEqual(taken.cpu_us_per("session"), 50)
        self.assertEqual(taken.per_second("session"), 200)
        self.assertEqual((taken.p50_us, taken.p99_us), (120.5, 900))

    def test_a_report_without_what_was_measured_is_a_failure(self):
        with self.assertRaises(load.Failed):
            load.slice_of("restante", "message", self.REPORT)
        with self.assertRaises(load.Failed):
            load.slice_of("restante", "session", {**self.REPORT, "server": None})

    def test_a_report_of_no_work_is_a_failure(self):
        nothing = {**self.REPORT["measured"], "sessions_ended": 0}
        with self.assertRaises(load.Failed):
            load.slice_of("restante", "session", {**self.REPORT, "measured": nothing})

    def test_every_workload_has_a_command_line(self):
        for workload in workloads.all_workloads():
            if workload.kind == "load":
                words = load.arguments(workload.load, workload.mail_set, 110, 1, 0.5, 1)
                self.assertEqual("--rate" in words, workload.load.rate > 0)
                self.assertEqual("--connections" in words, workload.load.connections > 0)
                self.assertGreaterEqual(workload.mail_set.users, workload.load.connections)


class ConfigurationTest(unittest.TestCase):
    def test_every_place_in_dovecots_configurations_is_filled(self):
        names = ("FOLDER", "PORT", "MAIL", "USERS", "USER", "GROUP", "CORES")
        for kind in ("default", "tuned"):
            with open(peers.Dovecot(kind).template, encoding="utf-8") as file:
                filled = peers.filled(file.read(), dict.fromkeys(names, "1"))
            self.assertEqual(re.findall(r"^[^#]*@[A-Z]+@", filled, re.M), [])

    def test_a_folder_that_the_servers_cannot_enter_is_told(self):
        if not harness.is_root():
            self.skipTest("only root starts servers as somebody else")
        with tempfile.TemporaryDirectory() as closed:
            done = run_versus("--shortest", "--build", harness.settings.build, "--folder", closed,
                              "--peers", "restante")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"cannot be entered by {peers.mail_user().pw_name}", done.stderr)

    def test_unknown_names_are_told_with_those_there_are(self):
        for option in ("--only", "--peers"):
            done = run_versus(option, "nonsense")
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, "nonsense.*There are: .*(poll-20|restante)")


class PageParser(html.parser.HTMLParser):
    """Counts elements and notes what would be fetched."""

    def __init__(self):
        super().__init__()
        self.counts = {}
        self.fetched = []

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.fetched += [value for name, value in attrs if name in ("src", "href")]


class ResultTest(unittest.TestCase):
    def setUp(self):
        workload = workloads.chosen(["poll-20"])[0]
        rounds = {"restante": [[slice_of("restante", 30), slice_of("restante", 32)]] * 3,
                  "dovecot-tuned": [[slice_of("dovecot-tuned", 300), slice_of("dovecot-tuned", 320)]] * 3,
                  "pop3null": [[slice_of("pop3null", 20), slice_of("pop3null", 20)]] * 3}
        idle = workloads.chosen(["idle-in"])[0]
        outcomes = [measure.Outcome(workload, rounds, {"dovecot-default": "it <broke>"}),
                    measure.Outcome(idle, {"restante": [[6000, 7000]], "pop3null": [[0, 1000]]}, {})]
        context = {"date": "2026-01-02T03:04:05Z", "pace": "quick", "accounting": "cgroup v1",
                   "machine": {"processor": "P", "logical_processors": 2, "kernel": "Linux 6"},
                   "servers": {name: {"title": name, "version": name + " 1"} for name in rounds},
                   "skipped": {"cyrus": "not installed"}, "notes": results.NOTES}
        self.data = results.as_json(outcomes, context)

    def test_cost_is_the_median_of_the_slices_and_ratios_are_of_pairs(self):
        servers = self.data["workloads"][0]["servers"]
        self.assertAlmostEqual(servers["restante"]["median"], 31)
        self.assertAlmostEqual(servers["dovecot-tuned"]["over_restante"]["median"], 10)
        self.assertAlmostEqual(servers["restante"]["over_floor"]["median"], 1.55)
        self.assertIsNone(servers["restante"]["over_restante"])

    def test_a_ratio_over_nothing_is_left_out(self):
        self.assertIsNone(self.data["workloads"][1]["servers"]["restante"]["over_floor"])

    def test_the_json_survives_a_round_trip_and_names_its_schema(self):
        self.assertEqual(json.loads(json.dumps(self.data))["schema"], "restante-versus/1")

    def test_the_table_has_every_server_and_says_what_is_missing(self):
        text = table.render(self.data)
        self.assertRegex(text, r"poll-20 +us a session +31\.0 +310 +20\.0")
        self.assertRegex(text, r"poll-20 +3 +1\.55 \[1\.55-1\.55\] +10\.0 \[10\.0-10\.0\]")
        self.assertIn("poll-20: dovecot-default is missing: it <broke>", text)
        self.assertIn("skipped: cyrus: not installed", text)
        self.assertIn("TLS rows are left out", text)

    def test_the_page_draws_plots_and_fetches_nothing(self):
        text = page.render(self.data)
        parser = PageParser()
        parser.feed(text)
        self.assertEqual(parser.fetched, [])
        self.assertNotIn("script", parser.counts)
        self.assertEqual(parser.counts["svg"], 3)
        self.assertGreater(parser.counts["circle"], 20)
        self.assertNotIn("<broke>", text)

    def test_ticks_are_within_the_axis(self):
        for low, high in ((0.9, 1.3), (1, 40), (0.1, 40000)):
            axis = plots.LogAxis(low, high, 100)
            ticks = axis.ticks()
            self.assertGreaterEqual(len(ticks), 2)
            self.assertTrue(all(0 <= axis.at(tick) <= 100 for tick in ticks))


def run_versus(*arguments):
    return subprocess.run(["/usr/bin/python3", os.path.join(VERSUS, "versus.py"), *arguments],
                          capture_output=True, text=True, timeout=SECONDS_FOR_ALL, check=False)


class WholeTest(unittest.TestCase):
    """restante and pop3null, one round of one second a row."""

    def setUp(self):
        build = harness.settings.build
        missing = [name for name in ("pop3load", "pop3null") if not os.path.exists(os.path.join(build, name))]
        if missing:
            self.skipTest(f"{', '.join(missing)} not in {build}")
        try:
            group = cgroups.Group(cgroups.find(), f"restante-versus-test-{os.getpid()}")
            group.close()
        except cgroups.Unusable as reason:
            self.skipTest(str(reason))

    def test_the_shortest_run_gives_table_json_and_page(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run_versus("--shortest", "--build", harness.settings.build, "--output", folder,
                              "--peers", "restante,pop3null", "--only", "poll-20,drain-crlf,specmail2001,idle-out")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(sorted(os.listdir(folder)), ["versus.html", "versus.json"])
            with open(os.path.join(folder, "versus.json"), encoding="utf-8") as file:
                data = json.load(file)
        for each in data["workloads"]:
            self.assertEqual(each["failures"], {})
            for server in ("restante", "pop3null"):
                self.assertEqual(len(each["servers"][server]["slices"][0]), 2, each)
            self.assertGreater(each["servers"]["restante"]["median"], 0)
        self.assertIn("io_uring", data["machine"])
        self.assertIn("poll-20", done.stdout)
        left = [name for name in os.listdir(cgroups.find().cpu) if name.startswith("restante-versus-")]
        self.assertEqual(left, [])


if __name__ == "__main__":
    unittest.main()
