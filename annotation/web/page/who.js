// Who answers in this tab: whose link was opened in it. A tab without a link is asked, where this browser knows several people.

import { Refused, answerAs, call } from "./api.js";
import { h, kbd, replace } from "./element.js";

const TAB = "review:token"; // this tab's, through reloads
const KNOWN = "review:tokens"; // of the links that were opened in this browser, the latest last
const MOST = 20; // links of former reviews are told apart by the server; the oldest are let go

/** Takes a token out of the address (`#token=...`), for this tab from its next load on; false where there is none. */
export function given() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return false;
  history.replaceState(null, "", "#/");
  sessionStorage.setItem(TAB, token);
  localStorage.setItem(KNOWN, JSON.stringify([...known().filter((one) => one !== token), token].slice(-MOST)));
  return true;
}

/** What the server says of the person who answers in this tab; Refused where there is none. */
export async function entered() {
  given();
  const mine = sessionStorage.getItem(TAB);
  const people = mine ? [{ token: mine }] : await here();
  const { token } = people.length > 1 ? await asked(people) : (people[0] ?? { token: "" });
  answerAs(token);
  const me = await call("GET", "/api/me");
  sessionStorage.setItem(TAB, token);
  return me;
}

const known = () => JSON.parse(localStorage.getItem(KNOWN) ?? "[]");

// The people of this review among those whose links were opened in this browser.
async function here() {
  const found = known().map(async (token) => {
    try {
      return { token, name: (await call("GET", "/api/me", undefined, { token })).annotator };
    } catch (error) {
      if (error instanceof Refused) return null;
      throw error;
    }
  });
  return (await Promise.all(found)).filter(Boolean).sort((a, b) => (a.name < b.name ? -1 : 1));
}

// Nothing is chosen beforehand: an Enter in haste would answer in somebody else's name.
function asked(people) {
  return new Promise((resolve) => {
    const decide = (one) => {
      document.removeEventListener("keydown", pressed);
      replace(document.body);
      resolve(one);
    };
    const pressed = ({ key }) => people[Number(key) - 1] && decide(people[Number(key) - 1]);
    const buttons = people.map((one, index) =>
      h("button", { type: "button", onclick: () => decide(one) }, index < 9 && kbd(index + 1), " ", one.name),
    );
    document.addEventListener("keydown", pressed);
    replace(
      document.body,
      h(
        "main",
        { class: "nothing who" },
        h("h2", {}, "Who are you?"),
        h("p", {}, "Several people have answered in this browser. What you do in this tab is kept under the name you choose."),
        h("div", { class: "people" }, buttons),
      ),
    );
  });
}
