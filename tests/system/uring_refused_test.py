"""A machine that refuses io_uring, as containers often do: a sentence, not a crash."""
import ctypes
import errno
import platform
import struct
import subprocess
import unittest

import harness

IO_URING_SETUP = 425
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


@unittest.skipUnless(platform.machine() in ("x86_64", "aarch64"), "knows the call's number there")
class RefusedTest(unittest.TestCase):
    def check(self, error, cause, cure):
        done = subprocess.run(
            [harness.settings.binary, "demo", "--port", str(harness.free_port()),
             "--tls-port", str(harness.free_port())], timeout=20,
            text=True, capture_output=True, check=False, preexec_fn=lambda: refuse(IO_URING_SETUP, error))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("io_uring is not available: " + cause, done.stderr)
        self.assertIn(cure, done.stderr)
        self.assertNotIn("curl", done.stdout)

    def test_a_filter_that_says_eperm_is_named_with_its_cure(self):
        self.check(errno.EPERM, "Operation not permitted", "io_uring_setup")

    def test_one_that_says_enosys_too(self):
        self.check(errno.ENOSYS, "Function not implemented", "seccomp")
