#!/usr/bin/python3
"""The guest's part: in_guest.py --binary PATH [PATTERN ...] runs the tests of this folder, then what is
CHOSEN of tests/system on both rings. Of each a test has to have a PATTERN in its name, where there is any."""
import argparse
import os
import sys
import unittest

sys.dont_write_bytecode = True  # the checkout stays as it was
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))  # its run.py, not the one beside this
import harness
import run as system
import tls_kernel

OWN = ("kernel_tls_test",)
# What this kernel may do otherwise than the one of the ordinary run, with kernel TLS in force.
CHOSEN = ("lifecycle_test.SignalTest", "tls_alert_test")


def tests_of(names, patterns):
    found = unittest.defaultTestLoader.loadTestsFromNames(names)
    return [test for test in system.tests_of(found) if any(each in test.id() for each in patterns)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("patterns", nargs="*", default=[""], metavar="pattern")
    chosen = arguments.parse_args()
    harness.settings.build = os.path.dirname(os.path.abspath(chosen.binary))
    codes = []
    with system.installed_binary(chosen.binary) as harness.settings.binary:
        codes += system.run(tests_of(OWN, chosen.patterns), 1)
        tls_kernel.load()
        for harness.settings.backend in ("uring", "epoll"):
            codes += system.run(tests_of(CHOSEN, chosen.patterns), 1)
    passed, skipped = codes.count(system.PASSED), codes.count(system.SKIPPED)
    print(f"{passed} passed, {len(codes) - passed - skipped} failed")
    return 0 if passed > 0 and passed + skipped == len(codes) else 1


if __name__ == "__main__":
    sys.exit(main())
