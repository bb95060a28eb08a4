// @ts-check
"use strict";

// The cases that pass all filters, and the search in their texts and answers.

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
