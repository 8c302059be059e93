"""The servers that are compared: how each is configured, started in a control group of its own, and stopped."""
import crypt
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

import tls

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS_TO_START = 20
SECONDS_TO_STOP = 20
DEBIAN_PACKAGES = ("dovecot-pop3d", "openssl")
POLICY = "/usr/sbin/policy-rc.d"


class NotStarted(Exception):
    """A server did not greet; the text is a sentence with the end of its log."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Place:
    """What a server is given: its folder, its mail, the users of all, a port; and for TLS another one, and
    files (tls.Files)."""

    def __init__(self, folder, mail, users, port):
        self.folder = folder
        self.mail = mail
        self.users = users
        self.port = port
        self.tls_port = 0
        self.tls = None


def mail_user():
    """Whom the mail belongs to: nobody if started as root, else whoever started this."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


class Peer:
    """One server. `name` is short, a word; `title` is for tables. A subclass says how it is run."""

    name = ""
    title = ""
    idle_connections_max = {True: 1000, False: 4000}  # it is asked to hold, logged in or not
    reads_maildirs = True
    speaks_tls = True

    def missing(self):
        """Why it cannot take part here, as a sentence; None: it can."""
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def command(self, place, workload):
        """Writes what it needs into place.folder; the command line that stays in the foreground."""
        raise NotImplementedError

    def variant(self, _workload):
        """What of its configuration the workload decides: it is started anew where this differs."""
        return None

    def handshake(self, workload):
        """How it is spoken to: Workload.tls, "" in the clear."""
        return workload.tls if self.speaks_tls else ""

    def added_cpu_us(self, _place, _workload):
        """What each session is charged beside what was measured."""
        return 0

    def log_path(self, place):
        return os.path.join(place.folder, "log")


class Running:
    """A peer that serves, from __init__ to stop()."""

    def __init__(self, peer, place, group, workload=None):
        self.peer = peer
        self.place = place
        self.group = group
        os.makedirs(place.folder, exist_ok=True)
        os.chmod(place.folder, 0o755)
        self.output_path = os.path.join(place.folder, "output")
        with open(self.output_path, "ab") as output:
            self.process = subprocess.Popen(peer.command(place, workload), stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, cwd=place.folder,
                                            preexec_fn=group.enter)
        try:
            self._wait_for_greeting()
        except NotStarted:
            self.stop()
            raise

    def _wait_for_greeting(self):
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.place.port), timeout=5) as connection:
                    if connection.recv(512).startswith(b"+OK") and self.process.poll() is None:
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise NotStarted(f"{self.peer.title} does not greet on port {self.place.port}. The end of its log:\n"
                         + self.log_end())

    def log_end(self, octets=2000):
        text = ""
        for path in (self.output_path, self.peer.log_path(self.place)):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text += file.read()[-octets:]
        return text

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.group.close()


class Restante(Peer):
    name = "restante"
    title = "restante"

    def __init__(self, build, settings=""):
        """`settings`: further lines of its configuration, whole tables."""
        self.binary = os.path.join(build, "restante")
        self.settings = settings

    def missing(self):
        return None if os.path.exists(self.binary) else f"{self.binary} is missing; run tools/build release"

    def version(self):
        return output_of(self.binary, "version").splitlines()[0]

    def variant(self, workload):
        cache = 'cache_ttl = "0s"\n' if workload is not None and workload.cold_passwords else ""
        return cache, workload is not None and self.handshake(workload) != ""

    def command(self, place, workload):
        path = os.path.join(place.folder, "restante.toml")
        cache, has_tls = self.variant(workload)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'[listener.pop3]\naddress = ["127.0.0.1:{place.port}"]\n{tls_tables(place, has_tls)}'
                       f'[storage]\nmaildir = "{place.mail}/{{user}}"\nuser = "{mail_user().pw_name}"\n'
                       f'[auth]\nallow_cleartext = true\n{cache}'
                       f'[auth.backend.local]\ntype = "passwd-file"\npath = "{place.users}"\n'
                       f'[log]\ntarget = "file:{self.log_path(place)}"\n{self.settings}')
        # The log is made for the user that restante becomes.
        with open(self.log_path(place), "ab"):
            os.chown(self.log_path(place), mail_user().pw_uid, mail_user().pw_gid)
        return [self.binary, "serve", "--config", path]


class EpollRestante(Restante):
    """Where a machine refuses io_uring."""
    name = "restante-epoll"
    title = "restante (epoll)"

    def __init__(self, build):
        super().__init__(build, settings='[runtime]\nbackend = "epoll"\n')


def tls_tables(place, has_tls):
    if not has_tls:
        return ""
    return (f'[listener.pop3s]\naddress = ["127.0.0.1:{place.tls_port}"]\ntls = "required"\n'
            f'[tls]\ncertificate = "{place.tls.certificate}"\nkey = "{place.tls.key}"\n')


class TlsFloor(Restante):
    """The floor of a poll over TLS: restante's in the clear, and OpenSSL's handshake, each by itself."""
    name = "openssl"
    title = "OpenSSL + plain poll (floor)"
    speaks_tls = False

    def __init__(self, build):
        super().__init__(build)
        self.handshake_cost = os.path.join(build, "handshake_cost")

    def missing(self):
        there_is = os.path.exists(self.handshake_cost)
        return super().missing() if there_is else f"{self.handshake_cost} is missing; run tools/build release"

    def version(self):
        return output_of("openssl", "version").strip()

    def added_cpu_us(self, place, workload):
        return tls.handshake_cpu_us(self.handshake_cost, place.tls, workload.tls)


class Dovecot(Peer):
    def __init__(self, kind):
        self.name = f"dovecot-{kind}"
        self.title = f"Dovecot {kind}"
        self.template = os.path.join(HERE, f"{self.name}.conf")
        if kind == "default":  # a process each: 1024 pop3 processes, 100 pop3-login processes at most
            self.idle_connections_max = {True: 200, False: 90}

    def missing(self):
        if os.geteuid() != 0:
            return "it starts as root only"
        if shutil.which("dovecot", path=SYSTEM_PATH) is None or not os.path.exists("/usr/lib/dovecot/pop3"):
            return "the package dovecot-pop3d is not installed; --install installs it"
        return None

    def version(self):
        return "Dovecot " + output_of("/usr/sbin/dovecot", "--version").strip()

    def variant(self, workload):
        return workload is not None and self.handshake(workload) != ""

    def command(self, place, workload):
        owner = mail_user()
        values = {"FOLDER": place.folder, "PORT": str(place.port), "MAIL": place.mail, "USERS": place.users,
                  "USER": str(owner.pw_uid), "GROUP": str(owner.pw_gid), "CORES": str(os.cpu_count()),
                  "TLS": "yes" if self.variant(workload) else "no",
                  "TLSPORT": str(place.tls_port if self.variant(workload) else 0),
                  "CERTIFICATE": place.tls.certificate, "KEY": place.tls.key}
        path = os.path.join(place.folder, "dovecot.conf")
        with open(self.template, encoding="utf-8") as source, open(path, "w", encoding="utf-8") as target:
            target.write(filled(source.read(), values))
        return ["/usr/sbin/dovecot", "-F", "-c", path]


class Pop3Null(Peer):
    """The floor: canned answers, by a thread a core, as restante has its reactors. It is started anew for each
    workload, with that one's answers."""
    name = "pop3null"
    title = "pop3null (floor)"
    reads_maildirs = False
    speaks_tls = False

    def __init__(self, build):
        self.binary = os.path.join(build, "pop3null")

    def missing(self):
        return None if os.path.exists(self.binary) else f"{self.binary} is missing; run tools/build release"

    def version(self):
        return "pop3null"

    def variant(self, workload):
        """Its answers are those of a maildrop of `workload`."""
        mail_set = workload.mail_set
        # Each thread has a table of all descriptors, which is not what a connection costs.
        threads = "1" if workload.is_memory() else "0"
        return ("--threads", threads, "--messages", str(mail_set.messages),
                "--message", ",".join(map(str, mail_set.sizes)))

    def command(self, place, workload):
        return [self.binary, "--port", str(place.port), *self.variant(workload)]


class Courier(Peer):
    """A process a connection. Its userdb knows no passwords in the clear: those are hashed by crypt(3) of 1979,
    which costs the least."""
    name = "courier"
    title = "Courier"
    speaks_tls = False
    idle_connections_max = {True: 200, False: 200}
    daemon = "/usr/lib/courier/courier/courierpop3d"

    def missing(self):
        if os.geteuid() != 0:
            return "it starts as root only"
        if not os.path.exists(self.daemon):
            return "the package courier-pop is not installed"
        return None

    def version(self):
        return "Courier " + output_of("dpkg-query", "-W", "-f", "${Version}", "courier-pop")

    def command(self, place, workload):
        with open(place.users, encoding="utf-8") as source, \
             open(os.path.join(place.folder, "userdb"), "w", encoding="utf-8") as target:
            hashed = {}  # by what is stored
            for line in source:
                name, stored = line.rstrip("\n").split(":")[:2]
                if stored not in hashed:
                    hashed[stored] = crypted(stored)
                target.write(userdb_line(name, hashed[stored], f"{place.mail}/{name}"))
        return ["unshare", "--mount", os.path.join(HERE, "courier.sh"), place.folder, str(place.port)]


def crypted(stored):
    """What crypt(3) verifies, of {SCHEME}text."""
    scheme, text = stored[1:].split("}", 1)
    if scheme != "PLAIN":
        return text
    return crypt.crypt(text, "ab")


def userdb_line(name, password, maildir):
    owner = mail_user()
    return (f"{name}\tuid={owner.pw_uid}|gid={owner.pw_gid}|home={maildir}|mail={maildir}|"
            f"systempw={password}\n")


class Cyrus(Peer):
    name = "cyrus"
    title = "Cyrus"

    def missing(self):
        if not os.path.exists("/usr/lib/cyrus/bin/pop3d"):
            return "the package cyrus-pop3d is not installed"
        return "it does not read maildirs, so it cannot serve the same mail"


SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def all_peers(build):
    """Every server this script knows, in the order of the tables and of the slices: the floors are next to
    restante, because what lies between two slices is in their ratio."""
    return [Restante(build), Pop3Null(build), TlsFloor(build), EpollRestante(build), Dovecot("tuned"),
            Dovecot("default"), Courier(), Cyrus()]


def filled(template, values):
    """`template` with each @NAME@ replaced; a comment may name them as such."""
    return re.sub(r"@([A-Z]+)@", lambda found: values.get(found.group(1), found.group()), template)


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout


def install():
    """Dovecot from Debian's packages, without its daemon being started."""
    own_policy = not os.path.exists(POLICY)
    if own_policy:
        with open(POLICY, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(POLICY, 0o755)
    try:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *DEBIAN_PACKAGES], check=True,
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    finally:
        if own_policy:
            os.remove(POLICY)
