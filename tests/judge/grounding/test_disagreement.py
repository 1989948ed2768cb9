"""Outcome against process: a table of twenty runs worked by hand."""

from __future__ import annotations

import pytest

from coreact.judge.grounding.disagreement import disagreement

RUNS: list[tuple[bool | None, bool | None, int]] = [
    (True, True, 6),
    (True, False, 2),
    (True, None, 1),
    (False, True, 1),
    (False, False, 7),
    (False, None, 1),
    (None, True, 1),
    (None, None, 1),
]


def test_twenty_runs() -> None:
    pairs = [(right, sound) for right, sound, count in RUNS for _ in range(count)]
    found = disagreement([right for right, _ in pairs], [sound for _, sound in pairs])
    assert (found.total, found.unknown) == (20, 4)
    assert found.agreement == 13 / 16
    assert found.false_positives == 2 / 8
    assert found.false_negatives == 1 / 8
    assert str(found) == (
        "right \\ sound  yes  no  unknown\n"
        "yes            6    2   1\n"
        "no             1    7   1\n"
        "unknown        1    0   1"
    )


def test_rates_of_nothing_are_none() -> None:
    found = disagreement([None, True], [True, None])
    assert (found.agreement, found.false_positives, found.false_negatives) == (None, None, None)
    assert disagreement([], []).total == 0


def test_lists_of_different_length_are_an_error() -> None:
    with pytest.raises(ValueError):
        disagreement([True], [])
