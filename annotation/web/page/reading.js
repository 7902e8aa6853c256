// Where a person is in an item: the paragraph they read, the finding they look at, the formulas they asked for.

import { say } from "./element.js";
import { paragraphAt } from "./points.js";
import { rendered } from "./math.js";

const LINE = 0.28; // of the window's height: where the paragraph that is read begins

export class Reading {
  constructor({ texts, findings }) {
    this.texts = texts;
    this.findings = Object.values(findings).flat();
    this.place = null; // {name, index}
    this.finding = null; // index
    this.formulas = false;
    this.sight = new IntersectionObserver(
      (seen) => seen.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => this.#render(target)),
      { rootMargin: "50%" },
    );
    for (const { element } of Object.values(texts)) {
      element.addEventListener("click", ({ target }) => {
        const paragraph = target.closest(".paragraph");
        if (paragraph && !target.closest("button")) this.#mark(element.dataset.text, Number(paragraph.dataset.number) - 1);
      });
    }
  }

  /** The paragraph below or above; over the edge of the thoughts lies the summary. */
  step(by) {
    const from = this.#seen() ?? { name: "reasoning", index: -1 };
    let { name } = from,
      index = from.index + by;
    if (index >= this.texts[name].length) {
      if (name === "summary") return;
      [name, index] = ["summary", 0];
    } else if (index < 0) {
      if (name === "reasoning") return scrollTo({ top: 0 });
      [name, index] = ["reasoning", this.texts.reasoning.length - 1];
    }
    this.goTo(name, index);
  }

  goTo(name, index) {
    this.texts[name].fold(index, false);
    const paragraph = this.#mark(name, index);
    paragraph.focus({ preventScroll: true });
    scrollTo({ top: scrollY + paragraph.getBoundingClientRect().top - innerHeight * LINE });
  }

  toFinding(by) {
    if (!this.findings.length) return say("no findings");
    const count = this.findings.length,
      from = this.finding ?? (by > 0 ? -1 : count);
    this.finding = (from + by + count) % count;
    const { field, start, scorer, note, number } = this.findings[this.finding];
    this.goTo(field, paragraphAt(this.texts[field].list, start));
    const marks = document.querySelectorAll(`mark[data-finding="${number}"]`);
    document.querySelectorAll("mark.looked-at").forEach((mark) => mark.classList.remove("looked-at"));
    marks.forEach((mark) => mark.classList.add("looked-at"));
    marks[0]?.scrollIntoView({ block: "center" });
    say(`finding ${number} of ${this.findings.length}: ${scorer}, ${note}`);
  }

  toggleFold() {
    const place = this.#seen();
    if (place) this.texts[place.name].toggle(place.index);
  }

  foldAll(folded) {
    for (const text of Object.values(this.texts)) text.foldAll(folded);
    if (this.place) this.goTo(this.place.name, this.place.index);
  }

  /** Formulas beside the source, for paragraphs as they come into sight; off again by a second call. */
  toggleFormulas(on = !this.formulas) {
    this.formulas = on;
    this.sight.disconnect();
    for (const text of Object.values(this.texts)) {
      text.at(text.length - 1);
      text.element.classList.toggle("with-formulas", on);
      for (const paragraph of text.element.children) {
        if (on) this.sight.observe(paragraph);
        else paragraph.querySelector(".rendered")?.remove();
      }
    }
    say(on ? "formulas are shown" : "formulas are hidden");
  }

  /** Offset in the raw text where the paragraph that is read begins. */
  offset(name) {
    const place = this.#seen();
    return place?.name === name ? this.texts[name].list[place.index].start : 0;
  }

  #render(paragraph) {
    this.sight.unobserve(paragraph);
    const text = this.texts[paragraph.parentElement?.dataset.text];
    if (!text || paragraph.querySelector(".rendered")) return;
    const { start, stop } = text.list[Number(paragraph.dataset.number) - 1];
    const box = rendered(text.raw.slice(start, stop));
    if (box) paragraph.querySelector(".body").after(box);
  }

  #mark(name, index) {
    if (this.place) this.texts[this.place.name].at(this.place.index).classList.remove("current");
    this.place = { name, index };
    const paragraph = this.texts[name].at(index);
    paragraph.classList.add("current");
    return paragraph;
  }

  // The current paragraph while it can be seen, else the one at the reading line.
  #seen() {
    if (this.place) {
      const { top, bottom } = this.texts[this.place.name].at(this.place.index).getBoundingClientRect();
      if (bottom > 0 && top < innerHeight) return this.place;
    }
    const { left, width } = this.texts.reasoning.element.getBoundingClientRect();
    const paragraph = document.elementFromPoint(left + width / 2, innerHeight * LINE)?.closest(".paragraph");
    if (!paragraph) return this.place && this.texts.reasoning.element.getBoundingClientRect().top < 0 ? this.place : null;
    return { name: paragraph.parentElement.dataset.text, index: Number(paragraph.dataset.number) - 1 };
  }
}
