"""The work that is compared. A row is a name, what is counted, the mail it needs and the load."""
import dataclasses
import typing

from load import Load
from maildrops import SIZES_OF_MEAN_35_KB, MailSet

CONNECTIONS = 8
HASHED_PASSWORDS = 8  # different salts

SMALL = MailSet("small", users=100, messages=20)
MEDIUM = MailSet("medium", users=32, messages=1000)
LARGE = MailSet("large", users=8, messages=10000)
LETTERS_LF = MailSet("lf", users=64, messages=20, sizes=tuple(SIZES_OF_MEAN_35_KB))
LETTERS_CRLF = MailSet("crlf", users=64, messages=20, sizes=tuple(SIZES_OF_MEAN_35_KB), crlf=True)
HASHED = MailSet("hashed", users=100, messages=20, scheme="SHA512-CRYPT")
IDLE = MailSet("idle", users=1000, messages=1)
SPECMAIL = MailSet("spec", users=400, messages=0)
MAIL_SETS = (SMALL, MEDIUM, LARGE, LETTERS_LF, LETTERS_CRLF, HASHED, IDLE, SPECMAIL)


@dataclasses.dataclass(frozen=True)
class Workload:
    """One row of the table. `kind`: "load" is measured in slices of CPU time a `unit`; "idle" in octets
    a connection, logged in where `load` says so."""
    name: str
    meaning: str
    unit: str
    mail_set: MailSet
    load: typing.Optional[Load] = None
    kind: str = "load"
    seconds_min: int = 1    # of a slice, so that enough of them end within it
    refilled: bool = False  # its sessions remove mail: new maildrops before each slice
    label: str = ""         # what a reader must know beside the figures


def closed(profile, **more):
    return Load(profile, connections=CONNECTIONS, **more)


def slice_seconds(mail_set):
    """A session of a large maildrop may take a second where cores are few."""
    return 2 if mail_set is LARGE else 1


def polls_and_syncs():
    for mail_set in (SMALL, MEDIUM, LARGE):
        yield Workload(f"poll-{mail_set.messages}", f"USER PASS STAT QUIT, {mail_set.messages:,} messages",
                       "session", mail_set, closed("poll"), seconds_min=slice_seconds(mail_set))
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


def all_workloads():
    """In the order of the table. TLS rows are missing as long as restante speaks no TLS."""
    return [
        *polls_and_syncs(),
        *downloads(),
        *noops(),
        Workload("specmail2001", "SPECmail2001's sessions, mail removed, 100 sessions a second (open model)",
                 "session", SPECMAIL, Load("specmail2001", rate=100), refilled=True,
                 label="times scaled: SPECmail2001 runs for hours and looks at a mailbox every 300 s at most"),
        Workload("login-storm", "login and QUIT, SHA512-CRYPT passwords", "session", HASHED,
                 closed("login-storm")),
        Workload("idle-in", "memory of a connection that is logged in and silent", "connection", IDLE,
                 kind="idle"),
        Workload("idle-out", "memory of a connection that is not logged in", "connection", IDLE, kind="idle"),
    ]


def chosen(names):
    """The workloads named, or all for an empty list; LookupError names what there is not."""
    known = {workload.name: workload for workload in all_workloads()}
    for name in names:
        if name not in known:
            raise LookupError(f"There is no workload {name!r}. There are: {', '.join(known)}.")
    return [known[name] for name in names] if names else list(known.values())
