"""Scanners of Debian's packages on the port that begins in clear: what they find after STLS, and what
nmap's scripts for POP3 find of both ports. The port with TLS from the first octet is tls_test.py's."""
import os
import re
import subprocess

import harness
import tls_test


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=tls_test.SCAN_SECONDS_MAX,
                          check=True).stdout


class ScanTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.world.maildrop()
        certificate, key = (os.path.join(self.world.root, name) for name in ("c.pem", "k.pem"))
        for path, content in zip((certificate, key), tls_test.shared_pair()):
            self.world.write(path, content)
        self.tls_port = harness.free_port()
        self.server = self.world.serve(**{
            "listener.pop3": {"tls": '"starttls"'},
            "listener.pop3s": {"address": f'["127.0.0.1:{self.tls_port}"]', "tls": '"required"'},
            "tls": {"certificate": f'"{certificate}"', "key": f'"{key}"'},
            "auth": {"allow_cleartext": "false"},
        })

    def need(self, program):
        tls_test.TlsTest.need(self, program)

    def nmap(self, *scripts):
        """What each script says of each port, by port and name; nmap finds out itself what they speak."""
        self.need("nmap")
        told = run("nmap", "-Pn", "-sV", "--version-light", "-p", f"{self.world.port},{self.tls_port}",
                   "--script", ",".join(scripts), "127.0.0.1")
        ports = re.split(r"(?m)^(\d+)/tcp ", told)
        found = {}
        for port, text in zip(ports[1::2], ports[2::2]):
            parts = re.split(r"(?m)^\|[_ ]?([\w-]+):", text)
            found[int(port)] = dict(zip(parts[1::2], parts[2::2]))
        return told, found[self.world.port], found[self.tls_port]

    def test_sslscan_after_stls(self):
        self.need("sslscan")
        told = run("sslscan", "--no-colour", "--starttls-pop3", "--xml=-", f"127.0.0.1:{self.world.port}")
        found = set(re.findall(r'<cipher [^>]*cipher="([^"]+)"', told))
        self.assertTrue(found)
        self.assertLessEqual(found, tls_test.CIPHERS)
        self.assertRegex(told, r'renegotiation supported="0"')
        for version in ("1.0", "1.1"):
            self.assertRegex(told, f'type="tls" version="{version}" enabled="0"')
        for version in ("1.2", "1.3"):
            self.assertRegex(told, f'type="tls" version="{version}" enabled="1"')

    def test_nmap_finds_strong_ciphers_the_true_capabilities_and_nothing_else(self):
        told, *ports = self.nmap("ssl-enum-ciphers", "pop3-capabilities", "pop3-ntlm-info")
        for found in ports:
            graded = found.get("ssl-enum-ciphers", "")
            self.assertIn("least strength: A", graded, told)
            for version in ("TLSv1.2:", "TLSv1.3:"):
                self.assertIn(version, graded, told)
            self.assertNotRegex(graded, r"TLSv1\.[01]:|SSLv3:")
            self.assertNotIn("pop3-ntlm-info", found, told)
        clear, secure = (found["pop3-capabilities"] for found in ports)
        for capability in ("UIDL", "TOP", "PIPELINING", "RESP-CODES"):
            self.assertRegex(clear, rf"\b{capability}\b", told)
            self.assertRegex(secure, rf"\b{capability}\b", told)
        self.assertRegex(clear, r"\bSTLS\b", told)
        self.assertNotRegex(clear, r"\bUSER\b|PLAIN|LOGIN", told)  # passwords are not for the clear
        self.assertNotRegex(secure, r"\bSTLS\b", told)
        self.assertRegex(secure, r"\bUSER\b", told)
        self.assertRegex(secure, r"SASL\([^)]*PLAIN", told)

    def test_testssl_after_stls(self):
        self.need("testssl")
        if harness.settings.quick:
            self.skipTest("takes minutes")
        faults = tls_test.faults_that_testssl_finds(
            self, "-t", "pop3", "-p", "-s", "-S", "-R", "-C", f"127.0.0.1:{self.world.port}", least=20)
        self.assertEqual(faults, [])
