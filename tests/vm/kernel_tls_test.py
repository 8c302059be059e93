"""Kernel TLS: in force where the kernel has it, with the octets of the copy path; told where it has not."""
import json
import os
import re
import ssl
import subprocess
import time

import harness
import tls_kernel
from tls_kernel import TlsClient, client_context
from image_mount import ImageMount
from tls_test import make_pair

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
RINGS = ("uring", "epoll")
SPLICED_FROM = 16 * 1024  # octets: what is left of a message may be less, and is copied
SECONDS_TO_ATTACH = 2  # strace, after which it sees what the server does
LINE = b"Sphinx of black quartz, judge my vow; pack my box with five dozen jugs."


def lines(count, end, every=0, start=b"", line=LINE):
    """A message of so many lines, of which each `every`th begins with `start`."""
    body = (start * (every > 0 and number % every == 0) + b"%d " % number + line + end
            for number in range(count))
    return b"Subject: lines" + end + end + b"".join(body)


MAIL = {
    "short": b"Subject: short\r\n\r\nhello\r\n",
    "wire-ready": lines(1200, b"\r\n"),
    "of some MiB": lines(4_000, b"\r\n", line=10 * LINE),  # the reader's cost is by the line
    "line feeds": lines(900, b"\n"),
    "few dots": lines(1200, b"\r\n", 400, b"."),
    "many dots": lines(1200, b"\r\n", 3, b".."),
    "nothing but dots": b".\r\n..\r\n.\r\n",
}


class TlsWorld(harness.SystemTest):
    """MAIL on ext4, a listener with TLS from the first octet and one with STLS."""

    def setUp(self):
        super().setUp()
        ImageMount(self, self.world, "ext4")
        for octets in MAIL.values():
            self.world.deliver(octets)
        self.certificate, self.key = make_pair(self.world, "server")
        self.tls_port = harness.free_port()

    def sections(self, ring="uring", **tls):
        return {
            "listener.pop3": {"tls": '"starttls"'},
            "listener.pop3s": {"address": f'["127.0.0.1:{self.tls_port}"]', "tls": '"required"'},
            "tls": {"certificate": f'"{self.certificate}"', "key": f'"{self.key}"', **tls},
            "runtime": {"backend": f'"{ring}"', "reactors": "1"},
        }

    def serve(self, ring="uring", as_root=False, more=None, **tls):
        self.server = self.world.serve(as_root=as_root, **{**self.sections(ring, **tls), **(more or {})})
        return self.server

    def connect(self, context=None, port=None, **options):
        client = TlsClient(port or self.tls_port, context or client_context(), **options)
        self.addCleanup(client.close)
        return client

    def logged_in(self, *arguments, **options):
        return harness.logged_in_when_unlocked(lambda: self.connect(*arguments, **options))

    def check_mail(self, client):
        """Every message, one after the other and pipelined."""
        for number, (name, octets) in enumerate(MAIL.items(), 1):
            self.assert_same_octets(client.retrieve(number), harness.crlf_form(octets), name)
        numbers = [1, 2, 5, 4, 6, 1, 7, 2]
        client.send(b"".join(b"RETR %d\r\n" % number for number in numbers))
        for number in numbers:
            self.assert_starts(client.line(), "+OK")
            octets = list(MAIL.values())[number - 1]
            self.assert_same_octets(client.body(), harness.crlf_form(octets), f"{number}, pipelined")

    def check_session(self, *arguments, **options):
        """Login to QUIT, ended by close_notify; the client."""
        client = self.logged_in(*arguments, **options)
        self.check_mail(client)
        self.assert_starts(client.ask("QUIT"), "+OK")
        self.assertTrue(client.is_ended())
        return client

    def doctor(self, as_root=False):
        """What it says of kernel TLS: verdict, finding, cure."""
        path = self.world.configuration(**self.sections())
        done = subprocess.run(
            harness.unprivileged([harness.settings.binary, "doctor", "--json", "--config", path], as_root),
            capture_output=True, text=True, check=False, cwd="/", timeout=harness.SECONDS_TO_START)
        found = next(each for each in json.loads(done.stdout) if each["check"] == "kernel TLS")
        return found["verdict"], found["what"], found["cure"]


class WithoutTest(TlsWorld):
    """A kernel whose module is not loaded, and cannot be."""

    def setUp(self):
        super().setUp()
        tls_kernel.unload()

    def test_mail_is_copied_and_the_same(self):
        for ring in RINGS:
            with self.subTest(ring=ring):
                self.serve(ring)
                for version in VERSIONS:
                    self.check_session(client_context(version))
                self.check_session(port=self.world.port, stls=True)
                self.server.stop()
        self.assertFalse(tls_kernel.COUNTS.exists())

    def test_doctor_says_what_is_missing_and_what_it_costs(self):
        for as_root in (False, True):
            verdict, what, cure = self.doctor(as_root)
            self.assertEqual(verdict, "warn")
            self.assertIn("this kernel has none loaded: modprobe tls", what)
            self.assertIn("copied", cure)


class WithTest(TlsWorld):
    """A kernel with its module."""

    def setUp(self):
        super().setUp()
        tls_kernel.load()
        self.before = tls_kernel.count("TlsTxSw")

    def assert_in_force(self, connections):
        """For so many connections since the test began, all of which have ended."""
        self.assertEqual(tls_kernel.count("TlsTxSw") - self.before, connections)
        harness.wait_until(lambda: tls_kernel.count("TlsCurrTxSw") == 0, "the end of all TLS in the kernel")

    def test_doctor_says_that_the_kernel_encrypts(self):
        self.assertEqual(self.doctor()[:2], ("ok", "the kernel encrypts what is sent"))

    def test_a_server_that_starts_as_root_has_the_module_loaded(self):
        tls_kernel.unload("/sbin/modprobe")
        self.before = 0
        self.serve(as_root=True)
        self.check_session()
        self.assert_in_force(1)

    def test_every_kind_of_mail(self):
        for ring in RINGS:
            with self.subTest(ring=ring):
                self.before = tls_kernel.count("TlsTxSw")
                self.serve(ring)
                for version in VERSIONS:
                    self.check_session(client_context(version))
                self.check_session(port=self.world.port, stls=True)
                self.server.stop()
                self.assert_in_force(3)

    def test_every_cipher(self):
        self.serve()
        ciphers = ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
        for cipher in ciphers:
            with self.subTest(cipher=cipher):
                context = client_context(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-" + cipher)
                self.check_session(context)
        self.assert_in_force(len(ciphers))

    def test_wire_ready_mail_is_spliced_from_the_page_cache(self):
        """No octet of it passes through the server."""
        self.serve()
        trace = os.path.join(self.world.root, "trace")
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, "-e", "trace=splice", "-p",
                                   str(self.server.process.pid)], stderr=subprocess.DEVNULL)
        self.addCleanup(tracer.wait)
        harness.wait_until(lambda: os.path.exists(trace), "strace")
        time.sleep(SECONDS_TO_ATTACH)
        client = self.logged_in()
        number = list(MAIL).index("of some MiB") + 1
        self.assert_same_octets(client.retrieve(number), MAIL["of some MiB"], "of some MiB")
        client.ask("QUIT")
        self.server.stop()
        with open(trace, encoding="ascii") as file:
            spliced = [int(octets) for octets in re.findall(r"\) = (\d+)$", file.read(), re.M)]
        spliced_least = len(MAIL["of some MiB"]) - SPLICED_FROM
        self.assertGreaterEqual(sum(spliced), 2 * spliced_least)  # into a pipe, and out of it
        self.assert_in_force(1)

    def test_other_strategies(self):
        strategies = ("sendfile", "uring_splice", "mmap_zerocopy")
        for strategy in strategies:
            with self.subTest(strategy=strategy):
                self.serve(more={"delivery": {"strategy": f'"{strategy}"'}})
                self.check_session()
                self.server.stop()
        self.assert_in_force(len(strategies))

    def test_a_client_that_reads_slowly_and_one_that_goes_away(self):
        for ring in RINGS:
            with self.subTest(ring=ring):
                self.before = tls_kernel.count("TlsTxSw")
                self.serve(ring)
                number = list(MAIL).index("of some MiB") + 1
                slow = self.logged_in(receive_octets=4096)
                slow.send(b"RETR %d\r\nNOOP\r\n" % number)
                time.sleep(1)  # the server's socket is full
                self.assert_starts(slow.line(), "+OK")
                self.assert_same_octets(slow.body(), MAIL["of some MiB"], "read slowly")
                self.assert_starts(slow.line(), "+OK")
                self.assert_starts(slow.ask("QUIT"), "+OK")
                self.assertTrue(slow.is_ended())
                gone = self.logged_in()
                gone.send(b"RETR %d\r\n" % number)
                self.assert_starts(gone.line(), "+OK")
                gone.close()
                self.server.wait_for_log("(?s)Disconnected.*Disconnected")
                self.server.stop()
                self.assert_in_force(2)

    def test_new_keys_of_tls_1_3(self):
        """The client's are followed. Linux before 6.14 cannot change its own: asked to, the server says so
        and ends the connection."""
        self.serve()
        client = subprocess.Popen(
            ["openssl", "s_client", "-crlf", "-connect", f"127.0.0.1:{self.tls_port}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.kill)

        def say(line, answer):
            client.stdin.write(line)
            self.assertTrue(any(answer in each for each in client.stdout), self.server.log())

        say(b"", b"+OK POP3 ready")
        say(b"k\n", b"KEYUPDATE")  # OpenSSL's word for new keys of the client's
        say(b"capa\n", b"IMPLEMENTATION")
        say(b"K\n", b"KEYUPDATE")  # and for both sides'
        self.server.wait_for_log("TLS: the client asks for new keys, which the kernel's TLS cannot change")
        client.stdin.close()
        client.wait(harness.SECONDS_TO_ANSWER)
        self.assert_in_force(1)

    def test_switched_off_it_is_not_used(self):
        self.serve(kernel="false")
        self.check_session()
        self.assert_in_force(0)

    def test_resumed_sessions(self):
        self.serve()
        for version in VERSIONS:
            with self.subTest(version=version):
                context = client_context(version)
                first = self.check_session(context)
                second = self.check_session(context, session=first.socket.session)
                self.assertTrue(second.socket.session_reused)
        self.assert_in_force(2 * len(VERSIONS))
