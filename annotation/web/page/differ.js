// Differences, found by a worker: of what is asked while it works, only the last question is answered.

export class Differ {
  constructor() {
    this.worker = new Worker(new URL("./diff_worker.js", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.#answered(data));
    this.waiting = new Map(); // name -> {raw, edited, heard}
    this.ticket = 0;
  }

  /** `heard(list)` gets the changes from raw to edited, unless `name` is asked about again before. */
  ask(name, raw, edited, heard) {
    this.waiting.set(name, { raw, edited, heard });
    if (!this.busy) this.#next();
  }

  #next() {
    const [first] = this.waiting;
    if (!first) return;
    const [name, question] = first;
    this.waiting.delete(name);
    this.busy = { name, ...question, ticket: (this.ticket += 1) };
    this.worker.postMessage({ ticket: this.ticket, raw: question.raw, edited: question.edited });
  }

  #answered({ ticket, list }) {
    if (ticket !== this.busy?.ticket) return;
    const { name, heard } = this.busy;
    this.busy = null;
    if (!this.waiting.has(name)) heard(list);
    this.#next();
  }
}
