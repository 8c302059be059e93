"""bench/scale: what it concludes on known data, its page, and its silent connections with a real server."""
import os
import subprocess
import sys
import tempfile
import unittest

import harness

BENCH = os.path.join(harness.HERE, "..", "..", "bench")
SCALE = os.path.join(BENCH, "scale")
sys.path += [SCALE, os.path.join(BENCH, "versus")]
import cgroups
import growth
import load
import maildrops
import peers
import scale_page
import series
import standing

SECONDS_FOR_ALL = 120
STANDING = 50


def point(x, ratio):
    return {"x": x, "ratio": {"median": ratio, "low": ratio, "high": ratio}}


class SeriesTest(unittest.TestCase):
    def test_the_points_reach_as_far_as_they_must(self):
        last = {each.name: (each.points[0], each.points[-1]) for each in series.ALL}
        self.assertEqual(last, {"connections-out": (1, 15000), "connections-in": (1, 9500),
                                "maildrops": (1000, 200000), "messages": (1, 100000)})

    def test_points_go_up(self):
        for each in series.ALL:
            for points in (each.points, each.quick_points):
                self.assertEqual(list(points), sorted(set(points)))

    def test_only_the_mail_of_the_chosen_series_is_made(self):
        self.assertEqual(series.mail_sets([series.CONNECTIONS_OUT], False), [series.POLLED])
        many = series.mail_sets([series.CONNECTIONS_IN, series.MAILDROPS], False)
        self.assertEqual([(each.prefix, each.users) for each in many], [("polled", 100), ("many", 200000)])
        self.assertEqual([each.messages for each in series.mail_sets([series.MESSAGES], True)],
                         [20, *series.MESSAGES.quick_points])

    def test_an_unknown_series_is_told_with_those_there_are(self):
        with self.assertRaisesRegex(LookupError, "'x'.*maildrops"):
            series.chosen(["x"])


class ConclusionTest(unittest.TestCase):
    def test_what_stays_within_a_quarter_of_the_reference_is_flat(self):
        found = growth.bend([point(1, 1.0), point(10, 1.25), point(100, 1.1)])
        self.assertEqual(found, {"x": 10, "ratio": 1.25, "is_flat": True})

    def test_the_dearest_point_is_where_it_bends(self):
        found = growth.bend([point(1, 1.0), point(10, 1.3), point(100, 2.0)])
        self.assertEqual((found["x"], found["is_flat"]), (100, False))
        self.assertEqual(growth.sentence("1 reactor", found, "messages"),
                         "1 reactor: bends, 2.00 times the reference at 100 messages.")

    def test_memory_is_that_of_the_way_up(self):
        taken = [growth.Slice(100, 1, 2, user_octets=3000, ratio=1.0),
                 growth.Slice(120, 1, 2, user_octets=9000, ratio=1.2)]
        described = growth.of_point(1000, taken)
        self.assertEqual((described["median"], described["user_octets"]), (110, 3000))
        self.assertAlmostEqual(described["ratio"]["median"], 1.1)


class PageTest(unittest.TestCase):
    def setUp(self):
        slices = {reactors: {x: [growth.Slice(100 + x / 100, 500, 900, user_octets=2000 + x, ratio=1 + x / 10000)]
                             for x in (100, 5000)} for reactors in (1, 2)}
        outcomes = [(series.CONNECTIONS_OUT, slices, ["it <broke>"]), (series.MESSAGES, {1: {}, 2: {}}, [])]
        self.data = growth.as_json(outcomes, {
            "date": "2026-01-02T03:04:05Z", "pace": "quick", "accounting": "cgroup v1", "version": "restante 1",
            "machine": {"processor": "P", "logical_processors": 2, "kernel": "Linux 6"}})

    def test_the_table_has_cost_ratio_latency_and_memory(self):
        text = scale_page.render_text(self.data)
        self.assertRegex(text, r"5,000 +2 reactors +150 +1\.50 \(1\.50-1\.50\) +0\.500 / 0\.900 +7\.00")
        self.assertIn("2 reactors: bends, 1.50 times the reference at 5,000 connections.", text)
        self.assertIn("it <broke>", text)

    def test_the_page_draws_three_plots_and_escapes(self):
        text = scale_page.render(self.data)
        self.assertEqual(text.count("<svg"), 3)
        self.assertNotIn("<broke>", text)
        self.assertNotIn("<script", text)

    def test_a_series_without_points_has_no_plot(self):
        self.assertEqual(self.data["series"][1]["bends"], {})


def run_scale(*arguments):
    return subprocess.run(["/usr/bin/python3", os.path.join(SCALE, "scale.py"), *arguments],
                          capture_output=True, text=True, timeout=SECONDS_FOR_ALL, check=False)


class CommandTest(unittest.TestCase):
    def test_an_unknown_series_is_a_usage_error(self):
        done = run_scale("--only", "nonsense")
        self.assertEqual(done.returncode, 2)
        self.assertIn("There is no series 'nonsense'", done.stderr)

    def test_the_list_has_every_series(self):
        self.assertEqual(len(run_scale("--list").stdout.splitlines()), len(series.ALL))


class StandingTest(unittest.TestCase):
    """Silent connections of both kinds beside polls, with a few of everything."""

    def setUp(self):
        self.pop3load = harness.need_program(self, "pop3load")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)

    def start(self, reactors):
        try:
            group = cgroups.Group(cgroups.find(), f"restante-scale-test-{os.getpid()}")
        except cgroups.Unusable as reason:
            self.skipTest(str(reason))
        sets = [series.POLLED, series.many(STANDING)]
        owner = peers.mail_user()
        mail, users = os.path.join(self.folder, "mail"), os.path.join(self.folder, "users")
        growth.seed(self.pop3load, mail, sets, (owner.pw_uid, owner.pw_gid) if harness.is_root() else None,
                    lambda _: None)
        with open(users, "w", encoding="ascii") as file:
            file.writelines(maildrops.passwd_lines(sets, {"PLAIN": ["{PLAIN}" + maildrops.PASSWORD]}))
        peer = peers.Restante(harness.settings.build, settings=f"[runtime]\nreactors = {reactors}\n")
        place = peers.Place(os.path.join(self.folder, "server"), mail, users, harness.free_port())
        running = peers.Running(peer, place, group)
        self.addCleanup(running.stop)
        return running

    def test_they_stand_until_the_block_ends_and_leave_nothing(self):
        running = self.start(reactors=1)
        before = standing.settled_descriptors(running.group)
        for profile, each in (("idle-anonymous", 1), ("idle", 2)):
            with self.subTest(profile=profile):
                with standing.standing(self.pop3load, running, profile, STANDING, "many{}"):
                    self.assertGreaterEqual(standing.descriptors(running.group), before + each * STANDING)
                self.assertLessEqual(standing.descriptors(running.group), before)

    def test_a_connection_that_cannot_stand_is_told(self):
        running = self.start(reactors=1)
        with self.assertRaisesRegex(load.Failed, "which holds connections, ended"):
            with standing.standing("/bin/false", running, "idle", 1, "many{}"):
                pass


if __name__ == "__main__":
    unittest.main()
