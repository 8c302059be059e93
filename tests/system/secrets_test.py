"""Where passwords are in the memory of a running server."""
import base64
import re
import socket
import subprocess
import unittest

import harness
import tls_test

SENT = "eighteen hungry pelicans"


def memory_with(server, octets):
    """The flags (proc(5), VmFlags) of each writable mapping in which `octets` are."""
    flags = []
    with open(f"/proc/{server.process.pid}/smaps", encoding="ascii") as smaps, \
         open(f"/proc/{server.process.pid}/mem", "rb", buffering=0) as memory:
        for mapping in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", smaps.read())[1:]:
            first, last, access = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", mapping).groups()
            if not access.startswith("rw"):
                continue
            memory.seek(int(first, 16))
            try:
                content = memory.read(min(int(last, 16) - int(first, 16), 64 << 20))
            except OSError:
                continue  # of a device
            if octets in content:
                flags.append(re.search(r"VmFlags: (.*)", mapping).group(1).split())
    return flags


@unittest.skipUnless(harness.is_root(), "its user cannot read its memory, nor what it is like")
class SecretsTest(harness.SystemTest):
    def test_the_passwords_of_the_passwd_file_are_in_no_core_dump(self):
        server = self.world.serve()
        found = memory_with(server, f"mrose:{{PLAIN}}{harness.PASSWORD}".encode())
        self.assertTrue(found, "the user database is nowhere")
        for flags in found:
            self.assertIn("dd", flags)

    def test_passwords_that_clients_sent_are_wiped(self):
        hashed = subprocess.run(["openssl", "passwd", "-6", SENT], capture_output=True, text=True,
                                check=True).stdout.strip()
        self.world.write(self.world.users, f"mrose:{{SHA512-CRYPT}}{hashed}\n".encode())
        self.world.maildrop()
        certificate, key = tls_test.make_pair(self.world, "server")
        tls_port = harness.free_port()
        server = self.world.serve(**{
            "listener.pop3s": {"address": f'["127.0.0.1:{tls_port}"]', "tls": '"required"'},
            "tls": {"certificate": f'"{certificate}"', "key": f'"{key}"'},
        })
        plain = base64.b64encode(f"\0mrose\0{SENT}".encode())
        for port in (server.port, tls_port):
            for answer, commands in (
                    ("+OK logged in", (b"USER mrose", b"PASS " + SENT.encode())),
                    ("-ERR", (b"USER mrose", b"PASS " + SENT.encode(), b"NOOP", b"PASS " + SENT.encode())),
                    ("+OK logged in", (b"AUTH PLAIN " + plain,)),
                    ("+OK logged in", (b"AUTH PLAIN", plain)),
                    ("-ERR [AUTH]", (b"USER nobody", b"PASS " + SENT.encode()))):
                with self.subTest(is_tls=port == tls_port, commands=commands):
                    kept, reply = self.talk(port, commands)
                    self.assert_starts(reply.decode(), answer)
                    self.assertEqual(memory_with(server, SENT.encode()), [])
                    self.assertEqual(memory_with(server, plain), [])
                    kept.sendall(b"QUIT\r\n")
                    while kept.recv(100):
                        pass

    def talk(self, port, commands):
        """The connection, and the reply to the last of `commands`."""
        connection = socket.create_connection(("127.0.0.1", port), timeout=harness.SECONDS_TO_ANSWER)
        self.addCleanup(connection.close)
        if port != self.world.port:
            connection = tls_test.lenient_context().wrap_socket(connection)
            self.addCleanup(connection.close)
        replies = connection.makefile("rb")
        self.assertTrue(replies.readline().startswith(b"+OK"))
        for command in commands:
            connection.sendall(command + b"\r\n")
            reply = replies.readline()
        return connection, reply
