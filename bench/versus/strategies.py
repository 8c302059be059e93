"""restante with each `[delivery] strategy`, by size of message: what a RETR costs the server.

All strategies run at once, each in a server and a control group of its own, and read the same files; slices go
there and back again (A B C C B A). "cached": pop3load fetches round and round, so that every octet is in the
page cache. "cold": every file is evicted (POSIX_FADV_DONTNEED) before it is fetched, once, on one connection;
whether it had gone is asked of the kernel (mincore). CPU time is that of the control group, so work that the
kernel does in threads of its own for reads from disk is left out.

    schema    "restante-strategies/1"
    date, pace, machine, accounting, version
    strategies  names, in the order of the columns; skipped: name -> reason
    cells     [{octets, form, state           "lf" or "wire-ready"; "cached" or "cold"
                evicted                       share of the files that had gone from the cache; null: cached
                strategies: {name: {cpu_us, low, high      CPU us a message: median, quartiles of the slices
                                    mb_per_second          median; the client shares the machine
                                    slices: [cpu_us, ...]}},
                failures: {name: reason}}]
    delivery_bench  {date, strategies, cells} likewise, of its own file (delivery_bench.py); null: none was given
"""
import collections
import contextlib
import ctypes
import dataclasses
import mmap
import os
import re
import shutil
import subprocess
import time

import load
import maildrops
import pairs
import peers
import sessions
import workloads

SCHEMA = "restante-strategies/1"
SIZES = (512, 2 << 10, 8 << 10, 16 << 10, 32 << 10, 128 << 10, 1 << 20, 8 << 20, 64 << 20)
FORMS = ("lf", "wire-ready")
STATES = ("cached", "cold")
USERS = 4
OCTETS_A_MAILDROP = 64 << 20  # of different files, where that is more than MESSAGES_MIN
MESSAGES_MIN, MESSAGES_MAX = 4, 64
MESSAGES_ENOUGH = 100  # counted whole in a slice; fewer are counted by their octets
OCTETS_A_SESSION = 16 << 20  # so that none lasts much longer than the slice
MESSAGES_A_SESSION_MAX = 200  # a strategy that stalls 44 ms a message ends them within 10 s, too
ATTEMPTS = 3
SECONDS_BETWEEN_ATTEMPTS = 1
RECEIVE_OCTETS = 1 << 20
END = b"\r\n.\r\n"


@dataclasses.dataclass(frozen=True)
class Pace:
    sizes: tuple
    rounds: int          # of two slices for each strategy
    seconds: int         # of a cached slice
    cold_seconds: float  # of a cold one, about


PACES = {"full": Pace(SIZES, rounds=1, seconds=1, cold_seconds=0.5),
         "quick": Pace((2 << 10, 32 << 10, 1 << 20, 8 << 20), rounds=1, seconds=1, cold_seconds=0.3),
         "shortest": Pace((2 << 10,), rounds=1, seconds=1, cold_seconds=0.1)}


@dataclasses.dataclass(frozen=True)
class Place:
    folder: str
    build: str
    pop3load: str
    owner: tuple           # (uid, gid) of the mail, or None
    make_group: object     # name -> cgroups.Group


@dataclasses.dataclass(frozen=True)
class Cell:
    octets: int
    form: str

    def mail_set(self):
        messages = max(MESSAGES_MIN, min(MESSAGES_MAX, OCTETS_A_MAILDROP // self.octets))
        return maildrops.MailSet(f"{self.form}{self.octets}-", users=USERS, messages=messages,
                                 sizes=(self.octets,), crlf=self.form != "lf")


@dataclasses.dataclass
class Slice:
    cpu_us: float
    mb_per_second: float
    evicted: float = None


@dataclasses.dataclass
class Measured:
    """cells[(octets, form, state)][strategy] is a list of Slice; failures likewise, of reasons."""
    strategies: list
    skipped: dict
    cells: dict
    failures: dict


def known_to(binary):
    """All that there are: it names them where it refuses one."""
    done = subprocess.run([binary, "check-config", "--config", "/dev/stdin"], capture_output=True, text=True,
                          input='[delivery]\nstrategy = "?"\n', check=False)
    told = re.search(r'strategy takes (.*), not "\?"', done.stderr)
    return re.findall(r'"(\w+)"', told[1]) if told else []


def run(place, names, pace, say):
    """All of it. A strategy that the binary refuses is skipped with its reason."""
    cells = [Cell(octets, form) for form in FORMS for octets in pace.sizes]
    write_users(place, cells)
    generator = load.Generator(place.pop3load, place.folder)
    measured = Measured([], {}, collections.defaultdict(dict), collections.defaultdict(dict))
    with contextlib.ExitStack() as started:
        running = start_all(place, names, measured, started, say)
        with contextlib.suppress(KeyboardInterrupt):
            for cell in cells if running else ():
                measure_cell(place, cell, running, generator, pace, measured)
                say(f"{cell.form}, {cell.octets:,} octets: {', '.join(running)}")
    return measured


def write_users(place, cells):
    with open(users_path(place), "w", encoding="ascii") as file:
        file.writelines(maildrops.passwd_lines([cell.mail_set() for cell in cells],
                                               {"PLAIN": ["{PLAIN}" + maildrops.PASSWORD]}))
    os.chmod(users_path(place), 0o644)


def users_path(place):
    return os.path.join(place.folder, "users")


def mail_folder(place):
    return os.path.join(place.folder, "mail")


def start_all(place, names, measured, started, say):
    """Servers by strategy; each is stopped when `started` is closed."""
    os.makedirs(mail_folder(place))
    if place.owner is not None:
        os.chown(mail_folder(place), *place.owner)
    running = {}
    for name in names:
        peer = peers.Restante(place.build, settings=f'[delivery]\nstrategy = "{name}"\n')
        where = peers.Place(os.path.join(place.folder, name), mail_folder(place), users_path(place),
                            peers.free_port())
        try:
            running[name] = peers.Running(peer, where, place.make_group(name))
        except peers.NotStarted as error:
            measured.skipped[name] = " ".join(str(error).split())
            say(f"skipped: {name}: {measured.skipped[name]}")
            continue
        started.callback(running[name].stop)
        measured.strategies.append(name)
    return running


def measure_cell(place, cell, running, generator, pace, measured):
    mail_set = cell.mail_set()
    load.seed(place.pop3load, os.path.join(mail_folder(place), "{user}"), mail_set.user_format(), USERS,
              place.owner, "--messages", str(mail_set.messages), "--sizes", str(cell.octets),
              "--line-ends", cell.form, "--pool", str(mail_set.messages), "--seed", str(cell.octets))
    files = written_files(os.path.join(mail_folder(place), f"{mail_set.prefix}0", "cur"))
    takers = {"cached": lambda server: cached_slice(server, cell, mail_set, generator, pace.seconds),
              "cold": lambda server: cold_slice(server, cell, mail_set, files, pace.cold_seconds)}
    try:
        for server in running.values():
            for number in range(USERS):
                sessions.visit(server.place.port, f"{mail_set.prefix}{number}")
        for state in STATES:
            key = (cell.octets, cell.form, state)
            measure_state(running, takers[state], pace.rounds, measured.cells[key], measured.failures[key])
    finally:
        for name in os.listdir(mail_folder(place)):
            shutil.rmtree(os.path.join(mail_folder(place), name))


def measure_state(running, take, rounds, slices, failures):
    for _ in range(rounds):
        for name in pairs.round_order(list(running)):
            if name in failures:
                continue
            try:
                slices.setdefault(name, []).append(patiently(take, running[name]))
            except (load.Failed, OSError) as error:
                failures[name] = str(error)
                slices.pop(name, None)


def cached_slice(server, cell, mail_set, generator, seconds):
    workload = workloads.Workload("cached", "", "message", mail_set,
                                  load.Load("keep", connections=USERS, commands_per_session=commands(cell.octets)))
    taken = generator.run(server, workload, seconds, 0.1)
    count = taken.messages if taken.messages >= MESSAGES_ENOUGH else taken.octets / cell.octets
    return Slice(cpu_us=taken.cpu_seconds * 1e6 / count, mb_per_second=count * cell.octets / taken.seconds / 1e6)


def patiently(take, server):
    """A session that an earlier slice cut off may hold its maildrop for a moment."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(load.Failed, OSError):
            return take(server)
        time.sleep(SECONDS_BETWEEN_ATTEMPTS)
    return take(server)


def commands(octets):
    return max(1, min(MESSAGES_A_SESSION_MAX, OCTETS_A_SESSION // octets))


def cold_slice(server, cell, mail_set, files, seconds):
    """Whole passes over the maildrop, evicted before each, until `seconds` were spent in fetching."""
    spent, cpu_seconds, count, evicted = 0.0, 0.0, 0, []
    with sessions.log_in(server.place.port, f"{mail_set.prefix}0") as (connection, _):
        while spent < seconds:
            evicted += [evict(path) for path in files]
            cpu_before, before = server.group.cpu_seconds(), time.monotonic()
            for number in range(1, mail_set.messages + 1):
                retrieve(connection, number)
            spent += time.monotonic() - before
            cpu_seconds += server.group.cpu_seconds() - cpu_before
            count += mail_set.messages
    return Slice(cpu_us=cpu_seconds * 1e6 / count, mb_per_second=count * cell.octets / spent / 1e6,
                 evicted=sum(evicted) / len(evicted))


def written_files(cur):
    """The messages, once they are on the disk: only clean pages can be evicted."""
    os.sync()
    return [os.path.join(cur, name) for name in sorted(os.listdir(cur))]


def evict(path):
    """Whether the file is out of the page cache now, but for a hundredth."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return cached_share(descriptor) <= 0.01
    finally:
        os.close(descriptor)


def cached_share(descriptor):
    """Of the file's pages. A read with RWF_NOWAIT would not do: the kernel begins to read ahead for it."""
    octets = os.fstat(descriptor).st_size
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    address = libc.mmap(None, octets, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    pages = ctypes.create_string_buffer(-(-octets // mmap.PAGESIZE))
    failed = libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(octets), pages)
    libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(octets))
    if failed:
        raise OSError(ctypes.get_errno(), "mincore failed")
    return sum(page & 1 for page in pages.raw[:len(pages)]) / len(pages)


def retrieve(connection, number):
    """Fetches a message and forgets it."""
    connection.sendall(f"RETR {number}\r\n".encode())
    buffer, tail = memoryview(bytearray(RECEIVE_OCTETS)), b""
    begun = False
    while not tail.endswith(END):
        octets = connection.recv_into(buffer)
        if octets == 0 or (not begun and buffer[:1] != b"+"):
            raise OSError(f"RETR {number} was refused or cut off.")
        begun = True
        tail = (tail + bytes(buffer[max(0, octets - len(END)):octets]))[-len(END):]


def as_json(measured, context, bench=None):
    cells = [of_cell(key, slices, measured.failures[key]) for key, slices in measured.cells.items()]
    return {"schema": SCHEMA, **context, "strategies": measured.strategies, "skipped": measured.skipped,
            "cells": cells, "delivery_bench": bench}


def of_cell(key, slices, failures):
    octets, form, state = key
    evicted = [each.evicted for taken in slices.values() for each in taken if each.evicted is not None]
    return {"octets": octets, "form": form, "state": state,
            "evicted": sum(evicted) / len(evicted) if evicted else None,
            "strategies": {name: of_strategy(taken) for name, taken in slices.items()}, "failures": failures}


def of_strategy(taken):
    values = [each.cpu_us for each in taken]
    return {"cpu_us": pairs.median(values), "low": pairs.quantile(values, 0.25),
            "high": pairs.quantile(values, 0.75), "slices": values,
            "mb_per_second": pairs.median([each.mb_per_second for each in taken])}
