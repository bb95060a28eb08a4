// @ts-check
"use strict";

// What the page knows at once, and what it loads when a reader asks: chunks of compressed JSON,
// which stand in the page or, for a large study, in scripts beside it.

/** @typedef {{id: string, title: string, mark: string, shade: number | null, note: string}} Label */
/** @typedef {{id: string, title: string, sign: string, within: string | null, metric: string | null}} Outcome */
/** @typedef {{id: string, title: string, within: string | null}} Stratum */
/**
 * @typedef {{labels: Label[], ordered: boolean, reference: boolean, outcomes: Outcome[],
 *   stratum: string, strata: Stratum[], also: Stratum[], facts: Object<string, string>,
 *   grave: {title: string, definition: string, answers: string[], cases: string[]} | null}} AnswerSpec
 */
/**
 * @typedef {{title: string, user: string, n: number, dataset: string, teaching: boolean,
 *   licence: string, withheld: boolean, raters: Object<string, string>, answers: AnswerSpec,
 *   groups: Object<string, {title: string, groups: string[]}>}} Task
 */
/**
 * @typedef {{title: string, scale: number, actions: boolean, usable: boolean | null,
 *   note: string | null, places: string[],
 *   ratings: {id: string, title: string, better: string}[],
 *   classes: {id: string, title: string, classes: string[]}[]}} Judge
 */
/** @typedef {{title: string, group: string, texts: Object<string, string>}} Persona */
/** @typedef {{title: string, context: string, tasks: string[]}} Suite */
/**
 * @typedef {{id: string, title: string, caption: string, table: string, spec: any,
 *   where: Object<string, any[]>, by: string[], known: string, every_model: boolean, one_persona: boolean,
 *   wordings: boolean, lines: string}} Figure
 */
/**
 * @typedef {{title: string, baseline: string, confidence: number, z: number, block: number,
 *   actions: string[], models: Object<string, string>, personas: Object<string, Persona>,
 *   groups: Object<string, string>, rated: Object<string, string>, tasks: Object<string, Task>,
 *   suites: Object<string, Suite>, judges: Object<string, Judge>, figures: Figure[],
 *   drawings: {id: string, title: string, shows: string}[],
 *   metrics: Object<string, string>, confidences: string[],
 *   tables: Object<string, {columns: string[], rows: number, shown: boolean}>,
 *   chunks: Object<string, string>, beside: string | null}} Index
 */

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/** @type {Index} */
const index = JSON.parse(byId("index").textContent || "");

/** @type {Map<string, Promise<any>>} */
const held = new Map();
/** @type {Map<string, (content: string) => void>} */
const awaited = new Map();

// Called by the file of a chunk.
Object.assign(window, {
  /** @param {string} name @param {string} content */
  chunk(name, content) {
    awaited.get(name)?.(content);
    awaited.delete(name);
  },
});

/** The content of a chunk, unpacked once. @param {string} name @returns {Promise<any>} */
function load(name) {
  const known = held.get(name);
  if (known) return known;
  const found = contentOf(name).then(unpacked);
  held.set(name, found);
  found.catch(() => held.delete(name));
  return found;
}

/** @param {string} name @returns {Promise<string>} */
function contentOf(name) {
  if (index.beside === null) return insideOf(name);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    awaited.set(name, resolve);
    script.src = `${index.beside}/${name}.js`;
    script.addEventListener("error", () => {
      reject(new Error(`${script.src} cannot be read; keep the folder beside the page`));
    });
    document.head.append(script);
  });
}

// How often it is looked whether more of the page is read, in milliseconds.
const LOOK = 20;

/** The text of a chunk in the page, as soon as all of it is read: a large page is shown before. @param {string} name @returns {Promise<string>} */
function insideOf(name) {
  return new Promise((resolve, reject) => {
    const look = () => {
      const found = document.getElementById(`chunk:${name}`);
      const isRead = document.readyState !== "loading";
      if (found && (isRead || found.nextElementSibling)) resolve(found.textContent || "");
      else if (isRead) reject(new Error(`The page lacks ${name}; get the whole file`));
      else setTimeout(look, LOOK);
    };
    look();
  });
}

/** @param {string} content @returns {Promise<any>} */
async function unpacked(content) {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** Rows of a table, as objects. @param {string} name @returns {Promise<any[]>} */
async function rowsOf(name) {
  const known = index.tables[name];
  if (!known || !known.shown) return [];
  const columns = await load(`tables/${name}`);
  const rows = [];
  for (let i = 0; i < known.rows; i++) {
    /** @type {Object<string, any>} */
    const row = {};
    for (const column of known.columns) row[column] = columns[column][i];
    rows.push(row);
  }
  return rows;
}

/** Whether a text has all words. @param {string} text @param {string[]} words in lower case */
function hasAll(text, words) {
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}

/** The words of a search, in lower case. @param {string} text */
function wordsOf(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

/**
 * An element; texts among its children stay texts.
 * @param {string} tag
 * @param {Object<string, any>} [attributes] `on…` are listeners
 * @param {...(Node | string | null | undefined | (Node | string | null | undefined)[])} children
 * @returns {any}
 */
function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) made.append(child);
  return made;
}

/** @param {number | null | undefined} value @param {number} [digits] */
function percent(value, digits = 1) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)}%`;
}

/** A share with n and its Wilson interval. @param {number} hits @param {number} n */
function share(hits, n) {
  if (!n) return `${hits} of ${n}`;
  const z2 = index.z ** 2;
  const p = hits / n;
  const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (index.z / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  const [low, high] = [Math.max(0, middle - half), Math.min(1, middle + half)];
  return `${hits} of ${n} (${percent(p)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}])`;
}

/** Name of a persona in a wording. @param {string} persona @param {string} [wording] */
function nameOf(persona, wording = "main") {
  const title = index.personas[persona]?.title ?? persona;
  return wording === "main" ? title : `${title} (${wording.replaceAll("_", " ")})`;
}
