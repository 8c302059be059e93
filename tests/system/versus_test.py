"""bench/versus: its statistics on known data, its accounting on files as the kernel writes them, its page,
and the whole of it in its shortest form."""
import collections
import dataclasses
import html.parser
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

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
import store
import table
import versus
import workloads

SECONDS_FOR_ALL = 300


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

    def test_memory_in_user_space_is_that_of_anonymous_pages(self):
        # In a program of its own: a test shares its pages with others, which come and go. Page by page:
        # a second 8 MiB to copy from would count, too.
        code = ("import mmap, sys; mapped = mmap.mmap(-1, 8 << 20); print(flush=True); input()\n"
                "for at in range(0, 8 << 20, 4096): mapped[at] = 1\n"
                "print(flush=True); sys.stdin.read()")
        with subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as program:
            self.addCleanup(program.kill)
            program.stdout.readline()
            before = cgroups.anonymous_octets(program.pid)
            program.stdin.write(b"\n")
            program.stdin.flush()
            program.stdout.readline()
            after = cgroups.anonymous_octets(program.pid)
            program.stdin.close()
        self.assertAlmostEqual(after - before, 8 << 20, delta=1 << 20)

    def test_a_process_that_has_ended_has_no_memory(self):
        self.assertEqual(cgroups.anonymous_octets(0), 0)

    def test_memory_of_both_versions_leaves_the_cache_of_files_out(self):
        self.write("memory.usage_in_bytes", "1000\n")
        self.write("memory.current", "2000\n")
        self.write("memory.stat", "anon 1\nactive_file 100\ninactive_file 200\n"
                                  "total_active_file 10\ntotal_inactive_file 20\n")
        self.assertEqual(cgroups.memory_octets(self.folder.name, 1), 970)
        self.assertEqual(cgroups.memory_octets(self.folder.name, 2), 1700)


class MailTest(unittest.TestCase):
    def store(self, folder):
        harness.need_program(self, "pop3load")
        return store.Store(folder, None, os.path.join(harness.settings.build, "pop3load"))

    def test_the_letters_have_a_mean_of_35_kb(self):
        sizes = maildrops.SIZES_OF_MEAN_35_KB
        self.assertEqual((sum(sizes) / len(sizes), len(sizes)), (35000, 20))

    def test_a_maildrop_has_what_its_mail_set_says(self):
        """Counts and sizes on the wire, line ends; no file twice."""
        for crlf, line_end in ((False, b"\n"), (True, b"\r\n")):
            with self.subTest(crlf=crlf), tempfile.TemporaryDirectory() as folder:
                mail_set = maildrops.MailSet("u", users=2, messages=20, sizes=(3000,) * 3 + (40000,), crlf=crlf)
                kept = self.store(folder)
                kept.make("one", mail_set)
                files = list(pathlib.Path(kept.maildir("one", mail_set, 1), "cur").iterdir())
                texts = [file.read_bytes() for file in files]
                lines = [text.splitlines(keepends=True) for text in texts]
                self.assertEqual(collections.Counter(sum(len(line.rstrip(b"\r\n")) + 2 for line in each) for each in lines),
                                 {3000: 15, 40000: 5})
                self.assertTrue(all(line.endswith(line_end) and line.endswith(b"\r\n") == crlf
                                    for each in lines for line in each))
                self.assertEqual(any(b"\n." in text for text in texts), not crlf)
                self.assertTrue(all(re.fullmatch(r"[^,:]*:2,S", file.name) for file in files))
                self.assertEqual(len({file.stat().st_ino for file in files}), 20)

    def test_what_servers_keep_beside_the_mail_is_removed_and_the_mail_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = self.store(folder)
            mail_set = maildrops.MailSet("u", users=2, messages=3)
            kept.make("one", mail_set)
            maildir = kept.maildir("one", mail_set, 1)
            os.mkdir(os.path.join(maildir, "kept"))
            for name in ("index", "kept/index"):
                with open(os.path.join(maildir, name), "wb"):
                    pass
            kept.forget_indexes("one", mail_set)
            self.assertEqual(sorted(os.listdir(maildir)), ["cur", "new", "tmp"])
            self.assertEqual(len(os.listdir(os.path.join(maildir, "cur"))), 3)

    def test_every_server_gets_the_same_files_of_every_set(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = self.store(folder)
            mail_sets = [maildrops.MailSet(prefix, users=2, messages=5) for prefix in ("u", "v")]
            for server in ("one", "other"):
                for mail_set in mail_sets:
                    kept.make(server, mail_set)
            listed = [{str(path.relative_to(kept.mail_folder(server))): path.stat().st_ino
                       for path in pathlib.Path(kept.mail_folder(server)).rglob("*") if path.is_file()}
                      for server in ("one", "other")]
            self.assertEqual(len(listed[0]), 2 * 2 * 5)
            self.assertEqual(listed[0], listed[1])

    def test_a_set_without_mail_has_a_place_all_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = self.store(folder)
            kept.make("one", maildrops.MailSet("u", users=2, messages=0))
            self.assertEqual(os.listdir(kept.mail_folder("one")), [])


class LoadTest(unittest.TestCase):
    REPORT = {"measured": {"seconds": 2.0, "sessions_ended": 400, "commands": 1600, "messages": 0, "octets": 9000},
              "server": {"cpu_seconds": 0.02}, "generator": {"saturated": False},
              "steps": [{"step": "session", "corrected": {"p50_us": 120.5, "p99_us": 900.0}}]}

    def test_a_report_becomes_cost_and_speed(self):
        taken = load.slice_of("restante", "session", self.REPORT)
        self.assertEqual(taken.cpu_us_per("session"), 50)
        self.assertEqual(taken.per_second("session"), 200)
        self.assertEqual((taken.p50_us, taken.p99_us), (120.5, 900))
        self.assertEqual([taken.figure(name, "session") for name in ("cpu", "time", "p99")], [50, 120.5, 900])

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
            if workload.load is not None:
                words = load.arguments(workload.load, workload.mail_set, 110, 1, 0.5, 1)
                self.assertEqual("--rate" in words, workload.load.rate > 0)
                self.assertEqual("--connections" in words, workload.load.connections > 0)
                self.assertGreaterEqual(workload.mail_set.users, workload.load.connections)

    def test_the_generator_goes_first_where_latency_is_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            asked = self.commands(folder, load.FIRST)
        self.assertEqual({name for name, command in asked.items() if command[:3] == [*load.FIRST]},
                         {"poll-p99-own", "poll-p99-same"})
        self.assertEqual({command[0] for name, command in asked.items() if "p99" not in name}, {"pop3load"})

    def commands(self, folder, first):
        """What is run for each row, by name."""
        place = types.SimpleNamespace(port=110, tls_port=995, tls=None)
        server = types.SimpleNamespace(place=place, group=types.SimpleNamespace(cpu_folder=folder),
                                       peer=types.SimpleNamespace(name="restante", handshake=lambda _: ""))
        asked = {}
        for workload in workloads.all_workloads():
            if workload.load is not None:
                with mock.patch.object(load.subprocess, "run", side_effect=FileNotFoundError) as run, \
                     self.assertRaises(FileNotFoundError):
                    load.Generator("pop3load", folder, first).run(server, workload, 1, 0.1)
                asked[workload.name] = run.call_args.args[0]
        return asked


class RowsTest(unittest.TestCase):
    def test_every_demand_belongs_to_a_row(self):
        rows = {each.name for workload in workloads.all_workloads()
                for each in (workload, workload.twin) if each is not None}
        self.assertEqual(set(workloads.ASKED) - rows, set())

    def test_a_twin_is_another_figure_of_the_same_work(self):
        for workload in workloads.all_workloads():
            if workload.twin is not None:
                self.assertNotEqual(workload.twin.figure, workload.figure)
                self.assertEqual((workload.twin.kind, workload.twin.unit, workload.twin.mail_set),
                                 (workload.kind, workload.unit, workload.mail_set))

    def test_each_server_is_asked_for_its_share_of_its_own_highest_rate(self):
        self.assertEqual(measure.paced_rates({"restante": 5000, "dovecot-tuned": 1000}, "own"),
                         {"restante": 3500, "dovecot-tuned": 700})

    def test_all_servers_are_asked_for_the_share_of_one_of_them_or_else_of_the_slowest(self):
        self.assertEqual(measure.paced_rates({"restante": 5000, "dovecot-tuned": 1000}, "dovecot-tuned"),
                         {"restante": 700, "dovecot-tuned": 700})
        self.assertEqual(measure.paced_rates({"restante": 5000, "pop3null": 9000}, "dovecot-tuned"),
                         {"restante": 3500, "pop3null": 3500})
        self.assertEqual(measure.paced_rates({}, "dovecot-tuned"), {})

    def test_only_the_login_storm_wants_passwords_forgotten(self):
        cold = [workload for workload in workloads.all_workloads() if workload.cold_passwords]
        self.assertEqual([workload.name for workload in cold], ["login-storm"])
        restante = peers.Restante("build")
        self.assertIn('cache_ttl = "0s"', restante.variant(cold[0])[0])
        self.assertEqual(restante.variant(workloads.chosen(["poll-20-hashed"])[0])[0], "")

    def test_polls_over_tls_have_a_floor_of_their_own(self):
        floors = {workload.name: {floor for floor in workloads.FLOORS if workload.takes(floor)}
                  for workload in workloads.all_workloads()}
        self.assertEqual(floors["poll-20-tls"], {workloads.TLS_FLOOR})
        self.assertEqual(floors["poll-20-tls-resumed"], {workloads.TLS_FLOOR})
        self.assertEqual(floors["drain-lf-tls"], {workloads.FLOOR})  # in the clear, as the row's label says
        self.assertEqual(floors["poll-20"], {workloads.FLOOR})

    def test_only_who_speaks_tls_is_spoken_to_over_tls(self):
        full, resumed = workloads.chosen(["poll-20-tls", "poll-20-tls-resumed"])
        self.assertEqual(load.tls_arguments(peers.Restante("build").handshake(full)), ["--tls", "implicit"])
        self.assertEqual(load.tls_arguments(peers.Dovecot("tuned").handshake(resumed)),
                         ["--tls", "implicit", "--tls-resumed", "1"])
        self.assertEqual(load.tls_arguments(peers.TlsFloor("build").handshake(full)), [])
        self.assertEqual(load.tls_arguments(peers.Restante("build").handshake(workloads.chosen(["poll-20"])[0])), [])

    def test_the_floor_over_tls_is_charged_a_handshake_a_session(self):
        peer = types.SimpleNamespace(added_cpu_us=lambda *_: 400)
        bench = measure.Bench({"openssl": types.SimpleNamespace(peer=peer, place=None)}, None, measure.SHORTEST,
                              lambda _: None)
        charged = bench._charged("openssl", None, slice_of("openssl", 100))
        self.assertAlmostEqual(charged.cpu_us_per("session"), 500)

    def test_the_floors_are_next_to_restante_whoever_asks(self):
        known = peers.all_peers("build")
        asked = versus.wanted_peers(known, ["dovecot-tuned", "pop3null", "restante"])
        self.assertEqual([peer.name for peer in asked], ["restante", "pop3null", "dovecot-tuned"])
        self.assertEqual([peer.name for peer in known[1:3]], list(workloads.FLOORS))

    def test_a_highest_rate_that_may_be_the_generators_is_said_so(self):
        paced = workloads.chosen(["poll-p99-own"])[0]
        server = types.SimpleNamespace(running=None, place=None,
                                       peer=types.SimpleNamespace(added_cpu_us=lambda *_: 0))
        for is_saturated, said in ((False, False), (True, True)):
            taken = dataclasses.replace(slice_of("restante", 30), is_saturated=is_saturated)
            generator = types.SimpleNamespace(run=lambda *_, taken=taken: taken)
            outcome = measure.Outcome(paced, {}, {})
            bench = measure.Bench({"restante": server}, generator, measure.SHORTEST, lambda _: None)
            self.assertEqual(bench._pace(outcome, ["restante"]), ["restante"])
            self.assertEqual("restante may be lower" in results.of_workload(outcome)["label"], said)

    def test_a_run_that_the_generator_fell_behind_in_is_taken_again(self):
        class Generator:
            binary, runs = "", 0

            def run(self, *_):
                self.runs += 1
                if self.runs < 3:
                    raise load.FellBehind("behind")
                return slice_of("restante", 30)

        generator = Generator()
        peer = types.SimpleNamespace(added_cpu_us=lambda *_: 0)
        server = types.SimpleNamespace(running=None, prepare=lambda _: None, visit=lambda _: None,
                                       refill=lambda *_: None, peer=peer, place=None)
        bench = measure.Bench({"restante": server}, generator, measure.SHORTEST, lambda _: None)
        outcome = bench.run(workloads.chosen(["poll-20"]))[0]
        self.assertEqual((outcome.failures, len(outcome.rounds["restante"][0])), ({}, 2))
        self.assertEqual(generator.runs, 4)


class ConfigurationTest(unittest.TestCase):
    def test_every_place_in_dovecots_configurations_is_filled(self):
        names = ("FOLDER", "PORT", "MAIL", "USERS", "USER", "GROUP", "CORES", "TLS", "TLSPORT", "CERTIFICATE",
                 "KEY")
        for kind in ("default", "tuned"):
            with open(peers.Dovecot(kind).template, encoding="utf-8") as file:
                filled = peers.filled(file.read(), dict.fromkeys(names, "1"))
            self.assertEqual(re.findall(r"^[^#]*@[A-Z]+@", filled, re.M), [])

    def test_a_folder_that_the_servers_cannot_enter_is_told(self):
        if not harness.is_root():
            self.skipTest("only root starts servers as somebody else")
        harness.need_program(self, "pop3load")
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


IDLE_ROUNDS = {"restante": [[load.IdleSlice(6000, 3000), load.IdleSlice(7000, 3500)]],
               "pop3null": [[load.IdleSlice(0, 0), load.IdleSlice(1000, 0)]]}


class ResultTest(unittest.TestCase):
    def setUp(self):
        workload = workloads.chosen(["poll-20"])[0]
        rounds = {"restante": [[slice_of("restante", 30), slice_of("restante", 32)]] * 3,
                  "dovecot-tuned": [[slice_of("dovecot-tuned", 300), slice_of("dovecot-tuned", 320)]] * 3,
                  "pop3null": [[slice_of("pop3null", 20), slice_of("pop3null", 20)]] * 3}
        idle = workloads.chosen(["idle-in"])[0]
        outcomes = [measure.Outcome(workload, rounds, {"dovecot-default": "it <broke>"}),
                    measure.Outcome(idle, IDLE_ROUNDS, {}), measure.Outcome(idle.twin, IDLE_ROUNDS, {})]
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
        self.assertEqual(json.loads(json.dumps(self.data))["schema"], "restante-versus/2")

    def test_what_was_asked_stands_beside_what_was_measured(self):
        poll, idle, user = (each["asked"] for each in self.data["workloads"])
        self.assertEqual([(demand["bound"], demand["met"]) for demand in poll], [(9, True), (1.8, True)])
        self.assertEqual([(demand["bound"], demand["met"]) for demand in idle], [(20, None)])
        self.assertEqual([(demand["measured"], demand["met"]) for demand in user], [(3250, True)])

    def test_demands_have_two_sides(self):
        self.assertFalse(results.verdict("x", "at least", 9, {"median": 8.9})["met"])
        self.assertTrue(results.verdict("x", "at least", 9, {"median": 9})["met"])
        self.assertFalse(results.verdict("x", "at most", 1.8, {"median": 1.9})["met"])
        self.assertTrue(results.verdict("x", "at most", 1.8, {"median": 1.8})["met"])

    def test_the_table_has_every_server_and_says_what_is_missing(self):
        text = table.render(self.data)
        self.assertRegex(text, r"poll-20 +CPU us a session +31\.0 +310 +20\.0")
        self.assertRegex(text, r"idle-in-user +kB of user space a connection +3\.25 +- +0\.000")
        self.assertRegex(text, r"poll-20 +restante / floor +at most 1\.8 +1\.55 +met")
        self.assertRegex(text, r"idle-in-user +octets +at most 4,000 +3,250 +met")
        self.assertRegex(text, r"poll-20 +3 +1\.55 \[1\.55-1\.55\] +10\.0 \[10\.0-10\.0\]")
        self.assertIn("| poll-20 | CPU us a session | 3 | 31.0 | 310 | - | 20.0 | 1.55 [1.55-1.55] (1.8) | "
                      "10.0 [10.0-10.0] (9) |", table.markdown(self.data))
        self.assertIn("poll-20: dovecot-default is missing: it <broke>", text)
        self.assertIn("skipped: cyrus: not installed", text)
        self.assertIn("Rows with tls in their names are over TLS 1.3", text)

    def test_the_page_draws_plots_and_fetches_nothing(self):
        text = page.render(self.data)
        parser = PageParser()
        parser.feed(text)
        self.assertEqual(parser.fetched, [])
        self.assertNotIn("script", parser.counts)
        self.assertEqual(parser.counts["svg"], 4)
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


@harness.alone
class WholeTest(unittest.TestCase):
    """restante and pop3null, one round of one second a row."""

    def setUp(self):
        build = harness.settings.build
        missing = [name for name in ("pop3load", "pop3null", "handshake_cost") if not os.path.exists(os.path.join(build, name))]
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
                              "--peers", "restante,pop3null,openssl", "--only",
                              "poll-20,drain-crlf,specmail2001,idle-out,poll-p99-same,login-storm,"
                              "poll-20-tls-resumed")
            self.assertEqual(sorted(os.listdir(folder)), ["versus.html", "versus.json", "versus.md"],
                             done.stdout + done.stderr)
            with open(os.path.join(folder, "versus.json"), encoding="utf-8") as file:
                data = json.load(file)
            with open(os.path.join(folder, "versus.md"), encoding="utf-8") as file:
                rows = [line.split(" | ") for line in file.read().splitlines()]
        self.assertEqual({len(row) for row in rows}, {9})
        self.assertEqual([row[0].strip("| ") for row in rows[2:]], [each["name"] for each in data["workloads"]])
        for each in data["workloads"]:
            for server, why in each["failures"].items():  # a busy machine is no fault of theirs
                self.assertIn("the generator fell behind", why, server)
            floors = {"poll-20-tls-resumed": {"openssl"}, "specmail2001": set()}.get(each["name"], {"pop3null"})
            for server in {"restante", *floors} - set(each["failures"]):
                self.assertEqual(len(each["servers"][server]["slices"][0]), 2, each)
            if "restante" not in each["failures"]:
                self.assertGreater(each["servers"]["restante"]["median"], 0)
        self.assertEqual(done.returncode, 1 if any(each["failures"] for each in data["workloads"]) else 0)
        rates = {server["rate"] for each in data["workloads"] if each["name"] == "poll-p99-same"
                 for server in each["servers"].values()}
        self.assertLessEqual(len(rates), 1)
        self.assertIn("io_uring", data["machine"])
        self.assertIn("poll-20", done.stdout)
        self.assertEqual(groups_left(), [])

    def test_dovecot_is_compared_where_it_is_installed(self):
        if missing := peers.Dovecot("tuned").missing():
            self.skipTest(missing)
        with tempfile.TemporaryDirectory() as folder:
            done = run_versus("--shortest", "--build", harness.settings.build, "--output", folder,
                              "--peers", "restante,dovecot-tuned", "--only", "poll-20")
            with open(os.path.join(folder, "versus.json"), encoding="utf-8") as file:
                row = json.load(file)["workloads"][0]
        self.assertEqual((done.returncode, row["failures"]), (0, {}), done.stdout + done.stderr)
        self.assertGreater(row["servers"]["dovecot-tuned"]["median"], 0)
        self.assertEqual(groups_left(), [])

    def test_the_shortest_comparison_of_strategies_gives_table_json_and_page(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run_versus("--shortest", "--build", harness.settings.build, "--output", folder,
                              "--strategies", "copy,nonsense,auto")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(sorted(os.listdir(folder)), ["strategies.html", "strategies.json"])
            with open(os.path.join(folder, "strategies.json"), encoding="utf-8") as file:
                data = json.load(file)
        self.assertEqual(data["strategies"], ["copy", "auto"])
        self.assertIn("nonsense", data["skipped"]["nonsense"])
        self.assertEqual(len(data["cells"]), 4)
        for cell in data["cells"]:
            self.assertEqual((cell["failures"], sorted(cell["strategies"])), ({}, ["auto", "copy"]))
            self.assertGreater(cell["strategies"]["copy"]["cpu_us"], 0)
        self.assertEqual(groups_left(), [])


def groups_left():
    return [name for name in os.listdir(cgroups.find().cpu) if name.startswith("restante-versus-")]


if __name__ == "__main__":
    unittest.main()
