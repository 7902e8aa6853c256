// Which key does what: one table serves the keyboard, the hints and the help.

import { h, kbd } from "./element.js";

/**
 * Bindings: {keys: ["j"], label, group, run, typing: inside text fields too, shown: how the help writes the keys}. The first whose `run`
 * does not return false has answered; without a group a binding is not in the help.
 */
export class Keys {
  constructor(bindings) {
    this.bindings = bindings;
    this.held = null;
    this.holds = 0; // sendings under way: a second Ctrl+Enter comes while the first is being answered
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Keys pressed meanwhile wait: who types ahead while an answer is sent means the next item, not the last one. */
  async hold(work) {
    this.held ??= [];
    this.holds += 1;
    try {
      await work;
    } finally {
      this.holds -= 1;
      const held = this.holds ? [] : this.held;
      if (!this.holds) this.held = null;
      for (const event of held) this.#run(event);
    }
  }

  #pressed(event) {
    if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (!this.held || takesText(event.target)) return this.#run(event);
    event.preventDefault();
    this.held.push(event);
  }

  #run(event) {
    const pressed = nameOf(event),
      typing = takesText(event.target);
    const fitting = this.bindings.filter(({ keys, typing: anywhere }) => keys.includes(pressed) && (anywhere || !typing));
    if (fitting.some(({ run }) => run(event) !== false)) event.preventDefault();
  }

  /** The help, from the table. */
  help() {
    const groups = new Map();
    for (const { group, label, keys, shown } of this.bindings) {
      if (group) groups.set(group, [...(groups.get(group) ?? []), h("div", {}, h("dt", {}, kbd(...(shown ?? keys))), h("dd", {}, label))]);
    }
    return [...groups].map(([group, rows]) => h("section", {}, h("h3", {}, group), h("dl", {}, rows)));
  }
}

/** "j", "E", "Ctrl+Enter", "Alt+ArrowDown": Ctrl also stands for the Mac's command key. */
function nameOf(event) {
  const latin = /^[\x20-\x7e]$/.test(event.key) || event.key.length > 1;
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1].toLowerCase();
  // Keyboards of other scripts, and Alt, say something else than the letter on the key: then its place counts.
  const key = letter && (!latin || event.altKey) ? (event.shiftKey ? letter.toUpperCase() : letter) : event.key;
  return (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.altKey ? "Alt+" : "") + key;
}

function takesText(target) {
  return target.matches?.("textarea, select, input:not([type=radio], [type=checkbox], [type=button])") || target.isContentEditable;
}

/** A dialog that closes by Esc, its button, or a click beside it. */
export function dialog(title, ...content) {
  const close = h("button", { class: "quiet close", type: "button", onclick: () => element.close() }, "Close ", kbd("Esc"));
  const element = h(
    "dialog",
    { "aria-label": title },
    h("header", {}, h("h2", {}, title), close),
    h("div", { class: "content", tabindex: "0" }, content),
  );
  element.addEventListener("click", (event) => event.target === element && element.close());
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  element.querySelector(".content").focus();
  return element;
}
