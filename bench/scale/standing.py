"""Connections that stand silent beside the polls: held by a pop3load of their own."""
import contextlib
import os
import subprocess
import time

import load
import maildrops

SOURCE = "127.0.0.2"  # another address than the polls': each has 28,000 ports
SECONDS_TO_STAND = 60
SECONDS_QUIET = 0.6
LOOK_EVERY = 0.1


@contextlib.contextmanager
def standing(binary, running, profile, count, user_format):
    """`count` connections to `running` (peers.Running), until the block ends. They all stand once the server's
    descriptors have grown by at least as many and grow no more."""
    before = settled_descriptors(running.group)
    command = [binary, "run", "--host", "127.0.0.1", "--port", str(running.place.port), "--source", SOURCE,
               "--profile", profile, "--connections", str(count), "--user-format", user_format,
               "--user-count", str(count), "--password", maildrops.PASSWORD, "--duration", "1h", "--warm-up", "0s",
               "--timeout", "1h", "--threads", "1", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            wait_until_standing(process, running.group, before + count)
            yield
        finally:
            process.kill()
    wait_until_gone(running.group, before)


def wait_until_standing(process, group, at_least):
    deadline = time.monotonic() + SECONDS_TO_STAND
    seen, since = -1, time.monotonic()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise load.Failed(f"pop3load, which holds connections, ended: {process.stderr.read().decode()[-500:]}")
        now = descriptors(group)
        if now != seen:
            seen, since = now, time.monotonic()
        if seen >= at_least and time.monotonic() - since >= SECONDS_QUIET:
            return
        time.sleep(LOOK_EVERY)
    raise load.Failed(f"After {SECONDS_TO_STAND} s the server has {seen:,} descriptors where it should have "
                      f"{at_least:,} at least.")


def wait_until_gone(group, before):
    deadline = time.monotonic() + SECONDS_TO_STAND
    while descriptors(group) > before:
        if time.monotonic() > deadline:
            raise load.Failed("The server keeps descriptors of connections that were closed.")
        time.sleep(LOOK_EVERY)


def settled_descriptors(group):
    """Connections that were closed at the client a moment ago are gone."""
    seen = -1
    while (now := descriptors(group)) != seen:
        seen = now
        time.sleep(3 * LOOK_EVERY)
    return now


def descriptors(group):
    return sum(len(os.listdir(f"/proc/{process}/fd")) for process in group.processes())
