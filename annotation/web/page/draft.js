// What a person typed is safe: in this browser at once, on the server within a second, and through its absence.

import { Refused, Unreachable, call } from "./api.js";

const MIRROR = 250,
  SEND = 800; // milliseconds after the last key
const WAITS = [1, 2, 4, 8, 15]; // seconds between tries while the server is away
const LEAVING = 60_000; // bytes that a browser still sends for a page that is gone
const TAB = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);

export class Draft {
  /**
   * `read()` gives {values, seconds} as they stand; `report(state, text)`: saved | unsaved | away | refused;
   * `conflict(theirs, mine)` asks the person: "mine", or "theirs", which it has laid before them then.
   */
  constructor({ annotator, itemId, version, values, read, report, conflict }) {
    Object.assign(this, { annotator, itemId, version, read, report, conflict });
    this.known = print(values);
    this.doubt = []; // prints of what was sent without an answer: it may have arrived
    this.tries = 0;
    this.closed = false;
    this.working = Promise.resolve();
  }

  get path() {
    return `/api/items/${encodeURIComponent(this.itemId)}`;
  }

  changed() {
    if (this.closed) return;
    this.report("unsaved");
    clearTimeout(this.mirroring);
    this.mirroring = setTimeout(() => this.mirror(), MIRROR);
    this.#sendIn(SEND);
  }

  /** Sends what is not sent yet, after whatever is on its way. */
  flush() {
    clearTimeout(this.sending);
    return (this.working = this.working.catch(() => {}).then(() => this.#send()));
  }

  mirror() {
    clearTimeout(this.mirroring);
    if (this.closed) return;
    const { values, seconds } = this.read();
    if (print(values) === this.known) return this.#forget();
    const { version, doubt } = this;
    try {
      localStorage.setItem(key(this.annotator, this.itemId), JSON.stringify({ values, seconds, version, doubt, at: Date.now() }));
    } catch {
      this.report("refused", "This browser has no room left to keep a copy: wait until the server has saved");
    }
  }

  /** The tab closes or reloads: the copy here is made now, and a short text still goes out. */
  leave() {
    if (this.closed) return;
    const { values, seconds } = this.read();
    if (print(values) === this.known) return this.#forget();
    const body = { values, version: this.version, seconds };
    this.doubt.push(print(values));
    this.mirror();
    if (new Blob([JSON.stringify(body)]).size < LEAVING) call("PUT", `${this.path}/draft`, body, { leaving: true }).catch(() => {});
  }

  /** {done: true}, {problems: [...]}, {away: why}, {refused: why} or {taken: true}, where the person took the other tab's. */
  async submit(status) {
    this.mirror();
    clearTimeout(this.sending);
    await this.working.catch(() => {});
    return (this.working = this.#answer(status));
  }

  close() {
    this.closed = true;
    clearTimeout(this.sending);
    clearTimeout(this.mirroring);
  }

  async #answer(status) {
    for (;;) {
      const { values, seconds } = this.read();
      try {
        const { next_after } = await call("POST", `${this.path}/answer`, { status, values, version: this.version, seconds });
        this.#forget();
        this.close();
        return { done: true, next_after };
      } catch (error) {
        if (error instanceof Refused && error.status === 422 && error.body.problems) return { problems: error.body.problems };
        if (error instanceof Refused && error.status === 409) {
          const { theirs } = error.body;
          if (theirs.status === status && print(theirs.values) === print(values)) {
            // our own word, whose receipt was lost
            this.#forget();
            this.close();
            return { done: true };
          }
          if (await this.#settled(theirs, values)) return { taken: true };
          continue;
        }
        return this.#failed(error, values);
      }
    }
  }

  async #send() {
    if (this.closed) return;
    const { values, seconds } = this.read();
    if (print(values) === this.known) return this.#isSaved();
    try {
      const { version, saved_at } = await call("PUT", `${this.path}/draft`, { values, version: this.version, seconds });
      this.#knows(version, values);
      if (print(this.read().values) === this.known) this.#isSaved(saved_at);
      else this.#sendIn(SEND);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 409) return void this.#failed(error, values);
      await this.#settled(error.body.theirs, values);
      return this.#send();
    }
  }

  // 409: what the server has is our own that we had no answer for, or another tab's: then a person decides. True: they took the other.
  async #settled(theirs, mine) {
    const stored = print(theirs.values);
    const ours = this.doubt.includes(stored) || stored === this.known || stored === print(mine);
    if (!ours) this.report("unsaved", "Saved in another tab too: choose");
    const taken = !ours && (await this.conflict(theirs, mine)) === "theirs";
    this.#knows(theirs.version, taken ? this.read().values : theirs.values);
    return taken;
  }

  #knows(version, values) {
    this.version = version;
    this.known = print(values);
    this.doubt = [];
    this.tries = 0;
  }

  #failed(error, values) {
    const away = error instanceof Unreachable || (error instanceof Refused && error.status >= 500);
    if (!away && !(error instanceof Refused)) throw error;
    this.doubt.push(print(values));
    this.mirror();
    if (!away) {
      this.report("refused", error.message);
      return { refused: error.message };
    }
    const wait = WAITS[Math.min(this.tries, WAITS.length - 1)];
    this.tries += 1;
    this.report("away", `Not saved: ${error.message}. What you type is kept in this browser; next try in ${wait} s`);
    this.#sendIn(wait * 1000);
    return { away: error.message };
  }

  #sendIn(milliseconds) {
    clearTimeout(this.sending);
    this.sending = setTimeout(() => this.flush(), milliseconds);
  }

  #isSaved(at) {
    this.#forget();
    this.report("saved", at);
  }

  #forget() {
    for (const { name, values } of copies(this.annotator, this.itemId)) {
      if (name === key(this.annotator, this.itemId) || print(values) === this.known) localStorage.removeItem(name);
    }
  }
}

const key = (annotator, itemId, tab = TAB) => `review:draft:${JSON.stringify([annotator, itemId, tab])}`;

/** Texts kept in this browser that the server may not have, oldest first; of one item, or of all. */
export function copies(annotator, itemId) {
  const found = [];
  for (const name of Object.keys(localStorage)) {
    if (!name.startsWith("review:draft:")) continue;
    const [who, item] = JSON.parse(name.slice("review:draft:".length));
    if (who === annotator && (itemId === undefined || item === itemId))
      found.push({ name, itemId: item, ...JSON.parse(localStorage.getItem(name)) });
  }
  return found.sort((a, b) => a.at - b.at);
}

/** What an item opens with: {values, seconds, ahead} from the server, or from copies in this browser that are ahead of it. */
export async function opened({ annotator, shown, conflict }) {
  const stored = shown.draft ?? shown.answer;
  let values = stored?.values ?? {},
    seconds = stored?.seconds ?? 0;
  const server = print(values);
  for (const copy of copies(annotator, shown.item.item_id)) {
    const follows = print(values) === server && (copy.version === shown.version || copy.doubt.includes(server));
    if (print(copy.values) !== print(values)) {
      if (follows || (await conflict({ ...stored, values }, copy.values)) === "mine") [values, seconds] = [copy.values, copy.seconds];
    }
    localStorage.removeItem(copy.name);
  }
  return { values, seconds, ahead: print(values) !== server };
}

/** A short name for values, the same for the same answer: 64 bits over their JSON, keys in order, what says nothing left out. */
export function print(values) {
  const given = Object.entries(values ?? {}).filter(([name, value]) => !saysNothing(name, value));
  const text = JSON.stringify(given.sort(([a], [b]) => (a < b ? -1 : 1)));
  let one = 0xdeadbeef,
    two = 0x41c6ce57;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    one = Math.imul(one ^ unit, 2654435761);
    two = Math.imul(two ^ unit, 1597334677);
  }
  return `${text.length}:${(one >>> 0).toString(36)}${(two >>> 0).toString(36)}`;
}

// An edited text that is empty says that all was taken out: it is not the text as it was.
function saysNothing(name, value) {
  return value === null || value === undefined || (Array.isArray(value) && !value.length) || (name === "comment" && value === "");
}
