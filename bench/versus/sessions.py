"""Sessions that are held or timed here, because pop3load measures many short ones."""
import contextlib
import socket
import time

import load
import maildrops
import pairs
import tls

SECONDS_TO_SETTLE = 1.0
SECONDS_FOR_A_LOGIN = 60
FIRST_PART = 10  # of idle connections a tenth does not count: what a server makes once, it makes for them
WARM_LOGINS = 4  # so that each process of a server has served one before it counts


@contextlib.contextmanager
def log_in(port, user, context=None):
    """A connection that is logged in, and its replies as a file; over TLS with `context`."""
    with connected(port, context) as connection, connection.makefile("rb") as replies:
        replies.readline()
        for command in (f"USER {user}", f"PASS {maildrops.PASSWORD}"):
            ask(connection, replies, command)
        yield connection, replies


def connected(port, context):
    connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS_FOR_A_LOGIN)
    return context.wrap_socket(connection) if context else connection


def ask(connection, replies, command):
    """The answer's first line, without its end."""
    connection.sendall(command.encode() + b"\r\n")
    reply = replies.readline().rstrip()
    if not reply.startswith(b"+OK"):
        raise OSError(f"The answer to {command} is {reply!r}.")
    return reply


def list_whole(connection, replies):
    """UIDL and LIST, so that every index is there."""
    for command in ("UIDL", "LIST"):
        ask(connection, replies, command)
        while replies.readline() not in (b".\r\n", b""):
            pass


def visit(port, user):
    with log_in(port, user) as (connection, replies):
        list_whole(connection, replies)
        ask(connection, replies, "QUIT")


def poll(port, user):
    """Seconds of a session that looks whether there is mail, from connecting to the answer to QUIT."""
    started = time.monotonic()
    with log_in(port, user) as (connection, replies):
        ask(connection, replies, "STAT")
        ask(connection, replies, "QUIT")
    return time.monotonic() - started


def warm_up(port, user):
    for _ in range(WARM_LOGINS):
        poll(port, user)


def first_logins(server, workload):
    """A slice: one poll of each maildrop but the first, which warms the server. No index may be there."""
    running, prefix = server.running, workload.mail_set.prefix
    warm_up(running.place.port, f"{prefix}0")
    before = settled(running.group.cpu_seconds)
    taken = [poll(running.place.port, f"{prefix}{number}") for number in range(1, workload.mail_set.users)]
    cpu_seconds = settled(running.group.cpu_seconds) - before
    return load.Slice(server=server.peer.name, cpu_seconds=cpu_seconds, seconds=sum(taken), sessions=len(taken),
                      commands=4 * len(taken), messages=0, p50_us=pairs.median(taken) * 1e6,
                      p99_us=max(taken) * 1e6)


def idle(server, workload):
    """A slice: what the server has more with most of its silent connections than with the first of them, by their
    number."""
    count = server.connections_of(workload)
    first = count // FIRST_PART
    context = tls.client_context() if server.peer.handshake(workload) != "" else None
    group = server.running.group
    with contextlib.ExitStack() as held:
        hold(held, server, workload, range(first), context)
        before, user_before = settled(group.memory_octets), group.user_octets()
        hold(held, server, workload, range(first, count), context)
        during, user_during = settled(group.memory_octets), group.user_octets()
    more = count - first
    return load.IdleSlice(all_in=(during - before) / more, user=(user_during - user_before) / more)


def hold(held, server, workload, numbers, context):
    """Connections that stay as long as `held`."""
    port = server.place.port if context is None else server.place.tls_port
    for number in numbers:
        if workload.is_logged_in:
            held.enter_context(log_in(port, f"{workload.mail_set.prefix}{number}", context))
        else:
            connect(held, port, number)


def connect(held, port, number):
    connection = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=SECONDS_FOR_A_LOGIN))
    if not connection.recv(512).startswith(b"+OK"):
        raise OSError(f"No greeting for connection {number + 1}.")


def settled(look):
    """What `look` gives once two looks agree within 1 %, or after SECONDS_TO_SETTLE."""
    time.sleep(0.3)
    deadline = time.monotonic() + SECONDS_TO_SETTLE
    value = look()
    while time.monotonic() < deadline:
        time.sleep(0.1)
        again = look()
        if abs(again - value) <= value / 100:
            return again
        value = again
    return value
