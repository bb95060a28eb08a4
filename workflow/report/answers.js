// @ts-check
"use strict";

// What the answers of a model in a task are, and which of them pass the filters.

/** @typedef {{persona: string, wording: string, key: string, data: any}} Column */
/**
 * @typedef {{task: Task, spec: AnswerSpec, model: string, taskId: string, items: any,
 *   columns: Column[], baseline: Column, judge: string, measure: string, exact: any}} Place
 */

/** Everything that the list of cases needs. @param {State} wanted @returns {Promise<Place>} */
async function placeOf(wanted) {
  const task = index.tasks[wanted.task];
  const [items, cells, exact] = await Promise.all([
    load(`items/${wanted.task}`),
    load(`cells/${wanted.model}/${wanted.task}`),
    wanted.conf && task.answers.labels.length ? load(`confidences/${wanted.model}/${wanted.task}`) : null,
  ]);
  const columns = Object.keys(index.personas).map((persona) => {
    // The baseline has no paraphrases: it stands beside those of others in its main wording.
    const wording = cells[`${persona}/${wanted.wording}`] ? wanted.wording : "main";
    const key = `${persona}/${wording}`;
    return { persona, wording, key, data: cells[key] };
  });
  const key = `${index.baseline}/main`;
  const baseline = { persona: index.baseline, wording: "main", key, data: cells[key] };
  const judges = judgesOf(wanted.model, wanted.task);
  const judge = judges.includes(wanted.judge) ? wanted.judge : (judges[0] ?? "");
  return {
    task,
    spec: task.answers,
    model: wanted.model,
    taskId: wanted.task,
    items,
    columns,
    baseline,
    judge,
    measure: measureOf(task.answers, judge, wanted),
    exact,
  };
}

/** @param {string} model @param {string} task */
function judgesOf(model, task) {
  return Object.keys(index.judges).filter((id) => index.judges[id].places.includes(`${model}/${task}`));
}

/** The wordings that a study has. */
function wordingsOf() {
  return [...new Set(Object.values(index.personas).flatMap((persona) => Object.keys(persona.texts)))];
}

/** What of a judge's verdicts is shown: the action, a rating, or nothing where answers have outcomes of their own. @param {AnswerSpec} spec @param {string} judge @param {State} wanted */
function measureOf(spec, judge, wanted) {
  const known = index.judges[judge];
  if (!known || spec.labels.length) return "";
  if (known.ratings.some((one) => one.id === wanted.measure)) return wanted.measure;
  if (known.actions) return "action";
  return spec.outcomes.length ? "" : (known.ratings[0]?.id ?? "");
}

/** Whether the answers can be told apart by more than their words. @param {AnswerSpec} spec @param {string} judge */
function isTold(spec, judge) {
  return spec.labels.length > 0 || spec.outcomes.length > 0 || measureOf(spec, judge, state) !== "";
}

/** What an answer is: a label, another thing that it says, what it does in a judge's view, or its outcome. @param {Place} place @param {Column} column @param {number} i @returns {number | null} */
function choice(place, column, i) {
  if (place.spec.labels.length) return column.data.label[i];
  if (column.data.said) return column.data.said[i];
  if (index.judges[place.judge]?.actions) return column.data.judged[place.judge]?.action?.[i] ?? null;
  return column.data.outcome?.[i] ?? null;
}

/** What has become of an answer. @param {Place} place @param {Column} column @param {number} i @returns {Outcome | null} */
function outcome(place, column, i) {
  const at = column.data.outcome?.[i] ?? null;
  return at === null ? null : place.spec.outcomes[at];
}

/** Whether one of a list is, or is part of, what an id names. @param {{id: string, within: string | null} | null | undefined} one @param {string} id */
function isOne(one, id) {
  return one != null && (one.id === id || one.within === id);
}

/** Whether an answer says nothing that could be right, or lacks a verdict. @param {Place} place @param {Column} column @param {number} i */
function isInvalid(place, column, i) {
  if (!place.measure) return isOne(outcome(place, column, i), "invalid");
  const verdicts = column.data.judged[place.judge];
  return !verdicts || Object.values(verdicts).some((/** @type {any} */ values) => values[i] === null);
}

/** The strata of a case. @param {Place} place @param {number} i */
function strataOf(place, i) {
  const { strata, also } = place.spec;
  return [strata[place.items.stratum?.[i]], also[place.items.also?.[i]]];
}

/** Whether an answer is the worst that it could be. @param {Place} place @param {Column} column @param {number} i */
function isGrave(place, column, i) {
  const { grave, labels } = place.spec;
  if (!grave) return false;
  const does = index.actions[column.data.judged?.[place.judge]?.action?.[i] ?? -1];
  const reference = labels[place.items.reference?.[i]];
  return (
    grave.answers.some((id) => id === does || isOne(outcome(place, column, i), id)) &&
    grave.cases.some((id) => reference?.id === id || strataOf(place, i).some((one) => isOne(one, id)))
  );
}

/** Whether a confidence, in full precision, is within the bounds of a number. @param {Place} place @param {Column} column @param {number} i @param {State} wanted */
function isAsSure(place, column, i, wanted) {
  const value = place.exact?.[column.key]?.[wanted.conf]?.[i] ?? null;
  if (value === null || value < Number(wanted.from)) return false;
  return !wanted.below || value < Number(wanted.below);
}

/** Share of pairs of personas whose answers differ. @param {Place} place @param {number} i */
function disagreement(place, i) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  let n = 0;
  for (const column of place.columns) {
    const value = choice(place, column, i);
    if (value === null) continue;
    counts.set(value, (counts.get(value) ?? 0) + 1);
    n += 1;
  }
  if (n < 2) return null;
  let same = 0;
  for (const count of counts.values()) same += count * (count - 1);
  return 1 - same / (n * (n - 1));
}

/** Lowest confidence under any persona. @param {Place} place @param {number} i */
function lowest(place, i) {
  const known = place.columns
    .map((column) => column.data.confidence?.[i])
    .filter((value) => typeof value === "number");
  return known.length ? Math.min(...known) / 1000 : null;
}

/** Whether all filters of an answer hold. @param {Place} place @param {Column} column @param {number} i @param {State} wanted */
function holds(place, column, i, wanted) {
  const answer = choice(place, column, i);
  const { labels } = place.spec;
  if (wanted.flip && answer === choice(place, place.baseline, i)) return false;
  if (wanted.grave && !isGrave(place, column, i)) return false;
  if (wanted.invalid && !isInvalid(place, column, i)) return false;
  if (wanted.out && !isOne(outcome(place, column, i), wanted.out)) return false;
  if (labels.length) {
    const confidence = column.data.confidence[i] ?? null;
    if (wanted.low && !(confidence !== null && confidence / 1000 <= Number(wanted.low))) return false;
    if (wanted.conf && !isAsSure(place, column, i, wanted)) return false;
    const label = answer === null || answer < 0 ? null : labels[answer].id;
    if (wanted.ans && label !== wanted.ans && !isOne(outcome(place, column, i), wanted.ans)) return false;
  } else if (wanted.act && (answer === null || index.actions[answer] !== wanted.act)) return false;
  return true;
}

/** Whether filters of the case hold. @param {Place} place @param {number} i @param {State} wanted */
function isAbout(place, i, wanted) {
  const { labels, strata } = place.spec;
  if (wanted.ref && labels[place.items.reference?.[i]]?.id !== wanted.ref) return false;
  // In a category, and of the harmless ones there: both hold.
  for (const id of strata.length ? [wanted.cat, wanted.within] : []) {
    if (id && !strataOf(place, i).some((one) => isOne(one, id))) return false;
  }
  if (wanted.group) {
    const [id, group] = wanted.group.split(":");
    if (place.items.groups?.[id]?.[i] !== Number(group)) return false;
  }
  return true;
}

/** The columns that filters are about. @param {Place} place @param {State} wanted @returns {Column[]} */
function lookedAt(place, wanted) {
  const rater = raterOf(wanted);
  if (rater !== null) {
    const data = { confidence: [], ...place.items.raters[rater] };
    return [{ persona: wanted.persona, wording: "main", key: "", data }];
  }
  return place.columns.filter((column) => !wanted.persona || column.persona === wanted.persona);
}
