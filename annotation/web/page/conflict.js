// Two tabs saved the same item: both are laid side by side, and a person chooses.

import { changes } from "./diff.js";
import { h, kbd } from "./element.js";
import { marked } from "./exactly.js";

const TITLES = {
  verdict: "Verdict",
  readability: "Readability",
  language: "Language",
  reasons: "Reasons",
  comment: "Comment",
  reasoning: "Thoughts",
  summary: "Summary",
};

/** "mine" or "theirs"; `raw` are the item's texts, for a text that one side left as it was. */
export function choose({ theirs, mine, raw }) {
  const others = theirs.values ?? {};
  const text = (values, name) => String(values[name] ?? raw[name] ?? "");
  const rows = Object.keys(TITLES)
    .filter((name) => text(others, name) !== text(mine, name))
    .map((name) => {
      const [here, there] = [text(mine, name), text(others, name)];
      const differing = name in raw || name === "comment";
      const shown = (from, to) => (differing ? near(from, to) : from || "–");
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, TITLES[name]),
        h("td", { dir: "auto" }, shown(here, there)),
        h("td", { dir: "auto" }, shown(there, here)),
      );
    });
  const when = theirs.at ? ` at ${new Date(theirs.at).toLocaleTimeString()}` : "";
  return new Promise((resolve) => {
    const decide = (choice) => {
      element.close();
      element.remove();
      resolve(choice);
    };
    const buttons = [
      h("button", { type: "button", class: "primary", onclick: () => decide("mine") }, kbd("1"), " Keep what is here"),
      h("button", { type: "button", onclick: () => decide("theirs") }, kbd("2"), " Take what was saved elsewhere"),
    ];
    const element = h(
      "dialog",
      { class: "conflict", "aria-label": "Saved in two places" },
      h("header", {}, h("h2", {}, "Saved in two places")),
      h(
        "div",
        { class: "content", tabindex: "0" },
        h(
          "p",
          {},
          `This item was saved elsewhere${when}, in another tab or on another machine. Both are here; the one you leave stays in the history.`,
        ),
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col" }, "Here"), h("th", { scope: "col" }, "Elsewhere"))),
          h("tbody", {}, rows),
        ),
      ),
      h("footer", {}, buttons),
    );
    element.addEventListener("cancel", (event) => event.preventDefault());
    element.addEventListener("keydown", ({ key }) => (key === "1" ? decide("mine") : key === "2" && decide("theirs")));
    document.body.append(element);
    element.showModal();
    element.querySelector(".content").focus();
  });
}

// The text with what the other lacks marked; long stretches that both share are left out in the middle.
function near(text, other) {
  const AROUND = 120,
    nodes = [];
  let at = 0;
  const between = (from, to, last) => {
    if (to - from <= 3 * AROUND) return nodes.push(...marked(text, { start: from, stop: to }, [], []));
    if (from > 0) nodes.push(...marked(text, { start: from, stop: from + AROUND }, [], []));
    nodes.push(
      h(
        "span",
        { class: "same" },
        ` … ${(to - from - (from > 0 ? AROUND : 0) - (last ? 0 : AROUND)).toLocaleString("en")} characters as on the other side … `,
      ),
    );
    if (!last) nodes.push(...marked(text, { start: to - AROUND, stop: to }, [], []));
  };
  for (const { start, stop } of changes(text, other)) {
    between(at, start, false);
    if (stop > start) nodes.push(h("ins", {}, marked(text, { start, stop }, [], [])));
    else nodes.push(h("span", { class: "lacking", title: "the other side has more here" }, "‸"));
    at = stop;
  }
  between(at, text.length, true);
  return nodes;
}
