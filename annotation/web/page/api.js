// How the page speaks with its server: JSON, a token, and two kinds of failure that are never mixed up.

/** The server answered and said no: `status`, and `body` as it came ({error, problems, theirs ...}). */
export class Refused extends Error {
  constructor(status, body) {
    super(body.error ?? `the server refused this (${status})`);
    this.status = status;
    this.body = body;
  }
}

/** Not now: the server is down, starting again or can not write (`message`). What was sent may or may not have arrived: try again. */
export class Unreachable extends Error {}

let mine = "";

/** From here on every call is made with this token. */
export function answerAs(token) {
  mine = token;
}

/** `await call("PUT", "/api/...", body)`; `leaving`: the page may be gone before the answer comes. */
export async function call(method, path, body, { leaving = false, token = mine } = {}) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let reply, read;
  try {
    const signal = leaving ? undefined : AbortSignal.timeout(20_000);
    reply = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), keepalive: leaving, signal });
    read = await reply.text();
  } catch (error) {
    throw new Unreachable("the server does not answer", { cause: error });
  }
  const json = parsed(read);
  if (reply.status > 500) throw new Unreachable(json?.error ?? `the server does not answer (${reply.status})`);
  if (!reply.ok) throw new Refused(reply.status, json ?? { error: `the server failed (${reply.status}): look at its log` });
  if (json === null) throw new Unreachable("the server's answer was cut off");
  return json;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** `{why: "kept", domain: ""}` -> `?why=kept`: empty filters are none. */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
