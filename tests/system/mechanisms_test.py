"""AUTH as real clients speak it: curl, mpop (GNU SASL) and fetchmail, each mechanism they have; tokens
judged by an end point; master users."""
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.parse

import harness
import mail_clients
import tls_test
from scram_client import ScramClient

TOKEN = "a-token-that-is-good"
CHALLENGES = ("CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
EVERYTHING = ("PLAIN", "LOGIN", *CHALLENGES, "XOAUTH2", "OAUTHBEARER", "EXTERNAL")


class Judge(http.server.BaseHTTPRequestHandler):
    """The token end point (RFC 7662): one token is good, and mrose's."""

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_good = urllib.parse.parse_qs(form).get("token") == [TOKEN]
        self.server.asked.append(self.headers.get("Authorization"))
        answer = json.dumps({"active": True, "username": "mrose"} if is_good else {"active": False})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


class MechanismsTest(harness.SystemTest):
    """Under TLS, where every mechanism may be used."""

    def setUp(self):
        super().setUp()
        self.judge = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Judge)
        self.judge.asked = []
        self.addCleanup(self.judge.server_close)
        self.addCleanup(self.judge.shutdown)
        threading.Thread(target=self.judge.serve_forever, daemon=True).start()
        certificate, key = (os.path.join(self.world.root, name) for name in ("c.pem", "k.pem"))
        for path, content in zip((certificate, key), tls_test.shared_pair()):
            self.world.write(path, content)
        self.client_certificate, self.client_key = tls_test.make_pair(
            self.world, "client", common_name="mrose")
        password = harness.PASSWORD
        self.world.write(self.world.users, f"mrose:{{PLAIN}}{password}\njdoe:{{PLAIN}}other\n".encode())
        masters = os.path.join(self.world.root, "masters")
        self.world.write(masters, b"admin:{PLAIN}master secret\n")
        self.world.deliver(b"Subject: mechanisms\r\n\r\nhello\r\n")
        self.tls_port = harness.free_port()
        mechanisms = ", ".join(f'"{name}"' for name in EVERYTHING)
        self.server = self.world.serve(**{
            "listener.pop3": {"tls": '"starttls"'},
            "listener.pop3s": {"address": f'["127.0.0.1:{self.tls_port}"]', "tls": '"required"'},
            "tls": {"certificate": f'"{certificate}"', "key": f'"{key}"',
                    "client_certificates": '"ask"', "client_ca": f'"{self.client_certificate}"'},
            "auth": {"allow_cleartext": "false", "mechanisms": f"[{mechanisms}]"},
            "auth.master": {"path": f'"{masters}"', "separator": '"*"'},
            "auth.token": {"type": '"introspection"', "client_id": '"restante"',
                           "client_secret": '"s"',
                           "endpoint": f'"http://127.0.0.1:{self.judge.server_address[1]}/introspect"'},
            "pop3": {"apop": "true"},
            "limits": {"failed_delay": '"0s"'},
        })

    def curl(self, *options, scheme="pop3s", port=None):
        return subprocess.run(
            ["curl", "--silent", "--show-error", "--insecure", "--max-time", "60", *options,
             f"{scheme}://127.0.0.1:{port or self.tls_port}/1"], capture_output=True, check=False)

    def assert_fetched(self, done):
        self.assertEqual(done.returncode, 0, done.stderr.decode() + self.server.log()[-1500:])
        self.assertIn(b"hello", done.stdout)

    def assert_method(self, mechanism):
        self.server.wait_for_log(f"Login: user=<mrose>, method={mechanism}, .*, TLS, ")

    def test_curl_and_passwords(self):
        account = ["--user", f"mrose:{harness.PASSWORD}"]
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"):
            with self.subTest(mechanism=mechanism):
                self.assert_fetched(self.curl(*account, "--login-options", f"AUTH={mechanism}"))
                self.assert_method(mechanism)
        self.assert_fetched(self.curl(*account, "--login-options", "AUTH=+APOP"))
        self.assert_method("APOP")

    def test_curl_after_stls_and_never_before(self):
        account = ["--user", f"mrose:{harness.PASSWORD}", "--login-options", "AUTH=PLAIN"]
        self.assert_fetched(self.curl(*account, "--ssl-reqd", scheme="pop3", port=self.world.port))
        self.assertNotEqual(self.curl(*account, scheme="pop3", port=self.world.port).returncode, 0)

    def test_curl_and_wrong_passwords(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"):
            for account in ("mrose:wrong", "nobody-there:wrong"):
                with self.subTest(mechanism=mechanism, account=account):
                    done = self.curl("--user", account, "--login-options", f"AUTH={mechanism}")
                    self.assertEqual(done.returncode, 67, done.stderr)  # login denied

    def test_curl_and_tokens(self):
        options = ["--user", "mrose:", "--login-options", "AUTH=OAUTHBEARER", "--oauth2-bearer"]
        self.assert_fetched(self.curl(*options, TOKEN))
        self.assert_method("OAUTHBEARER")
        self.assertEqual(self.curl(*options, "another").returncode, 67)
        self.assertEqual(len(self.judge.asked), 2)
        self.assertTrue(self.judge.asked[0].startswith("Basic "))

    def test_mpop_and_tokens(self):
        for mechanism in ("OAUTHBEARER", "XOAUTH2"):
            with self.subTest(mechanism=mechanism):
                shutil.rmtree(self.mpop(mechanism, TOKEN).folder)
                self.assert_method(mechanism)
                shutil.rmtree(self.mpop(mechanism, "another", good=range(1, 256)).folder)

    def test_curl_and_a_client_certificate(self):
        options = ["--user", "mrose:", "--login-options", "AUTH=EXTERNAL"]
        pair = ["--cert", self.client_certificate, "--key", self.client_key]
        self.assert_fetched(self.curl(*options, *pair))
        self.assert_method("EXTERNAL")
        stranger = tls_test.make_pair(self.world, "stranger", common_name="mrose")
        for others in ([], ["--cert", stranger[0], "--key", stranger[1]]):
            self.assertNotEqual(self.curl(*options, *others).returncode, 0)

    def test_scram_is_bound_to_the_channel(self):
        """tls-unique, which Python's ssl has, on TLS 1.2; bound to another channel it is refused."""
        for binding, is_right in ((None, True), (b"of another channel", False)):
            context = tls_test.lenient_context(ssl.TLSVersion.TLSv1_2)
            with socket.create_connection(("127.0.0.1", self.tls_port), timeout=harness.SECONDS_TO_ANSWER) as raw:
                secured = context.wrap_socket(raw)
                binding = binding or secured.get_channel_binding("tls-unique")
                client = ScramClient(secured, "mrose", harness.PASSWORD, binding)
                reply = client.log_in()
                self.assertEqual(reply.startswith(b"+OK"), is_right, reply)
                self.assertEqual(client.is_server_known, is_right)
        self.assert_method("SCRAM-SHA-256-PLUS")

    def test_a_token_is_for_its_own_user_only(self):
        done = self.curl("--user", "jdoe:", "--login-options", "AUTH=XOAUTH2", "--oauth2-bearer", TOKEN)
        self.assertEqual(done.returncode, 67, done.stderr)

    def test_a_master_opens_a_users_maildrop(self):
        options = ["--login-options", "AUTH=PLAIN"]
        self.assert_fetched(self.curl("--user", "mrose*admin:master secret", *options))
        self.server.wait_for_log("Master user <admin> acts as user=<mrose>")
        self.assert_fetched(self.curl("--user", "admin:master secret", "--sasl-authzid", "mrose", *options))
        for account in ("mrose*admin:wrong", "mrose*jdoe:other", "admin:master secret"):
            self.assertEqual(self.curl("--user", account, *options).returncode, 67, account)

    def mpop(self, mechanism, password=harness.PASSWORD, good=(0,)):
        client = mail_clients.Mpop(self.world.root, self.tls_port)
        client.write("rc", f"""\
            account default
            host 127.0.0.1
            port {self.tls_port}
            user mrose
            password {password}
            auth {mechanism.lower()}
            tls on
            tls_starttls off
            tls_certcheck off
            keep on
            only_new off
            uidls_file {client.path("uidls")}
            delivery mbox {client.path("mbox")}
            """)
        client.run("mpop", "--file", client.path("rc"), good=good)
        return client

    def test_mpop_with_gnu_sasl(self):
        for mechanism in ("PLAIN", "LOGIN", *CHALLENGES):
            with self.subTest(mechanism=mechanism):
                client = self.mpop(mechanism)
                with open(client.path("mbox"), "rb") as file:
                    self.assertIn(b"hello", file.read())
                self.assert_method(mechanism)
                shutil.rmtree(client.folder)

    def test_mpop_with_wrong_passwords(self):
        for mechanism in CHALLENGES:
            with self.subTest(mechanism=mechanism):
                shutil.rmtree(self.mpop(mechanism, "wrong", good=range(1, 256)).folder)

    def test_fetchmail_with_cram_md5(self):
        client = mail_clients.Fetchmail(self.world.root, self.tls_port)
        client.write("rc", f"""\
            set no syslog
            poll 127.0.0.1 protocol pop3 port {self.tls_port} auth cram-md5
                user mrose password "{harness.PASSWORD}" ssl no sslcertck is nobody here
                keep fetchall mda "cat >{client.path("out", "1")}"
            """)
        client.run("fetchmail", "-v", "-f", client.path("rc"), "--idfile", client.path("ids"),
                   "--pidfile", client.path("pid"))
        self.assertIn(b"hello", client.files("out")[0])
        self.assert_method("CRAM-MD5")
