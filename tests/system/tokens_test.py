"""Tokens (XOAUTH2) judged as a configured server judges them: by an end point over HTTPS whose certificate
is looked at, by one that hangs, and by local keys."""
import base64
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import harness
import mechanisms_test
import tls_test

AUDIENCE = "mail"


def unpadded(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


class TokensTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.world.maildrop()
        self.world.set_users("mrose")

    def serve(self, **token):
        return self.world.serve(**{
            "auth": {"mechanisms": '["PLAIN", "XOAUTH2"]', "allow_cleartext": "true"},
            "auth.token": {name: f'"{value}"' for name, value in token.items()},
            "limits": {"failed_delay": '"0s"'},
        })

    def log_in(self, server, token, user="mrose"):
        """The last reply."""
        response = b"user=" + user.encode() + b"\x01auth=Bearer " + token + b"\x01\x01"
        with harness.Client(server.port) as client:
            reply = client.ask("AUTH XOAUTH2 " + base64.b64encode(response).decode())
            if reply.startswith("+ "):  # why it is refused
                reply = client.ask("")
            client.ask("QUIT")
            return reply


class IntrospectionTest(TokensTest):
    def https_judge(self, certificate, key):
        """The port of one that knows mechanisms_test.TOKEN."""
        judge = http.server.ThreadingHTTPServer(("127.0.0.1", 0), mechanisms_test.Judge)
        judge.asked = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        judge.socket = context.wrap_socket(judge.socket, server_side=True, do_handshake_on_connect=False)
        judge.handle_error = lambda *_: None  # a client that does not trust it hangs up
        self.addCleanup(judge.server_close)
        self.addCleanup(judge.shutdown)
        threading.Thread(target=judge.serve_forever, daemon=True).start()
        return judge.server_address[1]

    def test_over_https_with_a_certificate_that_is_trusted_and_with_none_that_is_not(self):
        pair, stranger = (tls_test.make_pair(self.world, name) for name in ("judge", "stranger"))
        port = self.https_judge(*pair)
        good = mechanisms_test.TOKEN.encode()
        for host, ca_file, is_trusted in (("localhost", pair[0], True), ("localhost", stranger[0], False),
                                          ("127.0.0.1", pair[0], False)):  # another name than its own
            with self.subTest(host=host, is_trusted=is_trusted):
                server = self.serve(type="introspection", endpoint=f"https://{host}:{port}/introspect",
                                    ca_file=ca_file)
                if is_trusted:
                    self.assertEqual(self.log_in(server, good), "+OK logged in")
                    self.assert_starts(self.log_in(server, b"another"), "-ERR [AUTH]")
                else:
                    self.assert_starts(self.log_in(server, good), "-ERR [SYS/TEMP]")
                    server.wait_for_log("token end point https://.*SSL.*refused with")
                server.stop()

    def test_an_end_point_that_hangs_is_given_up_and_keeps_nobody_else(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        server = self.serve(type="introspection", timeout="3s",
                            endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        replies = []
        waiting = threading.Thread(target=lambda: replies.append(self.log_in(server, b"token")))
        started = time.monotonic()
        waiting.start()
        server.logged_in().ask("QUIT")
        self.assertEqual(replies, [], "the password's login came after the token's")
        waiting.join()
        self.assertGreaterEqual(time.monotonic() - started, 2.9)
        self.assert_starts(replies[0], "-ERR [SYS/TEMP]")
        server.wait_for_log("token end point .*timed out.*refused with")


class LocalKeysTest(TokensTest):
    """JWTs, signed by openssl."""

    KINDS = {"RS256": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
             "ES256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]}

    def openssl(self, *arguments, text=b""):
        return subprocess.run(["openssl", *arguments], input=text, capture_output=True, check=True).stdout

    def make_key(self, kind):
        path = os.path.join(self.world.root, f"{kind}.key")
        self.openssl("genpkey", "-algorithm", *self.KINDS[kind], "-out", path)
        return path

    def token(self, kind, key, **claims):
        """As RFC 7515 §3.1 has it."""
        claims = {"sub": "mrose", "aud": AUDIENCE, "exp": int(time.time()) + 300, **claims}
        text = b".".join(unpadded(json.dumps(part).encode()) for part in ({"alg": kind}, claims))
        signature = self.openssl("dgst", "-sha256", "-sign", key, text=text)
        if kind == "ES256":  # DER to two numbers of 32 octets (RFC 7518 §3.4)
            at, numbers = 2, []
            for _ in range(2):
                octets = signature[at + 2:at + 2 + signature[at + 1]]
                numbers.append(octets.lstrip(b"\0").rjust(32, b"\0"))
                at += 2 + len(octets)
            signature = b"".join(numbers)
        return text + b"." + unpadded(signature)

    def test_tokens_signed_by_the_configured_keys_log_their_own_user_in(self):
        keys = {kind: self.make_key(kind) for kind in self.KINDS}
        public = os.path.join(self.world.root, "keys.pem")
        self.world.write(public, b"".join(self.openssl("pkey", "-in", key, "-pubout")
                                          for key in keys.values()))
        server = self.serve(type="jwt", keys=public, audience=AUDIENCE)
        for kind, key in keys.items():
            with self.subTest(kind=kind):
                good = self.token(kind, key)
                self.assertEqual(self.log_in(server, good), "+OK logged in")
                stranger = self.token(kind, self.make_key(kind))
                late = self.token(kind, key, exp=int(time.time()) - 300)
                for token, user in ((good, "other"), (stranger, "mrose"), (late, "mrose"),
                                    (self.token(kind, key, aud="another"), "mrose"),
                                    (self.token(kind, key, sub="nobody"), "nobody")):
                    self.assert_starts(self.log_in(server, token, user), "-ERR [AUTH]")
