// What a textarea can not hold: it turns every line end into \n. This keeps the text as it is, and takes over only what was typed.

const plain = (text) => text.replace(/\r\n?/g, "\n");

export class Exact {
  constructor(text, raw) {
    this.text = text;
    this.shown = plain(text);
    this.raw = raw;
    this.plainRaw = plain(raw);
    this.pairs = this.#pairs();
  }

  /** False where the textarea's value is the text, and `take` costs nothing. */
  get careful() {
    return this.text !== this.shown || this.raw !== this.plainRaw;
  }

  /** The textarea holds `value` now: what changed since the last call is put into the text. */
  take(value) {
    if (!this.careful) return (this.text = this.shown = value);
    if (value === this.shown) return this.text;
    if (value === this.plainRaw)
      this.text = this.raw; // an undone edit is no edit
    else {
      const most = Math.min(value.length, this.shown.length);
      let front = 0,
        back = 0;
      while (front < most && value[front] === this.shown[front]) front += 1;
      while (back < most - front && value[value.length - 1 - back] === this.shown[this.shown.length - 1 - back]) back += 1;
      const start = this.#exact(front),
        stop = this.#exact(this.shown.length - back);
      this.text = this.text.slice(0, start) + value.slice(front, value.length - back) + this.text.slice(stop);
    }
    this.shown = value;
    this.pairs = this.#pairs();
    return this.text;
  }

  /** Offset in the text -> offset in the textarea. */
  toShown(offset) {
    return plain(this.text.slice(0, offset)).length;
  }

  toText(offset) {
    return this.careful ? this.#exact(offset) : offset;
  }

  // Where the \n of every \r\n stands in what is shown.
  #pairs() {
    const found = [];
    for (const pair of this.text.matchAll(/\r\n/g)) found.push(pair.index - found.length);
    return found;
  }

  #exact(offset) {
    let low = 0,
      high = this.pairs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pairs[middle] < offset) low = middle + 1;
      else high = middle;
    }
    return offset + low;
  }
}
