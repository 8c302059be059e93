"""Other users of a server under load, in a process of their own; and the same users, at the same
moments, of a twin: the same program with the same mail and no load. What the machine does to one it
does to both, so what differs is the load's doing."""
import multiprocessing
import signal
import statistics
import threading
import time

import harness

SECONDS_BETWEEN = 0.16  # of one user's polls
USERS = [f"bystander{number}" for number in range(8)]
MESSAGE = b"Subject: bystander\r\n\r\n" + b"a line of no interest to anybody\r\n" * 60


class Figures:
    """Seconds of every poll, from when it was due, and what went wrong."""

    def __init__(self, seconds, faults):
        self.seconds = sorted(seconds)
        self.faults = faults

    def median(self):
        return statistics.median(self.seconds)

    def p99(self):
        return self.seconds[int(len(self.seconds) * 0.99)]

    def __str__(self):
        milliseconds = [1e3 * each for each in (self.median(), self.p99(), self.seconds[-1])]
        return "/".join(f"{each:.1f}" for each in milliseconds)


def fetch(client):
    """STAT and RETR, which must be what this user has."""
    stat = client.ask("STAT")
    assert stat == f"+OK 1 {len(MESSAGE)}", stat
    assert client.retrieve(1) == MESSAGE


def log_in(port, user):
    client = harness.Client(port)
    reply = client.log_in(user)
    assert reply.startswith("+OK"), reply
    return client


def poll(port, user):
    with log_in(port, user) as client:
        fetch(client)
        assert client.ask("QUIT").startswith("+OK")


def watch(port, number, stays, ends, seconds, faults):
    """One user, who fetches at a fixed pace until `ends`; what is late counts from when it was due."""
    user, client = USERS[number], None
    due = time.monotonic() + number * SECONDS_BETWEEN / len(USERS)
    while not ends.is_set():
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            if not stays:
                poll(port, user)
            elif client is None:
                client = log_in(port, user)
            else:
                fetch(client)
            seconds.append(time.monotonic() - due)
        except (OSError, AssertionError) as error:
            faults.append(f"{user}: {type(error).__name__} {error}")
        due += SECONDS_BETWEEN
    if client is not None:
        client.close()


def act(ports, stays, pipe):
    """The process: begins, says so, goes on until told to end, and hands over what it has seen."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the test's, which cleans up
    ends = threading.Event()
    seen = [([], []) for _ in ports]
    threads = [threading.Thread(target=watch, args=(port, number, stays, ends, *into), daemon=True)
               for port, into in zip(ports, seen) for number in range(len(USERS))]
    for thread in threads:
        thread.start()
    while any(len(seconds) + len(faults) < 2 * len(USERS) for seconds, faults in seen):
        time.sleep(0.01)
    for seconds, _ in seen:
        seconds.clear()  # the first ones found nothing in a cache
    pipe.send("begun")
    pipe.recv()
    ends.set()
    for thread in threads:
        thread.join()
    pipe.send(seen)


class Bystanders:
    """`with Bystanders(ports of the server and its twin)`; afterwards `.loaded` and `.twin`. To be
    begun before the load: a process that is begun later would share the load's connections."""

    def __init__(self, ports, stays=False):
        """`stays`: they log in once and then fetch; otherwise each poll is a session."""
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=act, args=(ports, stays, theirs), daemon=True)
        self.loaded = self.twin = None

    def __enter__(self):
        self.process.start()
        assert self.pipe.recv() == "begun"
        return self

    def __exit__(self, *_):
        self.pipe.send("end")
        self.loaded, self.twin = (Figures(*each) for each in self.pipe.recv())
        self.process.join()
