// A long text as paragraphs: numbered, folded where long, marked, and drawn anew only where something changed.

import { h, replace } from "./element.js";
import { marked } from "./exactly.js";
import { paragraphAt, paragraphs } from "./points.js";

const LONG = 1_600; // characters from which a paragraph is folded,
const LINES = 18; // or lines
const AT_ONCE = 200; // paragraphs drawn before the page is shown; the others follow in pieces

export class Passages {
  /** `findings` in UTF-16 offsets; `name` is reasoning or summary; `folded`: long paragraphs begin folded. */
  constructor({ name, raw, findings = [], folded = false }) {
    this.name = name;
    this.raw = raw;
    this.folded = folded;
    this.list = paragraphs(raw);
    this.findings = this.#byParagraph(findings);
    this.changes = new Map();
    this.element = h("div", { class: "passages", "data-text": name });
    this.drawn = 0;
    this.#draw(AT_ONCE);
  }

  get length() {
    return this.list.length;
  }

  /** Draws what is not drawn yet, piece by piece, while it is on the page: called by whoever lays it there. */
  grow() {
    setTimeout(() => {
      if (this.drawn >= this.length || !this.element.isConnected) return;
      this.#draw(this.drawn + 4 * AT_ONCE);
      this.grow();
    });
  }

  /** The element of paragraph `index`; draws up to it where it is not there yet. */
  at(index) {
    this.#draw(index + 1);
    return this.element.children[index];
  }

  /** Shows these changes ([{start, stop, text, number}]); only paragraphs that look different are drawn again. */
  show(changes) {
    const before = this.changes;
    this.changes = this.#byParagraph(changes);
    for (const index of new Set([...before.keys(), ...this.changes.keys()])) {
      if (index < this.drawn && JSON.stringify(before.get(index)) !== JSON.stringify(this.changes.get(index))) this.#fill(index);
    }
  }

  fold(index, folded) {
    const paragraph = this.at(index);
    if (paragraph.dataset.long) fold(paragraph, folded);
  }

  toggle(index) {
    this.fold(index, !this.at(index).classList.contains("folded"));
  }

  foldAll(folded) {
    this.folded = folded;
    for (const paragraph of this.element.querySelectorAll("[data-long]")) fold(paragraph, folded);
  }

  // What touches which paragraph; what is only put in belongs to the paragraph it is put before.
  #byParagraph(stretches) {
    const found = new Map();
    for (const stretch of stretches) {
      const first = paragraphAt(this.list, stretch.start),
        last = paragraphAt(this.list, Math.max(stretch.start, stretch.stop - 1));
      for (let index = first; index <= last; index += 1) found.set(index, [...(found.get(index) ?? []), stretch]);
    }
    return found;
  }

  #draw(upTo) {
    const fresh = document.createDocumentFragment(),
      from = this.drawn;
    for (; this.drawn < Math.min(upTo, this.length); this.drawn += 1) fresh.append(this.#paragraph(this.drawn));
    this.element.append(fresh);
    for (let index = from; index < this.drawn; index += 1) this.#fill(index);
  }

  #paragraph(index) {
    const { start, stop } = this.list[index],
      size = stop - start;
    const long = size > LONG || this.raw.slice(start, stop).split("\n", LINES + 2).length > LINES;
    const label = `paragraph ${index + 1} of ${this.length}`;
    const element = h(
      "div",
      {
        class: "paragraph",
        id: `${this.name}-${index + 1}`,
        tabindex: "-1",
        role: "group",
        "aria-label": label,
        "data-number": index + 1,
        "data-long": long && size.toLocaleString("en"),
      },
      h("div", { class: "body", dir: "auto" }),
      long && h("button", { class: "more", type: "button", "aria-label": `unfold ${label}`, onclick: () => this.toggle(index) }),
    );
    if (long) fold(element, this.folded);
    return element;
  }

  #fill(index) {
    const element = this.element.children[index],
      changes = this.changes.get(index) ?? [];
    replace(element.firstChild, marked(this.raw, this.list[index], this.findings.get(index) ?? [], changes));
    element.classList.toggle("changed", changes.length > 0);
  }
}

function fold(paragraph, folded) {
  paragraph.classList.toggle("folded", folded);
  const button = paragraph.querySelector("button.more");
  button.setAttribute("aria-expanded", String(!folded));
  button.dataset.label = folded ? `… unfold ${paragraph.dataset.long} characters` : "fold";
}
