// The page: who you are, what is next, and which key leads where.

import { bindings } from "./bindings.js";
import { Differ } from "./differ.js";
import { Filters } from "./filters.js";
import { Keys, dialog } from "./keys.js";
import { List } from "./list.js";
import { Refused, Unreachable, call, query } from "./api.js";
import { Review } from "./review.js";
import { copies } from "./draft.js";
import { entered, given } from "./who.js";
import { guidelines } from "./guidelines.js";
import { h, kbd, replace, say } from "./element.js";
import { summary } from "./summary.js";

const READ = "review:guidelines"; // version of the guidelines that was read in this browser

class Page {
  constructor(me) {
    this.me = me;
    this.history = `review:history:${me.annotator}`; // what was submitted in this tab, oldest first
    this.filters = new Filters(() => this.#filtered());
    this.review = new Review({
      me,
      differ: new Differ(),
      report: (state, text) => this.#report(state, text),
      submitted: (itemId) => this.#submitted(itemId),
    });
    this.list = new List({ filters: this.filters, open: (itemId) => this.go(`#/item/${itemId}`) });
    this.view = h("div", { class: "view" });
    this.turn = 0;
    this.laying = Promise.resolve();
    this.saved = h("span", { class: "saved", role: "status" });
    this.banner = h("div", { class: "banner", role: "alert", hidden: true });
    this.notices = h("div", { class: "notices" });
    this.bars = { mine: h("progress", { "aria-label": "mine" }), all: h("progress", { "aria-label": "all" }) };
    this.left = h("span", { class: "counts" });
    this.counts = h("span", { class: "counts" });
    document.body.append(this.#header(), this.filters.element, this.banner, this.notices, this.view);
    document.title = `Review · ${me.queue}`;
    this.keys = new Keys(bindings(this));
    new ResizeObserver(([{ target }]) => document.documentElement.style.setProperty("--top", `${target.offsetHeight}px`)).observe(
      document.querySelector(".top"),
    );
    addEventListener("hashchange", () => (given() ? location.reload() : this.show())); // another link in this tab: another person
    this.#progress(me.progress);
    this.#notice();
  }

  go(hash) {
    if (location.hash === hash) return this.show();
    location.hash = hash;
  }

  /** What the address says. */
  async show() {
    const [, where, itemId] = location.hash.split("/");
    if (where === "item") return this.#turn(() => call("GET", `/api/items/${encodeURIComponent(decodeURIComponent(itemId))}`), () => this.show());
    if (where !== "items" && where !== "summary") return this.next();
    this.turn += 1;
    try {
      if (where === "items") await this.#put(this.list, () => this.list.load());
      else
        await this.#put({ element: h("main", { class: "summary" }) }, async ({ element }) =>
          replace(element, summary(await call("GET", "/api/summary"))),
        );
    } catch (error) {
      this.#failed(error, () => this.show());
    }
  }

  /** The next item that is pending for me, behind `after`; round from the front. */
  async next(after) {
    await this.#turn(() => call("GET", `/api/next${query({ ...this.filters.values, after })}`), () => this.next(after));
  }

  /** Lays out what `load` brings, one after the other; a reply that is overtaken by where the person has gone since is let go. */
  async #turn(load, again) {
    const turn = (this.turn += 1),
      before = this.laying,
      { promise, resolve } = Promise.withResolvers();
    this.laying = promise;
    try {
      const shown = await load();
      await before;
      if (turn === this.turn) await this.#lay(shown);
    } catch (error) {
      if (turn === this.turn) this.#failed(error, again);
    } finally {
      resolve();
    }
  }

  async #lay(shown) {
    this.banner.hidden = true;
    this.left.textContent = `${shown.mine_left.toLocaleString("en")} left for you${this.filters.any ? " under these filters" : ""}`;
    if (!shown.item) {
      await this.review.leave();
      this.review.draft = null;
      this.saved.textContent = "";
      history.replaceState(null, "", "#/");
      return replace(this.view, this.#nothing());
    }
    history.replaceState(null, "", `#/item/${shown.item.item_id}`);
    replace(this.view, this.review.element);
    await this.review.open(shown);
  }

  async #put(view, load) {
    await this.review.leave();
    this.saved.textContent = "";
    replace(this.view, view.element);
    await load(view);
    await this.refresh();
  }

  #nothing() {
    const more = this.filters.any
      ? h("button", { type: "button", class: "primary", onclick: () => this.filters.set({}) }, "Clear the filters")
      : h("a", { class: "button primary", href: "#/summary" }, "See the totals");
    return h(
      "main",
      { class: "nothing" },
      h("h2", {}, this.filters.any ? "Nothing under these filters waits for you" : "Nothing waits for you: thank you"),
      more,
    );
  }

  async #submitted(itemId) {
    const past = JSON.parse(sessionStorage.getItem(this.history) ?? "[]").filter((one) => one !== itemId);
    sessionStorage.setItem(this.history, JSON.stringify([...past, itemId]));
    await this.next(itemId);
    this.refresh();
  }

  back() {
    const past = JSON.parse(sessionStorage.getItem(this.history) ?? "[]");
    const here = past.indexOf(location.hash.split("/")[2]);
    const before = past[(here === -1 ? past.length : here) - 1];
    if (!before) return say("nothing was submitted in this tab before this");
    this.go(`#/item/${before}`);
  }

  #filtered() {
    if (location.hash === "#/items") this.list.load(0).catch((error) => this.#failed(error, () => this.list.load(0)));
    else this.next();
  }

  async refresh() {
    try {
      const [{ progress }, { facets }] = await Promise.all([call("GET", "/api/me"), call("GET", "/api/items?limit=1")]);
      this.#progress(progress);
      this.filters.draw(facets);
    } catch (error) {
      if (!(error instanceof Unreachable || error instanceof Refused)) throw error; // numbers only; the next save says that the server is away
    }
  }

  #progress({ mine, all }) {
    const done = mine.submitted + mine.discarded;
    Object.assign(this.bars.mine, { max: Math.max(1, done + mine.pending + mine.draft), value: done });
    Object.assign(this.bars.all, { max: Math.max(1, all.items), value: all.done });
    this.counts.textContent = `${done.toLocaleString("en")} by you · ${all.done.toLocaleString("en")} of ${all.items.toLocaleString("en")} done`;
  }

  #report(state, text) {
    const time = (at) => (at ? `Saved ${new Date(at).toLocaleTimeString([], { timeStyle: "short" })}` : "");
    this.saved.dataset.state = state;
    this.saved.textContent = { saved: time(text), unsaved: "Saving …", away: "Not saved", refused: "Not saved" }[state];
    this.banner.hidden = state !== "away" && state !== "refused";
    if (!this.banner.hidden) replace(this.banner, text);
  }

  #failed(error, again) {
    if (!(error instanceof Unreachable || error instanceof Refused)) throw error;
    const away = error instanceof Unreachable;
    replace(
      this.banner,
      `${error.message}${away ? ". " : " "}`,
      h("button", { type: "button", onclick: again }, away ? "Try now" : "Try again"),
    );
    this.banner.hidden = false;
    clearTimeout(this.retrying);
    if (away) this.retrying = setTimeout(again, 3000);
  }

  #header() {
    const link = (label, key, hash) => h("a", { class: "quiet", href: hash }, label, " ", kbd(key));
    const button = (label, key, run) => h("button", { type: "button", class: "quiet", onclick: run }, label, " ", kbd(key));
    return h(
      "header",
      { class: "top" },
      h(
        "a",
        { class: "brand", href: "#/" },
        h("strong", {}, "Review"),
        " ",
        h("span", { class: "queue", title: this.me.queue }, this.me.queue),
      ),
      h(
        "div",
        { class: "progress", title: "your answers, and items with enough answers of all" },
        h("div", { class: "bars" }, this.bars.mine, this.bars.all),
        this.left,
        this.counts,
      ),
      h("span", { class: "space" }),
      this.saved,
      h(
        "nav",
        {},
        button("Filters", "/", () => this.filters.toggle()),
        link("All items", "a", "#/items"),
        link("Totals", "t", "#/summary"),
        button("Guidelines", "g", () => this.guidelines()),
        button("Keys", "?", () => this.help()),
      ),
      h(
        "span",
        { class: "me", title: "Your answers are kept under this name. Somebody else opens the link they were given." },
        h("span", { class: "you" }, "you are "),
        this.me.annotator,
      ),
    );
  }

  guidelines() {
    const { guidelines: text, version } = this.me.questions;
    localStorage.setItem(READ, version);
    this.#notice();
    dialog("Guidelines", h("p", { class: "version" }, `version ${version}; it travels with every answer`), guidelines(text));
  }

  help() {
    dialog("Keys", h("div", { class: "keys" }, this.keys.help()));
  }

  // Guidelines nobody has read here, and texts of other items that the server may not have.
  #notice() {
    const lines = [];
    if (localStorage.getItem(READ) !== this.me.questions.version) {
      lines.push(
        h(
          "p",
          {},
          "There are guidelines you have not read here: ",
          h("button", { type: "button", onclick: () => this.guidelines() }, "Read them ", kbd("g")),
        ),
      );
    }
    const unsaved = [...new Set(copies(this.me.annotator).map(({ itemId }) => itemId))].filter((itemId) => !location.hash.includes(itemId));
    if (unsaved.length) {
      const links = unsaved
        .slice(0, 5)
        .map((itemId, index) => [index ? ", " : " ", h("a", { href: `#/item/${itemId}` }, itemId.slice(0, 6))]);
      lines.push(
        h(
          "p",
          {},
          `This browser keeps text of ${unsaved.length} item${unsaved.length > 1 ? "s" : ""} that the server may not have:`,
          links,
        ),
      );
    }
    replace(this.notices, lines);
  }
}

async function start() {
  try {
    const page = new Page(await entered());
    await page.show();
    await page.refresh();
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
    const words = error instanceof Refused ? error.message : `${error.message}; this page tries again by itself`;
    replace(
      document.body,
      h(
        "main",
        { class: "nothing" },
        h("h2", {}, error.status === 401 ? "This page wants the link you were given" : "Not yet"),
        h("p", {}, words),
      ),
    );
    if (error instanceof Unreachable) setTimeout(start, 2000);
  }
}

start();
