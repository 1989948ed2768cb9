"""What the action taken gains: as the loop itself has it, for every sequence of proposals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.guide import CallModel, GuideSettings, Proposal, RubricWritten, WriteRubric, decide
from coreact.judge import Cost
from coreact.judge.ordering import judged, standing
from coreact.judge.panel import Ranking, average_ranks
from coreact.rubric import Action, ArgumentContains, Criterion, Rubric, State, ToolCall, ToolContract
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.train.rewards.reward import RewardSettings, RubricReward
from coreact.train.rewards.taken import MAY_PASS, RETRIES, plain_gain, shares, taken_gain
from coreact.train.teaching.language import WEIGHTS, Line
from coreact.train.teaching.trying import Trial

SEARCH = ToolContract(
    name="search",
    role="search",
    read_only=True,
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
STATE = State.start("Which rivers?", tools=(SEARCH,), limit=4)
WORDS = ("amber", "birch", "cedar", "delta")


def search(query: str) -> Action:
    return Action(call=ToolCall(name="search", arguments={"query": query}))


def asks(word: str, weight: float) -> Criterion:
    return Criterion(
        id=word,
        text=f"Ask for {word}.",
        weight=weight,
        check=ArgumentContains(argument="query", terms=(word,)),
    )


def loop_takes(rubric: Rubric, actions: list[Action], *, retries: int) -> Action:
    """What the real loop takes where the model proposes these, one after the other."""
    loop = decide(STATE, GuideSettings(retries=retries), has_judge=False)
    proposals, reply = iter(actions), None
    while True:
        try:
            request = loop.send(reply)
        except StopIteration as done:
            return done.value.chosen.actions[0]
        reply = None
        if isinstance(request, WriteRubric):
            reply = RubricWritten(rubric=rubric, generator="hand", cost=Cost())
        elif isinstance(request, CallModel):
            action = next(proposals)
            reply = (Proposal(actions=(action,), payload=action, message={"type": "ai"}, cost=Cost()),)


@settings(max_examples=30, deadline=None)
@given(
    queries=st.lists(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join),
        min_size=2,
        max_size=3,
        unique=True,
    ),
    gains=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    proposed=st.lists(st.integers(1, 5), min_size=3, max_size=3),
    weights=st.lists(st.sampled_from((0.1, 0.3, 0.6)), min_size=1, max_size=4),
    retries=st.integers(0, 2),
)
def test_it_is_what_the_loop_takes_on_average(
    queries: list[str], gains: list[int], proposed: list[int], weights: list[float], retries: int
) -> None:
    actions = [search(query) for query in queries]
    worth, often = gains[: len(actions)], proposed[: len(actions)]
    rubric = Rubric(criteria=tuple(asks(word, weight) for word, weight in zip(WORDS, weights, strict=False)))
    expected = 0.0
    for drawn in product(range(len(actions)), repeat=retries + 1):
        chance = float(np.prod([often[at] / sum(often) for at in drawn]))
        taken = loop_takes(rubric, [actions[at] for at in drawn], retries=retries)
        expected += chance * worth[actions.index(taken)]
    standings = standing(judged(rubric, actions, STATE))
    assert taken_gain(standings, worth, often, retries=retries) == pytest.approx(expected)


@given(
    standings=st.lists(st.none() | st.sampled_from((0.0, 0.4, 1.2, 2.7, 3.0)), min_size=1, max_size=5),
    data=st.data(),
)
def test_bounds_and_ends(standings: list[float | None], data: st.DataObject) -> None:
    n = len(standings)
    gains = data.draw(st.lists(st.floats(-1, 1), min_size=n, max_size=n))
    proposed = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    value = taken_gain(standings, gains, proposed)
    assert min(gains) - 1e-9 <= value <= max(gains) + 1e-9
    total = sum(proposed)
    plain = sum(g * k for g, k in zip(gains, proposed, strict=True)) / total if total else sum(gains) / n
    assert plain_gain(gains, proposed) == pytest.approx(plain)
    assert taken_gain(standings, gains, proposed, retries=0) == pytest.approx(plain)
    # What lets all through, or fails all alike, changes nothing but what repeats.
    assert taken_gain([2.5] * n, gains, proposed) == pytest.approx(plain)
    assert taken_gain([0.5] * n, gains, proposed) == pytest.approx(plain)


def test_bad_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 standings, 1 gains and 1 numbers"):
        taken_gain([1.0, 2.0], [1.0], [1])
    with pytest.raises(ValueError, match="0 standings"):
        taken_gain([], [], [])


def a_point() -> BranchingPoint:
    """Mostly right proposals: a rubric that insists on a name that nobody proposes fails them all alike."""
    return BranchingPoint(
        id="p",
        question_id="q",
        world="toy",
        state=STATE,
        candidates=(
            Candidate(action=search("amber birch"), gain=1.0, proposed=6),
            Candidate(action=search("cedar"), gain=1.0, proposed=2),
            Candidate(action=Action(answer="42"), gain=0.0, proposed=2),
        ),
    )


def test_many_at_once_are_the_same_as_one_by_one() -> None:
    point = a_point()
    lines = [Line(word, ArgumentContains(argument="query", terms=(word,))) for word in WORDS]
    trial = Trial(lines, point, most=3)
    weights = ((1.0,), (0.6, 0.4), (0.5, 0.3, 0.2))
    gains = trial.taken().gains
    for at in range(len(gains)):
        chosen = trial.chosen(at)
        rubric = Rubric(
            criteria=tuple(
                asks(line.sentence, weight)
                for line, weight in zip(chosen, weights[len(chosen) - 1], strict=True)
            )
        )
        scores = standing(judged(rubric, point.actions, STATE))
        assert gains[at] == pytest.approx(taken_gain(scores, point.gains, [6, 2, 2]))


@settings(max_examples=60)
@given(
    words=st.lists(st.sets(st.sampled_from(WORDS)), min_size=2, max_size=6),
    data=st.data(),
)
def test_arrays_reckon_as_the_loop_does(words: list[set[str]], data: st.DataObject) -> None:
    n = len(words)
    gains = data.draw(st.lists(st.sampled_from((-1.0, 0.0, 0.5, 1.0)), min_size=n, max_size=n))
    proposed = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    actions = [search(" ".join([f"q{at}", *sorted(some)])) for at, some in enumerate(words)]
    point = BranchingPoint(
        id="p",
        question_id="q",
        world="toy",
        state=STATE,
        candidates=tuple(
            Candidate(action=action, gain=gain, proposed=often)
            for action, gain, often in zip(actions, gains, proposed, strict=True)
        ),
    )
    trial = Trial(
        [Line(word, ArgumentContains(argument="query", terms=(word,))) for word in WORDS], point, most=4
    )
    if not trial:
        return
    found = trial.taken()
    for at in data.draw(st.lists(st.integers(0, len(found.gains) - 1), max_size=5)):
        chosen = trial.chosen(at)
        weighted = zip(chosen, WEIGHTS[len(chosen) - 1], strict=True)
        rubric = Rubric(criteria=tuple(asks(line.sentence, weight) for line, weight in weighted))
        places = standing(judged(rubric, actions, STATE))
        assert found.gains[at] == pytest.approx(taken_gain(places, gains, proposed))
        assert found.attempts[at] == pytest.approx(asked_for(places, shares(proposed)))


def asked_for(places: Sequence[float | None], chances: Sequence[float]) -> float:
    """Expected number of proposals, one sequence after the other."""
    fails = [place is not None and place < MAY_PASS for place in places]
    expected = 0.0
    for drawn in product(range(len(places)), repeat=RETRIES + 1):
        asked = 1
        while asked <= RETRIES and fails[drawn[asked - 1]] and drawn[asked - 1] not in drawn[: asked - 1]:
            asked += 1
        expected += float(np.prod([chances[at] for at in drawn])) * asked
    return expected


class ByLength:
    """Ranks by length: it says which step is better, and never that one fails."""

    id = "length@1"

    def rank(self, state: State, candidates: Sequence[Action], **_: object) -> Ranking:
        return Ranking(tuple(average_ranks([float(len(str(one))) for one in candidates])))

    async def arank(self, state: State, candidates: Sequence[Action], **_: object) -> Ranking:
        return self.rank(state, candidates)


@pytest.mark.parametrize("role", ["judge", "control"])
def test_a_ranker_cannot_tell_what_a_loop_takes(role: str) -> None:
    given_to: dict[str, Any] = {role: ByLength()}
    with pytest.raises(ConfigError, match="which one passes"):
        RubricReward(RewardSettings(rank="taken"), form="lines", **given_to)
    RubricReward(RewardSettings(rank="spearman"), form="lines", **given_to)


def test_as_a_reward_it_pays_for_what_verifying_gains() -> None:
    scorer = RubricReward(RewardSettings(ranking=1, atomic=0, format=0, rank="taken"), form="lines")
    point = a_point()

    def paid(*lines: str) -> float:
        value = scorer.score("\n".join(lines), point).value
        assert value is not None
        return value

    lenient = paid("1. [1] Do not answer yet.")
    strict = paid('1. [1] The `query` contains "amber".')
    backwards = paid("1. [1] Answer now.")
    wordy = paid("1. [1] Be thorough and careful with everything you do.")
    assert wordy == pytest.approx(0.5), "what decides nothing gains nothing"
    assert lenient > 0.5 > backwards
    assert lenient >= strict, "failing a right proposal gains nothing"
