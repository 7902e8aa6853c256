// The answer beside the text: rows of choices; digits answer the lit row, and the light moves on by itself.

import { h, kbd, replace, say } from "./element.js";

const SCALE = { 1: "a struggle", 5: "a pleasure" };
const FIELDS = [
  // which field a problem of the server speaks of, by its words
  [/^readability/, "readability"],
  [/^language/, "language"],
  [/^reasons?\b/, "reasons"],
  [/edited reasoning|reasoning is/, "reasoning"],
  [/edited summary|summary is/, "summary"],
  [/./, "verdict"],
];

export class Form {
  /** `changed()` is called after every answer; `edit(name)` opens a text; `submit()` sends. */
  constructor(questions, { changed, submit, edit }) {
    this.changed = changed;
    this.rows = {
      verdict: this.#row("verdict", "Verdict", "v", questions.verdicts),
      reasons: this.#row("reasons", "Why discard?", "w", questions.reasons, { several: true }),
      readability: this.#row("readability", "Readability", "r", [1, 2, 3, 4, 5]),
      language: this.#row("language", "Language of the thoughts", "l", questions.languages),
    };
    this.comment = h("textarea", {
      id: "comment",
      rows: "2",
      placeholder: "What the next person should know",
      oninput: () => this.changed(),
    });
    this.button = h("button", { class: "submit", type: "submit" }, "Submit ", kbd("Ctrl"), kbd("⏎"));
    this.texts = Object.fromEntries(
      [
        ["reasoning", "Thoughts", "e"],
        ["summary", "Summary", "E"],
      ].map(([name, title, key]) => [
        name,
        {
          state: h("span", { class: "state" }),
          note: h("p", { class: "note", role: "status" }),
          trouble: h("p", { class: "trouble", role: "alert" }),
          title,
          key,
        },
      ]),
    );
    const edits = Object.entries(this.texts).map(([name, { state, note, trouble, title, key }]) => [
      h(
        "button",
        { class: "text", type: "button", onclick: () => edit(name) },
        kbd(key),
        h("span", {}, `Edit ${title.toLowerCase()}`),
        state,
      ),
      note,
      trouble,
    ]);
    this.element = h(
      "form",
      {
        class: "answer",
        "aria-label": "Your answer",
        onsubmit: (event) => {
          event.preventDefault();
          submit();
        },
      },
      Object.values(this.rows).map(({ element }) => element),
      h("div", { class: "edits" }, edits),
      h("label", { class: "comment", for: "comment" }, h("span", { class: "legend" }, "Comment ", kbd("c")), this.comment),
      this.button,
    );
    this.set({});
  }

  #row(name, title, key, options, { several = false } = {}) {
    const inputs = options.map((option, index) =>
      h("input", {
        type: several ? "checkbox" : "radio",
        name,
        value: option,
        id: `${name}-${index + 1}`,
        onchange: () => this.#answered(name),
      }),
    );
    const labels = inputs.map((input, index) =>
      h(
        "label",
        { class: "option", "data-value": options[index], for: input.id, title: SCALE[options[index]] ?? null },
        input,
        name === "readability" ? null : kbd(index + 1),
        h("span", {}, options[index]),
      ),
    );
    const ends =
      name === "readability" && h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, SCALE[1]), h("span", {}, SCALE[5]));
    const trouble = h("p", { class: "trouble", role: "alert" });
    const element = h(
      "fieldset",
      { class: `row ${name}`, "data-row": name },
      h("legend", {}, title, " ", kbd(key)),
      h("div", { class: "options" }, labels),
      ends,
      trouble,
    );
    for (const input of inputs) input.addEventListener("focus", () => this.light(name));
    return { element, inputs, several, options, trouble, title };
  }

  /** What is answered so far; what is not is left out. */
  get values() {
    const chosen = (name) =>
      this.rows[name].inputs.map((input, index) => input.checked && this.rows[name].options[index]).filter((one) => one !== false);
    const values = { verdict: chosen("verdict")[0], readability: chosen("readability")[0], language: chosen("language")[0] };
    if (values.verdict === "discard" && chosen("reasons").length) values.reasons = chosen("reasons");
    if (this.comment.value) values.comment = this.comment.value;
    return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  }

  set(values) {
    for (const [name, { inputs, options, several }] of Object.entries(this.rows)) {
      for (const [index, input] of inputs.entries())
        input.checked = several ? (values[name] ?? []).includes(options[index]) : values[name] === options[index];
    }
    this.comment.value = values.comment ?? "";
    this.#discarding();
    this.clear();
    this.light(this.open[0] ?? "submit");
  }

  choose(name, value) {
    const { inputs, options } = this.rows[name];
    inputs[options.indexOf(value)].checked = true;
    this.#discarding();
    if (this.lit === name) this.next();
    this.changed();
  }

  /** A digit for the lit row; false where there is no such choice. */
  digit(number) {
    const input = this.rows[this.lit]?.inputs[number - 1];
    if (!input) return false;
    input.checked = input.type === "radio" || !input.checked;
    this.#answered(this.lit);
    return true;
  }

  light(name) {
    this.lit = name;
    for (const [other, { element }] of Object.entries(this.rows)) element.classList.toggle("lit", other === name);
    this.button.classList.toggle("lit", name === "submit");
  }

  /** The row behind the lit one that is still open. */
  next() {
    const names = Object.keys(this.rows),
      from = names.indexOf(this.lit);
    this.light(this.open.find((name) => names.indexOf(name) > from) ?? this.open.find((name) => name !== this.lit) ?? "submit");
  }

  /** Rows without an answer, in their order; reasons are asked of discards alone. */
  get open() {
    const { verdict } = this.values;
    const asked = verdict === "discard" ? ["verdict", "reasons"] : ["verdict", "readability", "language"];
    return asked.filter((name) => !this.rows[name].inputs.some((input) => input.checked));
  }

  #answered(name) {
    const { several, title, trouble } = this.rows[name];
    replace(trouble);
    this.#discarding();
    if (!several) this.next();
    const { [name]: value } = this.values;
    say(
      `${title}: ${Array.isArray(value) ? value.join(", ") || "none" : (value ?? "none")}. ${this.lit === "submit" ? "Ready to submit" : `Next: ${this.rows[this.lit].title}`}`,
    );
    this.changed();
  }

  #discarding() {
    const { verdict } = this.values;
    this.element?.classList.toggle("discarding", verdict === "discard");
    if (this.element) this.element.dataset.verdict = verdict ?? "";
  }

  /** Beside the field it speaks of: `trouble("verdict", "choose one", button)`. */
  trouble(name, ...content) {
    replace((this.rows[name] ?? this.texts[name]).trouble, content);
    if (!this.rows[name]) return;
    this.light(name);
    this.rows[name].inputs[0].focus(); // a digit answers it, also for who comes from the editor
  }

  problems(list) {
    this.clear();
    for (const one of list) {
      const text = one.text ?? one;
      this.trouble(one.field ?? FIELDS.find(([words]) => words.test(text))[1], text);
    }
  }

  clear() {
    for (const { trouble } of [...Object.values(this.rows), ...Object.values(this.texts)]) replace(trouble);
  }

  /** How many changes a text has, and what is to be thought about, if anything; it stops nobody. */
  edited(name, count, note = "") {
    if (this.texts[name].note.textContent !== note) this.texts[name].note.textContent = note;
    this.texts[name].state.textContent = count === null ? "edited" : count ? `${count} change${count > 1 ? "s" : ""}` : "";
  }
}
