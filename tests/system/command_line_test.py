"""The command line itself: help, mistakes, and what it says of a configuration file."""
import os
import re
import subprocess
import tempfile
import unittest

import harness

SHIPPED = os.path.join(harness.HERE, "..", "..", "conf", "restante.toml")
SECONDS_MAX = 20


def restante(*arguments, **options):
    return subprocess.run([harness.settings.binary, *arguments], timeout=SECONDS_MAX, text=True,
                          stdin=subprocess.DEVNULL, stdout=options.get("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, check=False)


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "restante.toml")

    def write(self, text):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text)

    def test_without_arguments_help_goes_to_stderr_and_it_is_no_success(self):
        done = restante()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, restante("--help").stdout)

    def test_help_leads_with_examples_and_names_every_command(self):
        done = restante("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLess(done.stdout.index("restante demo"), done.stdout.index("Commands"))
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)
        commands = re.findall(r"^  ([a-z-]+)  +\S", done.stdout.split("Commands", 1)[1], re.M)
        self.assertEqual(commands, ["demo", "serve", "check-config", "config", "doctor", "passwd",
                                    "hash", "version"])
        for command in commands:
            with self.subTest(command):
                self.assertEqual(restante(command, "--help").returncode, 0)

    def test_the_configuration_in_help_is_a_sound_one(self):
        help_text = restante("--help").stdout
        block = help_text.split("restante.toml:\n", 1)[1].split("\n\n", 1)[0]
        self.write(block)
        done = restante("check-config", "--config", self.file)
        self.assertEqual((done.stderr, done.stdout), ("", f"{self.file}: ok\n"))

    def test_a_mistyped_command_or_option_is_answered_with_the_nearest(self):
        for arguments, sentence in [
            (["srve"], 'restante: unknown command "srve"; did you mean "serve"?'),
            (["xyzzy"], 'restante: unknown command "xyzzy"'),
            (["serve", "--confg", "x"],
             'restante serve: unknown option "--confg"; did you mean "--config"?'),
            (["passwd", "dele", "x"], 'restante passwd: unknown command "dele"; did you mean "del"?'),
            (["version", "x"], 'restante version: unexpected argument "x"'),
            (["serve", "--config"], "restante serve: --config: 1 required TEXT missing"),
            (["\x1b[2J"], 'restante: unknown command "\\x1b[2J"'),
        ]:
            with self.subTest(arguments):
                done = restante(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertEqual(done.stderr.splitlines()[0], sentence)

    def test_every_mistake_of_a_configuration_is_told_with_its_place(self):
        self.write('[limits]\nidle_timeot = "10m"\nconnections = "many"\n')
        done = restante("check-config", "--config", self.file)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn(f'{self.file}:2:1: unknown key "idle_timeot" in [limits]; did you mean '
                      '"idle_timeout"?\n', done.stderr)
        self.assertIn(f"{self.file}:3:15: connections takes a whole number, not a text\n",
                      done.stderr)
        self.assertTrue(done.stderr.endswith(": 5 errors; a server would not start\n"), done.stderr)
        served = restante("serve", "--config", self.file)
        self.assertEqual((served.returncode, served.stdout), (2, ""))
        self.assertIn("idle_timeot", served.stderr)

    def test_the_shipped_configuration_is_sound_but_for_one_warning(self):
        for command in (["check-config"], ["-t"]):
            done = restante(*command, "--config", SHIPPED)
            self.assertEqual((done.returncode, done.stdout), (0, f"{SHIPPED}: ok\n"))
            self.assertRegex(done.stderr, r"\Awarning: .*: nobody can log in: .*\n\Z")

    def test_a_missing_file_is_named_with_its_cause(self):
        for command in ("check-config", "config", "serve"):
            done = restante(command, "--config", "/nonexistent/restante.toml")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertEqual(done.stderr, "/nonexistent/restante.toml: cannot be read: "
                                          "No such file or directory\n")

    def test_config_prints_what_it_reads_back_the_same(self):
        shown = restante("config", "--config", SHIPPED)
        self.assertEqual(shown.returncode, 0)
        self.write(restante("config", "--all", "--config", SHIPPED).stdout)
        self.assertEqual(restante("config", "--config", self.file).stdout, shown.stdout)

    def test_version_is_the_first_line(self):
        for arguments in (["version"], ["--version"], ["-V"]):
            self.assertRegex(restante(*arguments).stdout, r"\Arestante \d+\.\d+\.\d+\n")

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = restante("version", stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left on device", done.stderr)


if __name__ == "__main__":
    unittest.main()
