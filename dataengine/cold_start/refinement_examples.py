"""Worked examples that the refinement prompts show: a rollout's text before and after, in English and Chinese; all written by us.

Rollouts of R1-Zero say "we" or nobody speaks, in one long paragraph; what people make of them is what a model follows (DeepSeek-R1 v2
B.3.2), so pairs of one's own people can take the place of these: `dataengine.cold_start.refinements.first_person(pairs)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Example = Mapping[str, str]
"""question; reasoning or thoughts before; and what comes after under the name of each rewritten part."""

LABELS: dict[str, dict[str, str]] = {
    "en": {"question": "Question:", "thoughts": "Thoughts:", "example": "Example"},
    "zh": {"question": "题目：", "thoughts": "思考：", "example": "例"},
}


def told(language: str, examples: Mapping[str, Sequence[Example]]) -> str:
    """The examples of one language as a prompt shows them; braces in them are no Jinja. Empty where there are none."""
    label = LABELS[language]
    shown = []
    for number, example in enumerate(examples.get(language, ()), start=1):
        lines = [f"--- {label['example']} {number} ---"]
        lines += [f"{label[part]}\n{example[part]}\n" for part in ("question", "thoughts") if part in example]
        lines += [f"<{part}>\n{example[part]}\n</{part}>\n" for part in ("reasoning", "summary") if part in example]
        shown.append("\n".join(lines))
    return re.sub(r"\{([{%#])", r"{{ '{\1' }}", "\n".join(shown) + "---\n") if shown else ""


FIRST_PERSON: dict[str, Sequence[Example]] = {
    "en": (
        {
            "question": "A shop sells pens at 3 dollars and books at 8 dollars. Ann buys 4 pens and 2 books. What does she pay?",
            "thoughts": (
                "We need to compute the cost. Pens: 4*3 = 12. Books: 2*8 = 18. Hmm, 2*8 = 16, not 18. So the total is 12 + 16 = 28. "
                "We can check: 28 - 16 = 12, and 12/3 = 4 pens. Correct. The answer is 28."
            ),
            "reasoning": (
                "I need to find what Ann pays. The pens first: 4 of them at 3 dollars are 4*3 = 12.\n\n"
                "Now the books: 2*8 = 18. Hmm, wait, I got that wrong: 2*8 = 16, not 18.\n\n"
                "So the total I get is 12 + 16 = 28.\n\n"
                "Let me check it. If I take the books away, 28 - 16 = 12, and 12/3 = 4 pens. That fits, so the answer is 28."
            ),
        },
        {
            "question": "Solve $x^2 - 5x + 6 = 0$.",
            "thoughts": (
                "**Step 1**: Factor. Let's look for two numbers with sum 5 and product 6. 1 and 6: sum 7, no. 2 and 3: sum 5, yes. "
                "**Step 2**: Thus (x-2)(x-3) = 0, x = 2 or x = 3. **Verification**: 4 - 10 + 6 = 0, 9 - 15 + 6 = 0. OK."
            ),
            "reasoning": (
                "I want to factor this, so I look for two numbers with sum 5 and product 6.\n\n"
                "1 and 6? Their sum is 7, no. 2 and 3? Their sum is 5, yes.\n\n"
                "So I have (x-2)(x-3) = 0, which gives me x = 2 or x = 3.\n\n"
                "Let me put them back in: 4 - 10 + 6 = 0, and 9 - 15 + 6 = 0. Both work."
            ),
        },
        {
            "question": "Is every one of Tom's cats black, if Tom has no white cat and each of his cats is black or white?",
            "thoughts": (
                "Each cat: black or white. None is white. Therefore each is black. But what if there are no cats at all? Then the claim "
                "is vacuously true. So the conclusion holds either way: yes."
            ),
            "reasoning": (
                "I know two things: each cat is black or white, and none is white. So whichever cat I pick, it has to be black.\n\n"
                "But wait, what if Tom has no cats at all? Then I have nothing to pick, and the claim is vacuously true.\n\n"
                "Either way I come to the same end: yes."
            ),
        },
    ),
    "zh": (
        {
            "question": "小明有 15 个苹果，吃了 4 个，又买了 7 个，现在有多少个？",
            "thoughts": "首先我们计算剩余：15-4=11。然后我们加上新买的：11+7=19。检查一下，11+7=18，不是19。所以答案为18。",
            "reasoning": (
                "我先看吃掉以后还剩多少：15-4=11。\n\n"
                "然后我把新买的加上：11+7=19。\n\n"
                "等等，我检查一下，11+7=18，不是19。所以我的答案是18。"
            ),
        },
        {
            "question": "求 $2x+3=11$ 的解。",
            "thoughts": "**移项**：2x=11-3=8。**系数化为1**：x=4。**检验**：2*4+3=11，成立。因此 x=4。",
            "reasoning": (
                "我想先把3移到右边：2x=11-3=8。\n\n那么我两边除以2，得到x=4。\n\n让我代回去检验一下：2*4+3=11，成立。所以我得到x=4。"
            ),
        },
        {
            "question": "一个长方形的长是宽的2倍，周长是30，面积是多少？",
            "thoughts": (
                "设宽为w，则长为2w，我们有周长2(w+2w)=6w=30，w=5，长为10，面积为5*10=50。或许应该验证：2*(5+10)=30，正确。面积为50。"
            ),
            "reasoning": (
                "我设宽为w，那么长就是2w。\n\n"
                "周长我写成2(w+2w)=6w=30，于是w=5，长是10，面积是5*10=50。\n\n"
                "我还是验证一下吧：2*(5+10)=30，正确。所以面积是50。"
            ),
        },
    ),
}

SUMMARY: dict[str, Sequence[Example]] = {
    "en": (
        {
            "question": "A train goes 150 km in 2 hours and then 90 km in 1 hour. What is its average speed?",
            "thoughts": (
                "I first think of averaging the two speeds, 75 and 90, which would be 82.5. But wait, the times differ, so that is wrong. "
                "I take the whole way: 150 + 90 = 240 km. The whole time: 2 + 1 = 3 hours. 240/3 = 80. So 80 km/h."
            ),
            "summary": (
                "The average speed is the whole distance over the whole time.\n\n"
                "Distance: $150 + 90 = 240$ km. Time: $2 + 1 = 3$ hours.\n\n"
                "$$\\frac{240}{3} = 80$$\n\n"
                "The average speed is $\\boxed{80}$ km/h."
            ),
        },
    ),
    "zh": (
        {
            "question": "甲数是 12，乙数比甲数的 3 倍少 5，两数之和是多少？",
            "thoughts": "我先算甲数的3倍：12*3=36。少5就是36-5=31，这是乙数。我再加起来：12+31=43。检查：43-12=31，对。",
            "summary": "乙数为 $12 \\times 3 - 5 = 36 - 5 = 31$。\n\n两数之和为 $12 + 31 = 43$。\n\n答案是 $\\boxed{43}$。",
        },
    ),
}

SHORT_THOUGHTS: dict[str, Sequence[Example]] = {
    "en": (
        {
            "question": "1+1=?",
            "reasoning": "I only have to add one and one. That makes 2.",
            "summary": "Adding the two numbers:\n\n$$1 + 1 = 2$$\n\nThe answer is $\\boxed{2}$.",
        },
        {
            "question": "How many minutes are there in two hours?",
            "reasoning": "I know that an hour has 60 minutes. Two hours are twice as many, so I get 120.",
            "summary": "One hour has $60$ minutes, so two hours have\n\n$$2 \\times 60 = 120$$\n\nminutes. The answer is $\\boxed{120}$.",
        },
    ),
    "zh": (
        {
            "question": "1+1等于几？",
            "reasoning": "我只需要把两个1加起来。得到2。",
            "summary": "把两个数相加：\n\n$$1 + 1 = 2$$\n\n答案是 $\\boxed{2}$。",
        },
        {
            "question": "一打鸡蛋有几个？",
            "reasoning": "我知道一打就是12个。所以我直接回答12个。",
            "summary": "一打等于 $12$ 个。\n\n答案是 $\\boxed{12}$。",
        },
    ),
}
