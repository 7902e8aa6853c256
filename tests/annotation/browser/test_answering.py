"""A person reviews with the keyboard alone: ten rollouts, filters, ways back, what does not go together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from annotation.item import Item, Said
from tests.annotation.browser.reviewer import answers_in, queue_of, reviewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

ITEMS = [
    Item(
        row_id=f"row{number}",
        prompt=f"What is {number} and {number}?",
        reasoning=f"I have {number}.\n\nI add {number}.\n\nLet me check: {2 * number}.",
        summary=f"It is {2 * number}.",
        answer=str(2 * number),
        why="unjudged" if number < 4 else "kept",
        metadata={"domain": "math" if number % 2 else "logic", "language": "en"},
        said=(Said(scorer="right", value=1.0, reason="as the reference"), Said(scorer="judge", value=None, reason="no judge answered")),
    )
    for number in range(10)
]


def test_ten_rollouts_are_reviewed_by_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS)
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        for number in range(10):
            anna.at(number)
            if number == 3:  # discard, with two reasons
                anna.press("3", "1", "3", "Control+Enter")
            elif number == 6:  # an edit, in the editor and out of it
                anna.press("j", "j", "e")
                anna.type("Then ")
                anna.press("Escape", "r", "4", "1", "s")
            else:
                anna.press("1", "5", "1", "Control+Enter")
        anna.page.wait_for_selector("main.nothing")
        anna.page.wait_for_selector(".counts:has-text('10 of 10 done')")
    answers = answers_in(folder)
    assert len(answers) == 10
    assert {answer.status for answer in answers.values()} == {"submitted"}
    assert answers["row3", "anna"].values == {"verdict": "discard", "reasons": ["wrong", "repetitive"]}
    assert answers["row6", "anna"].values == {
        "verdict": "fix",
        "readability": 4,
        "language": "en",
        "reasoning": "I have 6.\n\nThen I add 6.\n\nLet me check: 12.",
    }
    assert answers["row0", "anna"].values == {"verdict": "keep", "readability": 5, "language": "en"}
    assert all(answer.seconds is not None and 0 <= answer.seconds < 60 for answer in answers.values())


def test_keep_with_an_edited_text_is_answered_by_offering_fix(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS[:2])
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        anna.press("1", "5", "1", "E")
        anna.type("Well: ")
        anna.press("Control+Enter")
        assert "Keep says" in anna.words(".row.verdict .trouble")
        anna.press("Enter")  # the focus is on the offer
        anna.at(1)
    assert answers_in(folder)["row0", "anna"].values == {"verdict": "fix", "readability": 5, "language": "en", "summary": "Well: It is 0."}


def test_an_enter_too_much_is_no_edit(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS[:3])
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        anna.press("1", "5", "1", "e", "Control+End", "Enter", "Escape", "s")
        anna.at(1)
        anna.press("e", "Control+End", "Enter", "Escape", "s")  # nothing was chosen, and nothing was edited
        assert "Choose keep, fix or discard" in anna.words(".row.verdict .trouble")
        assert anna.words(".edits .state") == ""
        anna.press("1", "s")
        anna.at(2)
    answers = answers_in(folder)
    assert answers["row0", "anna"].values == {"verdict": "keep", "readability": 5, "language": "en"}
    assert answers["row1", "anna"].values == {"verdict": "keep"}


def test_what_can_not_be_submitted_says_why_and_what_is_open_may_stay_open(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS[:2])
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        anna.press("s")
        assert "Choose keep, fix or discard" in anna.words(".row.verdict .trouble")
        anna.press("2", "s")
        assert "both are as they were" in anna.words(".row.verdict .trouble")
        anna.press("v", "1", "s")
        anna.at(1)
    assert answers_in(folder)["row0", "anna"].values == {"verdict": "keep"}


def test_u_leads_back_to_what_was_submitted_and_it_can_be_changed(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS[:3])
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        for number in (0, 1):
            anna.at(number)
            anna.press("1", "5", "1", "s")
        anna.at(2)
        anna.press("u", "u")
        anna.at(0)
        assert "You answered this" in anna.words(".hint-line")
        assert anna.page.is_checked("#verdict-1")
        anna.press("r", "2", "s")
        anna.at(2)
    assert answers_in(folder)["row0", "anna"].values["readability"] == 2


def test_a_reply_that_comes_late_does_not_take_the_place_of_where_one_has_gone(browser: Browser, tmp_path: Path) -> None:
    folder, late = queue_of(tmp_path, ITEMS[:3]), list["Route"]()
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        for number in (0, 1):
            anna.at(number)
            anna.press("1", "5", "1", "s")
        anna.at(2)
        anna.page.route(f"**/api/items/{ITEMS[1].item_id}", lambda route: late.append(route))
        anna.press("u")
        anna.page.wait_for_function("id => location.hash.endsWith(id)", arg=ITEMS[1].item_id)
        anna.press("u")
        anna.at(0)
        late[0].continue_()
        anna.page.wait_for_timeout(300)
        anna.at(0)
        assert anna.page.url.endswith(ITEMS[0].item_id)


def test_filters_narrow_what_comes_next_and_the_list(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS)
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        anna.press("/")
        anna.page.select_option('select[aria-label="why"]', "kept")
        anna.at(4)
        anna.page.select_option('select[aria-label="domain"]', "math")
        anna.at(5)
        assert anna.words(".counts").startswith("3 left for you under these filters")
        anna.press("Escape", "n")
        anna.at(7)
        anna.press("1", "5", "1", "s")
        anna.at(9)
        anna.press("a")
        rows = anna.page.locator(".list tbody tr")
        rows.nth(2).wait_for()
        assert [rows.nth(index).locator("td").first.text_content() for index in range(rows.count())] == ["6", "8", "10"]
        assert rows.nth(1).locator(".state").text_content() == "submitted"
        anna.press("j", "j", "Enter")
        anna.at(9)


def test_the_totals_count_two_people(browser: Browser, tmp_path: Path) -> None:
    both = [Item(row_id=item.row_id, prompt=item.prompt, reasoning=item.reasoning, summary=item.summary, wanted=2) for item in ITEMS[:4]]
    folder = queue_of(tmp_path, both)
    with reviewing(browser, folder, "anna", "bo") as people:
        for person, verdicts in ((people["anna"], "1113"), (people["bo"], "1131")):
            for verdict in verdicts:
                here = person.page.url
                person.press(verdict, *({"1": "51", "3": "2"}[verdict]), "s")
                person.page.wait_for_function("here => location.href !== here", arg=here)
        anna = people["anna"]
        anna.press("t")
        people_table = anna.page.locator("main.summary section").nth(1)
        people_table.wait_for()
        assert people_table.locator("th[scope=row]").all_text_contents() == ["anna", "bo"]
        assert people_table.locator(".share").all_text_contents() == ["keep 3", "discard 1", "keep 3", "discard 1"]
        assert "4 of 4" in anna.words("main.summary section p")
        assert "verdict" in anna.words("main.summary section:nth-of-type(3)")


def test_a_tab_without_a_link_asks_who_it_is_where_two_people_share_a_browser(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS[:4])
    with reviewing(browser, folder, "anna", "bo") as people:
        anna, home = people["anna"], people["anna"].link.partition("#")[0]
        assert anna.tab(home).text_content(".me") == "you are anna", "who is alone here is not asked"
        anna.press("e")
        anna.type("Anna's. ")
        anna.page.goto(people["bo"].link)  # pasted into the tab of the other
        anna.page.wait_for_selector(".me:has-text('bo')")
        anna.page.reload()
        anna.page.wait_for_selector(".me:has-text('bo')")
        later = anna.context.new_page()
        later.goto(home)
        later.wait_for_selector("main.who")
        later.keyboard.press("Enter")
        assert later.locator("main.who button").all_text_contents() == ["1 anna", "2 bo"]
        later.keyboard.press("1")
        later.wait_for_selector(".me:has-text('anna')")
        later.wait_for_selector(".item")
        later.keyboard.press("e")
        assert later.locator(".editor textarea").input_value().startswith("Anna's. I have 0.")
        later.reload()
        later.wait_for_selector(".me:has-text('anna')")
    answers = answers_in(folder)
    assert answers["row0", "anna"].values["reasoning"].startswith("Anna's. ")
    assert ("row0", "bo") not in answers


def test_a_wrong_link_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS[:1])
    with reviewing(browser, folder, "anna") as people:
        page = browser.new_page()
        page.goto(people["anna"].link.partition("#")[0] + "#token=wrong")
        assert "link" in (page.text_content("main.nothing h2") or "")
        page.close()


def test_the_help_and_the_guidelines_open_by_key_and_take_no_other_keys(browser: Browser, tmp_path: Path) -> None:
    folder = queue_of(tmp_path, ITEMS[:1])
    with reviewing(browser, folder, "anna") as people:
        anna = people["anna"]
        anna.press("?", "1")
        assert "next paragraph" in anna.words("dialog .keys")
        anna.press("Escape", "g")
        assert "Would you be glad to read this?" in anna.words("dialog")
        assert anna.page.locator("dialog li strong").first.text_content() == "Right."
        anna.press("Escape")
        assert not anna.page.is_checked("#verdict-1")
        assert anna.page.locator(".notices p").count() == 0
