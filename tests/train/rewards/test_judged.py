"""Rubrics that a judge decides: what is asked and remembered, what masks, what the control takes away."""

from __future__ import annotations

import asyncio
import pickle
import random
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import pytest

from coreact.errors import JudgingError
from coreact.judge import Cost, Ruling, Status, Verdict
from coreact.judge.ordering import agreement
from coreact.judge.panel.listwise import Ranking
from coreact.judge.panel.ranking import average_ranks
from coreact.rubric import Action, Criterion, Rubric, State
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.checks import Stops
from coreact.train.rewards.advantages import group_advantages
from coreact.train.rewards.control import UNGUIDED
from coreact.train.rewards.reward import RewardSettings, RubricReward

Made = Callable[..., BranchingPoint]

RIGHT = '1. [0.6] Do not answer yet.\n2. [0.2] Use `search`.\n3. [0.2] The `query` contains "river".'
PROSE = "1. [0.5] The query is about water.\n2. [0.3] The query is short.\n3. [0.2] The query is new."


Decision = Callable[[Criterion, Action, int], Status]
"""What is said of a criterion and an action, where the criterion is shown at this place."""


class ScriptedJudge:
    """Rules by a function, and writes down what it was asked."""

    def __init__(self, decide: Decision, *, id: str = "scripted") -> None:  # noqa: A002
        self.id = id
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self._decide = decide

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        self.asked.append((str(action), tuple(one.text for one in criteria)))
        verdicts = tuple(
            Verdict(
                criterion=one.id, reason="so it is", status=self._decide(one, action, at), decided_by=self.id
            )
            for at, one in enumerate(criteria)
        )
        return Ruling(verdicts, Cost(calls=1))

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)


class BrokenJudge:
    """Fails, always or on candidates with a text in them."""

    id = "broken"

    def __init__(self, on: str = "") -> None:
        self.on = on

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        if self.on in str(action):
            raise ConnectionError("no route to host")
        return Ruling(tuple(Verdict(criterion=one.id, reason="", status="met") for one in criteria))

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)


class ScriptedRanker:
    """Ranks by a score of an action, given whether there are criteria, and the seed; None: it fails."""

    id = "ranker"

    def __init__(self, score: Callable[[Action, bool, int], float | None]) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._score = score

    def rank(
        self, state: State, candidates: Sequence[Action], *, criteria: Sequence[Criterion] = (), seed: int = 0
    ) -> Ranking:
        self.asked.append(tuple(one.text for one in criteria))
        scores = [self._score(action, bool(criteria), seed) for action in candidates]
        known = [score for score in scores if score is not None]
        if len(known) < len(scores):
            raise JudgingError("The reply cannot be read.", judge=self.id, cause="parse")
        return Ranking(average_ranks(known))

    async def arank(
        self, state: State, candidates: Sequence[Action], *, criteria: Sequence[Criterion] = (), seed: int = 0
    ) -> Ranking:
        return self.rank(state, candidates, criteria=criteria, seed=seed)


def reward(*, judge: Any = None, arm: Rubric | None = None, **settings: Any) -> RubricReward:
    """With the judge, the control arm and the settings."""
    return RubricReward(RewardSettings(**settings), form="lines", judge=judge, control=arm)


def by_length(criterion: Criterion, action: Action, at: int) -> Any:
    """Only the shortest query is right, whatever it is asked."""
    return "met" if str(action).endswith("query='river')") else "unmet"


# --- what is paid ---


def test_where_the_original_rewards_hedging_and_punishes_outages(point: BranchingPoint, made: Made) -> None:
    """Its table (rubric that is wrong, ties all, judge that is down): 0.25, 0.625, 0.10."""
    stop = "1. [0.6] Answer now.\n2. [0.2] Answer now or later.\n3. [0.2] Answer only now."
    wrong = RubricReward(form="lines", judge=ScriptedJudge(lambda c, a, at: "met" if a.stops else "unmet"))
    gains = made([3.0, 3.0, 3.0, 1.0])
    assert wrong.score(PROSE, gains).spearman == -1.0
    assert wrong.score(PROSE, gains).value == pytest.approx(0.25)
    tied = reward(judge=ScriptedJudge(lambda *_: "met")).score(PROSE, point)
    assert (tied.tied, tied.spearman, tied.rank) == (True, 0.0, 0.5)
    assert tied.value == pytest.approx(0.375)
    assert tied.format == tied.atomic == 1.0  # told, but not paid
    down = reward(judge=BrokenJudge()).score(PROSE, point)
    assert (down.value, down.masked) == (None, "judge: transport")
    assert reward().score(stop, gains).value < 0.375  # type: ignore[operator]


def test_a_guess_in_good_form_earns_more_than_saying_nothing(point: BranchingPoint) -> None:
    """Over all orders the mean reward is 0.625, so hedging (0.375) is no way out for a policy."""
    draw, earned = random.Random(0), []
    for _ in range(200):
        luck = {str(action): draw.random() for action in point.actions}
        ranker = ScriptedRanker(lambda action, guided, seed, luck=luck: luck[str(action)])  # type: ignore[misc]
        earned.append(reward(judge=ranker).score(PROSE, point).value or 0.0)
    assert sum(earned) / len(earned) == pytest.approx(0.625, abs=0.04)


# --- judges --------------------------------------------------------------------------------------


def test_a_judge_is_asked_only_about_what_code_leaves_open(point: BranchingPoint) -> None:
    judge = ScriptedJudge(by_length)
    found = reward(judge=judge).score(f"{RIGHT}\n4. [0.1] The query is about water.", point)
    assert found.calls == len(judge.asked) == 4  # one for each candidate
    assert {texts for _, texts in judge.asked} == {("The query is about water.",)}
    assert reward(judge=judge).score(RIGHT, point).calls == 0


def test_prose_without_a_judge_ties_and_is_not_paid_for_its_words(point: BranchingPoint) -> None:
    found = reward().score(PROSE, point)
    assert (found.tied, found.atomic) == (True, 0.0)
    assert found.value == pytest.approx(0.375)


def test_what_earns_nothing_as_a_text_is_not_judged(point: BranchingPoint) -> None:
    chinese = "\n".join(f"{n}. [0.2] 应使用搜索工具查找该河流的名称" for n in range(1, 6))
    for text in (chinese, "sorry"):
        found = reward(judge=BrokenJudge()).score(text, point)
        assert (found.value, found.masked, found.calls) == (0.0, "", 0)


def test_the_same_rubric_is_judged_once(point: BranchingPoint, made: Made) -> None:
    judge = ScriptedJudge(by_length)
    scorer = reward(judge=judge)
    first = scorer.score(PROSE, point)
    again = scorer.score(PROSE, point)
    assert (first.calls, again.calls, len(judge.asked)) == (4, 0, 4)
    assert again == first.model_copy(update={"calls": 0})
    scorer.score(PROSE, made([1.0, 2.0, 3.0, 4.0, 5.0]))  # one more candidate, the answer is the same
    assert len(judge.asked) == 5


def test_a_failed_judge_is_asked_again(point: BranchingPoint) -> None:
    judge = BrokenJudge()
    scorer = reward(judge=judge)
    assert scorer.score(PROSE, point).masked
    judge.on = "no candidate holds this"
    assert scorer.score(PROSE, point).masked == ""


def test_one_broken_candidate_masks_the_sample(point: BranchingPoint) -> None:
    found = reward(judge=BrokenJudge(on="answer")).score(PROSE, point)
    assert (found.value, found.masked, found.spearman) == (None, "judge: transport", None)


def test_the_place_of_a_criterion_is_drawn_by_content(point: BranchingPoint) -> None:
    judge = ScriptedJudge(by_length)
    reward(judge=judge).score(PROSE, point)
    orders = {texts for _, texts in judge.asked}
    assert len(orders) > 1
    turned = ScriptedJudge(by_length)
    lines = [line[3:] for line in PROSE.splitlines()]
    reward(judge=turned).score("\n".join(f"{n}. {line}" for n, line in enumerate(reversed(lines), 1)), point)
    assert {frozenset(texts) for _, texts in turned.asked} == {frozenset(texts) for _, texts in judge.asked}


def test_asked_in_both_orders_a_leaning_judge_says_nothing(point: BranchingPoint) -> None:
    def leaning(criterion: Criterion, action: Action, at: int) -> Any:
        return "met" if at == 0 else "unmet"

    two = "1. [0.7] The query is about water.\n2. [0.3] The query is short."
    assert not reward(judge=ScriptedJudge(leaning)).score(two, point).tied
    judge = ScriptedJudge(leaning)
    both = reward(judge=judge, both_orders=True).score(two, point)
    assert both.calls == len(judge.asked) == 8
    for (action, first), (same, second) in zip(judge.asked[::2], judge.asked[1::2], strict=True):
        assert action == same
        assert first == second[::-1]
    assert (both.tied, both.spearman) == (True, 0.0)


async def test_candidates_are_judged_side_by_side(point: BranchingPoint) -> None:
    class Together:
        """Answers nobody before all four have asked."""

        id = "together"

        def __init__(self) -> None:
            self.everybody = asyncio.Barrier(4)

        def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            raise NotImplementedError

        async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            await asyncio.wait_for(self.everybody.wait(), timeout=20)
            return Ruling(tuple(Verdict(criterion=one.id, reason="", status="met") for one in criteria))

    found = await reward(judge=Together()).ascore(PROSE, point)
    assert (found.masked, found.calls) == ("", 4)


def test_a_ranker_sees_all_candidates_at_once(point: BranchingPoint) -> None:
    ranker = ScriptedRanker(lambda action, guided, seed: -len(str(action)))
    found = reward(judge=ranker).score(PROSE, point)
    assert found.calls == len(ranker.asked) == 1
    assert sorted(ranker.asked[0]) == sorted(line.partition("] ")[2] for line in PROSE.splitlines())
    expected = agreement([-len(str(action)) for action in point.actions], point.gains)
    assert found.spearman == pytest.approx(expected)
    assert reward(judge=ranker).score(RIGHT, point).calls == 0  # code alone ranks


def test_a_ranker_that_changes_its_mind_with_the_labels_is_averaged(point: BranchingPoint) -> None:
    ranker = ScriptedRanker(lambda action, guided, seed: (1 if seed else -1) * len(str(action)))
    found = reward(judge=ranker, both_orders=True).score(PROSE, point)
    assert (found.calls, found.tied, found.spearman) == (2, True, 0.0)


def test_a_ranker_without_a_ranking_masks(point: BranchingPoint) -> None:
    found = reward(judge=ScriptedRanker(lambda *_: None)).score(PROSE, point)
    assert (found.value, found.masked) == (None, "judge: parse")


# --- the control arm -----------------------------------------------------------------------------


def ranking_alone(point: BranchingPoint, alone: float, guided: float) -> ScriptedRanker:
    """A ranker that is right, wrong or tied (1, -1, 0), with and without criteria."""
    gains = dict(zip(map(str, point.actions), point.gains, strict=True))
    return ScriptedRanker(lambda action, has, seed: (guided if has else alone) * gains[str(action)])


@pytest.mark.parametrize(
    ("alone", "guided", "subtracted", "relative"),
    [
        (1, 1, 0.5, 0.5),  # right, and it would have been right anyhow
        (0, 1, 0.75, 1.0),
        (-1, 1, 1.0, 1.0),
        (0, 0, 0.5, 0.5),
        (1, 0, 0.25, 0.25),  # a rubric that takes away what the judge knew
        (1, -1, 0.0, 0.0),
    ],
)
def test_only_what_the_rubric_adds_is_paid(
    alone: float, guided: float, subtracted: float, relative: float, point: BranchingPoint
) -> None:
    for against, expected in (("subtract", subtracted), ("relative", relative)):
        ranker = ranking_alone(point, alone, guided)
        found = reward(judge=ranker, control=against).score(PROSE, point)
        assert (found.spearman, found.control) == (guided, alone)
        assert found.rank == pytest.approx(expected)


def test_the_control_is_asked_once_for_each_point(point: BranchingPoint) -> None:
    ranker = ranking_alone(point, 0, 1)
    scorer = reward(judge=ranker, control="subtract")
    assert scorer.score(PROSE, point).calls == 2
    assert scorer.score(PROSE.replace("water", "rivers"), point).calls == 1
    assert ranker.asked.count(()) == 1


async def test_the_control_is_asked_once_for_a_group_that_is_scored_side_by_side(
    point: BranchingPoint,
) -> None:
    """As in training: none of the eight has the answer when the others come."""

    class Slow(ScriptedJudge):
        async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            await asyncio.sleep(0.01)
            return self.judge(criteria, action, state)

    judge = Slow(by_length)
    scorer = reward(judge=judge, control="subtract")
    group = [PROSE.replace("water", f"water {n}") for n in range(7)]
    found = await asyncio.gather(*(scorer.ascore(text, point) for text in [*group, group[0]]))
    alone = [texts for _, texts in judge.asked if texts == (UNGUIDED.criteria[0].text,)]
    assert (len(alone), len(judge.asked)) == (4, 4 + 7 * 4)  # once for a candidate; equal rubrics once
    assert sum(one.calls for one in found) == len(judge.asked)
    assert len({one.control for one in found}) == 1


def test_in_which_order_a_rubric_lists_its_criteria_does_not_matter(point: BranchingPoint) -> None:
    """Even before a judge that believes whatever it is shown first."""
    lines = [line[3:] for line in PROSE.splitlines()]
    found = {
        reward(judge=ScriptedJudge(lambda c, a, at: "unmet" if at else "met"))
        .score("\n".join(f"{n}. {line}" for n, line in enumerate(order, 1)), point)
        .value
        for order in permutations(lines)
    }
    assert len(found) == 1


def test_a_judge_is_its_own_control_and_code_has_one_that_knows_nothing(
    point: BranchingPoint, made: Made
) -> None:
    judge = ScriptedJudge(by_length)
    found = reward(judge=judge, control="subtract").score(PROSE, point)
    assert found.control == pytest.approx(found.spearman)
    assert found.rank == pytest.approx(0.5)
    assert ("It is a good next step for the question.",) in {texts for _, texts in judge.asked}
    alone = reward(control="subtract").score(RIGHT, made([3.0, 3.0, 3.0, 1.0]))
    assert (alone.control, alone.rank) == (1.0, 0.5)  # "do not answer yet" is all that it knew


def test_a_broken_control_masks(point: BranchingPoint) -> None:
    def only_with_criteria(action: Action, guided: bool, seed: int) -> float | None:
        return 1.0 if guided else None

    found = reward(judge=ScriptedRanker(only_with_criteria), control="relative").score(PROSE, point)
    assert (found.value, found.masked) == (None, "control: parse")


def test_a_subtracted_control_cancels_in_the_advantages_of_a_group_and_a_relative_one_does_not(
    point: BranchingPoint,
) -> None:
    """The control is one number for a point: subtracted it moves and halves the rewards of a group alike."""
    orders = {"water": (4, 3, 2, 1), "rivers": (2, 3, 4, 1), "lakes": (2, 4, 1, 3), "seas": (1, 2, 3, 4)}
    places = {str(action): at for at, action in enumerate(point.actions)}

    class Ranker(ScriptedRanker):
        def rank(self, state: State, candidates: Any, *, criteria: Any = (), seed: int = 0) -> Ranking:
            said = " ".join(one.text for one in criteria)
            order = next((order for text, order in orders.items() if text in said), (4, 2, 3, 1))
            return Ranking(average_ranks([order[places[str(one)]] for one in candidates]))

    def advantages(against: str) -> list[float]:
        scorer = reward(judge=Ranker(lambda *_: None), control=against, ranking=1, atomic=0, format=0)
        found = [scorer.score(PROSE.replace("water", text), point) for text in orders]
        assert len({one.rank for one in found}) == 4
        assert found[0].control == (None if against == "none" else pytest.approx(0.8))
        given = group_advantages([one.value for one in found], epsilon=0.0)
        return [float(one) for one in given]

    assert advantages("subtract") == pytest.approx(advantages("none"), abs=1e-9)
    assert advantages("relative") != pytest.approx(advantages("none"), abs=1e-3)


def test_a_control_of_ones_own(point: BranchingPoint, made: Made) -> None:
    stop = Rubric(criteria=(Criterion(id="c1", text="Answer now.", check=Stops()),))
    found = reward(control="subtract", arm=stop).score(RIGHT, made([3.0, 3.0, 3.0, 1.0]))
    assert (found.control, found.rank) == (-1.0, 1.0)


def test_waiting_or_not_gives_the_same(point: BranchingPoint) -> None:
    for judge in (None, ScriptedJudge(by_length), ranking_alone(point, 0, 1), BrokenJudge()):
        settings: dict[str, Any] = {"judge": judge, "control": "relative", "both_orders": True}
        assert asyncio.run(reward(**settings).ascore(PROSE, point)) == reward(**settings).score(PROSE, point)


def test_a_copy_scores_alike_and_remembers_nothing(point: BranchingPoint) -> None:
    scorer = reward(judge=BrokenJudge(on="nothing"), control="subtract")
    first = scorer.score(PROSE, point)
    copied = pickle.loads(pickle.dumps(scorer))
    assert copied.score(PROSE, point) == first
    assert first.calls == 8
