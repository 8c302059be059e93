"""The passwd-file as operators break it, and what the log says of logins."""
import base64
import os
import re
import time

import harness

MESSAGE = b"Subject: one\r\n\r\nhello\r\n"
STAMP = r"^\S+ restante\[\d+\]: "
TAIL = r"rip=127\.0\.0\.1, lip=127\.0\.0\.1, {}session=<[A-Za-z0-9+/]+>$"


class PasswdFileTest(harness.SystemTest):
    """Trouble with the user database costs logins, never mail, and names its place."""

    def setUp(self):
        super().setUp()
        self.world.deliver(MESSAGE)

    def test_an_unreadable_passwd_file_is_sys_temp_and_logged(self):
        os.chmod(self.world.users, 0)
        server = self.world.serve()
        with harness.Client(server.port) as client:
            self.assert_starts(client.log_in(), "-ERR [SYS/")
        server.wait_for_log("(?i)error: .*" + self.world.users + ".*permission denied")
        os.chmod(self.world.users, 0o644)
        server.logged_in()

    def test_a_broken_line_is_named_and_costs_its_user_alone(self):
        self.world.write(self.world.users, f"# users\nbroken:{{NO-SUCH}}x\nmrose:{{PLAIN}}{harness.PASSWORD}\n"
                                           .encode())
        server = self.world.serve()
        with harness.Client(server.port) as client:
            self.assert_starts(client.log_in("broken", "x"), "-ERR")
        server.wait_for_log(f"error: .*{self.world.users}:2: ")
        self.assertEqual(server.logged_in().retrieve(1), MESSAGE)

    def test_a_changed_passwd_file_is_read_again(self):
        server = self.world.serve()
        server.logged_in().ask("QUIT")
        time.sleep(0.05)
        self.world.set_users("mrose", "newcomer")
        self.assertEqual(server.logged_in("newcomer").ask("STAT"), "+OK 0 0")

    def test_passwords_made_by_hash_and_passwd_log_in(self):
        lines = []
        for number, scheme in enumerate(("PLAIN", "SHA512-CRYPT", "SSHA256", "ARGON2ID")):
            made = harness.run_binary("hash", "--scheme", scheme, text=harness.PASSWORD)
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assert_starts(made.stdout, "{" + scheme)
            lines.append(f"user{number}:{made.stdout}")
        self.world.write(self.world.users, "".join(lines).encode())
        added = harness.run_binary("passwd", "add", "--file", self.world.users, "added", text=harness.PASSWORD)
        self.assertEqual(added.returncode, 0, added.stderr)
        server = self.world.serve()
        for name in ("user0", "user1", "user2", "user3", "added"):
            self.assertEqual(server.logged_in(name).ask("STAT"), "+OK 0 0")

    def test_no_password_is_ever_logged(self):
        server = self.world.serve(log={"level": '"debug"'}, limits={"failed_delay": '"0s"'})
        with harness.Client(server.port) as client:
            client.log_in("mrose", "wrong-Secret-1")
            client.ask("AUTH PLAIN " + base64.b64encode(b"\0mrose\0wrong-Secret-2").decode())
            client.ask("PASS wrong-Secret-3")
            client.ask("wrong-Secret-4")
        server.logged_in().ask("QUIT")
        server.stop()
        self.assertNotRegex(server.log(), "Secret|" + harness.PASSWORD)
        self.assertNotIn(base64.b64encode(b"wrong-Secret-2").decode()[:8], server.log())


class LoginTest(harness.SystemTest):
    """USER/PASS and SASL, right and wrong."""

    def setUp(self):
        super().setUp()
        self.world.deliver(MESSAGE)

    def test_plain_and_login_work_with_and_without_an_initial_response(self):
        server = self.world.serve()
        plain = base64.b64encode(f"\0mrose\0{harness.PASSWORD}".encode()).decode()
        user, password = (base64.b64encode(text.encode()).decode() for text in ("mrose", harness.PASSWORD))
        for dialogue in ([f"AUTH PLAIN {plain}"], ["AUTH PLAIN", plain], ["AUTH LOGIN", user, password]):
            with harness.Client(server.port) as client:
                for line in dialogue[:-1]:
                    self.assert_starts(client.ask(line), "+ ")
                self.assert_starts(client.ask(dialogue[-1]), "+OK")
                self.assert_starts(client.ask("QUIT"), "+OK")

    def test_unknown_user_and_wrong_password_get_the_same_answer_after_the_delay(self):
        server = self.world.serve(limits={"failed_delay": '"400ms"'})
        answers = set()
        for user in ("mrose", "nobody-of-that-name"):
            with harness.Client(server.port) as client:
                started = time.monotonic()
                answers.add(client.log_in(user, "wrong"))
                self.assertGreaterEqual(time.monotonic() - started, 0.39)
        self.assertEqual(len(answers), 1, answers)
        self.assert_starts(answers.pop(), "-ERR [AUTH]")

    def test_a_listener_on_all_addresses_logs_the_one_that_was_asked(self):
        server = self.world.serve(**{"listener.pop3": {"address": f'["0.0.0.0:{self.world.port}"]'}})
        for address in ("127.0.0.1", "127.0.0.3"):
            with harness.Client(server.port, address=address) as client:
                self.assert_starts(client.log_in(), "+OK")
                self.assert_starts(client.ask("QUIT"), "+OK")  # behind it the next may log in
            server.wait_for_log("Login: user=<mrose>.*, lip=" + re.escape(address) + ", ")

    def test_a_user_name_is_no_path(self):
        self.world.set_users("mrose", "../mrose", "..")
        server = self.world.serve(limits={"failed_delay": '"0s"'})
        for name in ("../mrose", "..", "mrose/../mrose", "/etc", ".mrose"):
            with harness.Client(server.port) as client:
                self.assert_starts(client.log_in(name), "-ERR")


class LogLineTest(harness.SystemTest):
    """The lines that ban filters and log readers know."""

    def setUp(self):
        super().setUp()
        self.world.deliver(MESSAGE)
        self.server = self.world.serve(limits={"failed_delay": '"0s"'})

    def test_login_and_logout(self):
        client = self.server.logged_in()
        client.retrieve(1)
        client.ask("TOP 1 0")
        client.body()
        client.ask("DELE 1")
        client.ask("QUIT")
        self.server.wait_for_log(
            STAMP + "pop3-login: Login: user=<mrose>, method=PLAIN, " + TAIL.format(r"mpid=\d+, "))
        size = len(MESSAGE)
        end = self.server.wait_for_log(
            STAMP + r"pop3\(mrose\)<\d+><([A-Za-z0-9+/]+)>: Disconnected: Logged out "
            rf"top=1/\d+, retr=1/{size}, del=1/1, size={size}$")
        self.assertIn(f"session=<{end.group(1)}>", self.server.log())

    def test_failed_logins(self):
        client = self.server.client()
        for _ in range(3):
            client.log_in("mrose", "wrong")
        client.ask("QUIT")
        self.server.wait_for_log(
            STAMP + r"pop3-login: Disconnected \(auth failed, 3 attempts in \d+ secs\): user=<mrose>, "
            "method=PLAIN, " + TAIL.format(""))

    def test_a_log_that_a_shell_has_opened_is_appended_to(self):
        """`restante serve 2>log`: io_uring writes to where the file ended when it was asked, and another reactor
        may have been asked since."""
        folder = f"/proc/{self.server.process.pid}/fd"
        logs = [number for number in os.listdir(folder)
                if os.path.realpath(os.path.join(folder, number)) == os.path.realpath(self.server.log_path)]
        self.assertTrue(logs)
        for number in logs:
            with open(f"{folder}info/{number}", encoding="ascii") as file:
                flags = int(re.search(r"^flags:\s+0(\d+)", file.read(), re.MULTILINE)[1], 8)
            self.assertTrue(flags & os.O_APPEND, number)

    def test_what_a_client_sends_is_one_escaped_line(self):
        client = self.server.client()
        client.ask("USER a<b>\x01\x7fc")
        client.ask("PASS wrong")
        client.ask("QUIT")
        self.server.wait_for_log(r"pop3-login: Disconnected \(.*user=<")
        for line in self.server.log().splitlines():
            self.assertRegex(line, STAMP)
            self.assertRegex(line, r"\A[\x20-\x7e]*\Z")
            self.assertNotIn("<b>", line)
