"""Every attempt is kept once, torn files heal, and only what may have passed is asked for again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coreact.bench.rank.rubrics import Attempt, Kept, write_rubrics
from coreact.errors import GenerationError, LabelFileError
from coreact.generate.generator import NoRubricError, RubricRefusedError
from coreact.judge import Cost
from coreact.rubric import Action, Criterion, Observation, Rubric, State, Step, Stops, ToolCall
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.rubric.remarks import Remark
from coreact.testing import ScriptedGenerator
from coreact.trace.journal import Journal

RUBRIC = Rubric(criteria=(Criterion(id="a", text="Answer now.", check=Stops()),))
OTHER = Rubric(criteria=(Criterion(id="b", text="Do not answer."),))


def point(name: str, *, steps: int = 0) -> BranchingPoint:
    state = State.start(f"zebra ape question {name}")
    for at in range(steps):
        call = ToolCall(name="search", arguments={"query": f"zebra ape {at}"})
        state = state.after(Step(call=call, observation=Observation(text="Zebra and ape, question.")))
    return BranchingPoint(
        id=name,
        question_id=name,
        world="w",
        state=state,
        candidates=(
            Candidate(action=Action(answer="yes"), gain=1.0),
            Candidate(action=Action(call=ToolCall(name="search", arguments={"query": "zebra"})), gain=0.0),
        ),
    )


def refused(kind: type[NoRubricError] = NoRubricError, cause: str = "parse") -> NoRubricError:
    remark = Remark(deed="dropped", reason="empty", problem="empty")
    return kind(
        "it said nothing",
        generator="scripted",
        cause=cause,
        cost=Cost(calls=2),
        remarks=[remark],  # type: ignore[arg-type]
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "attempts.jsonl"


# --- the journal ------------------------------------------------------------------------------------


def test_points_come_back_as_they_were_and_equal_ones_give_equal_lines(file: Path) -> None:
    journal = Journal(file, BranchingPoint)
    journal.add(point("p", steps=2))
    assert Journal(file, BranchingPoint).records == [point("p", steps=2)] == journal.records
    assert '"covered": ["ape", "question", "zebra"]' in file.read_text(encoding="utf-8")
    again = file.with_name("again.jsonl")
    Journal(again, BranchingPoint).add(Journal(file, BranchingPoint).records[0])
    assert again.read_bytes() == file.read_bytes()


def test_a_torn_last_line_is_cut_off(file: Path) -> None:
    journal = Journal(file, BranchingPoint)
    journal.add(point("p"))
    journal.add(point("q"))
    file.write_bytes(file.read_bytes()[:-9])
    healed = Journal(file, BranchingPoint)
    assert [one.id for one in healed.records] == ["p"]
    healed.add(point("q"))
    assert [one.id for one in Journal(file, BranchingPoint).records] == ["p", "q"]


@pytest.mark.parametrize(
    ("line", "says"), [("{", "not JSON"), ('{"id": "x"}', "'question_id'"), ("[]", "list")]
)
def test_any_other_broken_line_is_named(file: Path, line: str, says: str) -> None:
    Journal(file, BranchingPoint).add(point("p"))
    file.write_text(file.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(LabelFileError, match=says) as caught:
        Journal(file, BranchingPoint)
    assert (caught.value.path, caught.value.line) == (file, 2)


def test_text_that_is_no_utf8_is_kept(file: Path) -> None:
    odd = Attempt(generator="g", state="s", rubric=None, error="half a pair: \ud800")
    Journal(file, Attempt).add(odd)
    assert Journal(file, Attempt).records == [odd]


# --- attempts ---------------------------------------------------------------------------------------


def test_an_attempt_is_the_rubric_or_what_broke() -> None:
    generator = ScriptedGenerator(
        RUBRIC, refused(), refused(RubricRefusedError), GenerationError("x", generator="g")
    )
    wrote, broke, gated, other = write_rubrics(generator, [point(n) for n in "abcd"])
    assert (wrote.rubric, wrote.error, wrote.cost.output_tokens) == (RUBRIC, None, 10)
    assert wrote.state == point("a").state.digest
    assert wrote.cost.seconds > 0
    assert (broke.rubric, broke.cause, broke.refused, broke.cost.calls) == (None, "parse", False, 2)
    assert broke.remarks[0].problem == "empty"
    assert gated.refused
    assert (other.cause, other.cost.calls) == ("bug", 0)


def test_a_bug_is_no_attempt() -> None:
    with pytest.raises(ZeroDivisionError):
        list(write_rubrics(ScriptedGenerator(ZeroDivisionError()), [point("a")]))


def test_what_is_kept_is_not_asked_for_again(file: Path) -> None:
    first = ScriptedGenerator(RUBRIC, refused(), refused(RubricRefusedError))
    points = [point(n) for n in "abc"]
    before = list(write_rubrics(Kept(first, Journal(file, Attempt)), points))
    silent = ScriptedGenerator(AssertionError("asked again"))
    after = list(write_rubrics(Kept(silent, Journal(file, Attempt)), points))
    assert [one.rubric for one in after] == [one.rubric for one in before] == [RUBRIC, None, None]
    assert [one.refused for one in after] == [False, False, True]
    assert [one.cost.calls for one in after] == [one.cost.calls for one in before]
    assert len(Journal(file, Attempt).records) == 3


@pytest.mark.parametrize("cause", ["transport", "rate_limit", "bug"])
def test_what_may_have_passed_is_asked_for_again(file: Path, cause: str) -> None:
    list(write_rubrics(Kept(ScriptedGenerator(refused(cause=cause)), Journal(file, Attempt)), [point("a")]))
    (again,) = write_rubrics(Kept(ScriptedGenerator(RUBRIC), Journal(file, Attempt)), [point("a")])
    assert again.rubric == RUBRIC
    (kept,) = write_rubrics(Kept(ScriptedGenerator(OTHER), Journal(file, Attempt)), [point("a")])
    assert kept.rubric == RUBRIC


def test_another_state_generator_or_fitting_is_another_attempt(file: Path) -> None:
    def kept(fitted: str = "", name: str = "scripted") -> Kept:
        generator = ScriptedGenerator(OTHER)
        generator.id = name
        return Kept(generator, Journal(file, Attempt), fitted=fitted)

    list(write_rubrics(Kept(ScriptedGenerator(RUBRIC), Journal(file, Attempt)), [point("a")]))
    assert [a.rubric for a in write_rubrics(kept(), [point("a"), point("a", steps=1)])] == [RUBRIC, OTHER]
    assert kept("a bank").write(point("a").state).rubric == OTHER
    assert kept(name="scripted.2").write(point("a").state).rubric == OTHER


async def test_the_async_twin_keeps_the_same(file: Path) -> None:
    made: Callable[[], Kept] = lambda: Kept(  # noqa: E731
        ScriptedGenerator(RUBRIC, refused()), Journal(file, Attempt)
    )
    first = made()
    assert (await first.awrite(point("a").state)).rubric == RUBRIC
    with pytest.raises(NoRubricError, match="said nothing"):
        await first.awrite(point("b").state)
    assert made().write(point("a").state).rubric == RUBRIC
    with pytest.raises(NoRubricError, match="said nothing"):
        made().write(point("b").state)


def test_a_model_out_of_reach_ends_the_run_and_what_was_written_stays(file: Path) -> None:
    script = [RUBRIC, *(refused(cause="transport") for _ in range(9))]
    attempts: list[Attempt] = []
    with pytest.raises(GenerationError, match="5 times in a row") as caught:
        attempts.extend(
            write_rubrics(
                Kept(ScriptedGenerator(*script), Journal(file, Attempt)), [point(n) for n in "abcdefghij"]
            )
        )
    assert caught.value.cause == "transport"
    assert [one.rubric for one in Journal(file, Attempt).records] == [RUBRIC, *[None] * 5]
