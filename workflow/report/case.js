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
    ...changeOf(place, i),
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

/** What the task did to the text of a case, where it changes that of another. @param {Place} place @param {number} i */
function changeOf(place, i) {
  const { changed, before, done } = place.items;
  if (!changed) return [];
  if (!before?.[i]) {
    const what = done?.[i] ? `The text of this case stays. Changed: ${done[i]}` : "The task changes this case.";
    const said = changed[i] ? what : "The task leaves this case as it is.";
    return [h("p", { class: "soft" }, said)];
  }
  const cards = difference(before[i], place.items.case[i]).map((text, side) =>
    h("article", { class: "card" }, h("h5", {}, side ? "Changed" : "Before"), h("div", { class: "text" }, text)),
  );
  return [h("details", {}, h("summary", {}, "What the task changes in this case"), h("div", { class: "two" }, cards))];
}

/** @param {Place} place @param {string} persona @returns {Column} */
function columnOf(place, persona) {
  return place.columns.find((column) => column.persona === persona) ?? place.baseline;
}

/** What is known of a case. @param {Place} place @param {number} i */
function facts(place, i) {
  const rows = [];
  if (place.spec.reference && !place.spec.facts.reference) rows.push(["Reference", referenceOf(place, i)]);
  if (place.spec.strata.length) rows.push([place.spec.stratum, stratumOf(place, i)]);
  for (const [id, title] of Object.entries(place.spec.facts)) {
    const value = place.items.facts[id][i];
    if (value !== null) rows.push([title, Array.isArray(value) ? lettered(value) : String(value)]);
  }
  for (const [id, title] of Object.entries(place.task.raters)) {
    rows.push([title, place.spec.labels[place.items.raters[id].label[i]]?.title ?? "–"]);
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

/** Options of a case, by their letters. @param {string[]} options */
function lettered(options) {
  return h(
    "ol",
    { type: "A" },
    options.map((option) => h("li", {}, option)),
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
  const judge = index.judges[place.judge];
  const { labels, outcomes } = place.spec;
  const heads = ["Persona"];
  if (labels.length) heads.push("Answer", "Probabilities of the labels", "Likeliest label");
  else if (outcomes.length) heads.push("Outcome");
  const judged = !labels.length && judge !== undefined;
  if (judged) {
    heads.push(...judge.ratings.map((rating) => `${rating.title} (1–${judge.scale}, ${rating.better} is better)`));
    if (judge.actions) heads.push("Action");
    heads.push(...judge.classes.map((one) => one.title));
  }
  heads.push("Text");
  const rows = place.columns.map((column) => {
    const answer = block.answers[column.key];
    const cells = [];
    if (labels.length) cells.push(...labelCells(place, column, i, answer.probability[at]));
    else if (outcomes.length) cells.push(h("td", {}, outcome(place, column, i)?.title ?? "–"));
    if (judged) cells.push(...verdictCells(place, column, i, judge));
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, nameOf(column.persona, column.wording)),
      cells,
      h("td", { class: "said" }, shorten(answer.text[at])),
    );
  });
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
      h("tbody", {}, rows),
    ),
  );
}

/** A label, the probabilities of all, and the likeliest one. @param {Place} place @param {Column} column @param {number} i @param {number[] | null} probability */
function labelCells(place, column, i, probability) {
  const top = place.spec.labels[column.data.top[i]];
  const names = place.spec.labels.map((label) => label.mark);
  return [
    h("td", {}, mark(place, column, i), statusOf(column, i)),
    h("td", {}, bars(names, probability, true)),
    h("td", {}, top ? `${top.mark} ${percent((column.data.confidence[i] ?? 0) / 1000)}` : "–"),
  ];
}

/** Why no label can be read from an answer. @param {Column} column @param {number} i */
function statusOf(column, i) {
  return column.data.label[i] === -1 ? ` (${column.data.status[i]})` : null;
}

/** A judge's ratings, and what an answer does in its view. @param {Place} place @param {Column} column @param {number} i @param {Judge} judge */
function verdictCells(place, column, i, judge) {
  const verdicts = column.data.judged[place.judge] ?? {};
  const cells = judge.ratings.map((rating) => {
    const value = verdicts[rating.id]?.[i];
    return h("td", {}, value == null ? "–" : (value / 100).toFixed(2));
  });
  if (judge.actions) cells.push(h("td", {}, mark(place, column, i)));
  const named = judge.classes.map((one) => {
    const number = verdicts[one.id]?.[i];
    return h("td", {}, number == null ? "–" : one.classes[number]);
  });
  return [...cells, ...named];
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
    names.slice(0, values.length).map((name, number) =>
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
  const { labels, outcomes } = place.spec;
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
  if (labels.length) {
    parts.push(
      h("p", {}, "Read as ", mark(place, column, i), statusOf(column, i)),
      h("h6", {}, "Probability of every label"),
      bars(
        labels.map((label) => label.title),
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
    if (answer.sampled?.[at]) {
      const drawn_ = answer.sampled[at].map((/** @type {number} */ one) => labels[one]?.mark ?? "invalid");
      parts.push(h("p", {}, `Sampled answers: ${drawn_.join(", ")}.`));
    }
  } else if (outcomes.length) {
    parts.push(h("p", {}, `Outcome: ${outcome(place, column, i)?.title ?? "none"}.`));
  }
  for (const [id, verdicts] of Object.entries(answer.judged))
    parts.push(verdictsOf(id, verdicts, column.data.judged[id], i, at));
  for (const [id, ticks] of Object.entries(answer.ticks ?? {})) parts.push(ticksOf(id, ticks[at]));
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
