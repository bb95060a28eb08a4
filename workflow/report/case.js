// @ts-check
"use strict";

// An opened case: its text, every persona's prompt and answer, and two of them side by side.

/** @type {number} */
let opened = 0;

/** Show the case that the state names. */
async function showCase() {
  const wanted = state;
  const turn = ++opened;
  const place = await placeOf(wanted);
  const i = place.items.id.indexOf(wanted.case);
  const box = byId("case");
  if (i < 0) {
    box.replaceChildren(
      h(
        "p",
        { role: "alert" },
        `There is no case ${wanted.case} in this task. `,
        h("a", { href: address({ ...wanted, case: "" }) }, "All cases"),
      ),
    );
    return;
  }
  const block = await load(`answers/${place.model}/${place.taskId}/${Math.floor(i / index.block)}`);
  const at = i % index.block;
  const texts = wanted.q.trim() ? await textsOf(place) : null;
  if (turn !== opened) return;
  const order = chosen(place, wanted, texts);
  const here = order.indexOf(i);
  const step = (/** @type {number} */ by, /** @type {string} */ label) => {
    const next = order[here + by];
    return here < 0 || next === undefined
      ? h("span", { class: "off" }, label)
      : h("a", { href: address({ ...wanted, case: place.items.id[next] }) }, label);
  };
  const sides = [wanted.a, wanted.b].map((persona) => columnOf(place, persona));
  const answers = sides.map((column) => block.answers[column.key].text[at]);
  const marked = difference(answers[0] ?? "", answers[1] ?? "");
  box.replaceChildren(
    h(
      "nav",
      { class: "steps", "aria-label": "Cases" },
      h("a", { href: address({ ...wanted, case: "" }) }, "← All cases"),
      step(-1, "Previous"),
      step(1, "Next"),
    ),
    h("h3", { id: "case-title", tabindex: "-1" }, "Case ", h("bdi", {}, place.items.id[i])),
    facts(place, i),
    h(
      "div",
      { class: "text", tabindex: "0", role: "group", "aria-label": "Text of the case" },
      place.items.case?.[i] ?? withheldNote(place),
    ),
    h("h4", {}, "Under every persona"),
    everyPersona(place, i, block, at),
    h("h4", {}, "Two personas side by side"),
    h("div", { class: "bar" }, personaSelect("a", "Left", wanted), personaSelect("b", "Right", wanted)),
    h("div", {}, preferencesOf(block, at, wanted)),
    h(
      "div",
      { class: "two" },
      sides.map((column, side) => card(place, column, i, block, at, marked[side])),
    ),
    h("h4", {}, "Each persona in full"),
    h(
      "div",
      {},
      place.columns.map((column) => {
        const details = h("details", {}, h("summary", {}, nameOf(column.persona, column.wording)));
        details.addEventListener("toggle", () => {
          if (details.open && details.children.length === 1)
            details.append(card(place, column, i, block, at, null));
        });
        return details;
      }),
    ),
  );
}

/** @param {Place} place */
function withheldNote(place) {
  return `The text is not shown: the licence of ${place.task.dataset} (${place.task.licence}) does not let it be passed on for any purpose.`;
}

/** @param {Place} place @param {string} persona @returns {Column} */
function columnOf(place, persona) {
  return place.columns.find((column) => column.persona === persona) ?? place.baseline;
}

/** What is known of a case. @param {Place} place @param {number} i */
function facts(place, i) {
  const rows = [[place.levels.length ? "Reference level" : "Category", referenceOf(place, i)]];
  if (!place.levels.length && place.items.harm[i] !== null)
    rows.push(["Harm level", String(place.items.harm[i])]);
  for (const [id, title] of Object.entries(place.task.raters ?? {})) {
    const value = place.items.human[id][i];
    rows.push([title, value === null || value < 0 ? "–" : place.levels[value].title]);
  }
  for (const [id, { title, groups }] of Object.entries(place.task.groups)) {
    rows.push([title, groups[place.items.groups[id][i]]]);
  }
  const differ = disagreement(place, i);
  if (differ !== null) rows.push(["Pairs of personas that differ", percent(differ, 0)]);
  return h(
    "dl",
    { class: "facts" },
    rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, value))),
  );
}

/** @param {string} side @param {string} label @param {State} wanted */
function personaSelect(side, label, wanted) {
  const select = h(
    "select",
    { onchange: () => go({ [side]: select.value }) },
    Object.keys(index.personas).map((id) =>
      h("option", { value: id, selected: wanted[side] === id }, nameOf(id)),
    ),
  );
  return h("label", {}, `${label} `, select);
}

/** One line per persona. @param {Place} place @param {number} i @param {any} block @param {number} at */
function everyPersona(place, i, block, at) {
  const triage = place.levels.length > 0;
  const judge = index.judges[place.judge];
  const heads = triage
    ? ["Persona", "Answer", "Probabilities of the labels", "Likeliest label", "Text"]
    : [
        "Persona",
        ...(judge
          ? [
              ...judge.ratings.map(
                (rating) => `${rating.title} (1–${judge.scale}, ${rating.better} is better)`,
              ),
              ...(judge.actions ? ["Action"] : []),
            ]
          : []),
        "Text",
      ];
  return h(
    "div",
    { class: "wide", tabindex: "0", role: "group", "aria-label": "Answers of all personas" },
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
      h(
        "tbody",
        {},
        place.columns.map((column) => {
          const answer = block.answers[column.key];
          const text = h("td", { class: "said" }, shorten(answer.text[at]));
          const name = h("th", { scope: "row" }, nameOf(column.persona, column.wording));
          if (triage) {
            const top = column.data.top[i];
            return h(
              "tr",
              {},
              name,
              h(
                "td",
                {},
                mark(place, column, i),
                column.data.label[i] === -1 ? ` (${column.data.status[i]})` : null,
              ),
              h(
                "td",
                {},
                bars(
                  place.levels.map((level) => level.label),
                  answer.probability[at],
                  true,
                ),
              ),
              h(
                "td",
                {},
                top === null || top < 0
                  ? "–"
                  : `${place.levels[top].label} ${percent((column.data.confidence[i] ?? 0) / 1000)}`,
              ),
              text,
            );
          }
          const verdicts = column.data.judged[place.judge] ?? {};
          const cells = judge
            ? [
                ...judge.ratings.map((rating) =>
                  h(
                    "td",
                    {},
                    verdicts[rating.id]?.[i] == null ? "–" : (verdicts[rating.id][i] / 100).toFixed(2),
                  ),
                ),
                ...(judge.actions ? [h("td", {}, mark(place, column, i))] : []),
              ]
            : [];
          return h("tr", {}, name, cells, text);
        }),
      ),
    ),
  );
}

/** @param {string | null} text */
function shorten(text) {
  if (text === null) return "no answer";
  return text.length > 140 ? `${text.slice(0, 140)} …` : text;
}

/** Probabilities as bars with their numbers. @param {string[]} names @param {number[] | null} values thousandths @param {boolean} [beside] in one line */
function bars(names, values, beside = false) {
  if (!values) return h("span", { class: "soft" }, "none");
  return h(
    "span",
    { class: beside ? "bars beside" : "bars" },
    names.map((name, number) =>
      h(
        "span",
        { class: "probability" },
        h("span", { class: "name" }, name),
        h("span", { class: "track" }, h("span", { class: "fill", style: `width:${values[number] / 10}%` })),
        h("span", { class: "value" }, percent(values[number] / 1000)),
      ),
    ),
  );
}

/** Everything about one answer. @param {Place} place @param {Column} column @param {number} i @param {any} block @param {number} at @param {(Node | string)[] | null} text */
function card(place, column, i, block, at, text) {
  const answer = block.answers[column.key];
  const triage = place.levels.length > 0;
  const parts = [
    h("h5", {}, nameOf(column.persona, column.wording)),
    h(
      "p",
      { class: "persona" },
      index.personas[column.persona].texts[column.wording] || "(no sentence: the baseline)",
    ),
    h("h6", {}, "Prompt as the model reads it"),
    h(
      "div",
      { class: "text prompt", tabindex: "0", role: "group", "aria-label": "Prompt" },
      promptOf(place, column, i, answer.prompt?.[at] ?? null),
    ),
    thoughtOf(answer, at),
    h("h6", {}, "Answer"),
    h("div", { class: "text answer" }, text ?? answer.text[at] ?? "no answer: the prompt was not run"),
    answer.finish[at] === "length"
      ? h("p", { class: "soft" }, "The answer was cut off at its greatest length.")
      : null,
  ];
  if (triage) {
    const label = column.data.label[i];
    parts.push(
      h(
        "p",
        {},
        "Read as ",
        mark(place, column, i),
        label !== null && label < 0 ? ` (${column.data.status[i]})` : null,
      ),
    );
    parts.push(
      h("h6", {}, "Probability of every label"),
      bars(
        place.levels.map((level) => level.title),
        answer.probability[at],
      ),
    );
    if (answer.mass[at] !== null)
      parts.push(
        h(
          "p",
          { class: "soft" },
          `Of all words that could stand there, labels have ${percent(answer.mass[at] / 1000)}; the bars are shares of that.`,
        ),
      );
    if (answer.verbalized?.[at] != null)
      parts.push(h("p", {}, `States a confidence of ${percent(answer.verbalized[at] / 1000, 0)}.`));
    if (answer.sampled?.[at])
      parts.push(
        h(
          "p",
          {},
          `Sampled answers: ${answer.sampled[at].map((/** @type {number} */ one) => (one < 0 ? "invalid" : place.levels[one].label)).join(", ")}.`,
        ),
      );
  }
  for (const [id, verdicts] of Object.entries(answer.judged))
    parts.push(verdictsOf(id, verdicts, column.data.judged[id], i, at));
  return h("article", { class: "card" }, parts);
}

/** What the model thought before an answer, folded. @param {any} answer @param {number} at */
function thoughtOf(answer, at) {
  const thought = answer.thought?.[at];
  if (thought == null) return null;
  const cut = answer.thought_cut[at] ? ", cut off at its greatest length" : "";
  return h(
    "details",
    {},
    h("summary", {}, `Thought before the answer (${answer.thought_tokens[at]} tokens${cut})`),
    h("div", { class: "text thought", tabindex: "0", role: "group", "aria-label": "Thought" }, thought),
  );
}

/** A judge's verdicts on one answer. @param {string} id @param {any} verdicts @param {any} values @param {number} i @param {number} at */
function verdictsOf(id, verdicts, values, i, at) {
  const judge = index.judges[id];
  const rows = Object.entries(verdicts).map(([dimension, columns]) => {
    const rating = judge.ratings.find((one) => one.id === dimension);
    const value = dimension === "action" ? columns.mode[at] : values[dimension][i];
    const read = columns.status[at] === null && value !== null;
    const said = !read
      ? `no verdict (${columns.status[at] ?? "none"})`
      : dimension === "action"
        ? index.actions[value - 1]
        : (value / 100).toFixed(2);
    const names =
      dimension === "action" ? index.actions : Array.from({ length: judge.scale }, (_, k) => String(k + 1));
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, rating ? `${rating.title} (${rating.better} is better)` : "Action"),
      h("td", {}, said),
      h("td", {}, bars(names, columns.probability[at])),
      columns.rationale[at] ? h("td", { class: "said" }, columns.rationale[at]) : null,
    );
  });
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

/** The prompt of a case, with the persona's sentence marked. @param {Place} place @param {Column} column @param {number} i @param {string | null} whole */
function promptOf(place, column, i, whole) {
  const around = column.data.prompt;
  const user = place.task.user.split("{case}").join(place.items.case?.[i] ?? `[${withheldNote(place)}]`);
  const text = whole ?? (around ? around.head + user + around.tail : "no prompt");
  const sentence = index.personas[column.persona].texts[column.wording];
  const start = sentence ? text.indexOf(sentence) : -1;
  if (start < 0) return [text];
  return [text.slice(0, start), h("mark", {}, sentence), text.slice(start + sentence.length)];
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
