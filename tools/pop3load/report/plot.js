"use strict";
// What the plots of report.js are made of: words, elements, scales, and an SVG with axes. The page
// runs this before it, as one script.

// <html data-errors> counts what went wrong, for whoever looks at the page from outside.
const root = document.documentElement;
const errors = [];
function complain(message) {
    errors.push(String(message));
    root.dataset.errors = errors.length;
    root.dataset.errorText = errors.join("; ");
}
root.dataset.errors = 0;
window.onerror = complain;

// JSON.md describes it.
const report = JSON.parse(document.getElementById("data").textContent);
const seconds = report.intervals;
const isOpen = report.run.model === "open";

// ---- Words ------------------------------------------------------------------------------------

function threeDigits(value) {
    if (value < 9.995) return value.toFixed(2);
    return value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

// The largest of [size, name] that `value` is at least one of.
function scaled(value, units) {
    const [size, name] = units.find(([each]) => value >= 0.9995 * each) || units[units.length - 1];
    const digits = name === "octets" ? String(Math.round(value)) : threeDigits(value / size);
    return `${digits}\u202f${name}`;
}

const TIMES = [[1e6, "s"], [1e3, "ms"], [1, "µs"], [1e-3, "ns"]];
const OCTETS = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "octets"]];
const duration = (us) => us === 0 ? "0" : scaled(us, TIMES);
const octets = (count) => count === 0 ? "0" : scaled(count, OCTETS);
const count = (value) => value.toLocaleString("en-US", {maximumFractionDigits: value < 100 ? 1 : 0});
const percent = (share) => share === 0 ? "0\u202f%" : `${(100 * share).toPrecision(2)}\u202f%`;
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
// Control characters would be invisible, or a box.
const visible = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f]/g,
    (each) => `\\x${each.charCodeAt(0).toString(16).padStart(2, "0")}`);
const axisDuration = (us) => duration(us).replace(/(\.\d*?)0+(?=\D)/, "$1").replace(/\.(?=\D)/, "");
const axisOctets = (value) => octets(value).replace(/\.0+(?=\D)/, "");

// ---- Elements ---------------------------------------------------------------------------------

const byId = (id) => document.getElementById(id);

function element(name, parent, text = "", className = "") {
    const made = parent.appendChild(document.createElement(name));
    if (text !== "") made.textContent = text;
    if (className) made.className = className;
    return made;
}

function shape(name, parent, attributes, text = "") {
    const made = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", name));
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== "") made.textContent = text;
    return made;
}

function facts(list, rows) {
    for (const [name, value] of rows) {
        element("dt", list, name);
        element("dd", list, value);
    }
}

// A line of a plot's key: a sample of the mark, then words.
function keyEntry(parent, className, words) {
    const entry = element("span", parent);
    const sample = shape("svg", entry, {width: 24, height: 10, "aria-hidden": true});
    const filled = /^(fault|heat)/.test(className);
    if (filled) shape("rect", sample, {class: className, width: 24, height: 10});
    else shape("path", sample, {class: `line ${className}`, d: "M1 5H23"});
    entry.append(words);
}

// ---- Scales -----------------------------------------------------------------------------------

function linearScale(from, to, low, high) {
    return (value) => low + (value - from) / (to - from) * (high - low);
}

function logScale(from, to, low, high) {
    const inner = linearScale(Math.log(from), Math.log(to), low, high);
    return (value) => inner(Math.log(Math.max(value, from)));
}

// 0 up to at least `max`, about `wanted` round steps.
function roundTicks(max, wanted, bases = [1, 2, 5, 10], factor = 10) {
    const rough = max / wanted;
    const power = factor ** Math.floor(Math.log(rough) / Math.log(factor));
    const step = power * (bases.find((base) => base * power >= rough * 0.999) || factor);
    const ticks = [];
    for (let i = 0; i === 0 || ticks[ticks.length - 1] < max; i++) ticks.push(i * step);
    return ticks;
}

function timeTicks(total, wanted) {
    const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
    const step = steps.find((each) => total / each <= wanted) || steps[steps.length - 1];
    return Array.from({length: Math.floor(total / step) + 1}, (_, i) => i * step);
}

function clock(second) {
    if (seconds.length <= 300) return String(second);
    return `${Math.floor(second / 60)}:${String(second % 60).padStart(2, "0")}`;
}

// Each decade, with 2 and 5 between where there are few.
function logTicks(from, to) {
    const decades = Math.log10(to / from);
    const inside = decades < 2.5 ? [1, 2, 5] : [1];
    const ticks = [];
    for (let power = Math.floor(Math.log10(from)); 10 ** power <= to; power++)
        for (const base of inside) ticks.push(base * 10 ** power);
    return ticks.filter((tick) => tick >= from * 0.999 && tick <= to * 1.001);
}

// ---- Plots ------------------------------------------------------------------------------------

const LEFT = 64, RIGHT = 14, TOP = 24, BOTTOM = 40;

// Of the width on the screen, what a plot is drawn for: less for paper, where it is scaled down.
const shrink = {factor: 1};

// An empty plot that fills the width of figure `id`. `name` says what the y axis has, with its unit.
class Plot {
    constructor(id, height, name, words) {
        this.figure = byId(id);
        this.figure.replaceChildren();
        const width = (this.figure.clientWidth || 1000) * shrink.factor;
        this.width = Math.max(220, Math.round(width));
        this.height = height;
        this.left = LEFT;
        this.right = this.width - RIGHT;
        this.top = TOP;
        this.bottom = height - BOTTOM;
        this.svg = shape("svg", this.figure, {viewBox: `0 0 ${this.width} ${height}`, role: "img",
                                              "aria-label": words, "data-plot": id});
        shape("text", this.svg, {x: 2, y: 12, class: "axis-name"}, name);
        this.marks = 0;
    }

    mark(name, attributes) {
        if (attributes.d === "") return null;
        this.marks++;
        this.svg.dataset.marks = this.marks;
        return shape(name, this.svg, attributes);
    }

    nothing(words) {
        shape("text", this.svg, {x: (this.left + this.right) / 2, y: (this.top + this.bottom) / 2,
                                 "text-anchor": "middle", class: "nothing"}, words);
    }

    yAxis(ticks, scale, words) {
        for (const tick of ticks) {
            const y = Math.round(scale(tick)) + 0.5;
            shape("path", this.svg, {class: "grid", d: `M${this.left} ${y}H${this.right}`});
            shape("text", this.svg, {x: this.left - 6, y: y + 4, "text-anchor": "end"}, words(tick));
        }
    }

    xAxis(ticks, scale, words, name) {
        const y = this.bottom + 0.5;
        shape("path", this.svg, {class: "base", d: `M${this.left} ${y}H${this.right}`});
        for (const tick of ticks) {
            const x = scale(tick);
            shape("path", this.svg, {class: "base", d: `M${Math.round(x) + 0.5} ${y}v4`});
            const overflows = x + 3.6 * words(tick).length > this.width;
            const anchor = overflows ? "end" : "middle";
            const at = overflows ? this.width : x;
            shape("text", this.svg, {x: at, y: this.bottom + 18, "text-anchor": anchor}, words(tick));
        }
        shape("text", this.svg, {x: (this.left + this.right) / 2, y: this.height - 6,
                                 "text-anchor": "middle", class: "axis-name"}, name);
    }

    // The seconds of the run; returns their scale.
    timeAxis() {
        const scale = linearScale(0, Math.max(1, seconds.length), this.left, this.right);
        const wanted = Math.max(2, Math.floor((this.right - this.left) / 70));
        this.xAxis(timeTicks(seconds.length, wanted), scale, clock,
                   seconds.length <= 300 ? "time, s" : "time, min:s");
        return scale;
    }

    line(points, className) {
        return this.mark("path", {class: `line ${className}`, d: polyline(points)});
    }

    // Shows `words(second)` and a cursor where the pointer is.
    timeTip(scale, words) {
        const cursor = shape("path", this.svg, {class: "cursor", hidden: ""});
        this.tip((x) => {
            const second = Math.floor((x - this.left) / (scale(1) - scale(0)));
            const clamped = Math.min(seconds.length - 1, Math.max(0, second));
            const at = Math.round(scale(clamped + 0.5)) + 0.5;
            cursor.setAttribute("d", `M${at} ${this.top}V${this.bottom}`);
            return `${clock(clamped)}${seconds.length <= 300 ? " s" : ""}\n${words(clamped)}`;
        }, cursor);
    }

    tip(wordsAt, cursor) {
        const tip = byId("tip");
        const area = shape("rect", this.svg, {class: "catch", x: this.left, y: this.top,
            width: this.right - this.left, height: this.bottom - this.top});
        area.addEventListener("pointermove", (event) => {
            const box = this.svg.getBoundingClientRect();
            const words = wordsAt((event.clientX - box.left) * this.width / box.width);
            tip.textContent = words;
            tip.hidden = false;
            cursor.removeAttribute("hidden");
            const left = Math.min(event.pageX + 14, window.scrollX + root.clientWidth - tip.offsetWidth - 4);
            tip.style.left = `${left}px`;
            tip.style.top = `${event.pageY + 14}px`;
        });
        area.addEventListener("pointerleave", () => {
            tip.hidden = true;
            cursor.setAttribute("hidden", "");
        });
    }
}

// A path through the points; null breaks it. A lone point is drawn as a dot.
function polyline(points) {
    let path = "";
    let isDown = false;
    points.forEach((point, i) => {
        if (point) {
            path += `${isDown ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
            if (!isDown && !points[i + 1]) path += "h0.01";
        }
        isDown = Boolean(point);
    });
    return path;
}

function middles(xScale, yScale, values) {
    return values.map((value, i) => value === null ? null : [xScale(i + 0.5), yScale(value)]);
}
