"""The one place that knows how pop3load is called and what its JSON says."""
import contextlib
import dataclasses
import json
import os
import subprocess

import maildrops
import tls

EXIT_FAILED = 1
EXIT_FELL_BEHIND = 4
LASTING_PROFILES = ("keep", "noop")
FIRST = ("chrt", "--rr", "1")  # before whatever is not real-time
SECONDS_OVER = 60  # for a run's start, its last sessions and its report


class Failed(Exception):
    """A run that is no measurement; the text is a sentence."""


class FellBehind(Failed):
    """The load generator, not the server, was the limit."""


@dataclasses.dataclass(frozen=True)
class Load:
    """What pop3load is asked to do. Either `connections` (closed model) or `rate` (open)."""
    profile: str
    connections: int = 0
    rate: float = 0
    pipelined: int = 0              # commands sent ahead at most; 0: one at a time
    commands_per_session: int = 0   # noop, keep
    users_file: str = ""            # whom it logs in as; "": all of the mail set, from the first on


@dataclasses.dataclass(frozen=True)
class Slice:
    """What one run against one server measured, its warm-up left out."""
    server: str
    cpu_seconds: float
    seconds: float
    sessions: int
    commands: int
    messages: int
    p50_us: float
    p99_us: float
    octets: int = 0  # received
    is_saturated: bool = False  # the generator hardly waited: the speed may be its own

    def units(self, unit):
        return {"session": self.sessions, "command": self.commands, "message": self.messages}[unit]

    def cpu_us_per(self, unit):
        return self.cpu_seconds * 1e6 / self.units(unit)

    def per_second(self, unit):
        return self.units(unit) / self.seconds

    def figure(self, name, unit):
        """By the names of Workload.figure."""
        return {"cpu": self.cpu_us_per(unit), "time": self.p50_us, "p99": self.p99_us}[name]


@dataclasses.dataclass(frozen=True)
class IdleSlice:
    """Octets that one more silent connection takes."""
    all_in: float  # of the control group: the kernel's and those in user space
    user: float    # in user space

    def figure(self, name, _unit):
        return {"all-in": self.all_in, "user": self.user}[name]


def arguments(load, mail_set, port, seconds, warm_up, seed):
    """The command line without the program's name and without TLS. `seconds` is whole: pop3load looks at the
    server's CPU time once a second."""
    words = ["run", "--host", "127.0.0.1", "--port", str(port), "--profile", load.profile,
             "--duration", f"{seconds}s", "--warm-up", f"{int(warm_up * 1000)}ms",
             *users_of(load, mail_set), "--password", maildrops.PASSWORD, "--seed", str(seed), "--threads", "1",
             "--quiet"]
    words += ["--connections", str(load.connections)] if load.connections else ["--rate", str(load.rate)]
    if load.pipelined:
        words += ["--pipelined", "--pipeline-depth", str(load.pipelined)]
    if load.commands_per_session:
        words += ["--commands", str(load.commands_per_session)]
    return words


def users_of(load, mail_set):
    if load.users_file:
        return ["--users-file", load.users_file]
    return ["--user-format", mail_set.user_format(), "--user-count", str(mail_set.users)]


def tls_arguments(handshake):
    """By the names of Workload.tls."""
    words = ["--tls", "implicit"] if handshake else []
    return [*words, "--tls-resumed", "1"] if handshake == "resumed" else words


def first_where_allowed():
    """FIRST, or nothing where whoever runs this may not ask for it."""
    return FIRST if subprocess.run([*FIRST, "true"], capture_output=True, check=False).returncode == 0 else ()


class Generator:
    """pop3load at `binary`; its reports go through `folder`. `first` goes before its command line where it measures
    latency: FIRST, or nothing."""

    def __init__(self, binary, folder, first=()):
        self.binary = binary
        self.json_path = os.path.join(folder, "pop3load.json")
        self.first = first

    def run(self, server, workload, seconds, warm_up, seed=1):
        """One slice of `workload` against `server` (peers.Running)."""
        place, handshake = server.place, server.peer.handshake(workload)
        words = arguments(workload.load, workload.mail_set, place.tls_port if handshake else place.port, seconds,
                          warm_up, seed)
        words += tls_arguments(handshake)
        first = ()
        if workload.figure == "p99":
            words += ["--threshold", "p99<60s"]  # never broken: pop3load must have been in time at its own p99, too
            first = self.first
        command = [*first, self.binary, *words,
                   "--server-cgroup", server.group.cpu_folder, "--json", self.json_path]
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.json_path)
        try:
            done = subprocess.run(command, capture_output=True, text=True,
                                  env=tls.environment(place.tls) if handshake else None,
                                  timeout=seconds + warm_up + SECONDS_OVER, check=False)
        except subprocess.TimeoutExpired as expired:
            raise Failed(f"pop3load did not end: {' '.join(command)}") from expired
        if done.returncode != 0 and not (done.returncode == EXIT_FAILED and self.is_only_unfinished(workload)):
            kind = FellBehind if done.returncode == EXIT_FELL_BEHIND else Failed
            raise kind(f"pop3load ended with {done.returncode}: {' '.join(command)}\n"
                       f"{done.stdout[-500:]}{done.stderr[-1500:]}")
        return slice_of(server.peer.name, workload.unit, self._report())

    def is_only_unfinished(self, workload):
        """Whether the run without a fault is called failed because no session ended within it: those of some
        profiles are meant to last."""
        return (workload.load.profile in LASTING_PROFILES and os.path.exists(self.json_path)
                and self._report()["faults"]["total"] == 0)

    def _report(self):
        with open(self.json_path, encoding="utf-8") as file:
            return json.load(file)


# The step whose latency is told, by what is counted: a kept session does not end within a slice.
STEP_OF_UNIT = {"session": "session", "message": "retr_last", "command": "noop"}


def slice_of(server, unit, report):
    """A Slice from pop3load's report (tools/pop3load/JSON.md)."""
    measured = report["measured"]
    steps = {step["step"]: step["corrected"] for step in report["steps"]}
    latency = steps.get(STEP_OF_UNIT[unit])
    if latency is None or report["server"] is None:
        raise Failed(f"pop3load measured no {STEP_OF_UNIT[unit]} of {server}, or nothing of its server.")
    taken = Slice(server=server, cpu_seconds=report["server"]["cpu_seconds"], seconds=measured["seconds"],
                  sessions=measured["sessions_ended"], commands=measured["commands"],
                  messages=measured["messages"], p50_us=latency["p50_us"], p99_us=latency["p99_us"],
                  octets=measured["octets"], is_saturated=report["generator"]["saturated"])
    if taken.units(unit) == 0 or taken.seconds == 0:
        raise Failed(f"pop3load counted no {unit} of {server}.")
    return taken


def seed(binary, maildir, user_format, users, owner, *more):
    """Makes maildrops with `pop3load seed`: `maildir` has {user} in it, `owner` is (uid, gid) or None, `more`
    are its other options. Everything is seen mail in cur/."""
    words = [binary, "seed", "--maildir", maildir, "--user-format", user_format, "--user-count", str(users),
             "--seen", "--quiet", "--add", *more]
    if owner is not None:
        words += ["--owner", f"{owner[0]}:{owner[1]}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"pop3load seed ended with {done.returncode}: {done.stderr.strip()}")
