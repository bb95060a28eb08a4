// @ts-check
"use strict";

// The figures of the chosen model and task, drawn by Vega-Lite from rows of the tables.

/** @typedef {{line: string, name: string, wording: string, persona_group: string, hollow: boolean, guess: number | null, model_title: string}} Said */

// Heights in pixels: of a line, and of a figure without lines.
const LINE = 27;
const SQUARE = 320;

/** What a row is called in a figure. @param {Figure} figure @param {any} row */
function said(figure, row) {
  const task = index.tasks[row.task];
  const rated = index.rated[row.model];
  const wording = row.variant && row.variant !== "main" && !rated ? row.variant.replaceAll("_", " ") : "main";
  const name = rated ? (task.raters[row.persona] ?? row.persona) : nameOf(row.persona);
  const n = row.n ?? row.n_questions;
  const without = row.n_invalid ?? row.n_unjudged;
  const what = row.n_invalid === undefined ? "unjudged" : "invalid";
  const counts = `n ${n}, ${without ?? 0} ${what}`;
  const { labels } = task.answers;
  const label = (/** @type {string} */ id) => labels.find((one) => one.id === id)?.title ?? id;
  const group =
    row.subgroup === undefined ? null : `${task.groups[row.subgroup]?.title ?? row.subgroup}: ${row.group}`;
  return {
    ...row,
    line: `${group ?? name} (${counts})`,
    name,
    wording,
    model_title: index.models[row.model] ?? row.model,
    // Not `group`, which may be one of cases.
    persona_group: rated ?? index.groups[index.personas[row.persona]?.group],
    hollow: wording !== "main" || row.small === true,
    // Where every item has options of its own, a measure says it.
    guess: row.chance ?? (labels.length ? 1 / labels.length : null),
    reference_title: label(row.reference_level),
    answer_title: label(row.answer_level),
    source: figure.id,
  };
}

/** Rows that a figure shows. @param {Figure} figure @param {State} wanted @param {any[]} rows */
function drawnRows(figure, wanted, rows) {
  const order = Object.keys(index.personas);
  const other = figure.table === "subgroups" ? DEFAULTS.b : index.baseline;
  const persona = wanted.persona in index.personas ? wanted.persona : other;
  return rows
    .filter((row) => row.task === wanted.task)
    .filter((row) => !figure.known || row[figure.known] != null)
    .filter((row) =>
      figure.every_model
        ? row.model in index.models
        : row.model === wanted.model ||
          (row.model in index.rated && row.variant === "same_items" && !figure.one_persona),
    )
    .filter((row) => Object.entries(figure.where).every(([column, values]) => values.includes(row[column])))
    .filter(
      (row) =>
        figure.wordings ||
        row.model in index.rated ||
        row.variant === undefined ||
        row.variant === wanted.wording ||
        (row.variant === "main" && (row.persona === index.baseline || figure.where.variant)),
    )
    .filter((row) => !figure.one_persona || row.persona === persona)
    .filter((row) => figure.table !== "subgroups" || row.difference !== null)
    .sort((x, y) => order.indexOf(x.persona) - order.indexOf(y.persona))
    .map((row) => said(figure, row));
}

/** What stands above one drawing of a figure. @param {Figure} figure @param {any} row */
function panelTitle(figure, row) {
  return figure.by
    .map((column) => {
      const judge = index.judges[row.judge];
      if (column === "judge")
        return judge
          ? `${judge.title}${judge.usable === false ? " – NOT USABLE by its own rule" : ""}`
          : row.judge;
      const rating = judge?.ratings.find((one) => one.id === row.metric);
      return rating
        ? `${rating.title} (1–${judge.scale}, ${rating.better} is better)`
        : (index.metrics[row[column]] ?? row[column]);
    })
    .join(": ");
}

/** @type {any[]} */
let drawn = [];
let drawing = 0;

/** Draw all figures anew. */
async function showFigures() {
  const turn = ++drawing;
  const wanted = state;
  const box = byId("figures-list");
  for (const one of drawn) one.finalize();
  drawn = [];
  /** @type {HTMLElement[]} */
  const blocks = [];
  /** @type {{figure: Figure, rows: any[], target: HTMLElement}[]} */
  const jobs = [];
  for (const figure of index.figures) {
    const rows = drawnRows(figure, wanted, await rowsOf(figure.table));
    if (!rows.length || (figure.every_model && Object.keys(index.models).length < 2)) continue;
    /** @type {Map<string, any[]>} */
    const panels = new Map();
    for (const row of rows) {
      const key = panelTitle(figure, row);
      if (
        figure.by.includes("metric") &&
        row.judge &&
        !index.judges[row.judge]?.ratings.some((one) => one.id === row.metric)
      )
        continue;
      panels.set(key, [...(panels.get(key) ?? []), row]);
    }
    if (!panels.size) continue;
    const who = figure.one_persona ? ` Persona: ${nameOf(rows[0].persona)}.` : "";
    const block = h(
      "section",
      { class: "figure", id: `figure-${figure.id}`, "aria-label": figure.title },
      h("h3", {}, figure.title),
      h("p", { class: "caption" }, `${figure.caption}${who} ${countsOf(figure, rows)}`),
    );
    for (const [title, some] of panels) {
      const target = h("div", { class: "plot" });
      block.append(...(title ? [h("h4", {}, title)] : []), h("div", { class: "wide" }, target));
      jobs.push({ figure, rows: some, target });
    }
    blocks.push(block);
  }
  if (turn !== drawing) return;
  box.replaceChildren(...(blocks.length ? blocks : [h("p", {}, "This page draws no figure of this task. The figures of the study are in results/figures.")]));
  for (const { figure, rows, target } of jobs) {
    const view = await draw(figure, rows, target);
    if (turn !== drawing) {
      view.finalize();
      return;
    }
    drawn.push(view);
  }
  document.body.dataset.drawn = String(turn);
}

/** Cases, intervals and what is invalid, in a sentence. @param {Figure} figure @param {any[]} rows */
function countsOf(figure, rows) {
  if (!("low" in rows[0]) && !("accuracy_low" in rows[0]) && !("strength_low" in rows[0])) return "";
  const level = `${Math.round(100 * index.confidence)}%`;
  if (figure.every_model) return `Intervals (${level}), n and what is invalid are shown on hover.`;
  if (figure.table === "confusion")
    return `n = ${index.tasks[rows[0].task].n} cases; intervals (${level}) on hover.`;
  if (figure.table === "reliability")
    return `n = ${rows.reduce((sum, row) => sum + row.n, 0)} cases, ${rows[0].n_without_confidence} without a confidence; intervals are ${level}.`;
  return `Intervals are ${level}; n and what is invalid stand beside every line.`;
}

/** @param {Figure} figure @param {any[]} rows @param {HTMLElement} target */
async function draw(figure, rows, target) {
  const lines = new Set(rows.map((row) => row[figure.lines])).size;
  const height = figure.lines ? LINE * lines + 8 : SQUARE;
  const spec = { ...figure.spec, height, datasets: { rows } };
  // Expressions are interpreted: the page allows no text to become a program.
  const { view, finalize } = await /** @type {any} */ (window).vegaEmbed(target, spec, {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
  });
  view.addEventListener("click", (/** @type {any} */ _event, /** @type {any} */ item) => follow(item?.datum));
  const svg = target.querySelector("svg");
  if (svg) {
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", `${figure.title}: ${rows.length} rows of table ${figure.table}`);
    reachable(svg);
  }
  return { finalize };
}

/** @param {any} datum of a mark */
function follow(datum) {
  const link = datum?.source ? linkOf(datum) : null;
  if (link) location.hash = link;
}

/** Let marks be reached and followed by keyboard. @param {SVGElement} svg */
function reachable(svg) {
  // Lines of reference say nothing of their own.
  for (const mute of svg.querySelectorAll("[role=graphics-symbol]:not([aria-label])")) {
    mute.setAttribute("aria-hidden", "true");
  }
  for (const mark of svg.querySelectorAll("[role=graphics-symbol]")) {
    const datum = /** @type {any} */ (mark).__data__?.datum;
    // Once per row: the line behind a point says the same.
    if (!datum?.source || mark.closest(".mark-rule") || mark.closest(".mark-text")) continue;
    if (!linkOf(datum)) continue;
    mark.setAttribute("tabindex", "0");
    mark.setAttribute("role", "link");
    /** @type {SVGElement} */ (mark).addEventListener("keydown", (event) => {
      if (/** @type {KeyboardEvent} */ (event).key === "Enter") follow(datum);
    });
  }
}
