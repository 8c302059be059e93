"""The kernel's TLS as a machine's owner sees it: its module, and how many connections it has encrypted."""
import contextlib
import pathlib
import socket
import ssl
import subprocess

import harness

LOADER = pathlib.Path("/proc/sys/kernel/modprobe")  # the program by which the kernel loads modules
COUNTS = pathlib.Path("/proc/net/tls_stat")
TCP_ULP = 31
BUSYBOX = "/bin/busybox"


def count(name):
    """Of /proc/net/tls_stat: TlsTxSw, TlsCurrTxSw; 0 without the module."""
    with contextlib.suppress(FileNotFoundError):
        return int(dict(line.split() for line in COUNTS.read_text("ascii").splitlines())[name])
    return 0


def load():
    """Asked for by root, the kernel loads its module."""
    LOADER.write_text("/sbin/modprobe", "ascii")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            client.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls\0")


def unload(loader="/nonexistent"):
    """Without it, and from now on loaded by `loader` only."""
    LOADER.write_text(loader, "ascii")

    def is_gone():
        subprocess.run([BUSYBOX, "rmmod", "tls"], check=False, capture_output=True)
        return not COUNTS.exists()

    harness.wait_until(is_gone, "rmmod tls")


class TlsClient(harness.Client):
    """Over TLS, after STLS with `stls`. A connection that ends without close_notify is an error."""

    def __init__(self, port, context, *, stls=False, session=None, receive_octets=None):
        raw = socket.socket()
        if receive_octets is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
        raw.settimeout(harness.SECONDS_TO_ANSWER)
        raw.connect(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if stls:
            with raw.makefile("rb", buffering=0) as plain:
                assert plain.readline().startswith(b"+OK")
                raw.sendall(b"STLS\r\n")
                assert plain.readline().startswith(b"+OK")
        self.socket = context.wrap_socket(raw, server_hostname="localhost", session=session,
                                          suppress_ragged_eofs=False)
        self.file = self.socket.makefile("rb")
        self.greeting = "" if stls else self.line()

    def is_ended(self):
        """By close_notify: anything else is an ssl.SSLError."""
        assert self.file.read() == b""
        return True


def client_context(version=None, cipher=None):
    """A client that takes any certificate, and offers one TLS 1.2 cipher with `cipher`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if cipher is not None:
        context.set_ciphers(cipher)
    return context
