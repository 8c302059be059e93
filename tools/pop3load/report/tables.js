// The tables of the report: of --find-max and --stages all runs, the steps, the faults.

// What has words in its last column has them to the left.
function tableWithWords(place, names, words) {
    const table = element("table", byId(place));
    const head = element("tr", element("thead", table));
    for (const name of names) element("th", head, name);
    element("th", head, words, "words").style.textAlign = "left";
    return element("tbody", table);
}

function stageTable() {
    byId("stages-section").hidden = !report.stages;
    if (!report.stages) return;
    const body = tableWithWords("stages", ["asked/s", "reached/s", "p50", "p99", "p99.9", "faults"], "holds");
    for (const stage of report.stages) {
        const row = element("tr", body);
        const isProbe = stage.rate_per_second === null;
        element("th", row, isProbe ? "all it does" : count(stage.rate_per_second)).scope = "row";
        element("td", row, count(stage.sessions_per_second));
        for (const key of ["p50_us", "p99_us", "p99_9_us"]) element("td", row, duration(stage[key]));
        element("td", row, count(stage.faults));
        const holds = stage.holds ? "yes" : `no: ${visible(stage.why_not)}`;
        element("td", row, isProbe ? "closed model" : holds, "words");
    }
}

const COLUMNS = [["p50", "p50_us"], ["p90", "p90_us"], ["p99", "p99_us"], ["p99.9", "p99_9_us"], ["max", "max_us"]];

function stepTable() {
    const table = element("table", byId("steps"));
    const head = element("thead", table);
    const sides = isOpen ? ["corrected", "uncorrected"] : ["corrected"];
    const groups = element("tr", head);
    element("th", groups);
    element("th", groups);
    for (const side of sides) {
        const title = isOpen ? (side === "corrected" ? "from the intended start (corrected)"
                                                     : "from the actual start (uncorrected)") : "latency";
        element("th", groups, title, "group first-of-group").colSpan = COLUMNS.length;
    }
    const names = element("tr", head);
    element("th", names, "step");
    element("th", names, "count");
    for (const _ of sides)
        COLUMNS.forEach(([name], i) => element("th", names, name, i ? "" : "first-of-group"));
    const body = element("tbody", table);
    for (const step of report.steps) {
        const row = element("tr", body, "", step.step === "session" ? "whole" : "");
        element("th", row, step.step).scope = "row";
        element("td", row, count(step.corrected.count));
        for (const side of sides)
            COLUMNS.forEach(([, key], i) => element("td", row, duration(step[side][key]), i ? "" : "first-of-group"));
    }
    byId("steps-note").textContent = isOpen
        ? "Corrected latency counts from when the step was meant to begin, so a stall is seen by every " +
          "session it delayed; uncorrected, from when it did begin."
        : "Closed model: a new session begins when one ends, so a stall of the server also delays the " +
          "sessions that would have measured it. Use an open model (--rate) to judge latency.";
}

function faultTable() {
    byId("faults-section").hidden = report.faults.total === 0;
    if (report.faults.total === 0) return;
    const body = tableWithWords("faults", ["kind", "count"], "first example");
    for (const fault of report.faults.kinds) {
        const row = element("tr", body);
        element("th", row, fault.kind).scope = "row";
        element("td", row, count(fault.count), fault.wrong_answer ? "bad" : "");
        element("td", row, (fault.wrong_answer ? "Wrong answer: " : "") + visible(fault.example), "words");
    }
}
