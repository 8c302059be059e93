"""What bench/delivery_bench has written (--benchmark_out=FILE), in the form of strategies.json."""
import json
import re

import strategies

# deliver/STRATEGY/FORM/SIZE[/cold]/manual_time
NAME = re.compile(r"deliver/(?P<strategy>\w+)/(?P<form>lf|ready)/(?P<size>\d+)(?P<unit>[kM]?)(?P<cold>/cold)?/")
FORMS = {"lf": "lf", "ready": "wire-ready"}
UNITS = {"": 1, "k": 1 << 10, "M": 1 << 20}


class Unreadable(Exception):
    """The text is a sentence."""


def read(path):
    """{date, strategies, cells}; a slice is a repetition."""
    try:
        with open(path, encoding="utf-8") as file:
            return of_report(json.load(file))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{path} is not what delivery_bench --benchmark_out=FILE writes: {error!r}.") from error


def of_report(report):
    names, slices, failures = {}, {}, {}
    for each in report["benchmarks"]:
        name = NAME.match(each["name"])
        if name is None or each["run_type"] != "iteration":  # others sum repetitions up
            continue
        key = (int(name["size"]) * UNITS[name["unit"]], FORMS[name["form"]], "cold" if name["cold"] else "cached")
        taken, failed = slices.setdefault(key, {}), failures.setdefault(key, {})
        names[name["strategy"]] = None
        if each.get("error_occurred"):
            failed[name["strategy"]] = each["error_message"]
        else:
            taken.setdefault(name["strategy"], []).append(slice_of(each, *key))
    return {"date": report["context"]["date"], "strategies": list(names),
            "cells": [strategies.of_cell(key, slices[key], failures[key]) for key in sorted(slices)]}


def slice_of(run, octets, _, state):
    """Of a cold message it measures nothing that had not gone from the page cache."""
    return strategies.Slice(cpu_us=run["real_time"], mb_per_second=octets / run["wall"] / 1e6,
                            evicted=1.0 if state == "cold" else None)
