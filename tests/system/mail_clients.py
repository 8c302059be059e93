"""Real POP3 clients of Debian, each driven to fetch everything from one server.

A driver has: `name`, `package`'s `program`, `tracks_unique_ids` (a second fetch finds nothing new),
fetch(keep) and stored(): what it keeps on disk, in the order of the messages, and as_stored(): what its
documentation says becomes of one message's octets.
"""
import email.parser
import os
import re
import subprocess
import textwrap

import harness

FETCH_SECONDS_MAX = 300


def lf_form(octets):
    """How clients that store with plain line ends store what crossed the wire."""
    return harness.crlf_form(octets).replace(b"\r\n", b"\n")


def numbers_in(name):
    return [int(digits) for digits in re.findall(r"\d+", name)]


class MailClient:
    """Runs in a home of its own, as nobody when that is possible."""

    tracks_unique_ids = False

    def __init__(self, folder, port):
        self.folder = os.path.join(folder, self.name)
        self.port = port
        os.makedirs(self.path("out"))
        harness.give_to_nobody(self.folder)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        os.chmod(self.path(name), mode)
        harness.give_to_nobody(self.folder)
        return self.path(name)

    def run(self, *command, good=(0,), text=None):
        environment = {"HOME": self.folder, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                       "TMPDIR": self.folder}
        done = subprocess.run(harness.unprivileged(command), capture_output=True, cwd=self.folder,
                              env=environment, timeout=FETCH_SECONDS_MAX, check=False,
                              input=text.encode() if text else None)
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode in good, f"{self.name} ended with {done.returncode}: {output[-2000:]}"
        return output

    def files(self, *parts):
        """Octets of every file of a folder, in the order of the numbers in their names."""
        contents = []
        for name in sorted(os.listdir(self.path(*parts)), key=numbers_in):
            with open(self.path(*parts, name), "rb") as file:
                contents.append(file.read())
        return contents

    def stored(self):
        return self.files("out")

    def as_stored(self, octets):
        return harness.crlf_form(octets)

    def normalised(self, stored):
        """`stored` without what this client documents to add."""
        return stored


class Curl(MailClient):
    """One process, one connection: the numbers of LIST as a glob of URLs."""

    name = program = "curl"

    def fetch(self, keep, count):
        account = ["--user", f"mrose:{harness.PASSWORD}", "--silent", "--show-error", "--max-time", "60"]
        url = f"pop3://127.0.0.1:{self.port}/[1-{count}]"
        self.run("curl", *account, url, "--output", self.path("out", "#1.eml"))
        if not keep:  # a DELE has no body, which curl must be told
            self.run("curl", *account, "--head", "--request", "DELE", url)


class Fetchmail(MailClient):
    """Hands each message to a program that numbers them; `invisible` adds no Received line."""

    name = program = "fetchmail"
    tracks_unique_ids = True

    def fetch(self, keep, count):
        self.write("deliver", """\
            #!/bin/sh
            cd "$(dirname "$0")/out" && number=$(ls | wc -l) && cat >"$(printf %05d "$number")"
            """, 0o700)
        self.write("rc", f"""\
            set no syslog
            set invisible
            poll 127.0.0.1 protocol pop3 port {self.port} uidl bad-header accept
                user mrose password "{harness.PASSWORD}" sslproto '' is nobody here
                {"keep" if keep else "nokeep fetchall"} no rewrite pass8bits no mimedecode
                mda "{self.path("deliver")}"
            """)
        self.run("fetchmail", "-v", "-f", self.path("rc"), "--idfile", self.path("ids"), "--pidfile",
                 self.path("pid"), good=(0, 1))  # 1: there was no mail

    def as_stored(self, octets):
        # A From_ line before the headers is an mbox's: it is left out.
        return re.sub(rb"\AFrom [^\n]*\n", b"", lf_form(octets))


class Getmail(MailClient):
    """Parses each message with Python's parser and writes it anew below a Return-Path of its own."""

    name = program = "getmail"
    tracks_unique_ids = True

    def fetch(self, keep, count):
        for part in ("new", "cur", "tmp"):
            os.makedirs(self.path("mail", part), exist_ok=True)
        self.write("rc", f"""\
            [retriever]
            type = SimplePOP3Retriever
            server = 127.0.0.1
            port = {self.port}
            username = mrose
            password = {harness.PASSWORD}
            [destination]
            type = Maildir
            path = {self.path("mail")}/
            [options]
            read_all = false
            delete = {"false" if keep else "true"}
            delivered_to = false
            received = false
            """)
        # It delivers in a child, and never hears of one that ends before it has begun to wait for a signal
        # (getmail6 6.18.11, baseclasses.py): it waits for its end instead.
        program = self.write("getmail.py", """\
            import os, runpy, shutil
            from getmailcore.baseclasses import ForkingBase
            ForkingBase._prepare_child = lambda self: None
            ForkingBase._wait_for_child = lambda self, child: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            runpy.run_path(shutil.which("getmail"), run_name="__main__")
            """)
        self.run("python3", program, "--getmaildir", self.folder, "--rcfile", self.path("rc"))

    def stored(self):
        return self.files("mail", "new")

    def as_stored(self, octets):
        message = email.parser.BytesParser().parsebytes(lf_form(octets))
        del message["Return-Path"]
        return message.as_bytes(policy=message.policy.clone(linesep="\n"))

    def normalised(self, stored):
        return stored.partition(b"\n")[2]  # without its Return-Path


class Mpop(MailClient):
    """Stores plain line ends and, asked to, adds no header."""

    name = program = "mpop"
    tracks_unique_ids = True

    def fetch(self, keep, count):
        for part in ("new", "cur", "tmp"):
            os.makedirs(self.path("mail", part), exist_ok=True)
        self.write("rc", f"""\
            account default
            host 127.0.0.1
            port {self.port}
            user mrose
            password {harness.PASSWORD}
            auth user
            tls off
            keep {"on" if keep else "off"}
            only_new {"on" if keep else "off"}
            uidls_file {self.path("uidls")}
            delivery maildir {self.path("mail")}
            received_header off
            """)
        self.run("mpop", "--file", self.path("rc"))

    def stored(self):
        return self.files("mail", "new")

    def as_stored(self, octets):
        return lf_form(octets)


class Snail(MailClient):
    """Copies each message of the folder pop3://... into an mbox of its own."""

    name = program = "s-nail"

    def fetch(self, keep, count):
        account = f"mrose:{harness.PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}"
        copy, leave = ("copy", "xit") if keep else ("move", "quit")
        script = "".join(f"{copy} {number} {self.path('out')}/{number}\n" for number in range(1, count + 1))
        self.run("s-nail", "-:/", "-S", "v15-compat", "-S", "pop3-auth=plain", "-S", "pop3-bulk-load",
                 "-f", f"pop3://{account}", text=f"{script}{leave}\n")

    def as_stored(self, octets):
        return self.simplified(lf_form(octets))

    def normalised(self, stored):
        return self.simplified(stored.partition(b"\n")[2])  # without the From_ line of the mbox

    @staticmethod
    def simplified(octets):
        """s-nail ends a message with an empty line, puts another where it thinks that broken headers
        end, leaves out or quotes From_ lines, and drops the fields that only an mbox needs."""
        octets = re.sub(rb"^(Content-Length|Lines|Status|X-Status):.*\n", b"", octets, flags=re.M)
        octets = re.sub(rb"^\n", b"", octets, flags=re.M)
        octets = re.sub(rb"\A>?From .*\n", b"", octets)
        return re.sub(rb"^>(From )", rb"\1", octets, flags=re.M)


class Poplib(MailClient):
    """Python's poplib, in a process of its own; its limit of 2,048 octets a line is raised."""

    name = "poplib"
    program = "python3"

    def fetch(self, keep, count):
        self.write("fetch.py", f"""\
            import os, poplib
            poplib._MAXLINE = 1 << 24
            box = poplib.POP3("127.0.0.1", {self.port}, timeout=60)
            box.user("mrose")
            box.pass_("{harness.PASSWORD}")
            count, octets = box.stat()
            listed = [int(line.split()[1]) for line in box.list()[1]]
            assert (len(listed), sum(listed)) == (count, octets), (listed, count, octets)
            for number in range(1, count + 1):
                _, lines, size = box.retr(number)
                message = b"".join(line + b"\\r\\n" for line in lines)
                assert len(message) == size == listed[number - 1], (number, len(message), size)
                open(f"out/{{number:05d}}", "wb").write(message)
                if not {keep}:
                    box.dele(number)
            box.quit()
            """)
        self.run("python3", self.path("fetch.py"))


class NetPop3(MailClient):
    """Perl's Net::POP3; it hands out lines that end in LF."""

    name = "Net::POP3"
    program = "perl"

    def fetch(self, keep, count):
        self.write("fetch.pl", f"""\
            use strict; use warnings; use Net::POP3;
            my $box = Net::POP3->new("127.0.0.1", Port => {self.port}, Timeout => 60) or die $@;
            my $count = $box->login("mrose", "{harness.PASSWORD}") // die $box->message;
            for my $number (1 .. $count) {{
                my $lines = $box->get($number) or die $box->message;
                open(my $out, ">:raw", sprintf("out/%05d", $number)) or die $!;
                print $out @$lines;
                close($out) or die $!;
                {"" if keep else "$box->delete($number) or die $box->message;"}
            }}
            $box->quit or die $box->message;
            """)
        self.run("perl", self.path("fetch.pl"))

    def as_stored(self, octets):
        return lf_form(octets)


ALL = (Curl, Fetchmail, Getmail, Mpop, Snail, Poplib, NetPop3)
