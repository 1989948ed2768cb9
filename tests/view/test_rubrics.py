"""What a rubric's page says: pass rates, what tells good runs from bad ones, what rests on itself."""

from __future__ import annotations

from coreact.judge import Verdict
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Criterion, Rubric
from coreact.trace import (
    Attempt,
    Evaluator,
    InMemoryTraceStore,
    JudgementRecord,
    RunEnd,
    RunRecord,
    StepRecord,
)
from coreact.view.rubrics import outcome, rubric_use

RUBRIC = Rubric(
    criteria=(Criterion(id="tells", text="It tells"), Criterion(id="never", text="It never fails"))
)


def add(store: InMemoryTraceStore, run: str, tells: str, *, good: bool | None) -> None:
    verdicts = [
        Verdict.model_validate({"criterion": name, "reason": "", "status": status})
        for name, status in (("tells", tells), ("never", "met"))
    ]
    judged = judgement(RUBRIC, verdicts)
    attempt = Attempt(
        index=0,
        source="first",
        message={},
        actions=(Action(answer="x"),),
        judgements=(judged,),
        selected=True,
    )
    store.start(RunRecord(id=run, question=run))
    store.step(StepRecord(run=run, index=0, rubric=RUBRIC, attempts=(attempt,)))
    store.end(RunEnd(run=run, status="done", score=judged.score))
    if good is not None:
        whole = judged.model_copy(update={"passed": good})
        who = Evaluator(name="Ada", version="", kind="human")
        store.judgement(JudgementRecord(run=run, rubric=RUBRIC, judgement=whole, evaluator=who))


def test_a_criterion_tells_apart_what_came_out_well_and_badly() -> None:
    store = InMemoryTraceStore()
    add(store, "a", "met", good=True)
    add(store, "b", "met", good=True)
    add(store, "c", "unmet", good=False)
    add(store, "d", "partial", good=False)
    use = rubric_use(store, RUBRIC.lock[:30])
    assert use is not None
    assert (use.runs, len(use.uses), use.circular) == (4, 4, False)
    tells, never = use.figures
    assert (tells.credit, tells.good, tells.bad) == (0.625, (1.0, 2), (0.25, 2))
    assert (tells.discrimination, tells.never_failed) == (0.75, False)
    assert (never.credit, never.discrimination, never.never_failed) == (1.0, 0.0, True)


def test_without_a_judgement_of_the_whole_the_score_stands_in_and_it_is_said() -> None:
    store = InMemoryTraceStore()
    add(store, "a", "met", good=None)
    add(store, "b", "unmet", good=None)
    use = rubric_use(store, RUBRIC.lock)
    assert use is not None
    assert use.circular
    assert [one.outcome.good for one in use.uses] == [True, False]
    assert outcome(store.trajectory("a")).circular


def test_a_rubric_that_nobody_used() -> None:
    assert rubric_use(InMemoryTraceStore(), RUBRIC.lock) is None
