"""A client of SCRAM-SHA-256 and its -PLUS (RFC 5802, 7677) on a POP3 connection, as small as it can be."""
import base64
import hashlib
import hmac
import os


def digest(key, text):
    return hmac.new(key, text, "sha256").digest()


class ScramClient:
    """With a `binding`: -PLUS, bound to the channel by tls-unique (RFC 5929)."""

    def __init__(self, connection, user, password, binding=None):
        self.file = connection.makefile("rwb")
        self.user = user.encode()
        self.password = password.encode()
        self.mechanism = b"SCRAM-SHA-256" if binding is None else b"SCRAM-SHA-256-PLUS"
        self.header = b"n,," if binding is None else b"p=tls-unique,,"
        self.binding = self.header + (binding or b"")
        self.is_server_known = False  # it has proved to know the password, too
        assert self.file.readline().startswith(b"+OK"), "no greeting"

    def send(self, line):
        self.file.write(line + b"\r\n")
        self.file.flush()

    def challenge(self):
        line = self.file.readline().rstrip(b"\r\n")
        assert line.startswith(b"+ "), line
        return base64.b64decode(line[2:])

    def open(self):
        """To the challenge with the salt, which is returned."""
        self.nonce = base64.b64encode(os.urandom(18))
        self.bare = b"n=" + self.user + b",r=" + self.nonce
        self.send(b"AUTH " + self.mechanism + b" " + base64.b64encode(self.header + self.bare))
        self.server_first = self.challenge()
        return self.server_first

    def prove(self):
        """The last reply's line."""
        told = dict(part.split(b"=", 1) for part in self.server_first.split(b","))
        assert told[b"r"].startswith(self.nonce), self.server_first
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(told[b"s"]), int(told[b"i"]))
        final = b"c=" + base64.b64encode(self.binding) + b",r=" + told[b"r"]
        message = b",".join((self.bare, self.server_first, final))
        client_key = digest(salted, b"Client Key")
        signature = digest(hashlib.sha256(client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.send(base64.b64encode(final + b",p=" + base64.b64encode(proof)))
        server_final = self.challenge()
        expected = base64.b64encode(digest(digest(salted, b"Server Key"), message))
        self.is_server_known = server_final == b"v=" + expected
        self.send(b"")
        return self.file.readline()

    def log_in(self):
        self.open()
        return self.prove()
