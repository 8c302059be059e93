"""The results as text, for a terminal and for README."""
import results
import workloads

MISSING = "-"


def render(data):
    """Tables of cost, of ratios and of speed, with what a reader must know."""
    names = list(data["servers"])
    parts = [head(data), grid(cost_rows(data, names)), "", grid(ratio_rows(data, names)), "",
             grid(speed_rows(data, names)), ""]
    if len(asked := asked_rows(data)) > 1:
        parts += [grid(asked), ""]
    parts += [f"skipped: {name}: {reason}" for name, reason in data["skipped"].items()]
    parts += [f"{each['name']}: {name} is missing: {reason.splitlines()[0]}"
              for each in data["workloads"] for name, reason in each["failures"].items()]
    parts += [f"{each['name']}: {each['label']}" for each in data["workloads"] if each["label"]]
    return "\n".join(parts + data["notes"]) + "\n"


def head(data):
    machine = data["machine"]
    versions = ", ".join(server["version"] for server in data["servers"].values())
    return (f"{data['date'][:10]}, {machine['logical_processors']} x {machine['processor']}, "
            f"{machine['kernel']}, {data['accounting']}\n{versions}; pace: {data['pace']}\n")


def cost_rows(data, names):
    """The first row names the columns."""
    rows = [["workload", "median", *(data["servers"][name]["title"] for name in names)]]
    for each in data["workloads"]:
        rows.append([each["name"], each["measure"],
                     *(cost(each["servers"].get(name), scale_of(each)) for name in names)])
    return rows


def scale_of(workload):
    """Octets are told in kB."""
    return 1000 if workload["kind"] == "idle" else 1


def cost(server, scale):
    return MISSING if server is None else digits(server["median"] / scale)


def ratio_rows(data, names):
    others = [name for name in names if name not in (results.REFERENCE, *workloads.FLOORS)]
    titles = [f"{data['servers'][name]['title']} / restante" for name in others]
    rows = [["workload", "rounds", "restante / floor", *titles]]
    for each in data["workloads"]:
        own = each["servers"].get(results.REFERENCE)
        cells = [interval(own and own["over_floor"])]
        cells += [interval(each["servers"].get(name) and each["servers"][name]["over_restante"])
                  for name in others]
        rows.append([each["name"], str(each["rounds"]), *cells])
    return rows


def asked_rows(data):
    """Every demand beside what was measured."""
    rows = [["workload", "what", "asked", "measured", ""]]
    for each in data["workloads"]:
        for demand in each["asked"]:
            measured = MISSING if demand["measured"] is None else digits(demand["measured"])
            verdict = {True: "met", False: "not met", None: "not measured"}[demand["met"]]
            rows.append([each["name"], demand["what"], f"{demand['relation']} {demand['bound']:,g}", measured,
                         verdict])
    return rows


def markdown(data):
    """README's table: beside Dovecot and the floor, ratios with their intervals, what is asked in brackets."""
    columns = [results.REFERENCE, "dovecot-tuned", "dovecot-default"]
    rows = [["workload", "server's", "rounds", "restante", "Dovecot tuned", "Dovecot default", "floor",
             "restante / floor [95 %] (asked)", "tuned / restante [95 %] (asked)"], ["---"] * 9]
    for each in data["workloads"]:
        servers = each["servers"]
        floors = [servers[name] for name in workloads.FLOORS if name in servers]
        own = servers.get(results.REFERENCE)
        cells = [cost(server, scale_of(each))
                 for server in [*(servers.get(name) for name in columns), floors[0] if floors else None]]
        measure = each["measure"] + "".join(f", asked at most {demand['bound'] / 1000:g} kB"
                                            for demand in each["asked"] if demand["what"] == "octets")
        rows.append([each["name"], measure, str(each["rounds"]), *cells,
                     with_asked(own and own["over_floor"], each, "restante / floor"),
                     with_asked(servers.get("dovecot-tuned", {}).get("over_restante"), each,
                                "Dovecot tuned / restante")])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_asked(ratio, workload, what):
    """The ratio with its interval and, in brackets, its bound."""
    if not ratio:
        return MISSING
    bounds = [f" ({demand['bound']:g})" for demand in workload["asked"] if demand["what"] == what]
    return interval(ratio) + "".join(bounds)


def interval(ratio):
    """Median ratio [95 % interval]."""
    if not ratio:
        return MISSING
    if ratio["low"] is None:
        return digits(ratio["median"])
    return f"{digits(ratio['median'])} [{digits(ratio['low'])}-{digits(ratio['high'])}]"


def speed_rows(data, names):
    titles = [f"{data['servers'][name]['title']}" for name in names]
    rows = [["workload", "a second (p50 / p99 ms)", *titles]]
    for each in data["workloads"]:
        if each["kind"] != "idle":
            rows.append([each["name"], f"{each['unit']}s, {each['model']} model",
                         *(speed(each["servers"].get(name)) for name in names)])
    return rows


def speed(server):
    if server is None:
        return MISSING
    return (f"{server['per_second']:,.0f} ({digits(server['p50_us'] / 1000)} / "
            f"{digits(server['p99_us'] / 1000)})")


def digits(value):
    """Three significant digits, and no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def grid(rows):
    """The first two columns to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if column < 2 else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
