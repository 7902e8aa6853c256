// Totals: how far people are, how fast, how well they agree, and how often the filters err by their word.

import { h } from "./element.js";

/** Elements for what /api/summary says. */
export function summary({ progress, annotators, agreement, filter_errors: errors }) {
  const share = progress.items ? Math.round((100 * progress.done) / progress.items) : 0;
  return [
    h(
      "section",
      {},
      h("h2", {}, "Progress"),
      h("progress", { max: Math.max(1, progress.items), value: progress.done, "aria-label": "items with enough answers" }),
      h("p", {}, h("b", {}, `${number(progress.done)} of ${number(progress.items)}`), ` items have enough answers (${share}%)`),
    ),
    h("section", {}, h("h2", {}, "People"), people(annotators)),
    h(
      "section",
      {},
      h("h2", {}, "Agreement"),
      table(agreement, "Fewer than two people answered the same item so far"),
      h(
        "p",
        { class: "legend" },
        "Krippendorff's alpha: 1 is full agreement, 0 is what chance gives; from 0.8 on answers can be relied on, below 0.67 read the guidelines together.",
      ),
    ),
    h(
      "section",
      {},
      h("h2", {}, "How often the filters err, by what people said"),
      table(errors, "No audited row has been answered so far"),
    ),
  ];
}

function people(annotators) {
  const names = Object.keys(annotators);
  if (!names.length) return h("p", {}, "Nobody has answered so far");
  const heads = ["", "Answers", "Time", "Median", "An hour", "Verdicts"];
  const rows = names.map((name) => {
    const { answers, seconds, median_seconds: median, per_hour: pace, verdicts } = annotators[name];
    const cells = [
      number(answers),
      duration(seconds),
      duration(median),
      pace === null || pace === undefined ? "–" : Number(pace).toFixed(0),
    ];
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      cells.map((cell) => h("td", { class: "number" }, cell)),
      h("td", {}, shares(verdicts)),
    );
  });
  return h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map((head, at) => h("th", { scope: "col", class: at && at < heads.length - 1 ? "number" : null }, head)),
      ),
    ),
    h("tbody", {}, rows),
  );
}

function shares(counts) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (!total) return "–";
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([verdict, count]) => {
      const part = h("span", { class: `share ${verdict}`, title: `${verdict}: ${count}` }, `${verdict} ${count}`);
      part.style.flexGrow = count;
      return part;
    });
  return h("div", { class: "shares" }, parts);
}

// Rows of the server as they come: a column for every name that occurs.
function table(rows, otherwise) {
  if (!rows?.length) return h("p", {}, otherwise);
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        names.map((name) =>
          h("th", { scope: "col", class: rows.some((row) => typeof row[name] === "number") ? "number" : null }, name.replaceAll("_", " ")),
        ),
      ),
    ),
    h(
      "tbody",
      {},
      rows.map((row) =>
        h(
          "tr",
          {},
          names.map((name) => h("td", { class: rows.some((one) => typeof one[name] === "number") ? "number" : null }, cell(row[name]))),
        ),
      ),
    ),
  );
}

function cell(value) {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.map(cell).join(" – ");
  if (typeof value === "number") return Number.isInteger(value) ? number(value) : value.toFixed(2);
  return String(value);
}

const number = (value) => value.toLocaleString("en");

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.round(seconds),
    hours = Math.floor(whole / 3600),
    minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours} h ${minutes} min` : `${minutes}:${String(whole % 60).padStart(2, "0")}`;
}
