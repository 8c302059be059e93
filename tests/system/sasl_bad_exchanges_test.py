"""AUTH as no client should speak it, by each mechanism at each of its steps, under TLS: the exchange is
refused, and the connection goes on to a right login."""
import base64
import os
import socket
import ssl

import harness
import tls_test

# What brings a client to each further step; "" is the answer to the first challenge, or begins there.
FIRST = b"n,,n=mrose,r=abcdef"
BOUND = b"p=tls-unique,,n=mrose,r=abcdef"
STEPS = {
    "PLAIN": [[]], "LOGIN": [[], [b"mrose"]], "EXTERNAL": [[]],
    "SCRAM-SHA-1": [[], [FIRST]], "SCRAM-SHA-256": [[], [FIRST]],
    "SCRAM-SHA-1-PLUS": [[], [BOUND]], "SCRAM-SHA-256-PLUS": [[], [BOUND]],
    "CRAM-MD5": [[]], "DIGEST-MD5": [[]], "XOAUTH2": [[]], "OAUTHBEARER": [[]],
}
BAD_LINES = {  # and the reply; "" = any refusal
    "cancel": (b"*", "-ERR authentication cancelled"),
    "no base64": (b"!!!!", "-ERR malformed base64"),
    "base64 cut short": (b"YWJ", "-ERR malformed base64"),
    "blanks": (b"  ", "-ERR malformed base64"),
    "no NULs": (base64.b64encode(b"mrose mrose secret"), ""),
    "one NUL": (base64.b64encode(b"mrose\0secret"), ""),
    "NULs only": (base64.b64encode(b"\0\0\0\0"), ""),
    "octets": (base64.b64encode(bytes(range(256))), ""),
    "long": (base64.b64encode(b"n,," + b"x" * 9300), ""),
    "20 KiB": (b"A" * 20480, "-ERR line too long"),
}
ENDLESS = b"A" * 65536
RIGHT = b"AUTH PLAIN " + base64.b64encode(b"\0mrose\0" + harness.PASSWORD.encode())


class BadExchangesTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.world.maildrop()
        self.world.write(self.world.users, f"mrose:{{PLAIN}}{harness.PASSWORD}\n".encode())
        certificate, key = (os.path.join(self.world.root, name) for name in ("c.pem", "k.pem"))
        for path, content in zip((certificate, key), tls_test.shared_pair()):
            self.world.write(path, content)
        pair = tls_test.make_pair(self.world, "client", common_name="mrose")
        mechanisms = ", ".join(f'"{name}"' for name in STEPS if not name.endswith("-PLUS"))
        self.server = self.world.serve(**{
            "listener.pop3": {"tls": '"starttls"'},
            "tls": {"certificate": f'"{certificate}"', "key": f'"{key}"',
                    "client_certificates": '"ask"', "client_ca": f'"{pair[0]}"'},
            "auth": {"allow_cleartext": "false", "mechanisms": f"[{mechanisms}]"},
            "auth.token": {"type": '"introspection"', "endpoint": '"http://127.0.0.1:1/"'},
            "limits": {"failed_delay": '"0s"'},
        })
        self.context = tls_test.lenient_context(ssl.TLSVersion.TLSv1_2)  # which has tls-unique
        self.context.load_cert_chain(*pair)

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.world.port), timeout=60)
        self.addCleanup(raw.close)
        reader = raw.makefile("rb", buffering=0)
        self.assertTrue(reader.readline().startswith(b"+OK POP3 ready"))
        raw.sendall(b"STLS\r\n")
        self.assertTrue(reader.readline().startswith(b"+OK"))
        return self.context.wrap_socket(raw).makefile("rwb")

    def ask(self, connection, line):
        connection.write(line + b"\r\n")
        connection.flush()
        return connection.readline().decode().rstrip("\r\n")

    def refusal(self, mechanism, step, line):
        """The reply to `line` at that step, after which the connection is still good for a login."""
        connection = self.connect()
        self.assertTrue(self.ask(connection, f"AUTH {mechanism}".encode()).startswith("+ "))
        for answer in step:
            self.assertTrue(self.ask(connection, base64.b64encode(answer)).startswith("+ "), mechanism)
        reply = self.ask(connection, line)
        if reply.startswith("+ "):  # says why, and hears an answer before it refuses
            reply = self.ask(connection, b"")
        self.assertEqual(self.ask(connection, RIGHT), "+OK logged in", (mechanism, step, line[:40]))
        self.assertEqual(self.ask(connection, b"QUIT"), "+OK bye")
        connection.close()
        return reply

    def test_each_is_refused_and_the_connection_goes_on(self):
        for mechanism, steps in STEPS.items():
            for step in steps:
                for name, (line, expected) in BAD_LINES.items():
                    with self.subTest(mechanism=mechanism, step=len(step), line=name):
                        self.assert_starts(self.refusal(mechanism, step, line), expected or "-ERR")

    def test_64_kib_end_the_connection_and_nothing_else(self):
        for mechanism in STEPS:
            with self.subTest(mechanism=mechanism):
                connection = self.connect()
                self.ask(connection, f"AUTH {mechanism}".encode())
                self.assertEqual(self.ask(connection, ENDLESS), "-ERR line too long")
                self.assertEqual(connection.read(), b"-ERR too many bad commands\r\n")
                connection.close()
        self.assertEqual(self.ask(self.connect(), RIGHT), "+OK logged in")

    def test_nothing_is_no_answer_but_for_external(self):
        for mechanism, steps in STEPS.items():
            for step in steps if mechanism != "EXTERNAL" else []:
                with self.subTest(mechanism=mechanism, step=len(step)):
                    self.assert_starts(self.refusal(mechanism, step, b""), "-ERR [AUTH]")

    def test_what_another_exchange_was_answered_with_is_worth_nothing(self):
        """Replayed: SCRAM's client messages, whose nonce is answered with another each time."""
        told = set()
        for _ in range(3):
            connection = self.connect()
            self.ask(connection, b"AUTH SCRAM-SHA-256")
            challenge = base64.b64decode(self.ask(connection, base64.b64encode(FIRST))[2:])
            told.add(challenge)
            proof = b"c=biws,r=" + sorted(told)[0].split(b",")[0][2:] + b",p=" + base64.b64encode(b"p" * 32)
            self.assertNotIn("+OK", self.ask(connection, base64.b64encode(proof)))
            self.assert_starts(self.ask(connection, b""), "-ERR [AUTH]")
            connection.close()
        self.assertEqual(len(told), 3)
