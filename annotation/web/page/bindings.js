// The keys of the page: what each does, where it does it, and how the help calls it.

/** The table for Keys; `page` is what they act on. */
export function bindings(page) {
  const { review, list } = page;
  const at = (name) => (name === "item" ? page.view.contains(review.element) : location.hash.startsWith(`#/${name}`));
  const key = (keys, label, group, run, more = {}) => ({ keys, label, group, run, ...more });
  const item = (keys, label, group, run, more) => key(keys, label, group, (event) => (at("item") ? run(event) : false), more);
  const read = (keys, label, run, more) => item(keys, label, "Read", (event) => (review.editing ? false : run(event)), more);
  const digits = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
  const rows = {
    v: ["verdict", "verdict"],
    r: ["readability", "readability"],
    l: ["language", "language"],
    w: ["reasons", "reasons (why discard?)"],
  };
  return [
    item(digits, "answers the lit row", "Answer", ({ key: digit }) => review.form.digit(Number(digit)), { shown: ["1", "…", "9"] }),
    ...Object.entries(rows).map(([letter, [row, label]]) => item([letter], `lights ${label}`, "Answer", () => review.form.light(row))),
    item(["Enter"], "lights the next open row", "Answer", ({ target }) =>
      target.closest("a, button, summary") ? false : review.form.next(),
    ),
    item(["c"], "comment", "Answer", () => review.form.comment.focus()),
    item(
      ["Ctrl+Enter"],
      "submits (also while typing)",
      "Answer",
      () => {
        page.keys.hold(review.submit());
      },
      { typing: true, shown: ["Ctrl", "⏎"] },
    ),
    item(["s"], "submits", "Answer", () => {
      page.keys.hold(review.submit());
    }),
    read(["j"], "next paragraph", () => review.reading.step(1)),
    read(["k"], "paragraph before", () => review.reading.step(-1)),
    read(["."], "next finding of the scorers", () => review.reading.toFinding(1)),
    read([","], "finding before", () => review.reading.toFinding(-1)),
    read(["z"], "folds or unfolds the paragraph", () => review.reading.toggleFold()),
    read(["Z"], "folds or unfolds all", () => review.fold()),
    read(["m"], "formulas beside the source", () => review.showFormulas()),
    read(["p"], "the whole question", () => review.view.element.querySelector(".prompt .more")?.click()),
    read(["y"], "to the summary", () => review.reading.goTo("summary", 0)),
    item(["e"], "edits the thoughts, at this paragraph", "Edit", () => review.edit("reasoning")),
    item(["E"], "edits the summary", "Edit", () => review.edit("summary")),
    item(["Alt+ArrowDown"], "next change", "Edit", () => (review.editing ? review.editor.jump(1) : false), {
      typing: true,
      shown: ["Alt", "↓"],
    }),
    item(["Alt+ArrowUp"], "change before", "Edit", () => (review.editing ? review.editor.jump(-1) : false), {
      typing: true,
      shown: ["Alt", "↑"],
    }),
    item(
      ["Alt+R"],
      "takes all changes of the text back, or brings them again",
      "Edit",
      () => (review.editing ? review.editor.takeAllBack() : false),
      { typing: true, shown: ["Alt", "⇧", "R"] },
    ),
    item(["Alt+r"], "takes the change at the caret back", "Edit", () => (review.editing ? review.editor.takeBack() : false), {
      typing: true,
      shown: ["Alt", "R"],
    }),
    key(["Escape"], "back to reading, out of a field", "Edit", () => escape(page), { typing: true, shown: ["Esc"] }),
    item(["n"], "skips to the next item", "Go", () => {
      page.next(review.shown.item.item_id);
    }),
    key(["u"], "back to what was submitted before", "Go", () => page.back()),
    key(["a"], "all items", "Go", () => page.go(at("items") ? "#/" : "#/items")),
    key(["t"], "totals", "Go", () => page.go(at("summary") ? "#/" : "#/summary")),
    key(["g"], "guidelines", "Go", () => page.guidelines()),
    key(["/"], "filters", "Go", () => page.filters.toggle()),
    key(["?"], "this help", "Go", () => page.help()),
    key(["j", "ArrowDown"], null, null, () => (at("items") ? list.step(1) : false)),
    key(["k", "ArrowUp"], null, null, () => (at("items") ? list.step(-1) : false)),
    key(["["], null, null, () => (at("items") && !list.earlier.disabled ? list.earlier.click() : false)),
    key(["]"], null, null, () => (at("items") && !list.later.disabled ? list.later.click() : false)),
  ];
}

function escape(page) {
  const { activeElement: active } = document,
    { editor } = page.review;
  if (active && active !== document.body && active !== editor.area && active.matches("textarea, select, input")) return active.blur();
  if (page.review.editing) return page.review.read() && undefined;
  if (!page.view.contains(page.review.element)) return page.go("#/");
  return false;
}
