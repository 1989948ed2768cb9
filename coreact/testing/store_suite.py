"""Conformance suite for trace stores: what every `TraceStore` must do, as plain functions.

Run it all with `check_store(factory)`, or one check at a time:

    @pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
    def test_my_store(check):
        check(MyStore)

A failed check raises AssertionError with what was expected. What happens when a disk fails is
not checked here: it differs from store to store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

from coreact.errors import RunNotFoundError
from coreact.judge import Cost, Evidence, Judgement, Verdict
from coreact.rubric import (
    Action,
    ArgumentContains,
    Criterion,
    Rubric,
    ToolCall,
    ToolContract,
    ToolIs,
    UnknownCheck,
)
from coreact.rubric.remarks import Remark
from coreact.trace import (
    Attempt,
    CallRecord,
    Evaluator,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunFilter,
    RunRecord,
    StepRecord,
    TraceStore,
    Trajectory,
    step_score,
    summarize,
)
from coreact.trace.recording import record_trajectory

StoreFactory = Callable[[], TraceStore]
"""Gives a fresh and empty store at each call; the suite closes it."""


def sample_trajectory(run_id: str = "sample-1", *, steps: int = 3) -> Trajectory:
    """A judged run with everything a record can hold: a retry, every verdict status, odd text.

    Args:
        run_id: id of the run.
        steps: number of decisions, at least 1.
    """
    rubric = Rubric(
        criteria=(
            Criterion(
                id="c1",
                text="Search before you answer",
                weight=0.4,
                kind="hard",
                check=ToolIs(tools=("search",)),
            ),
            Criterion(
                id="c2",
                text="Name the river",
                weight=3,
                check=ArgumentContains(argument="query", terms=("Elbe",)),
            ),
            Criterion(id="c3", text="来源 must be checked ½", visibility="judge_only", depends_on=("c1",)),
            Criterion(id="c4", text="Do no harm", polarity="forbid", kind="safety", veto=True),
            Criterion(
                id="c5",
                text="From a later version",
                check=UnknownCheck.model_validate({"kind": "moon_phase", "phase": [1, None, {"a": 0.5}]}),
            ),
        ),
        threshold=0.7,
    )
    records = tuple(_sample_step(run_id, index, rubric, last=index == steps - 1) for index in range(steps))
    return Trajectory(
        run=RunRecord(
            id=run_id,
            question="Where does the Elbe begin?\n\tAnd why? \U0001f30a",
            agent="searcher",
            agent_version="2.1",
            origin="coreact",
            capture="redacted",
            thread_id="thread-1",
            settings={"retries": 2, "nested": {"empty": {}, "list": [], "big": 2**70}},
            seed=2**64 - 1,
            parent="older-run",
            forked_at=4,
            version="0.1.0",
            started_ns=1_700_000_000_000_000_000,
        ),
        steps=records,
        observations=tuple(
            ObservationRecord(
                run=run_id,
                step=step.index,
                call_id=f"call-{step.index}-{number}",
                tool="search",
                text=("" if number else f"result {step.index} \x1b[31m [red]") * (step.index * 900 + 1),
                failed=number == 1,
                seconds=0.25,
                at_ns=1_700_000_001_000_000_000 + step.index,
            )
            for step in records[:-1]
            for number in range(2)
        ),
        end=RunEnd(
            run=run_id,
            status="done",
            answer="In the Giant Mountains.",
            score=0.875,
            ended_ns=1_700_000_002_000_000_000,
        ),
        calls=tuple(_sample_call(run_id, step.index, failed=step.index == 1) for step in records),
        judgements=_sample_judgements(run_id, rubric),
    )


def _sample_call(run_id: str, step: int, *, failed: bool) -> CallRecord:
    return CallRecord(
        run=run_id,
        step=step,
        kind="tool" if failed else "model",
        key="coreact.json.1:same",
        request={"added": [f"what is new {step}"], "odd": [2**70, {"½": None}]},
        response=None if failed else {"content": "x" * 5000},
        error="TimeoutError: too slow" if failed else None,
        seconds=0.5,
        at_ns=1_700_000_000_700_000_000 + step,
    )


def _sample_judgements(run_id: str, rubric: Rubric) -> tuple[JudgementRecord, ...]:
    verdict = Verdict(criterion="c1", reason="¾ seen", status="met", decided_by="judge-b")
    judged = Judgement(rubric=rubric.lock, verdicts=(verdict,), score=1.0, passed=True, judged=1, total=1)
    model = Evaluator(name="judge-b", version="coreact.json.1:b", kind="model", model="large-1")
    human = Evaluator(name="Ada", version="", kind="human")
    first = JudgementRecord(
        id=f"{run_id}-j1", run=run_id, step=0, attempt=1, action=0, judged_ns=1_700_000_000_500_000_000,
        rubric=rubric, judgement=judged, evaluator=model, sample=2, at_ns=1_700_000_003_000_000_000,
    )  # fmt: skip
    corrected = first.model_copy(
        update={"id": f"{run_id}-j2", "supersedes": first.id, "sample": 0, "evaluator": human, "note": "no ½"}
    )
    whole = JudgementRecord(
        id=f"{run_id}-j3", run=run_id, rubric=rubric.model_copy(update={"scope": "answer"}),
        judgement=judged, evaluator=model, at_ns=1_700_000_004_000_000_000,
    )  # fmt: skip
    return first, corrected, whole


def _sample_step(run_id: str, index: int, rubric: Rubric, *, last: bool) -> StepRecord:
    statuses = ("met", "partial", "unmet", "not_applicable", "unknown")
    verdicts = tuple(
        Verdict(
            criterion=criterion.id,
            reason=f"because of {status}" if status != "met" else "",
            status=status,
            evidence=(
                Evidence(message_id="m1", quote="“so it says”", start=3, end=15),
                Evidence(message_id="", quote=""),
            ),
            decided_by="check" if status == "met" else "judge-a",
            fault="instrument" if status == "unknown" else "none",
            cause="rate_limit" if status == "unknown" else None,
            claimed="met" if status == "partial" else None,
            confidence=0.625 if status == "unmet" else None,
        )
        for criterion, status in zip(rubric, statuses, strict=True)
    )
    action = (
        Action(answer="In the Giant Mountains.")
        if last
        else Action(
            call=ToolCall(
                name="search", arguments={"query": f"Elbe source {index}", "top": 3}, id=f"call-{index}-0"
            )
        )
    )
    first = Attempt(
        index=0,
        source="first",
        message={"type": "ai", "data": {"content": f"try {index}", "tool_calls": []}},
        actions=(Action(answer=""),),
        judgements=(
            Judgement(
                rubric=rubric.lock, verdicts=verdicts, score=0.1 + 0.2, passed=False, judged=3, total=4
            ),
        ),
        own=rubric.model_copy(update={"threshold": 0.25}) if last else None,
        own_judgements=(
            (Judgement(rubric=rubric.lock, verdicts=verdicts[:1], score=1.0, passed=True, judged=1, total=1),)
            if last
            else ()
        ),
        unheld="its server refused it" if index == 1 else "",
        rejected_by="check",
        reason="it does not search",
        cost=Cost(calls=1, input_tokens=100, output_tokens=7, seconds=0.5, usd=0.0001),
    )
    second = Attempt(
        index=1,
        source="retry",
        feedback="Search first.",
        message={"type": "ai", "data": {"content": f"again {index}", "extra": None}},
        actions=(action,),
        judgements=(Judgement(rubric=rubric.lock, verdicts=(), score=None, passed=None, judged=0, total=0),),
        selected=True,
    )
    return StepRecord(
        run=run_id,
        index=index,
        node="model",
        phase="late" if last else "early",
        rung="judge",
        state_digest=f"digest-{index}",
        rubric=None if index == 1 else rubric,
        generator="heuristic 1",
        remarks=(Remark.about("Search \udc80 well", "dropped", "it decides nothing", "vague"),)
        if last
        else (),
        tools=(ToolContract(name="search", parameters={"type": "object"}),) if index == 0 else None,
        constraint={"tool_choice": "search"} if index == 1 else None,
        guidance="" if index == 1 else "1. Search before you answer",
        prompt_kept=2 * index,
        prompt_added=(
            {"type": "human", "data": {"content": f"message {index}"}},
            {"type": "ai", "data": {"content": [{"type": "text", "text": "ü" * (index + 1)}]}},
        ),
        attempts=(first, second),
        dispositions=("answered",) if last else ("run",),
        error="GenerationError: it timed out" if index == 1 else None,
        checkpoint_id=f"checkpoint-{index}",
        checkpoint_ns="",
        trace_id="0af7651916cd43dd8448eb211c80319c" if index == 0 else None,
        span_id="b7ad6b7169203331" if index == 0 else None,
        cost=Cost(calls=2, input_tokens=200, output_tokens=14, seconds=1.5, usd=None),
        at_ns=1_700_000_000_500_000_000 + index,
    )


def record_into(store: TraceStore, trajectory: Trajectory) -> None:
    """Record a whole trajectory in the order in which it would have happened."""
    record_trajectory(store, trajectory)


@contextmanager
def _fresh(factory: StoreFactory) -> Iterator[TraceStore]:
    store = factory()
    try:
        yield store
    finally:
        store.close()


def _same(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise AssertionError(f"{what}: expected\n  {expected!r}\nbut got\n  {found!r}")


def check_round_trip(factory: StoreFactory) -> None:
    """A trajectory comes back equal to what was recorded."""
    with _fresh(factory) as store:
        whole = sample_trajectory()
        record_into(store, whole)
        store.flush()
        _same(store.trajectory(whole.run.id), whole, "the trajectory read back")
        bare = Trajectory(run=RunRecord(id="bare", question=""))
        record_into(store, bare)
        _same(store.trajectory("bare"), bare, "a run without steps or end")


def check_reads_unflushed(factory: StoreFactory) -> None:
    """Reading sees what was recorded through the same store, flushed or not, while a run goes on."""
    with _fresh(factory) as store:
        whole = sample_trajectory()
        store.start(whole.run)
        store.step(whole.steps[0])
        expected = Trajectory(run=whole.run, steps=whole.steps[:1])
        _same(store.trajectory(whole.run.id), expected, "a run that goes on")
        _same(store.runs(), (summarize(expected),), "the summary of a run that goes on")


def check_runs(factory: StoreFactory) -> None:
    """Summaries are right, newest first, and limited."""
    with _fresh(factory) as store:
        _same(store.runs(), (), "the runs of an empty store")
        whole = [sample_trajectory(f"run-{number}", steps=number + 1) for number in range(4)]
        timed = [
            one.model_copy(update={"run": one.run.model_copy(update={"started_ns": 1_000 + when})})
            for one, when in zip(whole, (2, 3, 1, 3), strict=True)
        ]
        for one in timed:
            record_into(store, one)
        newest = tuple(summarize(timed[number]) for number in (3, 1, 0, 2))
        _same(store.runs(), newest, "all runs, newest first, ties by id")
        _same(store.runs(2), newest[:2], "the two newest runs")


def check_prefix(factory: StoreFactory) -> None:
    """An id may be shortened while it is unique; otherwise RunNotFoundError."""
    with _fresh(factory) as store:
        for run_id in ("abc-1", "abc-2", "abc-2-longer", "x%_"):
            store.start(RunRecord(id=run_id, question=run_id))
        for asked, meant in (
            ("abc-1", "abc-1"),
            ("abc-2", "abc-2"),
            ("abc-2-", "abc-2-longer"),
            ("x", "x%_"),
        ):
            _same(store.trajectory(asked).run.id, meant, f"the run meant by {asked!r}")
        for asked in ("abc", "", "y", "%", "_", "abc-1-and-more"):
            try:
                found = store.trajectory(asked)
            except RunNotFoundError:
                continue
            raise AssertionError(f"{asked!r} means no single run, but gave {found.run.id!r}")


def check_step_again(factory: StoreFactory) -> None:
    """A step that is recorded again takes back itself and what came later; order of arrival is free."""
    with _fresh(factory) as store:
        whole = sample_trajectory(steps=4)
        record_into(store, whole)
        again = whole.steps[1].model_copy(update={"state_digest": "again"})
        store.step(again)
        seen = whole.observations[2].model_copy(update={"text": "again"})
        store.observation(seen)
        _same(
            store.trajectory(whole.run.id),
            whole.model_copy(
                update={
                    "steps": (whole.steps[0], again),
                    "observations": (*whole.observed(0), seen),
                    "calls": whole.calls[:1],
                }
            ),
            "the run after step 1 was decided again",
        )
        late = whole.model_copy(update={"run": whole.run.model_copy(update={"id": "late"})})
        store.start(late.run)
        for index in (2, 0, 3, 1):
            store.step(whole.steps[index].model_copy(update={"run": "late"}))
        _same([step.index for step in store.trajectory("late").steps], [0, 1, 2, 3], "steps that came late")


def check_resume(factory: StoreFactory) -> None:
    """A run that is started again keeps its first record and its steps; its end is taken back."""
    with _fresh(factory) as store:
        whole = sample_trajectory()
        record_into(store, whole)
        store.start(whole.run.model_copy(update={"question": "another", "started_ns": 5}))
        _same(store.trajectory(whole.run.id), whole.model_copy(update={"end": None}), "a resumed run")
        end = RunEnd(run=whole.run.id, status="failed", error="it broke")
        store.end(end)
        _same(store.trajectory(whole.run.id), whole.model_copy(update={"end": end}), "its second end")


def check_later_judgements(factory: StoreFactory) -> None:
    """Judgements made later are appended, keep their order, and go with the step that they are about."""
    with _fresh(factory) as store:
        whole = sample_trajectory()
        record_into(store, whole)
        first, corrected, about_the_run = whole.judgements
        found = store.trajectory(whole.run.id)
        _same(found.judgements, whole.judgements, "the later judgements")
        _same(found.standing, (corrected, about_the_run), "those that stand")
        store.judgement(first.model_copy(update={"id": "lost", "step": 77}))
        _same(store.trajectory(whole.run.id), whole, "the run, judged at a step that is not there")
        store.judgement(first.model_copy(update={"note": "written over"}))
        _same(store.trajectory(whole.run.id), whole, "the run, with a judgement of an id that is there")
        store.step(whole.steps[0].model_copy(update={"at_ns": 5}))
        _same(
            store.trajectory(whole.run.id).judgements, (about_the_run,), "judgements of a step decided again"
        )
        store.judgement(first.model_copy(update={"id": "late"}))
        _same(
            store.trajectory(whole.run.id).judgements,
            (about_the_run,),
            "judgements of what stood there before",
        )
        timed = about_the_run.model_copy(update={"id": "timed", "judged_ns": 1_700_000_002_000_000_000})
        store.judgement(timed)
        _same(store.trajectory(whole.run.id).judgements, (about_the_run, timed), "judgements of the answer")
        store.start(whole.run)
        store.end(RunEnd(run=whole.run.id, status="done", answer="another", ended_ns=9))
        _same(store.trajectory(whole.run.id).judgements, (about_the_run,), "judgements of another answer")


def check_filter(factory: StoreFactory) -> None:
    """Runs are selected by what the filter says, and given oldest first as whole trajectories."""
    with _fresh(factory) as store:
        wholes = []
        for number in range(6):
            one = sample_trajectory(f"run-{number}", steps=number % 3 + 1)
            run = one.run.model_copy(
                update={
                    "started_ns": 1_000 - number,
                    "agent": "ab"[number % 2],
                    "question": f"ÜBER {number} %_",
                }
            )
            end = None if number == 3 else RunEnd(run=run.id, status="done", score=number / 8, ended_ns=2)
            wholes.append(one.model_copy(update={"run": run, "end": end}))
        wholes[5] = wholes[5].model_copy(
            update={"judgements": (), "run": wholes[5].run.model_copy(update={"origin": "atif"})}
        )
        for one in wholes:
            record_into(store, one)
        lock = wholes[0].steps[0].rubric
        for where in (
            RunFilter(),
            RunFilter(ids=("run-1", "run-4", "none")),
            RunFilter(ids=()),
            RunFilter(ids=("\x00\ud800", "run-2")),
            RunFilter(agent="a"),
            RunFilter(origin="atif"),
            RunFilter(status="running"),
            RunFilter(status="done", min_score=0.25),
            RunFilter(max_score=0.25),
            RunFilter(question="über 4 %_"),
            RunFilter(task="ÜBER 4 %_"),
            RunFilter(question="%"),
            RunFilter(since_ns=998),
            RunFilter(until_ns=998),
            RunFilter(tool="search"),
            RunFilter(tool="no tool"),
            RunFilter(rubric="" if lock is None else lock.lock[:30]),
            RunFilter(rubric="coreact.json.1:zzz"),
            RunFilter(evaluator="judge-b"),
            RunFilter(evaluator="coreact.json.1:b", agent="b"),
            RunFilter(evaluator="nobody"),
        ):
            meant = [one for one in reversed(wholes) if where.matches(one)]
            _same(list(store.trajectories(where)), meant, f"the runs by {where!r}")
            newest = tuple(summarize(one) for one in reversed(meant))
            _same(store.runs(None, where), newest, f"the summaries by {where!r}")
            _same(store.runs(1, where), newest[:1], f"the newest run by {where!r}")


def check_scores(factory: StoreFactory) -> None:
    """The scores of a run's steps, without reading the run."""
    with _fresh(factory) as store:
        whole = sample_trajectory(steps=4)
        record_into(store, whole)
        _same(store.scores(whole.run.id), tuple(step_score(step) for step in whole.steps), "the scores")


def check_snapshot(factory: StoreFactory) -> None:
    """Changing a message after it was recorded, or after it was read, does not reach the store."""
    with _fresh(factory) as store:
        message: dict[str, object] = {"content": ["before"]}
        store.start(RunRecord(id="r", question="q"))
        store.step(StepRecord(run="r", index=0, prompt_added=(message,)))
        message["content"] = "after"
        _same(store.trajectory("r").steps[0].prompt_added, ({"content": ["before"]},), "the message")
        store.trajectory("r").steps[0].prompt_added[0]["content"].append("more")
        _same(store.trajectory("r").steps[0].prompt_added, ({"content": ["before"]},), "the message")


def check_threads(factory: StoreFactory) -> None:
    """Several threads may record at once; each run comes back whole."""
    with _fresh(factory) as store:
        wholes = [sample_trajectory(f"thread-{number}", steps=8) for number in range(4)]
        threads = [Thread(target=record_into, args=(store, whole)) for whole in wholes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.flush()
        for whole in wholes:
            _same(store.trajectory(whole.run.id), whole, f"run {whole.run.id}")


def check_close(factory: StoreFactory) -> None:
    """Closing and flushing twice is harmless."""
    with _fresh(factory) as store:
        record_into(store, sample_trajectory())
        store.flush()
        store.flush()
        store.close()
        store.close()


STORE_CHECKS: tuple[Callable[[StoreFactory], None], ...] = (
    check_round_trip,
    check_reads_unflushed,
    check_runs,
    check_prefix,
    check_step_again,
    check_resume,
    check_later_judgements,
    check_filter,
    check_scores,
    check_snapshot,
    check_threads,
    check_close,
)
"""Every check of the suite."""


def check_store(factory: StoreFactory) -> None:
    """Run the whole suite.

    Args:
        factory: gives a fresh and empty store at each call.

    Raises:
        AssertionError: the store breaks a rule; the message says which.
    """
    for check in STORE_CHECKS:
        check(factory)
