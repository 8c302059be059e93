"""Logins under attack: an owner's login beside a crowd that guesses passwords."""
import concurrent.futures
import contextlib
import os
import random
import socket
import statistics
import threading
import time

import harness
from login_cache_test import SLOW
from process_usage import cpu_seconds

# Of harness.PASSWORD: 50,000 rounds, 20 ms and more.
STORED = ("$6$rounds=50000$saltsaltsaltsalt$Uy"
          "cRG8RWJ/KHufDlT73Ej0kerzel6ZBujVV1WMbzT74VsdEoR3WEehS38EHFpKtdrZ0occVmcpw06bEI5O./Q0")
ATTACKERS = 200
SECONDS_A_GUESS = 0.4  # of each: 500 a second, which leaves the client's own processor time to the owners
LOGINS = 20
SECONDS_BETWEEN_LOGINS = 0.1


class Crowd:
    """Guesses passwords on many connections until it ends; none waits for its reply."""

    def __init__(self, port, guess, size=ATTACKERS):
        self.port = port
        self.guess = guess
        self.guesses = 0
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self._act, args=(number,)) for number in range(size)]

    def _act(self, number):
        count = 0
        while not self.ends.is_set():
            count += 1
            with contextlib.suppress(OSError), socket.create_connection(
                    ("127.0.0.1", self.port), timeout=harness.SECONDS_TO_ANSWER) as attacker:
                user, password = self.guess(number, count)
                attacker.sendall(f"USER {user}\r\nPASS {password}\r\n".encode())
                self.guesses += 1
                self.ends.wait(SECONDS_A_GUESS)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join()


def seconds_of_login(port, user, source="127.0.0.1"):
    """From PASS to its reply, which must be +OK."""
    with socket.create_connection(("127.0.0.1", port), timeout=harness.SECONDS_TO_ANSWER,
                                  source_address=(source, 0)) as connection:
        reader = connection.makefile("rb")
        reader.readline()
        connection.sendall(f"USER {user}\r\n".encode())
        reader.readline()
        started = time.monotonic()
        connection.sendall(f"PASS {harness.PASSWORD}\r\n".encode())
        reply = reader.readline()
        took = time.monotonic() - started
        assert reply.startswith(b"+OK"), reply
        connection.sendall(b"QUIT\r\n")
        assert reader.readline().startswith(b"+OK")
        return took


@harness.alone
class AttackTest(harness.SystemTest):
    """The crowd is at 127.0.0.1; one owner there as well, one at 127.0.0.2."""

    def setUp(self):
        super().setUp()
        names = ("owner", "other")
        for name in names:
            self.world.maildrop(name)
        self.world.write(self.world.users, "".join(
            f"{name}:{{SHA512-CRYPT}}{STORED}\n" for name in names).encode())

    def medians(self, server):
        """Of the logins of the owner near the crowd, and of the one far from it."""
        near, far = [], []
        for _ in range(LOGINS):
            near.append(seconds_of_login(server.port, "owner"))
            far.append(seconds_of_login(server.port, "other", "127.0.0.2"))
            time.sleep(SECONDS_BETWEEN_LOGINS)
        return statistics.median(near), statistics.median(far), max(near), max(far)

    def attack(self, server, guess):
        with Crowd(server.port, guess) as crowd:
            time.sleep(0.5)
            near, far, near_max, far_max = self.medians(server)
        print(f"    {crowd.guesses} guesses; login near the crowd {near * 1e3:.1f} ms "
              f"(most {near_max * 1e3:.0f}), far from it {far * 1e3:.1f} ms (most {far_max * 1e3:.0f})")
        return near, far

    def test_owners_whose_passwords_were_right_before_do_not_notice(self):
        server = self.world.serve(limits={"failed_delay": '"2s"'})
        one_hash = seconds_of_login(server.port, "owner")
        seconds_of_login(server.port, "other")
        for guess in (lambda number, count: ("owner", f"guess{number}-{count}"),
                      lambda number, count: (f"name{number}-{count}", "guess")):
            near, far = self.attack(server, guess)
            self.assertLess(near, one_hash / 2, "it waited for hashes")
            self.assertLess(far, one_hash / 2, "it waited for hashes")

    def test_an_owner_of_whom_nothing_is_known_gets_in(self):
        """Two hashes are under way in each reactor; then it is the owner's turn, or that of three with a
        token first. Between them and the crowd's client the processors are shared, too: a machine that
        is busy at the wrong moment gets another chance."""
        for _ in range(3):
            server = self.world.serve(limits={"failed_delay": '"2s"'}, auth={"cache_ttl": '"0s"'})
            one_hash = seconds_of_login(server.port, "owner")
            with Crowd(server.port, lambda number, count: ("nobody", f"guess{number}-{count}")):
                time.sleep(0.5)
                near = seconds_of_login(server.port, "owner")
                far = seconds_of_login(server.port, "other", "127.0.0.2")
            print(f"    one hash {one_hash:.3f} s; near the crowd {near:.3f} s, far from it {far:.3f} s")
            server.end()
            if max(near, far) < 40 * one_hash:
                return
        self.fail("an owner waits for the whole crowd")


class RepliesTest(harness.SystemTest):
    """What a guesser learns: nothing."""

    def setUp(self):
        super().setUp()
        self.world.maildrop()
        self.world.write(self.world.users, f"mrose:{{SHA512-CRYPT}}{SLOW}\n".encode())

    def guess(self, server, user):
        """(octets, seconds) of the reply."""
        with harness.Client(server.port) as client:
            client.ask(f"USER {user}")
            started = time.monotonic()
            reply = client.ask("PASS guess")
            return reply, time.monotonic() - started

    def test_an_unknown_user_and_a_wrong_password_look_alike(self):
        server = self.world.serve(limits={"failed_delay": '"0s"'})
        replies, work = set(), {"mrose": [], "nrose": []}
        for _ in range(3 if harness.settings.quick else 7):
            for user, seen in work.items():
                before = cpu_seconds(server)
                replies.add(self.guess(server, user)[0])
                seen.append(cpu_seconds(server) - before)
        known, unknown = (min(seen) for seen in work.values())
        print(f"    CPU time: wrong password {known:.3f} s, unknown user {unknown:.3f} s")
        self.assertEqual(replies, {"-ERR [AUTH] authentication failed"})
        # A hash left out would be a hundredth; what shares a core makes it up to twice as dear.
        self.assertLess(max(known, unknown), 4 * min(known, unknown), "the hash is not the same")

    def test_the_delay_grows_over_connections(self):
        server = self.world.serve(limits={"failed_delay": '"200ms"', "failed_delay_max": '"1600ms"'},
                                  auth={"cache_ttl": '"0s"'})
        self.world.set_users("mrose")  # in clear: no hash beside the delay
        harness.wait_until(lambda: server.logged_in().ask("QUIT").startswith("+OK"), "the new users")
        times = [self.guess(server, "nobody")[1] for _ in range(5)]
        for took, least in zip(times, (0.2, 0.4, 0.8, 1.6, 1.6)):
            self.assertGreaterEqual(took, least * 0.98)  # the wheel's ticks
            self.assertLess(took, least + 10)
        started = time.monotonic()
        server.logged_in()
        self.assertLess(time.monotonic() - started, 1.6, "the right password waits for nobody's failures")

    def test_a_guess_that_is_given_up_holds_no_connection(self):
        server = self.world.serve(limits={"failed_delay": '"30s"', "connections": "8"},
                                  runtime={"reactors": "1"}, auth={"cache_ttl": '"0s"'})
        self.world.set_users("mrose")
        for number in range(1, 41):
            with harness.Client(server.port) as client:
                self.assert_starts(client.greeting, "+OK")
                client.send(b"USER mrose\r\nPASS guess\r\n")
            harness.wait_until(lambda: server.log().count("auth failed") >= number, "its end")
        server.logged_in()


class LimitsTest(harness.SystemTest):
    """[limits] connections_per_ip and sessions_per_user, counted over all reactors."""

    def setUp(self):
        super().setUp()
        self.world.maildrop()

    def greeting(self, server, source):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=harness.SECONDS_TO_ANSWER,
                                              source_address=(source, 0))
        self.addCleanup(connection.close)
        return connection, connection.makefile("rb").readline().decode()

    def test_connections_of_one_address(self):
        server = self.world.serve(limits={"connections_per_ip": "5"})
        harness.wait_until(lambda: self.greeting(server, "127.0.0.1")[1].startswith("+OK"), "a place")
        taken = [self.greeting(server, "127.0.0.3") for _ in range(5)]
        for _, greeting in taken:
            self.assert_starts(greeting, "+OK POP3 ready")
        for _ in range(10):
            self.assert_starts(self.greeting(server, "127.0.0.3")[1], "-ERR [SYS/TEMP] too many")
        self.assert_starts(self.greeting(server, "127.0.0.4")[1], "+OK POP3 ready")
        server.wait_for_log(r"warning: .*connections_per_ip = 5 of rip=127\.0\.0\.3")
        taken[0][0].close()
        harness.wait_until(lambda: self.greeting(server, "127.0.0.3")[1].startswith("+OK"), "room")

    def test_sessions_of_one_user(self):
        server = self.world.serve(limits={"sessions_per_user": "1"})
        first = server.logged_in()
        for _ in range(4):
            reply = server.client().log_in()
            self.assertEqual(reply, "-ERR [IN-USE] too many sessions")
        self.assert_starts(first.ask("QUIT"), "+OK")
        server.logged_in()


class SamePasswordTest(harness.SystemTest):
    """A thousand users with one password, and even one salt, with the cache on."""

    USERS = 100 if harness.settings.quick else 1000
    CLIENTS = 16

    def setUp(self):
        super().setUp()
        stored = harness.run_binary("hash", text=harness.PASSWORD).stdout.strip()
        self.names = [f"user{number}" for number in range(self.USERS)]
        self.world.write(self.world.users, "".join(f"{name}:{stored}\n" for name in self.names).encode())
        for name in self.names:
            for folder in ("new", "cur", "tmp"):
                os.makedirs(os.path.join(self.world.mail, name, folder))
            with open(os.path.join(self.world.mail, name, "new", "1700000000.M1P1.post"), "wb") as file:
                file.write(f"Subject: of {name}\r\n\r\n{name}\r\n".encode())
        harness.give_to_nobody(self.world.mail)

    def poll(self, server, name):
        """A login, and whether all that was seen is the user's own."""
        with harness.Client(server.port) as client:
            reply = client.log_in(name)
            assert reply.startswith("+OK"), (name, reply)
            seen = client.retrieve(1)
            stat = client.ask("STAT")
            client.ask("QUIT")
            own = f"Subject: of {name}\r\n\r\n{name}\r\n".encode()
            return seen == own and stat == f"+OK 1 {len(own)}"

    def test_each_sees_their_own_mail_only(self):
        server = self.world.serve(limits={"failed_delay": '"0s"'})
        dice = random.Random(1)
        for visit in ("first", "second", "third"):
            order = dice.sample(self.names, len(self.names))
            before, started = cpu_seconds(server), time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(self.CLIENTS) as pool:
                self.assertTrue(all(pool.map(lambda name: self.poll(server, name), order)))
            took, cpu = time.monotonic() - started, cpu_seconds(server) - before
            print(f"    {visit} visit of {len(order)} users: {took:.2f} s, "
                  f"{cpu / len(order) * 1e6:.0f} us of the server's time each")
        # One that is cached for others is nobody else's.
        with harness.Client(server.port) as client:
            self.assert_starts(client.log_in("nobody"), "-ERR [AUTH]")
