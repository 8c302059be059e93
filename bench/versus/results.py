"""What was measured as data: the JSON (schema below), from which the table and the page are made.

    schema      "restante-versus/1"; a change that breaks readers raises the number
    date        of the begin, UTC
    pace        "full", "quick" or "shortest"
    machine     processor, memory, kernel, io_uring as probed
    accounting  how CPU time and memory were charged
    servers     name -> {title, version}, in the order of the table; skipped: name -> reason
    notes       sentences a reader must know
    workloads   [{name, meaning, unit, model, kind, label, rounds,
                  servers: {name: {median, low, high    CPU us a unit, or octets a connection: the median
                                                        and the quartiles of the slices
                                   per_second, p50_us, p99_us    medians; null where idle
                                   slices: [[...], ...]          the figure of each slice, by round
                                   over_restante, over_floor}},  {median, low, high} of the paired ratios
                  failures: {name: reason}}]
"""
import dataclasses
import datetime
import json

import machine
import pairs

SCHEMA = "restante-versus/1"
REFERENCE = "restante"
FLOOR = "pop3null"
NOTES = [
    "Intervals are bootstrap intervals over rounds, meant to be of 95 %. Few rounds give less: simulated, they "
    "hold the true ratio in " + ", ".join(f"{share:.0%} of cases at {rounds} rounds"
                                          for rounds, share in pairs.COVERAGE.items()) + ".",
    "TLS rows are left out: restante does not speak TLS yet.",
    "Client and servers share this machine and its loopback. CPU time is that of the server's control group "
    "alone, all of its children included, the client's left out.",
    "Sessions a second and latencies are of a closed loop on a shared machine: they say how the server and "
    "the load generator together used it, not what the server could do alone.",
]


def as_json(outcomes, context):
    """`context` holds all but the workloads."""
    return {"schema": SCHEMA, **context, "workloads": [of_workload(outcome) for outcome in outcomes]}


def context_of(pace_name, accounting, servers, skipped):
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"date": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "pace": pace_name, "machine": machine.describe(),
            "accounting": accounting,
            "servers": {peer.name: {"title": peer.title, "version": peer.version()} for peer in servers},
            "skipped": skipped, "notes": NOTES}


def of_workload(outcome):
    workload = outcome.workload
    figures = {name: figures_of(rounds, workload) for name, rounds in outcome.rounds.items()}
    described = {name: of_server(name, outcome.rounds[name], figures, workload) for name in figures}
    rate = workload.load.rate if workload.load else 0
    return {"name": workload.name, "meaning": workload.meaning, "unit": workload.unit, "kind": workload.kind,
            "model": "open" if rate else "closed", "label": workload.label,
            "load": dataclasses.asdict(workload.load) if workload.load else None,
            "rounds": max((len(rounds) for rounds in figures.values()), default=0),
            "servers": described, "failures": outcome.failures}


def figures_of(rounds, workload):
    """The one figure of each slice, by round."""
    if workload.kind == "idle":
        return rounds
    return [[each.cpu_us_per(workload.unit) for each in slices] for slices in rounds]


def of_server(name, rounds, figures, workload):
    values = pairs.flat(figures[name])
    described = {"median": pairs.median(values), "low": pairs.quantile(values, 0.25),
                 "high": pairs.quantile(values, 0.75), "slices": figures[name],
                 "per_second": None, "p50_us": None, "p99_us": None}
    if workload.kind == "load":
        slices = pairs.flat(rounds)
        described["per_second"] = pairs.median([each.per_second(workload.unit) for each in slices])
        described["p50_us"] = pairs.median([each.p50_us for each in slices])
        described["p99_us"] = pairs.median([each.p99_us for each in slices])
    for key, other in (("over_restante", REFERENCE), ("over_floor", FLOOR)):
        with_other = other in figures and other != name
        described[key] = ratio(figures[name], figures[other]) if with_other else None
    return described


def ratio(numerators, denominators):
    """Nothing where a slice of the denominator is no positive figure."""
    whole = min(len(numerators), len(denominators))
    if whole == 0 or min(pairs.flat(denominators[:whole])) <= 0:
        return None
    return pairs.median_ratio(numerators[:whole], denominators[:whole]).as_json()


def write(path, data):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
