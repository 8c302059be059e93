"""Runs the workloads: which server next, for how long, and what came of it."""
import contextlib
import dataclasses
import time

import load
import pairs
import peers
import workloads

WORKLOAD_ROUNDS_MAX = 12
CEILING_CONNECTIONS = 32
CEILING_SLICES = 2
ATTEMPTS = 3  # a neighbour may take the processor from the load generator


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long all may take, and one slice."""
    seconds: float
    slice_seconds: int
    warm_up_seconds: float
    rounds_min: int  # while there is time; one round is always measured
    idle_rounds: int


FULL = Pace(seconds=28 * 60, slice_seconds=2, warm_up_seconds=0.5, rounds_min=3, idle_rounds=3)
QUICK = Pace(seconds=4.5 * 60, slice_seconds=1, warm_up_seconds=0.2, rounds_min=2, idle_rounds=1)
SHORTEST = Pace(seconds=0, slice_seconds=1, warm_up_seconds=0.1, rounds_min=1, idle_rounds=1)


@dataclasses.dataclass
class Outcome:
    """What a workload gave. rounds[server] is a list of rounds, a round a list of slices (load.Slice, or
    load.IdleSlice). failures[server]: why it has none. rates[server]: sessions a second it was asked for,
    where that was found out. saturated: servers whose highest rate may be the generator's. tls_rate: what restante's last slice over TLS reached; its floor is asked for no
    more, because a poll at ten times the rate shares turns and caches with others and is half as dear."""
    workload: workloads.Workload
    rounds: dict
    failures: dict
    rates: dict = dataclasses.field(default_factory=dict)
    saturated: list = dataclasses.field(default_factory=list)
    tls_rate: float = 0


class Bench:
    """The servers, their mail, the load generator, and the time there is."""

    def __init__(self, servers, generator, pace, say):
        self.servers = servers      # name -> servers.Server
        self.generator = generator
        self.pace = pace
        self.say = say              # a line for whoever waits
        self.deadline = time.monotonic() + pace.seconds
        self.ceilings = {}          # server -> polls a second at most
        self.saturated = set()      # servers that did so many because the generator did no more

    def run(self, chosen):
        """Outcomes of the workloads and of their twins, in their order; an interrupt ends with what there is."""
        outcomes = []
        with contextlib.suppress(KeyboardInterrupt):
            for done, workload in enumerate(chosen):
                share = (self.deadline - time.monotonic()) / (len(chosen) - done)
                outcome = self._rounds(workload, time.monotonic() + share)
                outcomes.append(outcome)
                if workload.twin is not None:
                    outcomes.append(dataclasses.replace(outcome, workload=workload.twin))
        return outcomes

    def _rounds(self, workload, until):
        outcome = Outcome(workload, {}, {})
        order = self._prepare(workload, outcome)
        number = 0
        took = 0.0
        while order and not self._is_enough(workload, number, took, until):
            started = time.monotonic()
            order = self._round(outcome, order, number)
            number += 1
            took = time.monotonic() - started
        self.say(f"{workload.name}: {number} rounds of {', '.join(order)}")
        return outcome

    def _is_enough(self, workload, number, took, until):
        """After `number` rounds, the last of which took `took` seconds."""
        now = time.monotonic()
        if workload.kind == "idle":  # noise is small, and each slice starts a server
            return number >= self.pace.idle_rounds
        enough = self.pace.rounds_min if now + took < self.deadline else 1
        return number >= WORKLOAD_ROUNDS_MAX or (number >= enough and now + took > until)

    def _prepare(self, workload, outcome):
        """Mail for every server, and one session of each maildrop so that indexes are there; the names of
        the servers that take part."""
        order = []
        for name, server in self.servers.items():
            if not workload.takes(name):
                continue
            with self._failures(outcome, name):
                server.prepare(workload)
                server.visit(workload)
                if workload.rehearsed:
                    self._take(outcome, name, seed=1)
                order.append(name)
        if workload.kind == "paced":
            order = self._pace(outcome, order)
        return order

    def _pace(self, outcome, order):
        """Finds the rates at which the servers are asked; those that have one."""
        for name in order:
            if name not in self.ceilings:
                with self._failures(outcome, name):
                    self.ceilings[name] = self._ceiling(name, outcome.workload)
        order = [name for name in order if name in self.ceilings]
        known = {name: self.ceilings[name] for name in order}
        outcome.rates = paced_rates(known, outcome.workload.paced_by)
        outcome.saturated = [name for name in order if name in self.saturated]
        return order

    def _ceiling(self, name, workload):
        closed = dataclasses.replace(workload, load=load.Load(
            workload.load.profile, connections=CEILING_CONNECTIONS))
        slices = [self._run(name, closed, seed) for seed in range(CEILING_SLICES)]
        if any(each.is_saturated for each in slices):
            self.saturated.add(name)
        return pairs.median([each.per_second(workload.unit) for each in slices])

    def _round(self, outcome, order, number):
        """Runs A B C C B A; the names of those that are left, since a server that fails is out."""
        slices = {name: [] for name in order}
        for place, name in enumerate(pairs.round_order(order)):
            if name not in outcome.failures:
                with self._failures(outcome, name):
                    slices[name].append(self._take(outcome, name, seed=1 + number * 100 + place))
        left = [name for name in order if name not in outcome.failures]
        for name in left:
            outcome.rounds.setdefault(name, []).append(slices[name])
        return left

    @contextlib.contextmanager
    def _failures(self, outcome, name):
        """A server that fails is out of the workload."""
        try:
            yield
        except (load.Failed, peers.NotStarted, OSError) as error:
            outcome.failures[name] = str(error)
            outcome.rounds.pop(name, None)
            self.say(f"{outcome.workload.name}: {name} is out: {error}")

    def _take(self, outcome, name, seed):
        """One slice."""
        workload, server = outcome.workload, self.servers[name]
        if workload.kind == "idle":
            return server.idle_slice(workload)
        if workload.kind == "first":
            return server.first_slice(workload)
        if workload.kind == "paced":
            workload = dataclasses.replace(workload, load=dataclasses.replace(
                workload.load, rate=outcome.rates[name]))
        if name == workloads.TLS_FLOOR and outcome.tls_rate:
            workload = dataclasses.replace(workload, load=load.Load(workload.load.profile, rate=outcome.tls_rate))
        server.refill(workload, self.generator.binary)
        taken = self._run(name, workload, seed)
        if name == workloads.REFERENCE and workload.tls:
            outcome.tls_rate = round(taken.per_second(workload.unit), 1)
        return taken

    def _run(self, name, workload, seed):
        seconds = max(self.pace.slice_seconds, workload.seconds_min)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                taken = self.generator.run(self.servers[name].running, workload, seconds,
                                           self.pace.warm_up_seconds, seed)
                return self._charged(name, workload, taken)
            except load.FellBehind:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _charged(self, name, workload, taken):
        server = self.servers[name]
        added = server.peer.added_cpu_us(server.place, workload) * taken.sessions / 1e6
        return dataclasses.replace(taken, cpu_seconds=taken.cpu_seconds + added)


def paced_rates(ceilings, paced_by):
    """Sessions a second for each server: its share of its own ceiling, or of that of the server `paced_by`;
    of the lowest one where that takes no part."""
    lowest = min(ceilings.values(), default=0)
    common = ceilings.get(paced_by, lowest)
    return {name: round(workloads.SHARE_OF_CEILING * (ceiling if paced_by == "own" else common), 1)
            for name, ceiling in ceilings.items()}
