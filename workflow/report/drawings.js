// @ts-check
"use strict";

// Figures that kinds of tasks, judges and clinicians bring: each a whole specification of Vega-Lite,
// of all models and tasks, the same that is in the files for papers.

// They are as large as a column of a paper is wide, whose type is too small for a screen.
const LARGER = 2;

// What the language would rather have otherwise is nothing to a reader; errors are thrown.
/** @type {any} */
const QUIET = Object.fromEntries(
  ["level", "error", "warn", "info", "debug"].map((name) => [name, () => QUIET]),
);

/** Draw them all, one after the other. */
async function showDrawings() {
  const box = byId("drawings-list");
  for (const { id, title, shows } of index.drawings) {
    const target = h("div", { class: "plot whole" });
    const frame = h("div", { class: "wide", tabindex: "0", role: "group", "aria-label": title }, target);
    const caption = h("p", { class: "caption" }, `${shows[0].toUpperCase()}${shows.slice(1)}.`);
    box.append(h("section", { class: "figure", id: `drawing-${id}` }, h("h3", {}, title), caption, frame));
    const { vegaEmbed, vegaLite } = /** @type {any} */ (window);
    const { spec } = vegaLite.compile(await load(`figures/${id}`), { logger: QUIET });
    await vegaEmbed(target, spec, {
      mode: "vega",
      renderer: "svg",
      actions: false,
      ast: true,
    });
    const svg = target.querySelector("svg");
    if (!svg) continue;
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", title);
    for (const side of ["width", "height"]) svg.setAttribute(side, String(LARGER * Number(svg.getAttribute(side))));
  }
}
