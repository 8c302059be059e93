"""The comparison of delivery strategies as text and as one HTML page."""
import html

import page
import plots
import table

STATES_TOLD = {"cached": "in the page cache", "cold": "evicted before each RETR (POSIX_FADV_DONTNEED)"}
FORMS_TOLD = {"lf": "LF files", "wire-ready": "wire-ready files"}


def head(data):
    machine = data["machine"]
    return (f"{data['date'][:10]}, {machine['logical_processors']} x {machine['processor']}, {machine['kernel']}, "
            f"{data['accounting']}\n{data['version']}; pace: {data['pace']}")


def groups(data):
    """(title, cells by size, names) of every form and state: of the server, then of delivery_bench."""
    for suffix, part in parts(data).items():
        for form, state in dict.fromkeys((cell["form"], cell["state"]) for cell in part["cells"]):
            yield (f"{FORMS_TOLD[form]}, {STATES_TOLD[state]}{suffix}",
                   [cell for cell in part["cells"] if (cell["form"], cell["state"]) == (form, state)],
                   part["strategies"])


def parts(data):
    """By what their titles end with."""
    return {"": data} | ({" (delivery_bench)": bench} if (bench := data["delivery_bench"]) else {})


def rows(cells, names, figure):
    """A row a size; `*` marks the cheapest strategy."""
    told = [["octets", "", *names]]
    for cell in cells:
        known = {name: server[figure] for name, server in cell["strategies"].items()}
        best = (min if figure == "cpu_us" else max)(known.values(), default=None)
        cells_told = [table.MISSING if name not in known
                      else table.digits(known[name]) + ("*" if known[name] == best else "") for name in names]
        told.append([f"{cell['octets']:,}", kept(cell), *cells_told])
    return told


def kept(cell):
    """What did not go from the page cache makes a cold figure a lie."""
    if cell["evicted"] is None or cell["evicted"] > 0.99:
        return ""
    return f"{1 - cell['evicted']:.0%} stayed cached"


def render_text(data):
    told = [head(data), ""]
    for title, cells, names in groups(data):
        for what, figure in (("CPU us a message", "cpu_us"), ("MB a second", "mb_per_second")):
            told += [f"{what}: {title}", table.grid(rows(cells, names, figure)), ""]
    return "\n".join(told + remarks(data)) + "\n"


def remarks(data):
    told = [f"skipped: {name}: {reason}" for name, reason in data["skipped"].items()]
    told += [f"{cell['form']}, {cell['octets']:,} octets, {cell['state']}{suffix}: {name}: {reason.splitlines()[0]}"
             for suffix, part in parts(data).items() for cell in part["cells"]
             for name, reason in cell["failures"].items()]
    if bench := data["delivery_bench"]:
        told.append(f"delivery_bench ({bench['date'][:10]}) sends one message over and over, without a server or a "
                    "session: the processor's caches keep it.")
    return [*told, "* marks the cheapest, and the fastest. The client shares the machine: MB a second says how both "
                   "together used it."]


def render(data):
    names = list(dict.fromkeys(name for part in parts(data).values() for name in part["strategies"]))
    colours = plots.colour_of(names)
    body = [f"<h1>Ways to send a message</h1><p>{html.escape(head(data)).replace(chr(10), '<br>')}</p>",
            page.key({name: name for name in names}, colours)]
    for title, cells, columns in groups(data):
        body += [f"<h2>{html.escape(title[0].upper() + title[1:])}</h2>", '<div class="panels">',
                 figure("CPU us a message, by its octets", cells, colours, "cpu_us"),
                 figure("CPU ns an octet, by the message's octets", cells, colours, "cpu_us", 1000),
                 figure("MB a second, by its octets", cells, colours, "mb_per_second"), "</div>",
                 page.html_table(rows(cells, columns, "cpu_us"))]
    body += ["<h2>To be known</h2><ul>", *(f"<li>{html.escape(item)}</li>" for item in remarks(data)), "</ul>",
             page.machine(data["machine"]), f"<p>Data: strategies.json, schema {data['schema']}.</p>"]
    return page.whole(f"restante's delivery strategies, {data['date'][:10]}", body)


def figure(caption, cells, colours, key, per_octet=0):
    """`per_octet`: 0, or the factor of the figure divided by the message's octets."""
    series = {}
    for cell in cells:
        scale = per_octet / cell["octets"] if per_octet else 1
        for name, server in cell["strategies"].items():
            has_range = key == "cpu_us"
            series.setdefault(name, []).append(
                {"x": cell["octets"], "median": server[key] * scale,
                 "low": (server["low"] if has_range else server[key]) * scale,
                 "high": (server["high"] if has_range else server[key]) * scale})
    return f"<figure><figcaption>{html.escape(caption)}</figcaption>{plots.curves(series, colours)}</figure>"
