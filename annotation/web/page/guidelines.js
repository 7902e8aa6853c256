// What people answer by: the guidelines' Markdown as elements (headings, lists, bold, italics, code), nothing more.

import { h } from "./element.js";

/** Elements of the Markdown text. */
export function guidelines(text) {
  const blocks = text
    .replace(/\r\n?/g, "\n")
    .split(/\n{2,}/)
    .filter((block) => block.trim());
  return blocks.map((block) => {
    const heading = /^(#{1,4})\s+([^]*)$/.exec(block);
    if (heading) return h(`h${Math.min(heading[1].length + 2, 6)}`, {}, inline(heading[2]));
    if (/^\s*(\d+[.)]|[-*+])\s/.test(block)) return list(block);
    return h("p", {}, inline(block));
  });
}

function list(block) {
  const items = block
    .split(/\n(?=\s*(?:\d+[.)]|[-*+])\s)/)
    .map((item) => h("li", {}, inline(item.replace(/^\s*(?:\d+[.)]|[-*+])\s+/, ""))));
  return h(/^\s*\d/.test(block) ? "ol" : "ul", {}, items);
}

function inline(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(/`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*/g)) {
    nodes.push(
      text.slice(at, match.index),
      h(match[1] !== undefined ? "code" : match[2] !== undefined ? "strong" : "em", {}, match[1] ?? match[2] ?? match[3]),
    );
    at = match.index + match[0].length;
  }
  return [...nodes, text.slice(at)];
}
