"""The review page with a trace of 32k tokens, in a real Chromium: how soon it is there, and how long a key takes while typing in it.

    python -m benchmarks.review_page [--characters 190000] [--keys 60]

Times are the browser's own: from the call for the item to the first frame that shows it, and Chromium's event timing from a key to the
next frame (it counts in steps of 8 ms; a faster one is counted as 16). Script is what the page's own code takes for a key, layout what
Chromium takes to lay the text out again. The differences are found by a worker meanwhile, as they are when a person types.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
from pathlib import Path

from annotation.item import Item
from tests.annotation.browser.reviewer import FLAGS, Reviewer, queue_of, reviewing

WORDS = "let me check whether that is right since we have $x+1$ and y then I think it follows, wait: 我想 x<y".split()  # noqa: SIM905
OPEN = """async () => {
  const before = performance.now();
  document.dispatchEvent(new KeyboardEvent("keydown", {key: "n", code: "KeyN"}));
  while (!document.querySelector('.item[aria-label="item 2"]')) await new Promise(requestAnimationFrame);
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - before;
}"""
LISTEN = """() => {
  window.slow = [];
  new PerformanceObserver(list => list.getEntries().forEach(one => one.name === "keydown" && window.slow.push(one.duration)))
    .observe({type: "event", durationThreshold: 16});
  window.long = [];
  new PerformanceObserver(list => list.getEntries().forEach(one => window.long.push(one.duration))).observe({type: "longtask"});
}"""


def a_trace(characters: int, *, lines: int) -> str:
    """Thoughts of so many characters in paragraphs of about so many words."""
    draw, parts, size = random.Random(1), [], 0
    while size < characters:
        parts.append(" ".join(draw.choices(WORDS, k=draw.randint(lines // 4, lines))))
        size += len(parts[-1]) + 2
    return "\n\n".join(parts)[:characters]


def measured(person: Reviewer, keys: int) -> tuple[float, list[float], list[float], dict[str, float]]:
    """Milliseconds to open the second item, of each key that took a frame or longer, of tasks over 50 ms, and of the work for a key."""
    opened = person.page.evaluate(OPEN)
    person.press(*"jjjjj", "e")
    person.page.wait_for_timeout(1_500)
    session = person.context.new_cdp_session(person.page)
    session.send("Performance.enable")
    person.page.evaluate(LISTEN)
    before = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    for key in range(keys):
        person.page.keyboard.press("x" if key % 6 else " ")
        person.page.wait_for_timeout(60)
    person.page.wait_for_timeout(1_500)
    after = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    spent = {kind: 1000 * (after[f"{kind}Duration"] - before[f"{kind}Duration"]) / keys for kind in ("Script", "Layout")}
    return opened, person.page.evaluate("window.slow"), person.page.evaluate("window.long"), spent


def main() -> None:
    """Print one line for each shape of text."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--characters", type=int, default=190_000)
    parser.add_argument("--keys", type=int, default=60)
    asked = parser.parse_args()
    shapes = {
        "paragraphs of 60 words": a_trace(asked.characters, lines=60),
        "paragraphs of 6 words": a_trace(asked.characters, lines=6),
        "one line": a_trace(asked.characters, lines=60).replace("\n\n", " "),
        "a blank line after every character": "a\n\n" * (asked.characters // 3),
    }
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as root:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for name, text in shapes.items():
            items = [Item(row_id=str(n), prompt="?", reasoning=text if n else "short", summary="2") for n in range(2)]
            folder = queue_of(Path(root) / str(len(name)), items)
            with reviewing(browser, folder, "anna") as people:
                opened, slow, long, spent = measured(people["anna"], asked.keys)
            typical = statistics.median([*slow, *[16.0] * (asked.keys - len(slow))])
            worst = f"key to frame: median <= {typical:.0f} ms, worst {max(slow, default=16):.0f} ms"
            work = ", ".join(f"{kind.lower()} {each:.1f} ms" for kind, each in spent.items())
            tasks = f"{len(long)} tasks over 50 ms, the longest {max(long, default=0):.0f} ms"
            print(f"{name}: {len(text):,} characters open in {opened:.0f} ms; {worst}; a key costs {work}; {tasks}")
        browser.close()


if __name__ == "__main__":
    main()
