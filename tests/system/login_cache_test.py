"""[auth] cache_ttl: a password that was right a short while ago is not hashed again."""
import os
import re
import resource
import time

import harness
from process_usage import cpu_seconds

# Of harness.PASSWORD: a million rounds, 0.4 s and more.
SLOW = ("$6$rounds=1000000$saltsaltsaltsalt$Wp1J.vSbKISvMuNRdHFwFWQyPwmm1geDDuzK7FhCTfqlb/4yVtCLTcR919Ng8jh.4RsosskGJtfoEZjorPLZD0")
# Of "three blind mice".
OTHER = ("$6$saltsaltsaltsalt$hnc4XlOmfHp22shmAOUYRCABmU3mA3XJ80VyVWyQ0s3cxPl04naCJBibfARDQltSx41ccT2Bn8bphqne92b0M/")

# passwd_look_interval: each reactor looks at the file when it is asked, once in this time.
LOOK_SECONDS = 0.01


class LoginCacheTest(harness.SystemTest):
    """What is hashed is seen by what it costs: CPU, which other programs make up to twice as dear."""

    def setUp(self):
        super().setUp()
        self.world.maildrop()
        self.set_hash(SLOW)

    def set_hash(self, stored):
        self.world.write(self.world.users + ".new", f"mrose:{{SHA512-CRYPT}}{stored}\n".encode())
        os.replace(self.world.users + ".new", self.world.users)

    def cost(self, server, logins, reply="+OK", password=harness.PASSWORD):
        """CPU seconds of so many logins, one after the other, over all reactors."""
        before = cpu_seconds(server)
        for _ in range(logins):
            with harness.Client(server.port) as client:
                self.assert_starts(client.log_in(password=password), reply)
                client.ask("QUIT")
        return cpu_seconds(server) - before

    def test_a_right_password_is_hashed_once_whichever_reactor_is_asked(self):
        server = self.world.serve()
        once = self.cost(server, 1)
        self.assertLess(self.cost(server, 20), once)

    def test_a_wrong_password_is_hashed_each_time(self):
        server = self.world.serve(limits={"failed_delay": '"0s"'})
        once = self.cost(server, 1)
        self.assertGreater(self.cost(server, 3, "-ERR [AUTH]", "three blind mice"), 1.75 * once)
        self.assertLess(self.cost(server, 1), once / 2)

    def test_without_a_cache_every_login_is_hashed(self):
        server = self.world.serve(auth={"cache_ttl": '"0s"'})
        once = self.cost(server, 1)
        self.assertGreater(self.cost(server, 2), once)

    def test_a_changed_password_counts_at_once(self):
        server = self.world.serve(limits={"failed_delay": '"0s"'})
        self.cost(server, 2)
        self.set_hash(OTHER)
        time.sleep(2 * LOOK_SECONDS)
        for _ in range(4):  # either reactor
            self.assertFalse(self.answers(server, harness.PASSWORD))
            self.assertTrue(self.answers(server, "three blind mice"))

    def answers(self, server, password):
        with harness.Client(server.port) as client:
            is_right = client.log_in(password=password).startswith("+OK")
            client.ask("QUIT")
            return is_right


# Too little for the cache, and enough for the rings, which have a count of their own.
FEW_OCTETS = 4 << 20


class CacheMemoryTest(harness.SystemTest):
    """The memory of verified logins stays where it is."""

    def setUp(self):
        super().setUp()
        self.world.maildrop()

    def limit_locking(self, octets):
        """Of servers started from now on; skips where it may not be had."""
        before, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        if most != resource.RLIM_INFINITY and most < octets:
            self.skipTest("RLIMIT_MEMLOCK is too low")
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (octets, most))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_MEMLOCK, (before, most))

    def mappings(self, server):
        """The VmFlags of every mapping that could be the cache (proc(5)): dd: not in core dumps, wf: not in
        children. The users lie in a smaller one of the kind."""
        if not harness.is_root():
            self.skipTest("root alone may look at the server's memory")
        with open(f"/proc/{server.process.pid}/smaps", encoding="utf-8") as file:
            found = re.findall(r"^Size: +(\d+) kB$.*?^VmFlags: (.*?)$", file.read(), re.M | re.S)
        return [set(flags.split()) for kib, flags in found if int(kib) * 1024 > FEW_OCTETS]

    def test_it_is_locked_and_in_no_core_dump_and_no_child(self):
        self.limit_locking(8 << 20)
        server = self.world.serve()
        self.assertTrue([flags for flags in self.mappings(server) if {"lo", "dd", "wf"} <= flags])
        self.assertNotIn("cannot be locked", server.log())

    def test_where_it_cannot_be_locked_a_warning_names_the_cure_and_logins_go_on(self):
        self.limit_locking(FEW_OCTETS)
        server = self.world.serve()
        server.wait_for_log("warning: .*cannot be locked in memory.*LimitMEMLOCK=.*cache_ttl")
        self.assertTrue([flags for flags in self.mappings(server) if {"dd", "wf"} <= flags])
        self.assertEqual(server.logged_in().ask("STAT"), "+OK 0 0")

    def test_off_it_is_not_there(self):
        self.limit_locking(FEW_OCTETS)
        server = self.world.serve(auth={"cache_ttl": '"0s"'})
        self.assertFalse([flags for flags in self.mappings(server) if "wf" in flags])
        self.assertNotIn("cannot be locked", server.log())
