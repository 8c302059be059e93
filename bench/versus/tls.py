"""TLS in this comparison: one certificate for all servers, and what every client asks for."""
import os
import ssl
import subprocess

# TLS 1.3, an ECDSA P-256 certificate; cipher and group are the client's choice, so they are all servers'.
CLIENT_SETTINGS = """\
openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = client
[client]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
"""
MILLISECONDS_OF_HANDSHAKES = 300


class Files:
    """Paths of what make() made."""

    def __init__(self, folder):
        self.certificate = os.path.join(folder, "certificate.pem")
        self.key = os.path.join(folder, "key.pem")
        self.client_settings = os.path.join(folder, "client-openssl.cnf")


def make(folder, owner):
    """`owner` is (uid, gid) of who must read the key, or None."""
    files = Files(folder)
    with open(files.client_settings, "w", encoding="ascii") as file:
        file.write(CLIENT_SETTINGS)
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", files.key, "-out", files.certificate]
    subprocess.run(words, capture_output=True, check=True)
    if owner is not None:
        os.chown(files.key, *owner)
    return files


def environment(files):
    """Of a client: OpenSSL reads CLIENT_SETTINGS before it does anything."""
    return {**os.environ, "OPENSSL_CONF": files.client_settings}


def client_context():
    """For connections that are held here; trusts anyone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def handshake_cpu_us(binary, files, kind):
    """What the server's half of a handshake costs OpenSSL alone (bench/handshake_cost.cc); `kind` is "full" or
    "resumed"."""
    done = subprocess.run([binary, files.certificate, files.key, kind, str(MILLISECONDS_OF_HANDSHAKES)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{binary} ended with {done.returncode}: {done.stderr.strip()}")
    return float(done.stdout)
