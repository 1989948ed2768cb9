"""Several rankers, one ranking; or none, and never a made-up one."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage
from langgraph.errors import GraphInterrupt

from coreact.errors import ConfigError, JudgingError
from coreact.judge.panel.agreement import Agreement
from coreact.judge.panel.consensus import Consensus, aconsensus, consensus
from coreact.judge.panel.listwise import ListwiseRanker, Ranker, Ranking
from coreact.judge.panel.ranking import Ranks, average_ranks
from coreact.judge.records import Cost
from coreact.judge.structured import StructuredModel
from coreact.rubric import Action, Criterion, State
from coreact.testing.scripted import ScriptedModel

STATE = State.start("q")
CANDIDATES = tuple(Action(answer=name) for name in "abcd")

asks = pytest.mark.parametrize("colour", ["sync", "async"])


class Fixed:
    """Ranks answers by a word that lists them best first, `=` between ties; errors are raised."""

    def __init__(self, order: str | Exception | Ranks, name: str = "ranker") -> None:
        self.id = name
        self._order = order
        self.seeds: list[int] = []

    def rank(
        self, state: State, candidates: Sequence[Action], *, criteria: Sequence[Criterion] = (), seed: int = 0
    ) -> Ranking:
        self.seeds.append(seed)
        if isinstance(self._order, Exception):
            raise self._order
        if isinstance(self._order, tuple):
            return Ranking(self._order)
        place: dict[str, int] = {}
        for at, letters in enumerate(self._order.split(">")):
            place.update(dict.fromkeys(letters.split("="), at))
        ranks = average_ranks([-place[str(action.answer)] for action in candidates])
        return Ranking(ranks, cost=Cost(calls=1, output_tokens=5))

    async def arank(
        self, state: State, candidates: Sequence[Action], *, criteria: Sequence[Criterion] = (), seed: int = 0
    ) -> Ranking:
        return self.rank(state, candidates, criteria=criteria, seed=seed)


def merge(
    rankers: Sequence[Ranker], colour: str = "sync", candidates: Sequence[Action] = CANDIDATES, **more: Any
) -> Consensus:
    if colour == "sync":
        return consensus(rankers, STATE, candidates, **more)
    return asyncio.run(aconsensus(rankers, STATE, candidates, **more))


@asks
def test_borda_with_ties_by_hand(colour: str) -> None:
    # a 1 + 1.5 + 2 = 4.5, b 2 + 1.5 + 1 = 4.5, c 3 + 3 + 4 = 10, d 4 + 4 + 3 = 11
    found = merge([Fixed("a>b>c>d"), Fixed("a=b>c>d"), Fixed("b>a>d>c")], colour)
    assert found.ranks == (1.5, 1.5, 3, 4)
    assert found.best == (0, 1)
    assert found.failed == ()
    assert (found.cost.calls, found.cost.output_tokens) == (3, 15)
    # S = 9 + 9 + 6.25 + 12.25 = 36.5 around 7.5; one tie of two: W = 12 * 36.5 / (9 * 60 - 3 * 6)
    assert found.kendall_w == Agreement(pytest.approx(12 * 36.5 / 522), 4, 3)
    assert found.spearman.raters == 3


def test_the_rule_can_make_the_winner() -> None:
    votes = [Fixed("a>b>c")] * 3 + [Fixed("b>c>a")] * 2
    assert merge(votes, candidates=CANDIDATES[:3]).best == (1,)
    assert merge(votes, candidates=CANDIDATES[:3], rule="kemeny").best == (0,)


@asks
def test_one_failing_ranker_is_tolerated_two_are_not(colour: str) -> None:
    good = Fixed("d>c>b>a")
    down = Fixed(ConnectionError("gone"), "down")
    odd = Fixed(JudgingError("no", judge="odd", cause="parse"), "odd")
    one = merge([good, down, good], colour)
    assert one.ranks == (4, 3, 2, 1)
    assert [(f.by, f.cause, f.reason) for f in one.failed] == [("down", "transport", "ConnectionError: gone")]
    two = merge([good, down, odd], colour)
    assert two.ranks is None
    assert two.best == ()
    assert len(two.rankings) == 1
    assert [f.cause for f in two.failed] == ["transport", "parse"]
    assert (two.kendall_w.value, two.spearman.value) == (None, None)
    assert two.cost.calls == 3
    assert merge([good, down, odd], colour, min_valid=1).ranks == (4, 3, 2, 1)


def test_no_ranks_where_every_ranker_failed() -> None:
    found = merge([Fixed(TimeoutError())] * 3)
    assert (found.ranks, found.rankings, found.best) == (None, (), ())


@pytest.mark.parametrize(
    "ranks", [(1, 2, 3), (1, 2, 3, 3), (0, 1, 2, 3), (1, 1, 3, 4), (1, 2, 3, float("nan"))]
)
def test_ranks_that_are_none_are_a_failure(ranks: Ranks) -> None:
    found = merge([Fixed(ranks), Fixed("a>b>c>d"), Fixed("a>b>c>d")])
    assert found.ranks == (1, 2, 3, 4)
    assert [failed.cause for failed in found.failed] == ["bug"]


@asks
def test_control_flow_passes_through(colour: str) -> None:
    with pytest.raises(GraphInterrupt):
        merge([Fixed("a>b>c>d"), Fixed(GraphInterrupt()), Fixed("a>b>c>d")], colour)


def test_each_ranker_draws_its_own_letters() -> None:
    rankers = [Fixed("a>b>c>d"), Fixed("a>b>c>d")]
    merge(rankers, seed=40)
    assert [ranker.seeds for ranker in rankers] == [[40], [41]]


def test_a_ranker_that_tells_nothing_apart_is_valid_and_shows() -> None:
    found = merge([Fixed("a=b=c=d"), Fixed("a>b>c>d")])
    assert found.ranks == (1, 2, 3, 4)
    assert found.spearman == Agreement(None, 4, 1)


@given(
    orders=st.lists(st.permutations("abcd"), min_size=1, max_size=5),
    order=st.permutations(range(4)),
    rule=st.sampled_from(["borda", "kemeny"]),
)
def test_the_order_of_the_candidates_changes_nothing(
    orders: list[list[str]], order: list[int], rule: Any
) -> None:
    rankers = [Fixed(">".join(letters)) for letters in orders]
    straight = merge(rankers, rule=rule)
    turned = merge(rankers, candidates=[CANDIDATES[at] for at in order], rule=rule)
    assert straight.ranks is not None
    assert turned.ranks == tuple(straight.ranks[at] for at in order)
    assert turned.kendall_w.value == pytest.approx(straight.kendall_w.value)
    assert sorted(order[at] for at in turned.best) == list(straight.best)


@pytest.mark.parametrize(
    ("rankers", "candidates", "settings", "match"),
    [
        (0, 4, {}, "0 rankers"),
        (3, 0, {}, "0 candidates"),
        (3, 4, {"min_valid": 4}, "4 of them valid"),
        (3, 4, {"min_valid": 0}, "0 of them valid"),
        (3, 4, {"rule": "loudest"}, "loudest"),
        (3, 11, {"rule": "kemeny"}, "takes too long"),
    ],
)
def test_settings_that_cannot_be_cost_nothing(
    rankers: int, candidates: int, settings: dict[str, Any], match: str
) -> None:
    fixed = Fixed("a>b>c>d")
    with pytest.raises(ConfigError, match=match):
        merge([fixed] * rankers, candidates=[Action(answer=str(n)) for n in range(candidates)], **settings)
    assert fixed.seeds == []


# --- with models -----------------------------------------------------------------------------


def model_that(*order: str) -> ListwiseRanker:
    """A model that finds its order again under whatever letters it is shown; nothing: it talks."""

    def reply(messages: list[BaseMessage]) -> str:
        found = re.findall(r"proposal (\w):\n<<\1 \w+\nanswer: (\w)\n", str(messages[-1].content))
        letters = {name: letter for letter, name in found}
        groups = [[letters[name]] for name in order]
        return json.dumps({"reasons": "r", "groups": groups}) if groups else "I cannot rank these."

    return ListwiseRanker(StructuredModel(ScriptedModel(script=reply)))


@asks
def test_three_models_one_of_which_talks(colour: str) -> None:
    found = merge([model_that(*"dabc"), model_that(), model_that(*"dacb")], colour, seed=3)
    assert found.ranks == (2, 3.5, 3.5, 1)
    assert found.rankings[0].labels != found.rankings[1].labels
    assert [failed.cause for failed in found.failed] == ["refusal"]
    assert found.cost.calls == 3
    assert found.spearman.value == pytest.approx(0.8)
    again = merge([model_that(*"dabc"), model_that(), model_that(*"dacb")], colour, seed=3)
    assert again.rankings[0].labels == found.rankings[0].labels
    assert again.ranks == found.ranks
