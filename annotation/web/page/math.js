// LaTeX beside its source: formulas are found here, turned into MathML by the server, and built from a short list of elements.

import { Refused, Unreachable, call } from "./api.js";
import { exactly } from "./exactly.js";
import { h, replace } from "./element.js";

const MOST = 2_000; // characters of one formula
const AT_ONCE = 100; // formulas in one request
const FORMULA = new RegExp(
  [
    `\\\\\\[([^]{1,${MOST}}?)\\\\\\]`,
    `\\\\\\(([^]{1,${MOST}}?)\\\\\\)`,
    `\\$\\$([^]{1,${MOST}}?)\\$\\$`,
    `\\$(?!\\s)([^$\\n]{1,${MOST}}?)(?<![\\s\\\\])\\$(?!\\d)`,
    `(\\\\boxed\\{(?:[^{}\\n]|\\{(?:[^{}\\n]|\\{[^{}\\n]*\\})*\\}){1,${MOST}}\\})`,
  ].join("|"),
  "g",
);
const ELEMENTS = new Set(
  (
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd mpadded mphantom mstyle " +
    "menclose mmultiscripts mprescripts"
  ).split(" "),
);
const ATTRIBUTES = new Set(
  (
    "display mathvariant stretchy fence separator form accent accentunder linethickness columnalign rowspacing columnspacing columnlines rowlines " +
    "lspace rspace minsize maxsize movablelimits largeop symmetric width height depth notation displaystyle scriptlevel"
  ).split(" "),
);
const MATHML = "http://www.w3.org/1998/Math/MathML";
const known = new Map(); // source -> MathML text, or null where there is none

/** [{start, stop, source, display}] of the formulas in a text. */
export function formulas(text) {
  return [...text.matchAll(FORMULA)].map((match) => ({
    start: match.index,
    stop: match.index + match[0].length,
    display: match[1] !== undefined || match[3] !== undefined,
    source: match.slice(1).find((inside) => inside !== undefined),
  }));
}

/** A box with the text and its formulas rendered; null where there is none. What can not be read stays as it is written. */
export function rendered(text) {
  const found = formulas(text);
  if (!found.length) return null;
  const box = h("div", { class: "rendered", "aria-label": "with formulas rendered", dir: "auto" }, exactly(text));
  mathml(found).then(
    () => replace(box, pieces(text, found)),
    (error) => {
      if (!(error instanceof Unreachable || error instanceof Refused)) throw error;
    },
  );
  return box;
}

function pieces(text, found) {
  const nodes = [];
  let at = 0;
  for (const { start, stop, source, display } of found) {
    const math = built(known.get(name(source, display)));
    if (!math) continue;
    nodes.push(...exactly(text.slice(at, start)), math);
    at = stop;
  }
  return [...nodes, ...exactly(text.slice(at))];
}

const name = (source, display) => (display ? "block " : "inline ") + source;

async function mathml(found) {
  const wanted = new Map(found.map((formula) => [name(formula.source, formula.display), formula]).filter(([key]) => !known.has(key)));
  const keys = [...wanted.keys()];
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    const some = keys.slice(at, at + AT_ONCE).map((key) => wanted.get(key));
    const reply = await call("POST", "/api/latex", { formulas: some.map(({ source, display }) => [source, display]) });
    some.forEach(({ source, display }, index) => known.set(name(source, display), reply.formulas[index].mathml ?? null));
  }
}

// The reply is read as an inert document and made anew from the elements and attributes that we know; text stays text.
function built(text) {
  if (!text) return null;
  const { documentElement: root } = new DOMParser().parseFromString(text, "application/xml");
  return root.localName === "math" ? copied(root) : null;
}

function copied(from) {
  const to = document.createElementNS(MATHML, ELEMENTS.has(from.localName) ? from.localName : "mrow");
  for (const { name: attribute, value } of from.attributes) if (ATTRIBUTES.has(attribute)) to.setAttribute(attribute, value);
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) to.append(child.data);
    else if (child.nodeType === Node.ELEMENT_NODE) to.append(copied(child));
  }
  return to;
}
