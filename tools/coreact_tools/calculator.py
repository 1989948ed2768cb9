"""Arithmetic for an agent, exact where it can be and bounded always.

The expression is parsed, not run: only numbers, `+ - * / // % **` and parentheses are understood, and every
value is an exact fraction, so `0.1 + 0.2` is `0.3`. Numbers, powers and the expression itself have
bounds, so no input takes long or much memory. No names, no functions, no units: what it does not
understand it says in words that an agent can act on, and never raises.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation, localcontext
from fractions import Fraction

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from coreact_tools.contracts import contract

MAX_CHARS = 300
"""Longest expression, in characters."""
MAX_DEPTH = 60
"""Deepest nesting of operations."""
MAX_BITS = 4096
"""Longest numerator or denominator, in binary digits: about 1 200 decimal ones."""
_DIGITS = 15
"""Significant decimal digits shown of a result that is no whole number."""

_TYPOGRAPHY = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})  # noqa: RUF001
_ARITHMETIC = re.compile(r"[0-9.eE+\-*/%^()_\s]*")
"""The only characters that reach the parser: it would warn about `1if`, though it refuses it."""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


class NotComputableError(ValueError):
    """An expression that is no arithmetic, or is out of bounds; the message says why."""


def evaluate(expression: str) -> Fraction:
    """The exact value of an arithmetic expression.

    Commas between groups of three digits and the typographic signs for times, divided by and minus are
    understood. A power with a
    fractional exponent is computed in floating point; everything else is exact.

    Args:
        expression: at most `MAX_CHARS` characters.

    Raises:
        NotComputableError: the text is no arithmetic expression, divides by zero, or is out of bounds.
    """
    if len(expression) > MAX_CHARS:
        raise NotComputableError(f"the expression is longer than {MAX_CHARS} characters")
    text = _THOUSANDS.sub("", expression.translate(_TYPOGRAPHY)).strip()
    if not _ARITHMETIC.fullmatch(text):
        raise NotComputableError("it has something other than numbers and arithmetic in it")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as failure:
        raise NotComputableError("it is not an arithmetic expression") from failure
    return _value(tree.body, text, depth=0)


def _compute(expression: str) -> str:
    try:
        return _written(evaluate(expression))
    except NotComputableError as refusal:
        advice = "Use numbers, + - * / // % ** and parentheses."
        return f"Cannot compute {expression[:MAX_CHARS]!r}: {refusal}. {advice}"


class _Arguments(BaseModel):
    expression: str = Field(description="An arithmetic expression such as (1250 - 980) / 980 * 100.")


calculator: BaseTool = StructuredTool.from_function(
    _compute,
    name="calculator",
    description="Compute an arithmetic expression exactly. Knows + - * / // % ** and parentheses.",
    args_schema=_Arguments,
    metadata=contract("compute"),
)
"""The tool; its answer is the result as text, or why there is none."""


def _value(node: ast.expr, text: str, *, depth: int) -> Fraction:
    if depth > MAX_DEPTH:
        raise NotComputableError(f"it is nested deeper than {MAX_DEPTH} operations")
    match node:
        case ast.Constant(value=int() | float()):
            # As written: a binary fraction would have lost what is beyond its sixteenth digit.
            return _number(ast.get_source_segment(text, node) or "")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, text, depth=depth + 1)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, text, depth=depth + 1)
        case ast.BinOp(op=ast.BitXor()):
            raise NotComputableError("^ is not a power here, write **")
        case ast.BinOp(left=left, op=kind, right=right):
            return _combined(_value(left, text, depth=depth + 1), kind, _value(right, text, depth=depth + 1))
        case _:
            raise NotComputableError("it has something other than numbers and arithmetic in it")


def _number(written: str) -> Fraction:
    try:
        value = Decimal(written)
    except InvalidOperation as failure:
        raise NotComputableError("a number in it is too large or too small") from failure
    if not value:
        return Fraction(0)
    if not value.is_finite() or abs(value.adjusted()) > MAX_BITS:  # before any power of ten is written out
        raise NotComputableError("a number in it is too large or too small")
    return _bounded(Fraction(value))


_OPERATIONS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction | int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def _combined(left: Fraction, kind: ast.operator, right: Fraction) -> Fraction:
    if isinstance(kind, ast.Pow):
        return _power(left, right)
    operation = _OPERATIONS.get(type(kind))
    if operation is None:
        raise NotComputableError("it has an operator other than + - * / // % ** in it")
    try:
        return _bounded(Fraction(operation(left, right)))
    except ZeroDivisionError as failure:
        raise NotComputableError("it divides by zero") from failure


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if base == 0 and exponent < 0:
        raise NotComputableError("it divides by zero")
    if exponent.denominator != 1:
        return _root(base, exponent)
    if abs(base) not in (0, 1) and _bits(base) * abs(exponent) > MAX_BITS:
        raise NotComputableError("a power in it is too large")
    if abs(base) in (0, 1):
        exponent = exponent % 2 + (2 if exponent > 0 else 0)  # Same value, and never a long loop.
    return _bounded(Fraction(base ** int(exponent)))


def _root(base: Fraction, exponent: Fraction) -> Fraction:
    if base < 0:
        raise NotComputableError("it takes a root of a negative number")
    try:
        return _number(repr(float(base) ** float(exponent)))
    except OverflowError as failure:
        raise NotComputableError("a power in it is too large") from failure


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _bounded(value: Fraction) -> Fraction:
    if _bits(value) > MAX_BITS:
        raise NotComputableError("a number in it is too large or too small")
    return value


def _written(value: Fraction) -> str:
    """Whole numbers in full, others with 15 significant digits."""
    if value.denominator == 1:
        return str(value.numerator)
    with localcontext() as context:
        context.prec = _DIGITS
        shown = Decimal(value.numerator) / Decimal(value.denominator)
        plain = shown.normalize()
    return f"{plain:f}" if -7 < plain.adjusted() < _DIGITS else f"{plain}"
