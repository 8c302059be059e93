"""Runs the workloads: which server next, for how long, and what came of it."""
import contextlib
import dataclasses
import os
import random
import socket
import time

import load
import maildrops
import pairs
import peers
import workloads

SECONDS_TO_SETTLE = 1.0
WORKLOAD_ROUNDS_MAX = 12


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long all may take, and one slice."""
    seconds: float
    slice_seconds: int
    warm_up_seconds: float
    rounds_min: int  # while there is time; one round is always measured
    idle_rounds: int


FULL = Pace(seconds=22 * 60, slice_seconds=2, warm_up_seconds=0.5, rounds_min=3, idle_rounds=3)
QUICK = Pace(seconds=8.5 * 60, slice_seconds=1, warm_up_seconds=0.2, rounds_min=2, idle_rounds=1)
SHORTEST = Pace(seconds=0, slice_seconds=1, warm_up_seconds=0.1, rounds_min=1, idle_rounds=1)


@dataclasses.dataclass
class Outcome:
    """What a workload gave. rounds[server] is a list of rounds; a round is its slices (load.Slice), or
    octets a connection where the workload is idle. failures[server]: why it has none."""
    workload: workloads.Workload
    rounds: dict
    failures: dict


class Bench:
    """The servers, their mail, the load generator, and the time there is."""

    def __init__(self, servers, generator, store, pace, say):
        self.servers = servers      # name -> Server
        self.generator = generator
        self.store = store
        self.pace = pace
        self.say = say              # a line for whoever waits
        self.deadline = time.monotonic() + pace.seconds
        self.refills = random.Random(pairs.BOOTSTRAP_SEED)

    def run(self, chosen):
        """Outcomes of the workloads, in their order; an interrupt ends with what there is."""
        outcomes = []
        with contextlib.suppress(KeyboardInterrupt):
            for done, workload in enumerate(chosen):
                share = (self.deadline - time.monotonic()) / (len(chosen) - done)
                outcomes.append(self._idle(workload) if workload.kind == "idle"
                                else self._slices(workload, time.monotonic() + share))
        return outcomes

    def _slices(self, workload, until):
        outcome = Outcome(workload, {}, {})
        order = self._prepare(workload, outcome)
        number = 0
        took = 0.0
        while number < WORKLOAD_ROUNDS_MAX and order:
            started = time.monotonic()
            enough = self.pace.rounds_min if started + took < self.deadline else 1
            if number >= enough and started + took > until:
                break
            order = self._round(workload, outcome, order, number)
            number += 1
            took = time.monotonic() - started
        self.say(f"{workload.name}: {number} rounds of {', '.join(order)}")
        return outcome

    def _prepare(self, workload, outcome):
        """Mail for every server, and one session of each maildrop so that indexes are there; the names of
        the servers that take part."""
        order = []
        for name, server in self.servers.items():
            try:
                server.prepare(workload)
                self._fill(workload, server)
                server.visit(workload)
                order.append(name)
            except (load.Failed, peers.NotStarted, OSError) as error:
                outcome.failures[name] = str(error)
                self.say(f"{workload.name}: {name} cannot take part: {error}")
        return order

    def _round(self, workload, outcome, order, number):
        """Runs A B C C B A; the names of those that are left, since a server that fails is out."""
        slices = {name: [] for name in order}
        for place, name in enumerate(pairs.round_order(order)):
            if name in outcome.failures:
                continue
            try:
                self._fill(workload, self.servers[name])
                slices[name].append(self.generator.run(
                    self.servers[name].running, workload,
                    max(self.pace.slice_seconds, workload.seconds_min), self.pace.warm_up_seconds, seed=1 + number * 100 + place))
            except load.Failed as error:
                outcome.failures[name] = str(error)
                outcome.rounds.pop(name, None)
                self.say(f"{workload.name}: {name} is out: {error}")
        left = [name for name in order if name not in outcome.failures]
        for name in left:
            outcome.rounds.setdefault(name, []).append(slices[name])
        return left

    def _fill(self, workload, server):
        if workload.refilled and server.peer.reads_maildirs:
            drops = maildrops.specmail_maildrops(workload.mail_set.users, self.refills)
            self.store.refill(server.peer.name, workload.mail_set.prefix, drops)

    def _idle(self, workload):
        outcome = Outcome(workload, {}, {})
        order = self._prepare_idle(workload, outcome)
        for _ in range(self.pace.idle_rounds):
            slices = {name: [] for name in order}
            for name in pairs.round_order(order):
                slices[name].append(self._idle_slice(self.servers[name], workload))
            for name in order:
                outcome.rounds.setdefault(name, []).append(slices[name])
        self.say(f"{workload.name}: {self.pace.idle_rounds} rounds of {', '.join(order)}")
        return outcome

    def _prepare_idle(self, workload, outcome):
        order = []
        for name, server in self.servers.items():
            try:
                server.prepare(workload)
                server.visit(workload)
                order.append(name)
            except (peers.NotStarted, OSError) as error:
                outcome.failures[name] = str(error)
                self.say(f"{workload.name}: {name} cannot take part: {error}")
        return order

    def _idle_slice(self, server, workload):
        """Of a server started anew: what earlier connections left in its pools is not free."""
        server.stop()
        server.prepare(workload)
        return idle_octets(server, workload)


class Server:
    """A peer with its place and its control group; running from the first prepare() to stop()."""

    def __init__(self, peer, place, store, make_group):
        self.peer = peer
        self.place = place
        self.store = store
        self.make_group = make_group
        self.running = None
        self.visited = set()  # prefixes

    def prepare(self, workload):
        """Serves the mail of `workload`. A server without maildirs is started anew for each."""
        if self.peer.reads_maildirs:
            self.store.make(self.peer.name, workload.mail_set)
        elif self.running is not None:
            self.stop()
        if self.running is None:
            self.running = peers.Running(self.peer, self.place, self.make_group(self.peer.name), workload)

    def visit(self, workload):
        """One session with a listing in each maildrop, so that every index is there before it counts."""
        prefix = workload.mail_set.prefix
        if not self.peer.reads_maildirs or workload.refilled or prefix in self.visited:
            return
        self.visited.add(prefix)
        for number in range(self.users_of(workload)):
            with log_in(self.place.port, f"{prefix}{number}") as (connection, replies):
                for command in (b"UIDL\r\n", b"LIST\r\n"):
                    connection.sendall(command)
                    while replies.readline() not in (b".\r\n", b""):
                        pass
                quit_session(connection, replies)

    def users_of(self, workload):
        """How many maildrops it is asked for: of an idle workload, as many as it holds connections."""
        if workload.kind != "idle":
            return workload.mail_set.users
        return min(self.peer.idle_connections_max[workload.name], workload.mail_set.users)

    def stop(self):
        if self.running is not None:
            self.running.stop()
            self.running = None


@contextlib.contextmanager
def log_in(port, user):
    """A connection that is logged in, and its replies as a file."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection, \
            connection.makefile("rb") as replies:
        replies.readline()
        for command in (f"USER {user}", f"PASS {maildrops.PASSWORD}"):
            connection.sendall(command.encode() + b"\r\n")
            reply = replies.readline()
            if not reply.startswith(b"+OK"):
                raise OSError(f"The answer to {command.split()[0]} of {user} is {reply!r}.")
        yield connection, replies


def quit_session(connection, replies):
    connection.sendall(b"QUIT\r\n")
    replies.readline()


def idle_octets(server, workload):
    """Memory of one more silent connection: what the control group has more with all of them."""
    count = server.users_of(workload)
    with contextlib.ExitStack() as held:
        before = settled_octets(server.running.group)
        for number in range(count):
            if workload.name == "idle-in":
                held.enter_context(log_in(server.place.port, f"{workload.mail_set.prefix}{number}"))
            else:
                connection = held.enter_context(
                    socket.create_connection(("127.0.0.1", server.place.port), timeout=60))
                if not connection.recv(512).startswith(b"+OK"):
                    raise OSError(f"No greeting for connection {number + 1}.")
        during = settled_octets(server.running.group)
    return (during - before) / count


def settled_octets(group):
    """Memory of the group once two looks agree within 1 %, or after SECONDS_TO_SETTLE."""
    time.sleep(0.3)
    deadline = time.monotonic() + SECONDS_TO_SETTLE
    octets = group.memory_octets()
    while time.monotonic() < deadline:
        time.sleep(0.1)
        again = group.memory_octets()
        if abs(again - octets) <= octets / 100:
            return again
        octets = again
    return octets


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_servers(chosen, folder, store, users_path, make_group):
    """A Server for each peer, each with a port of its own."""
    servers = {}
    for peer in chosen:
        place = peers.Place(os.path.join(folder, peer.name), store.mail_folder(peer.name), users_path,
                            free_port())
        servers[peer.name] = Server(peer, place, store, make_group)
    return servers
