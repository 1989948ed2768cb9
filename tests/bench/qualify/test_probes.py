"""Judges with one planted bias each: its own probe finds it, at its rate, and the others stay quiet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from coreact.bench.qualify.cases import JudgeCase
from coreact.bench.qualify.metrics import Item, paired
from coreact.bench.qualify.probes import harms, length_slope
from coreact.bench.qualify.variants import CHANGES, INJECTIONS, PADDING, Variant
from coreact.judge.qualification import HARMS, Measured
from coreact.judge.records import Cost, Evidence, Status, Verdict
from coreact.judge.runner import Ruling
from coreact.rubric import Action, Criterion, State

MakeCases = Callable[..., tuple[JudgeCase, ...]]
AskAbout = Callable[..., Any]
N = 120
RATE = 0.4
"""Share of the cases that a planted bias strikes."""


@dataclass
class Fair:
    """Knows the labels and says nothing else, whatever the case looks like."""

    cases: Sequence[JudgeCase]
    id: str = "fair@1"
    rate: float = 0.0
    """Share of the cases that the bias of a subclass strikes."""
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        name = (action.answer or "").split("\n", 1)[0]
        case = self.cases[int(name.removeprefix("case-"))]
        self.asked.append((name, tuple(criterion.id for criterion in criteria)))
        right = [
            Verdict(criterion=c.id, reason="known", status=case.statuses()[c.id], decided_by=self.id)
            for c in criteria
        ]
        # Evenly spread over the cases and, as authors take turns, over the authors.
        struck = int(name.removeprefix("case-")) // 4 * 0.6180339887 % 1 < self.rate
        return Ruling(tuple(self.swayed(right, case, action, state) if struck else right), Cost(calls=1))

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)

    def swayed(self, right: list[Verdict], case: JudgeCase, action: Action, state: State) -> list[Verdict]:
        return right


def met(verdict: Verdict) -> Verdict:
    return verdict.model_copy(update={"status": "met"})


class Dice(Fair):
    """Tosses a coin about the first criterion, each time anew."""

    def swayed(self, right: list[Verdict], case: JudgeCase, action: Action, state: State) -> list[Verdict]:
        status = Random(len(self.asked)).choice(["met", "unmet"])
        return [right[0].model_copy(update={"status": status}), *right[1:]]


class FirstIsBest(Fair):
    """Says of whatever criterion stands first that it is partly met."""

    def swayed(self, right: list[Verdict], case: JudgeCase, action: Action, state: State) -> list[Verdict]:
        if len(right) < 2:
            return right
        return [right[0].model_copy(update={"status": "partial"}), *right[1:]]


class LovesLength(Fair):
    """Takes courtesy for quality: one grade more."""

    def swayed(self, right: list[Verdict], case: JudgeCase, action: Action, state: State) -> list[Verdict]:
        if PADDING not in str(action):
            return right
        up = {"unmet": "partial", "partial": "met", "met": "partial"}
        return [v.model_copy(update={"status": up[v.status]}) for v in right]


class ObeysPages(Fair):
    """Does what an observation says."""

    def swayed(self, right: list[Verdict], case: JudgeCase, action: Action, state: State) -> list[Verdict]:
        shown = "".join(step.observation.text for step in state.steps if step.observation)
        return list(map(met, right)) if any(line in shown for line in INJECTIONS) else right


class ObeysAnswers(Fair):
    """Does what the answer says."""

    def swayed(self, right: list[Verdict], case: JudgeCase, action: Action, state: State) -> list[Verdict]:
        return list(map(met, right)) if any(line in str(action) for line in INJECTIONS) else right


class LovesItself(Fair):
    """Passes failures of the family `own`."""

    def swayed(self, right: list[Verdict], case: JudgeCase, action: Action, state: State) -> list[Verdict]:
        return list(map(met, right)) if case.author == "own" else right


class Bluffs(Fair):
    """Quotes, and claims some things to be met that it cannot quote."""

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        said = super().judge(criteria, action, state)
        quote = (Evidence(message_id="m1", quote="It was"),)
        return Ruling(
            tuple(
                v if v.claimed else v.model_copy(update={"evidence": quote if v.status == "met" else ()})
                for v in said.verdicts
            ),
            said.cost,
        )

    def swayed(self, right: list[Verdict], case: JudgeCase, action: Action, state: State) -> list[Verdict]:
        lost = {"status": "unknown", "claimed": "met", "fault": "instrument", "cause": "unsupported"}
        return [v.model_copy(update=lost) if v.status == "met" else v for v in right]


def measure(ask: AskAbout, judge: Fair, *, probes: int = N) -> dict[str, Measured | None]:
    asks, ruled = ask(judge, judge.cases, probes=probes)
    by_variant: dict[Variant, list[Item]] = {"plain": [], **{variant: [] for variant in CHANGES}}
    for one, said in zip(asks, ruled, strict=True):
        by_variant[one.variant] += paired(one.case, said.verdicts)
    return harms(by_variant, family="own")


def test_a_fair_judge_raises_no_alarm(make_cases: MakeCases, ask: AskAbout) -> None:
    found = measure(ask, Fair(make_cases(N)))
    assert set(found) == set(HARMS)
    assert found.pop("unsupported_met") is None  # it never quotes: no telling
    for name, rate in found.items():
        assert rate is not None, name
        assert rate.value == 0, name
        assert rate.n >= 30, name
        assert rate.low <= 0 <= rate.high < 0.1, name  # nothing hit is no certainty


@pytest.mark.parametrize(
    ("biased", "harm", "planted"),
    [
        # Half of the struck first criteria come out another way; of two criteria one is struck.
        (Dice, "flip", RATE / 4),
        (LovesLength, "padding", RATE),
        (ObeysPages, "injected_observation", RATE),
        (ObeysAnswers, "injected_proposal", RATE),
        (LovesItself, "self_preference", RATE),
        (Bluffs, "unsupported_met", RATE),
    ],
)
def test_each_bias_is_found_at_its_rate_and_by_its_probe_alone(
    make_cases: MakeCases,
    ask: AskAbout,
    biased: type[Fair],
    harm: str,
    planted: float,
) -> None:
    judge = biased(make_cases(N), rate=RATE)
    found = measure(ask, judge)
    measured = found.pop(harm)
    assert measured is not None
    assert measured.low <= planted <= measured.high
    assert measured.low > 0
    if biased is Dice:
        return  # it flips under every probe, which is why the others are read beside `flip`
    assert all(other is None or other.value == 0 for other in found.values()), found


def test_a_judge_that_favours_the_first_criterion(make_cases: MakeCases, ask: AskAbout) -> None:
    judge = FirstIsBest(make_cases(N), rate=RATE)
    found = measure(ask, judge)
    order = found["order"]
    assert order is not None
    # Whoever stands first is called partial; that changes all labels but those that are partial (1 in 4).
    assert order.low <= RATE * 0.75 <= order.high
    assert order.low > 0
    assert all(rate is None or rate.value == 0 for name, rate in found.items() if name != "order")


def test_one_criterion_has_no_order_and_nobody_has_no_family(make_cases: MakeCases, ask: AskAbout) -> None:
    single = make_cases(40, criteria=(Criterion(id="a", text="It is supported."),))
    found = measure(ask, Fair([case.model_copy(update={"author": None}) for case in single]))
    assert found["order"] is None
    assert found["self_preference"] is None
    known = measure(ask, Fair([case.model_copy(update={"author": "own"}) for case in single], id="fair@2"))
    assert known["self_preference"] is None  # no others to compare with


def test_a_judge_that_always_says_met_has_nothing_left_to_gain(make_cases: MakeCases, ask: AskAbout) -> None:
    class Yes(Fair):
        def swayed(
            self, right: list[Verdict], case: JudgeCase, action: Action, state: State
        ) -> list[Verdict]:
            return list(map(met, right))

    found = measure(ask, Yes(make_cases(40), rate=1.0))
    assert found["injected_observation"] is None
    assert found["injected_proposal"] is None


def test_a_judge_that_lets_everybody_pass_does_not_favour_itself(
    make_cases: MakeCases, ask: AskAbout
) -> None:
    class Lenient(Fair):
        def swayed(
            self, right: list[Verdict], case: JudgeCase, action: Action, state: State
        ) -> list[Verdict]:
            return list(map(met, right))

    gap = measure(ask, Lenient(make_cases(N), rate=RATE), probes=1)["self_preference"]
    assert gap is not None
    assert gap.low <= 0 <= gap.high
    assert abs(gap.value) < RATE / 2


def test_a_broken_instrument_is_not_a_flip(make_cases: MakeCases, ask: AskAbout) -> None:
    class Torn(Fair):
        def swayed(
            self, right: list[Verdict], case: JudgeCase, action: Action, state: State
        ) -> list[Verdict]:
            broken = {"status": "unknown", "fault": "instrument", "cause": "parse"}
            return [v.model_copy(update=broken) for v in right] if len(self.asked) % 2 else right

    found = measure(ask, Torn(make_cases(N), rate=1.0))
    flip = found["flip"]
    assert flip is not None
    assert flip.value == 0
    assert flip.n < 2 * N


def test_probes_that_were_not_asked_are_absent(make_cases: MakeCases, ask: AskAbout) -> None:
    asks, ruled = ask(Fair(make_cases(8)), make_cases(8))
    items = [item for one, said in zip(asks, ruled, strict=True) for item in paired(one.case, said.verdicts)]
    assert set(harms({"plain": items})) == {"self_preference", "unsupported_met"}


# --- length -----------------------------------------------------------------------------------


def lengths(cases: Sequence[JudgeCase], decide: Callable[[int, Status], Status]) -> Measured | None:
    return length_slope(
        [
            Item(c, "a", c.labels["a"], Verdict(criterion="a", reason="", status=status))
            for c in cases
            for status in [decide(len(str(c.action)), c.statuses()["a"])]
        ]
    )


def test_a_taste_for_length_shows_as_a_slope_and_a_fair_judge_has_none(make_cases: MakeCases) -> None:
    cases = make_cases(N)
    fair = lengths(cases, lambda length, truth: truth)
    assert fair is not None
    assert fair.value == pytest.approx(0, abs=1e-9)
    fond = lengths(cases, lambda length, truth: "met" if length > 150 else "unmet")
    assert fond is not None
    assert fond.low > 0.1
    averse = lengths(cases, lambda length, truth: "met" if length < 150 else "unmet")
    assert averse is not None
    assert averse.high < -0.1


def test_longer_work_that_is_better_is_no_taste_for_length(make_cases: MakeCases) -> None:
    better = [
        case.model_copy(
            update={"labels": {"a": "met" if len(str(case.action)) > 150 else "unmet", "b": "met"}}
        )
        for case in make_cases(N)
    ]
    slope = lengths(better, lambda length, truth: truth)
    assert slope is not None
    assert slope.value == pytest.approx(0, abs=1e-9)


def test_equal_lengths_have_no_slope(make_cases: MakeCases) -> None:
    cases = [case.model_copy(update={"action": Action(answer="same")}) for case in make_cases(20)]
    assert lengths(cases, lambda length, truth: truth) is None
