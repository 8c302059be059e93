#!/usr/bin/python3
"""What a RETR over TLS costs the server, by kernel TLS and by the copy path; in the guest of

    tests/vm/run.py --counting --run 'tests/vm/cost.py --binary PATH'

where a nanosecond of the clock is an instruction."""
import argparse
import os
import pathlib
import statistics
import sys

sys.dont_write_bytecode = True  # the checkout stays as it was
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))  # its run.py, not the one beside this
import harness
import run as system
import tls_kernel
from kernel_tls_test import MAIL, TlsWorld

NAMES = ("short", "wire-ready", "of some MiB")
TIMES = 9  # of which the first, with cold caches, does not count


def nanoseconds(process):
    """For which the server's threads ran, the kernel's part included."""
    files = pathlib.Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(file.read_text("ascii").split()[0]) for file in files)


class CostTest(TlsWorld):
    def costs(self, name, **tls):
        """Median of a RETR's."""
        server = self.serve(**tls)
        client = self.logged_in()
        taken = []
        for _ in range(TIMES):
            before = nanoseconds(server.process)
            client.retrieve(list(MAIL).index(name) + 1)
            client.ask("NOOP")  # it has ended
            taken.append(nanoseconds(server.process) - before)
        client.ask("QUIT")
        server.stop()
        return statistics.median(taken[1:])

    def test_costs(self):
        tls_kernel.load()
        for name in NAMES:
            copied = self.costs(name, kernel="false")
            before = tls_kernel.count("TlsTxSw")
            in_kernel = self.costs(name)
            self.assertEqual(tls_kernel.count("TlsTxSw"), before + 1)
            print(f"{name}, {len(MAIL[name])} octets: copied {copied / 1000:.0f}, in the kernel "
                  f"{in_kernel / 1000:.0f} thousand; ratio {in_kernel / copied:.2f}", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True)
    binary = os.path.abspath(arguments.parse_args().binary)
    harness.settings.build = os.path.dirname(binary)
    with system.installed_binary(binary) as harness.settings.binary:
        codes = system.run([CostTest("test_costs")], 1)
    passed = codes.count(system.PASSED)
    print(f"{passed} passed, {len(codes) - passed} failed")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
