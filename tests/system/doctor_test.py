"""`restante doctor`: every check is told as it is, with the cure."""
import errno
import json
import os
import resource
import subprocess
import unittest

import harness
import uring_refused_test
from confinement_test import LANDLOCK_CREATE_RULESET, privileged_port

CHECKS = ["configuration", "io_uring", "ring restrictions", "ports", "open files", "locked memory",
          "kernel TLS", "certificates", "clock", "user", "privileges", "dumps", "mail root", "users",
          "memory", "renewal", "confinement"]
FEW_DESCRIPTORS = 1024


class Examined(harness.SystemTest):
    """A world that the doctor looks at."""

    def setUp(self):
        super().setUp()
        self.world.maildrop()
        os.chmod(self.world.users, 0o640)

    def doctor(self, path=None, before=None, as_root=False):
        """The exit code, and what it says by the check's name: (verdict, what, cure)."""
        path = path or self.world.configuration()
        os.chmod(self.world.users, os.stat(self.world.users).st_mode & 0o770)
        done = subprocess.run(
            harness.unprivileged([harness.settings.binary, "doctor", "--json", "--config", path], as_root),
            capture_output=True, text=True, timeout=harness.SECONDS_TO_START, cwd="/", check=False,
            preexec_fn=before)
        self.assertEqual(done.stderr, "")
        found = {each["check"]: (each["verdict"], each["what"], each["cure"])
                 for each in json.loads(done.stdout)}
        self.assertEqual(list(found), CHECKS)
        return done.returncode, found

    def assert_found(self, found, verdict, what, cure="^"):
        self.assertEqual(found[0], verdict, found)
        self.assertRegex(found[1], what)
        self.assertRegex(found[2], cure)


class DoctorTest(Examined):
    def test_where_nothing_failed_it_is_exit_0_with_a_line_a_check_and_a_sum(self):
        done = harness.run_binary("doctor", "--config", self.world.configuration())
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        for check, line in zip(CHECKS, lines):
            self.assertRegex(line, rf"\A(ok   |warn ) {check}: \S")
        self.assertRegex(lines[-1], r"\A\d+ ok, \d+ warn, 0 fail\Z")
        self.assertEqual(len(lines), len(CHECKS) + 1)

    def test_json_says_the_same(self):
        code, found = self.doctor()
        self.assertEqual(code, 0)
        for check in ("io_uring", "ring restrictions", "ports", "privileges", "dumps", "mail root", "users"):
            self.assertEqual(found[check][0], "ok", found[check])

    def test_a_broken_configuration_is_exit_2_and_told_as_check_config_does(self):
        path = self.world.configuration(pop3={"aop": "true"})
        done = harness.run_binary("doctor", "--config", path)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r":\d+:1: .*aop.*apop")

    def test_a_mail_root_that_is_not_there_fails_with_its_cure(self):
        os.rename(self.world.mail, self.world.mail + ".away")
        code, found = self.doctor()
        self.assertEqual(code, 1)
        self.assert_found(found["mail root"], "fail", "No such file.*every login", "mount")

    def test_a_maildrop_that_cannot_be_written_is_named(self):
        os.chmod(self.world.maildrop(), 0o500)
        code, found = self.doctor()
        self.assertEqual(code, 0)
        self.assert_found(found["mail root"], "warn", f"^{self.world.maildrop()} cannot be written", "chown")

    def test_a_passwd_file_that_everybody_may_read_is_a_warning(self):
        os.chmod(self.world.users, 0o644)
        done = harness.run_binary("doctor", "--config", self.world.configuration())
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"(?m)^warn  users: .*every user of this machine; chown .*chmod 640")

    def test_a_passwd_file_that_the_service_cannot_read_fails(self):
        path = self.world.configuration()
        os.chmod(self.world.users, 0)
        code, found = self.doctor(path)
        self.assertEqual(code, 1)
        self.assert_found(found["users"], "fail", "Permission denied.*every login", "chown")

    def test_a_line_of_the_passwd_file_that_cannot_be_used_is_a_warning(self):
        path = self.world.configuration()
        self.world.write(self.world.users, b"mrose:{NONE-SUCH}x\n")
        _, found = self.doctor(path)
        self.assert_found(found["users"], "warn", "1 users, and 1 lines", "passwd list")

    def test_the_most_memory_is_the_sum_of_its_terms_and_follows_the_limits(self):
        def terms(**sections):
            path = self.world.configuration(**sections)
            told = json.loads(harness.run_binary("doctor", "--json", "--config", path).stdout)
            found = next(each for each in told if each["check"] == "memory")
            return found, {each["name"]: each["count"] * each["octets"] for each in found["terms"]}
        few, least = terms(limits={"connections": "100", "index_memory": "64", "index_cache": "32"},
                           auth={"hash_memory": "256"})
        self.assertEqual(few["verdict"], "ok")
        gib = sum(least.values()) / 2**30
        self.assertRegex(few["what"], rf"^at most {gib:.1f} GiB: .*indexes 0\.1.*kernel's sockets")
        self.assertEqual((least["indexes"], least["indexes kept"], least["hashing"]), (64 << 20, 32 << 20, 256 << 20))
        many, most = terms(limits={"connections": "1000000", "index_memory": "1048576"})
        self.assertEqual(many["verdict"], "warn")
        self.assertRegex(many["what"], r"this machine has \d")
        self.assertRegex(many["cure"], "connections")
        self.assertGreater(most["connections"], least["connections"])

    def test_beside_a_running_server_the_port_is_a_warning_and_the_server_goes_on(self):
        server = self.world.serve()
        session = server.logged_in()
        code, found = self.doctor()
        self.assertEqual(code, 0)
        self.assert_found(found["ports"], "warn", f"127.0.0.1:{self.world.port} is in use", "ss -ltnp")
        self.assertEqual(session.ask("NOOP"), "+OK")

    def test_a_port_that_its_user_may_not_open_fails_with_its_cure(self):
        port = privileged_port()
        if port is None:
            self.skipTest("every user may open every port here")
        code, found = self.doctor(self.world.configuration(port))
        self.assertEqual(code, 1)
        self.assert_found(found["ports"], "fail", "Permission denied", "CAP_NET_BIND_SERVICE")

    def test_few_descriptors_are_told_with_how_many_it_takes(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, FEW_DESCRIPTORS))
        code, found = self.doctor(before=limit)
        self.assertEqual(code, 0)
        self.assert_found(found["open files"], "warn", "1024 are .* about 384 sessions", "LimitNOFILE=200256")

    def test_io_uring_refused_is_a_warning_with_its_cure_unless_it_is_asked_for(self):
        refuse = lambda: uring_refused_test.refuse(uring_refused_test.IO_URING_SETUP, errno.ENOSYS)
        for backend, code, verdict in (("auto", 0, "warn"), ("uring", 1, "fail")):
            path = self.world.configuration(runtime={"backend": f'"{backend}"'})
            ended, found = self.doctor(path, refuse)
            self.assertEqual(ended, code)
            self.assert_found(found["io_uring"], verdict, "Function not implemented", "seccomp")
            self.assertEqual("epoll takes its place" in found["io_uring"][1], backend == "auto")
        _, found = self.doctor(self.world.configuration(runtime={"backend": '"epoll"'}), refuse)
        self.assert_found(found["io_uring"], "ok", "not used")

    def test_without_landlock_the_confinement_is_a_warning_with_its_cure(self):
        code, found = self.doctor(before=lambda: uring_refused_test.refuse(
            LANDLOCK_CREATE_RULESET, errno.EOPNOTSUPP))
        self.assertEqual(code, 0)
        self.assert_found(found["confinement"], "warn", "^not confined.*Operation not supported", "lsm=")

    @unittest.skipUnless(harness.is_root(), "needs root")
    def test_as_root_it_becomes_the_service_s_user_first_as_a_server_does(self):
        os.chmod(self.world.mail, 0o700)  # of nobody: root could read it anyway
        path = self.world.configuration()
        code, found = self.doctor(path, as_root=True)
        self.assertEqual(code, 0)
        self.assert_found(found["user"], "ok", "^nobody, with no way back to root and no capabilities")
        os.chown(self.world.mail, 0, 0)
        code, found = self.doctor(path, as_root=True)
        self.assertEqual(code, 1)
        self.assert_found(found["mail root"], "fail", "cannot be opened by nobody", "chown -R nobody")

    @unittest.skipUnless(harness.is_root(), "needs root")
    def test_a_user_that_does_not_exist_fails_with_its_cure(self):
        path = self.world.configuration(storage={"user": '"no-such-user-here"'})
        code, found = self.doctor(path, as_root=True)
        self.assertEqual(code, 1)
        self.assert_found(found["user"], "fail", "does not exist: create it")

    @unittest.skipUnless(harness.is_root(), "needs root")
    def test_staying_root_is_a_warning(self):
        _, found = self.doctor(self.world.configuration(storage={"user": '"root"'}), as_root=True)
        self.assert_found(found["user"], "warn", "stays root", "storage")


class CertificatesTest(Examined):
    """[tls]: as the start finds it, and as the service's user finds it when it is renewed."""

    def setUp(self):
        super().setUp()
        self.key = os.path.join(self.world.root, "key.pem")
        self.certificate = os.path.join(self.world.root, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-subj", "/CN=pop.example.org", "-days", "30", "-keyout", self.key,
                        "-out", self.certificate], check=True, capture_output=True)
        harness.give_to_nobody(self.world.root)

    def configured(self):
        return self.world.configuration(
            **{"listener.pop3": {"tls": '"starttls"'},
               "tls": {"certificate": f'"{self.certificate}"', "key": f'"{self.key}"'}})

    def test_certificates_that_fit_and_may_be_read_again_are_ok(self):
        code, found = self.doctor(self.configured())
        self.assertEqual(code, 0)
        self.assert_found(found["certificates"], "ok", "^")
        self.assert_found(found["renewal"], "ok", "nobody may read")

    def test_a_key_that_is_none_fails_by_name(self):
        self.world.write(self.key, b"no key")
        code, found = self.doctor(self.configured())
        self.assertEqual(code, 1)
        self.assert_found(found["certificates"], "fail", self.key)

    @unittest.skipUnless(harness.is_root(), "needs root")
    def test_a_key_that_root_alone_may_read_serves_until_it_is_renewed(self):
        path = self.configured()
        os.chown(self.key, 0, 0)
        os.chmod(self.key, 0o600)
        code, found = self.doctor(path, as_root=True)
        self.assertEqual(code, 0)
        self.assert_found(found["certificates"], "ok", "^")
        self.assert_found(found["renewal"], "warn", "renewed: .*Permission denied", "chgrp")


if __name__ == "__main__":
    unittest.main()
