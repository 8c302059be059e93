"""A machine that refuses io_uring, as containers often do: epoll takes its place, and the log says why."""
import contextlib
import ctypes
import errno
import os
import platform
import shutil
import struct
import unittest

import harness

IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER = 425, 426, 427
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def refuse(call, error):
    """In the child: from now on the system call of this number fails with `error`."""
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in [
        (LOAD_WORD, 0, 0, 0),  # the number of the system call
        (JUMP_EQUAL, 0, 1, call),
        (RETURN, 0, 0, ERRNO | error),
        (RETURN, 0, 0, ALLOW)])
    octets = ctypes.create_string_buffer(program)
    length = len(program) // 8
    filter_program = struct.pack("HxxxxxxP", length, ctypes.addressof(octets))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
            PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_program):
        raise OSError(ctypes.get_errno(), "prctl")


@unittest.skipUnless(platform.machine() in ("x86_64", "aarch64"), "knows the calls' numbers there")
class RefusedTest(harness.SystemTest):
    def start(self, backend, before=None):
        path = self.world.configuration(runtime={"backend": f'"{backend}"'})
        return harness.Server(self, ["serve", "--config", path], self.world.port, folder=self.world.root,
                              before=before)

    def check_on_epoll(self, call, error, cause, cure):
        """One line, with the cause and the cure; and mail."""
        message = b"Subject: x\r\n\r\nhello\r\n"
        self.world.deliver(message)
        server = self.start("auto", lambda: refuse(call, error)).wait_until_ready()
        client = server.logged_in()
        self.assertEqual(client.retrieve(1), message)
        self.assert_starts(client.ask("QUIT"), "+OK")
        server.stop()
        lines = [line for line in server.log().splitlines() if "io_uring" in line]
        self.assertEqual(len(lines), 1, server.log())
        self.assertIn(f"warning: epoll takes io_uring's place: io_uring is not available: {cause}; ", lines[0])
        self.assertIn(cure, lines[0])

    def test_a_filter_that_says_eperm_leaves_epoll(self):
        self.check_on_epoll(IO_URING_SETUP, errno.EPERM, "Operation not permitted", "kernel.io_uring_disabled=0")

    def test_one_that_says_enosys_too(self):
        self.check_on_epoll(IO_URING_SETUP, errno.ENOSYS, "Function not implemented", "seccomp")

    def test_so_does_a_limit_of_memory(self):
        self.check_on_epoll(IO_URING_SETUP, errno.ENOMEM, "Cannot allocate memory", "LimitMEMLOCK")

    def test_so_does_a_kernel_that_is_too_old(self):
        self.check_on_epoll(IO_URING_SETUP, errno.EINVAL, "Invalid argument", "Linux 5.15")

    def test_so_does_a_filter_that_lets_rings_be_made_and_not_used(self):
        for call in (IO_URING_ENTER, IO_URING_REGISTER):
            with self.subTest(call=call):
                shutil.rmtree(self.world.maildrop())
                self.check_on_epoll(call, errno.EPERM, "Operation not permitted", "seccomp")

    def test_where_io_uring_is_asked_for_it_is_a_sentence_and_the_end(self):
        server = self.start("uring", lambda: refuse(IO_URING_SETUP, errno.EPERM))
        self.assertEqual(server.wait_for_end(), 1)
        self.assertRegex(server.log(), r"restante serve: io_uring is not available: Operation not permitted; "
                         r".*io_uring_setup.*; or set \[runtime\] backend to \"auto\"")

    def test_the_demo_runs_on_epoll_too(self):
        port = harness.free_port()
        command = [harness.settings.binary, "demo", "--port", str(port), "--tls-port", str(harness.free_port())]
        server = harness.Server(self, [], port, folder=self.world.root, command=command,
                                before=lambda: refuse(IO_URING_SETUP, errno.ENOSYS)).wait_until_ready()
        harness.wait_until(lambda: "curl" in server.output(), "what the demo says of itself")
        self.assertEqual(server.log().count("io_uring is not available"), 1)

    def test_each_backend_is_the_one_that_was_asked_for(self):
        for backend, opened in (("epoll", "eventpoll"), ("auto", "io_uring"), ("uring", "io_uring")):
            server = self.start(backend).wait_until_ready()
            found = rings_of(server.process.pid)
            server.stop()
            if backend == "auto" and found == {"eventpoll"}:
                self.skipTest("this machine refuses io_uring")
            self.assertEqual(found, {opened}, backend)
            self.assertNotIn("io_uring", server.log())


def rings_of(process):
    """Kinds of descriptors that a reactor of this process waits with."""
    folder = f"/proc/{process}/fd"
    targets = set()
    for each in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # a connection that has just ended
            targets.add(os.readlink(os.path.join(folder, each)))
    return {kind for kind in ("io_uring", "eventpoll") for target in targets if target == f"anon_inode:[{kind}]"}
