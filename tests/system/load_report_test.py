"""The HTML report in a real browser: everything is drawn, nothing is complained of, nothing comes from
outside."""
import html.parser
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness

SECONDS_MAX = 300
BROWSER = "chromium"
WRITES_REPORT = "a report is written to REPORT_OUT for the browser test to open"


class Page(html.parser.HTMLParser):
    """What the tests ask of the drawn page."""

    def __init__(self, text):
        super().__init__()
        self.root = {}  # attributes of <html>
        self.marks = {}  # plot -> how many marks it has
        self.outside = []  # what an attribute would fetch
        self.hidden = set()  # ids
        self.title = ""
        self.is_title = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "html":
            self.root = attributes
        if "data-plot" in attributes:
            self.marks[attributes["data-plot"]] = int(attributes.get("data-marks", 0))
        if "hidden" in attributes and "id" in attributes:
            self.hidden.add(attributes["id"])
        self.outside += [value for name, value in attributes.items() if name in ("src", "href")]
        self.is_title = tag == "title" and not self.title

    def handle_data(self, data):
        if self.is_title:
            self.title = data
        self.is_title = False


class LoadReportTest(unittest.TestCase):
    def setUp(self):
        if harness.settings.quick:
            self.skipTest("slow: the page is the same in every build")
        self.load_tests = harness.need_program(self, "load_tests")
        if shutil.which(BROWSER) is None:
            self.fail(f"{BROWSER} is not installed (tools/install test)")
        self.folder = tempfile.mkdtemp(prefix="restante-report-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.report = os.path.join(self.folder, "report.html")

    def write_report(self, kind):
        subprocess.run([self.load_tests, "-tc=" + WRITES_REPORT], check=True, timeout=SECONDS_MAX,
                       stdout=subprocess.DEVNULL,
                       env={**os.environ, "REPORT_OUT": self.report, "REPORT_KIND": kind})
        os.chmod(self.folder, 0o755)
        harness.give_to_nobody(self.folder)

    def browse(self, *options):
        """The browser run on the report: its output, and what the page said on the console."""
        home = os.path.join(self.folder, "home")
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   f"--user-data-dir={home}", "--enable-logging=stderr", *options,
                   "file://" + self.report]
        done = subprocess.run(harness.unprivileged(command), capture_output=True, timeout=SECONDS_MAX,
                              text=True, cwd="/", check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, "HOME": self.folder})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, re.findall(r"^.*\bCONSOLE\b.*$", done.stderr, re.M)

    def drawn_page(self, kind, *options):
        self.write_report(kind)
        text, console = self.browse("--dump-dom", "--window-size=1000,2600", *options)
        page = Page(text)
        self.assertEqual(console, [])
        self.assertEqual(page.root.get("data-errors"), "0", page.root.get("data-error-text"))
        self.assertEqual(page.outside, [])
        self.assertEqual(page.root["data-drawn"].split(), list(page.marks))
        return page

    def test_every_plot_is_drawn_and_the_console_is_silent(self):
        page = self.drawn_page("sample")
        self.assertEqual(list(page.marks), ["rate", "heat", "spectrum", "in-flight", "server-cpu",
                                            "server-memory"])
        self.assertGreaterEqual(page.marks["rate"], 4)  # area, asked, ended, faults
        self.assertGreaterEqual(page.marks["heat"], 8)  # levels, p99 and p50
        self.assertEqual(page.marks["spectrum"], 2)  # corrected and uncorrected
        for plot, marks in page.marks.items():
            self.assertGreater(marks, 0, plot)

    def test_what_a_server_said_is_shown_and_not_run(self):
        self.assertEqual(self.drawn_page("sample").title, "drain at 127.0.0.1:110 - pop3load")
        text, _ = self.browse("--dump-dom")
        drawn = text.split('<script type="application/json"', 1)[0]
        self.assertIn("&lt;/script&gt;&lt;script&gt;document.title='x'&lt;/script&gt;", drawn)
        self.assertNotIn("\x1b", drawn)

    def test_the_runs_of_a_search_are_a_table(self):
        self.assertNotIn("stages-section", self.drawn_page("stages").hidden)
        text, _ = self.browse("--dump-dom")
        rows = re.findall(r"<tr>(.*?)</tr>", text.split('id="stages"', 1)[1].split("</table>", 1)[0])
        self.assertEqual([re.sub("<[^>]*>", " ", row).split()[0] for row in rows],
                         ["asked/s", "all", "630", "945"])
        self.assertIn("no: late", rows[3])
        self.assertIn("stages-section", self.drawn_page("sample").hidden)

    def test_the_closed_model_without_a_server_has_its_plots(self):
        page = self.drawn_page("closed")
        self.assertEqual(list(page.marks), ["rate", "heat", "spectrum", "in-flight"])
        self.assertEqual(page.marks["spectrum"], 1)
        self.assertLessEqual({"server", "server-cpu", "server-memory"}, page.hidden)
        for plot, marks in page.marks.items():
            self.assertGreater(marks, 0, plot)

    def test_a_run_in_which_nothing_ended_is_a_page_too(self):
        page = self.drawn_page("empty")
        self.assertEqual(sum(page.marks.values()), 0)

    def test_it_is_drawn_on_a_narrow_screen_and_in_the_dark(self):
        page = self.drawn_page("sample", "--window-size=500,900", "--force-dark-mode")
        for plot, marks in page.marks.items():
            self.assertGreater(marks, 0, plot)

    def test_it_prints(self):
        self.write_report("sample")
        pdf = os.path.join(self.folder, "report.pdf")
        _, console = self.browse(f"--print-to-pdf={pdf}")
        self.assertEqual(console, [])
        with open(pdf, "rb") as file:
            self.assertTrue(file.read().startswith(b"%PDF-"))


if __name__ == "__main__":
    unittest.main()
