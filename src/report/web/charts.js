// SPDX-License-Identifier: MIT
// Draws the charts of each run from the data in the page, as SVG. All of a run share one time axis and
// one cursor. Nothing is fetched.
"use strict";
(() => {
const SVG = "http://www.w3.org/2000/svg";
const LEFT = 62, RIGHT = 10, BOTTOM = 22, LETTER = 6.7;
const data = JSON.parse(document.getElementById("data").textContent);

// ---- numbers as people read them ----

function ns(value) {
  if (value === null || value === undefined) return "–";
  for (const [unit, name] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]])
    if (value >= unit * 0.9995) {
      const v = value / unit;
      return v.toFixed(v < 9.995 ? 2 : v < 99.95 ? 1 : 0).replace(/\.0+$/, "") + " " + name;
    }
  return Math.round(value) + " ns";
}
const count = value => Math.round(value).toLocaleString("en-US");
const rate = value => value > 0 && value < 9.95 ? value.toFixed(1) : count(value);
const seconds = value => (Math.round(value * 1000) / 1000) + " s";

function short(value) {
  if (value >= 1e6) return +(value / 1e6).toPrecision(3) + "M";
  if (value >= 1e4) return +(value / 1e3).toPrecision(3) + "k";
  return String(+value.toPrecision(6));
}

// ---- SVG ----

function el(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}

function html(parent, name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}

function niceSteps(max, wanted) {
  const raw = max / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= raw * 0.999);
  const steps = [];
  for (let v = 0; v < max + step * 0.999; v += step) steps.push(v);
  return steps;
}

// ---- one chart ----

function linear(max) {
  const steps = niceSteps(Math.max(max, 1e-9), 4), top = steps[steps.length - 1];
  return {ticks: steps, at: v => v / top, label: short};
}

function logarithmic(min, max) {
  let low = 10 ** Math.floor(Math.log10(Math.max(min, 1)));
  let high = 10 ** Math.ceil(Math.log10(Math.max(max, 10)));
  if (high <= low) high = low * 10;
  const ticks = [];
  for (let v = low; v <= high * 1.001; v *= 10) ticks.push(v);
  const span = Math.log10(high / low);
  return {ticks, at: v => Math.max(0, Math.log10(Math.max(v, low) / low) / span), label: ns};
}

// The frame: grid, axes, phases and, behind all that is drawn later, the faults.
function frame(run, card, options) {
  const width = Math.max(280, card.clientWidth - 2 * parseFloat(getComputedStyle(card).paddingLeft));
  const top = options.top === undefined ? 30 : options.top;
  const height = options.height + top + (options.axis === false && !options.bottom ? 4 : BOTTOM);
  const svg = el(card, "svg", {viewBox: `0 0 ${width} ${height}`, height, role: "img", tabindex: 0,
                               "aria-label": options.label});
  el(svg, "title", {}, options.label);
  const box = {left: LEFT, right: width - RIGHT, top, bottom: top + options.height};
  const span = run.end - run.start || 1;
  const x = t => box.left + (t - run.start) / span * (box.right - box.left);
  const y = f => box.bottom - f * (box.bottom - box.top);
  const chart = {svg, box, x, y, run, card, width};
  faults(chart, options, top);
  for (const v of options.scale ? options.scale.ticks : []) {
    const at = y(options.scale.at(v));
    el(svg, "line", {class: "grid", x1: box.left, x2: box.right, y1: at, y2: at});
    el(svg, "text", {x: box.left - 8, y: at + 4, "text-anchor": "end"}, options.scale.label(v));
  }
  el(svg, "line", {class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom});
  if (options.axis !== false) timeAxis(chart);
  phases(chart, top >= 30);
  return chart;
}

function timeAxis(chart) {
  const {box, svg, run, x} = chart, span = run.end - run.start;
  for (const v of niceSteps(span, Math.max(2, (box.right - box.left) / 110))) {
    if (v > span * 1.0001) continue;
    const at = x(run.start + v), last = at > box.right - 14;
    el(svg, "line", {class: "axis", x1: at, x2: at, y1: box.bottom, y2: box.bottom + 4});
    el(svg, "text", {x: at, y: box.bottom + 17, "text-anchor": last ? "end" : "middle"}, seconds(v));
  }
}

function phases(chart, named) {
  const {svg, box, run, x} = chart;
  run.phases.forEach((p, i) => {
    if (i > 0)
      el(svg, "line", {class: "phase", x1: x(p.start), x2: x(p.start), y1: named ? 4 : box.top,
                       y2: box.bottom});
    if (named && (x(p.end) - x(p.start)) > p.name.length * 6 + 8)
      el(svg, "text", {x: x(p.start) + 5, y: 12}, p.name);
  });
}

// Windows of faults; the same fault on several nodes at about the same time is one.
function windowsOf(run, node) {
  const found = [], near = Math.max(0.3, (run.end - run.start) / 50);
  for (const f of run.faults) {
    if (node !== undefined && f.node !== node) continue;
    const same = found.find(w => w.text === f.text && Math.abs(w.start - f.start) < near &&
                                 Math.abs(w.end - f.end) < near);
    if (!same) {
      found.push({start: f.start, end: f.end, text: f.text, nodes: [f.name]});
      continue;
    }
    same.start = Math.min(same.start, f.start);
    same.end = Math.max(same.end, f.end);
    if (!same.nodes.includes(f.name)) same.nodes.push(f.name);
  }
  return found;
}

function faults(chart, options, top) {
  const {svg, box, run, x} = chart;
  let free = -Infinity;
  for (const w of windowsOf(run, options.node)) {
    const from = x(w.start), width = Math.max(1.5, x(w.end) - from);
    const band = el(svg, "rect", {class: "fault", x: from, y: box.top, width,
                                  height: box.bottom - box.top});
    el(band, "title", {}, `${w.text} on ${w.nodes.join(", ")}`);
    for (const at of [from, from + width])
      el(svg, "line", {class: "fault-edge", x1: at, x2: at, y1: box.top, y2: box.bottom});
    if (top < 30) continue;
    const text = `${w.text} · ${w.nodes.join(", ")}`, room = box.right - Math.max(from, box.left);
    const start = Math.max(from, free);
    const letters = Math.floor((box.right - start) / LETTER);
    if (letters < 12 || room < 60) continue;
    const cut = text.length > letters ? text.slice(0, letters - 1) + "…" : text;
    el(svg, "text", {class: "fault-text", x: start + 1, y: box.top - 5}, cut);
    free = start + cut.length * LETTER + 12;
  }
}

function line(chart, values, scale, colour, extra) {
  const {run, x, y, svg} = chart;
  let path = "", pen = false;
  const dots = [];
  values.forEach((v, i) => {
    if (v === null || v === undefined) { pen = false; return; }
    const px = x(run.mid[i]), py = y(scale.at(v));
    path += `${pen ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`;
    const alone = !pen && (values[i + 1] === null || values[i + 1] === undefined);
    pen = true;
    if (alone || values.length <= 40) dots.push([px, py]);
  });
  el(svg, "path", {class: "line", d: path, style: `stroke:${colour}`, ...extra});
  if (extra) return;
  for (const [cx, cy] of dots) el(svg, "circle", {cx, cy, r: 2, style: `fill:${colour}`});
}

// Between `low` and `high`, both in values per interval.
function area(chart, low, high, scale, colour, opacity) {
  const {run, x, y, svg} = chart;
  const at = (i, v) => `${x(run.mid[i]).toFixed(1)} ${y(scale.at(v)).toFixed(1)}`;
  const up = high.map((v, i) => at(i, v)), down = low.map((v, i) => at(i, v)).reverse();
  el(svg, "path", {d: `M${up.join("L")}L${down.join("L")}Z`, style: `fill:${colour}`, opacity});
}

function bars(chart, series, scale) {
  const {run, x, y, svg} = chart;
  run.mid.forEach((_, i) => {
    let sum = 0;
    const from = x(run.from[i]), width = Math.max(1, x(run.to[i]) - from - (run.mid.length < 200 ? 1 : 0));
    for (const s of series) {
      if (!s.values[i]) continue;
      const y0 = y(scale.at(sum)), y1 = y(scale.at(sum += s.values[i]));
      el(svg, "rect", {x: from, y: y1, width, height: Math.max(0.6, y0 - y1), style: `fill:${s.colour}`});
    }
  });
}

function cardOf(parent, title, series, note) {
  const card = html(parent, "figure", "card");
  card.style.margin = "14px 0";
  const head = html(card, "figcaption", "chart-head");
  const words = html(head, "div", "");
  html(words, "h3", "", title);
  if (note) html(words, "div", "soft", note).style.fontSize = "12px";
  const legend = html(head, "div", "legend");
  for (const s of series) {
    const entry = html(legend, "span", "");
    const swatch = html(entry, "i", s.mark || "");
    swatch.style.background = s.colour;
    swatch.style.borderColor = s.colour;
    entry.append(s.name);
  }
  return card;
}

// ---- the cursor of a run ----

function nearest(run, t) {
  let best = 0;
  run.mid.forEach((m, i) => { if (Math.abs(m - t) < Math.abs(run.mid[best] - t)) best = i; });
  return best;
}

function track(state, chart, rows) {
  const {svg, box, run} = chart;
  const cursor = el(svg, "line", {class: "cursor", y1: box.top, y2: box.bottom, visibility: "hidden"});
  state.cursors.push({cursor, x: chart.x});
  const show = i => {
    state.index = i;
    for (const c of state.cursors) {
      const at = c.x(run.mid[i]);
      c.cursor.setAttribute("x1", at);
      c.cursor.setAttribute("x2", at);
      c.cursor.setAttribute("visibility", "visible");
    }
    tip(state, chart, i, rows(i));
  };
  svg.addEventListener("pointermove", e => {
    const r = svg.getBoundingClientRect(), px = (e.clientX - r.left) * chart.width / r.width;
    const share = (px - box.left) / (box.right - box.left);
    show(nearest(run, run.start + Math.min(1, Math.max(0, share)) * (run.end - run.start)));
  });
  svg.addEventListener("pointerleave", () => hide(state));
  svg.addEventListener("blur", () => hide(state));
  svg.addEventListener("keydown", e => {
    const step = {ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9}[e.key];
    if (!step) return;
    e.preventDefault();
    show(Math.max(0, Math.min(run.mid.length - 1, (state.index === undefined ? -1 : state.index) + step)));
  });
}

function hide(state) {
  state.tip.hidden = true;
  for (const c of state.cursors) c.cursor.setAttribute("visibility", "hidden");
}

function tip(state, chart, i, rows) {
  const {run} = chart;
  const phase = run.phases.find(p => run.mid[i] >= p.start && run.mid[i] <= p.end);
  fillTip(state, chart, chart.x(run.mid[i]),
          `${seconds(run.from[i] - run.start)} – ${seconds(run.to[i] - run.start)}` +
          (phase ? `, ${phase.name}` : ""), rows);
}

function fillTip(state, chart, at, title, rows) {
  const {svg, box} = chart, t = state.tip;
  t.textContent = "";
  html(t, "b", "", title);
  const body = html(html(t, "table", ""), "tbody", "");
  for (const [name, value, colour] of rows) {
    const tr = html(body, "tr", ""), th = html(tr, "th", "");
    if (colour) html(th, "i", "").style.background = colour;
    th.append(name);
    html(tr, "td", "n", value);
  }
  t.hidden = false;
  const r = svg.getBoundingClientRect(), base = state.root.getBoundingClientRect();
  const scale = r.width / chart.width, left = r.left - base.left + at * scale;
  const right = left + t.offsetWidth + 24 < base.width;
  t.style.left = `${Math.max(0, right ? left + 14 : left - t.offsetWidth - 14)}px`;
  t.style.top = `${r.top - base.top + box.top * scale + 6}px`;
}

// ---- the charts ----

const colour = n => `var(--c${n % 8 + 1})`;

function goodput(state, run, root) {
  const series = [{name: "offered", colour: "var(--soft)", mark: "dash"},
                  {name: "succeeded", colour: "var(--c1)"}, {name: "failed", colour: "var(--bad)"}];
  const card = cardOf(root, "Goodput", series, "operations per second");
  const scale = linear(Math.max(...run.ok, ...run.failed, ...run.offered, 1));
  const chart = frame(run, card, {height: 170, scale, label: "Operations per second over time"});
  area(chart, run.ok.map(() => 0), run.ok, scale, "var(--c1)", 0.16);
  line(chart, run.offered, scale, "var(--soft)", {"stroke-dasharray": "5 4"});
  line(chart, run.ok, scale, "var(--c1)");
  line(chart, run.failed, scale, "var(--bad)");
  track(state, chart, i => [["offered", rate(run.offered[i]) + "/s", "var(--soft)"],
                            ["succeeded", rate(run.ok[i]) + "/s", "var(--c1)"],
                            ["failed", rate(run.failed[i]) + "/s", "var(--bad)"],
                            ["dropped", rate(run.dropped[i]) + "/s"]]);
}

// The most frequent kinds by name, what remains as one.
function kindsOf(run) {
  const sum = values => values.reduce((a, b) => a + b, 0);
  const kinds = Object.entries(run.kinds).map(([name, values]) => ({name, values}))
    .sort((a, b) => sum(b.values) - sum(a.values));
  const shown = kinds.slice(0, kinds.length > 8 ? 7 : 8);
  const rest = kinds.slice(shown.length);
  if (rest.length > 0)
    shown.push({name: `${rest.length} other kinds`,
                values: run.mid.map((_, i) => sum(rest.map(k => k.values[i])))});
  shown.forEach((s, i) => { s.colour = colour(i === 0 ? 1 : i === 1 ? 0 : i); });
  return shown;
}

function errors(state, run, root) {
  const series = kindsOf(run);
  const card = cardOf(root, "Errors by kind", series, "failed operations per second");
  if (series.length === 0) {
    html(card, "p", "soft", "No operation failed.");
    return;
  }
  const totals = run.mid.map((_, i) => series.reduce((a, s) => a + s.values[i], 0));
  const scale = linear(Math.max(...totals, 1));
  const chart = frame(run, card, {height: 130, scale, label: "Failed operations per second, by kind"});
  bars(chart, series, scale);
  track(state, chart, i => [...series.map(s => [s.name, rate(s.values[i]) + "/s", s.colour]),
                            ["total", rate(totals[i]) + "/s"]]);
}

function latency(state, run, root) {
  const series = ["p50", "p90", "p99", "p99.9", "max"].map((name, i) =>
    ({name, colour: `var(--l${i + 1})`, mark: "stroke", values: run.latency[name]}));
  const card = cardOf(root, "Latency", series, "service time of the successes, logarithmic");
  const all = series.flatMap(s => s.values).filter(v => v !== null);
  if (all.length === 0) {
    html(card, "p", "soft", "No operation succeeded.");
    return;
  }
  const scale = logarithmic(all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b)));
  const chart = frame(run, card, {height: 190, scale, label: "Latency percentiles over time"});
  for (const s of series) line(chart, s.values, scale, s.colour);
  track(state, chart, i => [...series].reverse().map(s => [s.name, ns(s.values[i]), s.colour]));
}

const STATES = {closed: "var(--closed)", "half-open": "var(--half)", open: "var(--open)",
                none: "var(--none)"};

// [{from, to, state, cause}] of one node.
function stretches(run, node) {
  const out = [];
  let from = run.start, state = node.breaker[0] === "none" ? "none" : "closed", cause = "";
  for (const t of run.transitions) {
    if (t.node !== node.index) continue;
    out.push({from, to: t.at, state, cause});
    [from, state, cause] = [t.at, t.to, t.cause];
  }
  out.push({from, to: run.end, state, cause});
  return out;
}

// Without the gaps that probes make: from when it opened until it closed.
function disturbed(found) {
  const out = [];
  for (const s of found) {
    if (s.state !== "open" && s.state !== "half-open") continue;
    const last = out[out.length - 1];
    if (last && last.to === s.from) last.to = s.to;
    else out.push({from: s.from, to: s.to});
  }
  return out;
}

function breakers(state, run, root) {
  const names = ["closed", "half-open", "open"].map(name => ({name, colour: STATES[name]}));
  const card = cardOf(root, "Circuit breakers", names, "state per node");
  const lane = 26, chart = frame(run, card, {height: run.nodes.length * lane, label:
    "State of each node's circuit breaker over time"});
  run.nodes.forEach((node, n) => {
    const top = chart.box.top + n * lane + 4;
    el(chart.svg, "text", {x: LEFT - 8, y: top + 13, "text-anchor": "end"}, node.name);
    const found = stretches(run, node);
    // Short ones last, so that a probe of a millisecond is still seen.
    for (const s of [...found].sort((a, b) => (b.to - b.from) - (a.to - a.from))) {
      const from = chart.x(s.from), width = Math.max(2.5, chart.x(s.to) - from);
      const bar = el(chart.svg, "rect", {x: from, y: top, width, height: lane - 8, rx: 2,
                                         style: `fill:${STATES[s.state]}`});
      el(bar, "title", {}, `${node.name} ${s.state} for ${seconds(s.to - s.from)}` +
         (s.cause ? `: ${s.cause}` : ""));
    }
    for (const s of disturbed(found)) {
      if (chart.x(s.to) - chart.x(s.from) > 60)
        el(chart.svg, "text", {class: "lane-text", x: chart.x(s.from) + 6, y: top + 13}, "open");
    }
  });
  const stateAt = (node, t) => {
    const found = stretches(run, node).find(s => t >= s.from && t <= s.to);
    return found ? found.state : "–";
  };
  track(state, chart, i => run.nodes.map(n => {
    const s = stateAt(n, run.to[i]);
    return [n.name, s, STATES[s]];
  }));
}

function pools(state, run, root) {
  const series = [{name: "in use", colour: "var(--c3)"}, {name: "idle", colour: "var(--closed)"},
                  {name: "operations waiting", colour: "var(--bad)", mark: "stroke"}];
  const card = cardOf(root, "Connection pools", series, "connections per node, at the end of each interval");
  const most = Math.max(...run.nodes.flatMap(n => [...n.total, ...n.waiting]), 1);
  run.nodes.forEach((node, n) => {
    const scale = linear(most), last = n === run.nodes.length - 1;
    scale.ticks = [0, scale.ticks[scale.ticks.length - 1]];
    const chart = frame(run, card, {height: 52, top: n === 0 ? undefined : 12, scale, axis: last, node: n,
                                    label: `Connections of ${node.name} over time`});
    el(chart.svg, "text", {x: 0, y: chart.y(0.5) + 4}, node.name);
    area(chart, node.total.map(() => 0), node.active, scale, "var(--c3)", 0.85);
    area(chart, node.active, node.total, scale, "var(--closed)", 0.75);
    if (node.waiting.some(v => v > 0)) line(chart, node.waiting, scale, "var(--bad)");
    track(state, chart, i => [["in use", count(node.active[i]), "var(--c3)"],
                              ["idle", count(node.total[i] - node.active[i]), "var(--closed)"],
                              ["waiting", count(node.waiting[i]), "var(--bad)"]]);
  });
}

// The higher the percentile, the wider it is drawn: 90 %, 99 %, 99.9 % at equal distances.
function spectrum(state, run, root) {
  const response = "response time, whole run";
  const curves = run.spectrum.map((c, i) => ({...c, mark: c.name === response ? "dash" : "stroke",
    colour: c.name === response ? "var(--soft)" : colour([0, 1, 2, 3, 4, 5, 6, 7][i % 8])}));
  if (curves.length === 0) return;
  const card = cardOf(root, "Latency spectrum", curves,
                      "service time by phase: this share of the successes was at most that slow");
  const values = curves.flatMap(c => c.points.map(p => p[1]));
  const scale = logarithmic(Math.min(...values), Math.max(...values));
  const most = Math.max(...curves.map(c => c.count), 10), decades = Math.ceil(Math.log10(most));
  const axis = {...run, start: 0, end: decades, phases: [], faults: []};
  const chart = frame(axis, card, {height: 190, top: 10, scale, axis: false, bottom: true,
                                   label: "Latency by percentile"});
  const x = share => chart.x(share >= 1 ? decades : Math.min(decades, -Math.log10(1 - share)));
  for (let d = 0; d <= decades; d++) {
    const text = d === 0 ? "0 %" : d === decades ? "max" : `${+(100 * (1 - 10 ** -d)).toFixed(6)} %`;
    el(chart.svg, "line", {class: "grid", x1: chart.x(d), x2: chart.x(d), y1: chart.box.top,
                           y2: chart.box.bottom});
    el(chart.svg, "text", {x: chart.x(d), y: chart.box.bottom + 17,
                           "text-anchor": d === decades ? "end" : "middle"}, text);
  }
  for (const c of curves) {
    const path = c.points.map(([share, v]) => `${x(share).toFixed(1)} ${chart.y(scale.at(v)).toFixed(1)}`);
    const dash = c.mark === "dash" ? {"stroke-dasharray": "5 4"} : {};
    el(chart.svg, "path", {class: "line", d: "M" + path.join("L"), style: `stroke:${c.colour}`, ...dash});
  }
  spectrumCursor(state, chart, curves, decades);
}

function spectrumCursor(state, chart, curves, decades) {
  const {svg, box} = chart;
  const cursor = el(svg, "line", {class: "cursor", y1: box.top, y2: box.bottom, visibility: "hidden"});
  const own = {...state, cursors: [{cursor, x: chart.x}], tip: state.tip};
  let position = 0;
  const show = d => {
    position = Math.max(0, Math.min(decades, d));
    const share = 1 - 10 ** -position, at = chart.x(position);
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
    cursor.setAttribute("visibility", "visible");
    const rows = curves.map(c => {
      const point = c.points.find(p => p[0] >= share) || c.points[c.points.length - 1];
      return [c.name, ns((position >= decades ? c.points[c.points.length - 1] : point)[1]), c.colour];
    });
    fillTip(state, chart, at, position >= decades ? "maximum" : `${(100 * share).toPrecision(5)} %`, rows);
  };
  svg.addEventListener("pointermove", e => {
    const r = svg.getBoundingClientRect(), px = (e.clientX - r.left) * chart.width / r.width;
    show((px - box.left) / (box.right - box.left) * decades);
  });
  svg.addEventListener("pointerleave", () => hide({...own, tip: state.tip}));
  svg.addEventListener("blur", () => hide({...own, tip: state.tip}));
  svg.addEventListener("keydown", e => {
    const step = {ArrowLeft: -0.1, ArrowRight: 0.1, Home: -99, End: 99}[e.key];
    if (!step) return;
    e.preventDefault();
    show(position + step);
  });
}

// ---- the page ----

function prepare(run) {
  const length = run.from.map((f, i) => run.to[i] - f || 1);
  const perSecond = values => values.map((v, i) => v / length[i]);
  run.mid = run.from.map((f, i) => (f + run.to[i]) / 2);
  for (const key of ["ok", "failed", "offered", "dropped"]) run[key] = perSecond(run[key]);
  for (const kind in run.kinds) run.kinds[kind] = perSecond(run.kinds[kind]);
  run.faults = run.faults.map(f => ({...f, end: f.end === null ? run.end : f.end,
                                     name: run.nodes[f.node] ? run.nodes[f.node].name : "-"}));
  run.nodes.forEach((n, i) => { n.index = i; });
}

function draw(root, run) {
  root.textContent = "";
  const state = {cursors: [], root};
  if (run.mid.length === 0) {
    html(root, "p", "soft", "The run was too short for charts: no interval ended.");
    return;
  }
  state.tip = html(root, "div", "tip");
  state.tip.hidden = true;
  for (const chart of [goodput, errors, latency, breakers, pools, spectrum]) chart(state, run, root);
}

document.querySelectorAll(".charts").forEach(root => {
  const run = data.runs[root.dataset.run], details = root.closest("details");
  let width = 0;
  prepare(run);
  const update = () => {
    if (!details.open || root.clientWidth === width) return;
    width = root.clientWidth;
    draw(root, run);
  };
  details.addEventListener("toggle", update);
  new ResizeObserver(update).observe(root);
  update();
});
document.documentElement.dataset.drawn = "yes";
})();
