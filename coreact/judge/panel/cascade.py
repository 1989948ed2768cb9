"""Cheap judges first, dear ones only for what the cheap ones are not sure of.

The checks of a rubric come before any judge (`run_checks`); a cascade goes on from there. What a
judge says of its own sureness is worth little, so a stage can be given a calibration; and how sure is
sure enough is read off two saved runs, one of the cheap judge and one of the dear (`replay`, as
autorubric does, arXiv 2603.00077). Who states nothing and has no calibration is not taken to be sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coreact.errors import ConfigError
from coreact.judge.calibration import Calibration, verdict_score
from coreact.judge.consult import aconsult, consult
from coreact.judge.records import Cost, Verdict
from coreact.judge.runner import Judge, Ruling
from coreact.judge.scoring.settling import CREDIT
from coreact.rubric import Action, Criterion, State
from coreact.rubric.canonical import digest


class Stage(NamedTuple):
    """One judge of a cascade, and what it must say for its verdict to stand."""

    judge: Judge
    sure: float = 0.0
    """Certainty in [0, 1] from which a verdict stands; at 0 any but `unknown` stands."""
    calibration: Calibration | None = None
    """What its verdicts have turned out to be worth; None: its stated confidence is taken as it is."""

    def certainty(self, verdict: Verdict) -> float | None:
        """How sure a verdict is, see `certainty`."""
        return certainty(verdict, self.calibration)

    def settles(self, verdict: Verdict) -> bool:
        """Whether nobody else needs to be asked."""
        if verdict.status == "unknown":
            return False
        found = self.certainty(verdict)
        return self.sure <= 0 or (found is not None and found >= self.sure)


def certainty(verdict: Verdict, calibration: Calibration | None = None) -> float | None:
    """How sure a verdict is.

    Without a calibration that is the confidence the judge states. With one it is how near the verdict
    is to what people are expected to say: for `met` the calibrated score, for `unmet` one minus it.

    Returns:
        In [0, 1], higher is surer; None where nothing is stated, or for a status off the scale
        (`unknown`, and with a calibration `not_applicable`).
    """
    if verdict.status == "unknown":
        return None
    if calibration is None:
        return verdict.confidence
    score = verdict_score(verdict)
    return None if score is None else 1 - abs(calibration.apply(score) - CREDIT[verdict.status])


class JudgeCascade:
    """A judge made of stages: each is asked only about what the ones before it left unsettled.

    The last stage that was asked about a criterion decides it, sure or not; where an earlier one was
    unsure, the reason says so. The cost is that of all stages.

    Args:
        stages: cheapest first, at least one.

    Raises:
        ConfigError: there is no stage, a threshold outside of [0, 1], or a calibration of another
            version of the judge.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
        if not self._stages or not all(0 <= stage.sure <= 1 for stage in self._stages):
            raise ConfigError(
                "A cascade needs stages whose `sure` lies in [0, 1].",
                remedy="Give Stage(judge, sure=...) for each judge, cheapest first.",
            )
        for stage in self._stages:
            version = _version(stage.judge)
            if stage.calibration is not None and stage.calibration.judge != version:
                raise ConfigError(
                    f"The calibration is of judge {stage.calibration.judge}, the stage's is {version}.",
                    remedy="Calibrate this version of the judge.",
                )
        self.version = digest(
            [
                {
                    "judge": _version(stage.judge),
                    "sure": str(stage.sure),
                    "calibration": None if stage.calibration is None else stage.calibration.lock,
                }
                for stage in self._stages
            ]
        )
        """Hash of the stages' versions, thresholds and calibrations."""
        names = ">".join(stage.judge.id for stage in self._stages)
        self.id = f"cascade({names})@{self.version.rsplit(':', 1)[-1][:8]}"

    @property
    def judges(self) -> tuple[Judge, ...]:
        """The judges of the stages."""
        return tuple(stage.judge for stage in self._stages)

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """Ask stage after stage, blocking."""
        docket = _Docket(criteria)
        for stage in self._stages:
            if docket.open:
                docket.enter(stage, consult(stage.judge, docket.open, action, state))
        return docket.ruling

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same, without blocking the event loop."""
        docket = _Docket(criteria)
        for stage in self._stages:
            if docket.open:
                docket.enter(stage, await aconsult(stage.judge, docket.open, action, state))
        return docket.ruling


def _version(judge: Judge) -> str:
    return str(getattr(judge, "version", judge.id))


class _Docket:
    """What is settled and what is open while a cascade runs."""

    def __init__(self, criteria: tuple[Criterion, ...]) -> None:
        self.open = criteria
        """Criteria the next stage must be asked about."""
        self._asked = criteria
        self._verdicts: dict[str, Verdict] = {}
        self._before: dict[str, str] = {}
        self._cost = Cost()

    def enter(self, stage: Stage, ruling: Ruling) -> None:
        self._cost += ruling.cost
        unsettled: set[str] = set()
        for verdict in ruling.verdicts:
            name, before = verdict.criterion, self._before.get(verdict.criterion)
            note = f" (earlier, and not sure enough: {before})" if before else ""
            self._verdicts[name] = verdict.model_copy(update={"reason": f"{verdict.reason}{note}"})
            if not stage.settles(verdict):
                unsettled.add(name)
                found = stage.certainty(verdict)
                said = verdict.status if found is None else f"{verdict.status} at {found:.2f}"
                self._before[name] = f"{before}, {said}" if before else said
        self.open = tuple(criterion for criterion in self.open if criterion.id in unsettled)

    @property
    def ruling(self) -> Ruling:
        return Ruling(tuple(self._verdicts[criterion.id] for criterion in self._asked), self._cost)


class OperatingPoint(NamedTuple):
    """What one threshold would have done on the items of two saved runs."""

    sure: float
    """The threshold, in [0, 1]."""
    settled: int
    """Items that the cheap judge would have settled."""
    total: int
    """Items of the runs."""
    agreement: float | None
    """Share of the settled items on which the dear judge says the same, in [0, 1]; None where it
    decided none of them."""


def replay(
    cheap: Sequence[Verdict], dear: Sequence[Verdict], *, calibration: Calibration | None = None
) -> tuple[OperatingPoint, ...]:
    """What each threshold that makes a difference would have settled, and how rightly.

    Args:
        cheap: verdicts of the cheap judge.
        dear: the dear judge's on the same items, in the same order. Where it could not tell, the item
            counts for no agreement and against none.
        calibration: as for the cheap judge's `Stage`.

    Returns:
        One point for each certainty that occurs, lowest threshold (and cheapest cascade) first.

    Raises:
        ValueError: the two runs are not on the same criteria.
    """
    if [verdict.criterion for verdict in cheap] != [verdict.criterion for verdict in dear]:
        raise ValueError("both runs must hold verdicts on the same criteria, in the same order")
    known = [
        (found, ours, theirs)
        for ours, theirs in zip(cheap, dear, strict=True)
        if (found := certainty(ours, calibration)) is not None
    ]
    points: list[OperatingPoint] = []
    for sure in sorted({found for found, _, _ in known}):
        settled = [(ours, theirs) for found, ours, theirs in known if found >= sure]
        same = [ours.status == theirs.status for ours, theirs in settled if theirs.status != "unknown"]
        points.append(OperatingPoint(sure, len(settled), len(cheap), sum(same) / len(same) if same else None))
    return tuple(points)


def cheapest(points: Sequence[OperatingPoint], *, agreement: float) -> OperatingPoint | None:
    """The point that settles most at this agreement or better; None where no threshold reaches it.

    Fitted and reported on the same items it flatters: keep some aside to check it on.
    """
    good = [point for point in points if point.agreement is not None and point.agreement >= agreement]
    return max(good, key=lambda point: point.settled, default=None)
