"""How many of the four tags of an R1-Zero response stand once, each on a line of its own?

Source: `tag_count_reward` of open-r1, after Will Brown's GRPO demonstration: a way for a base model to find the format step by step.
"""

from __future__ import annotations

from dataengine.score import Score, scorer

TAGS = ("<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>")
"""With the line breaks that have to be there."""


@scorer
def tag_count(response: str, *, prefilled: bool = False) -> Score:
    """A quarter for each of `<think>`, `</think>`, `<answer>`, `</answer>` that stands exactly once, with its line breaks.

    `prefilled`: the prompt already held the opening `<think>` and the response was recorded without it.

    >>> tag_count("<think>\\nSo 4.\\n</think>\\n<answer>\\n4\\n</answer>").value
    1.0
    >>> tag_count("So 4. <answer>4</answer>")
    Score(value=0.0, reason='0 of 4 tags; not once: <think>, </think>, <answer>, </answer>')

    | response | value |
    |---|---|
    | all four tags on lines of their own | 1 |
    | the same without `<think>` | 3/4, or 1 where it is prefilled |
    | the same with two `</think>` | 3/4 |
    | `<think>a</think><answer>b</answer>` on one line | 0 |
    """
    text = "<think>\n" + response.removeprefix("\n") if prefilled else response
    faults = [tag.strip() for tag in TAGS if text.count(tag) != 1]
    return Score(1 - len(faults) / 4, f"{4 - len(faults)} of 4 tags" + (f"; not once: {', '.join(faults)}" if faults else ""))
