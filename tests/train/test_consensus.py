"""Labels by a panel: the consensus by hand, what never becomes a label, and several points at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from coreact.errors import ConfigError, JudgingError
from coreact.judge.panel import Ranking, average_ranks, kendall_w
from coreact.judge.records import Cost
from coreact.rubric import Action, Criterion, State
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.train.consensus import ConsensusReport, ConsensusSettings, GainRanker, alabel, label

NAMES = "abcd"


class Fixed:
    """Ranks answers by a word that lists them best first, `=` between ties; errors are raised.

    The first waits until `together` are being ranked.
    """

    def __init__(self, order: str | Exception, name: str, pause: float = 0.0, together: int = 1) -> None:
        self.id = name
        self._order = order
        self._pause = pause
        self._together = together
        self._here = asyncio.Event()
        self.seeds: list[int] = []
        self.at_once = self.most_at_once = 0

    def rank(
        self, state: State, candidates: Sequence[Action], *, criteria: Sequence[Criterion] = (), seed: int = 0
    ) -> Ranking:
        self.seeds.append(seed)
        if isinstance(self._order, Exception):
            raise self._order
        place = {name: at for at, letters in enumerate(self._order.split(">")) for name in letters.split("=")}
        ranks = average_ranks([-place[str(action.answer)] for action in candidates])
        return Ranking(ranks, cost=Cost(calls=1))

    async def arank(self, state: State, candidates: Sequence[Action], **given: Any) -> Ranking:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.at_once >= self._together:
            self._here.set()
        await asyncio.wait_for(self._here.wait(), 60)
        await asyncio.sleep(self._pause)
        self.at_once -= 1
        return self.rank(state, candidates, **given)


def a_point(name: str = "p", gains: Sequence[float] = (0, 0, 0, 0)) -> BranchingPoint:
    return BranchingPoint(
        id=name,
        question_id=f"q-{name}",
        world="toy",
        state=State.start("Which?"),
        candidates=tuple(
            Candidate(action=Action(answer=letter), gain=gain, source="sample")
            for letter, gain in zip(NAMES, gains, strict=False)
        ),
    )


def labelled(
    points: Sequence[BranchingPoint], *rankers: Any, **settings: Any
) -> tuple[list[BranchingPoint], ConsensusReport]:
    kept: list[BranchingPoint] = []
    report = label(points, rankers, kept.append, ConsensusSettings(**settings))
    return kept, report


def broken(name: str) -> Fixed:
    return Fixed(JudgingError("down", judge=name, cause="transport"), name)


def test_borda_with_ties_becomes_gains() -> None:
    # a 1 + 1.5 + 2 = 4.5, b 2 + 1.5 + 1 = 4.5, c 3 + 3 + 4 = 10, d 4 + 4 + 3 = 11
    panel = [Fixed("a>b>c>d", "x@1"), Fixed("a=b>c>d", "y@1"), Fixed("b>a>d>c", "z@1")]
    (point,), report = labelled([a_point()], *panel)
    assert point.gains == (-1.5, -1.5, -3, -4)
    assert [(one.judge, one.ranks) for one in point.rankings] == [
        ("x@1", (1, 2, 3, 4)),
        ("y@1", (1.5, 1.5, 3, 4)),
        ("z@1", (2, 1, 4, 3)),
    ]
    assert [one.source for one in point.candidates] == ["sample"] * 4
    assert point.model_copy(update={"candidates": (), "rankings": ()}) == a_point().model_copy(
        update={"candidates": (), "rankings": ()}
    )
    assert (report.points, report.labelled, report.left_out) == (1, 1, {})
    assert report.kendall_w == pytest.approx(12 * 36.5 / 522)
    assert report.cost.calls == 3
    assert point.has_contrast, "nothing computed from the old gains comes along"


def test_kemeny_differs_from_borda() -> None:
    # Two of three put a above b; in Borda the third, who puts a last, outvotes them.
    panel = [Fixed("a>b>c>d", "x"), Fixed("a>b>c>d", "y"), Fixed("b>c>d>a", "z")]
    (by_borda,), _ = labelled([a_point()], *panel)
    (by_kemeny,), _ = labelled([a_point()], *panel, rule="kemeny")
    assert by_borda.gains == (-2, -1, -3, -4), "a 6, b 5"
    assert by_kemeny.gains == (-1, -2, -3, -4)


def test_one_failing_judge_is_tolerated_and_two_are_not() -> None:
    good = [Fixed("a>b>c>d", "x"), Fixed("a>b>d>c", "y")]
    (point,), report = labelled([a_point()], *good, broken("z"))
    assert [one.judge for one in point.rankings] == ["x", "y"]
    assert report.failures == {"z": {"transport": 1}}
    kept, report = labelled([a_point("p1"), a_point("p2")], good[0], broken("y"), broken("z"))
    assert kept == [], "one judge's word is no consensus"
    assert report.left_out == {"too_few_judges": 2}
    assert report.failures == {"y": {"transport": 2}, "z": {"transport": 2}}


def test_a_dead_panel_labels_nothing() -> None:
    """The code of the paper then ranked by position: 1, 2, 3, 4."""
    kept, report = labelled([a_point()], broken("x"), broken("y"), broken("z"))
    assert kept == []
    assert (report.labelled, report.left_out, report.kendall_w) == (0, {"too_few_judges": 1}, None)


@pytest.mark.parametrize("orders", [("a=b=c=d", "a=b=c=d"), ("a>b>c>d", "d>c>b>a")])
def test_no_contrast_is_no_label(orders: tuple[str, str]) -> None:
    kept, report = labelled([a_point()], *(Fixed(one, str(at)) for at, one in enumerate(orders)))
    assert kept == []
    assert report.left_out == {"no_contrast": 1}


def test_least_agreement() -> None:
    panel = [Fixed("a>b>c>d", "x"), Fixed("b>d>a>c", "y")]
    w = kendall_w([(1, 2, 3, 4), (3, 1, 4, 2)]).value
    assert w is not None
    assert labelled([a_point()], *panel, min_w=w)[1].left_out == {}
    assert labelled([a_point()], *panel, min_w=w + 1e-6)[1].left_out == {"low_agreement": 1}


def test_the_oracle_sits_on_the_panel() -> None:
    measured = a_point(gains=(0, 1, 0.5, 0))
    (point,), report = labelled([measured], Fixed("b>c>a>d", "x"), oracle=True)
    assert [one.judge for one in point.rankings] == ["x", "measured in toy"]
    assert point.rankings[1].ranks == (3.5, 1, 2, 3.5)
    assert point.gains == (-3, -1, -2, -4)
    assert report.spearman_to_gains is None, "it would be compared with itself"
    kept, report = labelled([a_point()], Fixed("b>c>a>d", "x"), oracle=True)
    assert (kept, report.left_out) == ([], {"too_few_judges": 1}), "gains that tell nothing are no judge"


def test_the_consensus_is_compared_with_what_was_measured() -> None:
    points = [a_point("p1", (3, 2, 1, 0)), a_point("p2", (0, 1, 2, 3)), a_point("p3")]
    kept, report = labelled(points, Fixed("a>b>c>d", "x"), Fixed("a>b>c>d", "y"))
    assert len(kept) == 3
    assert report.spearman_to_gains == pytest.approx(0.0), "1 and -1; the third was not measured"
    relabelled, again = labelled(kept, Fixed("b>a>c>d", "v"), Fixed("b>a>c>d", "w"))
    assert again.spearman_to_gains is None, "ranks of other judges are no measure"
    assert [one.judge for one in relabelled[0].rankings] == ["v", "w"]


def test_the_oracle_ranks_its_own_candidates_in_any_order() -> None:
    point = a_point(gains=(0, 1, 0.5, 0))
    ranker = GainRanker(point)
    assert ranker.rank(point.state, point.actions[::-1]).ranks == (3.5, 2, 1, 3.5)
    assert asyncio.run(ranker.arank(point.state, point.actions)).ranks == (3.5, 1, 2, 3.5)
    with pytest.raises(KeyError):
        ranker.rank(point.state, [Action(answer="another")])


def test_seeds_repeat_and_differ_by_point() -> None:
    def seeds(seed: int) -> list[int]:
        ranker = Fixed("a>b>c>d", "x")
        labelled([a_point("p1"), a_point("p2")], ranker, Fixed("a>b>c>d", "y"), seed=seed)
        return ranker.seeds

    assert seeds(0) == seeds(0)
    assert len({*seeds(0), *seeds(1)}) == 4


def test_points_are_ranked_at_once_and_kept_in_order() -> None:
    ranker, other = Fixed("a>b>c>d", "x", together=10), Fixed("a>b>c>d", "y")
    points = [a_point(f"p{at}") for at in range(20)]
    kept, _ = labelled(points, ranker, other, at_once=10)
    assert [one.id for one in kept] == [one.id for one in points]
    assert ranker.most_at_once == 10


def test_points_are_read_as_they_are_needed() -> None:
    """A hundred thousand of them are not in memory while the first is ranked."""
    read: list[str] = []

    def points() -> Any:
        for at in range(50):
            read.append(f"p{at}")
            yield a_point(f"p{at}")

    ahead: list[int] = []
    kept: list[str] = []

    def keep(point: BranchingPoint) -> None:
        kept.append(point.id)
        ahead.append(len(read) - len(kept))

    panel = [Fixed("a>b>c>d", "x"), Fixed("a>b>c>d", "y")]
    label(points(), panel, keep, ConsensusSettings(at_once=4))
    assert len(kept) == 50
    assert max(ahead) <= 4


def test_who_keeps_may_stop_it() -> None:
    ranker = Fixed("a>b>c>d", "x", pause=0.01)

    def keep(_: BranchingPoint) -> None:
        raise OSError(28, "No space left on device")

    async def stopped() -> None:
        with pytest.raises(OSError, match="No space"):
            await alabel([a_point(f"p{n}") for n in range(9)], [ranker, Fixed("a>b>c>d", "y")], keep)
        assert len(asyncio.all_tasks()) == 1, "nothing goes on behind the error"

    asyncio.run(stopped())


@pytest.mark.parametrize(
    ("rankers", "settings"),
    [
        ([Fixed("a>b>c>d", "x")], {}),
        ([Fixed("a>b>c>d", "x"), Fixed("a>b>c>d", "x")], {}),
        ([], {"oracle": True}),
        ([Fixed("a>b>c>d", "x"), Fixed("a>b>c>d", "y")], {"min_valid": 3}),
    ],
)
def test_panels_that_are_none(rankers: list[Fixed], settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        labelled([a_point()], *rankers, **settings)


def test_unknown_settings() -> None:
    for wrong in ({"min_valid": 1}, {"min_w": 2}, {"rule": "plurality"}, {"minw": 0.5}):
        with pytest.raises(ConfigError):
            ConsensusSettings.of(**wrong)
