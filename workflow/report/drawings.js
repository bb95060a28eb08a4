// @ts-check
"use strict";

// Figures that kinds of tasks, judges and clinicians bring: each a whole specification of Vega-Lite,
// of all models and tasks, the same that is in the files for papers.

// They are as large as a column of a paper is wide, whose type is too small for a screen.
const LARGER = 2;

/** What some work gives, without warnings: what the language would rather have is nothing to a reader. @param {() => Promise<any>} work */
async function quietly(work) {
  const { warn } = console;
  console.warn = () => {};
  try {
    return await work();
  } finally {
    console.warn = warn;
  }
}

/** Draw them all, one after the other. */
async function showDrawings() {
  const box = byId("drawings-list");
  for (const { id, title, shows } of index.drawings) {
    const target = h("div", { class: "plot whole" });
    const frame = h("div", { class: "wide", tabindex: "0", role: "group", "aria-label": title }, target);
    const caption = h("p", { class: "caption" }, `${shows[0].toUpperCase()}${shows.slice(1)}.`);
    box.append(h("section", { class: "figure", id: `drawing-${id}` }, h("h3", {}, title), caption, frame));
    const spec = await load(`figures/${id}`);
    const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true };
    await quietly(() => /** @type {any} */ (window).vegaEmbed(target, spec, options));
    const svg = target.querySelector("svg");
    if (!svg) continue;
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", title);
    for (const side of ["width", "height"]) svg.setAttribute(side, String(LARGER * Number(svg.getAttribute(side))));
  }
}
