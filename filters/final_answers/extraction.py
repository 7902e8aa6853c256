"""Which part of a response is its final answer, and where did it stand?

Only what follows the thoughts counts. Places in the order they are believed: `<answer>` tags, the last balanced `\\boxed{}`,
a `####` line, a JSON field "answer", a sentence that announces the answer, and (unless only marked answers are wanted) the last line
that holds a number or a formula. Other fields of a JSON object that has an answer are no such place. docs/answers.md says which reading
was chosen where several make sense.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

CLOSINGS = ("</think>", "<|end_of_thought|>", "</thinking>", "</thought>", "|special_token|")
"""What ends the thoughts in the output formats of R1, Sky-T1 and kin, and in the cold-start form."""

_CLOSING = re.compile("|".join(map(re.escape, CLOSINGS)))

OPENINGS = ("<think>", "<|begin_of_thought|>", "<thinking>", "<thought>", "|special_token|")


LONGEST_ANSWER = 2_000
"""Characters beyond which nothing is a final answer (ours)."""

LONGEST_BOX = 2_000_000
"""Characters in which the end of a box is looked for; what is longer than LONGEST_ANSWER is found, and then not judged."""

BOXES_TRIED = 50
"""Boxes looked at from the end of a response; a loop may have written thousands."""


LAST_LINE, WHOLE_REPLY, NOT_FOUND = "last line", "whole reply", "no answer found"
"""Where an answer stood that nothing announced, and what is said where there is none."""


@dataclass(frozen=True, slots=True)
class Found:
    """A final answer as it was written, or why there is none."""

    text: str | None
    """None where there is no answer."""
    place: str
    """Where it stood: answer tag, boxed, ####, json, said, last line, whole reply; or the reason why there is none."""


def final_answer(response: str, *, marked: bool = False) -> Found:
    """The final answer of a response; `marked` refuses answers that nothing announces (place "last line")."""
    reply, fault = after_thoughts(response)
    if fault:
        return Found(None, fault)
    reply = _SPECIAL.sub(" ", reply)
    tags = _ANSWER_TAG.findall(reply)
    if tags:
        inside = next((tag for tag in reversed(tags) if tag.strip()), "")
        text = _boxed(inside) or _last_said(inside) or inside.strip()
        return Found(text, "answer tag") if text else Found(None, "no answer found: empty <answer>")
    stated, beside = _json_objects(reply)
    for place, find in (("boxed", _boxed), ("####", _hashes), ("json", lambda text: stated or _json_field(text)), ("said", _last_said)):
        if text := find(beside):
            return Found(text, place)
    if "\\boxed{" in reply and reply.rstrip().count("{") > reply.count("}"):
        return Found(None, "no answer found: unclosed \\boxed")
    if not marked and (line := _last_line(reply)):
        return Found(line, LAST_LINE)
    return Found(None, NOT_FOUND if reply.strip() else "no answer found: empty response")


_BULLET = re.compile(r"\W*\s|\d+[.)]\s")


def closing_words(response: str) -> dict[str, str]:
    """What a reply that announces nothing may be answering with, by its place: its last line, if it is no item of a list, and all of it."""
    reply = _SPECIAL.sub(" ", after_thoughts(response)[0]).strip()
    lines = [line for line in reply.split("\n") if line.strip()]
    if not lines:
        return {}
    before = lines[-2].strip("*_ \t\r") if len(lines) > 1 else "."
    listed = _BULLET.match(lines[-1]) or not (before.startswith("#") or before.endswith(tuple(".:!。：！")))
    return {WHOLE_REPLY: reply} if listed else {LAST_LINE: lines[-1], WHOLE_REPLY: reply}


def after_thoughts(response: str) -> tuple[str, str | None]:
    """What follows the last closing tag that something follows, and a reason where the thoughts were never closed or are all there is."""
    ends = [match.end() for match in _CLOSING.finditer(response)]
    opened = [token for token in OPENINGS if token in response]
    if "|special_token|" in opened and len(ends) < 2:
        return "", "no answer found: thoughts not closed"
    if not ends:
        return (response, None) if not opened else ("", "no answer found: thoughts not closed")
    for begin, end in zip(reversed(ends), [len(response), *reversed(ends)], strict=False):
        piece = response[begin:end]
        if piece.replace(next((token for token in CLOSINGS if piece.endswith(token)), "\0"), "").strip():
            return piece, None
    return "", "no answer found: nothing after the thoughts"


_SPECIAL = re.compile(r"<\|[a-zA-Z_]{2,40}\|>|<｜[^｜]{2,40}｜>|</s>|<eo[as]>|<<[^<>\n]{1,200}>>")
"""Tokens of chat formats, and the calculator's annotations of GSM8K (`<<2/2=1>>`)."""
_ANSWER_TAG = re.compile(r"<(?:final_)?answer>((?:(?!<(?:final_)?answer>).)*?)(?:</(?:final_)?answer>|\Z)", re.DOTALL | re.IGNORECASE)
_BOX = re.compile(r"\\(?:(?:begin)?f?boxed|f(?:rame)?box)\s*")
_TEX_SPACE = r"(?:\\[()\[\],;: ]|\\q?quad|[\s$.])*+"
_BRACE = re.compile(r"(?<!\\)[{}]")
_BETWEEN_BOXES = re.compile(
    rf"{_TEX_SPACE}(?:(?:,|;|\band\b|\bor\b|和|或|\\text\{{\s*+(?:,\s*+)?(?:and|or)\s*+\}}){_TEX_SPACE})++"
    rf"(?:[a-zA-Z](?:_\{{?\w++\}}?)?\s*+={_TEX_SPACE})*+"
)
_MINUS_BEFORE = re.compile(r"(?:[=$(:]|^)\s*-\s*\\?$")
_PERCENT_AFTER = re.compile(r"\s*(?:\\\)|\$)?\s*(?:\\?%|percent\b|pct\b)")


def _boxed(text: str) -> str:
    """Content of the last balanced box; boxes that only `,`, `and` or `or` parts from it are further parts of the same answer."""
    answers: list[tuple[int, int, str]] = []
    last = len(text)
    for match in list(_BOX.finditer(text))[-BOXES_TRIED:][::-1]:
        inside = _braced(text, match.end(), last=last)
        if inside is None:
            last = match.start()  # one that holds an unclosed box is unclosed too
            continue
        if not inside[1].strip():
            continue
        end, content = inside
        if answers and not (answers[-1][0] - end < 60 and _BETWEEN_BOXES.fullmatch(text, end, answers[-1][0])):
            break
        answers.append((match.start(), end, content))
    if not answers:
        return ""
    minus = "-" if len(answers) == 1 and _MINUS_BEFORE.search(text, max(0, answers[0][0] - 20), answers[0][0]) else ""
    percent = "%" if _PERCENT_AFTER.match(text, answers[0][1]) and "%" not in answers[0][2] else ""
    return minus + (", ".join(content for _, _, content in reversed(answers)) + percent).strip()


def _braced(text: str, at: int, *, last: int) -> tuple[int, str] | None:
    """(end, content) of the group that begins at `at` and ends before `last`; TeX takes one token where there is no brace."""
    if at >= len(text):
        return None
    if text[at] != "{":
        token = re.compile(r"-?\w+").match(text, at)
        return (token.end(), token.group()) if token else None
    depth = 0
    for brace in _BRACE.finditer(text, at, min(last, at + LONGEST_BOX)):
        depth += 1 if brace.group() == "{" else -1
        if not depth:
            return brace.end(), text[at + 1 : brace.start()]
    return None


def _hashes(text: str) -> str:
    found = re.findall(r"####[ \t]*(\S[^\n]*)", text)
    return found[-1].strip() if found and not re.fullmatch(r".*[A-Za-z]{3,} .*[A-Za-z]{3,} .*", found[-1]) else ""


_JSON_STRING = r'"(?:[^"\\]|\\.)*+"'
_JSON_OBJECT = re.compile(
    rf'\{{\s*+(?:"\w{{1,40}}+"\s*+:\s*+(?:{_JSON_STRING}|\[[^\]\n]*+\]|[^\s",{{}}\[\]][^",{{}}\n]*+)\s*+,?+\s*+)++\}}', re.DOTALL
)
_JSON_ANSWER = re.compile(rf'"(?:final_)?answer"\s*:\s*({_JSON_STRING}|\[[^\]\n]*\]|[^\s",}}\]][^,}}\n]*)')
_TEX_COMMAND = re.compile(r"(?<!\\)\\(?=[bf][a-z]|t(?:an|au|ext|frac|heta|imes|o\b)|r(?:angle|ho\b|ight)|n(?:abla|eq?\b|u\b))")
"""A backslash that JSON would take with the letter behind it for a control character."""
_TO_FILL_IN = re.compile(r'["_.…\s]*')
"""What stands for an answer in instructions that a response repeats."""


def _json_objects(text: str) -> tuple[str, str]:
    """The answer of the last JSON object that has one, and the text without such objects."""
    answer, beside, end = "", list[str](), 0
    for match in _JSON_OBJECT.finditer(text):
        if stated := _json_field(match.group()):
            beside.append(text[end : match.start()])
            answer, end = stated, match.end()
    return answer, "".join([*beside, text[end:]])


def _json_field(text: str) -> str:
    found = [value for value in _JSON_ANSWER.findall(text) if not _TO_FILL_IN.fullmatch(value)]
    if not found:
        return ""
    try:
        value = json.loads(_TEX_COMMAND.sub(r"\g<0>\\", found[-1]), strict=False)
    except (json.JSONDecodeError, RecursionError):  # LaTeX with single backslashes; brackets without end
        value = found[-1].strip('"')
    return (_boxed(value) or _hashes(value) or value.strip()) if isinstance(value, str) else found[-1].strip()


_SAID = re.compile(
    r"(?:\b(?:final\s+)?answers?\b(?:\s*\([^()\n]{0,30}\))?(?:\s*=|[^.\n:=]{0,60}?(?:\*\*)?\s*(?:\bis\b|\bare\b|\bwould be\b|\bbe\b|:))"
    r"|\b(?:correct|right|best)\s+(?:option|choice)s?\s*(?:is|are|:)"
    r"|\b(?:(?:I|we|would|I'd)\s+(?:choose|pick|select|go\s+with))\b(?=\W{0,4}(?:the\s+)?(?:option\W{0,4}|choice\W{0,4}|answer\W{0,4})?(?-i:[A-J]\b))"
    r"|\bstatement\s+is(?=\W{1,4}(?:true|false)\b)"
    r"|(?m:^[ \t]*A[ \t]*:)"
    r"|(?:答案|正确答案|最终答案|最终结果|答)\s*】?\s*(?:应该|应|就)?\s*(?:是|为|等于|選|选|[:：])"
    r"|【\s*答案\s*】|(?:正确|错误|符合题意)的?(?:选项|结论|说法|命题)(?:应该|应)?(?:是|为|有|[:：])|取值范围\s*(?:是|为)"
    r"|(?:故|应|所以|因此|故答案|正确|本题|^)\s*选(?:择|项)?(?:是|为|[:：])?"
    r"|\b(?:réponse|antwort|respuesta|resposta|risposta|antwoord|jibu)\b[^.\n:]{0,40}?(?:\best\b|\bist\b|\bes\b|\bé\b|\bè\b|\bni\b|:)"
    r"|ответ[^.\n:]{0,30}?(?:[:—-])|答え\s*(?:は|[:：])|정답은|답은|답\s*[:：]|উত্তর\s*(?:হল|[:ঃ])|คำตอบ\s*(?:คือ|[:：])|సమాధానం\s*:)",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"(?<!\d)\.\s*(?=I hope\b)"
    r"|(?<!\b[A-Z])\.(?:\s+(?=[A-Z\"'(*]|\Z)|\s*\Z)|。|；(?![^。；\u4e00-\u9fff]{1,20}(?:$|[。．.；]))"
    r"|(?:,|\s)\s*(?:because|since|which|where|as shown|given that)\b|<eo"
)


_NO_ANSWER = re.compile(r"(?i)(?:indeed |also |thus |in)?(?:correct|wrong|right|not|valid|as follows|below)\b.{0,30}")


_NUMBERED = re.compile(r"(?m)^[ \t]*[(（]?\d{1,3}[)）.、．]?\s*【?答案】?\s*[:：]?[ \t]*([^\s<]+)")


def _last_said(text: str) -> str:
    """What follows the last announcement of an answer, up to the end of its sentence; of numbered answers, all of them."""
    if len(numbered := _NUMBERED.findall(text)) > 1:
        return ", ".join(numbered)
    for match in reversed(list(_SAID.finditer(text))):
        clause = _clause(text[match.end() :])
        if re.search(r"\w|[○✓√]", clause) and (match.group()[-1] in ":：】" or not _NO_ANSWER.fullmatch(clause)):
            return clause
    return ""


def _clause(rest: str) -> str:
    rest = rest.lstrip(" \t\r\n:：*_>】")
    shown = re.compile(r"(?s)(?:therefore,?\s*)?(?:\$\$(.+?)\$\$|\\\[(.+?)\\\])").match(rest, 0, LONGEST_ANSWER)
    if shown:
        return (shown.group(1) or shown.group(2)).strip().rstrip(".")
    line = rest.split("\n", 1)[0][:LONGEST_ANSWER]
    if bold := re.search(r"\*\*([^*\n]*\d[^*\n]*)\*\*", line):
        return _formula(bold.group(1)) or bold.group(1).strip().rstrip(".")
    end = _CLAUSE_END.search(_shield(line))
    clause = (line[: end.start()] if end else line).strip().strip("*_` ").rstrip(".,;!")
    return _formula(clause) or clause


def _shield(line: str) -> str:
    """The line with formulas blanked, so that no sentence ends inside one."""
    return re.sub(r"\$[^$\n]*\$|\\\(.*?\\\)", lambda match: "x" * len(match.group()), line)


_FORMULA = r"(?:\$\$?[^$\n]+\$\$?|\\\(.+?\\\))"
_PROSE = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{3,}(?![A-Za-z}])")
"""A word of prose: between two amounts of money there is no formula."""
_MONEY = re.compile(r"^\$\d[^$]*(?:[-+*/=]|[a-z]{2,})\s*\$$")
"""What stands between two amounts of money (`$21 - $20`) is no formula."""
_JOINED = re.compile(rf"{_FORMULA}(?:\s*(?:,|;|,?\s*and\b|,?\s*or\b|和|或)\s*{_FORMULA})*(?:\s*(?:\\?%|percent\b|pct\b))?")


def _formula(clause: str) -> str:
    """The last formula of a sentence with those joined to it by `,`, `and` or `or`; empty where there is none."""
    found = [match for match in _JOINED.finditer(clause) if len(_PROSE.findall(match.group())) < 3 and not _MONEY.search(match.group())]
    if not found or (re.search(r"\d", clause[found[-1].end() :]) and not re.search(r"\d", found[-1].group())):
        return ""
    minus = "-" if clause[: found[-1].start()].strip() == "-" else ""
    return minus + re.sub(r"(?<!\\)\$\$?|\\\(|\\\)", "", found[-1].group()).strip()


_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")


def _only_bold(line: str) -> str:
    """The one bold part of a line, unless it is a heading of what follows."""
    found = list(_BOLD.finditer(line))
    if len(found) != 1 or not re.search(r"\w", found[0][1]):
        return ""
    heading = re.search(r"\d", line[found[0].end() :]) and not re.search(r"\d", found[0][1])
    return "" if heading else found[0][1].strip().rstrip(".:：")


_STATED = re.compile(r"\b(?:is|are)\s+((?:(?!\b(?:is|are)\b)[^:\n]|:(?=\s?\d)){1,200})$")


def _stated(line: str) -> str:
    """The formula, point or set with which a sentence ends: `The point is (3, -4).`"""
    match = _STATED.search(line)
    tail = match[1].strip().rstrip(".") if match else ""
    return tail if re.search(r"\d", tail) and not _PROSE.search(tail) else ""


def _last_line(text: str) -> str:
    """The sentence that ends the text, the last one with a digit, a formula or nothing else; a text of one short line is all answer."""
    lines = [line.strip()[-LONGEST_ANSWER:] for line in text.strip().split("\n") if line.strip()]
    if len(lines) == 1 and len(lines[0]) < 60 and len(lines[0].split()) < 8:
        line = _only_bold(lines[0]) or lines[0]
        return line if line.startswith("$") else _formula(line) or _stated(line) or line.rstrip(".")
    for line in reversed(lines):
        if re.search(r"\d|\\[a-zA-Z]{2}|(?<![A-Za-z])[A-H](?![A-Za-z])", line) and re.search(r"\w", re.sub(r"```\w*", "", line)):
            if bold := _only_bold(line):
                return _formula(bold) or bold
            ends = [match.end() for match in _JOINED.finditer(line)]
            tail = line[ends[-1] :] if ends else ""
            return tail if re.search(r"\s\d", tail) else _formula(line) or _stated(line) or line
    return ""
