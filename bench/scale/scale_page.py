"""The growth as text and as one HTML page."""
import html

import growth
import page
import plots
import strategies_page
import table

head = strategies_page.head


def rows(series):
    """A row a point: its cost, how it compares with the reference, latency, memory."""
    told = [[series["what"], "", "CPU us a poll", "times the reference", "p50 / p99 ms", "kB a connection"]]
    for name, points in series["lines"].items():
        for point in points:
            user = point["user_octets"]
            told.append([f"{point['x']:,}", name, table.digits(point["median"]),
                         f"{table.digits(point['ratio']['median'])} ({table.digits(point['ratio']['low'])}-"
                         f"{table.digits(point['ratio']['high'])})",
                         f"{table.digits(point['p50_us'] / 1000)} / {table.digits(point['p99_us'] / 1000)}",
                         table.MISSING if user is None else table.digits(user / 1000)])
    return told


def sentences(series):
    told = [growth.sentence(name, found, series["what"]) for name, found in series["bends"].items()]
    return [*told, *([series["why"]] if series["why"] else []), *series["failures"]]


def render_text(data):
    parts = [head(data), ""]
    for each in data["series"]:
        parts += [each["title"], table.grid(rows(each)), *sentences(each), ""]
    return "\n".join(parts)


def render(data):
    body = [f"<h1>What grows, and what it costs</h1><p>{html.escape(head(data)).replace(chr(10), '<br>')}</p>",
            "<p>A poll is connect, USER, PASS, STAT, QUIT; 8 connections, or as many as there are maildrops. CPU "
            "time is that of the server's control group. Each dot is the median of slices taken on the way up and on "
            "the way down; the bar goes from the cheapest to the dearest. The reference is a slice next to it, of the "
            "first point or, for connections, of polls with nothing beside them: the machine's drift is in both.</p>"]
    for each in data["series"]:
        colours = plots.colour_of(list(each["lines"]))
        body += [f"<h2>{html.escape(each['title'])}</h2>", page.key({name: name for name in colours}, colours),
                 '<div class="panels">', figure(f"CPU us a poll, by {each['what']}", each["lines"], colours),
                 figure(f"times the reference, by {each['what']}", ratios(each["lines"]), colours),
                 figure(f"kB in user space a connection, by {each['what']}", memory(each["lines"]), colours),
                 "</div>", *(f"<p>{html.escape(told)}</p>" for told in sentences(each)),
                 page.html_table(rows(each))]
    body += [page.machine(data["machine"]), f"<p>Data: scale.json, schema {data['schema']}.</p>"]
    return page.whole(f"restante as things grow, {data['date'][:10]}", body)


def figure(caption, lines, colours):
    drawn = plots.curves(lines, colours, from_zero=True)
    return f"<figure><figcaption>{html.escape(caption)}</figcaption>{drawn}</figure>" if drawn else ""


def ratios(lines):
    return {name: [{"x": point["x"], **point["ratio"]} for point in points] for name, points in lines.items()}


MEMORY_CONNECTIONS_MIN = 100  # fewer do not show above what the server has anyway


def memory(lines):
    """The same lines, of memory; empty where nothing stood beside the polls."""
    told = {}
    for name, points in lines.items():
        kept = [point for point in points
                if point["user_octets"] is not None and point["x"] >= MEMORY_CONNECTIONS_MIN]
        if kept:
            values = [max(point["user_octets"], 0) / 1000 for point in kept]
            told[name] = [{"x": point["x"], "median": value, "low": value, "high": value}
                          for point, value in zip(kept, values)]
    return told
