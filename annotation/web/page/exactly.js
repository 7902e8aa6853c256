// Text as it is: every character visible, scorers' findings and a person's changes marked inside it.

import { h } from "./element.js";

// What no font shows, or what would turn the text around: controls, halves of a pair, marks of direction, zero widths (not the joiners).
const UNSEEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\p{Cs}/gu;
const NAMES = {
  0x61c: "ALM",
  0x200b: "ZWSP",
  0x200e: "LRM",
  0x200f: "RLM",
  0x2028: "LS",
  0x2029: "PS",
  0x202a: "LRE",
  0x202b: "RLE",
  0x202c: "PDF",
  0x202d: "LRO",
  0x202e: "RLO",
  0x2060: "WJ",
  0x2066: "LRI",
  0x2067: "RLI",
  0x2068: "FSI",
  0x2069: "PDI",
  0xfeff: "BOM",
};

const CONTROLS = "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(
  " ",
);
CONTROLS[0x7f] = "DEL";

/** Nodes of the text; controls as their pictures (NUL is ␀), the other unseen characters by name. */
export function exactly(text) {
  const nodes = [];
  let at = 0;
  for (const { 0: found, index } of text.matchAll(UNSEEN)) {
    if (index > at) nodes.push(document.createTextNode(text.slice(at, index)));
    nodes.push(unseen(found.charCodeAt(0)));
    at = index + 1;
  }
  if (at < text.length) nodes.push(document.createTextNode(text.slice(at)));
  return nodes;
}

function unseen(code) {
  const hex = code.toString(16).toUpperCase().padStart(4, "0");
  const picture = code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "␡" : (NAMES[code] ?? `U+${hex}`);
  return h("span", { class: "character", title: `U+${hex}`, "data-name": CONTROLS[code] ?? picture }, picture);
}

/** raw[start:stop] with what scorers found and what a person changed in it; all offsets are UTF-16 units of raw. */
export function marked(raw, { start, stop }, findings, changes) {
  if (!findings.length && !changes.length) return exactly(raw.slice(start, stop));
  const edges = [...findings, ...changes].flatMap((one) => [one.start, one.stop]).filter((edge) => edge > start && edge < stop);
  const places = [...new Set([start, ...edges, stop])].sort((a, b) => a - b);
  const nodes = [];
  for (const [index, place] of places.entries()) {
    const put = changes.filter((change) => change.text && change.stop === place && (place > start || change.start === place));
    nodes.push(...put.map((change) => h("ins", { "data-change": change.number }, exactly(change.text))));
    const next = places[index + 1];
    if (next === undefined) break;
    const over = (one) => one.start <= place && one.stop >= next;
    nodes.push(...wrapped(exactly(raw.slice(place, next)), changes.find(over), findings.filter(over), place));
  }
  return nodes;
}

function wrapped(nodes, gone, findings, place) {
  if (gone) nodes = [h("del", { "data-change": gone.number }, nodes)];
  for (const { scorer, note, number, start, shade } of findings) {
    const attributes = { class: shade, title: `${scorer}: ${note}`, "data-finding": number, "data-note": start === place ? note : null };
    nodes = [h("mark", attributes, nodes)];
  }
  return nodes;
}
