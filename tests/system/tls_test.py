"""TLS as others see it: scanners from Debian's packages, OpenSSL's and Python's clients, renewals.

Implicit TLS and STLS; what the scanners find is asserted.
"""
import functools
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

import harness

SCAN_SECONDS_MAX = 1200
CIPHERS = {  # Mozilla's "intermediate", version 5.7
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    "DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-CHACHA20-POLY1305",
}
# What testssl complains of all the same, by the start of the finding's id: a certificate that vouches
# for itself; a machine without names; its own OpenSSL; that the client chooses among the ciphers, which is
# Mozilla's rule since all of them are strong; and a "connect problem" where its client leaves before the
# ticket, which follows the handshake, has come.
EXPECTED_FINDINGS = ("cert_", "DNS_CAArecord", "engine_problem", "service", "cipher_order",
                     "sessionresumption_ticket")


def faults_that_testssl_finds(test, *arguments, least):
    """Of at least so many findings, those that are no good news and not expected."""
    path = os.path.join(tempfile.mkdtemp(dir=test.world.root), "findings.json")
    subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "batch", "-oj", path, *arguments],
                   capture_output=True, timeout=SCAN_SECONDS_MAX, check=False)
    with open(path, encoding="utf-8") as file:
        findings = json.load(file)
    test.assertGreater(len(findings), least)
    return [f"{each['id']}: {each['finding']}" for each in findings
            if each["severity"] not in ("OK", "INFO") and not each["id"].startswith(EXPECTED_FINDINGS)]


def make_pair(world, name, kind="ec", common_name="localhost"):
    """Paths of a certificate that vouches for itself and of its key."""
    certificate = os.path.join(world.root, f"{name}.pem")
    key = os.path.join(world.root, f"{name}.key")
    how = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}[kind]
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", *how, "-days", "30",
                    "-subj", f"/CN={common_name}", "-addext", f"subjectAltName=DNS:{common_name}",
                    "-keyout", key + ".new", "-out", certificate + ".new"],
                   check=True, capture_output=True)
    os.rename(key + ".new", key)
    os.rename(certificate + ".new", certificate)
    harness.give_to_nobody(world.root)
    return certificate, key


@functools.cache
def shared_pair():
    """The content of a certificate and its key, for tests that any will do for."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("c.pem", "k.pem")]
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-subj", "/CN=localhost", "-keyout", paths[1],
                        "-out", paths[0]], check=True, capture_output=True)
        return [pathlib.Path(path).read_bytes() for path in paths]


def lenient_context(version=None):
    """A client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class TlsTest(harness.SystemTest):
    """One listener with TLS from the first octet, one with STLS."""

    def setUp(self):
        super().setUp()
        self.world.maildrop()
        self.certificate, self.key = make_pair(self.world, "server")
        self.tls_port = harness.free_port()
        self.server = self.world.serve(**{
            "listener.pop3": {"tls": '"starttls"'},
            "listener.pop3s": {"address": f'["127.0.0.1:{self.tls_port}"]', "tls": '"required"'},
            "tls": {"certificate": f'"{self.certificate}"', "key": f'"{self.key}"'},
            "auth": {"allow_cleartext": "false"},
        })

    def connect(self, context=None, name="localhost", session=None):
        raw = socket.create_connection(("127.0.0.1", self.tls_port), timeout=harness.SECONDS_TO_ANSWER)
        self.addCleanup(raw.close)
        secured = (context or lenient_context()).wrap_socket(raw, server_hostname=name, session=session)
        self.addCleanup(secured.close)
        return secured

    def greeting(self, secured):
        return secured.makefile("rb").readline()

    def test_python_speaks_both_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                secured = self.connect(lenient_context(version))
                self.assertTrue(self.greeting(secured).startswith(b"+OK POP3 ready"))

    def test_sessions_are_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                context = lenient_context(version)
                first = self.connect(context)
                self.greeting(first)  # the ticket of TLS 1.3 comes before it
                self.assertFalse(first.session_reused)
                second = self.connect(context, session=first.session)
                self.assertTrue(self.greeting(second).startswith(b"+OK"))
                self.assertTrue(second.session_reused)

    def test_alpn(self):
        context = lenient_context()
        context.set_alpn_protocols(["pop3"])
        self.assertEqual(self.connect(context).selected_alpn_protocol(), "pop3")
        context.set_alpn_protocols(["http/1.1"])
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
            self.connect(context)

    def test_openssl_speaks_stls(self):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.world.port}", "-starttls", "pop3",
             "-quiet"], input=b"QUIT\r\n", capture_output=True, timeout=harness.SECONDS_TO_ANSWER, check=False)
        self.assertIn(b"+OK", done.stdout)

    def test_octets_after_stls_close_the_connection(self):
        with harness.Client(self.world.port) as client:
            client.send(b"STLS\r\nUSER mrose\r\n")
            rest = client.file.read()
        self.assertNotIn(b"PASS", rest)
        self.assertLessEqual(rest.count(b"\r\n"), 1)

    def test_http_on_the_tls_port_is_logged_with_its_cause(self):
        with socket.create_connection(("127.0.0.1", self.tls_port), timeout=harness.SECONDS_TO_ANSWER) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            raw.recv(1000)
        self.server.wait_for_log("TLS handshaking: .*the client speaks HTTP")

    def test_a_renewed_certificate_is_served_after_a_reload(self):
        before = self.connect().getpeercert(binary_form=True)
        make_pair(self.world, "server")
        self.server.process.send_signal(harness.signal.SIGHUP)
        harness.wait_until(lambda: self.connect().getpeercert(binary_form=True) != before,
                           "the new certificate")

    def test_a_broken_renewal_leaves_the_old_in_force(self):
        before = self.connect().getpeercert(binary_form=True)
        self.world.write(self.key, b"rubbish\n")
        self.server.process.send_signal(harness.signal.SIGHUP)
        self.server.wait_for_log("no private key in PEM format.*the certificates in force stay")
        self.assertEqual(self.connect().getpeercert(binary_form=True), before)

    def test_certificates_change_under_load(self):
        failures, seen = [], set()
        is_over = threading.Event()

        def poll():
            while not is_over.is_set():
                try:
                    secured = self.connect()
                    seen.add(secured.getpeercert(binary_form=True))
                    if not self.greeting(secured).startswith(b"+OK"):
                        failures.append("no greeting")
                except OSError as error:
                    failures.append(str(error))

        clients = [threading.Thread(target=poll) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            for number in range(5):
                harness.wait_until(lambda: len(seen) > number, "the new certificate")
                make_pair(self.world, "server")
                self.server.process.send_signal(harness.signal.SIGHUP)
        finally:
            is_over.set()
            for client in clients:
                client.join()
        self.assertEqual(failures, [])

    def need(self, program):
        if shutil.which(program) is None:
            self.skipTest(f"{program} is not installed")

    def test_sslscan_finds_the_intermediate_profile_and_no_more(self):
        self.need("sslscan")
        done = subprocess.run(["sslscan", "--no-colour", "--xml=-", f"127.0.0.1:{self.tls_port}"],
                              capture_output=True, text=True, timeout=SCAN_SECONDS_MAX, check=True)
        found = set(harness.re.findall(r'<cipher [^>]*cipher="([^"]+)"', done.stdout))
        self.assertTrue(found)
        self.assertLessEqual(found, CIPHERS)
        self.assertRegex(done.stdout, r'renegotiation supported="0"')
        for version in ("1.0", "1.1"):
            self.assertRegex(done.stdout, f'type="tls" version="{version}" enabled="0"')

    def test_nmap_grades_every_cipher_a(self):
        self.need("nmap")
        done = subprocess.run(
            ["nmap", "-Pn", "-p", str(self.tls_port), "--script", "+ssl-enum-ciphers", "127.0.0.1"],
            capture_output=True, text=True, timeout=SCAN_SECONDS_MAX, check=True)
        self.assertRegex(done.stdout, "least strength: A")
        self.assertNotRegex(done.stdout, r"TLSv1\.[01]:")

    def test_testssl_finds_no_fault_but_in_the_certificate(self):
        self.need("testssl")
        if harness.settings.quick:
            self.skipTest("takes minutes")
        faults = faults_that_testssl_finds(self, f"127.0.0.1:{self.tls_port}", least=50)
        self.assertEqual(faults, [])
