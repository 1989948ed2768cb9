"""Label consistency: a rubric is kept only for an order that nothing unknown could turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.generate.contrastive import Contrast
from coreact.generate.contrastive.consistency import ConsistentGenerator
from coreact.generate.contrastive.writer import ContrastiveGenerator
from coreact.generate.generator import NoRubricError, RubricRefusedError, Written
from coreact.judge.records import Cost
from coreact.rubric import Action, ArgumentContains, Criterion, Rubric, State, ToolCall, ToolContract
from coreact.testing import ScriptedJudge

SEARCH = ToolContract(name="search", parameters={"properties": {"query": {"type": "string"}}})
STATE = State.start("Which river flows through Vienna?", tools=(SEARCH,))


def query(text: str) -> Action:
    return Action(call=ToolCall(name="search", arguments={"query": text}))


GOOD, BAD, WORSE = query("river Vienna"), query("Basel river"), query("weather")
PAIR = Contrast(state=STATE, better=GOOD, worse=BAD)


def holding(*terms: str, weight: float = 1.0) -> Criterion:
    return Criterion(
        id=terms[0],
        text=f"name {terms}",
        weight=weight,
        check=ArgumentContains(argument="query", terms=terms),
    )


def prose(name: str, weight: float = 1.0) -> Criterion:
    return Criterion(id=name, text=name, weight=weight)


def rubric(*criteria: Criterion) -> Rubric:
    return Rubric(criteria=criteria)


class Writer:
    id = "writer"

    def __init__(self, *script: Rubric | Exception) -> None:
        self.script = list(script)
        self.asked = 0

    def write(self, contrast: Contrast) -> Written:
        entry = self.script[self.asked]
        self.asked += 1
        if isinstance(entry, Exception):
            raise entry
        return Written(entry, Cost(calls=1))

    async def awrite(self, contrast: Contrast) -> Written:
        return self.write(contrast)


@pytest.fixture(params=["sync", "async"])
def write(request: pytest.FixtureRequest) -> Callable[..., Written]:
    def run(writer: Any, *args: Any) -> Written:
        if request.param == "sync":
            return writer.write(*args)  # type: ignore[no-any-return]
        return asyncio.run(writer.awrite(*args))

    return run


RIGHT, WRONG, VACUOUS = rubric(holding("vienna")), rubric(holding("basel")), rubric(holding("river"))


def test_the_first_rubric_that_recovers_the_label_is_kept(write: Any) -> None:
    writer = Writer(WRONG, VACUOUS, RIGHT)
    written = write(ConsistentGenerator(writer), PAIR)
    assert written.rubric == RIGHT
    assert [(one.deed, one.problem) for one in written.remarks] == [
        ("refused", "inconsistent"),
        ("refused", "inconsistent"),
        ("kept", None),
    ]
    assert written.cost.calls == 3


def test_none_is_kept_where_none_recovers_it(write: Any) -> None:
    writer = Writer(WRONG, VACUOUS, WRONG)
    with pytest.raises(RubricRefusedError) as caught:
        write(ConsistentGenerator(writer, samples=3), PAIR)
    assert [one.problem for one in caught.value.remarks] == ["inconsistent"] * 3
    assert "same rubric" in caught.value.remarks[-1].reason
    assert (caught.value.cost.calls, writer.asked) == (3, 3)


@pytest.mark.parametrize(
    ("others", "tau", "kept"),
    [
        ([(GOOD, WORSE)], 1.0, True),
        ([(BAD, WORSE)], 0.5, True),  # 1 of 2: both sides lack Vienna
        ([(BAD, WORSE)], 0.6, False),
        ([(BAD, GOOD), (BAD, WORSE)], 0.5, False),  # 1 of 3
        ([(BAD, GOOD), (BAD, WORSE)], 0.3, True),
    ],
)
def test_a_share_of_all_pairs_and_the_own_pair_must_be_recovered(
    write: Any, others: Any, tau: float, kept: bool
) -> None:
    pairs = [Contrast(state=STATE, better=better, worse=worse) for better, worse in others]
    generator = ConsistentGenerator(Writer(RIGHT), samples=1, tau=tau)
    if kept:
        assert write(generator, PAIR, pairs).rubric == RIGHT
    else:
        with pytest.raises(RubricRefusedError):
            write(generator, PAIR, pairs)


def test_the_own_pair_counts_even_where_tau_is_met_without_it(write: Any) -> None:
    pairs = [Contrast(state=STATE, better=BAD, worse=other) for other in (GOOD, WORSE)]
    with pytest.raises(RubricRefusedError):
        write(ConsistentGenerator(Writer(WRONG), samples=1, tau=0.0), PAIR, pairs)


def test_a_judge_decides_prose(write: Any) -> None:
    judge = ScriptedJudge(lambda criterion, action: "met" if action == GOOD else "unmet")
    written = write(ConsistentGenerator(Writer(rubric(prose("p"))), judge=judge), PAIR)
    assert written.cost.calls == 3
    assert len(judge.asked) == 2


def test_without_a_judge_prose_recovers_nothing(write: Any) -> None:
    with pytest.raises(RubricRefusedError):
        write(ConsistentGenerator(Writer(rubric(prose("p"))), samples=1), PAIR)


def test_a_broken_judge_recovers_nothing_and_is_named(write: Any) -> None:
    judge = ScriptedJudge(TimeoutError("slow"))
    with pytest.raises(RubricRefusedError) as caught:
        write(ConsistentGenerator(Writer(rubric(prose("p"))), judge=judge, samples=1), PAIR)
    assert caught.value.cause == "transport"
    assert "a judge failed" in caught.value.remarks[-1].reason


def test_an_order_that_only_an_unknown_verdict_makes_is_no_order(write: Any) -> None:
    # By the plain score the better side stands at 1 of 1 and the worse one at 0.5.
    judge = ScriptedJudge(lambda criterion, action: "unknown" if action == GOOD else "unmet")
    criteria = rubric(holding("river"), prose("p"))
    with pytest.raises(RubricRefusedError):
        write(ConsistentGenerator(Writer(criteria), judge=judge, samples=1), PAIR)


def test_what_is_unknown_of_the_worse_side_may_have_been_met(write: Any) -> None:
    judge = ScriptedJudge(lambda criterion, action: "unknown" if action == BAD else "met")
    with pytest.raises(RubricRefusedError):
        write(ConsistentGenerator(Writer(rubric(prose("p"))), judge=judge, samples=1), PAIR)


def test_an_unknown_verdict_too_light_to_matter_does_not_stop_it(write: Any) -> None:
    judge = ScriptedJudge(lambda criterion, action: "unknown")
    criteria = rubric(holding("vienna", weight=4), prose("p", weight=1))
    assert write(ConsistentGenerator(Writer(criteria), judge=judge, samples=1), PAIR).rubric == criteria


def test_a_writer_that_fails_once_is_asked_again(write: Any) -> None:
    failed = NoRubricError("no", generator="writer", cause="parse", cost=Cost(calls=2))
    assert write(ConsistentGenerator(Writer(failed, RIGHT)), PAIR).cost.calls == 3
    with pytest.raises(NoRubricError) as caught:
        write(ConsistentGenerator(Writer(failed, failed), samples=2), PAIR)
    assert not isinstance(caught.value, RubricRefusedError)
    assert (caught.value.cause, caught.value.cost.calls) == ("parse", 4)


def test_it_is_a_contrastive_writer_itself() -> None:
    assert isinstance(ConsistentGenerator(Writer(RIGHT)), ContrastiveGenerator)


@pytest.mark.parametrize("arguments", [{"samples": 0}, {"tau": -0.1}, {"tau": 1.1}])
def test_arguments_are_checked(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ConsistentGenerator(Writer(RIGHT), **arguments)
