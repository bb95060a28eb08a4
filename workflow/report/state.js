// @ts-check
"use strict";

// What the address keeps: which model, task and persona a reader looks at, and through what filters.

/** @typedef {Object<string, string>} State */

// Of the address; a key that has its default is left out of it.
/** @type {State} */
const DEFAULTS = {
  suite: "",
  model: Object.keys(index.models)[0],
  task: Object.keys(index.tasks)[0],
  persona: "",
  wording: "main",
  judge: "",
  measure: "action",
  flip: "",
  grave: "",
  invalid: "",
  low: "",
  conf: "",
  from: "",
  below: "",
  out: "",
  act: "",
  ref: "",
  ans: "",
  cat: "",
  within: "",
  group: "",
  q: "",
  sort: "",
  case: "",
  a: index.baseline,
  b: Object.keys(index.personas).find((id) => id !== index.baseline) ?? index.baseline,
};

/** @type {State} */
let state = { ...DEFAULTS };

/** The tasks of a suite, or all. @param {string} suite */
function tasksOf(suite) {
  return index.suites[suite]?.tasks ?? Object.keys(index.tasks);
}

/** The address of a state. @param {State} wanted */
function address(wanted) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(DEFAULTS)) {
    const given = wanted[key] ?? value;
    if (given !== value) query.set(key, given);
  }
  const text = query.toString();
  return text ? `#cases?${text}` : "#cases";
}

/** The state that an address names; what the study does not have is left out. @param {string} hash */
function stateOf(hash) {
  const found = { ...DEFAULTS };
  // A page of a suite is its own address; what is looked at there has that of the cases.
  const at = hash.startsWith("#suite=") ? 0 : hash.indexOf("?");
  if (at < 0) return found;
  for (const [key, value] of new URLSearchParams(hash.slice(at + 1))) {
    if (key in DEFAULTS) found[key] = value;
  }
  if (!Object.hasOwn(index.suites, found.suite)) found.suite = "";
  if (!(found.model in index.models)) found.model = DEFAULTS.model;
  if (!tasksOf(found.suite).includes(found.task)) found.task = tasksOf(found.suite)[0];
  for (const key of ["persona", "a", "b"]) {
    const rater = key === "persona" && raterOf(found) !== null;
    if (!rater && !(found[key] in index.personas)) found[key] = DEFAULTS[key];
  }
  if (!index.confidences.includes(found.conf)) found.conf = "";
  return found;
}

// In the address, in front of the id of a rater in a persona's place.
const RATER = "rater:";

/** The rater whose labels a state asks for, else null. @param {State} wanted */
function raterOf(wanted) {
  const id = wanted.persona.startsWith(RATER) ? wanted.persona.slice(RATER.length) : "";
  return id in (index.tasks[wanted.task].raters ?? {}) ? id : null;
}

/** Where the answers behind a number are. @param {any} row of a table or figure */
function linkOf(row) {
  const task = index.tasks[row.task];
  if (!task) return null;
  // Of all records of a set more are counted than are asked about.
  const rated = row.model in index.rated && row.variant === "same_items";
  if (!rated && !(row.model in index.models)) return null;
  /** @type {State} */
  const wanted = { task: row.task };
  if (tasksOf(state.suite).includes(row.task)) wanted.suite = state.suite;
  if (rated) wanted.persona = RATER + row.persona;
  else wanted.model = row.model;
  if (!rated && row.persona in index.personas) {
    wanted.persona = row.persona;
    if (row.persona !== index.baseline) wanted.b = row.persona;
  }
  if (row.other in index.personas) [wanted.a, wanted.b] = [row.persona, row.other];
  if (row.variant && row.variant !== "same_items") wanted.wording = row.variant;
  if (row.judge in index.judges) wanted.judge = row.judge;
  const key = row.key ?? row.metric;
  const { labels, outcomes, strata, also } = task.answers;
  const counted = outcomes.find((outcome) => outcome.metric === key);
  // A bar of a drawing is the answers that are right; a number, all of them.
  if (counted && (key !== "accuracy" || row.key)) wanted.out = counted.id;
  else if (key === "accuracy" && row.against === "persona" && row.subgroup === undefined && !row.confidence)
    wanted.flip = "1";
  if (row.judge in index.judges) {
    if (index.actions.includes(key)) wanted.act = key;
    if (key === "over_refusal") [wanted.act, wanted.within] = ["refuse", "not_risky"];
    if (key === "unjudged_rate") wanted.invalid = "1";
    if (index.judges[row.judge].ratings.some((rating) => rating.id === key)) wanted.measure = key;
  }
  if (row.reference_level && labels.length) {
    wanted.ref = row.reference_level;
    wanted.ans = row.answer_level;
  }
  if (index.confidences.includes(row.confidence)) {
    wanted.conf = row.confidence;
    // Bins hold their lower edge, and the last one both; a curve, all that is at least as sure.
    wanted.from = String(row.lower ?? row.threshold ?? 0);
    if (row.upper < 1) wanted.below = String(row.upper);
  }
  if (row.subgroup !== undefined && task.groups[row.subgroup]) {
    const at = task.groups[row.subgroup].groups.indexOf(row.group);
    if (at >= 0) wanted.group = `${row.subgroup}:${at}`;
  }
  if ([...strata, ...also].some((one) => one.id === row.category)) wanted.cat = row.category;
  return address(wanted);
}
