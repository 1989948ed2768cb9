"""Sparse selection: planted rules are recovered and generalise, inverted ones never stay."""

from __future__ import annotations

import random
import sys

import pytest

from coreact.errors import ConfigError, MissingExtraError
from coreact.generate.refinement import ScoredPair, accuracy, select
from coreact.rubric import Criterion

RULES = tuple(Criterion(id=f"r{at}", text=f"rule {at}") for at in range(20))
INFORMATIVE = {2, 9, 15}


def planted(pairs: int, *, seed: int, inverted: frozenset[int] = frozenset()) -> list[ScoredPair]:
    """Pairs on which three rules are met by the better side more often; the rest is noise."""
    draw = random.Random(seed)

    def row(better: bool) -> tuple[float, ...]:
        return tuple(
            float(draw.random() < (0.8 if better != (at in inverted) else 0.3))
            if at in INFORMATIVE | inverted
            else float(draw.random() < 0.5)
            for at in range(len(RULES))
        )

    return [ScoredPair(row(True), row(False), f"q{at // 2}") for at in range(pairs)]


def test_three_informative_rules_of_twenty_are_recovered() -> None:
    selection = select(RULES, planted(120, seed=1), most=3)
    assert {criterion.id for criterion in selection.criteria} == {f"r{at}" for at in INFORMATIVE}
    assert [criterion.weight for criterion in selection.criteria] == sorted(selection.weights.values())[::-1]
    assert {remark.problem for remark in selection.remarks} == {"undiscriminating"}
    assert len(selection.remarks) == 17


@pytest.mark.parametrize("seed", range(4))
def test_the_selection_beats_the_unrefined_set_on_held_out_pairs(seed: int) -> None:
    selection = select(RULES, planted(120, seed=seed), most=5)
    held_out = planted(300, seed=1000 + seed)
    unrefined = {rule.id: 1.0 for rule in RULES}
    assert accuracy(RULES, held_out, selection.weights) > accuracy(RULES, held_out, unrefined) + 0.1


def test_inverted_rules_are_dropped_and_never_turned_round() -> None:
    selection = select(RULES, planted(120, seed=3, inverted=frozenset({4, 11})), most=5)
    chosen = {criterion.id for criterion in selection.criteria}
    assert chosen >= {f"r{at}" for at in INFORMATIVE}
    assert not chosen & {"r4", "r11"}
    assert all(weight > 0 for weight in selection.weights.values())
    misaligned = {remark.criterion for remark in selection.remarks if remark.problem == "misaligned"}
    assert {"rule 4", "rule 11"} <= misaligned


def test_the_number_is_a_bound_and_not_a_target() -> None:
    pairs = planted(120, seed=1)
    for most in (1, 2):
        assert 1 <= len(select(RULES, pairs, most=most).criteria) <= most
    assert 3 <= len(select(RULES, pairs, most=20).criteria) <= 8
    twins = [ScoredPair((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), f"q{at}") for at in range(12)]
    assert len(select(RULES[:3], twins, most=1).criteria) == 1


def test_the_same_pairs_give_the_same_selection() -> None:
    pairs = planted(60, seed=5)
    assert select(RULES, pairs) == select(RULES, pairs)


def test_where_nothing_separates_the_pairs_nothing_is_selected() -> None:
    pairs = [ScoredPair((1.0, None), (1.0, 0.0), f"q{at}") for at in range(12)]
    selection = select(RULES[:2], pairs)
    assert selection.criteria == ()
    assert len(selection.remarks) == 2


def test_criteria_that_all_favour_the_worse_side_leave_nothing() -> None:
    pairs = [ScoredPair((0.0,), (1.0,), f"q{at}") for at in range(12)]
    selection = select(RULES[:1], pairs)
    assert selection.criteria == ()
    assert [remark.problem for remark in selection.remarks] == ["misaligned"]


def test_accuracy_by_hand() -> None:
    pairs = [
        ScoredPair((1.0, 0.0), (0.0, 0.0), "a"),  # right
        ScoredPair((0.0, 1.0), (1.0, 0.0), "b"),  # wrong with 2 to 1
        ScoredPair((1.0, None), (1.0, 1.0), "c"),  # a tie
    ]
    assert accuracy(RULES[:2], pairs, {"r0": 2.0, "r1": 1.0}) == 0.5
    assert accuracy(RULES[:2], pairs, {}) == 0.5


def test_too_little_to_select_on_is_said() -> None:
    pairs = planted(120, seed=1)
    with pytest.raises(ConfigError, match="too few"):
        select(RULES, pairs[:9])
    with pytest.raises(ConfigError, match="too few"):
        select(RULES, [pair._replace(group="one") for pair in pairs])
    with pytest.raises(ConfigError, match="most"):
        select(RULES, pairs, most=0)
    with pytest.raises(ValueError, match="one a criterion"):
        select(RULES[:3], pairs)
    with pytest.raises(ValueError, match="no pairs"):
        accuracy(RULES, [], {})
    with pytest.raises(ValueError, match="one score a criterion"):
        accuracy(RULES[:3], pairs, {})


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(MissingExtraError):
        select(RULES, planted(20, seed=1))
