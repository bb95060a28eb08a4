// @ts-check
"use strict";

// The list of cases: one row per case, one column per persona.

/** @type {any} */
let list = null;
let shownColumns = "";

/** Whether an answer differs from that under the baseline. @param {Place} place @param {Column} column @param {number} i */
function isFlipped(place, column, i) {
  return choice(place, column, i) !== choice(place, place.baseline, i);
}

/**
 * A mark: what it is of, in words, and whether it differs from the baseline's.
 * @param {string} look class @param {string} text @param {(string | null)[]} said
 * @param {string} sign @param {boolean} flipped @returns {HTMLElement}
 */
function markOf(look, text, said, sign, flipped) {
  const title = [...said, flipped ? "other than under the baseline" : ""].filter(Boolean).join(", ");
  const signs = sign + (flipped ? "≠" : "");
  return h(
    "span",
    { class: `mark ${look}${flipped ? " flip" : ""}`, title },
    text,
    signs ? h("span", { class: "sign" }, signs) : null,
  );
}

/** Look of a label: its shade, or none of its own. @param {Label} label */
function look(label) {
  return label.shade === null ? "plain" : `u${label.shade}`;
}

/** What an answer looks like in a cell, readable without colour. @param {Place} place @param {Column} column @param {number} i @returns {HTMLElement} */
function mark(place, column, i) {
  const { labels } = place.spec;
  if (place.measure) return judgedMark(place, column, i);
  const value = choice(place, column, i);
  const what = outcome(place, column, i);
  if (value === null) return markOf("none", "–", ["no answer"], "", false);
  const flipped = isFlipped(place, column, i);
  const label = labels[value];
  if (label) return markOf(look(label), label.mark, [label.title, what?.title ?? ""], what?.sign ?? "", flipped);
  const title = what?.title ?? "invalid";
  // A column is too narrow for the words; the legend has them, but for invalid answers in free text.
  const text = what?.sign && (labels.length || what.within !== "invalid") ? what.sign : title;
  return markOf(isInvalid(place, column, i) ? "bad" : "plain", text, [title], "", flipped);
}

/** What a judge says of an answer: what it does, or a rating. @param {Place} place @param {Column} column @param {number} i */
function judgedMark(place, column, i) {
  const value = index.judges[place.judge].actions ? choice(place, column, i) : null;
  const rating = column.data.judged[place.judge]?.[place.measure]?.[i];
  const rated = place.measure !== "action" && typeof rating === "number" ? (rating / 100).toFixed(1) : null;
  const does = value !== null ? index.actions[value] : rated === null ? "no verdict" : "";
  const said = [does, rated && `rating ${rated}`];
  return markOf(value === null ? "none" : `do${value}`, rated ?? does, said, "", isFlipped(place, column, i));
}

/** Title of the right answer to a case, where it has one. @param {Place} place @param {number} i @returns {string} */
function referenceOf(place, i) {
  return place.spec.labels[place.items.reference?.[i]]?.title ?? "–";
}

/** Title of the stratum of a case, where its set has any. @param {Place} place @param {number} i @returns {string} */
function stratumOf(place, i) {
  return place.spec.strata[place.items.stratum?.[i]]?.title ?? "–";
}

/** Width in pixels at which no word of a title is broken, and no mark. @param {string} title */
function titleWidth(title) {
  return Math.max(92, ...title.split(" ").map((word) => 26 + 7.5 * word.length));
}

/** A column of titles, sorted by their order. @param {string} title @param {string} field @param {(i: number) => string} text */
function titled(title, field, text) {
  const formatter = (/** @type {any} */ cell) => h("span", { dir: "auto" }, text(cell.getData().i));
  return { title, field, minWidth: 96, formatter };
}

/** Columns of the list. @param {Place} place */
function listColumns(place) {
  // An element: the library takes a text for HTML.
  const plain = (/** @type {any} */ cell) => h("span", { dir: "auto" }, cell.getValue());
  /** @type {any[]} */
  const columns = [
    {
      title: "Case",
      field: "id",
      frozen: window.innerWidth > 700,
      minWidth: 96,
      formatter: (/** @type {any} */ cell) =>
        h("a", { href: address({ ...state, case: cell.getValue() }) }, cell.getValue()),
    },
    ...(place.spec.reference
      ? [titled("Reference", "reference", (/** @type {number} */ i) => referenceOf(place, i))]
      : []),
    ...(place.spec.strata.length
      ? [titled(place.spec.stratum, "stratum", (/** @type {number} */ i) => stratumOf(place, i))]
      : []),
    ...Object.entries(place.task.raters ?? {}).map(([id, title]) => ({
      title,
      field: `rater_${id}`,
      minWidth: 80,
      formatter: (/** @type {any} */ cell) => {
        const value = cell.getValue();
        return h("span", {}, place.spec.labels[value]?.mark ?? "–");
      },
    })),
    ...place.columns.map((column, number) => ({
      title: nameOf(column.persona, column.wording),
      field: `p${number}`,
      width: titleWidth(nameOf(column.persona, column.wording)),
      cssClass: column.persona === state.persona ? "chosen" : "",
      formatter: (/** @type {any} */ cell) =>
        isTold(place.spec, place.judge)
          ? mark(place, column, cell.getData().i)
          : h("span", { class: "start", dir: "auto" }, column.data.start?.[cell.getData().i] ?? "–"),
    })),
  ];
  if (isTold(place.spec, place.judge)) {
    columns.push({
      title: "Disagree",
      field: "disagree",
      minWidth: titleWidth("Disagree"),
      headerTooltip: "Share of pairs of personas whose answers differ",
      formatter: (/** @type {any} */ cell) => percent(cell.getValue(), 0),
    });
  }
  if (place.spec.labels.length) {
    columns.push({
      title: "Lowest confidence",
      field: "lowest",
      minWidth: titleWidth("confidence"),
      headerTooltip: "Smallest probability of the likeliest label under any persona",
      formatter: (/** @type {any} */ cell) => percent(cell.getValue(), 0),
    });
  }
  columns.push({
    title: place.task.withheld ? "Text (withheld)" : "Text",
    field: "text",
    minWidth: 260,
    headerSort: false,
    formatter: plain,
  });
  return columns;
}

/** @param {Place} place @param {number[]} found */
function listRows(place, found) {
  return found.map((i) => {
    /** @type {Object<string, any>} */
    const row = {
      i,
      id: place.items.id[i],
      reference: place.items.reference?.[i] ?? place.items.stratum?.[i],
      stratum: place.items.stratum?.[i],
      disagree: disagreement(place, i),
      lowest: lowest(place, i),
      text: (place.items.case?.[i] ?? "–").slice(0, 90),
    };
    for (const id of Object.keys(place.task.raters ?? {})) row[`rater_${id}`] = place.items.raters[id].label[i];
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
  const seen = [place.judge, place.measure, state.persona];
  const key = [place.model, place.taskId, ...seen, ...place.columns.map((one) => one.key)];
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
  const columns = lookedAt(place, state);
  const who =
    rater !== null
      ? place.task.raters[rater]
      : state.persona
        ? nameOf(state.persona, columns[0].wording)
        : "any persona";
  const n = place.items.id.length;
  const without = countOf(place, columns, (column, i) => isInvalid(place, column, i));
  const kinds = place.spec.outcomes.filter((one) => one.within === "invalid");
  const apart = kinds
    .map((kind) => `${countOf(place, columns, (column, i) => outcome(place, column, i) === kind)} ${kind.title}`)
    .join(", ");
  const what = kinds.length ? `invalid (${apart})` : "without a verdict";
  byId("cases-count").textContent =
    `${share(found.length, n)} cases, ${Math.round(100 * index.confidence)}% Wilson interval; ` +
    `answers under ${who}: ${columns.length * n}` +
    (isTold(place.spec, place.judge) ? `, of these ${without} ${what}.` : ".");
}

/** How many answers are of some kind. @param {Place} place @param {Column[]} columns @param {(column: Column, i: number) => boolean} is */
function countOf(place, columns, is) {
  let number = 0;
  for (const column of columns) {
    for (let i = 0; i < place.items.id.length; i++) if (is(column, i)) number += 1;
  }
  return number;
}

/** What the marks of a list mean. @param {Place} place */
function legend(place) {
  const { labels, outcomes } = place.spec;
  const flipped = "≠ (framed) other than under the baseline";
  const signs = outcomes
    .filter((one) => one.sign && (labels.length || one.within !== "invalid"))
    .filter((one) => !outcomes.some((other) => other.within === one.id))
    .map((one) => `${one.sign} ${one.title}`);
  /** @type {Node[]} */
  const shown = labels.map((label) =>
    h(
      "span",
      {},
      h("span", { class: `mark ${look(label)}` }, label.mark),
      // What a label is called may be what it says.
      `${label.title === label.mark ? "" : ` ${label.title}`}${label.note ? ` (${label.note})` : ""}`,
    ),
  );
  if (labels.length || outcomes.length) shown.push(h("span", {}, [...signs, flipped].join(", ")));
  else if (place.measure && !index.judges[place.judge].actions)
    shown.push(h("span", {}, "The judge's rating of every answer, on its scale."));
  else if (place.measure)
    shown.push(
      h(
        "span",
        {},
        "What the answer does in the judge's view: ",
        ...index.actions.map((name, number) => h("span", { class: `mark do${number}` }, name)),
        ` ${flipped}`,
      ),
    );
  else shown.push(h("span", {}, "How every answer begins; nothing else is told of answers in free text."));
  byId("cases-legend").replaceChildren(...shown);
  notes(place);
}

/** What must be known of a task besides. @param {Place} place */
function notes(place) {
  const judge = index.judges[place.judge];
  const said = [];
  if (place.task.teaching) said.push("Teaching cases: author-written, not clinically validated.");
  if (place.task.withheld)
    said.push(
      `The texts of ${place.task.dataset} are left out: its licence (${place.task.licence}) does not let them be passed on for any purpose. Ids, labels and results are shown.`,
    );
  if (judge && judge.usable === false)
    said.push(`The judge ${judge.title} is NOT USABLE by its own rule: ${judge.note ?? ""}`);
  byId("cases-notes").textContent = said.join(" ");
}
