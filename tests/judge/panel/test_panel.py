"""A panel asks its members at once, bears with broken ones, and lets code count."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt

from coreact.errors import ConfigError, JudgingError
from coreact.judge.failure import Throttle
from coreact.judge.model import ModelJudge
from coreact.judge.panel.panel import JudgePanel
from coreact.judge.records import Cost, Status, Verdict
from coreact.judge.runner import Judge, Ruling, undecided
from coreact.rubric import Action, Criterion, State, ToolCall
from coreact.testing.scripted import ScriptedJudge, ScriptedModel

STATE = State.start("Which currency is used in Ouagadougou?")
ACTION = Action(call=ToolCall(name="search", arguments={"query": "currency"}))
CRITERIA = (Criterion(id="a", text="first"), Criterion(id="b", text="second"))

asks = pytest.mark.parametrize("colour", ["sync", "async"])


def ask(judge: Judge, colour: str, criteria: tuple[Criterion, ...] = CRITERIA) -> Ruling:
    if colour == "sync":
        return judge.judge(criteria, ACTION, STATE)
    return asyncio.run(judge.ajudge(criteria, ACTION, STATE))


def says(status: Status, name: str = "j") -> ScriptedJudge:
    return ScriptedJudge(lambda criterion, action: status, name=name)


def raises(error: BaseException, name: str = "broken") -> ScriptedJudge:
    return ScriptedJudge(error, name=name)


# --- what it decides -------------------------------------------------------------------------


@asks
def test_each_criterion_is_counted_on_its_own(colour: str) -> None:
    def mixed(criterion: Criterion, action: Action) -> Status:
        return "met" if criterion.id == "a" else "unmet"

    panel = JudgePanel([says("met", "x"), ScriptedJudge(mixed, name="y"), says("unmet", "z")])
    verdicts, cost = ask(panel, colour)
    assert [(v.criterion, v.status) for v in verdicts] == [("a", "met"), ("b", "unmet")]
    assert {v.decided_by for v in verdicts} == {panel.id}
    assert cost.calls == 3


@asks
@pytest.mark.parametrize("error", [ConnectionError("gone"), JudgingError("no", judge="x", cause="parse")])
def test_one_broken_judge_is_tolerated_two_are_not(colour: str, error: Exception) -> None:
    one = ask(JudgePanel([says("met"), raises(error), says("met")]), colour)
    assert [v.status for v in one.verdicts] == ["met", "met"]
    assert one.cost.calls == 3
    two = ask(JudgePanel([says("met"), raises(error), raises(error)]), colour)
    assert {(v.status, v.fault) for v in two.verdicts} == {("unknown", "instrument")}
    assert {v.cause for v in two.verdicts} == {"transport" if isinstance(error, ConnectionError) else "parse"}


@asks
def test_a_member_that_rules_its_own_failure_withholds_its_vote(colour: str) -> None:
    class Down:
        id = "down"

        def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            return Ruling(
                undecided(criteria, reason="no reply", by=self.id, broken=True, cause="rate_limit"),
                Cost(calls=4, usd=0.5),
            )

        async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            return self.judge(criteria, action, state)

    split = ask(JudgePanel([says("met"), Down(), says("unmet")]), colour)
    assert {(v.status, v.fault) for v in split.verdicts} == {("unknown", "none")}, "a tie is nobody's fault"
    assert split.cost.calls == 6
    assert split.cost.usd == 0.5
    alone = ask(JudgePanel([says("met"), Down(), Down()]), colour)
    assert {(v.status, v.fault, v.cause) for v in alone.verdicts} == {("unknown", "instrument", "rate_limit")}


@asks
def test_a_member_that_answers_something_else_is_broken(colour: str) -> None:
    class Astray:
        id = "astray"

        def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Any:
            return Ruling((Verdict(criterion="z", reason="r", status="met"),))

        async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Any:
            return (Verdict(criterion="a", reason="r", status="met"),)

    ruling = ask(JudgePanel([says("unmet"), Astray(), says("unmet")]), colour)
    assert [v.status for v in ruling.verdicts] == ["unmet", "unmet"]
    poll = JudgePanel([Astray()]).poll(CRITERIA, ACTION, STATE)
    assert {(v.status, v.fault, v.cause) for v in poll.rulings[0].verdicts} == {
        ("unknown", "instrument", "bug")
    }
    assert "answered about ['z']" in poll.rulings[0].verdicts[0].reason


@asks
def test_control_flow_passes_through(colour: str) -> None:
    panel = JudgePanel([says("met"), raises(GraphInterrupt()), says("met")])
    with pytest.raises(GraphInterrupt):
        ask(panel, colour)


@asks
def test_what_a_failed_call_cost_is_counted(colour: str) -> None:
    error = JudgingError("no", judge="x", cause="parse")
    error.cost = Cost(calls=2, input_tokens=7)  # type: ignore[attr-defined]
    ruling = ask(JudgePanel([says("met"), raises(error), says("met")]), colour)
    assert (ruling.cost.calls, ruling.cost.input_tokens) == (4, 7)


@asks
def test_one_judge_may_sit_several_times(colour: str) -> None:
    turns = iter(["met", "unmet", "met"])
    lock = threading.Lock()

    def turning(criterion: Criterion, action: Action) -> Any:
        with lock:
            return next(turns)

    ruling = ask(JudgePanel([ScriptedJudge(turning)] * 3), colour, CRITERIA[:1])
    assert (ruling.verdicts[0].status, ruling.verdicts[0].confidence) == ("met", pytest.approx(2 / 3))


def test_weights_and_mean_reach_the_count() -> None:
    judges = [says("met", "x"), says("unmet", "y"), says("unmet", "z")]
    heavy = JudgePanel(judges, vote="weighted", weights=[0.6, 0.2, 0.2])
    assert ask(heavy, "sync").verdicts[0].status == "met"
    assert ask(JudgePanel(judges[:2], vote="mean"), "sync").verdicts[0].status == "partial"
    tenths = JudgePanel(judges, vote="weighted", weights=[0.3, 0.1, 0.2])
    assert ask(tenths, "sync").verdicts[0].status == "unknown", "0.1 + 0.2 is exactly 0.3"


def test_a_panel_of_panels() -> None:
    inner = JudgePanel([says("met", "x"), says("met", "y"), says("unmet", "z")])
    outer = JudgePanel([inner, says("met"), raises(ValueError("no"))])
    assert [v.status for v in ask(outer, "sync").verdicts] == ["met", "met"]


def test_a_poll_keeps_every_vote() -> None:
    poll = JudgePanel([says("met"), says("unmet")]).poll(CRITERIA, ACTION, STATE)
    assert [[v.status for v in ruling.verdicts] for ruling in poll.rulings] == [["met"] * 2, ["unmet"] * 2]


@asks
def test_a_panel_of_models(colour: str) -> None:
    """Three model judges under one throttle: one quotes, one invents its quote, one talks."""
    quote = "Which currency is used"

    def model(reply: str) -> ModelJudge:
        return ModelJudge(ScriptedModel(script=lambda messages: reply), throttle=throttle)

    def finding(said: str) -> str:
        return json.dumps({"k1": {"reason": "r", "quotes": [said], "status": "met"}})

    throttle = Throttle(2)
    members = [model(finding(quote)), model(finding("the franc is used there")), model("I would say so.")]
    strict = ask(JudgePanel(members), colour, CRITERIA[:1]).verdicts[0]
    assert (strict.status, strict.fault) == ("unknown", "instrument")
    lenient = ask(JudgePanel(members, min_valid=1), colour, CRITERIA[:1]).verdicts[0]
    assert (lenient.status, [e.quote for e in lenient.evidence]) == ("met", [quote])


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judges", "settings", "match"),
    [
        (0, {}, "0 judges"),
        (3, {"min_valid": 0}, "0 valid"),
        (3, {"min_valid": 4}, "4 valid"),
        (3, {"vote": "loudest"}, "loudest"),
        (3, {"vote": "weighted"}, "do not fit together"),
        (3, {"weights": [1, 1, 1]}, "do not fit together"),
        (3, {"vote": "weighted", "weights": [1, 1]}, "do not fit 3"),
        (3, {"vote": "weighted", "weights": [1, 1, 0]}, "do not fit 3"),
        (3, {"vote": "weighted", "weights": [1, 1, float("nan")]}, "do not fit 3"),
    ],
)
def test_settings_that_cannot_be(judges: int, settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        JudgePanel([says("met")] * judges, **settings)


@pytest.mark.parametrize(("members", "least"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_more_than_half_must_be_valid_by_default(members: int, least: int) -> None:
    assert JudgePanel([says("met")] * members).min_valid == least


def test_the_id_tells_members_and_rules_apart() -> None:
    a, b = says("met", "a"), says("met", "b")
    ids = {
        JudgePanel([a, b]).id,
        JudgePanel([b, a]).id,
        JudgePanel([a, b], min_valid=1).id,
        JudgePanel([a, b], vote="mean").id,
        JudgePanel([a, b], vote="weighted", weights=[1, 2]).id,
        JudgePanel([a, b], vote="weighted", weights=[2, 1]).id,
    }
    assert len(ids) == 6
    assert JudgePanel([a, b]).id == JudgePanel([a, b]).id
    assert JudgePanel([a, b]).id.startswith("panel(a+b)@")


# --- at the same time ------------------------------------------------------------------------

TRACE: ContextVar[str] = ContextVar("TRACE", default="nobody's")


class Slow:
    """A judge behind a server that takes 200 ms, sharing a throttle; counts who is under way."""

    id = "slow"
    lock = threading.Lock()

    def __init__(self, throttle: Throttle, seen: list[int], pause: float = 0.2) -> None:
        self.throttle, self.seen, self.pause = throttle, seen, pause
        self.contexts: list[str] = []

    def _enter(self) -> None:
        with Slow.lock:
            self.seen.append((self.seen[-1] if self.seen else 0) + 1)
            self.contexts.append(TRACE.get())

    def _leave(self) -> None:
        with Slow.lock:
            self.seen.append(self.seen[-1] - 1)

    def _ruling(self, criteria: tuple[Criterion, ...]) -> Ruling:
        return Ruling(
            tuple(Verdict(criterion=c.id, reason="r", status="met") for c in criteria), Cost(calls=1)
        )

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        with self.throttle.slot():
            self._enter()
            threading.Event().wait(self.pause)
            self._leave()
        return self._ruling(criteria)

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        async with self.throttle.aslot():
            self._enter()
            await asyncio.sleep(self.pause)
            self._leave()
        return self._ruling(criteria)


@asks
@pytest.mark.parametrize(("concurrency", "most"), [(8, 3), (2, 2), (1, 1)])
def test_members_start_at_once_and_share_one_throttle(colour: str, concurrency: int, most: int) -> None:
    seen: list[int] = []
    throttle = Throttle(concurrency)
    panel = JudgePanel([Slow(throttle, seen) for _ in range(3)])
    assert ask(panel, colour).verdicts[0].status == "met"
    assert max(seen) == most
    assert len(seen) == 6


@asks
def test_members_see_the_context_of_the_caller(colour: str) -> None:
    judges = [Slow(Throttle(), [], 0) for _ in range(3)]
    token = TRACE.set("this run's")
    try:
        ask(JudgePanel(judges), colour)
    finally:
        TRACE.reset(token)
    assert [judge.contexts for judge in judges] == [["this run's"]] * 3


@asks
def test_the_seconds_are_those_on_the_wall(colour: str) -> None:
    class Timed(Slow):
        def _ruling(self, criteria: tuple[Criterion, ...]) -> Ruling:
            return Ruling(super()._ruling(criteria).verdicts, Cost(calls=1, seconds=1000))

    cost = ask(JudgePanel([Timed(Throttle(), [], 0.01)] * 3), colour).cost
    assert cost.calls == 3
    assert 0 < cost.seconds < 1000


async def test_a_cancelled_panel_cancels_its_members() -> None:
    ended: list[str] = []

    class Waiting(Slow):
        async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("ended")
            return self._ruling(criteria)

    task = asyncio.create_task(JudgePanel([Waiting(Throttle(), [])] * 2).ajudge(CRITERIA, ACTION, STATE))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["ended"] * 2


async def test_panels_of_many_items_run_side_by_side() -> None:
    seen: list[int] = []
    panel = JudgePanel([Slow(Throttle(8), seen, 0.02)] * 3)
    rulings = await asyncio.gather(*(panel.ajudge(CRITERIA, ACTION, STATE) for _ in range(10)))
    assert max(seen) == 8
    assert all(ruling.verdicts[0].status == "met" for ruling in rulings)


def test_it_is_a_judge() -> None:
    judge: Judge = JudgePanel([says("met")])
    assert isinstance(judge, Judge)
    _: Callable[..., Ruling] = judge.judge
