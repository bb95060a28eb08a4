// @ts-check
"use strict";

// The search over everything: what the page knows at once, its definitions and sentences, and then
// what it must read: tests, cases, and rows of tables.

/** @typedef {{text: string, where: string, href: string}} Hit */

// Of one kind; how many more there are is said.
const MOST_HITS = 8;
// Characters around what is found in a longer text.
const AROUND = 60;

/** What of a text stands around the first word. @param {string} text @param {string[]} words */
function around(text, words) {
  const at = Math.max(text.toLowerCase().indexOf(words[0]), 0);
  const [start, end] = [Math.max(at - AROUND, 0), at + words[0].length + AROUND];
  return `${start ? "… " : ""}${text.slice(start, end)}${end < text.length ? " …" : ""}`;
}

/** Of named things those that have all words. @param {[string, string[], string][]} things href, texts (the first is the name), and where @param {string[]} words @returns {Hit[]} */
function named(things, words) {
  return things
    .filter(([, texts, where]) => hasAll([...texts, where].join(" "), words))
    .map(([href, [text, ...more], where]) => ({ href, text, where: [where, ...more].filter(Boolean).join(" · ") }));
}

/** Parts of a section that have all words, each with an id to lead to. @param {string} section @param {string} parts @param {string[]} words @returns {Hit[]} */
function written(section, parts, words) {
  return [...byId(section).querySelectorAll(parts)]
    .filter((part) => hasAll(part.textContent ?? "", words))
    .map((part) => {
      part.id ||= `${section}-${[...byId(section).querySelectorAll(parts)].indexOf(part) + 1}`;
      return { href: `#${part.id}`, text: around((part.textContent ?? "").replace(/\s+/g, " ").trim(), words), where: "" };
    });
}

/** What is known at once. @param {string[]} words @returns {[string, Hit[]][]} */
function knownHits(words) {
  const { suites, tasks, personas, models, judges, figures, drawings, tables } = index;
  return [
    ["Suites", named(Object.entries(suites).map(([id, one]) => [suiteAddress(id), [one.title], one.context]), words)],
    ["Tasks", named(Object.entries(tasks).map(([task, one]) => [address({ task }), [one.title], one.dataset]), words)],
    [
      "Personas",
      named(
        Object.entries(personas).map(([id, one]) => [
          address({ persona: id, b: id }),
          [one.title, ...Object.values(one.texts)],
          index.groups[one.group] ?? "",
        ]),
        words,
      ),
    ],
    ["Models", named(Object.entries(models).map(([model, title]) => [address({ model }), [title], ""]), words)],
    [
      "Judges",
      named(
        Object.entries(judges)
          .filter(([, one]) => one.places.length)
          .map(([judge, one]) => {
            const [model, task] = one.places[0].split("/");
            const asked = [...one.ratings, ...one.classes].map((each) => each.title);
            return [address({ model, task, judge }), [one.title, ...asked], one.usable === false ? "NOT USABLE" : ""];
          }),
        words,
      ),
    ],
    [
      "Figures",
      named(
        [
          ...figures.map((one) => /** @type {[string, string[], string]} */ (["#figures", [one.title], one.caption])),
          ...drawings.map((one) => /** @type {[string, string[], string]} */ ([`#drawing-${one.id}`, [one.title], one.shows])),
        ],
        words,
      ),
    ],
    [
      "Tables",
      named(
        Object.entries(tables)
          .filter(([, one]) => one.shown)
          .map(([name, one]) => [tableAddress(name), [name, ...one.columns], ""]),
        words,
      ).map((hit) => ({ ...hit, where: "" })),
    ],
    ["Definitions", written("methods", ".prose li, .prose tr, .prose p", words)],
    ["Results in words", written("results", ".prose li, .prose tr, .prose p", words)],
  ];
}

/** The tests that have all words. @param {string[]} words @returns {Promise<Hit[]>} */
async function testHits(words) {
  /** @type {Test[]} */
  const tests = await load("tests");
  return tests
    .map((one) => {
      const where = `${index.models[one.model]}, ${index.tasks[one.task].title}`;
      const suite = Object.keys(index.suites).find((id) => index.suites[id].tasks.includes(one.task)) ?? "";
      const href = suiteAddress(suite, { model: one.model, persona: one.persona });
      const text = `${one.who}: ${one.measure} (${one.metric}) ${one.shown}, ${one.mark}`;
      return { href, text, where };
    })
    .filter((one) => hasAll(`${one.text} ${one.where}`, words));
}

/** The cases, of all tasks, that have all words. @param {string[]} words @returns {Promise<Hit[]>} */
async function caseHits(words) {
  const found = [];
  for (const [task, { title }] of Object.entries(index.tasks)) {
    const { id, case: texts } = await load(`items/${task}`);
    for (let i = 0; i < id.length; i++) {
      const text = `${id[i]} ${texts?.[i] ?? ""}`;
      if (hasAll(text, words)) found.push({ href: address({ task, case: id[i] }), text: around(text, words), where: title });
    }
  }
  return found;
}

/** The tables with rows that have all words. @param {string[]} words @returns {Promise<Hit[]>} */
async function rowHits(words) {
  const found = [];
  for (const [name, { columns, rows, shown }] of Object.entries(index.tables)) {
    if (!shown || !rows) continue;
    const values = await load(`tables/${name}`);
    const texts = columns.filter((column) => values[column].some((/** @type {any} */ one) => typeof one === "string"));
    let n = 0;
    for (let i = 0; i < rows; i++) if (hasAll(texts.map((column) => values[column][i]).join(" "), words)) n += 1;
    if (n) found.push({ href: tableAddress(name, words.join(" ")), text: name.replaceAll("_", " "), where: `${n} rows` });
  }
  return found;
}

/** Where answers can be searched. @param {string} text @returns {Hit[]} */
function answerLinks(text) {
  const where = index.models[state.model];
  return Object.entries(index.tasks).map(([task, { title }]) => ({
    href: address({ model: state.model, task, q: text }),
    text: `Search the answers: ${title}`,
    where,
  }));
}

let looking = 0;

/** Find a text everywhere, and show what is found as it comes. @param {string} text */
async function find(text) {
  const turn = ++looking;
  const words = wordsOf(text);
  const box = byId("found");
  box.hidden = !words.length;
  box.replaceChildren();
  byId("find-count").textContent = "";
  if (!words.length) return;
  let n = 0;
  const add = (/** @type {string} */ title, /** @type {Hit[]} */ hits) => {
    if (!hits.length) return;
    box.append(hitList(title, hits));
    n += hits.length;
  };
  for (const [title, hits] of knownHits(words)) add(title, hits);
  for (const [title, look] of /** @type {const} */ ([["Tests", testHits], ["Cases", caseHits], ["Rows of tables", rowHits]])) {
    const hits = await look(words);
    if (turn !== looking) return;
    add(title, hits);
  }
  byId("find-count").textContent = n ? `${n} found` : "Nothing is found but perhaps in answers.";
  box.append(hitList("Answers", answerLinks(text.trim())));
  document.body.dataset.found = text;
}

/** What is found of one kind. @param {string} title @param {Hit[]} hits */
function hitList(title, hits) {
  return h(
    "div",
    { role: "group", "aria-label": title },
    h("p", {}, h("b", {}, title), hits.length > MOST_HITS ? `, the first ${MOST_HITS} of ${hits.length}` : ""),
    h(
      "ul",
      {},
      hits.slice(0, MOST_HITS).map(({ text, where, href }) =>
        h("li", { dir: "auto" }, h("a", { href }, text), where ? h("small", {}, ` ${where}`) : null),
      ),
    ),
  );
}
