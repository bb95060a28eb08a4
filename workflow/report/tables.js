// @ts-check
"use strict";

// Tables: sorted, filtered and copied by Tabulator.

/** What a place holds now. @type {WeakMap<HTMLElement, any>} */
const inPlace = new WeakMap();

/** A table that can be sorted by keyboard too. @param {HTMLElement} target @param {string} label @param {any} options */
function makeTable(target, label, options) {
  target.removeAttribute("aria-label");
  // Outside of the grid, which holds rows alone.
  const pages = h("div", { class: "pages" });
  target.parentElement?.querySelector(`#${target.id} + .pages`)?.remove();
  target.after(pages);
  const made = new /** @type {any} */ (window).Tabulator(target, {
    layout: "fitDataFill",
    pagination: true,
    paginationElement: pages,
    paginationSizeSelector: [10, 25, 50, 100, 1000],
    columnDefaults: {
      headerHozAlign: "left",
      resizable: false,
      // The library takes a title for HTML.
      titleFormatter: (/** @type {any} */ cell) => h("span", { dir: "auto" }, cell.getValue()),
    },
    ...options,
  });
  inPlace.set(target, made);
  const tidy = () => {
    if (inPlace.get(target) !== made) return;
    // A name of its own comes with the role of a grid, and not before.
    target.setAttribute("aria-label", label);
    for (const head of target.querySelectorAll(".tabulator-col[aria-sort]")) {
      if (head.hasAttribute("tabindex") || !head.classList.contains("tabulator-sortable")) continue;
      head.setAttribute("tabindex", "0");
      head.addEventListener("keydown", (event) => {
        if (event.target === head && /** @type {KeyboardEvent} */ (event).key === "Enter")
          /** @type {HTMLElement} */ (head).click();
      });
    }
    for (const field of target.querySelectorAll(".tabulator-header-filter input")) {
      const head = field.closest(".tabulator-col")?.querySelector(".tabulator-col-title");
      field.setAttribute("aria-label", `Filter ${head?.textContent ?? ""}`);
    }
    // A grid holds nothing that takes the focus but its cells, where these have links or are none.
    const holder = target.querySelector(".tabulator-tableholder");
    if (holder?.querySelector("a") || !holder?.querySelector(".tabulator-row"))
      holder?.removeAttribute("tabindex");
    pages.querySelector(".tabulator-page-size")?.setAttribute("aria-label", "Rows per page");
  };
  made.built = new Promise((built) => made.on("tableBuilt", built));
  made.on("tableBuilt", tidy);
  made.on("renderComplete", tidy);
  return made;
}

/** A number as a reader wants it; the exact one is in the copy. @param {any} value @returns {string} */
function display(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(4)));
}

/** @type {any} */
let table = null;
let asked = 0;

/** The address of a table, perhaps of those rows that have some words. @param {string} name @param {string} [q] */
function tableAddress(name, q = "") {
  return `#tables?${new URLSearchParams(q ? { name, q } : { name })}`;
}

/** Offer the tables of the whole page, or those that a suite can have. */
function tableOptions() {
  const names = Object.keys(index.tables).filter(
    (name) => index.tables[name].shown && (!state.suite || index.tables[name].columns.includes("task")),
  );
  const wanted = selectOf("tables-name").value;
  options(
    "tables-name",
    names.map((id) => [id, id.replaceAll("_", " ")]),
    names.includes(wanted) ? wanted : (names[0] ?? ""),
  );
}

/** Leave of the rows those that have the words of the field. */
async function filterRows() {
  // One that is not built yet cannot be filtered.
  await table?.built;
  const words = wordsOf(inputOf("tables-q").value);
  const has = (/** @type {any} */ row) =>
    hasAll(table.columnsOfStudy.map((/** @type {string} */ column) => row[column] ?? "").join(" "), words);
  if (words.length) table.setFilter(has);
  else table.clearFilter();
}

/** Show the table that is chosen. */
async function showTable() {
  const name = selectOf("tables-name").value;
  if (!name) return;
  const { columns } = index.tables[name];
  const mine = ++asked;
  const read = await rowsOf(name);
  // One that is not built yet cannot be taken away.
  await table?.built;
  // Another one was chosen meanwhile.
  if (mine !== asked) return;
  const tasks = state.suite ? tasksOf(state.suite) : null;
  const data = read.filter((row) => !tasks || tasks.includes(row.task)).map((row) => ({ ...row, "\0cases": linkOf(row) }));
  // A figure and its interval are one column, read together.
  const intervals = new Set(
    columns.filter((column) => columns.includes(`${column}_low`) && columns.includes(`${column}_high`)),
  );
  const hidden = new Set([...intervals].flatMap((column) => [`${column}_low`, `${column}_high`]));
  const definitions = columns
    .filter((column) => !hidden.has(column))
    .map((column) => ({
      title: intervals.has(column) ? `${column} [low, high]` : column,
      field: column,
      headerFilter: "input",
      headerFilterFunc: passes,
      sorter: data.some((row) => typeof row[column] === "number") ? "number" : "string",
      sorterParams: { alignEmptyValues: "bottom" },
      formatter: (/** @type {any} */ cell) => {
        const row = cell.getData();
        const text =
          intervals.has(column) && row[column] !== null
            ? `${display(row[column])} [${display(row[`${column}_low`])}, ${display(row[`${column}_high`])}]`
            : display(row[column]);
        return h("span", { dir: "auto" }, text);
      },
    }));
  table?.destroy();
  byId("tables-count").textContent = `${data.length} rows. Filters: a text, or a comparison as in >0.1 or <=5.`;
  table = makeTable(byId("tables-list"), `Table ${name}`, {
    data,
    paginationSize: 10,
    columns: [
      {
        title: "Cases",
        field: "\0cases",
        headerSort: false,
        formatter: (/** @type {any} */ cell) =>
          cell.getValue()
            ? h("a", { href: cell.getValue(), "aria-label": "Cases of this row" }, "cases")
            : "",
      },
      ...definitions,
    ],
  });
  table.columnsOfStudy = columns;
  await filterRows();
}

/** Whether a value passes a filter: part of a text, or a comparison. @param {string} wanted @param {any} value */
function passes(wanted, value) {
  const asked = wanted.trim().match(/^(<=|>=|<|>|=)\s*(-?[\d.]+(?:e-?\d+)?)$/i);
  if (!asked)
    return String(value ?? "")
      .toLowerCase()
      .includes(wanted.trim().toLowerCase());
  if (typeof value !== "number") return false;
  const bound = Number(asked[2]);
  return {
    "<": value < bound,
    ">": value > bound,
    "<=": value <= bound,
    ">=": value >= bound,
    "=": value === bound,
  }[asked[1]];
}

/** The rows that are shown, in their order, as CSV. */
function csv() {
  const quoted = (/** @type {any} */ value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = table.getData("active");
  return (
    [
      table.columnsOfStudy,
      ...rows.map((/** @type {any} */ row) =>
        table.columnsOfStudy.map((/** @type {string} */ column) => row[column]),
      ),
    ]
      .map((row) => row.map(quoted).join(","))
      .join("\n") + "\n"
  );
}

/** Copy a text; a page on a disk may not be let at the clipboard. @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { "aria-hidden": "true", class: "only-read" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
