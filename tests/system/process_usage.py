"""What a running server has of the machine: memory, descriptors, processor time."""
import contextlib
import os
import re
import time


def status_kib(server, field):
    """VmRSS: all that is resident; RssAnon: without files that are mapped."""
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))


def resident_kib(server):
    return status_kib(server, "VmRSS")


def anonymous_kib(server):
    return status_kib(server, "RssAnon")


def descriptors(server):
    """How many are open; None where the kernel does not tell (before 6.2 only root may look)."""
    path = f"/proc/{server.process.pid}/fd"
    if (told := os.stat(path).st_size) > 0:
        return told
    with contextlib.suppress(PermissionError):
        return len(os.listdir(path))
    return None


def statuses(server):
    """/proc/PID/status of every thread, as dictionaries."""
    folder = f"/proc/{server.process.pid}/task"
    for task in os.listdir(folder):
        # The kernel's workers of a ring come and go.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
             open(os.path.join(folder, task, "status"), encoding="utf-8") as file:
            yield dict(re.findall(r"^(\w+):\s*(.*)$", file.read(), re.M))


def cpu_seconds(server):
    """Of all threads so far."""
    with open(f"/proc/{server.process.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def socket_kib():
    """Of all TCP sockets of the machine, in the kernel."""
    with open("/proc/net/sockstat", encoding="utf-8") as file:
        line = next(line for line in file if line.startswith("TCP:")).split()
    return int(line[line.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def seconds_until(condition, seconds_max):
    """Until condition() is true; None where that takes longer than `seconds_max`."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds_max:
            return None
        time.sleep(0.005)
    return time.monotonic() - started
