from __future__ import annotations

from pathlib import Path

from annotation.questions import Questions
from annotation.reviewed import reviewed
from dataengine.card import card
from dataengine.run import run
from tests.annotation.answers import answer
from tests.annotation.rows import rollouts
from tests.annotation.test_reviewed import asked, came_home


def test_the_card_says_who_reviewed_how_far_they_agree_and_how_wrong_the_filters_were(tmp_path: Path) -> None:
    step = asked(rollouts(24), overlap=1.0)
    came_home(tmp_path, step, lambda item, number: answer(item, "keep" if item.rank % 3 else "discard", by=("ann", "bo")[number]))
    text = (run(card(reviewed(step), title="Cold start"), tmp_path) / "README.md").read_text()
    assert "## People's review `reviewed`" in text
    assert "24 of 24 asked rows were answered (guidelines `" in text
    assert "| ann | 24 | 16 | 0 | 8 | 30 |" in text
    assert "| verdict | each other | 24 | 100.0% | 1.00 | 1.00 to 1.00 |  |" in text
    assert "| readability | each other | 0 | not known |  |  | no row has two answers |" in text
    assert "| all bars | false drop | 8 | 8 | " in text


def test_the_card_says_where_two_people_edited_the_same_text_differently(tmp_path: Path) -> None:
    questions = Questions(languages=("a|b", "en"))
    step = asked(rollouts(12), overlap=1.0, questions=questions)
    edits = ({"summary": "two"}, {"summary": "II"})
    came_home(
        tmp_path, step, lambda item, number: answer(item, "fix", by=("ann", "b|o")[number], minute=number, language="a|b", **edits[number])
    )
    text = (run(card(reviewed(step), title="Cold start"), tmp_path) / "README.md").read_text()
    assert "In 12 rows two people edited the same text differently: the latest was taken" in text
    tables = [line.replace("\\|", "") for line in text.partition("## People's review")[2].splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables if "each other" in line} == {8}
    assert [line.count("|") for line in tables if line.startswith("| bo ")] == [7]


def test_a_card_without_a_review_has_no_such_part(tmp_path: Path) -> None:
    assert "review" not in (run(card(asked(rollouts(6)), title="No people"), tmp_path) / "README.md").read_text()
