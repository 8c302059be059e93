"""What was measured as data: the JSON (schema below), from which the table and the page are made.

    schema      "restante-versus/2"; a change that breaks readers raises the number
    date        of the begin, UTC
    pace        "full", "quick" or "shortest"
    machine     processor, memory, kernel, io_uring as probed
    accounting  how CPU time and memory were charged
    servers     name -> {title, version}, in the order of the table; skipped: name -> reason
    notes       sentences a reader must know
    workloads   [{name, meaning, unit, model, kind, label, rounds,
                  figure, measure       "cpu", "time", "p99" (us a unit), "all-in", "user" (octets); in words
                  servers: {name: {median, low, high    of the figure: the median and the quartiles of the slices
                                   per_second, p50_us, p99_us    medians; null where idle
                                   rate                          sessions a second asked for; null where not
                                   slices: [[...], ...]          the figure of each slice, by round
                                   over_restante, over_floor}},  {median, low, high} of the paired ratios
                  asked: [{what, relation, bound, measured, met}],  relation "at least" or "at most"; the
                                                                    last two are null where not measured
                  failures: {name: reason}}]
"""
import dataclasses
import datetime
import json

import machine
import pairs
import workloads

SCHEMA = "restante-versus/2"
REFERENCE = workloads.REFERENCE
NOTES = [
    "Intervals are bootstrap intervals over rounds, meant to be of 95 %. Few rounds give less: simulated, they "
    "hold the true ratio in " + ", ".join(f"{share:.0%} of cases at {rounds} rounds"
                                          for rounds, share in pairs.COVERAGE.items()) + ".",
    "Rows with tls in their names are over TLS 1.3 with one ECDSA P-256 certificate, TLS_AES_128_GCM_SHA256 and "
    "X25519 for all servers. The floor of their polls is what restante's poll in the clear costs and what the "
    "server's half of the handshake costs OpenSSL alone; of the others it is pop3null in the clear.",
    "pop3null answers with a thread a core, as restante does, and has messages of the sizes that the maildrops have.",
    "Client and servers share this machine and its loopback. CPU time is that of the server's control group "
    "alone, all of its children included, the client's left out.",
    "Sessions a second and latencies are of a closed loop on a shared machine: they say how the server and "
    "the load generator together used it, not what the server could do alone.",
    "Memory of idle connections is what the last nine tenths of them add, by their number: all in is what the control group is charged, the kernel's memory for sockets, "
    "files and folders included; user space is anonymous memory of the server's processes.",
]
GENERATOR_FIRST = ("Rows of p99: the load generator runs at real-time priority, before all servers, so that what it waits "
                   "for a processor is not told of them.")
GENERATOR_NOT_FIRST = ("Rows of p99: the load generator could not be given real-time priority, and what it waited for a "
                       "processor is told of the servers.")


def as_json(outcomes, context):
    """`context` holds all but the workloads."""
    return {"schema": SCHEMA, **context, "workloads": [of_workload(outcome) for outcome in outcomes]}


def context_of(pace_name, accounting, servers, skipped, is_load_first):
    """`is_load_first`: whether the load generator may go before all servers."""
    return {"date": now(), "pace": pace_name, "machine": machine.describe(),
            "accounting": accounting,
            "servers": {peer.name: {"title": peer.title, "version": peer.version()} for peer in servers},
            "skipped": skipped, "notes": [*NOTES, GENERATOR_FIRST if is_load_first else GENERATOR_NOT_FIRST]}


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_workload(outcome):
    workload = outcome.workload
    figures = {name: figures_of(rounds, workload) for name, rounds in outcome.rounds.items()}
    described = {name: of_server(name, outcome, figures) for name in figures}
    rate = workload.load.rate if workload.load else 0
    return {"name": workload.name, "meaning": workload.meaning, "unit": workload.unit, "kind": workload.kind,
            "figure": workload.figure, "measure": workload.measure(),
            "model": "open" if rate else "closed", "label": label_of(outcome),
            "load": dataclasses.asdict(workload.load) if workload.load else None,
            "rounds": max((len(rounds) for rounds in figures.values()), default=0),
            "servers": described, "asked": verdicts(workload.asked(), described), "failures": outcome.failures}


def label_of(outcome):
    """What a reader must know beside the figures."""
    label = outcome.workload.label
    if not outcome.saturated:
        return label
    return (f"{label}; the highest rate of {', '.join(outcome.saturated)} may be lower than it could be: pop3load "
            "hardly ever waited")


def figures_of(rounds, workload):
    """The one figure of each slice, by round."""
    return [[each.figure(workload.figure, workload.unit) for each in slices] for slices in rounds]


def verdicts(asked, described):
    """What is asked beside what was measured."""
    own = described.get(REFERENCE)
    tuned = described.get(workloads.TUNED)
    demands = [("Dovecot tuned / restante", "at least", asked.tuned_at_least, tuned and tuned["over_restante"]),
               ("restante / floor", "at most", asked.floor_at_most, own and own["over_floor"]),
               ("octets", "at most", asked.octets_at_most, own)]
    return [verdict(*demand) for demand in demands if demand[2] is not None]


def verdict(what, relation, bound, measured):
    value = measured["median"] if measured else None
    met = None if value is None else (value >= bound if relation == "at least" else value <= bound)
    return {"what": what, "relation": relation, "bound": bound, "measured": value, "met": met}


def of_server(name, outcome, figures):
    workload, rounds = outcome.workload, outcome.rounds[name]
    values = pairs.flat(figures[name])
    described = {"median": pairs.median(values), "low": pairs.quantile(values, 0.25),
                 "high": pairs.quantile(values, 0.75), "slices": figures[name],
                 "per_second": None, "p50_us": None, "p99_us": None, "rate": outcome.rates.get(name)}
    if not workload.is_memory():
        slices = pairs.flat(rounds)
        described["per_second"] = pairs.median([each.per_second(workload.unit) for each in slices])
        described["p50_us"] = pairs.median([each.p50_us for each in slices])
        described["p99_us"] = pairs.median([each.p99_us for each in slices])
    for key, other in (("over_restante", REFERENCE), ("over_floor", workload.floor)):
        with_other = other in figures and other != name
        described[key] = ratio(figures[name], figures[other]) if with_other else None
    return described


def ratio(numerators, denominators):
    """Nothing where a slice is no positive figure, as memory that a server had already."""
    whole = min(len(numerators), len(denominators))
    if whole == 0 or min(pairs.flat([*numerators[:whole], *denominators[:whole]])) <= 0:
        return None
    return pairs.median_ratio(numerators[:whole], denominators[:whole]).as_json()


def write(path, data):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
