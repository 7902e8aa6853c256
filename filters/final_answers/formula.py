"""Reads one plain formula, LaTeX or typed, into a tree: numbers, symbols, sums, products, powers, roots and the usual functions.

It is a parser of ours for what models write as answers, a thousand times faster than a grammar of all LaTeX. Whatever it does not know
for certain (sums over an index, integrals, calls of unknown functions, prose) it refuses, and other tiers decide. Nothing is executed.

A tree is a tuple: ("number", Fraction), ("symbol", name), ("constant", name), ("add", a, b, ...), ("multiply", a, b, ...),
("power", base, exponent), ("call", name, argument), ("root", radicand, index), ("log", argument[, base]), ("binomial", n, k),
("degrees", a).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from filters.final_answers.formula_tokens import FUNCTIONS, GREEK, Unreadable, tokens_of

Tree = tuple[Any, ...]

LONGEST_FORMULA = 600
"""Characters beyond which a formula is left to the algebra workers."""
DEEPEST = 40
"""Brackets within brackets that are read; more is refused."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the two ambiguous spellings are read; an answer that is right in one reading is right."""

    tight_slash: bool = False
    """`1/2x` is 1/(2x), not x/2."""
    decimal_log: bool = False
    """`\\log` without a base is the common logarithm, not the natural one."""


AMBIGUOUS_SLASH = re.compile(
    r"/\s*(?:\d+(?:\.\d+)?|[a-zA-Z](?:_\{?\w+\}?)?)\s*(?:[a-zA-Z(]|\\(?:sqrt|pi|sin|cos|tan|ln|log|left|alpha|beta|theta|lambda|omega))"
)
AMBIGUOUS_LOG = re.compile(r"log(?!\s*_)")

_CALLED = frozenset("fghFGHPEu")
"""Letters that name a function when a bracket follows."""
_OPENING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "\\lfloor": "\\rfloor", "\\lceil": "\\rceil", "\\lvert": "\\rvert"}


def parsed(text: str, reading: Reading | None = None) -> Tree:
    """The tree of a formula; Unreadable where it is none."""
    if len(text) > LONGEST_FORMULA:
        raise Unreadable("too long")
    reader = _Reader(tokens_of(text), reading or Reading())
    tree = reader.sum()
    reader.trailing_unit()
    if reader.at < len(reader.tokens):
        raise Unreadable(f"at {reader.tokens[reader.at]}")
    return tree


class _Reader:
    """Recursive descent over tokens; `at` is the next one."""

    def __init__(self, tokens: list[str], reading: Reading) -> None:
        self.tokens, self.reading, self.at, self.depth = tokens, reading, 0, 0
        self.in_bars = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise Unreadable(f"wanted {wanted or 'more'}, got {token or 'the end'}")
        self.at += 1
        return token

    def trailing_unit(self) -> None:
        while self.peek() in ("\\unit", "%", "\\%"):
            if self.peek() != "\\unit":
                raise Unreadable("percent")
            self.take()
            if self.peek() == "^":
                self.take()
                self.argument()

    def sum(self) -> Tree:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable("too deep")
        terms = []
        sign = 1
        while self.peek() in ("+", "-"):
            sign *= -1 if self.take() == "-" else 1
        terms.append(_signed(sign, self.product()))
        while self.peek() in ("+", "-"):
            sign = 1
            while self.peek() in ("+", "-"):
                sign *= -1 if self.take() == "-" else 1
            terms.append(_signed(sign, self.product()))
        self.depth -= 1
        return terms[0] if len(terms) == 1 else ("add", *terms)

    def product(self) -> Tree:
        factors = [self.factor()]
        while token := self.peek():
            if token in ("*", "\\cdot", "\\times", "\\ast"):
                self.take()
                factors.append(self.signed_factor())
            elif token in ("/", "\\div"):
                self.take()
                factors.append(("power", self.divisor(), _MINUS_ONE))
            elif self.starts_factor(token):
                factors.append(self.factor(after=self.tokens[self.at - 1]))
            else:
                break
        return factors[0] if len(factors) == 1 else ("multiply", *factors)

    def signed_factor(self) -> Tree:
        sign = 1
        while self.peek() in ("+", "-"):
            sign *= -1 if self.take() == "-" else 1
        return _signed(sign, self.factor())

    def divisor(self) -> Tree:
        """What a slash divides by: one factor or, in the tight reading, the product written without a sign."""
        first = self.signed_factor()
        if not self.reading.tight_slash or first[0] not in ("number", "symbol"):
            return first
        factors = [first]
        while self.starts_factor(self.peek()):
            factors.append(self.factor(after=self.tokens[self.at - 1]))
        return factors[0] if len(factors) == 1 else ("multiply", *factors)

    def starts_factor(self, token: str) -> bool:
        if not token or token in "+-*/^_!)]}'%" or token in ("**", "\\cdot", "\\times", "\\div", "\\ast", "\\unit", "\\%"):
            return False
        if token == "|":
            return not self.in_bars
        return token not in ("\\rfloor", "\\rceil", "\\}", "\\rvert", "\\circ")

    def factor(self, after: str = "") -> Tree:
        """A base with its powers, factorials and degrees."""
        if after and after[-1].isdigit() and self.peek()[:1].isdigit():
            raise Unreadable("two numbers side by side")
        base = self.base(after)
        while token := self.peek():
            if token in ("^", "**"):
                self.take()
                if self.peek() == "\\circ" or self.tokens[self.at : self.at + 3] == ["{", "\\circ", "}"]:
                    self.at += 1 if self.peek() == "\\circ" else 3
                    base = ("degrees", base)
                else:
                    base = ("power", base, self.power_tower())
            elif token == "!":
                self.take()
                base = ("call", "factorial", base)
            elif token == "_":
                raise Unreadable("subscript")
            else:
                break
        return base

    def power_tower(self) -> Tree:
        """An exponent, with the exponents above it: `2^3^4` is 2^(3^4)."""
        exponent = self.argument()
        if self.peek() in ("^", "**"):
            self.take()
            exponent = ("power", exponent, self.power_tower())
        return exponent

    def argument(self) -> Tree:
        """What TeX takes as one argument: a braced group, or one token."""
        token = self.peek()
        if token in ("{", "("):
            return self.group()
        if token == "-":
            self.take()
            return _signed(-1, self.argument())
        if token.isdecimal():
            return ("number", Fraction(self.take()))
        return self.base("")

    def group(self) -> Tree:
        opening = self.take()
        bars, self.in_bars = self.in_bars, 0
        inside = self.sum()
        self.in_bars = bars
        self.take(_OPENING[opening])
        return inside

    def base(self, after: str) -> Tree:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            return self.number(token)
        if token in ("(", "[", "{"):
            self.at -= 1
            return self.group()
        if token in ("\\lfloor", "\\lceil", "\\lvert"):
            self.at -= 1
            return ("call", {"\\lfloor": "floor", "\\lceil": "ceil", "\\lvert": "abs"}[token], self.group())
        if token == "|":
            self.in_bars += 1
            inside = self.sum()
            self.take("|")
            self.in_bars -= 1
            return ("call", "abs", inside)
        if token.isalpha():
            return self.letter(token)
        if token[0] == "\\":
            return self.command(token[1:], after)
        raise Unreadable(f"at {token}")

    def number(self, token: str) -> Tree:
        """A number, or a mixed one: an integer right before a proper fraction of integers."""
        value = Fraction(token.replace(",", ""))
        mixed = self.tokens[self.at : self.at + 7]
        if (
            token.isdigit()
            and len(mixed) == 7
            and mixed[0] == "\\frac"
            and [mixed[1], mixed[3], mixed[4], mixed[6]] == ["{", "}", "{", "}"]
        ):
            over, under = mixed[2], mixed[5]
            if over.isdigit() and under.isdigit():
                if int(over) >= int(under):
                    raise Unreadable("an improper mixed number")
                self.at += 7
                value += Fraction(int(over), int(under))
        return ("number", value)

    def letter(self, name: str) -> Tree:
        name = self.subscripted(name)
        if name in _CALLED and self.peek() == "(":
            return self.unknown_call(name)
        if name in ("e", "i"):
            return ("constant", name)
        return ("symbol", name)

    def unknown_call(self, name: str) -> Tree:
        """`f(t)` of a function that nobody knows: a symbol of its own, as it is spelled."""
        begun = self.at
        self.group()
        return ("symbol", name + "".join(self.tokens[begun : self.at]))

    def subscripted(self, name: str) -> str:
        while self.peek() in ("_", "'"):
            if self.take() == "'":
                name += "'"
                continue
            if self.peek() == "{":
                end = self.tokens.index("}", self.at) if "}" in self.tokens[self.at :] else -1
                inside = self.tokens[self.at + 1 : end]
                if end < 0 or not all(re.fullmatch(r"\w+|\\index\w+|\\[a-zA-Z]+|,", part) for part in inside):
                    raise Unreadable("subscript")
                name += "_" + "".join(inside)
                self.at = end + 1
            else:
                name += "_" + self.take()
        return name.replace("\\index", "")

    def command(self, name: str, after: str) -> Tree:
        if name in ("frac", "dfrac", "tfrac", "cfrac"):
            return ("multiply", self.argument(), ("power", self.argument(), _MINUS_ONE))
        if name == "sqrt":
            return self.square_root()
        if name in ("binom", "dbinom", "tbinom"):
            return ("binomial", self.argument(), self.argument())
        if name in ("log", "lg", "ln"):
            return self.logarithm(name)
        if name in FUNCTIONS:
            return self.called(name)
        if name in ("pi", "infty", "inf"):
            return ("constant", "pi" if name == "pi" else "infinity")
        if name in GREEK:
            return ("symbol", self.subscripted("\\" + name))
        if name in ("dot", "ddot", "hat", "bar", "vec", "tilde", "overline"):
            inside = self.argument()
            if inside[0] != "symbol":
                raise Unreadable(name)
            return ("symbol", self.subscripted(f"\\{name} {inside[1]}"))
        raise Unreadable(f"\\{name}")

    def square_root(self) -> Tree:
        index: Tree = ("number", Fraction(2))
        if self.peek() == "[":
            index = self.group()
        return ("root", self.argument(), index)

    def logarithm(self, name: str) -> Tree:
        base: Tree | None = {"ln": None, "lg": _TEN, "log": _TEN if self.reading.decimal_log else None}[name]
        if self.peek() == "_":
            self.take()
            base = self.argument()
        exponent = self.exponent()
        argument = self.function_argument()
        return _raised(("log", argument) if base is None else ("log", argument, base), exponent)

    def called(self, name: str) -> Tree:
        if name == "sqrt":
            return self.square_root()
        exponent = self.exponent()
        if exponent == _MINUS_ONE and name in ("sin", "cos", "tan"):
            name, exponent = "arc" + name, None
        argument = self.function_argument()
        return _raised(("call", name, _radians(argument) if name in _OF_ANGLES else argument), exponent)

    def exponent(self) -> Tree | None:
        if self.peek() not in ("^", "**"):
            return None
        self.take()
        return self.argument()

    def function_argument(self) -> Tree:
        """`\\sin(x)`, `\\sin{x}`, `\\sin 2\\pi x`: a bracket, or the product up to the next function, bracket or sign."""
        if self.peek() in ("(", "{", "[", "|", "\\lvert"):
            return self.factor() if self.peek() in ("|", "\\lvert") else self.group()
        factors = [self.factor()]
        while self.starts_factor(token := self.peek()) and token not in ("(", "[", "{", "|"):
            if (token[1:] in FUNCTIONS and token != "\\sqrt") or token in ("\\log", "\\lg", "\\ln"):
                break
            factors.append(self.factor(after=self.tokens[self.at - 1]))
        return factors[0] if len(factors) == 1 else ("multiply", *factors)


_MINUS_ONE: Tree = ("number", Fraction(-1))
_TEN: Tree = ("number", Fraction(10))


_OF_ANGLES = frozenset(["sin", "cos", "tan", "cot", "sec", "csc"])


def _radians(tree: Tree) -> Tree:
    """Degrees inside a trigonometric function are angles; anywhere else they are a unit that may be left out."""
    if tree[0] == "degrees":
        return ("multiply", _radians(tree[1]), ("constant", "pi"), ("number", Fraction(1, 180)))
    return tuple(_radians(part) if isinstance(part, tuple) else part for part in tree)


def _signed(sign: int, tree: Tree) -> Tree:
    if tree[0] == "number":
        return ("number", sign * tree[1])
    return tree if sign > 0 else ("multiply", _MINUS_ONE, tree)


def _raised(tree: Tree, exponent: Tree | None) -> Tree:
    return tree if exponent is None else ("power", tree, exponent)
