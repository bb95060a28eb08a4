// @ts-check
"use strict";

// The explorer: the cases of a model and task under every persona, and what the address keeps.

/** @typedef {Object<string, string>} State */
/** @typedef {{persona: string, wording: string, key: string, data: any}} Column */
/**
 * @typedef {{task: Task, model: string, taskId: string, items: any, columns: Column[],
 *   baseline: Column, levels: Level[], judge: string, exact: any}} Place
 */

// Of the address; a key that has its default is left out of it.
/** @type {State} */
const DEFAULTS = {
  model: Object.keys(index.models)[0],
  task: Object.keys(index.tasks)[0],
  persona: "",
  wording: "main",
  judge: "",
  measure: "action",
  flip: "",
  under: "",
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
  group: "",
  q: "",
  sort: "",
  case: "",
  a: index.baseline,
  b: Object.keys(index.personas).find((id) => id !== index.baseline) ?? index.baseline,
};

/** @type {State} */
let state = { ...DEFAULTS };

/** @type {Object<string, string>} */
const OUTCOMES = { under: "under-triaged", over: "over-triaged", correct: "correct", invalid: "invalid" };
/** @type {Object<string, string>} */
const SIGNS = { under: "▼", over: "▲", correct: "✓" };

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
  const at = hash.indexOf("?");
  if (at < 0) return found;
  for (const [key, value] of new URLSearchParams(hash.slice(at + 1))) {
    if (key in DEFAULTS) found[key] = value;
  }
  if (!(found.model in index.models)) found.model = DEFAULTS.model;
  if (!(found.task in index.tasks)) found.task = DEFAULTS.task;
  for (const key of ["persona", "a", "b"]) {
    const rater = key === "persona" && raterOf(found) !== null;
    if (!rater && !(found[key] in index.personas)) found[key] = DEFAULTS[key];
  }
  if (!index.confidences.includes(found.conf)) found.conf = "";
  return found;
}

// In the address, in front of the id of a human rater in a persona's place.
const RATER = "human:";

/** The human rater whose labels a state asks for, else null. @param {State} wanted */
function raterOf(wanted) {
  const id = wanted.persona.startsWith(RATER) ? wanted.persona.slice(RATER.length) : "";
  return id in (index.tasks[wanted.task].raters ?? {}) ? id : null;
}

/** Where the answers behind a number are. @param {any} row of a table or figure */
function linkOf(row) {
  const task = index.tasks[row.task];
  if (!task) return null;
  // Of all records of a set more are counted than are asked about.
  const rated = row.model === "human" && row.variant === "same_items";
  if (!rated && !(row.model in index.models)) return null;
  /** @type {State} */
  const wanted = { task: row.task };
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
  if (key === "under_triage_rate") wanted.out = "under";
  if (key === "over_triage_rate") wanted.out = "over";
  if (key === "invalid_rate") wanted.out = "invalid";
  if (key === "accuracy" && row.key) wanted.out = "correct";
  else if (key === "accuracy" && row.difference !== undefined && row.subgroup === undefined && !row.confidence)
    wanted.flip = "1";
  if (row.judge in index.judges) {
    if (index.actions.includes(key)) wanted.act = key;
    if (key === "over_refusal") [wanted.act, wanted.cat] = ["refuse", "not_risky"];
    if (key === "unjudged_rate") wanted.invalid = "1";
    if (index.judges[row.judge].ratings.some((rating) => rating.id === key)) wanted.measure = key;
  }
  if (row.reference_level && task.levels) {
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
  if (row.category === "risky" || row.category in (task.categories ?? {})) wanted.cat = row.category;
  return address(wanted);
}

// --- what is there --------------------------------------------------------------------------

/** Everything that the list of cases needs. @param {State} wanted @returns {Promise<Place>} */
async function placeOf(wanted) {
  const task = index.tasks[wanted.task];
  const [items, cells, exact] = await Promise.all([
    load(`items/${wanted.task}`),
    load(`cells/${wanted.model}/${wanted.task}`),
    wanted.conf && task.levels ? load(`confidences/${wanted.model}/${wanted.task}`) : null,
  ]);
  const columns = Object.keys(index.personas).map((persona) => {
    // The baseline has no paraphrases: it stands beside those of others in its main wording.
    const wording = cells[`${persona}/${wanted.wording}`] ? wanted.wording : "main";
    const key = `${persona}/${wording}`;
    return { persona, wording, key, data: cells[key] };
  });
  const key = `${index.baseline}/main`;
  const baseline = { persona: index.baseline, wording: "main", key, data: cells[key] };
  const judges = judgesOf(wanted.model, wanted.task);
  const judge = judges.includes(wanted.judge) ? wanted.judge : (judges[0] ?? "");
  return {
    task,
    model: wanted.model,
    taskId: wanted.task,
    items,
    columns,
    baseline,
    judge,
    levels: task.levels ?? [],
    exact,
  };
}

/** @param {string} model @param {string} task */
function judgesOf(model, task) {
  return Object.keys(index.judges).filter((id) => index.judges[id].places.includes(`${model}/${task}`));
}

/** The wordings that a study has. */
function wordingsOf() {
  return [...new Set(Object.values(index.personas).flatMap((persona) => Object.keys(persona.texts)))];
}

/** What a persona's answer is called: a level, or what it does. @param {Place} place @param {Column} column @param {number} i @returns {number | null} */
function choice(place, column, i) {
  if (place.levels.length) return column.data.label[i];
  return column.data.judged[place.judge]?.action?.[i] ?? null;
}

/** Whether an answer is the reference, less or more urgent, or none. @param {Place} place @param {Column} column @param {number} i */
function outcome(place, column, i) {
  const [answer, reference] = [column.data.label[i], place.items.reference[i]];
  if (answer === null) return "";
  if (answer < 0) return "invalid";
  return answer > reference ? "under" : answer < reference ? "over" : "correct";
}

/** Whether an answer has no label, or lacks a verdict. @param {Place} place @param {Column} column @param {number} i */
function isInvalid(place, column, i) {
  if (place.levels.length) return column.data.label[i] === -1;
  const verdicts = column.data.judged[place.judge];
  return !verdicts || Object.values(verdicts).some((/** @type {any} */ values) => values[i] === null);
}

/** Whether a confidence, in full precision, is within the bounds of a number. @param {Place} place @param {Column} column @param {number} i @param {State} wanted */
function isAsSure(place, column, i, wanted) {
  const value = place.exact?.[column.key]?.[wanted.conf]?.[i] ?? null;
  if (value === null || value < Number(wanted.from)) return false;
  return !wanted.below || value < Number(wanted.below);
}

/** Share of pairs of personas whose answers differ. @param {Place} place @param {number} i */
function disagreement(place, i) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  let n = 0;
  for (const column of place.columns) {
    const value = choice(place, column, i);
    if (value === null) continue;
    counts.set(value, (counts.get(value) ?? 0) + 1);
    n += 1;
  }
  if (n < 2) return null;
  let same = 0;
  for (const count of counts.values()) same += count * (count - 1);
  return 1 - same / (n * (n - 1));
}

/** Lowest confidence under any persona. @param {Place} place @param {number} i */
function lowest(place, i) {
  const known = place.columns
    .map((column) => column.data.confidence?.[i])
    .filter((value) => typeof value === "number");
  return known.length ? Math.min(...known) / 1000 : null;
}

/** Whether all filters of an answer hold. @param {Place} place @param {Column} column @param {number} i @param {State} wanted */
function holds(place, column, i, wanted) {
  const answer = choice(place, column, i);
  const triage = place.levels.length > 0;
  if (wanted.flip && answer === choice(place, place.baseline, i)) return false;
  if (wanted.under) {
    const urgent = triage
      ? place.levels[place.items.reference[i]].high && outcome(place, column, i) === "under"
      : !place.task.categories?.[place.items.category[i]].benign &&
        answer === index.actions.indexOf("accept");
    if (!urgent) return false;
  }
  if (wanted.invalid && !isInvalid(place, column, i)) return false;
  if (triage) {
    const confidence = column.data.confidence[i];
    if (wanted.low && !(confidence !== null && confidence / 1000 <= Number(wanted.low))) return false;
    if (wanted.conf && !isAsSure(place, column, i, wanted)) return false;
    if (wanted.out && outcome(place, column, i) !== wanted.out) return false;
    if (wanted.ans) {
      const id = answer === null ? "" : answer < 0 ? "invalid" : place.levels[answer].id;
      if (id !== wanted.ans) return false;
    }
  } else if (wanted.act && (answer === null || index.actions[answer] !== wanted.act)) return false;
  return true;
}

/** Whether filters of the case hold. @param {Place} place @param {number} i @param {State} wanted */
function isAbout(place, i, wanted) {
  if (wanted.ref && place.levels[place.items.reference?.[i]]?.id !== wanted.ref) return false;
  if (wanted.cat && place.items.category) {
    const category = place.items.category[i];
    const benign = Boolean(place.task.categories?.[category]?.benign);
    const whole = { risky: !benign, not_risky: benign }[wanted.cat];
    if (!(whole ?? category === wanted.cat)) return false;
  }
  if (wanted.group) {
    const [id, group] = wanted.group.split(":");
    if (place.items.groups?.[id]?.[i] !== Number(group)) return false;
  }
  return true;
}

/** The columns that filters are about. @param {Place} place @param {State} wanted @returns {Column[]} */
function lookedAt(place, wanted) {
  const rater = raterOf(wanted);
  if (rater !== null) {
    const data = { label: place.items.human[rater], confidence: [] };
    return [{ persona: wanted.persona, wording: "main", key: "", data }];
  }
  return place.columns.filter((column) => !wanted.persona || column.persona === wanted.persona);
}

/**
 * The cases that pass all filters, and texts of a search.
 * @param {Place} place @param {State} wanted @param {Searched | null} texts
 */
function chosen(place, wanted, texts) {
  const looked = lookedAt(place, wanted);
  const needle = wanted.q.trim().toLowerCase();
  const found = [];
  for (let i = 0; i < place.items.id.length; i++) {
    if (!isAbout(place, i, wanted)) continue;
    const told = !needle || !texts || texts.cases[i].includes(needle);
    const said = (/** @type {Column} */ column) => told || texts.answers[column.key]?.[i].includes(needle);
    if (looked.some((column) => said(column) && holds(place, column, i, wanted))) found.push(i);
  }
  return found;
}

/**
 * In lower case, by item: its id and text, and the answers under every persona and wording.
 * @typedef {{cases: string[], answers: Object<string, string[]>}} Searched
 */
/** @type {Map<string, Promise<Searched>>} */
const searched = new Map();

/** What a search looks in: id, case and all answers of the chosen model. @param {Place} place */
function textsOf(place) {
  const key = `${place.model}/${place.taskId}`;
  const known = searched.get(key);
  if (known) return known;
  const found = (async () => {
    const n = place.items.id.length;
    const blocks = await Promise.all(
      Array.from({ length: Math.ceil(n / index.block) }, (_, k) => load(`answers/${key}/${k}`)),
    );
    const cases = place.items.id.map((/** @type {string} */ id, /** @type {number} */ i) =>
      `${id}\n${place.items.case?.[i] ?? ""}`.toLowerCase(),
    );
    /** @type {Object<string, string[]>} */
    const answers = {};
    for (const { answers: some } of blocks) {
      for (const [name, { text }] of Object.entries(some)) {
        const lower = text.map((/** @type {string | null} */ one) => (one ?? "").toLowerCase());
        answers[name] = (answers[name] ?? []).concat(lower);
      }
    }
    return { cases, answers };
  })();
  searched.set(key, found);
  found.catch(() => searched.delete(key));
  return found;
}

// --- the list -------------------------------------------------------------------------------

/** @type {any} */
let list = null;
let shownColumns = "";

/** What an answer looks like in a cell: its label and marks, readable without colour. @param {Place} place @param {Column} column @param {number} i @returns {HTMLElement} */
function mark(place, column, i) {
  const value = choice(place, column, i);
  const flipped = value !== choice(place, place.baseline, i);
  if (!place.levels.length) {
    const verdicts = column.data.judged[place.judge];
    const rating = verdicts?.[state.measure]?.[i];
    const rated = state.measure !== "action" && typeof rating === "number" ? (rating / 100).toFixed(1) : null;
    const does = value !== null ? index.actions[value] : rated === null ? "no verdict" : "";
    const said = [does, rated && `rating ${rated}`, flipped && "other than under the baseline"];
    return h(
      "span",
      {
        class: `mark ${value === null ? "none" : `do${value}`}${flipped ? " flip" : ""}`,
        title: said.filter(Boolean).join(", "),
      },
      rated ?? does,
      flipped ? h("span", { class: "sign" }, "≠") : null,
    );
  }
  if (value === null) return h("span", { class: "mark none", title: "no answer" }, "–");
  const how = outcome(place, column, i);
  const sign = SIGNS[how] ?? "";
  const label = value < 0 ? "invalid" : place.levels[value].label;
  const step = value < 0 ? "bad" : `u${Math.round((5 * value) / Math.max(1, place.levels.length - 1))}`;
  const said = [
    value < 0 ? "invalid" : place.levels[value].title,
    value < 0 ? "" : OUTCOMES[how],
    flipped ? "other than under the baseline" : "",
  ];
  return h(
    "span",
    { class: `mark ${step}${flipped ? " flip" : ""}`, title: said.filter(Boolean).join(", ") },
    label,
    h("span", { class: "sign" }, sign + (flipped ? "≠" : "")),
  );
}

/** @param {Place} place @param {number} i */
function referenceOf(place, i) {
  if (place.levels.length) return place.levels[place.items.reference[i]].title;
  return place.task.categories?.[place.items.category[i]].title ?? place.items.category[i];
}

/** Width in pixels at which no word of a title is broken, and no mark. @param {string} title */
function titleWidth(title) {
  return Math.max(92, ...title.split(" ").map((word) => 26 + 7.5 * word.length));
}

/** Columns of the list. @param {Place} place */
function listColumns(place) {
  // An element: the library takes a text for HTML.
  const plain = (/** @type {any} */ cell) => h("span", { dir: "auto" }, cell.getValue());
  const columns = [
    {
      title: "Case",
      field: "id",
      frozen: window.innerWidth > 700,
      minWidth: 96,
      formatter: (/** @type {any} */ cell) =>
        h("a", { href: address({ ...state, case: cell.getValue() }) }, cell.getValue()),
    },
    {
      title: place.levels.length ? "Reference" : "Category",
      field: "reference",
      minWidth: 96,
      formatter: (/** @type {any} */ cell) => h("span", {}, cell.getData().referenceTitle),
    },
    ...Object.entries(place.task.raters ?? {}).map(([id, title]) => ({
      title,
      field: `human_${id}`,
      minWidth: 80,
      formatter: (/** @type {any} */ cell) => {
        const value = cell.getValue();
        return h("span", {}, value === null || value < 0 ? "–" : place.levels[value].label);
      },
    })),
    ...place.columns.map((column, number) => ({
      title: nameOf(column.persona, column.wording),
      field: `p${number}`,
      width: titleWidth(nameOf(column.persona, column.wording)),
      cssClass: column.persona === state.persona ? "chosen" : "",
      formatter: (/** @type {any} */ cell) => mark(place, column, cell.getData().i),
    })),
    {
      title: "Disagree",
      field: "disagree",
      minWidth: titleWidth("Disagree"),
      headerTooltip: "Share of pairs of personas whose answers differ",
      formatter: (/** @type {any} */ cell) => percent(cell.getValue(), 0),
    },
  ];
  if (place.levels.length) {
    columns.push({
      title: "Lowest confidence",
      field: "lowest",
      minWidth: titleWidth("confidence"),
      headerTooltip: "Smallest probability of the likeliest label under any persona",
      formatter: (/** @type {any} */ cell) => percent(cell.getValue(), 0),
    });
  }
  columns.push(
    /** @type {any} */ ({
      title: place.task.withheld ? "Text (withheld)" : "Text",
      field: "text",
      minWidth: 260,
      headerSort: false,
      formatter: plain,
    }),
  );
  return columns;
}

/** @param {Place} place @param {number[]} found */
function listRows(place, found) {
  return found.map((i) => {
    /** @type {Object<string, any>} */
    const row = {
      i,
      id: place.items.id[i],
      reference: place.items.reference?.[i] ?? place.items.category?.[i],
      referenceTitle: referenceOf(place, i),
      disagree: disagreement(place, i),
      lowest: lowest(place, i),
      text: (place.items.case?.[i] ?? "–").slice(0, 90),
    };
    for (const id of Object.keys(place.task.raters ?? {})) row[`human_${id}`] = place.items.human[id][i];
    place.columns.forEach((column, number) => {
      row[`p${number}`] = choice(place, column, i);
    });
    return row;
  });
}

/** @type {Object<string, string[]>} */
const SORTS = {
  "": ["i", "asc"],
  disagree: ["disagree", "desc"],
  confidence: ["lowest", "asc"],
  reference: ["reference", "asc"],
};

/** Which of two values comes first; what is unknown comes last. @param {any} x @param {any} y @param {number} sign */
function inOrder(x, y, sign) {
  if (x === y) return 0;
  if (x === null || y === null) return x === null ? sign : -sign;
  return x < y ? -1 : 1;
}

/** Show the list that the state asks for. */
async function showList() {
  const wanted = state;
  const place = await placeOf(wanted);
  let texts = null;
  if (wanted.q.trim()) {
    byId("cases-count").textContent = "Searching the answers …";
    texts = await textsOf(place);
  }
  if (wanted !== state) return;
  const found = chosen(place, wanted, texts);
  count(place, found);
  legend(place);
  const rows = listRows(place, found);
  const [field, order] = SORTS[wanted.sort] ?? SORTS[""];
  const sign = order === "asc" ? 1 : -1;
  rows.sort((x, y) => sign * inOrder(x[field], y[field], sign) || x.i - y.i);
  // Columns are made anew where they are others, which takes longer than new rows.
  const key = [place.model, place.taskId, place.judge, state.persona, ...place.columns.map((one) => one.key)];
  const columns = key.join() === shownColumns ? null : listColumns(place);
  shownColumns = key.join();
  if (list && !columns) {
    list.clearSort();
    await list.replaceData(rows);
    return;
  }
  list?.destroy();
  list = makeTable(byId("cases-list"), `Cases of ${place.task.title}`, {
    data: rows,
    columns,
    paginationSize: 25,
  });
}

/** How many cases, in words. @param {Place} place @param {number[]} found */
function count(place, found) {
  const rater = raterOf(state);
  const who =
    rater !== null
      ? place.task.raters?.[rater]
      : state.persona
        ? nameOf(state.persona, lookedAt(place, state)[0].wording)
        : "any persona";
  const n = place.items.id.length;
  const columns = lookedAt(place, state);
  let without = 0;
  for (const column of columns) {
    for (let i = 0; i < n; i++) {
      if (isInvalid(place, column, i)) without += 1;
    }
  }
  const what = place.levels.length ? "invalid" : "without a verdict";
  byId("cases-count").textContent =
    `${share(found.length, n)} cases, ${Math.round(100 * index.confidence)}% Wilson interval; ` +
    `answers under ${who}: ${columns.length * n}, of these ${without} ${what}.`;
}

/** @param {Place} place */
function legend(place) {
  const shown = place.levels.length
    ? place.levels
        .map((level, number) =>
          h(
            "span",
            {},
            h(
              "span",
              { class: `mark u${Math.round((5 * number) / Math.max(1, place.levels.length - 1))}` },
              level.label,
            ),
            ` ${level.title}${level.high ? " (high acuity)" : ""}`,
          ),
        )
        .concat([
          h(
            "span",
            {},
            "✓ as the reference, ▼ less urgent, ▲ more urgent, ≠ (framed) other than under the baseline",
          ),
        ])
    : [
        h(
          "span",
          {},
          "What the answer does in the judge's view: ",
          ...index.actions.map((name, number) => h("span", { class: `mark do${number}` }, name)),
          " ≠ (framed) other than under the baseline",
        ),
      ];
  byId("cases-legend").replaceChildren(...shown);
  const judge = index.judges[place.judge];
  const notes = [];
  if (place.task.teaching) notes.push("Teaching cases: author-written, not clinically validated.");
  if (place.task.withheld)
    notes.push(
      `The texts of ${place.task.dataset} are left out: its licence (${place.task.licence}) does not let them be passed on for any purpose. Ids, labels and results are shown.`,
    );
  if (judge && judge.usable === false)
    notes.push(`The judge ${judge.title} is NOT USABLE by its own rule: ${judge.note ?? ""}`);
  byId("cases-notes").textContent = notes.join(" ");
}
