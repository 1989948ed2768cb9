from __future__ import annotations

import math
import time
from fractions import Fraction

import pytest
from coreact_tools import NotComputableError, calculator, evaluate
from hypothesis import given
from hypothesis import strategies as st


def answer(expression: str) -> str:
    return calculator.invoke({"expression": expression})


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("0.1 + 0.2", "0.3"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("7.5 % 2", "1.5"),
        ("2 ** 10", "1024"),
        ("2 ** -2", "0.25"),
        ("-2 ** 2", "-4"),
        ("2 ** 0.5", "1.4142135623731"),
        ("1 / 3", "0.333333333333333"),
        ("1,234,567 + 1", "1234568"),
        ("6 \u00d7 7 \u00f7 2 \u2212 1", "20"),
        ("1e3", "1000"),
        ("1.5e-10 * 2", "3E-10"),
        ("(-1) ** 999999999999", "-1"),
        ("12345678901234567.5 - 12345678901234567", "0.5"),
        ("(1234567890.123456789\n- 1234567890)", "0.123456789"),
        ("1e-400 * 1e400", "1"),
        ("0e999999999", "0"),
        ("1_000.5", "1000.5"),
        ("0 ** 0", "1"),
        ("0 ** 5", "0"),
        ("1 ** -3", "1"),
        ("(-1) ** -2", "1"),
        ("10 ** 30", "1" + "0" * 30),
        ("1e20 / 3", "3.33333333333333E+19"),
    ],
)
def test_results(expression, result):
    assert answer(expression) == result


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "not an arithmetic expression"),
        ("1 +", "not an arithmetic expression"),
        ("1 / 0", "divides by zero"),
        ("1 % 0", "divides by zero"),
        ("0 ** -1", "divides by zero"),
        ("2 ^ 3", "write **"),
        ("9 ** 9 ** 9", "too large"),
        ("2 ** 5000", "too large"),
        ("1e9999", "too large"),
        ("1e-9999", "too small"),
        ("1e999999999999999999999", "too large"),
        ("0 * 1e-99999999", "too small"),
        ("10.5 ** 400.5", "too large"),
        ("(-8) ** 0.5", "root of a negative"),
        ("__import__('os')", "something other than numbers"),
        ("pi * 2", "something other than numbers"),
        ("True + 1", "something other than numbers"),
        ("1j", "something other than numbers"),
        ("1if 2else 3", "something other than numbers"),
        ("(1)(2)", "something other than numbers"),
        ("1, 2", "something other than numbers"),
        ("eE", "something other than numbers"),
        ("1" * 301, "longer than 300"),
        ("-" * 200 + "1", "deeper than 60"),
        ("(" * 150 + "1" + ")" * 149, "not an arithmetic expression"),
    ],
)
def test_refusals_say_why(expression, says):
    said = answer(expression)
    assert said.startswith("Cannot compute")
    assert says in said


def expressions(numbers):
    return st.recursive(
        numbers,
        lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        max_leaves=8,
    )


@given(expressions(st.integers(-999, 999).map(lambda number: f"({number})")))
def test_agrees_with_fractions(expression):
    exact = expression.replace("(", "Fraction(")
    try:
        expected = Fraction(eval(exact, {"Fraction": Fraction}))
    except ZeroDivisionError:
        assert "divides by zero" in answer(expression)
        return
    assert evaluate(expression) == expected
    assert math.isclose(float(answer(expression)), float(expected), rel_tol=1e-12)


@given(
    st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda number: number == 0 or abs(number) > 1e-6),
    st.sampled_from(["+", "-", "*"]),
    st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda number: number == 0 or abs(number) > 1e-6),
)
def test_agrees_with_floats(left, sign, right):
    expected = eval(f"({left!r}) {sign} ({right!r})")
    shown = float(answer(f"({left!r}) {sign} ({right!r})"))
    assert math.isclose(shown, expected, rel_tol=1e-9, abs_tol=1e-9)


@given(st.integers(-50, 50), st.integers(-40, 40))
def test_powers_agree_with_fractions(base, exponent):
    if base == 0 and exponent < 0:
        with pytest.raises(NotComputableError):
            evaluate(f"({base}) ** ({exponent})")
    else:
        assert evaluate(f"({base}) ** ({exponent})") == Fraction(base) ** exponent


@given(st.one_of(st.text(), st.text(alphabet="0123456789.eE+-*/%^()_ ,\n\t")))
def test_never_raises_and_never_takes_long(text):
    started = time.perf_counter()
    assert isinstance(answer(text), str)
    assert time.perf_counter() - started < 2


def test_metadata_and_schema():
    assert calculator.metadata == {"role": "compute", "read_only": True, "cost": 0.0}
    assert calculator.tool_call_schema.model_json_schema()["required"] == ["expression"]
