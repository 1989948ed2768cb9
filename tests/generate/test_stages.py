"""Stages: the right rubric in each, an answer late in the budget, a score for each stage."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.generate import HeuristicGenerator, RubricGenerator, Written
from coreact.generate.generator import NoRubricError
from coreact.generate.stages import STAGES, StagedGenerator, StageScore, coverage, stage_of, stage_scores
from coreact.judge import Verdict, judgement
from coreact.rubric import (
    AnswerObserved,
    Criterion,
    DoesNotStop,
    Observation,
    Rubric,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
)
from coreact.testing import ScriptedGenerator

QUESTION = "Which river flows through the birthplace of Marlon Brando?"
SEARCH = ToolContract(
    name="search",
    role="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)


def took(text: str) -> Step:
    call = ToolCall(name="search", arguments={"query": text[:9]})
    return Step(call=call, observation=Observation(text=text))


def start(limit: int | None = None) -> State:
    return State.start(QUESTION, tools=(SEARCH,), limit=limit)


@pytest.fixture(params=["sync", "async"])
def write(request: pytest.FixtureRequest) -> Any:
    def written(generator: RubricGenerator, state: State) -> Written:
        if request.param == "sync":
            return generator.write(state)
        return asyncio.run(generator.awrite(state))

    return written


def rubric(*criteria: Criterion, text: str = "Search.") -> Rubric:
    return Rubric(criteria=criteria or (Criterion(id="c1", text=text),))


def test_a_run_goes_through_four_stages() -> None:
    """Asked: river, flows, through, birthplace, marlon, brando: two, two, then all six are covered."""
    states = [start()]
    for text in ("Marlon Brando acted.", "Mud is brown.", "The river flows through his birthplace.", "Yes."):
        states.append(states[-1].after(took(text)))
    assert [coverage(state) for state in states] == pytest.approx([0, 2 / 6, 2 / 6, 1, 1])
    assert [stage_of(state) for state in states] == ["plan", "gather", "gather", "review", "synthesise"]
    assert set(STAGES) == {stage_of(state) for state in states}


def test_the_end_of_the_budget_is_for_the_answer() -> None:
    state = start(limit=3)
    assert [stage_of(state), stage_of(state.after(took("Mud.")))] == ["plan", "gather"]
    late = state.after(took("Mud.")).after(took("More mud."))
    assert (late.phase, stage_of(late)) == ("late", "synthesise")
    assert stage_of(start(limit=1)) == "synthesise"


def test_a_question_without_long_words_is_never_covered() -> None:
    state = State.start("Why is it so?").after(took("It is so."))
    assert (coverage(state), stage_of(state)) == (0.0, "gather")


def test_each_stage_has_its_rubric_and_every_criterion_its_stage(write: Any) -> None:
    writers = {stage: ScriptedGenerator(rubric(text=f"{stage} well.")) for stage in STAGES}
    generator = StagedGenerator(writers)
    state = start()
    texts = []
    for text in ("Marlon Brando acted.", "The river flows through his birthplace.", "Yes.", "No."):
        written = write(generator, state)
        assert {criterion.stage for criterion in written.rubric} == {stage_of(state)}
        texts.append([criterion.text for criterion in written.rubric])
        state = state.after(took(text))
    assert texts == [[f"{stage} well."] for stage in STAGES]
    assert isinstance(generator, RubricGenerator)
    assert generator.id == "staged(plan=scripted, gather=scripted, review=scripted, synthesise=scripted)"
    assert written.cost.calls == 1


def test_stages_may_be_the_users_own(write: Any) -> None:
    def by_tool(state: State) -> str:
        return "outline" if not state.steps else "draft"

    generator = StagedGenerator(
        {"outline": ScriptedGenerator(rubric())}, stage_of=by_tool, default=HeuristicGenerator()
    )
    assert generator.id == "staged(outline=scripted, *=heuristic.1)"
    assert [c.stage for c in write(generator, start()).rubric] == ["outline"]
    later = write(generator, start().after(took("Mud."))).rubric
    assert {criterion.stage for criterion in later} == {"draft"}
    assert {criterion.provenance.source for criterion in later} == {"heuristic.1"}  # type: ignore[union-attr]


def test_a_stage_without_a_generator_is_an_error(write: Any) -> None:
    generator = StagedGenerator({"review": HeuristicGenerator()})
    with pytest.raises(NoRubricError, match="the stage 'plan'"):
        write(generator, start())
    with pytest.raises(ConfigError):
        StagedGenerator({})


def test_late_in_the_budget_a_rubric_asks_to_answer(write: Any) -> None:
    inner = rubric(
        Criterion(id="go", text="Do not answer yet.", check=DoesNotStop()),
        Criterion(id="answer", text="Name a source.", depends_on=("go",), weight=3),
    )
    generator = StagedGenerator({}, default=ScriptedGenerator(inner))
    early = write(generator, start(limit=4))
    assert [criterion.id for criterion in early.rubric] == ["go", "answer"]
    late = write(generator, start(limit=1))
    assert [(c.id, c.stage) for c in late.rubric] == [("answer", "synthesise"), ("answer1", "synthesise")]
    assert isinstance(late.rubric.criteria[1].check, Stops)
    assert [(remark.deed, remark.problem) for remark in late.remarks] == [("dropped", "conflict")]


def test_a_rubric_that_asks_to_answer_is_not_asked_twice(write: Any) -> None:
    inner = rubric(
        Criterion(id="a", text="Answer.", check=Stops(), veto=True),
        Criterion(id="b", text="Answer by what was observed.", check=AnswerObserved()),
    )
    written = write(StagedGenerator({}, default=ScriptedGenerator(inner)), start(limit=1))
    assert [criterion.id for criterion in written.rubric] == ["a", "b"]


def test_scores_by_stage_by_hand() -> None:
    one = rubric(
        Criterion(id="a", text="A.", weight=3, stage="plan"), Criterion(id="b", text="B.", stage="plan")
    )
    two = rubric(
        Criterion(id="a", text="A.", stage="gather"),
        Criterion(id="b", text="B.", stage="gather"),
        Criterion(id="c", text="C."),
    )

    def by(of: Rubric, **statuses: Any) -> Any:
        verdicts = [Verdict(criterion=key, reason="-", status=status) for key, status in statuses.items()]
        return of, judgement(of, verdicts)

    scores = stage_scores(
        [
            by(one, a="met", b="unmet"),  # plan 3/4
            by(two, a="partial", b="unknown", c="unknown"),  # gather 1/2, none: nothing
            by(two, a="met", b="unmet", c="met"),  # gather 1/2, none 1
            by(two, a="unknown", b="not_applicable", c="unmet"),  # gather nothing, none 0
        ]
    )
    assert scores == (
        StageScore("plan", 0.75, 1, 1),
        StageScore("gather", 0.5, 2, 3),
        StageScore(None, 0.5, 2, 3),
    )
    assert stage_scores([by(two, a="unknown", b="unknown", c="unknown")])[0].score is None
    assert stage_scores([]) == ()
    with pytest.raises(ValueError, match="not"):
        stage_scores([(one, by(two, a="met", b="met", c="met")[1])])
