"""Texts are shown exactly as they are, whatever stands in them, with findings at their places and formulas beside the source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from annotation.item import Finding, Item, Said
from tests.annotation.browser.reviewer import queue_of, reviewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = {
    "script": "<script>document.title = 'owned'</script>",
    "think": "before <think> inside </think> after |special_token|",
    "image": '<img src=x onerror="document.title = \'owned\'"> <svg onload=alert(1)> <a href="javascript:alert(1)">x</a>',
    "compared": "x<y && y>z, a<b>c</b>",
    "entities": "&amp; &lt;b&gt; &#60; &nbsp; &",
    "emoji": "👩‍👩‍👧‍👦 🇨🇭 🏳️‍🌈 👍🏽",
    "combining": "e\u0301 vs \u00e9, Z\u0351\u036b\u0343",
    "right to left": "שלום עולם and مرحبا 123",
    "chinese": "我们先设 x=3，然后检查。",
    "long line": "x" * 10_000,
    "spaces": "  two  spaces\tand\ttabs \u00a0no break\u3000wide ",
    "template": "${alert(1)} {{7*7}} <%= 1 %> `code` $& $1",
    "markdown": "# no heading\n- no list\n**no bold** [no](link)",
    "lines": "one\ntwo\n\n\n\nfour blank\n \n\t\nspaces in blank lines",
}
AT_FIRST = """(keys) => new Promise((resolve) => {
  const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", {key, code: `Key${key.toUpperCase()}`}));
  new MutationObserver((_, observer) => {
    if (!document.querySelector('.item[aria-label="item 2"]')) return;
    observer.disconnect();
    resolve(document.querySelectorAll('.item [data-text="reasoning"] .paragraph').length);
    [...keys].slice(1).forEach(press);
  }).observe(document, {subtree: true, childList: true});
  press(keys[0]);
})"""
"""Presses the first key, which leads to the second item, and the others the moment it is there; how many paragraphs were drawn then."""
SIGNS = {"\0": "␀", "\x1b": "␛", "\x7f": "␡", "\r": "␍", "\u202e": "RLO", "\u200b": "ZWSP", "\ufeff": "BOM"}


def test_hostile_texts_are_shown_exactly(browser: Browser, tmp_path: Path) -> None:
    whole = "\n\n".join(HOSTILE.values())
    said = (Said(scorer="<b>scorer</b>", value=0.5, reason=HOSTILE["image"]),)
    item = Item(
        row_id="1",
        prompt=whole,
        reasoning=whole,
        summary=HOSTILE["script"],
        answer=HOSTILE["compared"],
        said=said,
        metadata={"domain": "<i>"},
    )
    with reviewing(browser, queue_of(tmp_path, [item]), "anna") as people:
        anna = people["anna"]
        assert anna.text("reasoning") == whole
        assert anna.text("summary") == HOSTILE["script"]
        assert anna.words(".prompt .body") == whole
        assert anna.words(".reference .exact") == HOSTILE["compared"]
        assert HOSTILE["image"] in anna.words(".said")
        assert anna.page.locator(".item :is(script, img, svg, think, a)").count() == 0
        assert anna.page.title().startswith("Review")
        assert anna.page.evaluate("getComputedStyle(document.querySelector('.body')).whiteSpaceCollapse") in ("preserve", "break-spaces")
        assert anna.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        anna.press("a")
        anna.page.wait_for_selector(".list tbody tr")
        assert anna.page.locator(".list :is(script, img, svg)").count() == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_passes_the_editor_untouched(hostile: dict[str, str], name: str) -> None:
    assert hostile[name] == HOSTILE[name]


@pytest.fixture(scope="module")
def hostile(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the editor gives back of each text after an edit was made and taken back by hand."""
    items = [Item(row_id=name, prompt=name, reasoning=text, summary="2") for name, text in HOSTILE.items()]
    found = {}
    with reviewing(browser, queue_of(tmp_path_factory.mktemp("hostile"), items), "anna") as people:
        anna = people["anna"]
        for rank, name in enumerate(HOSTILE):
            anna.at(rank)
            anna.press("e", "Control+End")
            anna.type("!")
            anna.press("Backspace")
            anna.page.wait_for_selector(".tools .count:text('as it was')")
            found[name] = anna.area.input_value()
            anna.press("Escape", "n")
    return found


def test_what_has_no_picture_is_shown_by_its_sign(browser: Browser, tmp_path: Path) -> None:
    text = "".join(f"a{character}b " for character in SIGNS)
    with reviewing(browser, queue_of(tmp_path, [Item(row_id="1", prompt="?", reasoning=text, summary="2")]), "anna") as people:
        assert people["anna"].text("reasoning") == "".join(f"a{sign}b " for sign in SIGNS.values())


def test_findings_are_marked_at_their_code_points(browser: Browser, tmp_path: Path) -> None:
    text = "😀😀 I think 我想 so.\n\n```code```\n\nAgain. 👩‍👩‍👧 Again."
    at = {part: text.index(part) for part in ("我想", "```code```", "Again.")}
    second = text.index("Again.", at["Again."] + 1)
    findings = (
        Finding(field="reasoning", start=at["我想"], stop=at["我想"] + 2, scorer="language", note="zh in an en text"),
        Finding(field="reasoning", start=at["```code```"], stop=at["```code```"] + 10, scorer="readability", note="code block"),
        Finding(field="reasoning", start=second, stop=second + 6, scorer="repetition", note="said 2 times"),
        Finding(field="summary", start=0, stop=1, scorer="language", note="whole"),
    )
    item = Item(row_id="1", prompt="?", reasoning=text, summary="2", findings=findings)
    with reviewing(browser, queue_of(tmp_path, [item]), "anna") as people:
        anna = people["anna"]
        marks = anna.page.locator(".item mark")
        assert marks.all_text_contents() == ["我想", "```code```", "Again.", "2"]
        assert marks.first.get_attribute("data-note") == "zh in an en text"
        assert anna.text("reasoning") == text
        anna.press(".", ".")
        assert anna.page.locator("mark.looked-at").all_text_contents() == ["```code```"]
        assert anna.page.evaluate("document.activeElement.id") == "reasoning-2"
        anna.press(",")
        assert anna.page.locator("mark.looked-at").all_text_contents() == ["我想"]


def test_long_paragraphs_are_folded_and_j_unfolds_what_it_comes_to(browser: Browser, tmp_path: Path) -> None:
    text = "Short.\n\n" + "A long one. " * 300 + "\n\nShort again."
    with reviewing(browser, queue_of(tmp_path, [Item(row_id="1", prompt="?", reasoning=text, summary="2")]), "anna") as people:
        anna = people["anna"]
        folded = anna.page.locator(".paragraph.folded")
        assert folded.count() == 1
        anna.press("j", "j")
        assert folded.count() == 0
        anna.press("z")
        assert folded.count() == 1
        anna.press("Z")
        assert folded.count() == 0
        anna.page.reload()
        anna.page.wait_for_selector(".item")
        assert folded.count() == 0  # remembered


def test_a_long_trace_costs_what_is_in_sight(browser: Browser, tmp_path: Path) -> None:
    text = "\n\n".join(f"{number}. " + "let me check whether that is right. " * 9 for number in range(570))
    items = [Item(row_id=str(n), prompt="?", reasoning=text if n else "short", summary="2") for n in range(2)]
    assert len(text) > 185_000, "32k tokens"
    with reviewing(browser, queue_of(tmp_path, items), "anna") as people:
        anna = people["anna"]
        drawn = anna.page.evaluate(AT_FIRST, "n")
        assert drawn <= 200, "paragraphs that are drawn before the page is shown"
        anna.page.wait_for_selector("#reasoning-570")
        assert anna.text("reasoning") == text
        in_sight = "[...document.querySelectorAll('.body')].filter(one => one.checkVisibility({contentVisibilityAuto: true}))"
        assert 0 < anna.page.evaluate(f"{in_sight}.length") < 40, "paragraphs that are laid out"
        anna.press("e")
        anna.page.wait_for_selector(".raw .paragraph:nth-child(570)")
        anna.page.evaluate(
            """() => {
              window.touched = new Set();
              const note = ({ target }) => window.touched.add((target.closest ? target : target.parentElement).closest(".paragraph")?.id);
              new MutationObserver((all) => all.forEach(note)).observe(document.querySelector(".raw"), {subtree: true, childList: true});
            }"""
        )
        anna.type("Well, yes. ")
        anna.page.wait_for_selector(".raw ins")
        anna.page.wait_for_timeout(500)
        assert anna.page.evaluate("[...window.touched]") == ["edit-reasoning-1"], "paragraphs that are drawn again while one types"


def test_who_opens_the_editor_before_a_long_text_is_drawn_finds_it_whole_afterwards(browser: Browser, tmp_path: Path) -> None:
    text = "\n\n".join(f"{number}. Let me check." for number in range(3_000))
    items = [Item(row_id=str(n), prompt="?", reasoning=text if n else "short", summary="2") for n in range(2)]
    with reviewing(browser, queue_of(tmp_path, items), "anna") as people:
        anna = people["anna"]
        anna.page.evaluate(AT_FIRST, "ne")
        anna.page.wait_for_selector(".editor")
        anna.press("Escape")
        anna.page.wait_for_selector("#reasoning-3000")
        assert anna.text("reasoning") == text


def test_formulas_are_rendered_beside_the_source_and_never_as_html(browser: Browser, tmp_path: Path) -> None:
    text = "It is $x^2$ or \\(\\frac{1}{2}\\).\n\n\\[\\sum_{i=1}^n i\\] costs $5 and $6\n\n"
    text += "$\\text{<img src=x onerror=alert(1)>}$ and \\(\\unknowncommand{\\)"
    with reviewing(browser, queue_of(tmp_path, [Item(row_id="1", prompt="?", reasoning=text, summary="\\boxed{2}")]), "anna") as people:
        anna = people["anna"]
        anna.press("m")
        for paragraph in ("#reasoning-1", "#reasoning-2", "#summary-1"):  # each asks for its own, and is answered in any order
            anna.page.wait_for_selector(f"{paragraph} .rendered math")
        assert anna.page.locator("#reasoning-1 .rendered math").count() == 2
        assert anna.page.locator("#reasoning-1 .rendered mfrac").count() == 1
        assert anna.page.locator("#reasoning-2 .rendered math").get_attribute("display") == "block"
        assert "costs $5 and $6" in anna.words("#reasoning-2 .rendered")
        assert anna.page.locator(".rendered img").count() == 0
        assert "\\unknowncommand{" in anna.words("#reasoning-3 .rendered")
        assert anna.text("reasoning") == text
        assert anna.page.evaluate("[...document.querySelectorAll('math, math *')].every(one => one.namespaceURI.endsWith('MathML'))")
        anna.press("m")
        assert anna.page.locator(".rendered").count() == 0


def test_the_page_is_usable_without_sideways_scrolling_at_any_width_and_in_the_dark(browser: Browser, tmp_path: Path) -> None:
    item = Item(row_id="1", prompt="?" * 500, reasoning=HOSTILE["long line"] + "\n\nend", summary="2", metadata={"source": "y" * 200})
    with reviewing(browser, queue_of(tmp_path, [item]), "anna", color_scheme="dark") as people:
        anna = people["anna"]
        for width in (360, 768, 1100, 1920):
            anna.page.set_viewport_size({"width": width, "height": 800})
            for key in ("e", "Escape", "?", "Escape", "t", "a", "a"):
                anna.press(key)
                assert anna.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, key)
        ink, paper = anna.page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
        assert _lightness(ink) > _lightness(paper)


def _lightness(colour: str) -> int:
    return sum(int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])
