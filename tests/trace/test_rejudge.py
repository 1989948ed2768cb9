"""Stored runs judged anew: the same verdicts where nothing changed, appended ones where something did."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from coreact.errors import ConfigError, GenerationError, JudgingError
from coreact.generate.contracts import ContractGenerator
from coreact.generate.heuristic import HeuristicGenerator
from coreact.guide import CoReActMiddleware
from coreact.judge import Cost, Judge, Ruling, Status, Verdict, judgement, undecided
from coreact.judge.panel import JudgePanel, cohen_kappa, krippendorff_alpha
from coreact.rubric import Action, Criterion, NotRepeat, Rubric, State
from coreact.testing import ScriptedGenerator, ScriptedJudge, record_into, sample_trajectory
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import (
    Evaluator,
    InMemoryTraceStore,
    JudgementRecord,
    Recorder,
    RunFilter,
    SQLiteTraceStore,
    TraceStore,
    Trajectory,
)
from coreact.trace.diff import diff
from coreact.trace.judged import Judged
from coreact.trace.rejudge import (
    Comparison,
    Outcome,
    Rejudged,
    RejudgeTask,
    arejudge,
    evaluator_of,
    rejudge,
    rejudge_store,
)
from coreact.trace.rejudge.walking import RunStates
from coreact.trace.states import state_at

PROSE = Rubric(
    criteria=(
        Criterion(id="new", text="Make a call that was not made before", check=NotRepeat()),
        Criterion(id="good", text="Make good progress"),
        Criterion(id="calm", text="Stay calm", weight=2),
    ),
)
ANSWER = Rubric(criteria=(Criterion(id="place", text="Name the place"),), scope="answer")


@tool
def search(query: str) -> str:
    """Search for passages."""
    return f"About {query}: the Elbe rises in the Giant Mountains, see https://example.org/elbe."


@tool
def read(url: str) -> str:
    """Read a page."""
    return f"The page {url} says more."


search.metadata = {"read_only": True}  # so that the same call again is a repeat


def both(*messages: AIMessage) -> AIMessage:
    calls = [one for message in messages for one in message.tool_calls]
    return AIMessage("", tool_calls=[{**one, "id": f"{at}-{one['id']}"} for at, one in enumerate(calls)])


SCRIPT = (
    call("search", query="Elbe"),
    call("search", query="Elbe"),  # a repeat, which is rejected
    both(call("search", query="Giant Mountains"), call("search", query="Giant Mountains")),
    both(call("read", url="https://example.org/elbe"), call("nosuch", x=1)),
    call("search", query=""),
    AIMessage("In the Giant Mountains."),
    AIMessage("In the Giant Mountains."),
    AIMessage("In the Giant Mountains."),
    AIMessage("In the Giant Mountains."),
)


def run_into(store: TraceStore, generator: Any = None, judge: Judge | None = None, retries: int = 1) -> str:
    model = ScriptedModel(script=list(SCRIPT))
    middleware = CoReActMiddleware(
        generator=generator, judge=judge, recorder=Recorder(store), step_budget=5, retries=retries
    )
    agent = create_agent(model, [search, read], system_prompt="Be brief.", middleware=[middleware])
    agent.invoke({"messages": [("user", "Where does the Elbe rise?")]})
    store.flush()
    return store.runs()[0].id


def a_run(generator: Any = None, judge: Judge | None = None, retries: int = 1) -> Trajectory:
    store = InMemoryTraceStore()
    return store.trajectory(run_into(store, generator, judge, retries))


def saying(status: Status, name: str = "judge-b") -> ScriptedJudge:
    return ScriptedJudge(lambda criterion, action: status, name=name)


def with_later(trajectory: Trajectory, *made: JudgementRecord) -> Trajectory:
    return trajectory.model_copy(update={"judgements": (*trajectory.judgements, *made)})


# --- the same again ---------------------------------------------------------------------------


@pytest.mark.parametrize("generator", [HeuristicGenerator(), ContractGenerator()], ids=lambda one: one.id)
@pytest.mark.parametrize("retries", [0, 1])
def test_checks_give_the_verdicts_that_they_gave(generator: Any, retries: int, tmp_path: Path) -> None:
    """Replay reproduces the verdicts: the run went through the real middleware, graph, store and back."""
    store = SQLiteTraceStore(tmp_path / "traces.db")
    whole = store.trajectory(run_into(store, generator, retries=retries))
    found = rejudge(whole)
    assert not found.left_out
    attempts = [attempt for step in whole.steps for attempt in step.attempts]
    assert len(found.outcomes) == sum(len(attempt.actions) for attempt in attempts)
    statuses = set()
    for outcome in found.outcomes:
        assert outcome.before is not None
        before, after = outcome.before.judgement, outcome.record.judgement
        assert after == before.model_copy(update={"cost": Cost()})
        statuses |= {verdict.status for verdict in after.verdicts}
        assert {verdict.decided_by for verdict in after.verdicts} == {"check"}
    assert {"met", "unmet", "not_applicable"} <= statuses, "the run must tell something apart"
    assert any(len(attempt.actions) > 1 for attempt in attempts)
    assert retries == 0 or any(not attempt.selected for attempt in attempts)
    assert rejudge(whole, rubric=generator).judgements[0].rubric == whole.steps[0].rubric


def test_the_same_judge_gives_the_same_verdicts() -> None:
    def decide(criterion: Criterion, action: Action) -> Status:
        return "met" if len(f"{criterion.id}{action}") % 2 else "partial"

    judge = ScriptedJudge(decide)
    whole = a_run(ScriptedGenerator(PROSE), judge)
    for outcome in rejudge(whole, judge).outcomes:
        assert outcome.before is not None
        assert outcome.record.judgement.verdicts == outcome.before.judgement.verdicts
        assert outcome.record.judgement.score == outcome.before.judgement.score


async def test_the_async_twin_does_the_same() -> None:
    whole = a_run(ScriptedGenerator(PROSE))
    one, other = rejudge(whole, saying("met")), await arejudge(whole, saying("met"))
    assert [outcome.record.place for outcome in one.outcomes] == [o.record.place for o in other.outcomes]
    assert [o.record.judgement.verdicts for o in one.outcomes] == [
        o.record.judgement.verdicts for o in other.outcomes
    ]


def test_the_states_of_a_run_are_those_that_were_recorded() -> None:
    whole = a_run(HeuristicGenerator())
    states = [state_at(whole, step.index) for step in whole.steps]
    in_order, backwards = RunStates(whole), RunStates(whole)
    assert [in_order.at(step.index) for step in whole.steps] == states
    assert [backwards.at(step.index) for step in reversed(whole.steps)] == states[::-1]
    assert in_order.at(0) == states[0], "asked again"
    with pytest.raises(IndexError):
        in_order.at(99)
    broken = whole.steps[1].model_copy(update={"prompt_added": ({"odd": 1},)})
    torn = RunStates(whole.model_copy(update={"steps": (whole.steps[0], broken, *whole.steps[2:])}))
    assert torn.at(0) == states[0]


# --- another judge or rubric ------------------------------------------------------------------


def test_another_judge_is_asked_only_about_what_no_check_decides() -> None:
    whole = a_run(ScriptedGenerator(PROSE))
    judge = saying("unmet")
    found = rejudge(whole, judge)
    assert set(judge.asked) == {("good", "calm")}
    assert {one.evaluator.name for one in found.judgements} == {"judge-b"}
    assert all(one.judgement.cost.calls == 1 for one in found.judgements)


def test_rejected_attempts_may_be_left_out() -> None:
    whole = a_run(HeuristicGenerator())
    chosen = RejudgeTask(selected_only=True).rejudge(whole)
    assert 0 < len(chosen.outcomes) < len(rejudge(whole).outcomes)
    assert all(whole.steps[one.record.step].attempts[one.record.attempt].selected for one in chosen.outcomes)


def test_another_rubric_is_judged_at_every_step() -> None:
    whole = a_run(HeuristicGenerator())
    found = rejudge(whole, saying("met"), PROSE)
    assert {one.rubric.lock for one in found.judgements} == {PROSE.lock}
    assert len(found.judgements) == len(rejudge(whole).judgements)


def test_a_writer_is_asked_in_the_state_of_each_step() -> None:
    whole = a_run(HeuristicGenerator())
    writer = ScriptedGenerator(PROSE)
    found = rejudge(whole, rubric=writer)
    assert [state.digest for state in writer.states] == [step.state_digest for step in whole.steps]
    assert found.written.calls == len(whole.steps)
    broken = ScriptedGenerator(GenerationError("It broke.", generator="x"))
    left = rejudge(whole, rubric=broken).left_out
    assert [(one.step, one.reason) for one in left] == [(step.index, "It broke.") for step in whole.steps]


def test_a_rubric_on_answers_is_judged_on_the_answer() -> None:
    whole = a_run(HeuristicGenerator())
    judge = ScriptedJudge(lambda criterion, action: "met" if "Giant" in str(action.answer) else "unmet")
    found = rejudge(whole, judge, ANSWER)
    assert [(one.place, one.judgement.score) for one in found.judgements] == [((None, None, None), 1.0)]
    assert judge.asked == [("place",)]
    silent = whole.model_copy(update={"end": None})
    assert [one.reason for one in rejudge(silent, judge, ANSWER).left_out] == ["The run has no answer."]


def test_what_cannot_be_judged_again_is_told() -> None:
    foreign = sample_trajectory()  # its states are those of no prompt
    found = rejudge(foreign)
    assert [one.step for one in found.left_out] == [0, 1, 2]
    assert "another state" in found.left_out[0].reason
    plain = a_run(HeuristicGenerator())
    plain = plain.model_copy(
        update={"steps": tuple(s.model_copy(update={"rubric": None}) for s in plain.steps)}
    )
    assert {one.reason for one in rejudge(plain).left_out} == {"The step has no rubric."}
    assert len(rejudge(plain, saying("met"), PROSE).judgements) > 0
    unseen = plain.model_copy(update={"run": plain.run.model_copy(update={"capture": "off"})})
    assert [one.reason for one in rejudge(unseen).left_out] == ["Nothing of its content was kept."]
    assert rejudge(Trajectory(run=plain.run)) == Rejudged()


DOWN = JudgingError("It is down.", judge="judge-b", cause="transport")


@pytest.mark.parametrize("wrong", [RuntimeError("no"), DOWN])
def test_a_judge_that_breaks_gives_unknown(wrong: Exception) -> None:
    whole = a_run(ScriptedGenerator(PROSE))
    for one in rejudge(whole, ScriptedJudge(wrong, name="judge-b")).judgements:
        asked = one.judgement.verdicts[1:]
        assert {(verdict.status, verdict.fault) for verdict in asked} == {("unknown", "instrument")}
        assert one.judgement.verdicts[0].decided_by == "check"


# --- again and again --------------------------------------------------------------------------


def test_nobody_is_asked_twice_unless_told_to() -> None:
    whole = a_run(ScriptedGenerator(PROSE))
    first = rejudge(whole, saying("met"))
    judged = with_later(whole, *first.judgements)
    judge = saying("met")
    second = rejudge(judged, judge)
    assert judge.asked == []
    assert second.judgements == ()
    assert [one.record for one in second.outcomes] == [one.record for one in first.outcomes]
    assert rejudge(judged, saying("met", name="judge-c")).judgements, "another judge"
    assert rejudge(judged, saying("met"), Rubric(criteria=PROSE.criteria[1:])).judgements, "another rubric"
    three = RejudgeTask(saying("met"), samples=3).rejudge(judged)
    assert {one.sample for one in three.judgements} == {1, 2}
    more = RejudgeTask(saying("met"), samples=2, again=True).rejudge(with_later(judged, *three.judgements))
    assert {one.sample for one in more.judgements} == {3, 4}
    assert all(one.supersedes is None for one in (*three.judgements, *more.judgements))


def test_a_failure_that_passes_is_made_good() -> None:
    whole = a_run(ScriptedGenerator(PROSE))
    failed = rejudge(whole, ScriptedJudge(DOWN, name="judge-b"))
    broken = with_later(whole, *failed.judgements)
    mended = rejudge(broken, saying("met"))
    assert [one.supersedes for one in mended.judgements] == [one.id for one in failed.judgements]
    after = with_later(broken, *mended.judgements)
    assert after.standing == mended.judgements
    assert len(after.judgements) == 2 * len(mended.judgements), "nothing is written over"
    assert rejudge(after, saying("met")).judgements == ()


def test_what_a_judge_cannot_quote_is_its_last_word() -> None:
    whole = a_run(ScriptedGenerator(PROSE))

    class Unquoted(ScriptedJudge):
        def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            return Ruling(
                undecided(criteria, reason="no quote", by=self.id, broken=True, cause="unsupported")
            )

    judge = Unquoted(lambda criterion, action: "met", name="judge-b")
    found = rejudge(whole, judge)
    assert rejudge(with_later(whole, *found.judgements), judge).judgements == ()


@pytest.mark.parametrize(
    ("judge", "how"), [(None, {"samples": 2}), (None, {"again": True}), (saying("met"), {"samples": 0})]
)
def test_samples_that_tell_nothing_are_refused(judge: Judge | None, how: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="tells nothing"):
        RejudgeTask(judge, **how)


# --- who judges -------------------------------------------------------------------------------


def test_an_evaluator_is_told_apart_by_its_version() -> None:
    assert evaluator_of(None) == evaluator_of(None)
    assert evaluator_of(None).kind == "code"
    one, other = saying("met", "one"), saying("met", "other")
    panel = JudgePanel([one, other])
    found = [evaluator_of(judge) for judge in (None, one, other, panel, JudgePanel([other, one]))]
    assert len({evaluator.version for evaluator in found}) == 5
    one.model_name = "large-1"  # type: ignore[attr-defined]
    assert (evaluator_of(one).kind, evaluator_of(one).model) == ("model", "large-1")
    assert evaluator_of(panel).model == "large-1"


# --- over a store -----------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return InMemoryTraceStore() if request.param == "memory" else SQLiteTraceStore(tmp_path / "traces.db")


def test_a_store_takes_what_is_judged(store: Any) -> None:
    runs = [run_into(store, ScriptedGenerator(PROSE)) for _ in range(3)]
    before = [store.trajectory(run) for run in runs]
    task = RejudgeTask(saying("met"))
    where = RunFilter(ids=tuple(runs[:2]))
    parts = list(rejudge_store(store, task, where=where))
    made = [one for part in parts for one in part.judgements]
    after = [store.trajectory(run) for run in runs]
    assert sorted(one.id for whole in after for one in whole.judgements) == sorted(one.id for one in made)
    assert [bool(whole.judgements) for whole in after] == [True, True, False]
    assert [whole.model_copy(update={"judgements": ()}) for whole in after] == before
    assert [
        part for part in rejudge_store(store, task, where=RunFilter(ids=tuple(runs[:2]))) if part.judgements
    ] == []
    column = diff(after[0], after[0], by=(None, "judge-b")).columns[1]
    assert column.score is not None


class Waiting(ScriptedJudge):
    """Holds every question, counts how many are open at once."""

    def __init__(self, until: Callable[[], bool]) -> None:
        super().__init__(lambda criterion, action: "met", name="judge-b")
        self.open = self.most = self.done = 0
        self._until = until

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        self.open += 1
        self.most = max(self.most, self.open)
        for _ in range(20):
            await asyncio.sleep(0)
        while not self._until():  # noqa: ASYNC110 - there is no event in what it waits for
            await asyncio.sleep(0.001)
        self.open -= 1
        self.done += 1
        return self.judge(criteria, action, state)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_so_many_steps_at_a_time_and_no_more(store: Any, concurrency: int) -> None:
    run_into(store, ScriptedGenerator(PROSE))
    judge = Waiting(lambda: True)
    parts = list(rejudge_store(store, RejudgeTask(judge), concurrency=concurrency))
    assert judge.most == concurrency
    assert len(parts) == store.runs()[0].steps
    with pytest.raises(ConfigError, match="at a time"):
        list(rejudge_store(store, RejudgeTask(judge), concurrency=0))


def test_what_was_judged_before_an_interrupt_is_kept(store: Any) -> None:
    run_into(store, ScriptedGenerator(PROSE))
    task = RejudgeTask(saying("met"))
    parts = rejudge_store(store, task, concurrency=1)
    first = next(parts)
    with pytest.raises(KeyboardInterrupt):
        parts.throw(KeyboardInterrupt())
    store.flush()
    kept = store.trajectory(store.runs()[0].id).judgements
    assert set(first.judgements) <= set(kept)
    rest = [one for part in rejudge_store(store, task) for one in part.judgements]
    whole = store.trajectory(store.runs()[0].id)
    assert len(whole.judgements) == len(kept) + len(rest) == len(rejudge(whole).outcomes)


def test_open_questions_are_dropped_when_nobody_waits_for_them(store: Any) -> None:
    run_into(store, ScriptedGenerator(PROSE))
    judge = Waiting(lambda: judge.done == 0)
    parts = rejudge_store(store, RejudgeTask(judge), concurrency=3)
    next(parts)
    parts.close()
    assert judge.open >= 1, "they were cancelled while they waited"
    assert threading.active_count() < 50


def test_a_judge_that_cannot_be_reached_does_not_fill_the_store(store: Any) -> None:
    for _ in range(3):
        run_into(store, ScriptedGenerator(PROSE))
    broken = RejudgeTask(ScriptedJudge(DOWN, name="judge-b"))
    seen = []
    with pytest.raises(JudgingError, match="5 times in a row") as caught:
        seen.extend(rejudge_store(store, broken, concurrency=1))
    assert caught.value.cause == "transport"
    assert "goes on" in caught.value.remedy
    task = RejudgeTask(saying("met"))
    list(rejudge_store(store, task))
    standing = [one for whole in store.trajectories() for one in whole.standing]
    assert all(one.judgement.score is not None for one in standing)
    superseding = [one for one in standing if one.supersedes is not None]
    assert 5 <= len(superseding) < len(standing)


# --- the report -------------------------------------------------------------------------------


def test_a_report_on_verdicts_that_stay() -> None:
    comparison = Comparison(evaluator_of(None))
    comparison.add(rejudge(a_run(HeuristicGenerator())))
    report = comparison.report()
    assert report.overall.share == 1.0
    assert report.overall.kappa == report.overall.alpha == 1.0
    assert report.flips == ()
    assert all(change.before == change.after for change in report.passes)
    assert all(change.before == pytest.approx(change.after) for change in report.scores)
    assert report.cost == Cost()
    contract = next(row for row in report.criteria if row.criterion == "contract")
    assert contract.text == "Fit the schema of the tool."


def test_flips_carry_both_reasons_and_where_they_are() -> None:
    whole = a_run(ScriptedGenerator(PROSE), saying("met", "judge-a"))
    comparison = Comparison(evaluator_of(saying("met")))
    comparison.add(rejudge(whole, ScriptedJudge(lambda c, action: "unmet" if c.id == "calm" else "met")))
    report = comparison.report()
    assert {(flip.criterion, flip.before, flip.after) for flip in report.flips} == {("calm", "met", "unmet")}
    assert len(report.flips) == report.compared == report.made
    first = report.flips[0]
    assert first.place == f"{whole.run.id}@0.0"
    assert (first.by_before, first.by_after) == ("judge-a", "scripted-judge")
    assert report.cost.calls == report.made
    calm = next(row for row in report.criteria if row.criterion == "calm")
    assert (calm.share, calm.kappa) == (0.0, 0.0)
    assert sum(change.items for change in report.passes if change.before != change.after) > 0
    assert type(report).model_validate_json(report.model_dump_json()) == report


STATUSES: tuple[Status, ...] = ("met", "partial", "unmet", "not_applicable", "unknown")


@given(st.lists(st.tuples(st.sampled_from(STATUSES), st.sampled_from(STATUSES)), max_size=30))
def test_the_coefficients_are_those_of_the_pairs(pairs: list[tuple[Status, Status]]) -> None:
    rubric = Rubric(criteria=(Criterion(id="a", text="A"),))
    evaluator = Evaluator(name="b", version="1", kind="code")

    def judged(status: Status) -> Any:
        return judgement(rubric, [Verdict(criterion="a", reason="so", status=status)])

    outcomes = tuple(
        Outcome(
            JudgementRecord(
                run="r",
                step=at,
                attempt=0,
                action=0,
                rubric=rubric,
                judgement=judged(now),
                evaluator=evaluator,
            ),
            Judged(rubric, judged(then)),
            made=True,
        )
        for at, (then, now) in enumerate(pairs)
    )
    comparison = Comparison(evaluator)
    comparison.add(Rejudged(outcomes))
    row = comparison.report().overall
    then, now = (
        ([None if s == "unknown" else s for s in side] for side in zip(*pairs, strict=True))
        if pairs
        else ([], [])
    )
    kappa, alpha = cohen_kappa(then, now), krippendorff_alpha([then, now], level="nominal")
    assert row.kappa == (None if kappa.value is None else pytest.approx(kappa.value))
    assert row.alpha == (None if alpha.value is None else pytest.approx(alpha.value))
    assert row.items == kappa.items
    assert row.same == sum(a == b != "unknown" for a, b in pairs)
    assert len(comparison.report().flips) == row.items - row.same
    assert row.before_only + row.after_only == sum((a == "unknown") != (b == "unknown") for a, b in pairs)


def test_criteria_that_only_share_an_id_are_not_compared() -> None:
    whole = a_run(ScriptedGenerator(PROSE))
    other = Rubric(criteria=(Criterion(id="good", text="Another thing"), PROSE.criteria[2]))
    comparison = Comparison(evaluator_of(None))
    comparison.add(rejudge(whole, saying("met"), other))
    assert {row.criterion for row in comparison.report().criteria} == {"calm"}


def test_two_later_evaluators_are_compared() -> None:
    whole = a_run(ScriptedGenerator(PROSE))
    judged = with_later(whole, *rejudge(whole, saying("unmet", "judge-a")).judgements)
    comparison = Comparison(evaluator_of(saying("met")))
    comparison.add(RejudgeTask(saying("met"), against="judge-a").rejudge(judged))
    report = comparison.report()
    assert {(flip.before, flip.after) for flip in report.flips} == {("unmet", "met")}
    assert RejudgeTask(saying("met"), against="nobody").rejudge(judged).outcomes[0].before is None


def test_faults_and_what_was_left_out_are_counted(store: Any) -> None:
    run_into(store, ScriptedGenerator(PROSE))
    record_into(store, sample_trajectory())
    task = RejudgeTask(ScriptedJudge(RuntimeError("no"), name="judge-b"))
    comparison = Comparison(task.evaluator)
    for whole in store.trajectories():
        comparison.add(task.rejudge(whole))
    report = comparison.report(coefficients=False)
    assert report.runs == 2
    assert len(report.left_out) == 3
    assert report.faults == {"bug": 2 * report.made}
    assert report.statuses["unknown"] == 2 * report.made
    assert report.overall.kappa is None
