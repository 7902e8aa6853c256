// One item under review: what is read, what is answered, what is edited, and how it all becomes safe.

import { Clock } from "./clock.js";
import { Draft, opened } from "./draft.js";
import { Editor, numbered } from "./editor.js";
import { Form } from "./form.js";
import { Reading } from "./reading.js";
import { choose } from "./conflict.js";
import { h, kbd, replace, say } from "./element.js";
import { laidOut } from "./item.js";

const NAMES = ["reasoning", "summary"];
const ASKED = ["verdict", "readability", "language", "reasons", "comment", ...NAMES]; // what else an answer holds (marks) goes back as it came

export class Review {
  /** `report(state, text)` says how safe the draft is; `submitted(itemId)` is called when an answer has arrived. */
  constructor({ me, differ, report, submitted }) {
    Object.assign(this, { me, differ, report, submitted });
    this.clock = new Clock();
    this.clock.watch(document);
    this.folded = localStorage.getItem("review:folded") !== "no";
    this.formulas = localStorage.getItem("review:formulas") === "yes";
    this.form = new Form(me.questions, { changed: () => this.#changed(), submit: () => this.submit(), edit: (name) => this.edit(name) });
    this.editor = new Editor({
      questions: me.questions,
      differ,
      done: () => this.read(),
      open: (name) => this.edit(name),
      changed: () => this.#typed(),
      compared: (name, list) => this.#compared(name, list),
    });
    this.time = h("span", { class: "time", title: "time you spent on this item: it counts while this tab is in sight and you are at it" });
    this.said = h("p", { class: "hint-line", "aria-live": "polite" });
    this.text = h("div", { class: "text" });
    this.aside = h(
      "aside",
      { class: "side" },
      this.form.element,
      this.said,
      h(
        "p",
        { class: "foot" },
        this.time,
        h("span", {}, kbd("n"), " skip"),
        h("span", {}, kbd("u"), " back"),
        h("span", {}, kbd("?"), " keys"),
      ),
    );
    const toAnswer = h("button", { type: "button", class: "to-answer primary", onclick: () => this.aside.scrollIntoView() }, "Your answer");
    this.element = h("main", { class: "review" }, this.text, this.aside, toAnswer);
    setInterval(() => this.#tick(), 1000);
    addEventListener("pagehide", () => this.draft?.leave());
    addEventListener("online", () => this.draft?.flush());
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.draft?.flush());
  }

  /** Lays this before the person; `shown` as the server gives it. */
  async open(shown) {
    await this.leave();
    const { item } = (this.shown = shown);
    this.raw = { reasoning: item.reasoning, summary: item.summary };
    this.view = laidOut(shown, this.me.questions, { folded: this.folded });
    this.reading = new Reading(this.view);
    this.editing = null;
    const { values, seconds, ahead } = await opened({
      annotator: this.me.annotator,
      shown,
      conflict: (theirs, mine) => choose({ theirs, mine, raw: this.raw }),
    });
    this.#show();
    this.element.classList.remove("editing");
    this.#lay(values);
    this.clock.restart(seconds);
    this.draft = new Draft({
      annotator: this.me.annotator,
      itemId: item.item_id,
      version: shown.version,
      values: ahead ? (shown.draft ?? shown.answer)?.values : this.values, // as it is laid out: looking at it is no change
      read: () => ({ values: this.values, seconds: this.clock.seconds }),
      report: this.report,
      conflict: async (theirs, mine) => {
        const choice = await choose({ theirs, mine, raw: this.raw });
        if (choice === "theirs") this.#lay(theirs.values ?? {});
        return choice;
      },
    });
    if (ahead) {
      this.draft.mirror();
      this.draft.changed();
    } else this.report("saved", (shown.draft ?? shown.answer)?.at);
    replace(this.said, shown.answer ? `You answered this at ${new Date(shown.answer.at).toLocaleString()}: submit again to change it` : "");
    scrollTo({ top: 0 });
    if (this.formulas) this.reading.toggleFormulas(true);
    this.#tick();
    say(`item ${item.rank + 1}`);
  }

  /** What is not saved is saved; the item stays where it is. */
  async leave() {
    const { draft } = this;
    if (!draft || draft.closed) return;
    draft.mirror();
    await Promise.race([draft.flush(), new Promise((done) => setTimeout(done, 1000))]);
    draft.close();
  }

  #show() {
    replace(this.text, this.view.element);
    for (const passages of Object.values(this.view.texts)) passages.grow();
  }

  /** The answer as it stands: a text that is as it was is not part of it. */
  get values() {
    if (this.editing) this.texts[this.editing] = this.editor.text;
    const edited = NAMES.filter((name) => this.#isEdited(name)).map((name) => [name, this.texts[name]]);
    return { ...this.carried, ...this.form.values, ...Object.fromEntries(edited) };
  }

  edit(name) {
    if (this.editing === name) return this.editor.area.focus();
    const offset = this.editing ? 0 : this.reading.offset(name);
    if (this.editing) this.texts[this.editing] = this.editor.text;
    this.editing = name;
    if (!this.editor.element.isConnected) replace(this.text, this.editor.element);
    this.element.classList.add("editing");
    scrollTo({ top: 0 });
    this.editor.open(name, { raw: this.raw[name], text: this.texts[name], findings: this.view.findings[name], offset });
  }

  /** Back from the editor, at the paragraph where the caret was. */
  read() {
    if (!this.editing) return false;
    const name = this.editing,
      index = Number(this.editor.current?.dataset.number ?? 1) - 1;
    this.texts[name] = this.editor.text;
    this.editing = null;
    this.element.classList.remove("editing");
    this.#show();
    this.reading.goTo(name, index);
    this.differ.ask(name, this.raw[name], this.texts[name], (list) => this.#compared(name, numbered(list)));
    return true;
  }

  async submit() {
    if (this.submitting || !this.draft || this.draft.closed) return;
    this.form.clear();
    if (!this.#complete()) return;
    this.submitting = true;
    this.form.button.disabled = true;
    try {
      await this.#outcome(await this.draft.submit("submitted"));
    } finally {
      this.submitting = false;
      this.form.button.disabled = false;
    }
  }

  fold() {
    this.folded = !this.folded;
    localStorage.setItem("review:folded", this.folded ? "yes" : "no");
    this.reading.foldAll(this.folded);
  }

  showFormulas() {
    this.formulas = !this.formulas;
    localStorage.setItem("review:formulas", this.formulas ? "yes" : "no");
    this.reading.toggleFormulas(this.formulas);
  }

  async #outcome({ done, problems, away, refused, taken }) {
    if (done) return this.submitted(this.shown.item.item_id);
    if (problems) this.form.problems(problems);
    if (away) this.form.trouble("verdict", `Not submitted: ${away}. Nothing is lost; submit again when that is mended.`);
    if (refused) this.form.trouble("verdict", `Not submitted: ${refused}`);
    if (taken) this.form.trouble("verdict", "This is what was saved elsewhere: look at it, then submit.");
  }

  // What the server would send back is said at once, with the way out at hand.
  #complete() {
    const { values } = this,
      edited = NAMES.filter((name) => name in values);
    if (!values.verdict) return this.#stop("verdict", "Choose keep, fix or discard");
    if (values.verdict === "keep" && edited.length) {
      const fix = h(
        "button",
        {
          type: "button",
          class: "primary",
          onclick: () => {
            this.form.choose("verdict", "fix");
            this.submit();
          },
        },
        "Submit as fix ",
        kbd("⏎"),
      );
      this.#stop("verdict", "Keep says “as it is”, and you edited it. ", fix);
      fix.focus();
      return false;
    }
    if (values.verdict === "fix" && !edited.length)
      return this.#stop("verdict", "Fix says that you edited a text, and both are as they were: edit one (e, E), or choose keep");
    return true;
  }

  #stop(name, ...content) {
    this.form.trouble(name, ...content);
    say(content[0]);
    return false;
  }

  #lay(values) {
    this.carried = Object.fromEntries(Object.entries(values).filter(([name]) => !ASKED.includes(name)));
    this.texts = Object.fromEntries(NAMES.map((name) => [name, values[name] ?? this.raw[name]]));
    this.form.set(values);
    for (const name of NAMES) {
      if (this.editing === name) this.editor.put(this.texts[name]);
      else this.differ.ask(name, this.raw[name], this.texts[name], (list) => this.#compared(name, numbered(list)));
    }
  }

  #compared(name, list) {
    this.form.edited(name, this.#isEdited(name) ? list.length : 0, this.#lost(name));
    this.view.texts[name].show(list);
  }

  #text(name) {
    return this.editing === name ? this.editor.text : this.texts[name];
  }

  #isEdited(name) {
    return ended(this.#text(name)) !== ended(this.raw[name]);
  }

  // An edit that takes the reference answer out of the summary may be right, and is more often a slip.
  #lost(name) {
    const { answer } = this.shown.item;
    const gone = name === "summary" && answer?.trim() && this.raw[name].includes(answer) && !this.#text(name).includes(answer);
    return gone ? `The reference answer ${answer.length > 60 ? "" : `${answer} `}stood here and does not any more: is that meant?` : "";
  }

  #typed() {
    if (!this.form.values.verdict && NAMES.some((name) => this.#isEdited(name))) this.form.choose("verdict", "fix");
    this.#changed();
  }

  #changed() {
    this.draft?.changed();
  }

  #tick() {
    const seconds = Math.floor(this.clock.seconds);
    this.time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}

// Line breaks at the end are no edit: an Enter too much is how editors are left.
function ended(text) {
  let stop = text.length;
  while (stop && "\r\n".includes(text[stop - 1])) stop -= 1;
  return text.slice(0, stop);
}
