// How an element is made: text only ever becomes a text node, so nothing in a rollout can turn into markup.

/** `h("button", {class: "quiet", onclick: go, "aria-label": "next"}, "Next", icon)`; children that are null or false are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child);
  }
}

/** `replace(box, "one", h("b", {}, "two"))`: what was inside is gone. */
export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

export const kbd = (...keys) => keys.map((key) => h("kbd", { "aria-hidden": "true" }, key));

const spoken = h("div", { class: "unseen", "aria-live": "polite", role: "status" });

/** Says it to a screen reader. */
export function say(text) {
  if (!spoken.isConnected) document.body.append(spoken);
  spoken.textContent = text;
}
