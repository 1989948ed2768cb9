"""What arms learn from the training half: a bank of rubrics, the gate's thresholds, a writer's report.

Rubrics that ranked a training point well go into the bank, whoever wrote them; thresholds are chosen on the
prompted writer's own rubrics; its report says whether it may guide at all. No point of the other half is
seen here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coreact.bench.rank.figures import ranking, scores_by
from coreact.bench.rank.rubrics import Attempt, Watch, unwatched, write_rubrics
from coreact.generate import HeuristicGenerator, RubricGenerator
from coreact.generate.bank.records import BankEntry, Origin
from coreact.generate.bank.store import RubricBank
from coreact.generate.gate.calibration import LEAST_QUESTIONS, calibrate
from coreact.generate.gate.qualify import GeneratorReport, qualify_generator
from coreact.generate.gate.results import Thresholds
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.canonical import digest

GOOD = 0.5
"""Spearman from which on a rubric ranked its point well enough to be an example."""


class Fitted(NamedTuple):
    """What was fitted on training points."""

    bank: RubricBank
    thresholds: Thresholds
    report: GeneratorReport
    """What the prompted writer is worth beside the heuristic."""
    digest: str
    """Hash of the bank's entries."""
    notes: tuple[str, ...]
    """What was fitted, for the reader of a report."""


def fitted(
    prompted: RubricGenerator, train: Sequence[BranchingPoint], *, most: int, watch: Watch = unwatched
) -> Fitted:
    """Fit everything that arms need.

    Args:
        prompted: the untrained writer.
        train: training points with contrast.
        most: for how many of them it writes; the heuristic writes for all.
        watch: see `coreact.bench.rank.rubrics.Watch`.
    """
    heuristic = HeuristicGenerator()
    asked = train[:most]
    by_code = list(write_rubrics(heuristic, train))
    by_model = list(watch(write_rubrics(prompted, asked), "training", len(asked)))
    bank = RubricBank()
    _fill(bank, train, by_code, "code")
    _fill(bank, asked, by_model, "model")
    thresholds, note = _thresholds(prompted, asked, by_model, by_code[: len(asked)])
    report = qualify_generator(prompted, asked, baseline=heuristic)
    return Fitted(
        bank,
        thresholds,
        report,
        digest(sorted(entry.key for entry in bank)),
        (
            f"bank: {len(bank)} rubrics that ranked a training point well",
            note,
            f"{prompted.id} {'may guide' if report.may_guide else 'may not guide'}: {report.reason}",
        ),
    )


def _fill(
    bank: RubricBank, points: Sequence[BranchingPoint], attempts: Sequence[Attempt], origin: Origin
) -> None:
    for point, attempt in zip(points, attempts, strict=True):
        good = ranking(point, scores_by(attempt, point)).spearman >= GOOD
        if good and attempt.rubric is not None:
            entry = BankEntry.of(point.state, attempt.rubric, source=attempt.generator, origin=origin)
            bank.append(entry)


def _thresholds(
    prompted: RubricGenerator,
    points: Sequence[BranchingPoint],
    attempts: Sequence[Attempt],
    instead: Sequence[Attempt],
) -> tuple[Thresholds, str]:
    written = [
        (point, attempt.rubric, other.rubric)
        for point, attempt, other in zip(points, attempts, instead, strict=True)
        if attempt.rubric is not None
    ]
    questions = len({point.question_id for point, *_ in written})
    if questions < 2 * LEAST_QUESTIONS:
        return Thresholds(), f"gate: {questions} questions are too few to choose thresholds on; the defaults"
    found = calibrate(
        [point for point, *_ in written],
        [rubric for _, rubric, _ in written],
        generator=prompted.id,
        fallbacks=[other for *_, other in written],
    )
    limits = found.thresholds
    chosen = (
        f"lint {limits.lint:g}, executable {limits.executable:g}, discrimination {limits.discrimination:g}"
    )
    return limits, f"gate: {chosen}, chosen on {found.chosen_on} training questions"
