"""The light critic: learns on self-practice, is measured on unseen questions, and travels as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from coreact.errors import ConfigError
from coreact.judge.sufficiency import (
    Critic,
    Example,
    Foretold,
    LogisticCritic,
    fit,
    load_critic,
    parted,
    pooled,
    practise,
    prefixes,
    quality,
)
from coreact.rubric import State


def test_it_tells_right_moments_from_wrong_ones_on_unseen_questions(
    critic: LogisticCritic, practised: list[Example]
) -> None:
    held_out = critic.held_out
    assert held_out.questions == 100
    assert held_out.auroc.low > 0.9
    assert held_out.brier.high < held_out.brier_of_share / 2
    assert held_out.ece.value < 0.08
    assert isinstance(critic, Critic)
    parts = parted(practised)
    asked = [{one.question for one in part} for part in parts]
    assert not asked[0] & asked[1]
    assert not asked[0] & asked[2]
    assert not asked[1] & asked[2]
    assert sum(map(len, parts)) == len(practised)


def test_labels_that_mean_nothing_are_not_learned(practised: list[Example]) -> None:
    labels = [example.right for example in practised]
    Random(5).shuffle(labels)
    shuffled = [
        example.model_copy(update={"right": label}) for example, label in zip(practised, labels, strict=True)
    ]
    auroc = fit(shuffled).held_out.auroc
    assert 0.4 < auroc.value < 0.6
    assert auroc.low < 0.5


def test_the_same_examples_give_the_same_critic(critic: LogisticCritic, practised: list[Example]) -> None:
    assert fit(practised, dataset=critic.dataset).artefact() == critic.artefact()
    assert fit(practised, dataset=critic.dataset, seed=1).version != critic.version


def test_the_artefact_needs_no_scikit_learn(
    critic: LogisticCritic,
    practised: list[Example],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    search: Callable[[State, str], State],
    starting: Callable[..., State],
) -> None:
    path = tmp_path / "critic.json"
    path.write_text(critic.artefact(), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    loaded = load_critic(path)
    assert loaded == critic
    for example in practised[:20]:
        assert loaded.probability(example.features) == critic.probability(example.features)
    state = search(starting("What is the capital of Haiti?"), "Haiti capital")
    probability = loaded.assess(state, "Port-au-Prince")
    assert probability is not None
    assert 0 <= probability <= 1
    assert loaded.assess(state, "  ") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda stored: stored["critic"].update(intercept=9.0), "was changed"),
        (lambda stored: stored["critic"].update(scales=[0.0] * len(stored["critic"]["names"])), "is no"),
        (lambda stored: stored["critic"].update(coefficients=[1.0]), "is no"),
        (lambda stored: stored.pop("lock"), "is no"),
    ],
)
def test_a_broken_artefact_is_refused(
    critic: LogisticCritic, tmp_path: Path, change: Callable[[dict[str, object]], object], said: str
) -> None:
    stored = json.loads(critic.artefact())
    change(stored)
    path = tmp_path / "critic.json"
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_critic(path)


def test_a_critic_of_other_features_is_refused(critic: LogisticCritic, tmp_path: Path) -> None:
    path = tmp_path / "critic.json"
    path.write_text(critic.model_copy(update={"features_version": 99}).artefact(), encoding="utf-8")
    with pytest.raises(ConfigError, match="version 99"):
        load_critic(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_critic(tmp_path / "absent.json")


def test_too_few_or_one_sided_examples_are_refused(practised: list[Example]) -> None:
    with pytest.raises(ConfigError, match="too few to fit"):
        fit(practised[:20])
    with pytest.raises(ConfigError, match="too few to fit"):
        fit([example for example in practised if example.right])
    with pytest.raises(ConfigError, match="too few to fit"):
        fit([])
    with pytest.raises(ConfigError, match="features of this version"):
        fit([practised[0].model_copy(update={"features": {"other": 1.0}})])


def test_moments_without_a_draft_are_passed_over(practised: list[Example]) -> None:
    bare = [
        example.model_copy(
            update={"at": example.at + 100, "features": {**example.features, "draft_given": 0.0}}
        )
        for example in practised[:50]
    ]
    assert fit([*practised, *bare]) == fit(practised)


def test_practice_labels_by_comparison_only(
    search: Callable[[State, str], State], starting: Callable[..., State]
) -> None:
    state = search(search(starting("What is the capital of Haiti?"), "Haiti"), "Haiti capital")
    states = prefixes(state)
    assert [len(one.steps) for one in states] == [0, 1, 2]
    assert states[-1] == state
    labels = {"Port-au-Prince": True, "Lima": False}
    one = practise(states, ["", "Lima", "Port-au-Prince"], labels.get, question="q", run="r")
    assert [(example.at, example.right) for example in one.examples] == [(0, False), (1, False), (2, True)]
    two = practise(states, ["who knows", "Lima", ""], labels.get, question="q", run="s")
    assert (len(two.examples), two.unlabelled) == (2, 1)
    together = pooled([one, two])
    assert (len(together.examples), together.unlabelled) == (5, 1)
    with pytest.raises(ValueError):
        practise(states, ["Lima"], labels.get, question="q", run="r")


def test_figures_by_hand() -> None:
    # Pairs of right and wrong: 0.9>0.8, 0.9>0.1, 0.8=0.8 (half), 0.8>0.1: 3.5 of 4.
    seen = [Foretold("a", 0.9, True), Foretold("b", 0.8, False), Foretold("c", 0.8, True)]
    seen.append(Foretold("d", 0.1, False))
    found = quality(seen)
    assert found.auroc.value == pytest.approx(3.5 / 4)
    assert found.brier.value == pytest.approx((0.01 + 0.64 + 0.04 + 0.01) / 4)
    # Bins: 0.1 holds one wrong one, 0.8 two with one right, 0.9 one right one.
    assert found.ece.value == pytest.approx((0.1 + 2 * 0.3 + 0.1) / 4)
    assert (found.right, found.brier_of_share, found.n, found.questions) == (0.5, 0.25, 4, 4)
    assert found.auroc.low <= found.auroc.value <= found.auroc.high
    assert str(found.auroc).startswith("0.875 [")
    with pytest.raises(ValueError):
        quality(seen[:1])


def test_intervals_draw_questions_not_moments() -> None:
    few = [Foretold(f"q{n % 4}", p, n % 3 > 0) for n, p in enumerate([0.9, 0.2, 0.7, 0.4, 0.6, 0.1] * 5)]
    many = [one._replace(question=str(at)) for at, one in enumerate(few)]
    assert quality(few).brier.value == quality(many).brier.value
    assert quality(few).brier != quality(many).brier
