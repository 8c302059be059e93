"""The server is killed (SIGKILL) before and after each operation of login, RETR, DELE and QUIT: what
was acknowledged stays, what was not marked is whole, and the next server needs no repair.

Where an index lets the login do without a listing, only on the first ring, and only before each operation
(after the n-th is before the next one, but for who writes the log). RESTANTE_KILL_ROUNDS=N leaves nothing
out, N times.
"""
import collections
import concurrent.futures
import itertools
import os
import signal
import time

import ending_server
import harness
import removal

ROUNDS = int(os.environ.get("RESTANTE_KILL_ROUNDS", "1"))
KILLS_OFTEN = "RESTANTE_KILL_ROUNDS" in os.environ
THREADS = 3  # all of their rings count against the locked memory of one user
OPERATIONS_MAX = 100  # of a kind; more than any session has
# What a session asks for; were one of them not among those that it ended at, the test would be void.
KINDS_MET = {"accept", "open", "lock", "status", "status_at", "read", "remove", "send", "sync", "write"}
KINDS_WITHOUT_INDEX = {"list_directory", "replace_file"}
SECONDS_UNTIL_TRUSTED = 0.03  # a folder that changed later than that is listed again

# Whether QUIT was sent, whether it was acknowledged, and how many messages were left.
Outcome = collections.namedtuple("Outcome", "has_quit is_acknowledged left")
EVERYTHING = len(removal.MESSAGES)
UNMARKED = EVERYTHING - len(removal.MARKED)
OUTCOMES_MET = {Outcome(False, False, EVERYTHING), Outcome(True, False, EVERYTHING),
                Outcome(True, False, UNMARKED), Outcome(True, True, UNMARKED)}
# Of a session of which another program has renamed a message meanwhile.
RENAMED = removal.MARKED[:1]
OUTCOMES_OF_RENAMED = {*OUTCOMES_MET - {Outcome(True, True, UNMARKED)},
                       Outcome(True, False, UNMARKED + len(RENAMED))}


def mark_as_seen(maildrop):
    """The messages of RENAMED, as an IMAP server does it."""
    for number in RENAMED:
        folder, name, *_ = removal.MESSAGES[number - 1]
        os.rename(os.path.join(maildrop, folder, name), os.path.join(maildrop, "cur", name + ":2,S"))


class KillTest(harness.SystemTest):
    """On each ring, with and without an index."""

    def setUp(self):
        super().setUp()
        ending_server.need(self)

    def test_killed_before_and_after_each_operation(self):
        for backend, has_index, _ in itertools.product(ending_server.BACKENDS, (False, True),
                                                       range(ROUNDS)):
            if has_index and backend != ending_server.BACKENDS[0] and not KILLS_OFTEN:
                continue
            with self.subTest(backend=backend, has_index=has_index):
                self.kill_everywhere(backend, has_index)

    def test_killed_while_it_looks_for_what_was_renamed(self):
        for backend in ending_server.BACKENDS:
            with self.subTest(backend=backend):
                world = ending_server.EndingWorld(self, backend)
                maildrop = os.path.join(world.mail, "mrose")

                def kill_at(ending):
                    return self.kill_at(world, None, ending, lambda: mark_as_seen(maildrop), RENAMED)
                found = [self.outcomes_of(kind, kill_at) for kind in ("remove", "list_directory")]
                self.assertLessEqual(OUTCOMES_OF_RENAMED, set(itertools.chain.from_iterable(found)))

    def kill_everywhere(self, backend, has_index):
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            chains = [pool.submit(self.kill_at_each, backend, has_index, kind)
                      for kind in ending_server.KINDS]
            found = {kind: chain.result() for kind, chain in zip(ending_server.KINDS, chains)}
        if os.environ.get("SHOW"):
            print(backend, has_index, {kind: len(outcomes) for kind, outcomes in found.items()})
        kinds = KINDS_MET if has_index else KINDS_MET | KINDS_WITHOUT_INDEX
        self.assertLessEqual(kinds, {kind for kind, outcomes in found.items() if outcomes})
        self.assertLessEqual(OUTCOMES_MET, set(itertools.chain.from_iterable(found.values())))

    def kill_at_each(self, backend, has_index, kind):
        """The outcomes of all operations of a kind."""
        world = ending_server.EndingWorld(self, backend)
        former = self.index_maker(world) if has_index else None
        outcomes = self.outcomes_of(kind, lambda ending: self.kill_at(world, former, ending),
                                    is_after_too=former is None or KILLS_OFTEN)
        if former is not None:
            former.kill()
        return outcomes

    def outcomes_of(self, kind, kill_at, is_after_too=True):
        outcomes = []
        for number in range(1, OPERATIONS_MAX):
            killed = kill_at(f"before {kind} {number} KILL")
            if killed is None:
                break
            outcomes.append(killed)
            if is_after_too:  # which may be never, as of the next accept
                outcomes.append(kill_at(f"after {kind} {number} KILL"))
        self.assertLess(number, OPERATIONS_MAX - 1)
        return [outcome for outcome in outcomes if outcome is not None]

    def index_maker(self, world):
        """A server at another port that is not killed."""
        return world.serve(harness.free_port(), runtime={"reactors": "1"}, limits={"connections": "100"})

    def kill_at(self, world, former, ending, after_login=lambda: None, renamed=()):
        """What the next server found; None: the session was over before."""
        removal.deliver(world)
        if former is not None:
            time.sleep(SECONDS_UNTIL_TRUSTED)
            removal.look(former)
        server = ending_server.EndingServer(self, world, ending)
        session = removal.Session(world.port, after_login=after_login).run()
        ended = server.wait_for_its_end(session)
        server.kill()
        if ended not in (None, -signal.SIGKILL) or session.refused or server.complaints():
            raise AssertionError(f"{ending}: {ended}: {server.log()}")
        following = ending_server.EndingServer(self, world)
        try:
            left = removal.check(world, following, session,
                                 bounds=removal.gone_when_killed(session, ending, renamed))
        except Exception as fault:
            raise AssertionError(f"{ending}: {fault}\n{session.said}\n{following.log()}") from fault
        if following.complaints():
            raise AssertionError(f"{ending}: {following.log()}")
        following.kill()
        return None if ended is None else Outcome(session.has_quit, session.is_acknowledged, left)
