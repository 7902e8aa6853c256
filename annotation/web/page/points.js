// Where a stretch lies: the server counts code points (Python), the browser counts UTF-16 units; and where paragraphs begin and end.

/** Findings with UTF-16 offsets, sorted; what lies outside the text is cut to it, what is empty then is left out. */
export function inUnits(text, findings) {
  const wanted = [...new Set(findings.flatMap(({ start, stop }) => [start, stop]))].sort((a, b) => a - b);
  const units = new Map();
  let point = 0,
    unit = 0;
  for (const goal of wanted) {
    while (point < goal && unit < text.length) {
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
      point += 1;
    }
    units.set(goal, unit);
  }
  return findings
    .map((finding) => ({ ...finding, start: units.get(finding.start), stop: units.get(finding.stop) }))
    .filter(({ start, stop }) => start < stop)
    .sort((a, b) => a.start - b.start || a.stop - b.stop);
}

/** [{start, stop}] that cover the text; the blank lines behind a paragraph belong to it. */
export function paragraphs(text) {
  const found = [];
  let start = 0;
  for (const blank of text.matchAll(/\r?\n(?:[ \t]*\r?\n)+/g)) {
    const stop = blank.index + blank[0].length;
    if (blank.index === start && !found.length) continue; // blank lines at the very front belong to the first paragraph
    found.push({ start, stop });
    start = stop;
  }
  if (start < text.length || !found.length) found.push({ start, stop: text.length });
  return found;
}

/** Index of the paragraph that holds this offset. */
export function paragraphAt(list, offset) {
  let low = 0,
    high = list.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (list[middle].start <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
