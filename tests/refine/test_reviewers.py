"""Several reviewers: the strictest decides, points are merged, a broken one is no vote for yes."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest

from coreact.errors import ConfigError
from coreact.judge.records import Cost, Evidence, Status, Verdict
from coreact.judge.runner import Judge, Ruling
from coreact.refine import Reviewers
from coreact.rubric import Action, Criterion, State
from coreact.testing.scripted import ScriptedJudge

CRITERION = Criterion(id="c", text="t")


class Saying:
    def __init__(self, name: str, **verdict: Any) -> None:
        self.id = name
        self.verdict = verdict

    def judge(self, criteria: Any, action: Any, state: Any) -> Ruling:
        return Ruling(
            tuple(Verdict(criterion=c.id, decided_by=self.id, **self.verdict) for c in criteria),
            Cost(calls=1, input_tokens=10),
        )

    async def ajudge(self, criteria: Any, action: Any, state: Any) -> Ruling:
        return self.judge(criteria, action, state)


def ruled(run: Any, *judges: Any) -> Ruling:
    reviewers = Reviewers(judges)
    assert isinstance(reviewers, Judge)
    found: Ruling = run.call(
        reviewers.judge, reviewers.ajudge, (CRITERION,), Action(answer="x"), State.start("q")
    )
    return found


ORDER: tuple[Status, ...] = ("unmet", "partial", "unknown", "met", "not_applicable")


def test_the_strictest_verdict_decides(run: Any) -> None:
    assert set(ORDER) == set(get_args(Status))
    for left, right in product(ORDER, repeat=2):
        ((verdict,), _) = ruled(
            run, Saying("a", status=left, reason="r"), Saying("b", status=right, reason="s")
        )
        assert verdict.status == min(left, right, key=ORDER.index)


def test_reasons_evidence_and_costs_of_those_who_object_are_merged(run: Any) -> None:
    quote = Evidence(message_id="m", quote="1990")
    ((verdict,), cost) = ruled(
        run,
        Saying("a", status="unmet", reason="The year is wrong.", evidence=(quote,)),
        Saying("b", status="met", reason="All fine."),
        Saying("c", status="unmet", reason="the YEAR is wrong", evidence=(quote,)),
        Saying("d", status="unmet", reason="No source."),
    )
    assert verdict.reason == "The year is wrong. No source."
    assert verdict.evidence == (quote,)
    assert verdict.decided_by == "a, c, d"
    assert verdict.confidence == 0.75
    assert (cost.calls, cost.input_tokens) == (4, 40)


def test_a_reviewer_that_breaks_is_unknown_with_its_cause(run: Any) -> None:
    fine = Saying("a", status="met", reason="r")
    ((verdict,), _) = ruled(run, fine, ScriptedJudge(TimeoutError("late"), name="b"))
    assert (verdict.status, verdict.fault, verdict.cause) == ("unknown", "instrument", "transport")
    assert verdict.decided_by == "b"
    ((verdict,), _) = ruled(
        run, Saying("a", status="unmet", reason="no"), ScriptedJudge(TimeoutError("late"), name="b")
    )
    assert (verdict.status, verdict.fault) == ("unmet", "none")


@pytest.mark.parametrize("judges", [[], [Saying("a", status="met", reason="r")]])
def test_one_reviewer_is_none(judges: Any) -> None:
    with pytest.raises(ConfigError, match="two or more"):
        Reviewers(judges)
