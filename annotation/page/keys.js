// Which key does what: one table serves the keyboard, the hints and the help.

import { h, kbd } from "./element.js";

/** Bindings: {keys: ["j"], label, group, run, typing: works inside text fields too, hidden: not in the help}. The last layer answers first. */
export class Keys {
  constructor() {
    this.layers = [];
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Adds a layer; returns the function that takes it away. */
  push(bindings) {
    this.layers.push(bindings);
    return () => {
      this.layers = this.layers.filter((layer) => layer !== bindings);
    };
  }

  #pressed(event) {
    if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const pressed = nameOf(event), typing = takesText(event.target);
    for (const bindings of [...this.layers].reverse()) {
      const found = bindings.find(({ keys, typing: anywhere }) => keys.includes(pressed) && (anywhere || !typing));
      if (!found || found.run(event) === false) continue;
      event.preventDefault();
      return;
    }
  }

  /** The help, from the table. */
  help() {
    const groups = new Map();
    for (const { group, label, keys, shown } of this.layers.flat()) {
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
  const key = letter && (!latin || event.altKey) ? (event.shiftKey && !event.altKey ? letter.toUpperCase() : letter) : event.key;
  return (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.altKey ? "Alt+" : "") + key;
}

function takesText(target) {
  return target.matches?.("textarea, select, input:not([type=radio], [type=checkbox], [type=button])") || target.isContentEditable;
}

/** A dialog that closes by Esc, its button, or a click beside it. */
export function dialog(title, ...content) {
  const close = h("button", { class: "quiet close", type: "button", onclick: () => element.close() }, "Close ", kbd("Esc"));
  const element = h("dialog", { "aria-label": title }, h("header", {}, h("h2", {}, title), close), h("div", { class: "content", tabindex: "0" }, content));
  element.addEventListener("click", (event) => event.target === element && element.close());
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  element.querySelector(".content").focus();
  return element;
}

