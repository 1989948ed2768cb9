"""The dear judge is asked only about what the cheap one left unsettled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt

from coreact.errors import ConfigError
from coreact.judge.calibration import Calibration, Curve, Fidelity, Reliability
from coreact.judge.panel.cascade import (
    JudgeCascade,
    OperatingPoint,
    Stage,
    certainty,
    cheapest,
    replay,
)
from coreact.judge.panel.panel import JudgePanel
from coreact.judge.records import Cost, Status, Verdict
from coreact.judge.runner import Judge, Ruling
from coreact.rubric import Action, Criterion, State
from coreact.testing.scripted import ScriptedJudge

STATE = State.start("q")
ACTION = Action(answer="a")
CRITERIA = tuple(Criterion(id=name, text=name) for name in "abcd")

asks = pytest.mark.parametrize("colour", ["sync", "async"])


class Stating:
    """A judge that states a confidence with each verdict; what it is asked about is kept."""

    def __init__(self, name: str, **said: tuple[Status, float | None]) -> None:
        self.id = name
        self._said = said
        self.asked: list[str] = []

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        self.asked.append("".join(criterion.id for criterion in criteria))
        return Ruling(
            tuple(
                Verdict(
                    criterion=criterion.id,
                    reason=f"{self.id} says so",
                    status=self._said[criterion.id][0],
                    confidence=self._said[criterion.id][1],
                    decided_by=self.id,
                )
                for criterion in criteria
            ),
            Cost(calls=1, input_tokens=10 * len(criteria), seconds=1),
        )

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)


def ask(judge: Judge, colour: str = "sync", criteria: tuple[Criterion, ...] = CRITERIA) -> Ruling:
    if colour == "sync":
        return judge.judge(criteria, ACTION, STATE)
    return asyncio.run(judge.ajudge(criteria, ACTION, STATE))


def cheap() -> Stating:
    return Stating("cheap", a=("met", 0.95), b=("met", 0.6), c=("unknown", 0.99), d=("unmet", None))


def dear() -> Stating:
    return Stating("dear", a=("unmet", 1), b=("unmet", 0.5), c=("met", 1), d=("partial", None))


@asks
def test_only_what_is_unsure_goes_on(colour: str) -> None:
    first, second = cheap(), dear()
    ruling = ask(JudgeCascade([Stage(first, sure=0.9), Stage(second)]), colour)
    assert (first.asked, second.asked) == (["abcd"], ["bcd"])
    assert [(v.criterion, v.status, v.decided_by) for v in ruling.verdicts] == [
        ("a", "met", "cheap"),
        ("b", "unmet", "dear"),
        ("c", "met", "dear"),
        ("d", "partial", "dear"),
    ]
    assert ruling.cost == Cost(calls=2, input_tokens=70, seconds=2)
    assert [v.reason for v in ruling.verdicts] == [
        "cheap says so",
        "dear says so (earlier, and not sure enough: met at 0.60)",
        "dear says so (earlier, and not sure enough: unknown)",
        "dear says so (earlier, and not sure enough: unmet)",
    ]


@asks
def test_without_a_threshold_only_unknown_goes_on(colour: str) -> None:
    first, second = cheap(), dear()
    ask(JudgeCascade([Stage(first), Stage(second)]), colour)
    assert second.asked == ["c"]


@asks
def test_a_settled_cascade_asks_nobody_else(colour: str) -> None:
    first, second = cheap(), dear()
    ruling = ask(JudgeCascade([Stage(first, sure=0.9), Stage(second)]), colour, CRITERIA[:1])
    assert second.asked == []
    assert ruling.cost.calls == 1


def test_three_stages_and_their_notes() -> None:
    first, second = cheap(), dear()
    third = Stating("third", b=("partial", 0.1), d=("unknown", None))
    ruling = ask(JudgeCascade([Stage(first, 0.9), Stage(second, 0.9), Stage(third)]))
    assert [judge.asked for judge in (first, second, third)] == [["abcd"], ["bcd"], ["bd"]]
    assert [v.status for v in ruling.verdicts] == ["met", "partial", "met", "unknown"]
    assert ruling.verdicts[1].reason == (
        "third says so (earlier, and not sure enough: met at 0.60, unmet at 0.50)"
    )


def calibration(judge: str, *knots: tuple[float, float]) -> Calibration:
    table = Reliability(n=0, bins=())
    unmeasured = Fidelity(n=0, ece=0, ece_mass=0, error=0, distance=0, table=table)
    return Calibration(
        judge=judge,
        criteria="sha256:0",
        dataset="ours",
        curve=Curve(method="isotonic", knots=knots),
        fitted_on=1,
        before=unmeasured,
        after=unmeasured,
    )


KIND = ((0.0, 0.1), (1.0, 0.7))
"""A judge that is too kind: of what it calls met without a doubt people call 0.7 met."""


@pytest.mark.parametrize(
    ("status", "confidence", "stated", "calibrated"),
    [
        ("met", 1.0, 1.0, 0.7),
        ("met", None, None, 0.7),  # taken at its word, and then corrected
        ("met", 0.0, 0.0, 0.4),  # a score of 0.5 is mapped to 0.4
        ("unmet", 1.0, 1.0, 0.9),
        ("unmet", None, None, 0.9),
        ("partial", 0.8, 0.8, 0.9),  # 0.4 is 0.1 away from a half
        ("not_applicable", 0.8, 0.8, None),
        ("unknown", 0.8, None, None),
    ],
)
def test_certainty_by_hand(
    status: Status, confidence: float | None, stated: float | None, calibrated: float | None
) -> None:
    verdict = Verdict(criterion="a", reason="r", status=status, confidence=confidence)
    assert certainty(verdict) == stated
    found = certainty(verdict, calibration("cheap", *KIND))
    assert found == (None if calibrated is None else pytest.approx(calibrated))


def test_certainty_is_calibrated() -> None:
    first, second = cheap(), dear()
    stages = [Stage(first, sure=0.8, calibration=calibration("cheap", *KIND)), Stage(second)]
    ruling = ask(JudgeCascade(stages))
    assert second.asked == ["abc"], "its `met` is worth less than it says, its `unmet` more"
    assert ruling.verdicts[0].reason.endswith("met at 0.68)")
    with pytest.raises(ConfigError, match="calibration is of judge other"):
        JudgeCascade([Stage(first, sure=0.8, calibration=calibration("other", *KIND))])


@asks
def test_a_broken_stage_hands_everything_on(colour: str) -> None:
    second = dear()
    broken = ScriptedJudge(ConnectionError("gone"), name="broken")
    ruling = ask(JudgeCascade([Stage(broken), Stage(second)]), colour)
    assert second.asked == ["abcd"]
    assert [v.status for v in ruling.verdicts] == ["unmet", "unmet", "met", "partial"]
    last = ask(JudgeCascade([Stage(cheap(), 0.9), Stage(broken)]), colour)
    assert [(v.status, v.fault, v.cause) for v in last.verdicts] == [
        ("met", "none", None),
        *[("unknown", "instrument", "transport")] * 3,
    ]


@asks
def test_control_flow_passes_through(colour: str) -> None:
    with pytest.raises(GraphInterrupt):
        ask(JudgeCascade([Stage(cheap(), 0.9), Stage(ScriptedJudge(GraphInterrupt()))]), colour)


def test_a_split_panel_hands_on_to_a_dearer_one() -> None:
    """A panel's confidence is its share of votes, so a cascade can go by it."""
    votes: dict[str, list[Status]] = {
        "a": ["met"] * 3,
        "b": ["met", "met", "unmet"],
        "c": ["met", "unmet", "unknown"],
    }

    def member(seat: int) -> ScriptedJudge:
        return ScriptedJudge(lambda criterion, action: votes[criterion.id][seat], name=f"m{seat}")

    second = dear()
    panel = JudgePanel([member(seat) for seat in range(3)])
    ruling = ask(JudgeCascade([Stage(panel, sure=1.0), Stage(second)]), criteria=CRITERIA[:3])
    assert second.asked == ["bc"]
    assert [v.status for v in ruling.verdicts] == ["met", "unmet", "met"]


@pytest.mark.parametrize(
    "stages", [[], [Stage(dear(), sure=1.1)], [Stage(dear(), sure=-0.1)], [Stage(dear(), sure=float("nan"))]]
)
def test_settings_that_cannot_be(stages: list[Stage]) -> None:
    with pytest.raises(ConfigError, match="cascade"):
        JudgeCascade(stages)


def test_the_id_tells_thresholds_apart() -> None:
    ids = {JudgeCascade([Stage(cheap(), sure), Stage(dear())]).id for sure in (0, 0.5, 0.9)}
    assert len(ids) == 3
    cascade = JudgeCascade([Stage(cheap()), Stage(dear())])
    assert cascade.id.startswith("cascade(cheap>dear)@")
    assert [judge.id for judge in cascade.judges] == ["cheap", "dear"]
    assert isinstance(cascade, Judge)


# --- reading the threshold off two runs ------------------------------------------------------


def run(*said: tuple[str, float | None]) -> list[Verdict]:
    names: dict[str, Any] = {"m": "met", "u": "unmet", "?": "unknown"}
    return [
        Verdict(criterion=str(at), reason="r", status=names[letter], confidence=confidence)
        for at, (letter, confidence) in enumerate(said)
    ]


CHEAP = run(("m", 0.9), ("u", 0.9), ("m", 0.7), ("u", 0.5), ("?", 0.9), ("m", None), ("m", 0.7))
DEAR = run(("m", 1), ("u", 1), ("u", 1), ("u", 1), ("m", 1), ("m", 1), ("?", 1))


def test_replay_by_hand() -> None:
    assert replay(CHEAP, DEAR) == (
        OperatingPoint(0.5, 5, 7, 3 / 4),  # 0, 1, 3 agree, 2 does not, 6 cannot be told
        OperatingPoint(0.7, 4, 7, 2 / 3),
        OperatingPoint(0.9, 2, 7, 1.0),
    )
    kind = replay(CHEAP, DEAR, calibration=calibration("cheap", *KIND))
    certainties = [0.61, 0.67, 0.7, 0.75, 0.87]  # items 2 and 6; 0; 5, which states nothing; 3; 1
    assert [point.sure for point in kind] == pytest.approx(certainties)
    assert [point.settled for point in kind] == [6, 4, 3, 2, 1]


def test_a_point_where_the_dear_judge_could_not_tell_has_no_agreement() -> None:
    assert replay(run(("m", 0.9)), run(("?", 1))) == (OperatingPoint(0.9, 1, 1, None),)
    assert replay(run(("m", None)), run(("m", 1))) == ()


def test_the_cheapest_point_that_is_good_enough() -> None:
    points = replay(CHEAP, DEAR)
    assert cheapest(points, agreement=0.75) == points[0]
    assert cheapest(points, agreement=0.9) == points[2]
    assert cheapest(replay(CHEAP[2:3], DEAR[2:3]), agreement=0.5) is None
    assert cheapest((), agreement=0) is None


def test_runs_of_other_criteria_are_an_error() -> None:
    with pytest.raises(ValueError, match="same criteria"):
        replay(CHEAP, DEAR[:-1])
