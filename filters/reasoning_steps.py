"""Does a response go in steps that one can see?

Source: `reasoning_steps_reward` of open-r1. It looks for the marks of steps, not for steps: to be used early and with a small weight.
"""

from __future__ import annotations

import re

from dataengine.score import Score, scorer

_STEP = re.compile(r"Step \d+:|^\d+\.|\n-|\n\*|First,|Second,|Next,|Finally,", re.MULTILINE)


@scorer
def reasoning_steps(response: str, *, enough: int = 3) -> Score:
    """The marks of steps as a share of `enough`, at most 1: `Step 1:`, numbered lines, bullets, `First,` `Second,` `Next,` `Finally,`.

    Numbered lines count wherever they stand; open-r1's own pattern, unlike its description, sees one in the very first line only.

    >>> reasoning_steps("First, add 2. Finally, take 1 away.")
    Score(value=0.6666666666666666, reason='2 of 3 marks of steps')
    >>> reasoning_steps("1. add\\n2. take away\\n3. done").value
    1.0
    """
    found = sum(1 for _ in _STEP.finditer(response))
    return Score(min(1.0, found / enough), f"{found} of {enough} marks of steps")
