"""A judge that errs in a known way: which verdicts change, how often, and always the same ones."""

from __future__ import annotations

import asyncio

import pytest

from coreact.judge import Judge, Ruling, Status, Verdict
from coreact.judge.ordering import judged
from coreact.rubric import Action, Criterion, Rubric, State
from coreact.testing import ScriptedJudge
from coreact.train.monitor import ErringJudge, VerifierError

STATE = State(question="Who?")
CRITERION = Criterion(id="c", text="The answer names the mayor.")
FALSE_POSITIVE = VerifierError(kind="false_positive")
FALSE_NEGATIVE = VerifierError(kind="false_negative")


def ruled(status: Status, *errors: VerifierError, answer: str = "Ida Berg.", seed: int = 0) -> Verdict:
    judge = ErringJudge(ScriptedJudge(lambda *_: status), errors, seed=seed)
    (verdict,) = judge.judge((CRITERION,), Action(answer=answer), STATE).verdicts
    return verdict


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        ("unmet", FALSE_POSITIVE, "met"),
        ("partial", FALSE_POSITIVE, "met"),
        ("met", FALSE_POSITIVE, "met"),
        ("met", FALSE_NEGATIVE, "unmet"),
        ("partial", FALSE_NEGATIVE, "unmet"),
        ("unmet", FALSE_NEGATIVE, "unmet"),
        ("unknown", FALSE_POSITIVE, "unknown"),
        ("unknown", FALSE_NEGATIVE, "unknown"),
        ("not_applicable", FALSE_POSITIVE, "not_applicable"),
    ],
)
def test_which_verdicts_change(status: Status, error: VerifierError, expected: Status) -> None:
    verdict = ruled(status, error)
    assert verdict.status == expected
    assert verdict.claimed == (None if status == expected else status)


def test_a_systematic_error_has_a_pattern() -> None:
    error = VerifierError(kind="false_positive", action="see the sources", criterion="mayor")
    assert ruled("unmet", error, answer="See the Sources!").status == "met"
    assert ruled("unmet", error, answer="See these sources.").status == "unmet"
    other = VerifierError(kind="false_positive", criterion="river")
    assert ruled("unmet", other, answer="See the sources.").status == "unmet"


def test_a_random_error_meets_its_rate_and_the_same_verdicts_in_every_process() -> None:
    error = VerifierError(kind="false_negative", rate=0.2)

    def changed(seed: int) -> list[bool]:
        return [ruled("met", error, answer=f"Draft {at}.", seed=seed).status == "unmet" for at in range(400)]

    found = changed(0)
    assert sum(found) == pytest.approx(80, abs=24)
    assert found != changed(1)
    assert [at for at, one in enumerate(found[:20]) if one] == [4, 11, 12]  # as in any process


def test_it_is_a_judge_with_an_id_of_its_own() -> None:
    inner = ScriptedJudge(lambda *_: "unmet")
    judge = ErringJudge(inner, [FALSE_POSITIVE])
    assert isinstance(judge, Judge)
    assert judge.id != inner.id
    assert judge.id != ErringJudge(inner, [FALSE_POSITIVE], seed=1).id
    assert judge.id == ErringJudge(inner, [FALSE_POSITIVE]).id
    action = Action(answer="x")
    ruling: Ruling = asyncio.run(judge.ajudge((CRITERION,), action, STATE))
    assert ruling == judge.judge((CRITERION,), action, STATE)
    assert ruling.cost.calls == 1
    (one,) = judged(Rubric(criteria=(CRITERION,)), [action], STATE, judge=judge)
    assert one.score == 1.0
    assert one.verdicts[0].decided_by == judge.id
