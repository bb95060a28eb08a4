// @ts-check
"use strict";

// A suite alone: its tests, and of the page what can be of one suite.

/**
 * @typedef {{mark: string, model: string, task: string, persona: string, who: string, variant: string,
 *   metric: string, confidence: string | null, measure: string, judge: string | null,
 *   difference: number, shown: string, n: number, n_invalid: number, p_holm: number,
 *   verdict: string | null}} Test
 */

const ROBUST = "robust";
const STRUCK = "judge not usable";
// Sections of the whole study.
const OF_ALL = ["study", "overview", "results", "drawings-list", "methods", "limits", "licences", "cite", "reproduce"];

/** @type {any} */
let testsTable = null;

/** The address of a suite. @param {string} id @param {State} [only] a model and a persona, of whose tests it shows no others */
function suiteAddress(id, only = {}) {
  return `#${new URLSearchParams({ suite: id, ...only })}`;
}

/** Show the suite that the state names, or the whole page. */
async function showSuite() {
  const id = state.suite;
  for (const part of OF_ALL) byId(part).hidden = Boolean(id);
  byId("suite").hidden = !id;
  document.querySelector(".skip")?.setAttribute("href", id ? suiteAddress(id) : "#results");
  if (!id) return;
  const { title, context, tasks } = index.suites[id];
  const ids = Object.keys(index.suites);
  const step = (/** @type {number} */ by, /** @type {string} */ label) => {
    const next = ids[ids.indexOf(id) + by];
    return next === undefined ? h("span", { class: "off" }, label) : h("a", { href: suiteAddress(next) }, label);
  };
  byId("suite-steps").replaceChildren(
    h("a", { href: "#overview" }, "← All suites"),
    step(-1, "Previous"),
    step(1, "Next"),
    h("a", { href: address({ suite: id, task: tasks[0] }) }, "Its cases"),
  );
  byId("suite-title").replaceChildren(h("bdi", {}, title));
  byId("suite-about").replaceChildren(
    `${context}. `,
    ...tasks.map((task) => {
      const { title: name, n, dataset, teaching } = index.tasks[task];
      return h("span", {}, h("bdi", {}, name), `: ${dataset}${teaching ? " (teaching cases)" : ""}, n = ${n}. `);
    }),
  );
  await showTests(id);
}

/** The tests of a suite: all, or of the model and persona that the address names. @param {string} id */
async function showTests(id) {
  const asked = new URLSearchParams(location.hash.slice(1));
  const only = ["model", "persona"].filter((key) => asked.get("suite") === id && asked.has(key));
  /** @type {Test[]} */
  const tests = await load("tests");
  const all = tests.filter((one) => index.suites[id].tasks.includes(one.task));
  const rows = all.filter((one) => only.every((key) => /** @type {any} */ (one)[key] === asked.get(key)));
  await testsTable?.built;
  if (state.suite !== id) return;
  const named = only.map((key) => (key === "model" ? index.models[state.model] : nameOf(state.persona)));
  byId("suite-count").replaceChildren(
    `${rows.length} tests${named.length ? ` of ${named.join(", ")}` : ""}: `,
    [ROBUST, "beyond chance", "not shown", STRUCK]
      .map((mark) => ({ mark, n: rows.filter((one) => one.mark === mark).length }))
      .filter(({ mark, n }) => n || mark !== STRUCK)
      .map(({ mark, n }) => `${n} ${mark}`)
      .join(", "),
    ". ",
    named.length ? h("a", { href: suiteAddress(id) }, "All tests of this suite") : "",
  );
  testsTable?.destroy();
  testsTable = makeTable(byId("suite-tests"), `Tests of ${index.suites[id].title}`, {
    data: rows.map((row) => ({ ...row, "\0cases": linkOf({ ...row, against: "persona" }) })),
    paginationSize: 25,
    placeholder: "No test of the study is of this suite.",
    columns: testColumns(index.suites[id]),
  });
}

/** Columns of the tests of a suite. @param {Suite} suite */
function testColumns(suite) {
  /** @param {string} title @param {string} field @param {(row: Test) => string} [text] */
  const column = (title, field, text = (row) => display(/** @type {any} */ (row)[field])) => ({
    title,
    field,
    headerFilter: "input",
    headerFilterFunc: (/** @type {string} */ wanted, /** @type {any} */ value, /** @type {Test} */ row) =>
      passes(wanted, typeof value === "number" ? value : text(row)),
    sorter: ["difference", "n", "n_invalid", "p_holm"].includes(field) ? "number" : "string",
    formatter: (/** @type {any} */ cell) => struck(cell.getData(), text(cell.getData())),
  });
  const cases = {
    title: "Cases",
    field: "\0cases",
    headerSort: false,
    formatter: (/** @type {any} */ cell) =>
      cell.getValue() ? h("a", { href: cell.getValue(), "aria-label": "Cases of this test" }, "cases") : "",
  };
  return [
    cases,
    column("Result", "mark", (row) => (row.mark === ROBUST ? "◆ robust" : row.mark)),
    ...(Object.keys(index.models).length > 1 ? [column("Model", "model", (row) => index.models[row.model])] : []),
    ...(suite.tasks.length > 1 ? [column("Task", "task", (row) => index.tasks[row.task].title)] : []),
    column("Persona", "persona", (row) => row.who),
    column("Measure", "measure"),
    ...(Object.keys(index.judges).length
      ? [column("Judge", "judge", (row) => (row.judge ? (index.judges[row.judge]?.title ?? row.judge) : ""))]
      : []),
    column("Difference [low, high]", "difference", (row) => row.shown),
    column("n", "n"),
    column("Invalid", "n_invalid"),
    column("p (Holm)", "p_holm"),
    column("Verdict", "verdict", (row) => row.verdict ?? "–"),
  ];
}

/** A cell of a test, struck where its judge is not usable. @param {Test} row @param {string} text */
function struck(row, text) {
  const robust = row.mark === ROBUST && text === "◆ robust";
  const plain = row.mark !== STRUCK || text === STRUCK;
  return h(plain ? (robust ? "b" : "span") : "s", { dir: "auto", class: robust ? "robust" : null }, text);
}
