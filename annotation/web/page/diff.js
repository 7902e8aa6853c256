// What changed between two texts: words, found by sentence first, so that a book with one new word is as quick as a line.

const MOST_STEPS = 2_000; // edit distance at which a stretch counts as rewritten; bounds time and memory
const WORD = /\p{Script=Han}|[\p{L}\p{N}\p{M}_]+|\r?\n|[^\S\n]+|[^]/gu;
const SENTENCE = /[^\n.!?。！？]*(?:\n+|[.!?。！？]+[^\S\n]*|$)/g;

/** [{start, stop, text}] from front to back: raw[start:stop] became text. Offsets are UTF-16 units of raw. */
export function changes(raw, edited) {
  if (raw === edited) return [];
  const { front, back } = shared(raw, edited);
  const a = raw.slice(front, raw.length - back),
    b = edited.slice(front, edited.length - back);
  return joined(stretches(a, b, SENTENCE, (x, y, at) => paragraph(x, y, front + at)).flat(), raw);
}

/** The edited text: what `changes` says, done. */
export function applied(raw, list) {
  const parts = [];
  let at = 0;
  for (const { start, stop, text } of list) {
    parts.push(raw.slice(at, start), text);
    at = stop;
  }
  return parts.join("") + raw.slice(at);
}

const cut = (x, y, at) => [{ start: at, stop: at + x.length, text: y }];
const paragraph = (x, y, at) => stretches(x, y, WORD, (u, v, from) => cut(u, v, at + from)).flat();

// How much two texts share at both ends, in whole words: half a word shared is a changed word.
function shared(a, b) {
  const most = Math.min(a.length, b.length);
  let front = 0,
    back = 0;
  while (front < most && a[front] === b[front]) front += 1;
  while (front > 0 && (inWord(a, front) || inWord(b, front))) front -= 1;
  while (back < most - front && a[a.length - 1 - back] === b[b.length - 1 - back]) back += 1;
  while (back > 0 && (inWord(a, a.length - back) || inWord(b, b.length - back))) back -= 1;
  return { front, back };
}

const LETTER = /[\p{L}\p{N}\p{M}_\ud800-\udfff\u200d]/u; // halves of a pair too: never between them
function inWord(text, at) {
  return at > 0 && at < text.length && LETTER.test(text[at - 1]) && LETTER.test(text[at]);
}

// Pieces of both texts that differ, each given to `inside(a, b, offset in a)`.
function stretches(a, b, pieces, inside) {
  const x = (a.match(pieces) ?? []).filter(Boolean),
    y = (b.match(pieces) ?? []).filter(Boolean);
  const names = new Map();
  const number = (piece) => names.get(piece) ?? (names.set(piece, names.size), names.size - 1);
  const found = [];
  let at = 0,
    i = 0;
  for (const { from, to, fromB, toB } of different(Int32Array.from(x, number), Int32Array.from(y, number))) {
    while (i < from) at += x[i++].length;
    const same = pieces === SENTENCE && to - from === toB - fromB;
    if (same) {
      for (let k = 0; k < to - from; k += 1) {
        // as many sentences as before: one by one
        if (x[from + k] !== y[fromB + k]) found.push(inside(x[from + k], y[fromB + k], at));
        at += x[from + k].length;
      }
    } else {
      const old = x.slice(from, to).join("");
      found.push(inside(old, y.slice(fromB, toB).join(""), at));
      at += old.length;
    }
    i = to;
  }
  return found;
}

// Myers' greedy O(ND) over numbers; a stretch further apart than MOST_STEPS is one change.
function different(a, b) {
  let front = 0,
    endA = a.length,
    endB = b.length;
  while (front < endA && front < endB && a[front] === b[front]) front += 1;
  while (endA > front && endB > front && a[endA - 1] === b[endB - 1]) {
    endA -= 1;
    endB -= 1;
  }
  const n = endA - front,
    m = endB - front;
  if (!n && !m) return [];
  const whole = [{ from: front, to: endA, fromB: front, toB: endB }];
  if (!n || !m) return whole;
  const most = Math.min(n + m, MOST_STEPS),
    reach = new Int32Array(2 * most + 3),
    trace = [];
  const zero = most + 1;
  for (let d = 0; d <= most; d += 1) {
    trace.push(reach.slice(zero - d - 1, zero + d + 2));
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && reach[zero + k - 1] < reach[zero + k + 1]) ? reach[zero + k + 1] : reach[zero + k - 1] + 1;
      while (x < n && x - k < m && a[front + x] === b[front + x - k]) x += 1;
      reach[zero + k] = x;
      if (x >= n && x - k >= m) return walked(trace, { n, m, front });
    }
  }
  return whole;
}

// From the end back along the furthest points, gathering what is not shared.
function walked(trace, { n, m, front }) {
  const found = [];
  let x = n,
    y = m;
  for (let d = trace.length - 1; d >= 0 && (x > 0 || y > 0); d -= 1) {
    const before = trace[d],
      k = x - y,
      at = (key) => before[key + d + 1];
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const fromX = d === 0 ? 0 : down ? at(k + 1) : at(k - 1);
    const fromY = d === 0 ? 0 : fromX - (down ? k + 1 : k - 1);
    if (d > 0) {
      const last = found.at(-1),
        edge = down ? { x: fromX, y: fromY + 1 } : { x: fromX + 1, y: fromY };
      if (last && last.from === front + edge.x && last.fromB === front + edge.y) {
        last.from = front + fromX;
        last.fromB = front + fromY;
      } else found.push({ from: front + fromX, to: front + edge.x, fromB: front + fromY, toB: front + edge.y });
    }
    [x, y] = [fromX, fromY];
  }
  return found.reverse();
}

// Changes with next to nothing between them are read as one: "a b" -> "c d" is one change, not two around a space.
function joined(list, raw) {
  const kept = [];
  for (const change of list) {
    const last = kept.at(-1);
    const between = last ? raw.slice(last.stop, change.start) : "";
    const weight = (one) => Math.max(one.stop - one.start, one.text.length);
    if (last && (!between || (between.length <= Math.min(weight(last), weight(change)) && !/\n/.test(between)))) {
      last.text += between + change.text;
      last.stop = change.stop;
    } else kept.push({ ...change });
  }
  return kept;
}
