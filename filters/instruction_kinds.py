"""The 25 verifiable instructions of IFEval, a function each: is it followed in a text, and what was found?

Source: Zhou et al., "Instruction-Following Evaluation for Large Language Models" (arXiv 2311.07911) and its published checkers.
Keyword-only parameters are the instruction's own settings under IFEval's names. Each works in time linear in the text;
docs/instructions.md lists where a verdict differs from the published checkers and why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from filters.texts.sentences import count_capital_words, count_sentences, count_words

Judged = tuple[bool, str]
"""(followed, what was found)."""

RELATIONS = ("less than", "at least")
CONSTRAINED_RESPONSES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def _compared(count: int, what: str, *, relation: str, wanted: int) -> Judged:
    if relation not in RELATIONS:
        raise ValueError(f"the relation is {relation!r}: it has to be {' or '.join(map(repr, RELATIONS))}")
    return (count < wanted if relation == "less than" else count >= wanted), f"{count} {what}, {relation} {wanted} wanted"


def _exactly(count: int, what: str, *, wanted: int) -> Judged:
    return count == wanted, f"{count} {what}, exactly {wanted} wanted"


def _one_character(letter: str) -> str:
    if len(letter) != 1:
        raise ValueError(f"the letter is {letter!r}: it has to be one character")
    return letter.lower()


def keywords_present(text: str, *, keywords: list[str]) -> Judged:
    """Every keyword occurs, also inside a longer word; case does not count."""
    missing = [word for word in keywords if word.lower() not in text.lower()]
    return not missing, f"missing: {', '.join(missing)}" if missing else "every keyword is there"


def keyword_frequency(text: str, *, keyword: str, frequency: int, relation: str) -> Judged:
    """A keyword occurs less or at least so many times, also inside a longer word."""
    return _compared(text.lower().count(keyword.lower()), f"times {keyword!r}", relation=relation, wanted=frequency)


def words_forbidden(text: str, *, forbidden_words: list[str]) -> Judged:
    """No forbidden word occurs as a word of its own."""
    said = [word for word in forbidden_words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)]
    return not said, f"said: {', '.join(said)}" if said else "no forbidden word"


def letter_frequency(text: str, *, letter: str, let_frequency: int, let_relation: str) -> Judged:
    """A letter (or any other character) occurs less or at least so many times; case does not count."""
    count = text.lower().count(_one_character(letter))
    return _compared(count, f"times {letter!r}", relation=let_relation, wanted=let_frequency)


def response_language(text: str, *, language: str) -> Judged:
    """The whole text is in the language (ISO 639-1), as langdetect with a fixed seed sees it."""
    found = detected_language(text)
    return found is not None and found.split("-")[0] == language.lower().split("-")[0], f"language {found}, {language} wanted"


def number_of_sentences(text: str, *, num_sentences: int, relation: str) -> Judged:
    """Less or at least so many sentences."""
    return _compared(count_sentences(text), "sentences", relation=relation, wanted=num_sentences)


def number_of_paragraphs(text: str, *, num_paragraphs: int) -> Judged:
    """So many paragraphs parted by `***`; an empty one may stand at either end only."""
    parts = [part.strip() for part in re.split(r"\*\*\*", text)]
    if not all(parts[1:-1]):
        return False, "an empty paragraph between two ***"
    return _exactly(sum(map(bool, parts)), "paragraphs", wanted=num_paragraphs)


def number_of_words(text: str, *, num_words: int, relation: str) -> Judged:
    """Less or at least so many words."""
    return _compared(count_words(text), "words", relation=relation, wanted=num_words)


def paragraph_first_word(text: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str) -> Judged:
    """So many paragraphs parted by an empty line, and the n-th (of all pieces, from 1) begins with the word."""
    pieces = text.split("\n\n")
    count = sum(bool(piece.strip()) for piece in pieces)
    if not 1 <= nth_paragraph <= count or not pieces[nth_paragraph - 1].strip():
        return False, f"no paragraph {nth_paragraph}: {count} paragraphs, exactly {num_paragraphs} wanted"
    word = re.split(r"[.,?!'\"]", pieces[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"'), maxsplit=1)[0].lower()
    if word != first_word.lower():
        return False, f"paragraph {nth_paragraph} begins with {word[:40]!r}, {first_word!r} wanted"
    return _exactly(count, "paragraphs", wanted=num_paragraphs)


def number_of_placeholders(text: str, *, num_placeholders: int) -> Judged:
    """At least so many placeholders in square brackets, each within a line."""
    count = sum(_bracketed(line) for line in text.split("\n"))
    return _compared(count, "placeholders", relation="at least", wanted=num_placeholders)


def _bracketed(line: str) -> int:
    count = at = 0
    while (opening := line.find("[", at)) >= 0 and (closing := line.find("]", opening)) >= 0:
        count, at = count + 1, closing + 1
    return count


def postscript(text: str, *, postscript_marker: str) -> Judged:
    """The marker of a postscript occurs, in any case; `P.S.` and `P.P.S` also with spaces inside."""
    spaced = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    pattern = spaced.get(postscript_marker, re.escape(postscript_marker.lower()))
    return re.search(pattern, text.lower()) is not None, f"a postscript with {postscript_marker!r} wanted"


def number_of_bullets(text: str, *, num_bullets: int) -> Judged:
    """Exactly so many lines that begin with `*` (not `**`) or `-`."""
    lines = [line.lstrip() for line in text.split("\n")]
    count = sum(line.startswith("-") or (len(line) > 1 and line[0] == "*" != line[1]) for line in lines)
    return _exactly(count, "bullet points", wanted=num_bullets)


def constrained_response(text: str) -> Judged:
    """One of the three answers that IFEval allows occurs."""
    return any(answer in text for answer in CONSTRAINED_RESPONSES), f"one of {', '.join(CONSTRAINED_RESPONSES)} wanted"


def number_of_highlights(text: str, *, num_highlights: int) -> Judged:
    """At least so many `*highlighted*` or `**highlighted**` parts, each within a line."""
    single = re.findall(r"\*([^\n*]*)\*", text)
    double = re.findall(r"\*\*([^\n*]*)\*\*", text)
    count = sum(bool(part.strip()) for part in (*single, *double))
    return _compared(count, "highlighted parts", relation="at least", wanted=num_highlights)


def number_of_sections(text: str, *, section_spliter: str, num_sections: int) -> Judged:
    """At least so many sections that begin with the word and a number."""
    count = len(re.findall(rf"{re.escape(section_spliter)}\s?\d", text))
    return _compared(count, f"times {section_spliter!r} and a number", relation="at least", wanted=num_sections)


_FENCE = re.compile(r"```(?:json|Json|JSON)?")


def json_format(text: str) -> Judged:
    """The whole text is JSON; a code fence may stand around it."""
    body = text.strip()
    body = body[fence.end() :] if (fence := _FENCE.match(body)) else body
    try:
        json.loads(body.removesuffix("```").strip(), parse_int=len, parse_float=len)  # the numbers' values do not matter
    except (ValueError, RecursionError) as error:
        return False, f"no JSON: {str(error)[:80]}"
    return True, "JSON"


def title(text: str) -> Judged:
    """A title in double angular brackets, within a line."""
    for line in text.split("\n"):
        opening, closing = line.find("<<"), line.rfind(">>")
        if closing - opening > 2 and opening >= 0 and line[opening : closing + 2].lstrip("<").rstrip(">").strip():
            return True, "a title"
    return False, "no title in <<double angular brackets>>"


def two_responses(text: str) -> Judged:
    """Two different responses parted by `******`."""
    parts = [part.strip() for part in text.split("******")]
    if not all(parts[1:-1]):
        return False, "an empty response between two ******"
    given = [part for part in parts if part]
    if len(given) == 2 and given[0] == given[1]:
        return False, "two equal responses"
    return _exactly(len(given), "responses parted by ******", wanted=2)


def repeated_prompt(text: str, *, prompt_to_repeat: str) -> Judged:
    """The text begins with the prompt; case does not count."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower()), "the request has to be repeated first"


def end_phrase(text: str, *, end_phrase: str) -> Judged:
    """The text ends with the phrase; case and quotation marks around the text do not count."""
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower()), f"the end {end_phrase[:60]!r} wanted"


def capital_word_frequency(text: str, *, capital_frequency: int, capital_relation: str) -> Judged:
    """Less or at least so many words in capitals."""
    return _compared(count_capital_words(text), "words in capitals", relation=capital_relation, wanted=capital_frequency)


def english_capitals(text: str) -> Judged:
    """English without a small letter."""
    if not text.isupper():
        return False, "small letters, or no letters"
    found = detected_language(text.lower())  # langdetect skips words in capitals
    return found == "en", f"language {found}, en wanted"


def english_lowercase(text: str) -> Judged:
    """English without a capital."""
    if not text.islower():
        return False, "capital letters, or no letters"
    found = detected_language(text)
    return found == "en", f"language {found}, en wanted"


def no_comma(text: str) -> Judged:
    """No comma."""
    return "," not in text, f"{text.count(',')} commas"


def quotation(text: str) -> Judged:
    """Double quotation marks around the whole text."""
    body = text.strip()
    return len(body) > 1 and body[0] == '"' == body[-1], "double quotation marks around everything wanted"


LONGEST_TEXT = 20_000
"""Characters that langdetect gets to see; by itself it stops after 10,000 that are no address."""


def detected_language(text: str) -> str | None:
    """The language langdetect finds most likely, None for a text without letters; the seed makes it say the same every time."""
    import langdetect

    langdetect.DetectorFactory.seed = 0
    try:
        return langdetect.detect(text[:LONGEST_TEXT])
    except langdetect.LangDetectException:
        return None


KINDS: dict[str, Callable[..., Judged]] = {
    "keywords:existence": keywords_present,
    "keywords:frequency": keyword_frequency,
    "keywords:forbidden_words": words_forbidden,
    "keywords:letter_frequency": letter_frequency,
    "language:response_language": response_language,
    "length_constraints:number_sentences": number_of_sentences,
    "length_constraints:number_paragraphs": number_of_paragraphs,
    "length_constraints:number_words": number_of_words,
    "length_constraints:nth_paragraph_first_word": paragraph_first_word,
    "detectable_content:number_placeholders": number_of_placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": number_of_bullets,
    "detectable_format:constrained_response": constrained_response,
    "detectable_format:number_highlighted_sections": number_of_highlights,
    "detectable_format:multiple_sections": number_of_sections,
    "detectable_format:json_format": json_format,
    "detectable_format:title": title,
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": repeated_prompt,
    "startend:end_checker": end_phrase,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capitals,
    "change_case:english_lowercase": english_lowercase,
    "punctuation:no_comma": no_comma,
    "startend:quotation": quotation,
}
"""IFEval's identifiers."""


def loose_variants(text: str) -> Sequence[str]:
    """The text as it is, without its first, its last, and both lines, each with and without asterisks (IFEval's eight)."""
    lines = text.split("\n")
    cut = [text, *("\n".join(lines[begin:end]).strip() for begin, end in ((1, None), (None, -1), (1, -1)))]
    return [*cut, *(piece.replace("*", "") for piece in cut)]
