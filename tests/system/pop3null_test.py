"""pop3null, the floor that servers are measured against: what it says is canned, but never wrong."""
import contextlib
import os
import poplib
import re
import signal
import socket
import subprocess
import tempfile
import unittest

import harness

SECONDS_MAX = 60
MESSAGES = 12
OCTETS = 5000


def command(*arguments):
    return [os.path.join(harness.settings.build, "pop3null"), *arguments]


class Floor:
    """A running pop3null."""

    def __init__(self, test, *arguments):
        harness.need_program(test, "pop3null")
        self.test = test
        self.process = subprocess.Popen(
            harness.unprivileged(command("--port", "0", *arguments), as_root=True),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        test.addCleanup(self.end)
        ready = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (\S+):(\d+)\n", ready)
        test.assertIsNotNone(found, ready)
        self.address, self.port = found.group(1), int(found.group(2))

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=SECONDS_MAX)
        self.test.assertEqual((self.process.returncode, errors), (0, ""))

    def client(self):
        client = harness.Client(self.port)
        self.test.addCleanup(client.close)
        return client


def descriptors_watched(process):
    """Of each epoll of `process`, the connections."""
    folder = f"/proc/{process}/fd"
    names = {number: os.readlink(f"{folder}/{number}") for number in os.listdir(folder)}
    for epoll in [number for number, name in names.items() if name == "anon_inode:[eventpoll]"]:
        with open(f"/proc/{process}/fdinfo/{epoll}", encoding="ascii") as file:
            watched = re.findall(r"^tfd:\s+(\d+)", file.read(), re.MULTILINE)
        # Beside them each watches its listening socket and the descriptor of signals.
        sockets = [number for number in watched if names.get(number, "").startswith("socket:")]
        yield sockets[1:]


class Pop3NullTest(unittest.TestCase):
    def setUp(self):
        self.floor = Floor(self, "--messages", str(MESSAGES), "--message", str(OCTETS))

    def poplib(self):
        client = poplib.POP3("127.0.0.1", self.floor.port, timeout=SECONDS_MAX)
        self.addCleanup(client.close)
        return client

    def test_what_listings_say_is_what_messages_are(self):
        client = self.poplib()
        self.assertEqual(client.user("anybody"), b"+OK")
        self.assertEqual(client.pass_("any word"), b"+OK")
        self.assertEqual(client.stat(), (MESSAGES, MESSAGES * OCTETS))
        listed = client.list()[1]
        self.assertEqual(listed, [b"%d %d" % (n, OCTETS) for n in range(1, MESSAGES + 1)])
        bodies = set()
        for number in range(1, MESSAGES + 1):
            lines = client.retr(number)[1]
            self.assertEqual(sum(len(line) + 2 for line in lines), OCTETS)
            self.assertTrue(lines[1].startswith(b"X-Pop3load: octets=%012d " % OCTETS), lines[1])
            bodies.add(b"\n".join(lines))
            self.assertEqual(client.list(number), b"+OK %d %d" % (number, OCTETS))
        self.assertEqual(len(bodies), MESSAGES)
        self.assertEqual(client.quit(), b"+OK")

    def test_unique_ids_are_unique_and_those_of_every_session(self):
        listings = []
        for _ in range(2):
            client = self.poplib()
            listings.append(client.uidl()[1])
            self.assertEqual(client.uidl(3), b"+OK " + listings[-1][2])
        self.assertEqual(listings[0], listings[1])
        self.assertEqual(len({line.split()[1] for line in listings[0]}), MESSAGES)

    def test_every_way_to_log_in_is_answered(self):
        client = self.poplib()
        self.assertTrue({"USER", "TOP", "UIDL", "PIPELINING", "SASL"} <= set(client.capa()))
        self.assertEqual(client.apop("anybody", "secret"), b"+OK")
        client = self.floor.client()
        self.assertEqual(client.ask("AUTH PLAIN AGEAYg=="), "+OK")
        self.assertEqual(client.ask("AUTH PLAIN"), "+ ")
        self.assertEqual(client.ask("AGEAYg=="), "+OK")
        self.assertEqual(client.listing("AUTH"), ["PLAIN"])
        self.assertTrue(client.ask("AUTH LOGIN").startswith("-ERR"))

    def test_top_is_the_headers_and_so_many_lines(self):
        client = self.poplib()
        whole = client.retr(1)[1]
        headers = whole.index(b"") + 1
        for lines in (0, 1, 7):
            self.assertEqual(client.top(1, lines)[1], whole[:headers + lines])
        self.assertEqual(client.top(1, 100000)[1], whole)

    def test_a_deletion_is_acknowledged_and_forgotten(self):
        client = self.poplib()
        self.assertEqual(client.dele(1), b"+OK")
        self.assertEqual(client.rset(), b"+OK")
        self.assertEqual(client.noop(), b"+OK")
        client.dele(2)
        client.quit()
        self.assertEqual(self.poplib().stat()[0], MESSAGES)

    def test_what_is_not_there_is_refused(self):
        client = self.floor.client()
        for line in ("RETR 0", f"RETR {MESSAGES + 1}", "RETR", "RETR x", "RETR -1", "LIST 99", "UIDL 0",
                     "DELE 99", "DELE", "TOP 1", "TOP", "TOP 99 0", "XYZZY", "", "Q",
                     "RETR 99999999999999999999"):
            with self.subTest(line):
                self.assertTrue(client.ask(line).startswith("-ERR"))
        self.assertEqual(client.ask("retr 1"), f"+OK {OCTETS} octets")

    def test_pipelined_commands_are_answered_in_order_however_they_are_cut(self):
        commands = b"USER a\r\nPASS b\r\nSTAT\r\nRETR 2\r\nNOOP\r\nTOP 1 0\nLIST 3\r\nQUIT\r\n"
        whole = self.floor.client()
        whole.send(commands)
        answers = whole.file.read()
        self.assertEqual(answers.count(b"+OK"), 8)
        self.assertTrue(answers.endswith(b".\r\n+OK 3 %d\r\n+OK\r\n" % OCTETS))
        for pieces in (1, 3):
            client = self.floor.client()
            for at in range(0, len(commands), pieces):
                client.send(commands[at:at + pieces])
            self.assertEqual(client.file.read(), answers)

    def test_a_client_that_does_not_read_at_first_gets_everything(self):
        floor = Floor(self, "--messages", "3", "--message", "2000000")
        client = floor.client()
        client.send(b"RETR 1\r\nLIST\r\nRETR 2\r\n" * 20 + b"NOOP\r\n" * 2000)
        self.assertEqual(floor.client().ask("NOOP"), "+OK")  # the others are served meanwhile
        for _ in range(20):
            for expected in (2000000, None, 2000000):
                self.assertTrue(client.line().startswith("+OK"))
                body = client.body()
                if expected:
                    self.assertEqual(len(body), expected)
        for _ in range(2000):
            self.assertEqual(client.line(), "+OK")
        self.assertEqual(client.ask("QUIT"), "+OK")
        self.assertTrue(client.is_closed())

    def test_an_endless_line_is_ended(self):
        client = self.floor.client()
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                client.send(b"x" * 4096)
        self.assertTrue(client.is_closed())
        self.assertEqual(self.floor.client().ask("NOOP"), "+OK")

    def test_clients_that_vanish_leave_nothing_behind(self):
        folder = f"/proc/{self.floor.process.pid}/fd"
        before = len(os.listdir(folder))
        for number in range(200):
            with socket.create_connection(("127.0.0.1", self.floor.port), SECONDS_MAX) as client:
                client.sendall(b"RETR 1\r\n" * (number % 3))
        harness.wait_until(lambda: len(os.listdir(folder)) == before, "the connections to be closed")

    def test_a_message_of_a_file_is_sent_with_crlf_and_stuffed(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"Subject: x\n\n.\n..two\nno end")
            file.flush()
            floor = Floor(self, "--messages", "2", "--message", file.name)
            client = floor.client()
            whole = b"Subject: x\r\n\r\n.\r\n..two\r\nno end\r\n"
            self.assertEqual(client.listing("LIST"), [f"1 {len(whole)}", f"2 {len(whole)}"])
            self.assertEqual(client.retrieve(2), whole)
            self.assertEqual(client.ask("TOP 1 1"), "+OK")
            self.assertEqual(client.body(), b"Subject: x\r\n\r\n.\r\n")

    def test_sizes_are_taken_in_turn(self):
        client = Floor(self, "--messages", "5", "--message", "3000,10000").client()
        sizes = [3000, 10000, 3000, 10000, 3000]
        self.assertEqual(client.listing("LIST"), [f"{number} {octets}" for number, octets in enumerate(sizes, 1)])
        self.assertEqual([len(client.retrieve(number)) for number in range(1, 6)], sizes)

    def test_threads_share_the_clients_of_one_port(self):
        floor = Floor(self, "--threads", "3")
        clients = [floor.client() for _ in range(60)]
        self.assertEqual([client.ask("NOOP") for client in clients], ["+OK"] * len(clients))
        served = [len(held) for held in descriptors_watched(floor.process.pid)]
        self.assertEqual((len(served), sum(served)), (3, len(clients)))
        self.assertGreater(min(served), 0, served)
        floor.process.send_signal(signal.SIGTERM)
        self.assertEqual(floor.process.wait(SECONDS_MAX), 0)

    def test_an_empty_maildrop(self):
        client = Floor(self, "--messages", "0").client()
        self.assertEqual(client.ask("STAT"), "+OK 0 0")
        self.assertEqual(client.listing("LIST"), [])
        self.assertTrue(client.ask("RETR 1").startswith("-ERR"))

    def test_ipv6_and_sigint(self):
        floor = Floor(self, "--address", "::1")
        self.assertEqual(floor.address, "[::1]")
        with socket.create_connection(("::1", floor.port), SECONDS_MAX) as client:
            self.assertTrue(client.recv(100).startswith(b"+OK"))
        floor.process.send_signal(signal.SIGINT)
        self.assertEqual(floor.process.wait(SECONDS_MAX), 0)


class Pop3NullCommandLineTest(unittest.TestCase):
    def setUp(self):
        harness.need_program(self, "pop3null")

    def test_mistakes_are_told_in_words(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = str(taken.getsockname()[1])
        for arguments, code, words in [
            ([], 2, "pop3null --port 11000"),
            (["--port", "65536"], 2, "--port takes a number up to 65535"),
            (["--port", "0", "--messages", "x"], 2, "--messages takes a number up to 1000000"),
            (["--port", "0", "--no-such"], 2, "no-such"),
            (["--port", "0", "--message", "/no/such"], 1, "/no/such is empty or cannot be read"),
            (["--port", "0", "--address", "localhost"], 1, '"localhost" is no numeric address'),
            (["--port", port], 1, f"cannot listen on 127.0.0.1:{port}: Address already in use"),
            (["--port", "0", "--message", "99999999999"], 1, "do not fit into memory"),
            (["--port", "0", "--messages", "2", "--message", "1,8589934592"], 1, "do not fit into memory"),
            (["--port", "0", "--message", "3000,"], 1, "3000, is empty or cannot be read"),
            (["--port", "0", "--threads", "257"], 2, "--threads takes a number up to 256"),
        ]:
            with self.subTest(arguments):
                done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False,
                                      timeout=SECONDS_MAX, stdin=subprocess.DEVNULL)
                self.assertEqual((done.returncode, done.stdout), (code, ""))
                self.assertIn(words, done.stderr)

    def test_help_goes_to_stdout(self):
        done = subprocess.run(command("--help"), capture_output=True, text=True, check=False,
                              timeout=SECONDS_MAX)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--messages", done.stdout)
