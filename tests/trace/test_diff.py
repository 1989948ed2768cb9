"""Runs side by side: what is aligned, where runs part, what each criterion did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.judge import Status, Verdict, judgement
from coreact.rubric import Action, Criterion, Rubric, ToolCall
from coreact.testing import sample_trajectory
from coreact.trace import (
    Attempt,
    Evaluator,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    StepRecord,
    Trajectory,
)
from coreact.trace.diff import Divergence, TrajectoryDiff, diff

RUBRIC = Rubric(criteria=(Criterion(id="a", text="Name the river"), Criterion(id="b", text="Be brief")))
JUDGE = Evaluator(name="judge-b", version="2", kind="model")


def judged(a: Status = "met", b: Status = "met", rubric: Rubric = RUBRIC) -> Any:
    said = (("a", a), ("b", b))
    return judgement(rubric, [Verdict(criterion=c, reason="so", status=status) for c, status in said])


def a_run(
    run_id: str,
    calls: Sequence[str],
    *,
    answer: str | None = "There.",
    statuses: Sequence[tuple[Status, Status]] = (),
    rubric: Rubric = RUBRIC,
    parent: str | None = None,
    forked_at: int | None = None,
    first_step: int = 0,
) -> Trajectory:
    """A run that searches for each of the texts and then answers; prompts grow as in an agent."""
    texts = [*calls, None] if answer is not None else [*calls]
    steps, seen = [], []
    for at, text in enumerate(texts):
        call = (
            None if text is None else ToolCall(name="search", arguments={"query": text}, id=f"{run_id}-{at}")
        )
        action = Action(answer=answer) if call is None else Action(call=call)
        before = texts[at - 1] if at else "Where?"
        told = judged(*statuses[at], rubric) if at < len(statuses) else judged(rubric=rubric)
        own = Attempt(
            index=0, source="first", message={}, actions=(action,), judgements=(told,), selected=True
        )
        steps.append(
            StepRecord(
                run=run_id,
                index=at,
                rubric=rubric,
                prompt_kept=at,
                prompt_added=({"type": "human", "data": {"content": before, "id": f"{run_id}-{at}"}},),
                attempts=(own,),
                dispositions=("run" if call else "answered",),
            )
        )
        if call is not None:
            text = f"about {text}"
            seen.append(ObservationRecord(run=run_id, step=at, call_id=call.id, tool="search", text=text))
    return Trajectory(
        run=RunRecord(id=run_id, question="Where?", parent=parent, forked_at=forked_at, started_ns=10**9),
        steps=tuple(steps[first_step:]),
        observations=tuple(one for one in seen if one.step >= first_step),
        end=RunEnd(run=run_id, status="done", answer=answer or "", score=0.5, ended_ns=3 * 10**9),
    )


def shape(found: TrajectoryDiff) -> list[str]:
    return [
        "".join("." if move is None else "ox"[move.tool is None] for move in row.moves) for row in found.rows
    ]


def test_a_run_and_itself_differ_in_nothing() -> None:
    whole = sample_trajectory()
    found = diff(whole, whole)
    assert found.pairs[0].divergence is None
    assert all(row.aligned and not row.differs and not row.verdicts for row in found.rows)
    assert found.pairs[0].common == len(found.rows) == 3
    assert TrajectoryDiff.model_validate_json(found.model_dump_json()) == found


def test_runs_are_aligned_by_tool_and_arguments() -> None:
    found = diff(a_run("a", ["x", "y", "z"]), a_run("b", ["x", "w", "z"]), a_run("c", ["z"]))
    assert shape(found) == ["oo.", "o..", ".o.", "ooo", "xxx"]
    assert [pair.common for pair in found.pairs] == [3, 2]
    assert found.rows[1].moves[0].text == "search(query='y')"
    assert found.columns[0].seconds == 2.0


calls = st.lists(st.sampled_from("abc"), max_size=6)


@given(st.lists(calls, min_size=2, max_size=4))
def test_every_run_stands_in_the_rows_whole_and_in_its_order(many: list[list[str]]) -> None:
    runs = [a_run(f"run-{at}", own) for at, own in enumerate(many)]
    found = diff(runs[0], *runs[1:])
    for at, run in enumerate(runs):
        steps = [row.moves[at].step for row in found.rows if row.moves[at] is not None]
        assert steps == [step.index for step in run.steps]
    for at, pair in enumerate(found.pairs, 1):
        both = [row for row in found.rows if row.moves[0] is not None and row.moves[at] is not None]
        assert len(both) == pair.common
        assert all(row.moves[0].tool is None or row.moves[0].text == row.moves[at].text for row in both)


def test_where_runs_part_first() -> None:
    base = a_run("a", ["x", "y"])
    assert diff(base, a_run("b", ["x", "y"])).pairs[0].divergence is None, "ids of calls are no difference"
    other_call = diff(base, a_run("b", ["x", "w"])).pairs[0].divergence
    assert other_call == Divergence(first=1, other=1, differs=("action", "observation"))
    assert diff(base, a_run("b", ["x"], answer=None)).pairs[0].divergence == Divergence(
        first=1, other=None, differs=("action",)
    )
    other_rubric = Rubric(criteria=RUBRIC.criteria, threshold=0.9)
    assert diff(base, a_run("b", ["x", "y"], rubric=other_rubric)).pairs[0].divergence == Divergence(
        first=0, other=0, differs=("rubric",)
    )
    asked = base.steps[0].model_copy(
        update={"prompt_added": ({"type": "human", "data": {"content": "Why?"}},)}
    )
    other_prompt = base.model_copy(update={"steps": (asked, *base.steps[1:])})
    assert diff(base, other_prompt).pairs[0].divergence == Divergence(first=0, other=0, differs=("messages",))
    late = base.observations[1].model_copy(update={"text": "nothing"})
    other_world = base.model_copy(update={"observations": (base.observations[0], late)})
    assert diff(base, other_world).pairs[0].divergence == Divergence(
        first=1, other=1, differs=("observation",)
    )
    said = diff(base, a_run("b", ["x", "y"], answer="Elsewhere."))
    assert said.pairs[0].divergence == Divergence(first=2, other=2, differs=("answer",))
    assert said.rows[-1].differs == ("answer",)
    strict = diff(base, a_run("b", ["x", "y"], statuses=[("unmet", "met")]))
    assert strict.pairs[0].divergence == Divergence(first=0, other=0, differs=("verdicts",))


def test_criteria_are_compared_where_runs_share_them() -> None:
    met: tuple[Status, Status] = ("met", "met")
    first = a_run("a", ["x", "y"], statuses=[("unmet", "met"), ("partial", "met"), met])
    second = a_run("b", ["x", "y"], statuses=[met, ("unknown", "unmet"), met])
    found = diff(first, second)
    assert [row.criterion for row in found.criteria] == ["a", "b"]
    a, b = found.criteria
    assert [counts.credit for counts in a.counts] == [0.5, 1.0]
    assert a.counts[1].unknown == 1
    assert a.deltas == (0.0, 0.5)
    assert b.deltas == (0.0, pytest.approx(-1 / 3))
    assert [(one.criterion, one.statuses) for one in found.rows[0].verdicts] == [("a", ("unmet", "met"))]
    assert found.pairs[0].score == pytest.approx(found.columns[1].score - found.columns[0].score)


def test_the_same_id_with_another_text_is_another_criterion() -> None:
    other = Rubric(criteria=(Criterion(id="a", text="Name the lake"), RUBRIC.criteria[1]))
    found = diff(a_run("a", ["x"]), a_run("b", ["x"], rubric=other, statuses=[("unmet", "unmet")]))
    assert [row.criterion for row in found.criteria] == ["b"]
    assert [one.criterion for one in found.rows[0].verdicts] == ["b"]


@pytest.mark.parametrize("first_step", [0, 2])
def test_what_a_fork_took_over_is_marked(first_step: int) -> None:
    """Whether the fork repeats the steps of its parent or begins where it left it."""
    base = a_run("a", ["x", "y", "z"])
    fork = a_run("b", ["x", "y", "w"], parent="a", forked_at=2, first_step=first_step)
    sibling = a_run("c", ["x", "y", "v"], parent="a", forked_at=2, first_step=first_step)
    found = diff(base, fork, sibling)
    assert [pair.shared for pair in found.pairs] == [2, 2]
    assert [pair.divergence.first for pair in found.pairs] == [2, 2]
    copied = [move.step for row in found.rows if (move := row.moves[1]) is not None and move.copied]
    assert copied == [0, 1]
    assert [row.aligned for row in found.rows[:2]] == [True, True]
    assert found.columns[1].score == 1.0
    assert not any(row.moves[0].copied for row in found.rows if row.moves[0] is not None)
    assert diff(fork, sibling).pairs[0].shared == 2
    assert diff(fork, sibling).pairs[0].divergence.first == 2
    assert diff(fork, base).pairs[0].shared == 2


def later(run: Trajectory, evaluator: Evaluator, *statuses: tuple[Status, Status]) -> Trajectory:
    made = [
        JudgementRecord(
            run=run.run.id,
            step=at,
            attempt=0,
            action=0,
            rubric=RUBRIC,
            judgement=judged(*one),
            evaluator=evaluator,
        )
        for at, one in enumerate(statuses)
    ]
    return run.model_copy(update={"judgements": (*run.judgements, *made)})


def test_one_run_as_two_evaluators_judged_it() -> None:
    run = later(a_run("a", ["x"]), JUDGE, ("unmet", "unmet"), ("met", "met"))
    found = diff(run, run, by=(None, "judge-b"))
    assert [column.judged_by for column in found.columns] == [None, "judge-b"]
    assert [column.score for column in found.columns] == [1.0, 0.5]
    assert found.pairs[0].score == -0.5
    assert found.pairs[0].divergence == Divergence(first=0, other=0, differs=("verdicts",))
    assert [row.aligned for row in found.rows] == [True, True]
    assert [len(row.verdicts) for row in found.rows] == [2, 0]
    assert [(one.evaluator, one.judgements, one.score) for one in found.columns[0].later] == [(JUDGE, 2, 0.5)]
    assert diff(run, run, by=(None, "2")).pairs == found.pairs


def test_parallel_calls_are_moves_of_their_own() -> None:
    both = tuple(Action(call=ToolCall(name="search", arguments={"query": q}, id=q)) for q in ("x", "y"))
    attempt = Attempt(index=0, source="first", message={}, actions=both, selected=True)
    at_once = a_run("a", [])
    step = at_once.steps[0].model_copy(update={"attempts": (attempt,), "dispositions": ("run", "returned")})
    found = diff(at_once.model_copy(update={"steps": (step,)}), a_run("b", ["x", "y"]))
    assert shape(found) == ["oo", "oo", ".x"]
    assert [row.moves[0].disposition for row in found.rows[:2]] == ["run", "returned"]
    assert found.rows[0].moves[0].score is None


def test_runs_without_moves_or_end() -> None:
    bare = Trajectory(run=RunRecord(id="bare", question="?"))
    found = diff(bare, a_run("a", ["x"]))
    assert shape(found) == [".o", ".x"]
    assert found.pairs[0].divergence == Divergence(first=None, other=0, differs=("action",))
    assert found.pairs[0].score is None
    assert diff(bare, bare).pairs[0].divergence is None


def test_what_cannot_be_compared_is_told() -> None:
    run = a_run("a", ["x"])
    with pytest.raises(ConfigError, match="cannot be compared"):
        diff(run)
    with pytest.raises(ConfigError, match="cannot be compared"):
        diff(run, run, by=(None,))
    with pytest.raises(ConfigError, match="Nobody called 'x'") as caught:
        diff(run, run, by=(None, "x"))
    assert "rejudge" in caught.value.remedy
    with pytest.raises(ConfigError) as caught:
        diff(run, later(run, JUDGE, ("met", "met")), by=(None, "x"))
    assert "judge-b" in caught.value.remedy


def test_a_thousand_steps_are_compared() -> None:
    many = [f"{at % 7}" for at in range(1000)]
    assert diff(a_run("a", many), a_run("b", many[::-1])).pairs[0].divergence is not None
