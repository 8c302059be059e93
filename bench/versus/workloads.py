"""The work that is compared. A row is a name, what is counted, the mail it needs, the load, and what is asked."""
import dataclasses
import typing

from load import Load
from maildrops import SIZES_OF_MEAN_35_KB, MailSet

CONNECTIONS = 8
HASHED_PASSWORDS = 8  # different salts
RESUMED = "each session but the first offers the ticket that it got last"
SHARE_OF_CEILING = 0.7
REFERENCE = "restante"
EPOLL = "restante-epoll"
ROWS_OF_EPOLL = ("poll-20", "sync-20", "drain-lf", "drain-crlf", "noop", "noop-pipelined")
TUNED = "dovecot-tuned"
DEFAULT = "dovecot-default"
COURIER = "courier"
FLOOR = "pop3null"
TLS_FLOOR = "openssl"
FLOORS = (FLOOR, TLS_FLOOR)
WITHOUT_TLS = (DEFAULT, COURIER)  # are not asked for it
PLAIN_FLOOR = "the floor is pop3null in the clear: what TLS adds is in the distance to it"

SMALL = MailSet("small", users=100, messages=20)
MEDIUM = MailSet("medium", users=32, messages=1000)
LARGE = MailSet("large", users=8, messages=10000)
LETTERS_LF = MailSet("lf", users=64, messages=20, sizes=tuple(SIZES_OF_MEAN_35_KB))
LETTERS_CRLF = MailSet("crlf", users=64, messages=20, sizes=tuple(SIZES_OF_MEAN_35_KB), crlf=True)
HASHED = MailSet("hashed", users=100, messages=20, scheme="SHA512-CRYPT")
IDLE = MailSet("idle", users=1000, messages=20)
FRESH = MailSet("fresh", users=5, messages=10000)
SPECMAIL = MailSet("spec", users=400, messages=0)
MAIL_SETS = (SMALL, MEDIUM, LARGE, LETTERS_LF, LETTERS_CRLF, HASHED, IDLE, FRESH, SPECMAIL)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a row is to reach."""
    tuned_at_least: typing.Optional[float] = None   # Dovecot tuned / restante
    floor_at_most: typing.Optional[float] = None    # restante / Workload.floor
    octets_at_most: typing.Optional[int] = None     # of restante itself


# By the names of rows. Nothing else in this folder knows them.
ASKED = {
    "poll-20": Asked(tuned_at_least=9, floor_at_most=1.8),
    "poll-20-hashed": Asked(tuned_at_least=35, floor_at_most=1.9),
    "poll-10000": Asked(tuned_at_least=100, floor_at_most=3.4),
    "sync-20": Asked(tuned_at_least=8, floor_at_most=1.8),
    "sync-10000": Asked(tuned_at_least=40),
    "drain-lf": Asked(tuned_at_least=6, floor_at_most=2.0),
    "drain-crlf": Asked(tuned_at_least=7, floor_at_most=1.4),
    "noop": Asked(tuned_at_least=1.3, floor_at_most=1.15),
    "noop-pipelined": Asked(tuned_at_least=5, floor_at_most=1.7),
    "idle-in": Asked(tuned_at_least=20),
    "idle-in-user": Asked(octets_at_most=4000),
    "idle-out": Asked(tuned_at_least=3),
    "idle-out-user": Asked(octets_at_most=1000),
    "first-login": Asked(tuned_at_least=1),
    "poll-20-tls": Asked(tuned_at_least=2, floor_at_most=1.25),
    "poll-20-tls-resumed": Asked(tuned_at_least=2, floor_at_most=1.25),
    "drain-lf-tls": Asked(tuned_at_least=5),
    "idle-in-tls": Asked(octets_at_most=24000),
    "poll-p99-own": Asked(tuned_at_least=1),
    "poll-p99-same": Asked(tuned_at_least=1),
}

FIGURES = {"cpu": "CPU us a {unit}", "time": "us a {unit}", "p99": "p99 in us of a {unit}",
           "all-in": "kB a {unit}", "user": "kB of user space a {unit}"}


@dataclasses.dataclass(frozen=True)
class Workload:
    """One row of the table. `kind` says how a slice is taken: "load" is one run of pop3load; "paced" one at
    SHARE_OF_CEILING of the rate that `paced_by` has at most ("own": each server its own); "first" opens
    maildrops without an index; "idle" holds connections."""
    name: str
    meaning: str
    unit: str
    mail_set: MailSet
    load: typing.Optional[Load] = None
    kind: str = "load"
    figure: str = "cpu"     # of a slice; of FIGURES
    twin: typing.Optional["Workload"] = None  # another row, of another figure of the same slices
    seconds_min: int = 1    # of a slice, so that enough of them end within it
    refilled: bool = False  # its sessions remove mail: new maildrops before each slice
    cold_passwords: bool = False  # no server may remember passwords
    rehearsed: bool = False  # a slice before the first does not count: what may remember passwords, does
    paced_by: str = ""
    tls: str = ""           # "full" or "resumed": the handshake of each session; "" = in the clear
    floor: str = FLOOR      # of FLOORS; "" = none of them can do this
    is_logged_in: bool = True  # idle connections
    leaves_out: tuple = ()  # servers for which the row would say nothing
    label: str = ""         # what a reader must know beside the figures

    def takes(self, server):
        """Whether it takes part."""
        if server == EPOLL and self.name not in ROWS_OF_EPOLL:
            return False
        return server not in self.leaves_out and (server not in FLOORS or server == self.floor)

    def asked(self):
        return ASKED.get(self.name, Asked())

    def measure(self):
        """What the figure is, as the tables say it."""
        return FIGURES[self.figure].format(unit=self.unit)

    def is_memory(self):
        return self.kind == "idle"


def closed(profile, **more):
    return Load(profile, connections=CONNECTIONS, **more)


def slice_seconds(mail_set):
    """A session of a large maildrop may take a second where cores are few."""
    return 2 if mail_set is LARGE else 1


def polls_and_syncs():
    for mail_set in (SMALL, MEDIUM, LARGE):
        yield Workload(f"poll-{mail_set.messages}", f"USER PASS STAT QUIT, {mail_set.messages:,} messages",
                       "session", mail_set, closed("poll"), seconds_min=slice_seconds(mail_set))
    yield Workload("poll-20-hashed", "the same of 20, SHA512-CRYPT passwords that were right before", "session",
                   HASHED, closed("poll"), rehearsed=True, leaves_out=(DEFAULT,),
                   label="what a server remembers of passwords as shipped, Dovecot's cache as tuned, is warm")
    for mail_set in (SMALL, MEDIUM, LARGE):
        yield Workload(f"sync-{mail_set.messages}",
                       f"CAPA USER PASS STAT LIST UIDL QUIT, {mail_set.messages:,} messages",
                       "session", mail_set, closed("sync"), seconds_min=slice_seconds(mail_set))
    yield Workload("sync-20-pipelined", "the same, commands sent ahead", "session", SMALL,
                   closed("sync", pipelined=16))


def downloads():
    for name, mail_set, form in (("lf", LETTERS_LF, "LF"), ("crlf", LETTERS_CRLF, "wire-ready")):
        letters = f"20 messages of mean 35 kB, {form} files"
        yield Workload(f"drain-{name}", f"RETR of {letters}, a session a maildrop", "message", mail_set,
                       closed("drain"))
        yield Workload(f"drain-{name}-pipelined", "the same, commands sent ahead", "message", mail_set,
                       closed("drain", pipelined=16))
        yield Workload(f"keep-{name}", f"RETR of {letters}, the session kept open", "message", mail_set,
                       closed("keep", commands_per_session=1000))


def noops():
    yield Workload("noop", "NOOP on 32 connections, 5,000 a session", "command", SMALL,
                   Load("noop", connections=32, commands_per_session=5000))
    yield Workload("noop-pipelined", "NOOP on 32 connections, 64 sent ahead, 20,000 a session", "command", SMALL,
                   Load("noop", connections=32, pipelined=64, commands_per_session=20000))


def latencies():
    """The rate is set when the servers' ceilings are known."""
    for name, paced_by, whose in (("own", "own", "its own"), ("same", TUNED, "Dovecot tuned's")):
        yield Workload(f"poll-p99-{name}", f"poll of 20 messages at {SHARE_OF_CEILING:.0%} of {whose} highest rate",
                       "session", SMALL, Load("poll", rate=1), kind="paced", figure="p99", seconds_min=2,
                       paced_by=paced_by, leaves_out=(DEFAULT, COURIER),
                       label="open model, from when a session was meant to begin; the highest rate is that of "
                             "a closed loop with 32 connections, in which client and server share the machine")


def first_logins():
    meaning = "poll of 10,000 LF messages that no index knows, files in the page cache"
    yield Workload("first-login", meaning, "session", FRESH, kind="first", figure="time",
                   floor="", leaves_out=(DEFAULT,),
                   twin=Workload("first-login-cpu", meaning, "session", FRESH, kind="first"),
                   label=f"{FRESH.users - 1} maildrops a slice, one after the other, of a server started anew that "
                         "has served one more maildrop; its indexes were removed")


def idle():
    kept_in = "logged in (20 messages) and silent"
    for name, what, more in (("idle-in", kept_in, {}), ("idle-out", "not logged in", {"is_logged_in": False}),
                             ("idle-in-tls", f"{kept_in}, over TLS", {"tls": "full", "label": PLAIN_FLOOR,
                                                                      "leaves_out": WITHOUT_TLS})):
        yield held(name, f"memory of a connection that is {what}, kernel and user space", "all-in",
                   twin=held(f"{name}-user", f"the same in user space, {what}", "user", **more), **more)


def held(name, meaning, figure, **more):
    return Workload(name, meaning, "connection", IDLE, kind="idle", figure=figure, **more)


def over_tls():
    for name, kind, label in (("poll-20-tls", "full", ""),
                              ("poll-20-tls-resumed", "resumed", RESUMED)):
        yield Workload(name, f"USER PASS STAT QUIT over TLS, {kind} handshake, 20 messages", "session", SMALL,
                       closed("poll"), tls=kind, floor=TLS_FLOOR, leaves_out=WITHOUT_TLS, label=label)
    for form, mail_set in (("lf", LETTERS_LF), ("crlf", LETTERS_CRLF)):
        for profile, more in (("drain", {}), ("keep", {"commands_per_session": 1000})):
            name = f"{profile}-{form}"
            yield Workload(f"{name}-tls", f"{name} over TLS", "message", mail_set, closed(profile, **more), tls="full",
                           leaves_out=WITHOUT_TLS, label=PLAIN_FLOOR)


def all_workloads():
    """In the order of the table, twins left out."""
    return [
        *polls_and_syncs(),
        *downloads(),
        *noops(),
        *first_logins(),
        *latencies(),
        *over_tls(),
        *idle(),
        Workload("specmail2001", "SPECmail2001's sessions, mail removed, 100 sessions a second (open model)",
                 "session", SPECMAIL, Load("specmail2001", rate=100), refilled=True, floor="",
                 label="times scaled: SPECmail2001 runs for hours and looks at a mailbox again after 300 s at the earliest"),
        Workload("login-storm", "login and QUIT, SHA512-CRYPT passwords, none remembered", "session", HASHED,
                 closed("login-storm"), cold_passwords=True, label='restante with [auth] cache_ttl = "0s"'),
    ]


def chosen(names):
    """The workloads named, or all for an empty list; LookupError names what there is not."""
    known = {workload.name: workload for workload in all_workloads()}
    for name in names:
        if name not in known:
            raise LookupError(f"There is no workload {name!r}. There are: {', '.join(known)}.")
    return [known[name] for name in names] if names else list(known.values())
