"""The arithmetic of the search: visits by hand, and what a bad step costs whatever follows."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.refine.baselines.tree import Node, back_up, best_answer, select, uct

C = 0.5


def child(node: Node, *scores: float | None, answer: bool = False) -> Node:
    return node.add(scores, order=sum(1 for _ in root_of(node).walk()), content=None, is_answer=answer)


def root_of(node: Node) -> Node:
    return node if node.parent is None else root_of(node.parent)


def test_visits_follow_uct_on_a_fixed_tree() -> None:
    """Worked out by hand with c = 0.5; a proposal's own evaluation is its first visit.

    root: A 0.9, B 0.6; A: 0.2 and 0.1 (0.18, 0.09 along the path); B: 1.0, an answer, and 0.5 (0.6, 0.3).
    The UCT of the children compared, to three digits, before each choice:
      1. A 1.316 B 1.016            go to A and expand it
      2. A 0.730 B 1.189            to B, expand
      3. A 0.776 B 0.886, then B1 1.124 B2 0.824   to B1
      4. A 0.793 B 0.874, then B1 1.016 B2 0.889   to B1
      5. A 0.806 B 0.862, then B1 0.966 B2 0.934   to B1
      6. A 0.818 B 0.853, then B1 0.935 B2 0.969   to B2
    """
    root = Node()
    a, b = child(root, 0.9), child(root, 0.6)
    assert (uct(a, C), uct(b, C)) == pytest.approx((1.316, 1.016), abs=5e-4)
    assert select(root, C) is a
    child(a, 0.2), child(a, 0.1)
    assert (uct(a, C), uct(b, C)) == pytest.approx((0.730, 1.189), abs=5e-4)
    assert select(root, C) is b
    b1, b2 = child(b, 1.0, answer=True), child(b, 0.5)
    table = [
        (0.776, 0.886, 1.124, 0.824),
        (0.793, 0.874, 1.016, 0.889),
        (0.806, 0.862, 0.966, 0.934),
    ]
    for row in table:
        assert [uct(one, C) for one in (a, b, b1, b2)] == pytest.approx(row, abs=5e-4)
        assert select(root, C) is b1
        back_up(b1)
    assert [uct(one, C) for one in (a, b, b1, b2)] == pytest.approx((0.818, 0.853, 0.935, 0.969), abs=5e-4)
    assert select(root, C) is b2
    assert [one.visits for one in (root, a, b, b1, b2)] == [9, 3, 6, 4, 1]
    assert root.total == pytest.approx(1.5 + 0.27 + 0.9 + 3 * 0.6)


def test_what_is_dead_is_not_chosen_and_equals_go_to_the_first() -> None:
    root = Node()
    a, b = child(root, 0.5), child(root, 0.5)
    assert select(root, C) is a
    a.is_dead = True
    assert select(root, C) is b
    inner = child(b, 1.0)
    inner.is_dead = True
    assert select(root, C) is None, "nothing below b is left"


def test_the_best_answer() -> None:
    root = Node()
    unknown = child(root, None, answer=True)
    low = child(child(root, 0.2), 0.5, answer=True)
    assert best_answer(Node()) is None
    assert best_answer(root) is low, "known beats unknown"
    poor = Node()
    _, zero = child(poor, None, answer=True), child(poor, 0.0, answer=True)
    assert best_answer(poor) is zero, "however low"
    nothing = child(root, 0.0, answer=True)
    assert best_answer(root) is low
    assert (nothing.value, unknown.value) == (0.0, None)
    twin = child(root, 0.1, answer=True)
    assert twin.value == pytest.approx(low.value)
    control = Node()
    first, _ = child(control, None, answer=True), child(control, None, answer=True)
    assert best_answer(control) is first


scores = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def path(scores: list[float]) -> Node:
    node = Node()
    for score in scores:
        node = child(node, score)
    return node


@given(before=scores, bad=st.floats(0, 0.99), after=scores, good=st.integers(1, 24))
def test_a_bad_step_cannot_be_paid_back(before: Any, bad: float, after: Any, good: int) -> None:
    """P81: whatever comes before and after, and however long the good path is."""
    spoiled, clean = path([*before, bad, *after]), path([1.0] * good)
    assert clean.value == 1.0
    assert spoiled.value is not None
    assert spoiled.value < clean.value
    assert spoiled.value <= bad + 1e-12


@given(scores)
def test_a_value_never_rises_along_a_path_and_is_the_product(given_scores: list[float]) -> None:
    values = [path(given_scores[:n]).value for n in range(1, len(given_scores) + 1)]
    assert values == sorted(values, reverse=True)  # type: ignore[type-var]
    assert values[-1] == pytest.approx(math.prod(given_scores), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 50), st.one_of(st.none(), st.floats(0, 1))), max_size=40))
def test_every_evaluation_is_counted_once_at_every_ancestor(additions: Any) -> None:
    root = Node()
    nodes = [root]
    for place, score in additions:
        nodes.append(child(nodes[place % len(nodes)], score))
    assert root.visits == len(additions)
    for node in nodes[1:]:
        assert node.visits == sum(1 for _ in node.walk())
        assert node.total == pytest.approx(sum(one.reward for one in node.walk()))
