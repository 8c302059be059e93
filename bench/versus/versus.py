#!/usr/bin/python3
"""Compares restante with the servers people run: what the same work costs each of them in CPU time and memory.

Same users, same mail, same hashes for all; each server with all its children in a control group of its own;
slices A B B A. Writes a table, versus.json and versus.html. Needs root (control groups, Dovecot)."""
import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the checkout stays as it was
import cgroups
import delivery_bench
import load
import machine
import maildrops
import measure
import page
import peers
import results
import servers
import store
import strategies
import strategies_page
import table
import tls
import workloads

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
PACES = {"full": measure.FULL, "quick": measure.QUICK, "shortest": measure.SHORTEST}


class Unprepared(Exception):
    """It cannot begin; the text is a sentence with the cure."""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/versus/run", description=__doc__)
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--quick", dest="pace", action="store_const", const="quick", default="full",
                      help="within 10 minutes instead of 40: fewer rounds, wider intervals")
    pace.add_argument("--shortest", dest="pace", action="store_const", const="shortest",
                      help="one round of one second: whether it works, no figures")
    parser.add_argument("--only", default="", metavar="WORKLOAD[,..]", help="these rows")
    parser.add_argument("--peers", default="", metavar="SERVER[,..]",
                        help="these servers, by their names in --list")
    parser.add_argument("--strategies", nargs="?", const="", metavar="STRATEGY[,..]",
                        help="instead: restante with each [delivery] strategy, or with these, by message size")
    parser.add_argument("--delivery-bench", metavar="FILE",
                        help="with --strategies: what delivery_bench --benchmark_out=FILE wrote, on the same page")
    parser.add_argument("--list", action="store_true", help="the workloads and the servers, and end")
    parser.add_argument("--install", action="store_true", help="first install what is missing (Debian)")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"),
                        help="folder of restante, pop3load and pop3null")
    parser.add_argument("--pop3load", default="", metavar="PATH", help="another load generator")
    parser.add_argument("--output", default=".", metavar="FOLDER", help="of the JSON and the page")
    parser.add_argument("--folder", default=None, metavar="FOLDER", help="where the mail lies meanwhile")
    options = parser.parse_args(arguments)
    if options.delivery_bench and options.strategies is None:
        parser.error("--delivery-bench goes with --strategies")
    return options


def main(arguments):
    options = parse(arguments)
    known = peers.all_peers(os.path.abspath(options.build))
    try:
        chosen = workloads.chosen(names_of(options.only))
        wanted = wanted_peers(known, names_of(options.peers))
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return EXIT_USAGE
    if options.list:
        print_list(chosen, known)
        return EXIT_OK
    try:
        if options.install:
            peers.install()
        if options.strategies is not None:
            return compare_strategies(options)
        return compare(options, chosen, wanted)
    except (Unprepared, cgroups.Unusable, delivery_bench.Unreadable, load.Failed) as error:
        print(f"bench/versus: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"bench/versus: {' '.join(error.cmd)} ended with {error.returncode}.", file=sys.stderr)
    return EXIT_FAILED


def names_of(text):
    return [name for name in text.split(",") if name]


def wanted_peers(known, names):
    known_names = [peer.name for peer in known]
    for name in names:
        if name not in known_names:
            raise LookupError(f"There is no server {name!r}. There are: {', '.join(known_names)}.")
    return [peer for peer in known if not names or peer.name in names]


def print_list(chosen, known):
    for workload in chosen:
        print(f"{workload.name:24} {workload.meaning}")
    print()
    for peer in known:
        print(f"{peer.name:24} {peer.missing() or 'ready'}")


def compare(options, chosen, wanted):
    machine.allow_descriptors()
    hierarchies = cgroups.find()
    binary = find_generator(options)
    skipped = {peer.name: reason for peer in wanted if (reason := peer.missing())}
    taking_part = [peer for peer in wanted if peer.name not in skipped]
    for name, reason in skipped.items():
        say(f"skipped: {name}: {reason}")
    if not taking_part:
        raise Unprepared("None of the servers is here. Run tools/build release; --install installs Dovecot.")
    first = load.first_where_allowed()
    context = results.context_of(options.pace, hierarchies.description(), taking_part, skipped, bool(first))
    with own_folder(options) as folder:
        outcomes = in_folder(folder, options, chosen, taking_part, hierarchies,
                             load.Generator(binary, folder, first))
    data = results.as_json(outcomes, context)
    tell(options.output, "versus", data, page.render(data), table.render(data))
    with open(os.path.join(options.output, "versus.md"), "w", encoding="utf-8") as file:
        file.write(table.markdown(data))
    return EXIT_FAILED if any(each["failures"] for each in data["workloads"]) else EXIT_OK


def compare_strategies(options):
    """restante with each of its strategies."""
    bench = delivery_bench.read(options.delivery_bench) if options.delivery_bench else None
    hierarchies = cgroups.find()
    context = {"date": results.now(), "pace": options.pace, "machine": machine.describe(),
               "accounting": hierarchies.description(),
               "version": peers.Restante(options.build).version()}
    names = names_of(options.strategies) or strategies.known_to(os.path.join(options.build, "restante"))
    if not names:
        raise Unprepared("This restante does not say which strategies it has. Name them: --strategies copy,auto")
    with own_folder(options) as folder:
        place = strategies.Place(folder, os.path.abspath(options.build), find_generator(options), mail_owner(),
                                 lambda name: cgroups.Group(hierarchies, f"restante-versus-{os.getpid()}-{name}"))
        measured = strategies.run(place, names, strategies.PACES[options.pace], say)
    data = strategies.as_json(measured, context, bench)
    tell(options.output, "strategies", data, strategies_page.render(data), strategies_page.render_text(data))
    return EXIT_OK if data["cells"] else EXIT_FAILED


def find_generator(options):
    binary = options.pop3load or os.path.join(options.build, "pop3load")
    if not os.path.exists(binary):
        raise Unprepared(f"The load generator {binary} is missing. Run tools/build release.")
    return binary


@contextlib.contextmanager
def own_folder(options):
    """Where the mail lies meanwhile; SIGTERM is as Ctrl-C: what was started is stopped."""
    os.makedirs(options.output, exist_ok=True)
    check_folder(options.folder or tempfile.gettempdir())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = tempfile.mkdtemp(prefix="restante-versus-", dir=options.folder)
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def mail_owner():
    """(uid, gid) of the mail; None: whoever runs this."""
    owner = peers.mail_user()
    return (owner.pw_uid, owner.pw_gid) if os.geteuid() == 0 else None


def check_folder(folder):
    """The servers, which are not root, must get to the mail in it."""
    path = os.path.abspath(folder)
    while os.geteuid() == 0:
        if not os.stat(path).st_mode & 0o001:
            raise Unprepared(f"{path} cannot be entered by {peers.mail_user().pw_name}, whom the mail will "
                             "belong to. Choose another --folder.")
        if path == "/":
            return
        path = os.path.dirname(path)


def in_folder(folder, options, chosen, taking_part, hierarchies, generator):
    """Everything is started and stopped here."""
    mail = store.Store(folder, mail_owner(), generator.binary)
    users = write_users(folder, options.build)
    name = f"restante-versus-{os.getpid()}"
    started = servers.make_servers(
        taking_part, folder, mail, users,
        lambda peer, charges_sockets: cgroups.Group(hierarchies, f"{name}-{peer}", charges_sockets),
        tls.make(folder, mail_owner()))
    bench = measure.Bench(started, generator, PACES[options.pace], say)
    try:
        return bench.run(chosen)
    finally:
        for server in started.values():
            server.stop()


def write_users(folder, build):
    """One passwd-file for all. The hashes are restante's: crypt(3) as everybody reads it."""
    hashes = {"PLAIN": ["{PLAIN}" + maildrops.PASSWORD],
              "SHA512-CRYPT": [sha512_crypt(build) for _ in range(workloads.HASHED_PASSWORDS)]}
    path = os.path.join(folder, "users")
    with open(path, "w", encoding="ascii") as file:
        file.writelines(maildrops.passwd_lines(workloads.MAIL_SETS, hashes))
    os.chmod(path, 0o644)
    return path


def sha512_crypt(build):
    done = subprocess.run([os.path.join(build, "restante"), "hash", "--scheme", "SHA512-CRYPT"],
                          input=maildrops.PASSWORD, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def tell(folder, name, data, html, text):
    """Table, JSON, page."""
    paths = [os.path.join(folder, f"{name}.{kind}") for kind in ("json", "html")]
    results.write(paths[0], data)
    with open(paths[1], "w", encoding="utf-8") as file:
        file.write(html)
    print(text)
    print(f"{' and '.join(paths)} written")


STARTED = time.monotonic()


def say(line):
    print(f"[{time.monotonic() - STARTED:4.0f} s] {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
