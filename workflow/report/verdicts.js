// @ts-check
"use strict";

// What judges say of an answer, and how two answers differ.

/** A judge's verdicts on one answer. @param {string} id @param {any} verdicts @param {any} values @param {number} i @param {number} at */
function verdictsOf(id, verdicts, values, i, at) {
  const judge = index.judges[id];
  const rows = Object.entries(verdicts).map(([dimension, columns]) => {
    const rating = judge.ratings.find((one) => one.id === dimension);
    const own = judge.classes.find((one) => one.id === dimension);
    const classes = dimension === "action" ? index.actions : own?.classes;
    const value = classes ? columns.mode[at] : values[dimension][i];
    const read = columns.status[at] === null && value !== null;
    const said = !read
      ? `no verdict (${columns.status[at] ?? "none"})`
      : classes
        ? classes[value - 1]
        : (value / 100).toFixed(2);
    const names = classes ?? Array.from({ length: judge.scale }, (_, k) => String(k + 1));
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, rating ? `${rating.title} (${rating.better} is better)` : (own?.title ?? "Action")),
      h("td", {}, said),
      h("td", {}, bars(names, columns.probability[at])),
      columns.rationale[at] ? h("td", { class: "said" }, columns.rationale[at]) : null,
    );
  });
  // A judge of criteria alone has none.
  if (!rows.length) return null;
  return h(
    "div",
    {},
    h("h6", {}, `Verdicts of ${judge.title}${judge.usable === false ? " – NOT USABLE by its own rule" : ""}`),
    h(
      "div",
      { class: "wide", tabindex: "0", role: "group", "aria-label": `Verdicts of ${judge.title}` },
      h("table", {}, h("tbody", {}, rows)),
    ),
  );
}

/** What a judge says of the criteria of a case; null where it did not read the answer. @param {string} id @param {{criterion: string, points: number, met: boolean | null, probability: number | null}[] | null} ticks */
function ticksOf(id, ticks) {
  const judge = index.judges[id];
  const rows = (ticks ?? []).map((one) =>
    h(
      "tr",
      {},
      h("td", {}, one.met === null ? "no verdict" : one.met ? "✓ met" : "✗ not met"),
      h("th", { scope: "row", dir: "auto" }, one.criterion),
      h("td", {}, `${one.points > 0 ? "+" : ""}${one.points}`.replace("-", "−")),
      h("td", {}, one.probability === null ? "–" : percent(one.probability / 1000)),
    ),
  );
  const heads = ["Verdict", "Criterion", "Points", "Probability that it is met"];
  const named = `Criteria, by ${judge.title}`;
  return h(
    "div",
    {},
    h("h6", {}, `${named}${judge.usable === false ? " – NOT USABLE by its own rule" : ""}`),
    ticks === null
      ? h("p", { class: "soft" }, "This answer was not read.")
      : h(
          "div",
          { class: "wide", tabindex: "0", role: "group", "aria-label": named },
          h(
            "table",
            {},
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                heads.map((head) => h("th", { scope: "col" }, head)),
              ),
            ),
            h("tbody", {}, rows),
          ),
        ),
  );
}

/** What judges prefer of the two. @param {any} block @param {number} at @param {State} wanted */
function preferencesOf(block, at, wanted) {
  const said = [];
  for (const [id, pairs] of Object.entries(block.preferred)) {
    const [forth, back] = [pairs[`${wanted.a}|${wanted.b}`], pairs[`${wanted.b}|${wanted.a}`]];
    const value = forth ? forth[at] : back && back[at] !== null ? 1 - back[at] : undefined;
    if (value === undefined) continue;
    const what =
      value === null
        ? "no verdict"
        : value === 0.5
          ? "a tie"
          : `prefers ${nameOf(value > 0.5 ? wanted.a : wanted.b)}`;
    said.push(
      h(
        "p",
        {},
        `${index.judges[id].title}${index.judges[id].usable === false ? " (NOT USABLE by its own rule)" : ""}: ${what}.`,
      ),
    );
  }
  return said;
}

// --- differences ----------------------------------------------------------------------------

// Words of each text; longer ones are shown without marks.
const MOST_WORDS = 3000;

/**
 * Two texts with the words marked that only one of them has (longest common subsequence).
 * @param {string} left @param {string} right @returns {(Node | string)[][]}
 */
function difference(left, right) {
  // A word holds the blanks behind it.
  const [x, y] = [left, right].map((text) => text.match(/\s*\S+\s*/g) ?? [text]);
  const same = (/** @type {number} */ i, /** @type {number} */ j) => x[i].trim() === y[j].trim();
  if (x.length > MOST_WORDS || y.length > MOST_WORDS) return [[left], [right]];
  const width = y.length + 1;
  const longest = new Uint16Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i--) {
    for (let j = y.length - 1; j >= 0; j--) {
      longest[i * width + j] = same(i, j)
        ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  /** @type {{word: string, own: boolean}[][]} */
  const sides = [[], []];
  let [i, j] = [0, 0];
  while (i < x.length || j < y.length) {
    if (i < x.length && j < y.length && same(i, j)) {
      sides[0].push({ word: x[i++], own: false });
      sides[1].push({ word: y[j++], own: false });
    } else if (
      j >= y.length ||
      (i < x.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
    ) {
      sides[0].push({ word: x[i++], own: true });
    } else sides[1].push({ word: y[j++], own: true });
  }
  return sides.map((words, side) => {
    /** @type {(Node | string)[]} */
    const parts = [];
    for (let at = 0; at < words.length; ) {
      let end = at;
      while (end < words.length && words[end].own === words[at].own) end += 1;
      const text = words
        .slice(at, end)
        .map((one) => one.word)
        .join("");
      parts.push(words[at].own && text.trim() ? h(side ? "ins" : "del", {}, text) : text);
      at = end;
    }
    return parts;
  });
}
