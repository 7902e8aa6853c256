"""Who is asked about a line, and who is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from filters.texts import lid

GERMAN = "Wir haben also drei Äpfel im Korb und außerdem noch zwei Birnen auf dem Tisch in der Küche"


@pytest.mark.parametrize(
    ("fasttext", "rival", "langdetect", "found"),
    [
        (("en", 0.9), "fr", "fr", None),  # sure that it is as it should be
        (("en", 0.6), None, "fr", None),  # nothing speaks against it
        (("en", 0.6), "fr", "fr", "fr"),  # function words and langdetect agree against it
        (("en", 0.6), "fr", "de", None),
        (("fr", 0.9), None, "en", "fr"),  # sure
        (("fr", 0.6), "fr", "en", "fr"),  # function words agree
        (("fr", 0.6), "de", "en", None),  # langdetect does not
        (("fr", 0.6), "de", "fr", "fr"),
        (("fr", 0.6), "de", None, None),
        (("fr", 0.3), "de", "de", "de"),  # too unsure to count, the two others agree
        (("fr", 0.3), None, "de", None),
        (("ru", 0.9), None, "ru", None),  # written in another script: it cannot be
        (None, None, "fr", "fr"),  # no model: langdetect alone
        (None, "fr", None, None),
        (None, None, "ru", None),
    ],
)
def test_a_line_is_foreign_where_one_is_sure_or_two_agree(
    monkeypatch: pytest.MonkeyPatch, fasttext: tuple[str, float] | None, rival: str | None, langdetect: str | None, found: str | None
) -> None:
    monkeypatch.setattr(lid, "label", lambda line: fasttext)
    monkeypatch.setattr(lid, "second_opinion", lambda line: langdetect)
    assert lid.foreign_language("a line", wanted="en", rival=rival) == found


def test_langdetect_is_not_asked_where_it_may_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lid, "label", lambda line: None)
    assert lid.foreign_language(GERMAN, wanted="en", rival=None) == "de"
    assert lid.foreign_language(GERMAN, wanted="en", rival=None, opinions=False) is None


def test_langdetect_answers_the_same_each_time_and_nothing_for_no_words() -> None:
    assert {lid.second_opinion(GERMAN) for _ in range(3)} == {"de"}
    assert lid.second_opinion("12 + 34") is None


def test_a_model_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(lid.SETTING, str(tmp_path / "lid.176.bin"))
    with pytest.raises(ValueError, match=r"DATAENGINE_LID names .*lid.176.bin, and there is no such file"):
        lid.model_file()


def test_the_model_labels_lines_where_it_is_installed() -> None:
    if lid.model() is None:
        pytest.skip("no lid.176 model here")
    found = lid.label(GERMAN + "\n\x00")
    assert found is not None
    assert found[0] == "de"
    assert lid.label("") is not None
