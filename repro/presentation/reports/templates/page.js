"use strict";
// Every text of a cell goes into the page as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const one = (query, parent = document) => parent.querySelector(query);
const all = (query, parent = document) => [...parent.querySelectorAll(query)];
const SVG = "http://www.w3.org/2000/svg";
const SIGNS = { clean: "✓", hang: "H", crash: "X", failing: "F", untestable: "U", backend: "B", error: "E", interrupted: "I" };
const text = index => index === -1 ? "(left out to keep this page small: see the evidence)" : data.texts[index];

function make(tag, content, parent, attributes = {}) {
  const made = document.createElement(tag);
  if (content !== undefined) made.textContent = content;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (parent) parent.append(made);
  return made;
}
function draw(tag, attributes, parent, content) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (content !== undefined) made.textContent = content;
  parent.append(made);
  return made;
}

// The filters. A row or a column without a visible cell goes too.
const filters = document.getElementById("filters"), table = document.getElementById("cells");
const tiles = all(".tile", table), rows = all("tbody tr", table);
function refilter() {
  const unwanted = new Map();
  for (const box of all("input", filters)) {
    if (!unwanted.has(box.dataset.factor)) unwanted.set(box.dataset.factor, new Set());
    if (!box.checked) unwanted.get(box.dataset.factor).add(box.value);
  }
  const lost = (name, level) => unwanted.has(name) && unwanted.get(name).has(level);
  for (const tile of tiles) {
    const cell = data.cells[tile.dataset.cell];
    tile.hidden = lost("verdict", cell.verdict) || data.factors.some((name, at) => lost(name, cell.levels[at]));
  }
  for (const row of rows) row.hidden = all(".tile", row).every(tile => tile.hidden);
  span();
  const left = visible();
  document.getElementById("count").textContent = `${left.length} of ${tiles.length} cells`;
  reach(left.includes(current) ? current : left[0]);
}
// A heading stands over all its rows; it is spanned again when some are hidden.
function span() {
  const seen = rows.filter(row => !row.hidden), open = [];
  for (const row of seen) {
    let fresh = false;
    all("th", row).forEach((head, at) => {
      fresh = fresh || !open[at] || open[at].textContent !== head.textContent;
      if (fresh) { open[at] = head; head.rowSpan = 1; head.classList.remove("spanned"); } else { open[at].rowSpan += 1; head.classList.add("spanned"); }
      head.hidden = !fresh && !narrow.matches;
      if (narrow.matches) head.classList.remove("spanned");
    });
  }
}
const narrow = matchMedia("(max-width: 46rem)");
narrow.addEventListener("change", () => span());
filters.addEventListener("change", refilter);
filters.addEventListener("reset", () => setTimeout(refilter));
filters.addEventListener("submit", event => event.preventDefault());

// The keyboard: one tile can be reached by Tab, the arrows go to its neighbours.
let current = null;
const visible = () => tiles.filter(tile => !tile.hidden);
function reach(tile) {
  if (current) current.tabIndex = -1;
  current = tile || null;
  if (current) current.tabIndex = 0;
}
function neighbour(tile, key) {
  const seen = visible(), at = seen.indexOf(tile), here = tile.getBoundingClientRect();
  if (key === "Home") return seen[0];
  if (key === "End") return seen[seen.length - 1];
  if (key === "ArrowRight") return seen[at + 1];
  if (key === "ArrowLeft") return seen[at - 1];
  const way = key === "ArrowDown" ? 1 : -1;
  const beyond = seen.filter(other => way * (other.getBoundingClientRect().top - here.top) > 4);
  const distance = other => { const box = other.getBoundingClientRect(); return Math.abs(box.top - here.top) * 4 + Math.abs(box.left - here.left); };
  return beyond.sort((a, b) => distance(a) - distance(b))[0];
}
table.addEventListener("keydown", event => {
  const tile = event.target.closest(".tile");
  if (!tile || !/^(Arrow|Home|End)/.test(event.key)) return;
  event.preventDefault();
  const next = neighbour(tile, event.key);
  if (next) { reach(next); next.focus(); }
});
table.addEventListener("click", event => {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  reach(tile);
  choose(event.shiftKey ? "right" : "left", Number(tile.dataset.cell));
  one(".body", document.getElementById(event.shiftKey ? "right" : "left")).focus({ preventScroll: false });
});

// The two sides.
const chosen = { left: null, right: null }, trialOf = { left: 0, right: 0 };
function choose(side, index) {
  chosen[side] = index;
  if (index !== null) trialOf[side] = Math.max(0, data.cells[index].trials.findIndex(trial => trial.verdict === "hang"));
  one(`select[data-side=${side}]`).value = index === null ? "" : index;
  for (const tile of tiles) tile.setAttribute("aria-pressed", Object.values(chosen).includes(Number(tile.dataset.cell)));
  show("left"); show("right");
}
for (const select of all("select[data-side]")) select.addEventListener("change", () => choose(select.dataset.side, select.value === "" ? null : Number(select.value)));

function show(side) {
  const body = one(".body", document.getElementById(side)), cell = data.cells[chosen[side]];
  body.replaceChildren();
  if (!cell) { make("p", "Choose a cell.", body, { class: "soft" }); return; }
  const other = data.cells[chosen[side === "left" ? "right" : "left"]], list = make("dl", undefined, body, { class: "facts" });
  const fact = (name, value, differs) => { make("dt", name, list); make("dd", value, list, differs ? { class: "differs" } : {}); };
  fact("verdict", `${SIGNS[cell.verdict] || "?"} ${cell.verdict}${cell.kind ? ` (${cell.kind})` : ""}`, other && other.verdict !== cell.verdict);
  fact("hung", cell.rate, false);
  fact("hazard", cell.hazard, false);
  data.factors.forEach((name, at) => fact(name, cell.levels[at], other && other.levels[at] !== cell.levels[at]));
  const row = make("div", undefined, body, { class: "trials", role: "group", "aria-label": "trials" });
  cell.trials.forEach((trial, at) => {
    const button = make("button", `${trial.n} ${SIGNS[trial.verdict] || "?"}`, row, { type: "button", class: trial.verdict, "aria-pressed": at === trialOf[side], "aria-label": `trial ${trial.n}: ${trial.verdict}` });
    button.addEventListener("click", () => { trialOf[side] = at; show(side); all(".trials button", body)[at].focus(); });
  });
  showTrial(cell.trials[trialOf[side]], body);
}
function showTrial(trial, body) {
  make("h3", `Trial ${trial.n}: ${trial.verdict}, ${trial.seconds} s`, body);
  make("p", text(trial.reason), body);
  if (trial.bound !== null) make("p", text(trial.bound), body);
  if (trial.timeline.ended.length) { chart(trial, make("div", undefined, body)); make("p", inWords(trial), body, { class: "soft" }); }
  if (trial.stacks.length) make("h3", "Stacks", body);
  trial.stacks.forEach((index, at) => {
    const parent = at < 2 ? body : make("details", undefined, body);
    if (at >= 2) make("summary", text(index).split("\n")[0].slice(0, 100), parent);
    make("pre", text(index), parent, { tabindex: 0 });
  });
  make("h3", "Evidence", body);
  const links = make("p", undefined, body);
  for (const [name, href] of trial.files) { make("a", name, links, { href, target: "_blank", rel: "noopener" }); links.append(" "); }
  if (!trial.files.length) links.textContent = trial.evidence ? `in ${trial.evidence} of the run's folder` : "none was kept";
  for (const refusal of trial.refused) make("p", refusal, body, { class: "soft" });
  make("pre", text(trial.command), body, { tabindex: 0 });
}
function inWords(trial) {
  const { ended, stuck, step } = trial.timeline, last = ended.length - 1 - [...ended].reverse().findIndex(value => value > 0);
  const parts = [`${trial.operations.ended} operations ended, at most ${Math.max(...ended)} in a second`];
  if (ended.some(value => value > 0) && last < ended.length - 1) parts.push(`the last at ${last * step} s`);
  if (trial.stuck) parts.push(`${trial.stuck[0]} of ${trial.stuck[1]} users stuck since second ${trial.since.toFixed(1)}`);
  return `${parts.join("; ")}.`;
}

// A chart: above the operations ended in each second, below the users stuck, upright the moment of the hang.
let patterns = 0;
function chart(trial, parent) {
  const { ended, stuck, step, alive } = trial.timeline, width = Math.max(260, parent.clientWidth), height = 208;
  const left = 44, right = width - 8, seconds = Math.max(ended.length * step, (trial.since || 0) + 1);
  const x = second => left + (right - left) * second / seconds;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": inWords(trial) }, parent);
  const hatch = `hatch-${patterns += 1}`, pattern = draw("pattern", { id: hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, draw("defs", {}, svg));
  draw("line", { x1: 0, x2: 0, y1: 0, y2: 6, class: "hatch" }, pattern);
  const part = (values, top, bottom, most, name) => {
    const y = value => bottom - (bottom - top) * value / most;
    draw("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "axis" }, svg);
    draw("text", { x: left - 6, y: top + 9, "text-anchor": "end" }, svg, most); draw("text", { x: left - 6, y: bottom, "text-anchor": "end" }, svg, 0);
    draw("text", { x: left, y: top - 5, class: "strong" }, svg, name);
    return values.map((value, at) => `${x(at * step)},${y(value)} ${x((at + 1) * step)},${y(value)}`).join(" ");
  };
  const most = Math.max(1, ...ended), crowd = Math.max(1, alive, ...stuck);
  const line = part(ended, 20, 92, most, "operations ended per second");
  draw("polygon", { points: `${x(0)},92 ${line} ${x(ended.length * step)},92`, class: "under" }, svg); draw("polyline", { points: line, class: "ended" }, svg);
  const area = part(stuck, 122, 182, crowd, "users stuck");
  if (stuck.some(value => value > 0)) draw("polygon", { points: `${x(0)},182 ${area} ${x(stuck.length * step)},182`, class: "stuck", fill: `url(#${hatch})` }, svg);
  const every = [1, 2, 5, 10, 20, 60, 120, 300, 600].find(value => seconds / value <= Math.max(4, width / 70)) || 1200;
  for (let second = 0; second <= seconds; second += every) draw("text", { x: x(second), y: 200, "text-anchor": "middle" }, svg, second ? second : "0 s");
  if (trial.since !== null) {
    draw("line", { x1: x(trial.since), x2: x(trial.since), y1: 10, y2: 184, class: "moment" }, svg);
    const late = trial.since > seconds / 2;
    draw("text", { x: x(trial.since) + (late ? -6 : 6), y: 137, "text-anchor": late ? "end" : "start", class: "strong moment-text" }, svg, `stuck since ${trial.since.toFixed(1)} s`);
  }
  ended.forEach((value, at) => {
    const span = draw("rect", { x: x(at * step), y: 10, width: x(step) - x(0), height: 174, "fill-opacity": 0 }, svg);
    draw("title", {}, span, `second ${at * step}: ${value} ended, ${stuck[at]} stuck`);
  });
}
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; show("left"); show("right"); } });

// To begin with: the first cell that hangs, and beside it the most alike that does not.
const like = (a, b) => a.levels.filter((level, at) => level === b.levels[at]).length;
const hung = data.cells.findIndex(cell => cell.verdict === "hang");
const first = hung >= 0 ? hung : data.cells.length ? 0 : null;
const others = data.cells.map((cell, at) => at).filter(at => at !== first && (hung < 0 || data.cells[at].verdict === "clean"));
others.sort((a, b) => like(data.cells[b], data.cells[first]) - like(data.cells[a], data.cells[first]) || Math.abs(a - first) - Math.abs(b - first));
refilter();
choose("left", first);
choose("right", others.length ? others[0] : null);
