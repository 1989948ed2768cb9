"""A longest common subsequence, held against trying every one."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from coreact.trace.alignment import longest_common

short = st.lists(st.sampled_from("abcd"), max_size=8)
long = st.lists(st.integers(0, 30), max_size=120)


def brute_force(first: list[str], second: list[str]) -> int:
    def is_within(wanted: tuple[str, ...]) -> bool:
        rest = iter(second)
        return all(one in rest for one in wanted)

    sizes = range(min(len(first), len(second)), -1, -1)
    return next(n for n in sizes if any(map(is_within, combinations(first, n))))


def by_table(first: list[int], second: list[int]) -> int:
    row = [0] * (len(second) + 1)
    for one in first:
        before = row[:]
        for at, other in enumerate(second):
            row[at + 1] = before[at] + 1 if one == other else max(before[at + 1], row[at])
    return row[-1]


@given(short, short)
def test_it_is_a_common_subsequence_and_none_is_longer(first: list[str], second: list[str]) -> None:
    found = longest_common(first, second)
    assert all(first[one.first] == second[one.second] for one in found)
    assert all(a.first < b.first and a.second < b.second for a, b in pairwise(found))
    assert len(found) == brute_force(first, second)
    assert len(found) == len(longest_common(second, first))


@given(long, long)
def test_long_sequences(first: list[int], second: list[int]) -> None:
    assert len(longest_common(first, second)) == by_table(first, second)


@given(short, short, short)
def test_equal_beginnings_are_matched_with_each_other(head: list[str], a: list[str], b: list[str]) -> None:
    found = longest_common([*head, *a], [*head, *b])
    assert [tuple(one) for one in found[: len(head)]] == [(at, at) for at in range(len(head))]


@given(long)
def test_a_sequence_is_aligned_with_itself(whole: list[int]) -> None:
    assert [tuple(one) for one in longest_common(whole, whole)] == [(at, at) for at in range(len(whole))]


def test_where_blocks_mislead() -> None:
    """The longest block in common is not part of the longest subsequence; `difflib` finds three."""
    assert len(longest_common("abxcdefyz", "defabcyz")) == 6 - 1
    assert len(longest_common("xxab1c2d3e", "abcdexx")) == 5


def test_many_equal_calls_are_no_problem() -> None:
    assert len(longest_common("ab" * 300, "b" * 500)) == 300
