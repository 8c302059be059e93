#!/usr/bin/python3
"""Runs tests on Debian's own kernel, in a virtual machine without network:
run.py --binary PATH [PATTERN ...].

The guest sees this machine's files, read-only, and runs the same programs; README.md says more. Last
line: `N passed, N failed`; `skipped: vm: REASON` where there is no emulator or no kernel."""
import argparse
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True  # the checkout stays as it was
import image

ROOT = os.path.realpath(os.path.join(image.HERE, "..", ".."))
KERNEL = os.path.join(ROOT, "build", "vm", "kernel")
EMULATOR = "qemu-system-x86_64"
MEBIBYTES = 2048
SECONDS_MAX = 900


def problem():
    """Why there can be no guest; "" where there can."""
    if shutil.which(EMULATOR) is None:
        return f"no {EMULATOR}: tools/install vm"
    for program, package in ((image.BUSYBOX, "busybox-static"), ("/sbin/depmod", "kmod")):
        if not os.path.exists(program):
            return f"no {program} ({package}): tools/install vm"
    if not glob.glob(os.path.join(KERNEL, "boot", "vmlinuz-*")):
        return f"no kernel in {KERNEL}: tests/vm/fetch_kernel"
    return ""


def accelerator():
    """The processor's own, where it has one and we may use it; else all is emulated."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        has_extensions = re.search(r"\b(vmx|svm)\b", file.read()) is not None
    if has_extensions and os.access("/dev/kvm", os.R_OK | os.W_OK):
        return ["-accel", "kvm", "-cpu", "host", "-smp", "2"]
    return ["-accel", "tcg", "-cpu", "max", "-smp", "2"]


def boot(kernel, picture, counting):
    """The running guest; its console is its stdout."""
    machine = ["-accel", "tcg", "-cpu", "max", "-icount", "shift=0,sleep=off"] if counting else accelerator()
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", EMULATOR, *machine, "-M", "q35", "-m", str(MEBIBYTES),
         "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
         "-kernel", kernel, "-initrd", picture,
         "-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on",
         "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
         "-device", "virtio-9p-pci,fsdev=host,mount_tag=host"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def relay(guest):
    """Prints what the guest says; its last line of counts."""
    counts = None
    for line in guest.stdout:
        line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc", "", line.decode("utf-8", "replace")).strip("\r\n")
        found = re.fullmatch(r"(\d+) passed, (\d+) failed", line)
        if found:
            counts = (int(found[1]), int(found[2]))
        elif line:
            print(line, flush=True)
    return counts


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--counting", action="store_true",
                           help="the guest's clock counts instructions: slower, and measures repeat")
    arguments.add_argument("--run", metavar="COMMAND", help="run this in the guest instead")
    arguments.add_argument("patterns", nargs="*", metavar="pattern")
    chosen = arguments.parse_args()
    if missing := problem():
        print(f"skipped: vm: {missing}\n0 passed, 0 failed")
        return 0
    kernel = glob.glob(os.path.join(KERNEL, "boot", "vmlinuz-*"))[0]
    version = os.path.basename(kernel).removeprefix("vmlinuz-")
    task = chosen.run or shlex.join([os.path.join(image.HERE, "in_guest.py"), "--binary",
                                     os.path.abspath(chosen.binary), *chosen.patterns])
    with tempfile.TemporaryDirectory(prefix="restante-vm-") as folder:
        picture = image.make_image(KERNEL, version, f"cd {shlex.quote(ROOT)} && {task}", folder)
        guest = boot(kernel, picture, chosen.counting)
        end = threading.Timer(SECONDS_MAX, guest.kill)
        end.start()
        try:
            counts = relay(guest)
        finally:
            end.cancel()
            guest.kill()
            guest.wait()
    if counts is None:
        print(f"vm: the guest ended without counts, within {SECONDS_MAX} s")
    passed, failed = counts or (0, 1)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
