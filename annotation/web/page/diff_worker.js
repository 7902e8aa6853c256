// Differences are found beside the page, so that typing never waits for them.

import { changes } from "./diff.js";

addEventListener("message", ({ data: { ticket, raw, edited } }) => postMessage({ ticket, list: changes(raw, edited) }));
