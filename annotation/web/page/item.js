// What is laid before a person: the question, why it is asked, what scorers said, the thoughts and the summary.

import { Passages } from "./passages.js";
import { exactly } from "./exactly.js";
import { h, kbd } from "./element.js";
import { inUnits } from "./points.js";

export const WHY = {
  all: "every row is asked about",
  unjudged: "no scorer could judge it",
  disagreement: "scorers disagree",
  kept: "a sample of what the filters kept",
  rejected: "a sample of what the filters rejected",
};
const SHADES = 6; // colours for the scorers' findings

/** {element, texts: {reasoning, summary}: Passages, findings: {...}} */
export function laidOut({ item, others = [], current = true }, questions, { folded }) {
  const scorers = [...new Set(item.findings.map(({ scorer }) => scorer))];
  const numbered = ["reasoning", "summary"].flatMap((name) =>
    inUnits(
      item[name],
      item.findings.filter(({ field }) => field === name),
    ),
  );
  numbered.forEach((finding, index) =>
    Object.assign(finding, { number: index + 1, shade: `shade-${scorers.indexOf(finding.scorer) % SHADES}` }),
  );
  const findings = Object.groupBy(numbered, ({ field }) => field);
  const text = (name) => new Passages({ name, raw: item[name], findings: findings[name], folded });
  const texts = { reasoning: text("reasoning"), summary: text("summary") };
  const element = h(
    "article",
    { class: "item", "aria-label": `item ${item.rank + 1}` },
    head(item, others),
    current
      ? null
      : h(
          "p",
          { class: "notice" },
          "The row's text has changed since this was queued: what you say of it is kept, and the new text is asked about by itself.",
        ),
    h("section", { class: "prompt", "aria-label": "question" }, h("h2", {}, "Question"), clipped(item.prompt)),
    item.answer === null
      ? null
      : h(
          "p",
          { class: "reference" },
          h("span", { class: "legend" }, "Reference answer"),
          h("span", { class: "exact", dir: "auto" }, exactly(item.answer)),
        ),
    said(item.said),
    title(
      "Thoughts",
      item.reasoning,
      texts.reasoning,
      numbered.length && `${numbered.length} finding${numbered.length > 1 ? "s" : ""}`,
      numbered.length ? hint("next finding", ".") : null,
      hint("fold all", "Z"),
      hint("formulas", "m"),
      hint("edit", "e"),
    ),
    h("div", { class: "token" }, questions.opening),
    texts.reasoning.element,
    h("div", { class: "token" }, questions.closing),
    title("Summary", item.summary, texts.summary, null, hint("edit", "E")),
    texts.summary.element,
  );
  return { element, texts, findings };
}

function head(item, others) {
  const { domain, language, ...rest } = item.metadata;
  const scorers = new Set(item.said.map(({ scorer }) => scorer)); // their values stand below, with the reasons
  const chips = Object.entries({ domain, language, standing: item.standing, ...rest }).filter(
    ([name, value]) => !scorers.has(name) && value !== undefined && value !== null && value !== "",
  );
  return h(
    "header",
    { class: "head" },
    h("span", { class: "rank" }, `#${item.rank + 1}`),
    h("span", { class: `why ${item.why}` }, WHY[item.why] ?? item.why),
    chips.map(([name, value]) =>
      h("span", { class: "chip", title: `${name}: ${value}` }, h("span", { class: "name" }, name.replaceAll("_", " ")), " ", short(value)),
    ),
    others.length ? h("span", { class: "others" }, `${others.join(", ")} ${others.length > 1 ? "are" : "is"} at it too`) : null,
  );
}

function short(value) {
  if (typeof value === "number") return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(3)));
  return exactly(value.length > 60 ? `…${value.slice(-59)}` : value);
}

function clipped(prompt) {
  const body = h("div", { class: "exact body", dir: "auto", tabindex: "-1" }, exactly(prompt));
  const long = prompt.length > 900 || prompt.split("\n", 14).length > 12;
  if (!long) return body;
  body.classList.add("clipped");
  const more = h("button", {
    type: "button",
    class: "more",
    "aria-expanded": "false",
    "data-label": "… the whole question (p)",
    "aria-label": "the whole question",
    onclick: () => {
      const open = body.classList.toggle("clipped") === false;
      more.setAttribute("aria-expanded", String(open));
      more.dataset.label = open ? "less (p)" : "… the whole question (p)";
    },
  });
  return [body, more];
}

function said(list) {
  if (!list.length) return null;
  return h(
    "ul",
    { class: "said", "aria-label": "what scorers said" },
    list.map(({ scorer, value, reason }) => {
      const grade = value === null ? "unjudged" : value >= 0.75 ? "good" : value >= 0.4 ? "middling" : "poor";
      return h(
        "li",
        { class: grade, title: reason },
        h("span", { class: "scorer" }, scorer.replaceAll("_", " ")),
        " ",
        h("b", {}, value === null ? "?" : String(Number(value.toFixed(2)))),
        " ",
        h("span", { class: "reason" }, exactly(reason)),
      );
    }),
  );
}

function title(name, text, passages, more, ...hints) {
  const counted = `${passages.length.toLocaleString("en")} paragraph${passages.length === 1 ? "" : "s"} · ${text.length.toLocaleString("en")} characters`;
  return h(
    "div",
    { class: "title" },
    h("h2", {}, name),
    h("span", { class: "counted" }, counted, more ? ` · ${more}` : ""),
    h("span", { class: "hints" }, hints),
  );
}

const hint = (what, key) => h("span", { class: "hint" }, kbd(key), " ", what);
