"""Measures the series: polls at each point, up and down again, with one reactor and with two. Beside each slice
stands one of the reference, which is the series' first point or, for connections, polls with nothing beside them:
before it on the way up, after it on the way down, so that every pair stands as A B B A.

    schema    "restante-scale/1"
    date, pace, machine, accounting, version
    series    [{name, title, what, why,
                lines: {"1 reactor": [{x, median, low, high   server's CPU us a poll: median and extremes of the slices
                                       slices: [...]
                                       ratio: {median, low, high}   over the reference; extremes
                                       p50_us, p99_us         of polls in a closed loop; medians
                                       user_octets}]},        in user space, of one of the connections that stand
                                                              beside the polls, on the way up: later the server
                                                              has pools for more; null where there are none
                bends: {"1 reactor": {x, ratio, is_flat}},    the point of the highest ratio
                failures: [sentence]}]
"""
import collections
import contextlib
import dataclasses
import os
import random
import time

import load
import maildrops
import pairs
import series as known
import sessions
import standing
import workloads

SCHEMA = "restante-scale/1"
WARM_UP = 0.3
SEED = 20260101
POOL_MIN = 64
REFERENCE_SECONDS = 1
COVER_SECONDS = 5
COVER_SECONDS_MAX = 600
# A poll comes to either of two reactors: after five of a maildrop each has had all but a 32nd of them.
COVERS = {1: 1, 2: 5}


@dataclasses.dataclass(frozen=True)
class Pace:
    is_quick: bool
    seconds: int  # of a slice; of the reference REFERENCE_SECONDS
    budget: float  # in seconds; after it a series goes up and not down again


FULL = Pace(is_quick=False, seconds=2, budget=10 * 60)
QUICK = Pace(is_quick=True, seconds=1, budget=3 * 60)


@dataclasses.dataclass(frozen=True)
class Slice:
    cpu_us: float
    p50_us: float
    p99_us: float
    user_octets: float = None
    ratio: float = None  # of cpu_us over the reference's


class Growth:
    """`start`: reactors -> peers.Running, a server that serves the mail below `folder`; each is stopped at the
    end of its series, because a server keeps memory of the connections it had."""

    def __init__(self, start, pop3load, folder, pace, say):
        self.start = start
        self.servers = {}  # reactors -> peers.Running, while a series is measured
        self.octets = {}   # reactors -> in user space, before the series
        self.pop3load = pop3load
        self.folder = folder
        self.pace = pace
        self.say = say
        self.generator = load.Generator(pop3load, folder)
        self.chance = random.Random(SEED)
        self.deadline = time.monotonic() + pace.budget

    def run(self, chosen):
        """(Series, slices[reactors][x], failures) of each; an interrupt ends with what there is."""
        outcomes = []
        with contextlib.suppress(KeyboardInterrupt):
            for series in chosen:
                slices = {reactors: collections.defaultdict(list) for reactors in known.REACTORS}
                failures = []
                outcomes.append((series, slices, failures))
                with self._started():
                    self._prepare(series)
                    self._series(series, slices, failures)
        return outcomes

    @contextlib.contextmanager
    def _started(self):
        with contextlib.ExitStack() as started:
            for reactors in known.REACTORS:
                self.servers[reactors] = self.start(reactors)
                started.callback(self.servers[reactors].stop)
            yield

    def _prepare(self, series):
        """Each maildrop is opened before anything counts, so that indexes are there."""
        points = known.points_of(series, self.pace.is_quick)
        if series is known.MAILDROPS:
            for reactors, running in self.servers.items():
                self._cover(running, known.many(max(points)), COVERS[reactors])
        polled = [known.large(x) for x in points] if series is known.MESSAGES else [known.POLLED]
        for running in self.servers.values():
            for mail_set in polled if series is not known.MAILDROPS else ():
                for number in range(mail_set.users):
                    sessions.visit(running.place.port, f"{mail_set.prefix}{number}")
        self.octets = {reactors: running.group.user_octets() for reactors, running in self.servers.items()}

    def _series(self, series, slices, failures):
        points = known.points_of(series, self.pace.is_quick)
        order = list(self.servers)
        for place, x in enumerate(pairs.round_order(points)):
            is_second = place >= len(points)
            if is_second and time.monotonic() > self.deadline:
                self.say(f"{series.name}: not down again, for want of time")
                return
            for reactors in reversed(order) if is_second else order:
                try:
                    slices[reactors][x].append(self._pair(series, reactors, x, is_second))
                except (load.Failed, OSError) as error:
                    failures.append(f"{x:,} {series.what}, {line_name(reactors)}: {error}")
                    self.say(failures[-1])
            self.say(f"{series.name}: {x:,}")

    def _pair(self, series, reactors, x, is_second):
        """A slice and its reference."""
        if is_second:
            taken = self._slice(series, reactors, x)
            reference = self._reference(series, reactors)
        else:
            reference = self._reference(series, reactors)
            taken = self._slice(series, reactors, x)
        return dataclasses.replace(taken, ratio=taken.cpu_us / reference.cpu_us)

    def _reference(self, series, reactors):
        running, first = self.servers[reactors], known.points_of(series, self.pace.is_quick)[0]
        if series is known.MAILDROPS:
            return self._polls(running, REFERENCE_SECONDS, known.many(first), self._random_users(first))
        return self._polls(running, REFERENCE_SECONDS, known.large(first) if series is known.MESSAGES else known.POLLED)

    def _slice(self, series, reactors, x):
        running = self.servers[reactors]
        if series is known.MAILDROPS:
            return self._polls(running, self.pace.seconds, known.many(x), self._random_users(x))
        if series is known.MESSAGES:
            return self._polls(running, self.pace.seconds, known.large(x))
        with standing.standing(self.pop3load, running, series.profile, x, known.many(x).user_format()):
            grown = running.group.user_octets() - self.octets[reactors]
            taken = self._polls(running, self.pace.seconds, known.POLLED)
            return dataclasses.replace(taken, user_octets=grown / x)

    def _polls(self, running, seconds, mail_set, users_file=""):
        connections = min(known.CONNECTIONS, mail_set.users)
        workload = workloads.Workload("poll", "", "session", mail_set, load.Load(
            "poll", connections=connections, users_file=users_file))
        taken = self.generator.run(running, workload, seconds, WARM_UP)
        return Slice(cpu_us=taken.cpu_us_per("session"), p50_us=taken.p50_us, p99_us=taken.p99_us)

    def _random_users(self, count):
        """A file of the first `count` users in random order: each slice begins with other ones."""
        numbers = list(range(count))
        self.chance.shuffle(numbers)
        path = os.path.join(self.folder, "random-users")
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"many{number} {maildrops.PASSWORD}\n" for number in numbers)
        return path

    def _cover(self, running, mail_set, times):
        """Polls every maildrop at least so often: in order, for longer and longer until all had their turns."""
        seconds, ended, wanted = COVER_SECONDS, 0, times * mail_set.users
        while ended < wanted:
            if seconds > COVER_SECONDS_MAX:
                raise load.Failed(f"{mail_set.users:,} maildrops were not polled within {COVER_SECONDS_MAX} s.")
            workload = workloads.Workload("cover", "", "session", mail_set, load.Load("poll", known.CONNECTIONS))
            taken = self.generator.run(running, workload, seconds, 0)
            ended = taken.sessions
            seconds = int(seconds * max(1.5, 1.2 * wanted / max(ended, 1)))


def seed(pop3load, mail_folder, sets, owner, say):
    """Hard links to few files: what counts is names and folders."""
    for number, mail_set in enumerate(sets, 1):
        load.seed(pop3load, os.path.join(mail_folder, "{user}"), mail_set.user_format(), mail_set.users, owner,
                  "--messages", str(mail_set.messages), "--sizes", "3000",
                  "--pool", str(max(POOL_MIN, mail_set.messages)), "--seed", str(number))
        say(f"{mail_set.users:,} maildrops of {mail_set.messages:,} messages made")


def line_name(reactors):
    return f"{reactors} reactor{'s' if reactors > 1 else ''}"


def as_json(outcomes, context):
    return {"schema": SCHEMA, **context, "series": [of_series(*outcome) for outcome in outcomes]}


def of_series(series, slices, failures):
    lines = {line_name(reactors): [of_point(x, taken) for x, taken in sorted(of_x.items()) if taken]
             for reactors, of_x in slices.items()}
    return {"name": series.name, "title": series.title, "what": series.what, "why": series.why, "lines": lines,
            "bends": {name: bend(points) for name, points in lines.items() if points}, "failures": failures}


def of_point(x, taken):
    values, ratios = [each.cpu_us for each in taken], [each.ratio for each in taken]
    return {"x": x, "median": pairs.median(values), "low": min(values), "high": max(values), "slices": values,
            "ratio": {"median": pairs.median(ratios), "low": min(ratios), "high": max(ratios)},
            "p50_us": pairs.median([each.p50_us for each in taken]),
            "p99_us": pairs.median([each.p99_us for each in taken]),
            "user_octets": taken[0].user_octets}


def bend(points):
    """The point that is dearest beside its reference. `points`: at least one."""
    worst = max(points, key=lambda point: point["ratio"]["median"])
    ratio = worst["ratio"]["median"]
    return {"x": worst["x"], "ratio": ratio, "is_flat": ratio <= known.FLAT_TO}


def sentence(name, found, what):
    """What bend() found, in words."""
    if found["is_flat"]:
        return f"{name}: flat, at most {found['ratio']:.2f} times the reference ({found['x']:,} {what})."
    return f"{name}: bends, {found['ratio']:.2f} times the reference at {found['x']:,} {what}."
