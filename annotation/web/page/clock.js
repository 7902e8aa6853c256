// How long a person was at it: time counts while the tab is visible and for a minute after each sign of life, no longer.

const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "scroll", "input"];

export class Clock {
  static IDLE = 60_000;

  constructor(now = () => performance.now()) {
    this.now = now;
    this.spent = 0; // milliseconds
    this.counted = this.sign = now();
    this.visible = true;
  }

  /** Seconds so far; start from what was spent on the item before with `restart(before)`. */
  get seconds() {
    this.#count();
    return Math.round(this.spent / 100) / 10;
  }

  restart(seconds = 0) {
    this.spent = seconds * 1000;
    this.counted = this.sign = this.now();
  }

  seen() {
    this.#count();
    this.sign = this.now();
  }

  show(visible) {
    this.#count();
    this.visible = visible;
    if (visible) this.sign = this.now();
  }

  #count() {
    const now = this.now();
    if (this.visible) this.spent += Math.max(0, Math.min(now, this.sign + Clock.IDLE) - this.counted);
    this.counted = now;
  }

  watch(document) {
    for (const sign of SIGNS) document.addEventListener(sign, () => this.seen(), { passive: true, capture: true });
    document.addEventListener("visibilitychange", () => this.show(document.visibilityState === "visible"));
    this.show(document.visibilityState === "visible");
  }
}
