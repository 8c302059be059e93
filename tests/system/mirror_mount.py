"""A folder of a test's world on a FUSE file system that is slow or fails where it is told to.

mirror_fs is tests/fuse/mirror_fs.cc; the rules are those of tests/fuse/fault_rules.h.
"""
import os
import shutil
import subprocess

import harness


def need_fuse(test):
    """The path of mirror_fs; the test is skipped where nothing can be mounted with it."""
    program = harness.need_program(test, "mirror_fs")
    if not os.path.exists("/dev/fuse"):
        test.skipTest("no /dev/fuse: the kernel has no FUSE, or the container hides it")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        test.skipTest("/dev/fuse may not be opened")
    if shutil.which("fusermount3") is None:
        test.skipTest("no fusermount3 (package fuse3)")
    return program


class MirrorMount:
    """`folder` of `world`, seen through mirror_fs from now on until the test ends."""

    def __init__(self, test, world, folder):
        self.folder = folder
        self.below = os.path.join(world.root, "below-" + os.path.basename(folder))
        self.rules = self.below + ".rules"
        program = need_fuse(test)
        os.rename(folder, self.below)
        os.mkdir(folder)
        harness.give_to_nobody(folder)
        self.process = subprocess.Popen(
            harness.unprivileged([program, self.below, folder, self.rules], as_root=True),
            stderr=subprocess.PIPE, text=True)
        test.addCleanup(self._unmount)
        harness.wait_until(lambda: os.path.ismount(folder) or self.process.poll() is not None,
                           "the mount")
        if self.process.poll() is not None:
            complaint = self.process.communicate()[1].strip()
            if "not permitted" in complaint:
                test.skipTest(f"cannot mount: {complaint}")
            test.fail(f"mirror_fs: {complaint}")

    def suffer(self, *rules):
        """These rules are in force from the next request on; none: all is well."""
        with open(self.rules + ".new", "w", encoding="ascii") as file:
            file.writelines(rule + "\n" for rule in rules)
        os.rename(self.rules + ".new", self.rules)

    def suffered(self, rule):
        """How often it has been."""
        with open(self.rules + ".suffered", encoding="ascii") as file:
            return file.read().splitlines().count(rule)

    def _unmount(self):
        self.suffer()
        self.process.terminate()
        self.process.communicate()
        subprocess.run(["fusermount3", "-q", "-u", "-z", self.folder], check=False,
                       stderr=subprocess.DEVNULL)
