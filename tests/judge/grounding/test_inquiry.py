"""Asking judges: what fails stays unknown with its cause, interrupts pass, quotes are put in place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt

from coreact.errors import JudgingError
from coreact.judge.grounding.inquiry import Inquiring, Inquiry, aask, anchored, ask, batches, worded
from coreact.judge.records import Cost, Evidence, Verdict
from coreact.judge.runner import Judge, Ruling
from coreact.rubric import MAX_CRITERION_CHARS, Action, Criterion, State
from coreact.testing import ScriptedJudge

Serve = Callable[[Inquiring[Any], Judge | None], Any]


@pytest.fixture(params=["sync", "async"])
def serve(request: pytest.FixtureRequest) -> Serve:
    if request.param == "sync":
        return ask
    return lambda inquiring, judge: asyncio.run(aask(inquiring, judge))


def inquiry(*names: str) -> Inquiry:
    criteria = tuple(Criterion(id=name, text=f"condition {name}") for name in names)
    return Inquiry(criteria, Action(answer="a"), State.start("q"))


def asking(*rounds: tuple[Inquiry, ...]) -> Generator[tuple[Inquiry, ...], tuple[Ruling, ...], list[Ruling]]:
    heard: list[Ruling] = []
    for asked in rounds:
        heard += yield asked
    return heard


def test_every_inquiry_gets_its_ruling_in_order(serve: Serve) -> None:
    judge = ScriptedJudge(lambda criterion, action: "met" if criterion.id == "a" else "unmet")
    heard = serve(asking((inquiry("a"), inquiry("b", "c")), (inquiry("d"),)), judge)
    assert [[(v.criterion, v.status) for v in ruling.verdicts] for ruling in heard] == [
        [("a", "met")],
        [("b", "unmet"), ("c", "unmet")],
        [("d", "unmet")],
    ]
    assert [ruling.cost.calls for ruling in heard] == [1] * 3


def test_nothing_to_ask_asks_nobody(serve: Serve) -> None:
    judge = ScriptedJudge(AssertionError("asked"))
    assert serve(asking(()), judge) == []
    assert serve(asking(), judge) == []


def test_without_a_judge_all_stays_open_and_nobody_is_to_blame(serve: Serve) -> None:
    (ruling,) = serve(asking((inquiry("a", "b"),)), None)
    assert [(v.status, v.fault, v.decided_by) for v in ruling.verdicts] == [("unknown", "none", "nobody")] * 2
    assert ruling.cost == Cost()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (JudgingError("no", judge="j", cause="refusal"), "refusal"),
        (TimeoutError("late"), "transport"),
        (KeyError("x"), "bug"),
    ],
)
def test_a_judge_that_fails_leaves_its_criteria_unknown(serve: Serve, error: Exception, cause: str) -> None:
    (ruling,) = serve(asking((inquiry("a"),)), ScriptedJudge(error))
    (verdict,) = ruling.verdicts
    assert (verdict.criterion, verdict.status, verdict.fault, verdict.cause) == (
        "a",
        "unknown",
        "instrument",
        cause,
    )


def test_what_a_failed_call_cost_is_kept(serve: Serve) -> None:
    error = JudgingError("no", judge="j")
    error.cost = Cost(calls=2, input_tokens=9)  # type: ignore[attr-defined]
    (ruling,) = serve(asking((inquiry("a"),)), ScriptedJudge(error))
    assert (ruling.cost.calls, ruling.cost.input_tokens) == (2, 9)


class Other:
    """A judge that answers about other criteria than it was asked about."""

    id = "other"

    def __init__(self, *names: str) -> None:
        self._names = names

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return Ruling(
            tuple(Verdict(criterion=name, reason="r", status="met") for name in self._names), Cost(calls=1)
        )

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b", "b"), ("a", "c"), ("a", "b", "c")])
def test_a_list_of_the_wrong_length_is_refused_and_never_padded(serve: Serve, names: tuple[str, ...]) -> None:
    (ruling,) = serve(asking((inquiry("a", "b"),)), Other(*names))
    assert [(v.criterion, v.status, v.cause) for v in ruling.verdicts] == [
        ("a", "unknown", "bug"),
        ("b", "unknown", "bug"),
    ]


def test_an_interrupt_passes_through_as_itself(serve: Serve) -> None:
    with pytest.raises(GraphInterrupt):
        serve(asking((inquiry("a"), inquiry("b"))), ScriptedJudge(GraphInterrupt()))


def test_batches_of_ten() -> None:
    assert [len(some) for some in batches(list(range(23)))] == [10, 10, 3]
    assert list(batches([])) == []


def test_a_long_statement_is_named_by_its_beginning() -> None:
    assert worded("Says:", "a  short\none") == "Says: a short one"
    long = worded("Says:", "word " * 500)
    assert len(long) == MAX_CRITERION_CHARS
    assert long.startswith("Says: word word")
    assert "begins like this" in long
    Criterion(id="x", text=long)


# --- quotes --------------------------------------------------------------------------------------

TEXTS = {"m1": "It stands on the Elbe. The dam was finished in 1936.", "m2": "It is low."}


def quoted(*quotes: tuple[str, str], status: str = "met") -> Verdict:
    return Verdict(
        criterion="a",
        reason="because",
        status=status,  # type: ignore[arg-type]
        evidence=tuple(Evidence(message_id=name, quote=quote) for name, quote in quotes),
    )


def test_quotes_are_put_where_they_stand() -> None:
    verdict = anchored(quoted(("m1", "the  DAM was finished"), ("m1", "it is low")), TEXTS)
    assert verdict.status == "met"
    assert [(e.message_id, e.quote) for e in verdict.evidence] == [
        ("m1", "The dam was finished"),
        ("m2", "It is low"),
    ]
    for found in verdict.evidence:
        assert TEXTS[found.message_id][found.start : found.end] == found.quote


def test_an_invented_quote_is_dropped_and_a_met_that_rests_on_nothing_else_is_not_believed() -> None:
    assert len(anchored(quoted(("m1", "It is low"), ("m1", "nowhere said")), TEXTS).evidence) == 1
    verdict = anchored(quoted(("m9", "nowhere said")), TEXTS)
    assert (verdict.status, verdict.fault, verdict.cause, verdict.claimed) == (
        "unknown",
        "instrument",
        "unsupported",
        "met",
    )
    assert verdict.evidence == ()


@pytest.mark.parametrize("status", ["unmet", "unknown", "not_applicable"])
def test_other_statuses_need_no_quote(status: str) -> None:
    assert anchored(quoted(("m1", "nowhere said"), status=status), TEXTS).status == status


def test_a_verdict_without_quotes_is_the_judges_own_matter() -> None:
    assert anchored(quoted(), TEXTS) == quoted()
