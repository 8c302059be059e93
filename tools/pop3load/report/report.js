// Draws the report from the JSON in the page, with what plot.js and tables.js have; when all is drawn, <html
// data-drawn> names the plots.

const STRIP = 30;  // height of the fault strip, below the rates

function drawRate() {
    const plot = new Plot("rate", 300, "sessions/s", "Sessions and faults in each second of the run");
    const rates = seconds.map((each) => each.ended);
    const due = seconds.map((each) => each.arrivals);
    const most = Math.max(1, ...rates, ...(isOpen ? due : []));
    const stripTop = plot.bottom - STRIP;
    const ticks = roundTicks(most, 4);
    const y = linearScale(0, ticks[ticks.length - 1], stripTop - 14, plot.top);
    plot.yAxis(ticks, y, count);
    const x = plot.timeAxis();
    if (!seconds.length) return plot.nothing("The run had no whole second.");
    const points = middles(x, y, rates);
    const base = y(0).toFixed(1);
    const ends = `L${points[points.length - 1][0].toFixed(1)} ${base}L${points[0][0].toFixed(1)} ${base}Z`;
    plot.mark("path", {class: "area", d: polyline(points) + ends});
    if (isOpen) plot.line(middles(x, y, due), "asked");
    plot.line(points, "corrected");
    drawFaultStrip(plot, x, stripTop);
    plot.timeTip(x, (i) => (isOpen ? `${count(seconds[i].arrivals)} meant to begin\n` : "") +
        `${count(seconds[i].ended)} ended well\n${count(seconds[i].faults)} faults\n` +
        `${octets(seconds[i].octets)} received`);
}

function drawFaultStrip(plot, x, top) {
    const most = Math.max(0, ...seconds.map((each) => each.faults));
    shape("text", plot.svg, {x: plot.left - 6, y: top + STRIP - 4, "text-anchor": "end"}, "faults/s");
    if (most === 0) {
        shape("text", plot.svg, {x: plot.left + 6, y: top + STRIP - 4}, "none");
        return;
    }
    shape("text", plot.svg, {x: plot.left - 6, y: top + 12, "text-anchor": "end"}, count(most));
    shape("path", plot.svg, {class: "grid", d: `M${plot.left} ${top + 0.5}H${plot.right}`});
    const width = Math.max(1, x(1) - x(0) - 0.5);
    const bars = seconds.map((each, i) => {
        if (each.faults === 0) return "";
        const height = Math.max(3, each.faults / most * STRIP);
        return `M${x(i).toFixed(1)} ${plot.bottom}v${-height.toFixed(1)}h${width.toFixed(1)}v${height.toFixed(1)}Z`;
    });
    plot.mark("path", {class: "fault", d: bars.join("")});
}

// ---- Heat map ---------------------------------------------------------------------------------

const LEVELS = 8;
const bucketFloor = (bucket) => 2 ** (bucket / 4);  // microseconds

// The latency below which `share` of the sessions of some buckets are; null for none.
function bucketPercentile(pairs, share) {
    const total = pairs.reduce((sum, [, sessions]) => sum + sessions, 0);
    const wanted = Math.max(1, total * share);
    let before = 0;
    for (const [bucket, sessions] of pairs) {
        if (before + sessions >= wanted) return bucketFloor(bucket + (wanted - before) / sessions);
        before += sessions;
    }
    return null;
}

// Columns of `group` seconds each, as maps of bucket to sessions.
function heatColumns(group) {
    const columns = [];
    seconds.forEach((each, i) => {
        if (i % group === 0) columns.push(new Map());
        const column = columns[columns.length - 1];
        for (const [bucket, sessions] of each.latency_buckets)
            column.set(bucket, (column.get(bucket) || 0) + sessions);
    });
    return columns;
}

const heatLevel = (sessions, most) =>
    most === 1 ? LEVELS : 1 + Math.min(LEVELS - 1, Math.floor(LEVELS * Math.log(sessions) / Math.log(most)));

function drawHeat() {
    const plot = new Plot("heat", 340, isOpen ? "latency of a session, corrected" : "latency of a session",
                          "How many sessions took how long, in each second of the run");
    const columnsMax = Math.floor((plot.right - plot.left) / 3);
    const group = Math.max(1, Math.ceil(seconds.length / columnsMax));
    const columns = heatColumns(group);
    const buckets = columns.flatMap((column) => [...column.keys()]);
    const most = columns.reduce((max, column) => Math.max(max, ...column.values()), 0);
    const x = plot.timeAxis();
    heatKey(most, group);
    if (!buckets.length) return plot.nothing("No session ended well.");
    const lowest = buckets.reduce((a, b) => Math.min(a, b)) - 1;
    const highest = buckets.reduce((a, b) => Math.max(a, b)) + 2;
    const from = bucketFloor(lowest), to = bucketFloor(highest);
    const y = logScale(from, to, plot.bottom, plot.top);
    const cells = Array.from({length: LEVELS + 1}, () => "");
    columns.forEach((column, i) => {
        const left = x(i * group), width = Math.max(0.5, x(Math.min(seconds.length, (i + 1) * group)) - left);
        for (const [bucket, sessions] of column) {
            const top = y(bucketFloor(bucket + 1)), height = y(bucketFloor(bucket)) - top;
            cells[heatLevel(sessions, most)] +=
                `M${left.toFixed(1)} ${top.toFixed(1)}h${width.toFixed(1)}v${height.toFixed(1)}h${-width.toFixed(1)}Z`;
        }
    });
    plot.yAxis(logTicks(from, to), y, axisDuration);
    cells.forEach((d, level) => plot.mark("path", {class: `heat heat-${level}`, d}));
    drawHeatLines(plot, x, y, columns, group);
    plot.timeTip(x, (i) => [0.5, 0.99, 0.999].map((share) => {
        const value = bucketPercentile(seconds[i].latency_buckets, share);
        return `p${100 * share} ${value === null ? "-" : "about " + duration(value)}`;
    }).join("\n"));
}

// Percentiles of each column, over its middle.
function drawHeatLines(plot, x, y, columns, group) {
    const sorted = columns.map((column) => [...column].sort(([a], [b]) => a - b));
    for (const [share, className] of [[0.5, "p50"], [0.99, "p99"]]) {
        const points = sorted.map((pairs, i) => {
            const value = bucketPercentile(pairs, share);
            return value === null ? null : [x(Math.min(seconds.length, (i + 0.5) * group)), y(value)];
        });
        if (className === "p99") plot.line(points, "halo");
        plot.line(points, `over-heat ${className}`);
    }
}

function heatKey(most, group) {
    const key = byId("heat-key");
    key.replaceChildren();
    const entry = element("span", key);
    entry.append("sessions a cell: 1 ");
    const sample = shape("svg", entry, {width: 16 * LEVELS, height: 10, "aria-hidden": true});
    for (let level = 1; level <= LEVELS; level++)
        shape("rect", sample, {class: `heat-${level}`, x: 16 * (level - 1), width: 16, height: 10});
    entry.append(`${count(Math.max(most, 1))} (log scale)`);
    keyEntry(key, "over-heat p99", group > 1 ? `p99 of ${group} s` : "p99 of the second");
    keyEntry(key, "over-heat p50", "p50");
}

// ---- Percentile spectrum ----------------------------------------------------------------------

let chosenStep = (report.steps.find((each) => each.step === "session") || report.steps[0] || {}).step;

function spectrumPoints(side) {
    return side.spectrum.map(([percentile, us]) =>
        ({x: percentile >= 100 ? side.count : Math.min(side.count, 1 / (1 - percentile / 100)), us, percentile}));
}

function drawSpectrum() {
    const step = report.steps.find((each) => each.step === chosenStep);
    const words = `Latency of ${chosenStep} by percentile`;
    const plot = new Plot("spectrum", 340, `latency of ${chosenStep || "a session"}`, words);
    if (!step) return plot.nothing("No step was measured.");
    const sides = isOpen ? ["uncorrected", "corrected"] : ["corrected"];
    const all = sides.flatMap((side) => spectrumPoints(step[side]));
    const xMax = Math.max(10, step.corrected.count);
    const low = Math.max(0.001, Math.min(...all.map((point) => point.us)));
    const high = Math.max(low * 2, ...all.map((point) => point.us));
    const x = logScale(1, xMax, plot.left, plot.right);
    const y = logScale(low / 1.15, high * 1.15, plot.bottom, plot.top);
    plot.yAxis(logTicks(low / 1.15, high * 1.15), y, axisDuration);
    const nines = Array.from({length: Math.floor(Math.log10(xMax) + 0.001) + 1}, (_, i) => 10 ** i);
    for (const tick of nines)
        shape("path", plot.svg, {class: "grid", d: `M${Math.round(x(tick)) + 0.5} ${plot.top}V${plot.bottom}`});
    const median = x(2) - x(1) > 40 ? [2] : [];
    plot.xAxis([1, ...median, ...nines.slice(1)], x, percentileOf, "percentile, as 1 / (1 \u2212 p) on a log scale");
    for (const side of sides)
        plot.line(spectrumPoints(step[side]).map((point) => [x(point.x), y(point.us)]), side);
    spectrumTip(plot, step, sides, x, y);
}

const percentileOf = (x) => {
    const nines = Math.max(0, Math.round(Math.log10(x)) - 2);
    return `${(100 * (1 - 1 / x)).toFixed(nines)}\u202f%`;
};

function spectrumTip(plot, step, sides, x, y) {
    const cursor = shape("circle", plot.svg, {class: "dot", r: 4, hidden: ""});
    const corrected = spectrumPoints(step.corrected);
    plot.tip((at) => {
        const index = corrected.reduce((best, point, i) =>
            Math.abs(x(point.x) - at) < Math.abs(x(corrected[best].x) - at) ? i : best, 0);
        const point = corrected[index];
        cursor.setAttribute("cx", x(point.x));
        cursor.setAttribute("cy", y(point.us));
        const lines = sides.map((side) => {
            const spectrum = step[side].spectrum;
            const found = spectrum.find(([percentile]) => percentile >= point.percentile);
            return `${isOpen ? side + " " : ""}${duration((found || spectrum[spectrum.length - 1])[1])}`;
        });
        return [`${point.percentile.toPrecision(6).replace(/\.?0+$/, "")} %`, ...lines.reverse()].join("\n");
    }, cursor);
}

function spectrumKey() {
    const key = byId("spectrum-key");
    const label = element("label", key, "step ");
    const select = element("select", label);
    for (const {step} of report.steps) element("option", select, step).selected = step === chosenStep;
    select.addEventListener("change", () => {
        chosenStep = select.value;
        attempt(drawSpectrum);
    });
    if (!isOpen) return;
    keyEntry(key, "corrected", "from the intended start (corrected)");
    keyEntry(key, "uncorrected", "from the actual start (uncorrected)");
}

// ---- In flight, and the server ----------------------------------------------------------------

// The axis goes up to `least` where nothing more was measured.
function drawSmall(id, name, values, words, least, bases, factor) {
    const plot = new Plot(id, 190, name, `${name} over the run`);
    const ticks = roundTicks(Math.max(...values, least), 3, bases, factor);
    const y = linearScale(0, ticks[ticks.length - 1], plot.bottom, plot.top);
    plot.yAxis(ticks, y, words);
    const x = plot.timeAxis();
    if (!values.length) return plot.nothing("no whole second");
    const points = middles(x, y, values);
    const ends = `V${plot.bottom}H${points[0][0].toFixed(1)}Z`;
    plot.mark("path", {class: "area", d: polyline(points) + ends});
    plot.line(points, "corrected");
    plot.timeTip(x, (i) => words(values[i]));
}

const drawInFlight = () =>
    drawSmall("in-flight", "sessions in flight", seconds.map((each) => each.in_flight), count, 2);
const drawServerCpu = () =>
    drawSmall("server-cpu", "server: processors in use", seconds.map((each) => each.server_cpu_seconds),
              (value) => String(Number(value.toPrecision(3))), 0.02);
const drawServerMemory = () =>
    drawSmall("server-memory", "server: memory", seconds.map((each) => each.server_memory_octets),
              axisOctets, 1024, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024], 1024);

function describeServer() {
    const server = report.server;
    for (const id of ["server-cpu", "server-memory", "server"]) byId(id).hidden = !server;
    if (!server) return;
    byId("use-title").textContent = "In flight, and what the server used";
    const costs = [["session", server.cpu_us_per_session], ["command", server.cpu_us_per_command],
                   ["message", server.cpu_us_per_message]].filter(([, us]) => us !== null);
    facts(byId("server"), [
        ["Server's CPU", `${server.cpu_seconds.toFixed(2)} s` + (costs.length ? ": " : "") +
            costs.map(([unit, us]) => `${duration(us)} a ${unit}`).join(", ")],
        ["Server's memory", `at most ${octets(server.memory_octets_max)}`],
        ["Context switches", `${count(server.voluntary_switches)} voluntary, ` +
            `${count(server.involuntary_switches)} involuntary`],
        ["Measured at", server.source]]);
}

// ---- Words -------------------------------------------------------------------------

function tile(list, name, value, small, isBad) {
    const box = element("div", list, "", isBad ? "bad" : "");
    element("dt", box, name);
    element("small", element("dd", box, value), small);
}

function tiles() {
    const list = byId("tiles");
    const {measured, faults, server} = report;
    const whole = report.steps.find((each) => each.step === "session");
    const asked = isOpen ? `of ${count(report.run.rate_per_second)} asked` : plural(report.run.connections, "connection");
    tile(list, "Sessions a second", count(measured.sessions_per_second), asked);
    const kind = isOpen ? "of a session, corrected" : "of a session";
    if (whole)
        for (const [name, key] of [["p50", "p50_us"], ["p99", "p99_us"], ["p99.9", "p99_9_us"]])
            tile(list, name, duration(whole.corrected[key]), kind);
    tile(list, "Faults", count(faults.total), `${percent(faults.share)} of ${count(measured.sessions_begun)} sessions`,
         faults.total > 0);
    if (server && server.cpu_us_per_session !== null)
        tile(list, "Server's CPU", duration(server.cpu_us_per_session), "a session");
}

function verdict() {
    const place = byId("verdict");
    const {faults, generator, measured} = report;
    const say = (strong, rest, isBad) => {
        element("strong", place, strong);
        place.append(` ${rest}`);
        place.classList.toggle("bad", isBad);
    };
    if (faults.wrong_answers > 0)
        say("The server answered wrongly", `in ${plural(faults.wrong_answers, "session")}; the run fails.`, true);
    else if (generator.own_fault)
        say("No result: the generator could not go on.", `${generator.fell_behind_cause}.`, true);
    else if (generator.fell_behind)
        say("No result: the generator fell behind.", `${generator.fell_behind_cause}. It, not the server, was the limit.`, true);
    else if (faults.total > 0)
        say(`${plural(faults.total, "session")} failed`, `(${percent(faults.share)}), none by a wrong answer.`, true);
    else if (measured.sessions_ended === 0)
        say("No result:", "no session ended while it was measured.", true);
    else
        say("No session failed,", "and every answer that was checked was right.", false);
}

function describe() {
    const {run, machine, measured, generator} = report;
    const title = `${run.profile} at ${run.target}`;
    document.title = `${title} - pop3load`;
    byId("maker").textContent = `${generator.name} ${generator.version}`;
    byId("title").textContent = title;
    const started = new Date(1000 * measured.started_unix_seconds).toISOString().replace("T", " ").slice(0, 16);
    const model = isOpen ? `open model, ${count(run.rate_per_second)} sessions/s` : `closed model, ${count(run.connections)} connections`;
    byId("summary").textContent = `${model}, ${count(measured.seconds)} s, ${started} UTC`;
    byId("command-line").textContent = run.command_line;
    const lag = generator.send_lag;
    facts(byId("facts"), [
        ["Work", `${count(measured.sessions_ended)} sessions, ${count(measured.commands)} commands, ` +
            `${count(measured.messages)} messages, ${octets(measured.octets)} received; ` +
            `${count(measured.bodies_verified)} bodies verified` +
            (measured.tls_handshakes ? `; ${count(measured.tls_handshakes)} TLS handshakes, ` +
                `${count(measured.tls_resumed)} resumed` : "")],
        ["Generator", `${percent(generator.cpu_share)} of ${plural(run.threads, "thread")}; send lag p50 ${duration(lag.p50_us)}, ` +
            `p99 ${duration(lag.p99_us)}, max ${duration(lag.max_us)}` +
            (generator.saturated ? "; it hardly ever had to wait for the server: what was reached may be its own limit" : "")],
        ["Machine", `${machine.processor}, ${count(machine.logical_processors)} logical processors, ` +
            `${octets(machine.memory_octets)}, ${machine.kernel}`],
        ["Seed", String(run.seed)]]);
    const key = byId("rate-key");
    keyEntry(key, "corrected", "sessions that ended well");
    if (isOpen) keyEntry(key, "asked", "sessions that were meant to begin");
    keyEntry(key, "fault", "faults");
}

// ---- All of it --------------------------------------------------------------------------------

function attempt(draw) {
    try {
        draw();
    } catch (error) {
        complain(`${draw.name}: ${error.message}`);
    }
}

const plots = [drawRate, drawHeat, drawSpectrum, drawInFlight];
if (report.server) plots.push(drawServerCpu, drawServerMemory);
[describe, verdict, tiles, describeServer, stageTable, stepTable, faultTable, spectrumKey, ...plots].forEach(attempt);
root.dataset.drawn = [...document.querySelectorAll("svg[data-plot]")].map((svg) => svg.dataset.plot).join(" ");

let drawnWidth = root.clientWidth;
const PAPER = 690;  // CSS pixels between the margins of A4
window.addEventListener("beforeprint", () => {
    shrink.factor = Math.min(1, PAPER / document.querySelector("main").clientWidth);
    plots.forEach(attempt);
});
window.addEventListener("afterprint", () => {
    shrink.factor = 1;
    plots.forEach(attempt);
});
window.addEventListener("resize", () => {
    if (root.clientWidth === drawnWidth) return;
    drawnWidth = root.clientWidth;
    requestAnimationFrame(() => plots.forEach(attempt));
});
