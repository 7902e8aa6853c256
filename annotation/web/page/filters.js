// Which items are asked about: one value each of why, domain, language and standing, kept for this tab.

import { h, replace } from "./element.js";

const NAMES = ["why", "domain", "language", "standing"];
const KEY = "review:filters";

export class Filters {
  constructor(changed) {
    this.values = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    this.changed = changed;
    this.selects = Object.fromEntries(
      NAMES.map((name) => [
        name,
        h("select", { "aria-label": name, onchange: ({ target }) => this.set({ ...this.values, [name]: target.value }) }),
      ]),
    );
    this.clear = h("button", { type: "button", class: "quiet", onclick: () => this.set({}) }, "Clear");
    this.element = h(
      "div",
      { class: "filters", role: "group", "aria-label": "filters" },
      NAMES.map((name) => h("label", {}, h("span", {}, name), this.selects[name])),
      this.clear,
    );
    this.element.hidden = !this.any;
    this.draw({});
  }

  get any() {
    return Object.values(this.values).some(Boolean);
  }

  set(values) {
    this.values = values;
    sessionStorage.setItem(KEY, JSON.stringify(values));
    this.draw(this.facets);
    this.changed();
  }

  /** `facets`: {why: {kept: 12, ...}, ...} as /api/items gives them. */
  draw(facets) {
    this.facets = facets;
    for (const name of NAMES) {
      const counts = Object.entries(facets[name] ?? {}),
        value = this.values[name] ?? "";
      if (value && !counts.some(([one]) => one === value)) counts.push([value, null]);
      replace(
        this.selects[name],
        h("option", { value: "" }, "all"),
        counts.map(([one, count]) => h("option", { value: one }, count === null ? one : `${one} (${count.toLocaleString("en")})`)),
      );
      this.selects[name].value = value;
      this.selects[name].classList.toggle("set", value !== "");
      this.selects[name].parentElement.hidden = !counts.length;
    }
    this.clear.hidden = !this.any;
  }

  /** Shows the row and goes there; away again where none is set. */
  toggle() {
    this.element.hidden = !this.element.hidden && !this.any;
    if (!this.element.hidden) this.selects.why.focus();
  }
}
