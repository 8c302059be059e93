"""One control group a server: what the kernel charges to it and all of its children.

Version 2 where its memory controller can be used; else the version 1 hierarchies `cpuacct` and `memory`
(a machine may have both versions mounted). CPU time and memory are read from the group's files, so that
a server that forks a process a session is charged like one that does not.
"""
import contextlib
import os
import signal
import time

SECONDS_TO_DIE = 10
PROCESSES = "cgroup.procs"
SOCKETS_LIMIT = "memory.kmem.tcp.limit_in_bytes"
MUCH = 1 << 50


class Unusable(Exception):
    """No control group can be made here; the text is a sentence with the cure."""


class Hierarchies:
    """Where groups are made: `cpu` and `memory` are folders, the same one in version 2."""

    def __init__(self, version, cpu, memory):
        self.version = version
        self.cpu = cpu
        self.memory = memory

    def description(self):
        if self.version == 2:
            return f"cgroup v2 at {self.cpu}"
        return f"cgroup v1: cpuacct at {self.cpu}, memory at {self.memory}"


def find(mounts_path="/proc/self/mounts"):
    """The hierarchies of this machine, from its table of mounts."""
    version_1 = {}
    version_2 = None
    with open(mounts_path, encoding="utf-8") as file:
        for line in file:
            _, folder, kind, options = line.split()[:4]
            if kind == "cgroup2":
                version_2 = folder
            elif kind == "cgroup":
                for option in options.split(","):
                    version_1.setdefault(option, folder)
    if version_2 and "memory" in controllers(version_2):
        return Hierarchies(2, version_2, version_2)
    if "cpuacct" in version_1 and "memory" in version_1:
        return Hierarchies(1, version_1["cpuacct"], version_1["memory"])
    raise Unusable("No cgroup hierarchy with CPU and memory accounting is mounted. With version 1: "
                   "mount -t cgroup -o cpuacct cgroup /sys/fs/cgroup/cpuacct, and the same with memory.")


def controllers(folder):
    with contextlib.suppress(OSError), open(os.path.join(folder, "cgroup.controllers"),
                                            encoding="utf-8") as file:
        return file.read().split()
    return []


def cpu_seconds(folder, version):
    """CPU time of a group since it was made."""
    if version == 1:
        return int(read(folder, "cpuacct.usage")) / 1e9
    return keyed(read(folder, "cpu.stat"))["usage_usec"] / 1e6


def memory_octets(folder, version):
    """What a group holds, kernel memory and sockets included, the page cache of files left out."""
    if version == 1:
        usage = int(read(folder, "memory.usage_in_bytes"))
        stat = keyed(read(folder, "memory.stat"))
        return usage - stat["total_inactive_file"] - stat["total_active_file"]
    stat = keyed(read(folder, "memory.stat"))
    return int(read(folder, "memory.current")) - stat["inactive_file"] - stat["active_file"]


def read(folder, name):
    with open(os.path.join(folder, name), encoding="ascii") as file:
        return file.read()


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="ascii") as file:
        file.write(text)


def anonymous_octets(process):
    """0 for one that has ended. Not RSS: the pages of the program are everybody's."""
    with contextlib.suppress(OSError):
        lines = read(f"/proc/{process}", "smaps_rollup").splitlines()
        return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
    return 0


def keyed(text):
    """Lines "name number" as a dictionary; other lines are left out."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


class Group:
    """A group of its own; removed, with what still runs in it, by close()."""

    def __init__(self, hierarchies, name, charges_sockets=False):
        """`charges_sockets`: the memory of TCP sockets is charged to it, too. Version 2 always does that;
        version 1 only where a group has a limit for it, and then counts octets in flight, which costs CPU."""
        self.version = hierarchies.version
        self.cpu_folder = os.path.join(hierarchies.cpu, name)
        self.memory_folder = os.path.join(hierarchies.memory, name)
        try:
            if self.version == 2:
                enable_accounting(hierarchies.cpu)
            for folder in self.folders():
                os.makedirs(folder, exist_ok=True)
            if charges_sockets and self.version == 1:
                write(self.memory_folder, SOCKETS_LIMIT, str(MUCH))
        except OSError as error:
            raise Unusable(f"Cannot make the control group {self.cpu_folder}: {error.strerror}. Run this "
                           "as root, or where cgroups are delegated to you.") from error

    def folders(self):
        return sorted({self.cpu_folder, self.memory_folder})

    def enter(self):
        """Moves the calling process into the group; its children follow. For preexec_fn."""
        for folder in self.folders():
            write(folder, PROCESSES, "0")

    def cpu_seconds(self):
        return cpu_seconds(self.cpu_folder, self.version)

    def memory_octets(self):
        return memory_octets(self.memory_folder, self.version)

    def user_octets(self):
        """Memory of the processes in user space: anonymous pages, those that several share counted once."""
        return sum(anonymous_octets(process) for process in self.processes())

    def processes(self):
        return [int(line) for line in read(self.cpu_folder, PROCESSES).split()]

    def close(self):
        deadline = time.monotonic() + SECONDS_TO_DIE
        while (left := self.processes()) and time.monotonic() < deadline:
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.05)
        for folder in self.folders():
            remove(folder, deadline)


def remove(folder, deadline):
    """A group is busy for a moment after its last process ended."""
    while os.path.isdir(folder):
        try:
            os.rmdir(folder)
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)


def enable_accounting(folder):
    """Version 2: children of `folder` get a controller only if it is handed down to them."""
    missing = [name for name in ("cpu", "memory") if name not in read(folder, "cgroup.subtree_control").split()]
    if missing:
        write(folder, "cgroup.subtree_control", " ".join(f"+{name}" for name in missing))
