"""A file system on an image of a test's own, which may lose its power."""
import fcntl
import os
import shutil
import struct
import subprocess

import harness

# XFS_IOC_GOINGDOWN, and EXT4_IOC_SHUTDOWN with the same number: _IOR('X', 125, __u32).
SHUT_DOWN = 0x8004587D
# Nothing that is not on the disk yet gets there, the journal included.
WITHOUT_FLUSH = 2
PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs"}
# mkfs.xfs refuses less than 300 MiB. The image is sparse.
MEBIBYTES = {"ext4": 64, "xfs": 320, "btrfs": 128}
# A server that was killed holds its descriptors a moment longer (io_uring).
SECONDS_TO_UNMOUNT = 60


def run(*command):
    """Its complaint; "": it went well."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return (done.stderr or done.stdout).strip() or "failed" if done.returncode != 0 else ""


class ImageMount:
    """The mail of `world` is on a file system of this kind from now on, until the test ends. The test
    is skipped where that cannot be."""

    def __init__(self, test, world, kind, mebibytes=None, make=()):
        self.test = test
        self.kind = kind
        self.folder = world.mail
        self.image = os.path.join(world.root, f"image-{kind}")
        if not harness.is_root():
            test.skipTest("needs root to mount a loop device")
        if shutil.which(f"mkfs.{kind}") is None:
            test.skipTest(f"no mkfs.{kind} (package {PACKAGES[kind]})")
        with open(self.image, "wb") as file:
            file.truncate((mebibytes or MEBIBYTES[kind]) << 20)
        if complaint := run(f"mkfs.{kind}", "-q", *make, self.image):
            test.fail(f"mkfs.{kind}: {complaint}")
        test.addCleanup(self.unmount_at_last)
        if complaint := self.mount():
            test.skipTest(f"no {kind} on a loop device can be mounted: {complaint}")
        harness.give_to_nobody(self.folder)

    def mount(self):
        return run("mount", "-t", self.kind, "-o", "loop", self.image, self.folder)

    def sync(self):
        subprocess.run(["sync", "-f", self.folder], check=True)

    def remount(self, options):
        """As mount -o remount has it: "ro"."""
        return run("mount", "-o", f"remount,{options}", self.folder)

    def shut_down(self):
        """From now on the disk is as it is."""
        file = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(file, SHUT_DOWN, struct.pack("=I", WITHOUT_FLUSH))
        finally:
            os.close(file)

    def unmount(self):
        harness.wait_until(lambda: not run("umount", self.folder), f"umount {self.folder}",
                           SECONDS_TO_UNMOUNT)

    def mount_again(self):
        """After shut_down(): what the journal has is there, nothing else."""
        self.unmount()
        if complaint := self.mount():
            self.test.fail(f"{self.kind} after a power cut: {complaint}")

    def unmount_at_last(self):
        while os.path.ismount(self.folder):
            if run("umount", self.folder) and run("umount", "-l", self.folder):
                break
