"""The results as one HTML page that needs nothing else: no network, no script."""
import html
import json

import plots
import results
import table

STYLE = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --faint: #ddd; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --paper: #181818; --faint: #444; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 1280px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1.5rem; }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid var(--faint); }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
.wide { overflow-x: auto; }
.panels { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
figure { margin: 0; } figcaption { max-width: 400px; } figcaption small { display: block; }
svg { max-width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--ink); }
.grid { stroke: var(--faint); } .one { stroke: var(--ink); stroke-dasharray: 4 3; }
.key span { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin: 0 .3em 0 1em; }
@media print { figure { break-inside: avoid; } }
"""


def render(data):
    names = list(data["servers"])
    colours = plots.colour_of(names)
    body = [f"<h1>restante and others</h1><p>{html.escape(table.head(data)).replace(chr(10), '<br>')}</p>",
            key({name: server["title"] for name, server in data["servers"].items()}, colours),
            "<h2>How many times restante's cost</h2><p>Median ratio of neighbouring slices and its "
            "bootstrap interval. Right of the dashed line: dearer than restante.</p>",
            '<div class="wide">' + plots.ratios(ratio_rows(data), colours) + "</div>",
            "<h2>What was asked</h2>", html_table(table.asked_rows(data)),
            "<h2>Server's CPU time, or memory</h2>", html_table(table.cost_rows(data, names)),
            "<h2>Ratios</h2>", html_table(table.ratio_rows(data, names)),
            "<h2>Sessions, messages, commands a second</h2>", html_table(table.speed_rows(data, names)),
            "<h2>Every slice</h2><p>In the order of time; lines are medians.</p>",
            '<div class="panels">' + "".join(panel(each, colours) for each in data["workloads"]) + "</div>",
            "<h2>To be known</h2>", remarks(data), machine(data["machine"]),
            f"<p>Data: versus.json, schema {results.SCHEMA}.</p>"]
    return whole(f"restante and others, {data['date'][:10]}", body)


def whole(title, body):
    """The page, of the parts of its body."""
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f"<style>{STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n")


def key(titles, colours):
    """`titles` by name: which colour is which."""
    items = (f'<span style="background:{colours[name]}"></span>{html.escape(title)}'
             for name, title in titles.items())
    return f'<p class="key">{"".join(items)}</p>'


def ratio_rows(data):
    rows = []
    for each in data["workloads"]:
        points = [(name, server["over_restante"]) for name, server in each["servers"].items()
                  if server["over_restante"]]
        rows.append((each["name"], points))
    return rows


def html_table(rows):
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def panel(workload, colours):
    drawn = plots.slices(workload["servers"], colours, table.scale_of(workload))
    label = f"<small>{html.escape(workload['label'])}</small>" if workload["label"] else ""
    return (f"<figure><figcaption><b>{html.escape(workload['name'])}</b>, {html.escape(workload['measure'])}"
            f"<small>{html.escape(workload['meaning'])}</small>{label}</figcaption>{drawn}</figure>")


def remarks(data):
    items = [*data["notes"], *(f"Skipped: {name}: {reason}" for name, reason in data["skipped"].items())]
    items += [f"{each['name']}: {name} is missing: {reason}" for each in data["workloads"]
              for name, reason in each["failures"].items()]
    return "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>"


def machine(description):
    described = html.escape(json.dumps(description, indent=1))
    return f"<details><summary>The machine</summary><pre>{described}</pre></details>"
