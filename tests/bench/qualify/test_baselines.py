"""The judges that any judge must beat."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from coreact.bench.qualify.baselines import LexicalJudge, MajorityJudge, overlap
from coreact.bench.qualify.cases import JudgeCase, LabelStatus
from coreact.errors import ConfigError
from coreact.judge.runner import Judge
from coreact.rubric import Action, Criterion, Observation, State, Step, ToolCall

MakeCases = Callable[..., tuple[JudgeCase, ...]]
ONE = (Criterion(id="a", text="T."),)
PAGE = Observation(text="Faust was written by Goethe in Weimar.", id="m1")
STATE = State.start("Who wrote Hamlet?").after(Step(call=ToolCall(name="read"), observation=PAGE))


@pytest.mark.parametrize(
    ("action", "share"),
    [
        (Action(answer="Goethe was in Weimar"), 1.0),  # "was" and "in" carry nothing
        (Action(answer="GOETHE, Schiller"), 0.5),
        (Action(answer="Hamlet"), 0.0),  # the question is no observation
        (Action(answer="the of and"), 1.0),
        (Action(call=ToolCall(name="f", arguments={"q": ["Goethe", {"x": "Jena"}]})), 0.5),
    ],
)
def test_overlap_is_the_share_of_content_words_that_were_observed(action: Action, share: float) -> None:
    assert overlap(action, STATE) == share


def test_without_observations_the_rest_counts_as_observed() -> None:
    thought = Step(call=ToolCall(name="think", arguments={"thought": "Goethe"}))
    state = State.start("Who wrote Faust?", given=("Weimar",)).after(thought)
    assert overlap(Action(answer="Faust Goethe Weimar Jena"), state) == 0.75


@pytest.mark.parametrize(
    ("answer", "status"), [("Goethe", "met"), ("Goethe Jena", "partial"), ("Jena", "unmet")]
)
async def test_two_thresholds_make_three_statuses(answer: str, status: str) -> None:
    judge = LexicalJudge(partial=0.5, met=0.8)
    said = judge.judge((*ONE, Criterion(id="b", text="U.")), Action(answer=answer), STATE)
    assert [(v.criterion, v.status) for v in said.verdicts] == [("a", status), ("b", status)]
    assert "%" in said.verdicts[0].reason
    assert said == await judge.ajudge((*ONE, Criterion(id="b", text="U.")), Action(answer=answer), STATE)


def labelled(answer: str, label: LabelStatus, at: int) -> JudgeCase:
    return JudgeCase(
        id=str(at),
        dataset="d",
        question="?",
        steps=(Step(call=ToolCall(name="read"), observation=PAGE),),
        action=Action(answer=answer),
        criteria=ONE,
        labels={"a": label},
    )


def test_thresholds_are_fitted() -> None:
    kinds: list[tuple[str, LabelStatus]] = [
        ("Goethe", "met"),
        ("Goethe x", "partial"),
        ("Goethe x y z", "unmet"),
    ]
    cases = [labelled(*kinds[at % 3], at) for at in range(12)]
    judge = LexicalJudge.fitted(cases)
    assert 0.25 < judge.partial <= 0.5 < judge.met <= 1.0
    binary = LexicalJudge.fitted([case for case in cases if case.labels["a"] != "partial"])
    said = [binary.judge(ONE, case.action, case.state).verdicts[0].status for case in cases]
    assert "partial" not in {said[0], said[2]}
    assert judge.id != LexicalJudge().id


def test_the_majority_is_counted_over_criteria(make_cases: MakeCases) -> None:
    assert MajorityJudge.fitted(make_cases(100)).status == "unmet"  # twice as likely as the others
    judge = MajorityJudge("partial")
    assert [v.status for v in judge.judge(ONE, Action(answer=""), STATE).verdicts] == ["partial"]
    assert isinstance(judge, Judge)
    assert isinstance(LexicalJudge(), Judge)


def test_what_cannot_be_fitted_or_does_not_exist() -> None:
    for fitted in (LexicalJudge.fitted, MajorityJudge.fitted):
        with pytest.raises(ConfigError, match="no cases"):
            fitted([])
    with pytest.raises(ConfigError, match="met, partial"):
        MajorityJudge("yes")
    for low, high in ((0.8, 0.5), (-0.1, 0.5), (0.5, 1.1)):
        with pytest.raises(ConfigError, match="ascend"):
            LexicalJudge(partial=low, met=high)
