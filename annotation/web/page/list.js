// All items under the filters: where each one is, and a way into it.

import { call, query } from "./api.js";
import { WHY } from "./item.js";
import { h, kbd, replace } from "./element.js";

const PAGE = 100;
const STATES = {
  "": "all",
  pending: "not answered",
  draft: "begun",
  submitted: "submitted",
  discarded: "discarded",
  done: "others did it",
};

export class List {
  /** `open(itemId)` opens an item for review. */
  constructor({ filters, open }) {
    Object.assign(this, { filters, open, offset: 0, status: "" });
    this.table = h("tbody", {});
    this.total = h("span", { class: "counted", "aria-live": "polite" });
    this.select = h(
      "select",
      {
        "aria-label": "my answer",
        onchange: ({ target }) => {
          this.status = target.value;
          this.load(0);
        },
      },
      Object.entries(STATES).map(([value, label]) => h("option", { value }, label)),
    );
    this.earlier = h("button", { type: "button", class: "quiet", onclick: () => this.load(this.offset - PAGE) }, "← earlier ", kbd("["));
    this.later = h("button", { type: "button", class: "quiet", onclick: () => this.load(this.offset + PAGE) }, "later → ", kbd("]"));
    const heads = ["#", "Question", "Why", "Domain", "Language", "Standing", "Characters", "Answers", "Mine"];
    this.element = h(
      "main",
      { class: "list" },
      h(
        "div",
        { class: "title" },
        h("h2", {}, "All items"),
        this.total,
        h("label", {}, "mine ", this.select),
        h("span", { class: "space" }),
        this.earlier,
        this.later,
      ),
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
        this.table,
      ),
    );
  }

  async load(offset = this.offset) {
    this.offset = Math.max(0, offset);
    const { rows, total, facets } = await call(
      "GET",
      `/api/items${query({ ...this.filters.values, status: this.status, offset: this.offset, limit: PAGE })}`,
    );
    if (!rows.length && this.offset > 0) return this.load(0);
    this.filters.draw(facets);
    this.total.textContent = total
      ? `${(this.offset + 1).toLocaleString("en")}–${(this.offset + rows.length).toLocaleString("en")} of ${total.toLocaleString("en")}`
      : "none under these filters";
    this.earlier.disabled = this.offset === 0;
    this.later.disabled = this.offset + rows.length >= total;
    replace(
      this.table,
      rows.map((row) => this.#row(row)),
    );
    this.focus(0);
  }

  focus(index) {
    const rows = this.table.children;
    rows[Math.max(0, Math.min(index, rows.length - 1))]?.querySelector("a").focus();
  }

  step(by) {
    const row = document.activeElement?.closest("tr");
    this.focus(row ? [...this.table.children].indexOf(row) + by : 0);
  }

  #row({ item_id, rank, prompt, why, domain, language, standing, characters, answers, wanted, mine }) {
    const link = h("a", { href: `#/item/${item_id}` }, prompt.slice(0, 160) || "(no question)");
    return h(
      "tr",
      { onclick: ({ target }) => target.closest("a") || this.open(item_id) },
      h("td", { class: "number" }, rank + 1),
      h("td", { class: "question" }, link),
      h("td", { title: WHY[why] }, why),
      h("td", {}, domain ?? ""),
      h("td", {}, language ?? ""),
      h("td", {}, standing ?? ""),
      h("td", { class: "number" }, characters.toLocaleString("en")),
      h("td", { class: "number" }, `${answers} of ${wanted}`),
      h("td", {}, h("span", { class: `state ${mine}` }, STATES[mine] ?? mine)),
    );
  }
}
