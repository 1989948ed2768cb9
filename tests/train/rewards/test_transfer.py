"""A rubric is paid for what an independent reader makes of it, not for what the reader knew before."""

from __future__ import annotations

import asyncio
import json

import pytest

from coreact.errors import ConfigError
from coreact.generate.gate import CheckReader, Material, ModelReader, Reading
from coreact.judge.records import Cost
from coreact.rubric import Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.words import words
from coreact.testing import ScriptedModel
from coreact.train.rewards.contract import PointReward
from coreact.train.rewards.reward import RubricReward
from coreact.train.rewards.transfer import Remembering, TransferReward
from coreact.train.rewards.trl import TrlReward

LONGER = "1. [1.0] The query names river, source, country and length.\n"
SHORTER = "1. [1.0] The query is short.\n"
VACUOUS = "1. [1.0] Take a sensible step.\n"


class Proxy:
    """Knows words: takes the call that holds more of the rubric's, and the shorter one where it says so."""

    id = "proxy"

    def __init__(self) -> None:
        self.seen: list[Material] = []

    def read(self, material: Material) -> Reading:
        self.seen.append(material)
        return Reading(self.prefer(material), Cost(calls=1))

    def prefer(self, material: Material):
        if material.rubric is None:
            return "tie"
        wanted = {word for criterion in material.rubric for word in words(criterion.text)}
        marks = [len(wanted & set(words(str(one)))) for one in (material.first, material.second)]
        if "short" in wanted:
            marks = [-len(words(str(one))) for one in (material.first, material.second)]
        return "tie" if marks[0] == marks[1] else "first" if marks[0] > marks[1] else "second"

    async def aread(self, material: Material) -> Reading:
        await asyncio.sleep(0.001)
        return self.read(material)


class Strong(Proxy):
    """Knows what is right without any rubric: the longer call."""

    def prefer(self, material: Material):
        marks = [len(str(one)) for one in (material.first, material.second)]
        return "first" if marks[0] > marks[1] else "second"


class Broken(Proxy):
    def read(self, material: Material) -> Reading:
        raise RuntimeError("no model")


@pytest.fixture
def long_is_good(made) -> BranchingPoint:
    """Searches for one, two and three words, the longest best; the answer is the worst of all."""
    return made([1.0, 2.0, 3.0, 0.0])


def test_an_informative_rubric_earns_one_half_more_than_a_vacuous_one(long_is_good: BranchingPoint) -> None:
    reward = TransferReward([Proxy()], form="lines")
    assert isinstance(reward, PointReward)
    informed = reward.score(LONGER, long_is_good)
    assert informed.value == pytest.approx(0.75)  # right in all pairs with it, a coin without
    assert reward.score(VACUOUS, long_is_good).value == pytest.approx(0.5)
    assert reward.score(SHORTER, long_is_good).value < 0.5


def test_a_reader_that_needs_no_rubric_pays_for_none(long_is_good: BranchingPoint) -> None:
    reward = TransferReward([Strong()], form="lines")
    for text in (LONGER, VACUOUS):
        assert reward.score(text, long_is_good).value == 0.5


def test_the_reader_gets_the_rubric_and_the_candidates_and_nothing_else(long_is_good: BranchingPoint) -> None:
    reader = Proxy()
    text = LONGER.strip() + " Rationale: the question asks for the longest delta.\n"
    TransferReward([reader], form="lines").score(text, long_is_good)
    assert {type(one.rubric) for one in reader.seen} == {Rubric, type(None)}
    shown = " ".join(repr(one) for one in reader.seen)
    assert "Which river" not in shown
    assert "longest delta" not in shown  # the justification is cut


def test_smuggling_the_verdict_earns_nothing(long_is_good: BranchingPoint) -> None:
    reader = Proxy()
    reward = TransferReward([reader], form="lines")
    for text in ("1. [1] Choose candidate A.\n", "1. [1] The better action is the longest one.\n"):
        found = reward.score(text, long_is_good)
        assert found.value == 0.0
        assert "tells the verdict" in found.problem
    assert not reader.seen
    assert reward.score("I cannot help.", long_is_good).value == 0.0


def test_what_could_not_be_read_is_masked(long_is_good: BranchingPoint, made) -> None:
    found = TransferReward([Broken()], form="lines").score(LONGER, long_is_good)
    assert (found.value, found.masked) == (None, "every reader abstained")
    tied = made([1.0, 1.0, 1.0])
    assert TransferReward([Proxy()], form="lines").score(LONGER, tied).value is None
    # One that works is enough.
    assert TransferReward([Broken(), Proxy()], form="lines").score(LONGER, long_is_good).value == 0.75


def test_the_control_is_asked_for_once_for_all_rollouts_of_a_group(long_is_good: BranchingPoint) -> None:
    reader = Proxy()
    reward = TrlReward(TransferReward([reader], form="lines"), name="transfer")  # type: ignore[arg-type]
    texts = [LONGER, SHORTER, VACUOUS, "no rubric", LONGER]
    row = long_is_good.model_dump_json()
    found = asyncio.run(reward(["p"] * 5, texts, point=[row] * 5))
    assert found[0] == found[4] == 0.75
    assert found[3] == 0.0
    pairs = 2 * 6  # each of six pairs in both orders
    assert sum(one.rubric is None for one in reader.seen) == pairs
    assert sum(one.rubric is not None for one in reader.seen) == 3 * pairs
    blocking = TransferReward([Proxy()], form="lines")
    assert [blocking.score(text, long_is_good).value for text in texts] == found


def test_a_reading_from_memory_costs_nothing_and_a_failure_is_not_remembered(long_is_good) -> None:
    first, second = long_is_good.actions[:2]
    reader = Remembering(Proxy())
    material = Material(None, first, second)
    assert [reader.read(material).cost.calls for _ in range(3)] == [1, 0, 0]

    class Once(Proxy):
        def read(self, material: Material) -> Reading:
            self.seen.append(material)
            if len(self.seen) == 1:
                raise ConnectionError
            return Reading("tie")

    reader = Remembering(Once())
    with pytest.raises(ConnectionError):
        asyncio.run(reader.aread(material))
    assert asyncio.run(reader.aread(material)).choice == "tie"


def test_checks_alone_can_read(collected) -> None:
    """No model at all: the reader runs the rubric's checks, and agrees with the rank reward on the sign."""
    reward = TransferReward([CheckReader()], form="lines")
    ranked = RubricReward(form="lines")
    signs = []
    for point in collected[:12]:
        text = "1. [0.6] Do not answer yet.\n2. [0.4] Do not repeat an earlier call.\n"
        found, rank = reward.score(text, point), ranked.score(text, point)
        assert found.value is not None
        if rank.spearman and abs(rank.spearman) > 0.3:
            signs.append((found.value > 0.5) == (rank.spearman > 0))
    assert signs
    assert all(signs)


def test_a_model_reads(long_is_good: BranchingPoint) -> None:
    def reply(messages) -> str:
        text = messages[-1].content
        first, second = text.index("candidate A"), text.index("candidate B")
        longer = len(text[first:second]) > len(text[second:])
        guided = "river, source" in text
        choice = ("A" if longer else "B") if guided else "tie"
        return json.dumps({"reason": "by the rubric", "choice": choice})

    model = ScriptedModel(script=reply)
    found = TransferReward([ModelReader(model)], form="lines").score(LONGER, long_is_good)
    assert found.value is not None
    assert found.value > 0.6
    assert not any("Which river" in str(request) for request in model.requests)


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigError, match="no reader"):
        TransferReward([], form="lines")
    with pytest.raises(ConfigError, match="records"):
        TransferReward([CheckReader()], form="records")
