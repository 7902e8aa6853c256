"""The program in a response: which block counts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.running.code_blocks import fenced, last_block

CODE = "def solve(n):\n    return n\n"
USE = "print(solve(3))\n"
CASES: list[tuple[str, str, tuple[str, ...], str | None]] = [
    (f"```python\n{CODE}```", "python", (), CODE),
    (f"```python\n{CODE}```\nUse it:\n```python\n{USE}```", "python", ("solve",), CODE),
    (f"```python\n{CODE}```\nUse it:\n```python\n{USE}```", "python", (), USE),
    (f"```python\nx = 1\n```\nBetter:\n```python\n{CODE}```", "python", (), CODE),
    (f"```python\n{CODE}```\nOutput:\n```\n3\n```", "python", (), CODE),
    (f"```\n{CODE}```\nRun it:\n```bash\npython solve.py\n```", "python", (), CODE),
    (f"```py\n{CODE}```", "python", (), CODE),
    (f"```Python3 title=x\n{CODE}```", "python", (), CODE),
    (f"~~~python\n{CODE}~~~", "python", (), CODE),
    (f"````python\n{CODE}# ```\n````", "python", (), f"{CODE}# ```\n"),
    (f"```python\n{CODE}", "python", (), CODE),
    (f"1. So:\n   ```python\n   {CODE.strip().replace(chr(10), chr(10) + '   ')}\n   ```", "python", (), CODE),
    (CODE, "python", (), CODE),
    ("The answer is 4.", "python", (), None),
    ("", "python", (), None),
    (f"<think>```python\n{USE}```</think>\n```python\n{CODE}```", "python", (), CODE),
    (f"<think>```python\n{CODE}```", "python", (), None),
    (f"<think>I know</think><answer>```python\n{CODE}```</answer>", "python", (), CODE),
    ("```cpp\nint main() {}\n```", "cpp", (), "int main() {}\n"),
    ("```c++\nint main() {}\n```", "cpp", (), "int main() {}\n"),
    ("```js\nconsole.log(1)\n```", "javascript", (), "console.log(1)\n"),
    ("```cpp\nint main() {}\n```", "python", (), None),
    (f"```python\n{CODE}```\n```cpp\nint main() {{}}\n```", "python", (), CODE),
]


@pytest.mark.parametrize(("response", "language", "defines", "code"), CASES)
def test_the_last_fitting_block_is_the_program(response: str, language: str, defines: tuple[str, ...], code: str | None) -> None:
    found = last_block(response, language=language, defines=defines)
    assert (found.code if found else None) == code


def test_a_fence_that_never_closes_is_told_apart() -> None:
    found = last_block(f"```python\n{CODE}")
    assert found
    assert found.place == "open block"


@given(st.text(st.sampled_from("`~ \npython#x=1<>/think"), max_size=200))
def test_nothing_makes_it_raise_and_a_block_is_part_of_the_response(text: str) -> None:
    for language in ("python", "cpp", "javascript"):
        found = last_block(text, language=language, defines=("x",))
        assert found is None or all(line.strip() in text for line in found.code.splitlines())


@given(st.text(max_size=100), st.text(st.characters(exclude_characters="`~\r"), max_size=100))
def test_text_around_a_block_does_not_change_it(before: str, after: str) -> None:
    before = before.replace("`", "").replace("~", "").replace("<", "")
    after = after.replace("<", "")
    found = last_block(f"{before}\n```python\n{CODE}```\n{after}")
    assert found
    assert found.code == CODE


def test_every_fence_of_a_text_is_found() -> None:
    assert [tag for tag, _ in fenced("```a\n1\n```\n```\n2\n```\n~~~b\n3\n~~~")] == ["a", "", "b"]


@pytest.mark.parametrize(
    "text", ["\n" * 200_000, "`" * 100_000, "a" * 1_000_000, "```\n" * 50_000, "if " * 300_000, " " * 1_000_000, "x = 1\n" * 100_000]
)
def test_a_long_text_takes_no_longer_than_its_length(text: str) -> None:
    begun = time.process_time()
    for language in ("python", "cpp", "javascript"):
        last_block(text, language=language, defines=("solve",))
        last_block(f"```{language}\n{text}\n```", language=language, defines=("solve",))
    assert time.process_time() - begun < 5
