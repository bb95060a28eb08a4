// @ts-check
"use strict";

// The page: its controls, and the address that keeps what a reader sees.

/** @param {string} id @returns {HTMLSelectElement} */
function selectOf(id) {
  return /** @type {HTMLSelectElement} */ (byId(id));
}

/** @param {string} id @returns {HTMLInputElement} */
function inputOf(id) {
  return /** @type {HTMLInputElement} */ (byId(id));
}

/** Change the state, and the address with it. @param {State} changes @param {boolean} [quietly] stay at the place of the page */
function go(changes, quietly = false) {
  const next = address({ ...state, ...changes });
  const moves = "case" in changes && changes.case !== state.case;
  if (moves) history.pushState(null, "", next);
  else history.replaceState(null, "", next);
  void followAddress(quietly || !moves);
}

let started = false;

/** Show what the address names. @param {boolean} quietly stay at the place of the page */
async function followAddress(quietly) {
  const hash = location.hash;
  const ofSuite = hash.startsWith("#suite=");
  const own = ofSuite || hash.startsWith("#cases");
  if (hash.startsWith("#tables?")) askTable(new URLSearchParams(hash.slice(hash.indexOf("?") + 1)));
  else if (started && !own && !state.suite) return;
  const before = started ? state : null;
  // Every other address is one of the whole page.
  state = own ? stateOf(hash) : { ...state, suite: "" };
  started = true;
  controls();
  const moved = ["model", "task", "persona", "wording"].some((key) => before?.[key] !== state[key]);
  const one = Boolean(state.case);
  byId("cases-all").hidden = one;
  byId("case").hidden = !one;
  await guarded(showSuite());
  const done = await guarded(one ? showCase() : showList());
  if (done && !quietly) {
    // What was hidden could not be gone to.
    const place = ofSuite ? (state.suite ? "suite" : "overview") : own ? "cases" : hash.slice(1).split("?")[0] || "overview";
    document.getElementById(place)?.scrollIntoView();
    if (ofSuite || one) document.getElementById(ofSuite ? "suite-title" : "case-title")?.focus({ preventScroll: true });
  }
  if (done) document.body.dataset.ready = hash || "#";
  if (before && (before.suite !== state.suite || hash.startsWith("#tables?"))) await guarded(showTable());
  // What a reader asked for comes first.
  if (moved) await guarded(showFigures());
}

/** Choose the table that an address names, and the rows. @param {URLSearchParams} wanted */
function askTable(wanted) {
  const name = wanted.get("name") ?? "";
  if (!index.tables[name]?.shown) return;
  options("tables-name", [[name, name]], name);
  inputOf("tables-q").value = wanted.get("q") ?? "";
}

/** Whether some work was done; what went wrong is said in the page. @param {Promise<any>} work */
async function guarded(work) {
  try {
    await work;
    return true;
  } catch (error) {
    byId("problem").textContent = String(error instanceof Error ? error.message : error);
    byId("problem").hidden = false;
    return false;
  }
}

const PERSONAS = Object.keys(index.personas).map((id) => [id, nameOf(id)]);

/** Raters of a task, for a choice of them. @param {Task} task */
function ratersOf(task) {
  return Object.entries(task.raters).map(([id, title]) => [RATER + id, title]);
}

/** Set every control to the state. */
function controls() {
  const task = index.tasks[state.task];
  const { labels, outcomes, grave } = task.answers;
  for (const bar of ["figures", "cases"]) {
    selectOf(`${bar}-model`).value = state.model;
    options(
      `${bar}-task`,
      tasksOf(state.suite).map((id) => [id, index.tasks[id].title]),
      state.task,
    );
  }
  options("cases-persona", [["", "Any persona"], ...PERSONAS, ...ratersOf(task)], state.persona);
  selectOf("figures-persona").value = state.persona in index.personas ? state.persona : "";
  selectOf("cases-wording").value = state.wording;
  selectOf("cases-sort").value = state.sort;
  for (const key of ["flip", "grave", "invalid"]) inputOf(`filter-${key}`).checked = Boolean(state[key]);
  inputOf("filter-low").value = state.low;
  if (inputOf("filter-q").value !== state.q) inputOf("filter-q").value = state.q;
  const judges = judgesOf(state.model, state.task);
  const told = isTold(task.answers, judges[0] ?? "");
  byId("label-grave").textContent = grave?.title ?? "";
  byId("label-invalid").textContent = measureOf(task.answers, judges[0] ?? "", state) ? "Without a verdict" : "Invalid";
  byId("grave-field").hidden = !grave || !told;
  for (const id of ["flip-field", "invalid-field"]) byId(id).hidden = !told;
  byId("low-field").hidden = !labels.length;
  byId("out-field").hidden = !outcomes.length;
  options("filter-out", [["", "anything"], ...outcomes.map((one) => [one.id, one.title])], state.out);
  byId("wording-field").hidden = wordingsOf().length < 2;
  byId("judged-field").hidden = labels.length > 0 || !judges.length;
  const judge = index.judges[judges.includes(state.judge) ? state.judge : judges[0]];
  options(
    "cases-judge",
    judges.map((id) => [id, index.judges[id].title]),
    state.judge || judges[0],
  );
  options(
    "cases-measure",
    [
      ...(judge?.actions ? [["action", "Action"]] : outcomes.length ? [["action", "Outcome"]] : []),
      ...(judge?.ratings ?? []).map((one) => [one.id, one.title]),
    ],
    state.measure,
  );
  chips(task);
  tableOptions();
}

/** @param {string} id @param {string[][]} values @param {string} chosen_ */
function options(id, values, chosen_) {
  selectOf(id).replaceChildren(
    ...values.map(([value, title]) => h("option", { value, selected: value === chosen_ }, title)),
  );
}

/** @type {State} */
const SURENESS = { conf: "", from: "", below: "" };
/** Filters that have no control of their own, each with a button that takes it away. @param {Task} task */
function chips(task) {
  const { labels, outcomes, strata, stratum, also } = task.answers;
  const titleOf = (/** @type {string} */ id) =>
    [...labels, ...outcomes, ...strata, ...also].find((one) => one.id === id)?.title ?? id;
  const [groupId, groupAt] = state.group.split(":");
  const group = task.groups[groupId];
  /** @type {[string, string][]} */
  const set = [];
  if (state.ref) set.push(["ref", `Reference: ${titleOf(state.ref)}`]);
  if (state.ans) set.push(["ans", `Answer: ${titleOf(state.ans)}`]);
  if (state.act) set.push(["act", `Action: ${state.act}`]);
  for (const key of ["cat", "within"]) {
    if (state[key]) set.push([key, `${stratum || "Stratum"}: ${titleOf(state[key])}`]);
  }
  if (group) set.push(["group", `${group.title}: ${group.groups[Number(groupAt)]}`]);
  if (state.conf) {
    const below = state.below ? `, below ${display(Number(state.below))}` : "";
    const from = display(Number(state.from));
    set.push(["conf", `Confidence (${state.conf.replaceAll("_", " ")}) at least ${from}${below}`]);
  }
  byId("chips").replaceChildren(
    ...set.map(([key, text]) =>
      h(
        "button",
        {
          type: "button",
          class: "chip",
          onclick: () => go(key === "conf" ? SURENESS : { [key]: "" }),
          "aria-label": `Take away the filter ${text}`,
        },
        text,
        h("span", { "aria-hidden": "true" }, " ×"),
      ),
    ),
  );
}

function start() {
  options("figures-persona", [["", "As each figure needs"], ...PERSONAS], "");
  for (const bar of ["figures", "cases"]) {
    options(`${bar}-model`, Object.entries(index.models), state.model);
    const plain = { case: "", ref: "", ans: "", out: "", act: "", cat: "", within: "", group: "", ...SURENESS };
    for (const key of ["model", "task", "persona"]) {
      const select = selectOf(`${bar}-${key}`);
      select.addEventListener("change", () =>
        go({ [key]: select.value, ...(key === "task" ? plain : {}) }, true),
      );
    }
  }
  options(
    "cases-wording",
    wordingsOf().map((id) => [id, id.replaceAll("_", " ")]),
    "main",
  );
  for (const [id, key] of [
    ["cases-wording", "wording"],
    ["cases-sort", "sort"],
    ["cases-judge", "judge"],
    ["cases-measure", "measure"],
    ["filter-out", "out"],
  ]) {
    selectOf(id).addEventListener("change", () => go({ [key]: selectOf(id).value }, true));
  }
  for (const key of ["flip", "grave", "invalid"]) {
    inputOf(`filter-${key}`).addEventListener("change", () =>
      go({ [key]: inputOf(`filter-${key}`).checked ? "1" : "" }, true),
    );
  }
  inputOf("filter-low").addEventListener("change", () => go({ low: inputOf("filter-low").value }, true));
  // The answers are read as soon as somebody is about to search them; the search says what failed.
  inputOf("filter-q").addEventListener("focus", () => {
    placeOf(state).then(textsOf).catch(() => {});
  });
  let typed = 0;
  inputOf("filter-q").addEventListener("input", () => {
    clearTimeout(typed);
    typed = window.setTimeout(() => go({ q: inputOf("filter-q").value }, true), 150);
  });
  byId("cases-reset").addEventListener("click", () =>
    go({ ...DEFAULTS, suite: state.suite, model: state.model, task: state.task }, true),
  );
  byId("cases-copy").addEventListener("click", async () => {
    await copy(location.href);
    byId("say").textContent = "The link is copied.";
  });

  selectOf("tables-name").addEventListener("change", () => void guarded(showTable()));
  inputOf("tables-q").addEventListener("input", () => void filterRows());
  byId("tables-copy").addEventListener("click", async () => {
    await copy(csv());
    byId("say").textContent = "The table is copied as CSV.";
  });
  byId("provenance-show").addEventListener("click", async () => {
    byId("provenance-text").textContent = JSON.stringify(await load("provenance"), null, 1);
    byId("provenance-text").hidden = false;
  });
  let sought = 0;
  inputOf("find").addEventListener("input", () => {
    clearTimeout(sought);
    sought = window.setTimeout(() => void guarded(find(inputOf("find").value)), 150);
  });
  window.addEventListener("hashchange", () => void followAddress(false));
  void followAddress(!/^#(cases\?|suite=|tables\?)/.test(location.hash)).then(() => {
    if (!table) void guarded(showTable());
    void guarded(showDrawings());
  });
}

start();
