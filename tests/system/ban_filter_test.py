"""Ban filters: what the stock fail2ban filter for Dovecot (Debian 12: fail2ban 1.0.2-2) and the one in
conf/fail2ban match of a server's log, and what not.

Its regular expressions are run by fail2ban-regex where that is found (installed, or in the folder
FAIL2BAN_ROOT that `dpkg -x` unpacked the package into), and always by re, from the copy below."""
import base64
import os
import re
import shutil
import subprocess
import tempfile

import harness

CONF = os.path.join(harness.HERE, "..", "..", "conf", "fail2ban")
HOST = r"(?:::f{4,6}:)?(?P<host>[0-9.]+|\[?[0-9a-fA-F:]+\]?)"
# filter.d/dovecot.conf and common.conf of fail2ban 1.0.2, expanded as fail2ban-regex prints them.
STOCK_PREFIX = (
    r"^(?:\[\])?\s*(?:<[^.]+\.[^.]+>\s+)?(?:\S+\s+)?(?:kernel:\s?\[ *\d+\.\d+\]:?\s+)?(?:@vserver_\S+\s+)?"
    r"(?:(?:(?:\[\d+\])?:\s+[\[\(]?(?:dovecot(?:-auth)?|auth)(?:\(\S+\))?[\]\)]?:?|"
    r"[\[\(]?(?:dovecot(?:-auth)?|auth)(?:\(\S+\))?[\]\)]?:?(?:\[\d+\])?:?)\s+)?(?:\[ID \d+ \S+\]\s+)?"
    r"(?:(?:dovecot: )?auth(?:-worker)?(?:\([^\)]+\))?: )?"
    r"(?:pam_unix(?:\(dovecot:auth\))?: |(?:pop3|imap|managesieve|submission)-login: )?(?:Info: )?"
    r"(?:conn \w+:auth(?:-worker)? \([^\)]+\): auth(?:-worker)?<\d+>: )?(?P<content>.+)$")
STOCK_START = (r"^(?:Aborted login|Disconnected|Remote closed connection|Client has quit the connection)"
               r"(?:: (?:\w+\([^\):]*\) \w+|[^\(]+))* ")
STOCK_END = r"(?: method=\S+,)? rip=" + HOST + r"(?:[^>]*(?:, session=<\S+>)?)\s*$"
STOCK = [STOCK_START + r"\((?:auth failed, \d+ attempts(?: in \d+ secs)?|"
         r"tried to use (?:disabled|disallowed) \S+ auth|proxy dest auth failed)\):"
         r"(?: user=<[^>]*>,)?" + STOCK_END,
         r"^[a-z\-]{3,15}\(\S*," + HOST + r"(?:,\S*)?\): "
         r"(?:[Uu]nknown user|[Ii]nvalid credentials|[Pp]assword mismatch)"]
STOCK_AGGRESSIVE = [STOCK_START + r"\((?:no auth attempts|disconnected before auth was ready,|"
                    r"client didn't finish \S+ auth,)(?: (?:in|waited) \d+ secs)?\):"
                    r"(?: user=<[^>]*>,)?" + STOCK_END]


def own_expressions(mode):
    """(prefix, expressions) of conf/fail2ban/filter.d/restante.conf."""
    with open(os.path.join(CONF, "filter.d", "restante.conf"), encoding="utf-8") as file:
        keys = dict(re.findall(r"^([\w-]+) = (.*)$", file.read(), re.M))
    expand = {"<HOST>": HOST, "<F-USER>": "", "</F-USER>": "", "<F-CONTENT>": "(?P<content>",
              "</F-CONTENT>": ")", "<_daemon>": "restante", "<__pid_re>": r"\[\d+\]",
              "%(__prefix_line)s": r"\s*(?:\S+\s+)?restante\[\d+\]: "}
    expressions = [keys["prefregex"], keys["failregex"]]
    if mode == "aggressive":
        expressions.append(keys["mdre-aggressive"])
    for mark, meaning in expand.items():
        expressions = [expression.replace(mark, meaning) for expression in expressions]
    return expressions[0], expressions[1:]


def matched_by_re(lines, prefix, expressions):
    """As fail2ban does: the time is taken off, then the prefix, then the first expression that fits."""
    found = []
    for line in lines:
        content = re.search(prefix, re.sub(r"^\S+Z", "", line))
        if content and any(re.search(each, content["content"]) for each in expressions):
            found.append(line)
    return found


class Fail2ban:
    """The package's own program."""

    def __init__(self, test):
        root = os.environ.get("FAIL2BAN_ROOT", "/")
        self.program = os.path.join(root, "usr/bin/fail2ban-regex")
        if not os.path.exists(self.program):
            test.skipTest("no fail2ban: `apt-get download fail2ban`, `dpkg -x`, FAIL2BAN_ROOT=FOLDER")
        self.environment = {**os.environ, "PYTHONPATH": os.path.join(root, "usr/lib/python3/dist-packages")}
        folder = tempfile.mkdtemp(prefix="fail2ban-test-")
        test.addCleanup(shutil.rmtree, folder)
        self.configuration = os.path.join(folder, "fail2ban")
        shutil.copytree(os.path.join(root, "etc/fail2ban"), self.configuration)
        shutil.copytree(CONF, self.configuration, dirs_exist_ok=True)
        self.log = os.path.join(folder, "log")

    def matched(self, lines, what):
        with open(self.log, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        told = subprocess.run(
            ["python3", self.program, "-c", self.configuration, "--print-all-matched", self.log, what],
            capture_output=True, text=True, env=self.environment, timeout=60, check=False).stdout
        found = re.search(r"^\|- Matched line\(s\):\n(.*?)^`-$", told, re.M | re.S)
        return [line[3:] for line in found[1].splitlines()] if found else []

    def jails(self):
        """What fail2ban-client would tell its server."""
        client = os.path.join(os.path.dirname(self.program), "fail2ban-client")
        return subprocess.run(["python3", client, "-c", self.configuration, "-d"], capture_output=True,
                              text=True, env=self.environment, timeout=60, check=False).stdout


class BanFilterTest(harness.SystemTest):
    """One server's log of every kind of login, good and bad; each has a user name of its own."""

    # What has to be matched, by user name.
    FAILURES = {"wrong", "unknown", "disabled", "fivefold", "sasl", "evil\\x3e, rip=192.0.2.9",
                "elsewhere"}
    TRIED = {"cleartext", "mechanisms", "malformed"}  # by their addresses: they named no user
    UNFINISHED = {"cancelled", "left", "nothing", "vanished"}
    ADDRESSES = {name: f"127.0.1.{number}" for number, name in enumerate(
        sorted(TRIED | UNFINISHED | {"garbage"}), 1)}

    def log_lines(self, ident):
        self.world.write(self.world.users, "".join(
            f"{name}:{{PLAIN}}{harness.PASSWORD}{rest}\n" for name, rest in (
                ("good", ""), ("mistyped", ""), ("inuse", ""), ("wrong", ""), ("fivefold", ""), ("sasl", ""),
                ("disabled", "::::::nologin"), ("elsewhere", "::::::allow_nets=192.0.2.0/24"))).encode())
        for name in ("good", "mistyped", "inuse", "elsewhere"):
            self.world.maildrop(name)
        server = self.world.serve(limits={"failed_delay": '"0s"'}, log={"ident": f'"{ident}"'})
        self.log_in_well(server)
        self.fail_logins(server)
        self.say_little(server)
        lines = self.lines_of(server)
        secure = self.world.serve(port=harness.free_port(), auth={"allow_cleartext": "false"},
                                  pop3={"apop": "true"}, log={"ident": f'"{ident}"'})
        for name, command in (("cleartext", "USER mrose"), ("cleartext", "AUTH PLAIN")):
            self.converse(secure, command, name=name)
        return lines + self.lines_of(secure)

    def lines_of(self, server):
        """Once the server has ended: all of them."""
        server.stop()
        return [line for line in server.log().splitlines() if ": pop3" in line]

    def converse(self, server, *commands, name=None):
        """Sends each and reads a line, then leaves."""
        source = self.ADDRESSES.get(name, "127.0.0.1")
        with harness.Client(server.port, source=source) as client:
            for command in commands:
                client.ask(command)

    def log_in_well(self, server):
        right = f"PASS {harness.PASSWORD}"
        self.converse(server, "USER good", right, "QUIT")
        self.converse(server, "USER good", right)  # and leaves
        self.converse(server, "USER mistyped", "PASS oops", "USER mistyped", right, "QUIT")
        with harness.Client(server.port) as client:
            client.log_in("inuse")
            self.converse(server, "USER inuse", right, "QUIT")

    def fail_logins(self, server):
        self.converse(server, "USER wrong", "PASS guess", "QUIT")
        self.converse(server, "USER unknown", "PASS guess")
        self.converse(server, "USER disabled", f"PASS {harness.PASSWORD}", "QUIT")
        self.converse(server, "USER elsewhere", f"PASS {harness.PASSWORD}", "QUIT")
        self.converse(server, *["USER fivefold", "PASS guess"] * 5)
        self.converse(server, "USER bystander", "AUTH PLAIN " + base64.b64encode(b"no NULs").decode(),
                      name="malformed")
        self.converse(server, "AUTH PLAIN " + base64.b64encode(b"\0sasl\0guess").decode(), "QUIT")
        self.converse(server, "USER evil>, rip=192.0.2.9", "PASS guess")
        self.converse(server, "USER bystander", *["AUTH NTLM"] * 5, name="mechanisms")

    def say_little(self, server):
        self.converse(server, "AUTH PLAIN", "*", "QUIT", name="cancelled")
        self.converse(server, "AUTH LOGIN", name="left")
        self.converse(server, "QUIT", name="nothing")
        self.converse(server, name="vanished")
        self.converse(server, "GET / HTTP/1.1", "Host: pop", "", "a", "b", name="garbage")

    def check(self, ident, matched_by):
        lines = self.log_lines(ident)
        by_name = {address: name for name, address in self.ADDRESSES.items()}

        def names(found):
            for line in found:
                rip = re.match(r"rip=([0-9.]+)", line[line.rindex("rip="):])
                yield by_name.get(rip[1]) or re.search(r"user=<([^>]*)>", line)[1]

        self.assertNotIn("bystander", "".join(lines))
        normal = sorted(names(matched_by(lines, "normal")))
        self.assertEqual(normal, sorted([*self.FAILURES, *self.TRIED, "cleartext"]), "\n".join(lines))
        more = set(names(matched_by(lines, "aggressive"))) - {"", "garbage"}  # "": harness's first look
        self.assertEqual(more, self.FAILURES | self.TRIED | self.UNFINISHED)

    def test_the_stock_dovecot_filter_by_its_expressions(self):
        self.check("dovecot", lambda lines, mode: matched_by_re(
            lines, STOCK_PREFIX, STOCK + (STOCK_AGGRESSIVE if mode == "aggressive" else [])))

    def test_the_own_filter_by_its_expressions(self):
        self.check("restante", lambda lines, mode: matched_by_re(lines, *own_expressions(mode)))

    def test_the_stock_dovecot_filter_by_fail2ban(self):
        fail2ban = Fail2ban(self)
        self.check("dovecot", lambda lines, mode: fail2ban.matched(lines, f"dovecot[mode={mode}]"))

    def test_the_own_filter_by_fail2ban(self):
        fail2ban = Fail2ban(self)
        self.check("restante", lambda lines, mode: fail2ban.matched(lines, f"restante[mode={mode}]"))
        self.assertIn("['add', 'restante', 'auto']", fail2ban.jails())
