"""What tests of load that does not end well stand on: a server under load, its unloaded twin,
bystanders of both; what memory may be used; figures, printed."""
import contextlib
import json
import os
import resource
import threading
import time

import bystanders
import harness
import process_usage
import tls_test

# The whole of it; otherwise the same with fewer of everything.
IS_WHOLE = os.environ.get("RESTANTE_WHOLE_LOAD", "") not in ("", "0")
SECONDS_TO_RECOVER = 20  # a second is what is asked: see Overload.judge_times
POLLER = "poller"  # asks whether the server has recovered, and nothing else

REACTORS = 2


def scaled(whole, ordinary, quick):
    """How many: in the long run, in the ordinary one, and where only what is not slow is wanted."""
    if IS_WHOLE:
        return whole
    return quick if harness.settings.quick else ordinary


def memory_terms(path):
    """What the server says that it may take of memory, as `restante doctor` has it of a configuration:
    octets of each by name, and of all of them together."""
    told = json.loads(harness.run_binary("doctor", "--json", "--config", path).stdout)
    terms = next(check["terms"] for check in told if check["check"] == "memory")
    return ({term["name"]: term["octets"] for term in terms},
            sum(term["count"] * term["octets"] for term in terms))


def allow_descriptors():
    """As many as this process may have: load needs one a connection."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


@harness.alone
class Overload(harness.SystemTest):
    """A server with a port for TLS and its twin over the same users; each has maildrops of its own.
    `judges_p99`: the load lasts for as many polls as that needs."""

    judges_p99 = IS_WHOLE

    def setUp(self):
        super().setUp()
        allow_descriptors()
        self.twin_world = harness.World(self)

    def begin(self, users=(), before=None, **sections):
        """Both servers. `before` is called in the loaded one's process (Server's `before`)."""
        self.twin = self._serve(self.twin_world, (), None, sections)
        self.server = self._serve(self.world, users, before, sections)
        self.octets_of, self.octets_max = memory_terms(self.configuration)
        self.start_kib = process_usage.anonymous_kib(self.server)
        self.start_descriptors = process_usage.descriptors(self.server)

    def _serve(self, world, users, before, sections):
        world.set_users(*bystanders.USERS, POLLER, *users)
        for user in (*bystanders.USERS, POLLER):
            world.deliver(bystanders.MESSAGE, user=user)
        paths = [os.path.join(world.root, name) for name in ("c.pem", "k.pem")]
        for path, content in zip(paths, tls_test.shared_pair()):
            world.write(path, content)
        world.tls_port = harness.free_port()
        tables = {
            "listener.pop3s": {"address": f'["127.0.0.1:{world.tls_port}"]', "tls": '"required"'},
            "tls": {"certificate": f'"{paths[0]}"', "key": f'"{paths[1]}"'},
            "runtime": {"reactors": str(REACTORS)},
            "log": {"level": '"warn"'},
            **sections,
        }
        self.configuration = world.configuration(**tables)
        arguments = ["serve", "--config", self.configuration]
        server = harness.Server(self, arguments, world.port, folder=world.root, before=before)
        return server.wait_until_ready()

    def cap_kib(self, takes):
        """What a load may add: so many of each term, with the allocator's part of it, and what is there
        once for each reactor."""
        octets = sum(count * self.octets_of[term] for term, count in takes.items())
        octets += REACTORS * self.octets_of["reactors"]
        return octets * 5 // 4 // 1024

    @contextlib.contextmanager
    def load(self, what, takes, stays=False):
        """Bystanders of both servers while the block loads one of them; the block's end must be the
        load's. `takes`: how many of which term of memory_terms() it may take."""
        cap_kib = self.cap_kib(takes)
        with bystanders.Bystanders([self.server.port, self.twin.port], stays) as beside:
            with Most(self.server) as most:
                yield
                recovery = self.seconds_to_recover(stays)
        self.most_kib = most.kib - self.start_kib
        self.left_kib = process_usage.anonymous_kib(self.server) - self.start_kib
        print(f"load: {what}: {self.most_kib} KiB more (at most {cap_kib}), {self.left_kib} after it; "
              f"the kernel's sockets {most.socket_kib} KiB; others {beside.loaded} ms (median/p99/most of "
              f"{len(beside.loaded.seconds)}), the twin's {beside.twin}; recovered in "
              f"{'no time' if recovery is None else f'{recovery * 1e3:.0f} ms'}", flush=True)
        self.judge(beside, recovery)
        if not harness.is_sanitized():
            self.assertLess(self.most_kib, cap_kib, "memory of the load")
            self.assertLess(self.left_kib, cap_kib, "memory after the load")
            self.assertLess(most.kib * 1024, self.octets_max, "memory in all")
            self.judge_times(beside, recovery)

    @contextlib.contextmanager
    def same_load_again(self):
        """While the block loads the server once more. The allocator keeps what a load took, for each
        reactor; the next load must take that. What leaks would be there twice."""
        with Most(self.server) as most:
            yield
        again_kib = most.kib - self.start_kib
        print(f"    the same again: {again_kib} KiB", flush=True)
        if not harness.is_sanitized():
            former_kib = max(self.most_kib, self.left_kib)
            self.assertLess(again_kib, former_kib * 3 // 2 + 1024, "memory grows from load to load")

    def seconds_to_recover(self, stays):
        """From now on, until a poll is answered and descriptors are what they were."""
        standing = len(bystanders.USERS) if stays else 0
        allowed = None if self.start_descriptors is None else self.start_descriptors + 2 * standing + 8

        def is_well():
            return self.answers_a_poll() and (
                allowed is None or process_usage.descriptors(self.server) <= allowed)
        return process_usage.seconds_until(is_well, SECONDS_TO_RECOVER)

    def answers_a_poll(self):
        """A session of a user who is in no other one."""
        asked = [f"USER {POLLER}", f"PASS {harness.PASSWORD}", "STAT", "QUIT"]
        answered = ["+OK", "+OK", f"+OK 1 {len(bystanders.MESSAGE)}", "+OK"]
        with contextlib.suppress(OSError), \
             harness.Client(self.server.port, timeout=SECONDS_TO_RECOVER) as client:
            return all(client.ask(command).startswith(reply) for command, reply in zip(asked, answered))
        return False

    def judge(self, beside, recovery):
        """Others are served rightly, and the server recovers."""
        self.assertEqual(beside.loaded.faults, [])
        self.assertEqual(beside.twin.faults, [])
        self.assertIsNotNone(recovery, f"not recovered after {SECONDS_TO_RECOVER} s")

    def judge_times(self, beside, recovery):
        """100 ms for others, a second for the server: where the machine is not to blame. What slows the
        twin as well is the machine: others' p99 is held against 100 ms itself as long as the twin's is
        under 33 ms. A p99 of seconds of load is a handful of polls, so that in the ordinary run the
        median is judged."""
        self.assertLess(recovery, max(1.0, 10 * beside.twin.p99()))
        self.assertLess(beside.loaded.median(), max(0.1, 10 * beside.twin.median()))
        if self.judges_p99:
            self.assertLess(beside.loaded.p99(), max(0.1, 3 * beside.twin.p99()))


class Most:
    """The most memory that is used while the block runs, looked at every 20 ms."""

    def __init__(self, server):
        self.server = server
        self.kib = self.socket_kib = 0
        self.before_kib = process_usage.socket_kib()
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self.ends.wait(0.02):
            self.kib = max(self.kib, process_usage.anonymous_kib(self.server))
            self.socket_kib = max(self.socket_kib, process_usage.socket_kib() - self.before_kib)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
