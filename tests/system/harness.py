"""What every system test stands on: a world of maildrops, the real server in it, and a client socket.

Started as root, servers and clients run as `nobody`: permissions prove nothing to root.
"""
import contextlib
import glob
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "..", "corpus", "real")
PASSWORD = "two blind mice"
UNPRIVILEGED = pwd.getpwnam("nobody")
# Guards, which a test that passes never waits for: a busy machine with a sanitized server is slow.
SECONDS_TO_START = 60
SECONDS_TO_STOP = 60
SECONDS_TO_ANSWER = 60
CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)

# Set by run.py. `binary` is a copy that `nobody` may execute; `build` is the folder it comes from,
# with the other programs; `quick` leaves out what is slow; `backend` and `strategy` are of servers that do not
# name theirs.
settings = types.SimpleNamespace(binary=None, build=None, quick=False, backend="auto", strategy="auto")
reservations = []  # of free_port()
PACKAGES = {"mirror_fs": "libfuse3-dev"}  # of programs that are not built without


def alone(test):
    """Decorates a class or a function of tests that measure what others beside them would disturb, or
    disturb others: run.py runs them when nothing else runs."""
    test.is_alone = True
    return test


def is_root():
    return os.geteuid() == 0


def is_sanitized():
    """Sanitizers keep freed memory: bounds on memory are for the other builds."""
    with open(settings.binary, "rb") as file:
        return re.search(rb"__[at]san_init", file.read()) is not None


def need_program(test, name):
    """The path of a program beside the server; the test is skipped where it was not built."""
    path = os.path.join(settings.build, name)
    if not os.path.exists(path):
        needs = f": it needs {PACKAGES[name]}" if name in PACKAGES else ""
        test.skipTest(f"{name} is built without sanitizers only" if is_sanitized() else
                      f"{name} was not built{needs}")
    return path


def give_to_nobody(path):
    """`path` and what is below belong to whom servers and clients run as."""
    if not is_root():
        return
    os.chown(path, UNPRIVILEGED.pw_uid, UNPRIVILEGED.pw_gid)
    for directory, folders, files in os.walk(path):
        for name in folders + files:
            with contextlib.suppress(FileNotFoundError):  # a running server has renamed or removed it
                os.chown(os.path.join(directory, name), UNPRIVILEGED.pw_uid, UNPRIVILEGED.pw_gid,
                         follow_symlinks=False)


def unprivileged(command, as_root=False):
    """`command` as nobody; it ends with the test run, whatever happens to that."""
    drop = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"] if is_root() and not as_root else []
    return ["setpriv", "--pdeathsig", "KILL", *drop, "--", *command]


def ports_of_servers():
    """Those that no outgoing connection is given, where the machine leaves any."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first, last = map(int, file.read().split())
    return max(range(10_000, first), range(last + 1, 65_536), key=len) or range(10_000, 65_536)


def free_port(candidates=None):
    """A port that is free, and that no other test process is given until this one ends. None where none
    of the `candidates` is."""
    for port in candidates or iter(lambda: random.choice(ports_of_servers()), None):
        reservation = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), socket.socket() as probe:
            reservation.bind(f"\0restante-test-port-{port}")  # its name is taken as long as it is open
            probe.bind(("127.0.0.1", port))
            reservations.append(reservation)
            return port
        reservation.close()
    return None


def corpus():
    """(file name, octets) of every real message, in the order of their names."""
    messages = []
    for path in sorted(glob.glob(os.path.join(CORPUS, "*.eml"))):
        with open(path, "rb") as file:
            messages.append((os.path.basename(path), file.read()))
    assert len(messages) >= 100, "the corpus is missing"
    return messages


def crlf_form(octets):
    """What a client holds of a stored message: every line ends in CRLF (RFC 1939 section 3)."""
    octets = re.sub(rb"(?<!\r)\n", b"\r\n", octets)
    return octets if not octets or octets.endswith(b"\r\n") else octets + b"\r\n"


class Client:
    """One connection that says what it is told and reads whole replies."""

    def __init__(self, port, timeout=SECONDS_TO_ANSWER, source="127.0.0.1", address="127.0.0.1"):
        self.socket = socket.create_connection((address, port), timeout=timeout,
                                               source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.greeting = self.line()

    def send(self, octets):
        self.socket.sendall(octets)

    def line(self):
        """One line without CRLF; "" once the server has closed."""
        octets = self.file.readline()
        assert not octets or octets.endswith(b"\r\n"), octets
        return octets[:-2].decode("utf-8", "replace")

    def ask(self, command):
        self.send(command.encode() + b"\r\n")
        return self.line()

    def body(self):
        """A multi-line response's un-stuffed octets (its first line was read)."""
        lines = []
        while (octets := self.file.readline()) != b".\r\n":
            assert octets.endswith(b"\r\n"), f"cut off after {octets!r}"
            assert not octets.startswith(b".") or octets.startswith(b".."), f"not stuffed: {octets!r}"
            lines.append(octets[1:] if octets.startswith(b"..") else octets)
        return b"".join(lines)

    def listing(self, command):
        """The lines of LIST, UIDL or CAPA, which must succeed."""
        first = self.ask(command)
        assert first.startswith("+OK"), first
        return self.body().decode().splitlines()

    def retrieve(self, number):
        first = self.ask(f"RETR {number}")
        assert first.startswith("+OK"), first
        return self.body()

    def log_in(self, user="mrose", password=PASSWORD):
        """The reply to PASS."""
        assert self.ask(f"USER {user}").startswith("+OK")
        return self.ask(f"PASS {password}")

    def is_closed(self):
        """Reads up to the end: whether the server closes within the time-out."""
        with contextlib.suppress(ConnectionResetError):
            while self.socket.recv(65536):
                pass
        return True

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_until(condition, what, seconds=SECONDS_TO_ANSWER):
    """Until condition() is true; a failure names `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


def logged_in_when_unlocked(connect, user="mrose"):
    """A new client of connect() in TRANSACTION, once no session that has just ended, or a server that
    was just killed (io_uring lets go of descriptors a moment later), holds the lock any more."""
    deadline = time.monotonic() + SECONDS_TO_ANSWER
    while True:
        client = connect()
        reply = client.log_in(user)
        if reply.startswith("+OK"):
            return client
        client.close()
        assert "[IN-USE]" in reply and time.monotonic() < deadline, reply
        time.sleep(0.02)


class Server:
    """A running binary; its log is its stderr. `before` is called in the child, `command` takes the
    place of the whole command line."""

    def __init__(self, test, arguments, port, as_root=False, environment=None, folder=None, *,
                 command=None, before=None):
        self.test = test
        self.port = port
        self.clients = []
        handle, self.log_path = tempfile.mkstemp(prefix="log-", dir=folder)
        self.output_path = self.log_path + ".stdout"
        with os.fdopen(handle, "wb") as log, open(self.output_path, "wb") as output:
            self.process = subprocess.Popen(
                command or unprivileged([settings.binary, *arguments], as_root),
                stdin=subprocess.DEVNULL, stdout=output, stderr=log, cwd="/", preexec_fn=before,
                env={**os.environ, **(environment or {})})
        test.addCleanup(self.end)

    def wait_until_ready(self):
        """Until the greeting comes."""
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.log()}")
            with contextlib.suppress(OSError), Client(self.port) as client:
                self.test.assertTrue(client.greeting.startswith("+OK POP3 ready"), client.greeting)
                return self
            time.sleep(0.02)
        raise AssertionError(f"no greeting: {self.log()}")

    def client(self, **options):
        self.clients.append(Client(self.port, **options))
        self.test.addCleanup(self.clients[-1].close)
        return self.clients[-1]

    def logged_in(self, user="mrose"):
        """A client in TRANSACTION. The lock of a session that just ended is waited for."""
        return logged_in_when_unlocked(self.client, user)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def output(self):
        with open(self.output_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for_log(self, pattern):
        """The first match of `pattern` in the log, or a failure that shows it."""
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while (found := re.search(pattern, self.log(), re.M)) is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"no line matches {pattern!r} in:\n{self.log()}")
            time.sleep(0.02)
        return found

    def wait_for_end(self, seconds=SECONDS_TO_STOP):
        return self.process.wait(seconds)

    def stop(self):
        """SIGTERM, and what every server must then do: end with 0, having broken nothing."""
        self.process.send_signal(signal.SIGTERM)
        self.test.assertEqual(self.wait_for_end(), 0, self.log())

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def end(self):
        """Ends what a test left running, so that a demo cleans up and leaks are told; a crash fails the
        test."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait_for_end()
        self.kill()
        self.test.assertNotIn(-self.process.returncode, CRASHES, self.log())
        self.test.assertNotRegex(self.log(), r"ERROR: \w+Sanitizer|runtime error:|WARNING: \w+Sanitizer")


class World:
    """A folder with maildrops, users and a configuration, removed when the test ends."""

    def __init__(self, test, parent=None):
        self.test = test
        self.root = tempfile.mkdtemp(prefix="restante-test-", dir=parent)
        test.addCleanup(self._remove)
        os.chmod(self.root, 0o755)
        self.mail = os.path.join(self.root, "mail")
        os.mkdir(self.mail)
        self.users = os.path.join(self.root, "users")
        self.port = free_port()
        self.set_users("mrose")

    def _remove(self):
        subprocess.run(["chmod", "-R", "u+rwX", self.root], check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def set_users(self, *names):
        lines = "".join(f"{name}:{{PLAIN}}{PASSWORD}\n" for name in names)
        self.write(self.users, lines.encode())

    def write(self, path, octets):
        with open(path, "wb") as file:
            file.write(octets)
        give_to_nobody(self.root)

    def maildrop(self, user="mrose"):
        """Its path; made when missing."""
        path = os.path.join(self.mail, user)
        for folder in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(path, folder), exist_ok=True)
        give_to_nobody(self.mail)
        return path

    def deliver(self, octets, name=None, folder="new", user="mrose"):
        """A message's path; without a name, they are numbered in the order of delivery."""
        maildrop = self.maildrop(user)
        if name is None:
            count = sum(len(os.listdir(os.path.join(maildrop, each))) for each in ("new", "cur"))
            name = f"{1700000000 + count}.M1P1.post"
        path = os.path.join(maildrop, folder, name)
        self.write(path, octets)
        return path

    def deliver_corpus(self, user="mrose"):
        """Half of it seen, half new; the octets in the order of the message numbers."""
        maildrop = self.maildrop(user)
        messages = [octets for _, octets in corpus()]
        for number, octets in enumerate(messages, 1):
            seen = number % 2 == 0
            name = f"{1700000000 + number}.M{number}P7.post" + (":2,S" if seen else "")
            with open(os.path.join(maildrop, "cur" if seen else "new", name), "wb") as file:
                file.write(octets)
        give_to_nobody(self.mail)
        return messages

    def stored(self, user="mrose"):
        """Octets of the messages in the maildrop, by base name."""
        found = {}
        for folder in ("new", "cur"):
            for path in glob.glob(os.path.join(glob.escape(self.mail), user, folder, "*")):
                with open(path, "rb") as file:
                    found[os.path.basename(path).split(":")[0]] = file.read()
        return found

    def configuration(self, port=None, **sections):
        """Path of a configuration; `sections` add to or replace its keys: pop3={"durable": "false"}."""
        tables = {
            "listener.pop3": {"address": f'["127.0.0.1:{port or self.port}"]', "tls": '"none"'},
            "storage": {"maildir": f'"{self.mail}/{{user}}"', "user": '"nobody"'},
            "auth": {"allow_cleartext": "true"},
            "auth.backend.local": {"type": '"passwd-file"', "path": '"users"'},
            "limits": {"drain_timeout": '"5s"'},
            "delivery": {"strategy": f'"{settings.strategy}"'},
            "runtime": {"reactors": "2", "backend": f'"{settings.backend}"'},
        }
        for name, keys in sections.items():
            tables.setdefault(name, {}).update(keys)
        lines = ['hostname = "pop.example.org"']
        for name, keys in tables.items():
            lines += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]
        path = os.path.join(self.root, f"restante-{port or self.port}.toml")
        self.write(path, "\n".join(lines).encode() + b"\n")
        return path

    def serve(self, port=None, as_root=False, environment=None, **sections):
        """A server that has greeted."""
        arguments = ["serve", "--config", self.configuration(port, **sections)]
        server = Server(self.test, arguments, port or self.port, as_root, environment, self.root)
        return server.wait_until_ready()


def run_binary(*arguments, text=""):
    """The binary run to its end with `text` as its input: returncode, stdout, stderr."""
    return subprocess.run(unprivileged([settings.binary, *arguments]), capture_output=True, text=True,
                          input=text, timeout=SECONDS_TO_START, cwd="/", check=False)


class SystemTest(unittest.TestCase):
    """A test with a world of its own."""

    maxDiff = 2000

    def setUp(self):
        self.world = World(self)

    def assert_starts(self, text, prefix):
        self.assertTrue(text.startswith(prefix), f"{text!r} does not start with {prefix!r}")

    def assert_same_octets(self, got, expected, what):
        """Like assertEqual, but shows where they part."""
        if got == expected:
            return
        same = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b),
                    min(len(got), len(expected)))
        self.fail(f"{what}: {len(got)} octets, expected {len(expected)}; they part at {same}: "
                  f"{got[max(0, same - 20):same + 20]!r}, expected {expected[max(0, same - 20):same + 20]!r}")
