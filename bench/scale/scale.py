#!/usr/bin/python3
"""What a poll costs restante while connections, maildrops and messages grow, with one reactor and with two.

Prints a table, writes scale.json and scale.html. Needs root (control groups), 20,000 descriptors and 4 GB of
disk for 200,000 maildrops."""
import argparse
import os
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the checkout stays as it was
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "versus"))
import cgroups
import growth
import load
import machine
import maildrops
import peers
import results
import scale_page
import series

ROOT = os.path.join(HERE, "..", "..")
EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/scale/run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller points: three minutes instead of 15")
    parser.add_argument("--only", default="", metavar="SERIES[,..]", help="these plots")
    parser.add_argument("--list", action="store_true", help="the plots, and end")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"),
                        help="folder of restante and pop3load")
    parser.add_argument("--output", default=".", metavar="FOLDER", help="of the JSON and the page")
    parser.add_argument("--folder", default=None, metavar="FOLDER", help="where the mail lies meanwhile")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    try:
        chosen = series.chosen([name for name in options.only.split(",") if name])
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return EXIT_USAGE
    if options.list:
        for each in chosen:
            print(f"{each.name:18} {each.title}: {', '.join(f'{x:,}' for x in each.points)}")
        return EXIT_OK
    try:
        return measure(options, chosen)
    except (cgroups.Unusable, load.Failed, peers.NotStarted, OSError) as error:
        print(f"bench/scale: {error}", file=sys.stderr)
        return EXIT_FAILED


def measure(options, chosen):
    hierarchies = cgroups.find()
    context = {"date": results.now(), "pace": "quick" if options.quick else "full",
               "machine": machine.describe(), "accounting": hierarchies.description(),
               "version": peers.Restante(options.build).version()}
    os.makedirs(options.output, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is stopped
    machine.allow_descriptors()
    folder = tempfile.mkdtemp(prefix="restante-scale-", dir=options.folder)
    os.chmod(folder, 0o755)
    try:
        data = growth.as_json(in_folder(folder, options, chosen, hierarchies), context)
        report(data, options.output)  # removing the mail takes minutes
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return EXIT_FAILED if any(each["failures"] for each in data["series"]) else EXIT_OK


def report(data, folder):
    paths = [os.path.join(folder, f"scale.{kind}") for kind in ("json", "html")]
    results.write(paths[0], data)
    with open(paths[1], "w", encoding="utf-8") as file:
        file.write(scale_page.render(data))
    print(scale_page.render_text(data))
    print(f"{' and '.join(paths)} written", flush=True)


def in_folder(folder, options, chosen, hierarchies):
    """Everything is started and stopped here."""
    pace = growth.QUICK if options.quick else growth.FULL
    sets = series.mail_sets(chosen, options.quick)
    owner = peers.mail_user()
    mail, users = os.path.join(folder, "mail"), os.path.join(folder, "users")
    pop3load = os.path.join(options.build, "pop3load")
    growth.seed(pop3load, mail, sets, (owner.pw_uid, owner.pw_gid) if os.geteuid() == 0 else None, say)
    with open(users, "w", encoding="ascii") as file:
        file.writelines(maildrops.passwd_lines(sets, {"PLAIN": ["{PLAIN}" + maildrops.PASSWORD]}))
    os.chmod(users, 0o644)

    def start(reactors):
        place = peers.Place(os.path.join(folder, f"server-{reactors}"), mail, users, peers.free_port())
        peer = peers.Restante(options.build, settings=f"[runtime]\nreactors = {reactors}\n")
        return peers.Running(peer, place, cgroups.Group(hierarchies, f"restante-scale-{os.getpid()}-{reactors}"))

    return growth.Growth(start, pop3load, folder, pace, say).run(chosen)


STARTED = time.monotonic()


def say(line):
    print(f"[{time.monotonic() - STARTED:4.0f} s] {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
