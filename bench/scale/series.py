"""What grows, how far, and what is known of it."""
import dataclasses

from maildrops import MailSet

CONNECTIONS = 8
# A point may cost so many times the reference, a slice taken next to it; beyond that it bends. Slices on a shared
# machine differ by a fifth.
FLAT_TO = 1.25
REACTORS = (1, 2)


@dataclasses.dataclass(frozen=True)
class Series:
    """One plot: the CPU time of a poll beside `points` of something. `profile`: of the connections that stand
    beside the polls, "" where there are none."""
    name: str
    title: str
    what: str              # of which there are more and more
    points: tuple
    quick_points: tuple
    profile: str = ""
    why: str = ""          # where it bends and why: one sentence, written after a measurement


CONNECTIONS_OUT = Series(
    "connections-out", "Connections that are not logged in, silent, beside the polls", "connections",
    (1, 100, 1000, 5000, 10000, 15000), (1, 1000, 5000), profile="idle-anonymous")
CONNECTIONS_IN = Series(
    "connections-in", "Connections that are logged in, silent, beside the polls", "connections",
    (1, 100, 1000, 3000, 6000, 9500), (1, 1000, 3000), profile="idle")
MAILDROPS = Series(
    "maildrops", "Maildrops of one message each, polled in random order", "maildrops",
    (1000, 10000, 50000, 200000), (1000, 5000),
    why="Beyond what [limits] index_cache keeps of indexes (1 GiB: a million maildrops of one message each, half of "
        "that with two reactors) a poll takes six more system calls.")
MESSAGES = Series(
    "messages", "Messages in each of the maildrops that are polled", "messages",
    (1, 10, 100, 1000, 10000, 100000), (1, 100, 10000))
ALL = (CONNECTIONS_OUT, CONNECTIONS_IN, MAILDROPS, MESSAGES)

POLLED = MailSet("polled", users=100, messages=20)
LARGE_USERS = 4


def points_of(series, is_quick):
    return series.quick_points if is_quick else series.points


def large(messages):
    """The maildrops of a point of MESSAGES."""
    return MailSet(f"of{messages}-", users=LARGE_USERS, messages=messages)


def many(count):
    """The maildrops of a point of MAILDROPS; the smaller are a part of the larger. Silent sessions have them,
    too."""
    return MailSet("many", users=count, messages=1)


def mail_sets(chosen, is_quick):
    """All that is to be seeded for the series `chosen`."""
    sets = [POLLED]
    of_many = max((max(points_of(each, is_quick)) for each in chosen if each in (CONNECTIONS_IN, MAILDROPS)),
                  default=0)
    if of_many:
        sets.append(many(of_many))
    if MESSAGES in chosen:
        sets += [large(messages) for messages in points_of(MESSAGES, is_quick)]
    return sets


def chosen(names):
    """The series named, or all for an empty list; LookupError names what there is not."""
    known = {each.name: each for each in ALL}
    for name in names:
        if name not in known:
            raise LookupError(f"There is no series {name!r}. There are: {', '.join(known)}.")
    return [known[name] for name in names] if names else list(ALL)
