// A text and its edit side by side: on the left the raw text with every change marked, on the right what it becomes.

import { Exact } from "./exact.js";
import { Passages } from "./passages.js";
import { changes } from "./diff.js";
import { h, kbd, replace, say } from "./element.js";
import { paragraphAt } from "./points.js";

const PAUSE = 120; // milliseconds without a key before the differences are looked for
const UNDOABLE = 20_000; // characters that the browser's own undo is asked to remember; more would make it slow
const TITLES = { reasoning: "Thoughts", summary: "Summary" };

export class Editor {
  /** `changed(name)` after every key; `compared(name, changes)` when the differences are known; `done()` closes. */
  constructor({ questions, differ, changed, compared, done, open }) {
    Object.assign(this, { questions, differ, changed, compared });
    this.area = h("textarea", { spellcheck: "false", autocomplete: "off", autocapitalize: "off", autocorrect: "off", wrap: "soft" });
    this.area.addEventListener("input", () => this.#typed());
    this.area.addEventListener("scroll", () => this.#follow(), { passive: true });
    document.addEventListener("selectionchange", () => document.activeElement === this.area && this.#caret());
    this.left = h("div", { class: "raw", tabindex: "0", role: "region", "aria-label": "the raw text with your changes" });
    this.count = h("span", { class: "count", "aria-live": "polite" });
    this.warnings = h("div", { class: "warnings", role: "alert" });
    this.tabs = Object.entries(TITLES).map(([name, title]) =>
      h("button", { type: "button", class: "tab", "data-name": name, onclick: () => open(name) }, title),
    );
    const button = (label, keys, run) => h("button", { type: "button", class: "quiet", onclick: run }, label, " ", kbd(...keys));
    this.all = button("Undo all", ["Alt", "⇧", "R"], () => this.takeAllBack());
    this.element = h(
      "section",
      { class: "editor", "aria-label": "edit" },
      h(
        "div",
        { class: "tools" },
        h("div", { class: "tabs" }, this.tabs),
        this.count,
        button("Next", ["Alt", "↓"], () => this.jump(1)),
        button("Previous", ["Alt", "↑"], () => this.jump(-1)),
        button("Undo it", ["Alt", "R"], () => this.takeBack()),
        this.all,
        h("span", { class: "space" }),
        button("Done", ["Esc"], done),
      ),
      this.warnings,
      h("div", { class: "sides" }, this.left, this.area),
    );
  }

  /** Opens `name` with the caret at `offset` of the raw text. */
  open(name, { raw, text, findings, offset = 0 }) {
    this.name = name;
    this.raw = raw;
    this.list = [];
    this.removed = null;
    this.passages = new Passages({ name: `edit-${name}`, raw, findings });
    replace(this.left, this.passages.element);
    this.passages.grow();
    for (const tab of this.tabs) tab.setAttribute("aria-pressed", String(tab.dataset.name === name));
    this.area.setAttribute("aria-label", `${TITLES[name]}, edited`);
    this.#put(text);
    this.#compared(name, numbered(changes(raw, text))); // at once: who types at once finds the caret where it stays
    this.#goTo(this.#inEdited(offset));
  }

  /** Other text in place of what stands here (another tab's, or all taken back). */
  put(text) {
    this.#put(text);
    this.#compare();
  }

  jump(direction) {
    if (!this.list.length) return say("no changes");
    const caret = this.exact.toText(this.area.selectionStart);
    const next =
      direction > 0
        ? (this.list.find(({ at }) => at > caret) ?? this.list[0])
        : (this.list.findLast(({ at }) => at < caret) ?? this.list.at(-1));
    this.#goTo(next.at, next.at + next.text.length);
    this.left.querySelector(`[data-change="${next.number}"]`)?.scrollIntoView({ block: "center" });
    say(`change ${next.number} of ${this.list.length}`);
  }

  /** The change at the caret, or the nearest, becomes again what it was. */
  takeBack() {
    const caret = this.exact.toText(this.area.selectionStart);
    const far = ({ at, text }) => Math.max(at - caret, caret - at - text.length, 0);
    const nearest = this.list.reduce((best, one) => (!best || far(one) < far(best) ? one : best), null);
    if (!nearest) return;
    const { at, text, start, stop } = nearest,
      was = this.raw.slice(start, stop);
    if (this.exact.careful || was.length + text.length > UNDOABLE) {
      this.put(this.text.slice(0, at) + was + this.text.slice(at + text.length));
      this.#goTo(at);
      return this.changed(this.name);
    }
    this.area.focus();
    this.area.setSelectionRange(at, at + text.length);
    // The browser's own undo knows of it this way; where the command is gone, the text is right all the same.
    if (!document.execCommand(was ? "insertText" : "delete", false, was)) {
      this.area.setRangeText(was, at, at + text.length, "end");
      this.#typed();
    }
  }

  /** All changes of this text; pressed again, they are there again. */
  takeAllBack() {
    const again = this.removed;
    this.removed = again === null ? this.text : null;
    this.put(again ?? this.raw);
    this.all.firstChild.textContent = this.removed === null ? "Undo all" : "Redo all";
    this.changed(this.name);
  }

  #put(text) {
    this.exact = new Exact(text, this.raw);
    this.area.value = this.exact.shown;
    this.#warn();
  }

  #typed() {
    if (this.exact.careful) this.exact.take(this.area.value); // now: later, two edits would look like one
    this.removed = null;
    this.all.firstChild.textContent = "Undo all";
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.#compare(), PAUSE);
    this.changed(this.name);
  }

  /** The text as it is now. */
  get text() {
    return this.exact.take(this.area.value);
  }

  #compare() {
    clearTimeout(this.pause);
    const { name, text } = this;
    this.#warn();
    this.differ.ask(name, this.raw, text, (found) => this.#compared(name, numbered(found)));
  }

  #compared(name, list) {
    this.compared(name, list);
    if (name !== this.name) return;
    this.list = list;
    this.passages.show(list);
    this.count.textContent = list.length ? `${list.length.toLocaleString("en")} change${list.length > 1 ? "s" : ""}` : "as it was";
    this.all.disabled = !list.length && this.removed === null;
  }

  // What the server would refuse, said while it is typed.
  #warn() {
    const { text } = this,
      { opening, closing } = this.questions;
    const found = [...new Set([opening, closing])].map((token) => [
      `${token} is put around the thoughts by itself, and can not stand inside`,
      text.indexOf(token),
      token.length,
    ]);
    found.push(
      ["a NUL character can not stand in a text", text.indexOf("\0"), 1],
      ["half a character (a lone surrogate) can not stand in a text", text.search(/\p{Cs}/u), 1],
    );
    if (!text.trim()) found.push(["an empty text can not be learnt from: write it, or discard the rollout", 0, 0]);
    const edited = text !== this.raw;
    replace(
      this.warnings,
      found
        .filter(([, at]) => edited && at !== -1)
        .map(([why, at, length]) =>
          h(
            "p",
            {},
            why,
            " ",
            h("button", { type: "button", class: "quiet", onclick: () => this.#goTo(at, at + length) }, "go there"),
            length > 0 && h("button", { type: "button", class: "quiet", onclick: () => this.#takeOut(at, length) }, "take it out"),
          ),
        ),
    );
  }

  #takeOut(at, length) {
    this.put(this.text.slice(0, at) + this.text.slice(at + length));
    this.#goTo(at);
    this.changed(this.name);
  }

  // Selects in the edited text; a textarea only scrolls to its caret when it gets the focus.
  #goTo(from, to = from) {
    this.area.setSelectionRange(this.exact.toShown(from), this.exact.toShown(to));
    this.area.blur();
    this.area.focus();
    this.#caret();
  }

  #inEdited(offset) {
    let shift = 0;
    for (const { start, stop, text } of this.list) {
      if (start >= offset) break;
      shift += text.length - (Math.min(stop, offset) - start);
    }
    return offset + shift;
  }

  #inRaw(offset) {
    const before = this.list.findLast(({ at }) => at <= offset);
    return before ? Math.max(before.start, offset - before.at - before.text.length + before.stop) : offset;
  }

  // The paragraph at the caret is lit on the left, and brought into sight.
  #caret() {
    const offset = this.#inRaw(this.exact.toText(this.area.selectionStart));
    const paragraph = this.passages.at(paragraphAt(this.passages.list, Math.min(offset, this.raw.length)));
    if (this.current === paragraph) return;
    this.current?.classList.remove("current");
    this.current = paragraph;
    paragraph.classList.add("current");
    const sight = this.left.getBoundingClientRect(),
      there = paragraph.getBoundingClientRect();
    if (there.bottom < sight.top + 40 || there.top > sight.bottom - 40) this.left.scrollTop += there.top - sight.top - sight.height / 3;
  }

  // Both sides wrap alike, so a scrolled line on the right is a scrolled line on the left.
  #follow() {
    const moved = this.area.scrollTop - (this.scrolled ?? 0);
    this.scrolled = this.area.scrollTop;
    if (Math.abs(moved) < this.area.clientHeight) this.left.scrollTop += moved;
  }
}

/** Changes with their number from 1 and their place `at` in the edited text. */
export function numbered(list) {
  let shift = 0;
  return list.map((change, index) => {
    const at = change.start + shift;
    shift += change.text.length - (change.stop - change.start);
    return { ...change, number: index + 1, at };
  });
}
