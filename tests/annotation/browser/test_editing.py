"""An edit arrives byte for byte as it was typed, after reloads and ways back, and the differences shown are the differences made."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from annotation.item import Item
from tests.annotation.browser.reviewer import answers_in, queue_of, reviewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PIECES = ["a", "bc", "the ", "答案", "\n", "\n\n", " ", "x<y", "👩‍👩‍👧", "\r\n", "e\u0301", ". ", "\t", "Ω"]


def test_an_edit_survives_a_reload_and_arrives_as_it_was_typed(browser: Browser, tmp_path: Path) -> None:
    items = [Item(row_id=f"row{n}", prompt="?", reasoning="First.\n\nSecond wrods.\n\nThird.", summary=f"{n}") for n in range(3)]
    folder = queue_of(tmp_path, items)
    typed = 'Ω 我想 x<y &amp; </b>\t"quoted" \\(\\frac{1}{2}\\)  two spaces'
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        anna.press("j", "j", "e")
        anna.page.keyboard.insert_text(typed)
        anna.press("Enter", "Enter", "ArrowRight")
        anna.type("x")
        edited = f"First.\n\n{typed}\n\nSxecond wrods.\n\nThird."
        assert anna.area.input_value() == edited
        anna.saved()
        anna.press("Escape", "r", "3")
        anna.page.reload()
        anna.at(0)
        anna.page.wait_for_selector(".edits .state:text('change')")
        assert anna.page.is_checked("#verdict-2")
        assert anna.page.is_checked("#readability-3")
        anna.press("n")
        anna.at(1)
        anna.press("n")
        anna.at(2)
        anna.press("n")  # round from the front: what was begun is there as it was left
        anna.at(0)
        anna.press("e")
        assert anna.area.input_value() == edited
        anna.press("Escape", "1", "s")  # the language was still open: the light is there
        anna.at(1)
    answer = answers_in(folder)["row0", "anna"]
    assert answer.values["reasoning"].encode() == edited.encode()
    assert (answer.values["verdict"], answer.values["language"]) == ("fix", "en")


def test_line_ends_that_a_textarea_can_not_hold_are_kept(browser: Browser, tmp_path: Path) -> None:
    raw = "One\r\ntwo\rthree\n\r\nfour wrod\r\n\r\nfive"
    folder = queue_of(
        tmp_path, [Item(row_id="row", prompt="?", reasoning=raw, summary="2"), Item(row_id="next", prompt="?", reasoning="r", summary="s")]
    )
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        anna.press("e", "Control+Home")
        anna.type("Well, ")
        anna.press("Control+End")
        anna.type(".")
        anna.page.wait_for_selector(".tools .count:text('2 changes')")
        anna.press("Escape", "5", "1", "s")
        anna.at(1)
    assert answers_in(folder)["row", "anna"].values["reasoning"] == f"Well, {raw}."


def test_changes_are_walked_and_taken_back_one_by_one(browser: Browser, tmp_path: Path) -> None:
    raw = "One two three.\n\nFour five six.\n\nSeven eight nine."
    with reviewing(browser, queue_of(tmp_path, [Item(row_id="1", prompt="?", reasoning=raw, summary="2")]), "anna") as people:
        anna = people["anna"]
        anna.press("e")
        anna.area.fill("One 2 three.\n\nFour five six.\n\nSeven eight nine, ten.")
        anna.page.wait_for_selector(".tools .count:text('2 changes')")
        left = anna.page.locator(".raw")
        assert left.locator("del").all_text_contents() == ["two"]
        assert left.locator("ins").all_text_contents() == ["2", ", ten"]
        anna.press("Control+Home", "Alt+ArrowDown")
        assert anna.page.evaluate("document.getSelection().toString()") == "2"
        anna.press("Alt+r")
        anna.page.wait_for_selector(".tools .count:text('1 change')")
        assert anna.area.input_value() == "One two three.\n\nFour five six.\n\nSeven eight nine, ten."
        anna.press("Control+z")
        assert "One 2 three" in anna.area.input_value()
        anna.press("Alt+Shift+R")
        assert anna.area.input_value() == raw
        anna.press("Alt+Shift+R")
        assert anna.area.input_value() == "One 2 three.\n\nFour five six.\n\nSeven eight nine, ten."


def test_what_the_server_would_refuse_is_said_while_it_is_typed_and_once_more_at_the_end(browser: Browser, tmp_path: Path) -> None:
    item = Item(row_id="row", prompt="?", reasoning="I think.", summary="2")
    with reviewing(browser, queue_of(tmp_path, [item]), "anna") as people:
        anna = people["anna"]
        anna.press("e", "Control+End")
        anna.type(" </think>")
        anna.page.wait_for_selector(".warnings p:has-text('</think>')")
        anna.press("Control+Enter", "Control+Enter")
        anna.page.wait_for_selector(".edits .trouble:text('</think>')")
        anna.page.click(".warnings >> text=take it out")
        anna.page.wait_for_selector(".warnings p", state="detached")
        assert anna.area.input_value() == "I think. "
        anna.area.fill("")
        anna.page.wait_for_selector(".warnings p:has-text('empty')")


def test_a_summary_that_loses_the_reference_answer_is_pointed_at_and_may_be_submitted(browser: Browser, tmp_path: Path) -> None:
    items = [Item(row_id=f"row{n}", prompt="?", reasoning="I think.", summary="It is 42.", answer="42") for n in range(2)]
    folder = queue_of(tmp_path, items)
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        note = ".edits .note:has-text('The reference answer 42 stood here')"
        anna.press("E")
        anna.area.fill("So it is 42.")
        anna.page.wait_for_selector(".edits .state:text('1 change')")
        assert anna.page.locator(note).count() == 0
        anna.area.fill("It is 43.")
        anna.page.wait_for_selector(note)
        anna.press("Escape", "s")
        anna.at(1)
        anna.page.wait_for_selector(note, state="detached")
    assert answers_in(folder)["row0", "anna"].values == {"verdict": "fix", "summary": "It is 43."}


def test_a_nul_and_half_a_character_in_a_raw_text_can_be_taken_out(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(
        tmp_path,
        [Item(row_id="row", prompt="?", reasoning="I \0 think.", summary="2"), Item(row_id="next", prompt="?", reasoning="r", summary="s")],
    )
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        anna.press("e", "Control+End")
        anna.type("!")
        anna.page.click(".warnings >> text=take it out")
        anna.page.wait_for_selector(".warnings p", state="detached")
        anna.press("Escape", "5", "1", "s")
        anna.at(1)
    assert answers_in(folder)["row", "anna"].values["reasoning"] == "I  think.!"


def test_differences_put_together_are_the_edited_text(browser: Browser, tmp_path: Path) -> None:
    draw = random.Random(5)

    def made(most: int) -> str:
        return "".join(draw.choices(PIECES, k=draw.randrange(most)))

    pairs = []
    for _ in range(1_500):
        old = new = made(60)
        for _ in range(draw.randrange(4)):
            place = draw.randrange(len(new) + 1)
            new = new[:place] + made(4) + new[place + draw.randrange(9) :]
        pairs.append((old, new if draw.random() < 0.8 else made(60)))
    with reviewing(browser, queue_of(tmp_path, [Item(row_id="1", prompt="?", reasoning="r", summary="s")]), "anna") as people:
        wrong = people["anna"].page.evaluate(
            """async (pairs) => {
              const { changes, applied } = await import("/page/diff.js");
              const fits = (list) => list.every((one, at) => (one.start < one.stop || one.text) && (!at || list[at - 1].stop <= one.start));
              return pairs.filter(([old, made]) => applied(old, changes(old, made)) !== made || !fits(changes(old, made)));
            }""",
            pairs,
        )
        assert wrong == []
        old, new = "The cat sat here.\n\nIt slept.", "The cart sat here.\n\nIt slept well."
        found = people["anna"].page.evaluate("async (pair) => (await import('/page/diff.js')).changes(...pair)", [old, new])
        assert found == [{"start": 4, "stop": 7, "text": "cart"}, {"start": 27, "stop": 27, "text": " well"}]
