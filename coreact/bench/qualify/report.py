"""What came out of a qualification, as one record, written as JSON and as one HTML page.

The page stands alone: no script, no address outside it, figures inside. Texts of cases and judges are
untrusted and escaped; figures carry no text but ours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from coreact.bench.qualify.cases import Label
from coreact.bench.qualify.figures import confusion_figure, harms_figure, reliability_figure
from coreact.bench.qualify.metrics import Agreement, Item, Row, agreement, broken_down, paired
from coreact.bench.qualify.probes import harms, length_slope
from coreact.bench.qualify.run import Ask, Ruled, Settings
from coreact.bench.qualify.variants import CHANGES, Variant
from coreact.judge.calibration import Reliability, reliability
from coreact.judge.qualification import HARMS, Bar, Measured, Qualification
from coreact.judge.records import Cost, Status
from coreact.rubric import Record
from coreact.trace.lines import write_whole

AGREED: dict[str, str] = {
    "decided": "coverage",
    "accuracy (decided)": "accuracy",
    "accuracy (all, undecided is wrong)": "accuracy_all",
    "macro F1 (all)": "macro_f1",
    "Cohen's kappa (decided)": "kappa",
    "Spearman of credits": "spearman",
    "called met, of labelled unmet": "false_met",
    "labelled met, of called met": "precision",
}
"""How each measure of an `Agreement` is called -> its field."""

EXAMPLES = 20
"""Most disagreements shown."""

_EXCERPT = 300


class Confidence(Record):
    """The judge's stated confidence against how often it is right."""

    ece: float
    """Expected calibration error over bins of equal width, in [0, 1], lower is better."""
    ece_mass: float
    """The same over bins of equal mass."""
    table: Reliability


class Example(Record):
    """One item on which the judge and people disagree."""

    case: str
    criterion: str
    proposal: str
    """Its beginning."""
    label: Label
    status: Status
    reason: str
    """The judge's, or its beginning."""


class Report(Record):
    """Everything that was measured about one judge on one data set."""

    settings: Settings
    """Judge and data."""
    cases: int
    """Cases that were judged as they are."""
    probes: int
    """Most cases that each probe was tried on."""
    seed: int
    """What drew the cases."""
    family: str | None
    """Model family of the judge, where it is known."""
    agreement: Agreement
    claims: Agreement | None
    """The same for what the judge said before code checked its quotes; None where code changed nothing."""
    rows: tuple[Row, ...]
    """The same by stratum and by criterion, where there are several."""
    length_slope: Measured | None
    """Change of credit for a proposal twice as long with the same label."""
    confidence: Confidence | None
    """None where the judge states none."""
    qualification: Qualification
    examples: tuple[Example, ...]
    cost: Cost
    """Of everything that was asked."""


def assess(
    asks: Sequence[Ask],
    ruled: Sequence[Ruled],
    settings: Settings,
    *,
    probes: int,
    seed: int = 0,
    family: str | None = None,
    bar: Bar | None = None,
) -> Report:
    """Put a run together.

    Args:
        asks: what was asked.
        ruled: the ruling on each, in the same order.
        settings: of the run.
        probes: most cases that each probe was tried on; 0: none was tried.
        seed: what drew the cases.
        family: model family of the judge.
        bar: what it must clear; default: `Bar()`.

    Raises:
        ValueError: nothing was asked, or there is not one ruling for each.
    """
    by_variant: dict[Variant, list[Item]] = {"plain": []}
    if probes:
        by_variant.update({variant: [] for variant in CHANGES})
    for ask, one in zip(asks, ruled, strict=True):
        by_variant[ask.variant] += paired(ask.case, one.verdicts)
    items = by_variant["plain"]
    agreed = agreement(items)
    return Report(
        settings=settings,
        cases=sum(ask.variant == "plain" for ask in asks),
        probes=probes,
        seed=seed,
        family=family,
        agreement=agreed,
        claims=_claims(items),
        rows=broken_down(items),
        length_slope=length_slope(items),
        confidence=_confidence(items),
        qualification=Qualification(
            judge=settings.judge,
            version=settings.version,
            dataset=settings.dataset,
            data=settings.data,
            groups=agreed.groups,
            coverage=agreed.coverage,
            macro_f1=agreed.macro_f1,
            constant_f1=agreed.constant_f1,
            harms=harms(by_variant, family=family),
            bar=bar or Bar(),
        ),
        examples=tuple(_examples(items)),
        cost=sum((one.cost for one in ruled), Cost()),
    )


def _claims(items: Sequence[Item]) -> Agreement | None:
    if not any(item.verdict.claimed for item in items):
        return None
    return agreement(
        [
            item._replace(
                verdict=item.verdict.model_copy(
                    update={"status": item.verdict.claimed, "fault": "none", "cause": None}
                )
            )
            if item.verdict.claimed
            else item
            for item in items
        ]
    )


def _confidence(items: Sequence[Item]) -> Confidence | None:
    sure = [
        (item.verdict.confidence, float(item.verdict.status == item.truth))
        for item in items
        if item.verdict.confidence is not None and item.verdict.status != "unknown"
    ]
    if not sure:
        return None
    stated, right = zip(*sure, strict=True)
    table = reliability(stated, right)
    return Confidence(ece=table.ece, ece_mass=reliability(stated, right, by="mass").ece, table=table)


def _examples(items: Sequence[Item]) -> list[Example]:
    wrong = [item for item in items if item.verdict.status != item.truth]
    # What a judge lets pass does the harm, so false passes come first.
    wrong.sort(key=lambda item: item.verdict.status != "met")
    return [
        Example(
            case=item.case.id,
            criterion=item.criterion,
            proposal=str(item.case.action)[:_EXCERPT],
            label=item.label,
            status=item.verdict.status,
            reason=item.verdict.reason[:_EXCERPT],
        )
        for item in wrong[:EXAMPLES]
    ]


# --- writing -----------------------------------------------------------------------------------


def write_report(report: Report, folder: Path) -> None:
    """Write `report.json` and `report.html`, each whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    passed, failed = report.qualification.passed, report.qualification.failed
    content: dict[str, Any] = {"passed": passed, "failed": failed, **report.model_dump()}
    write_whole(folder / "report.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    write_whole(folder / "report.html", html(report))


def html(report: Report) -> str:
    """The report as a page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = {
        "Labels and verdicts": confusion_figure(report.agreement.confusion),
        "What must not sway a judge": harms_figure(report.qualification),
    }
    if report.confidence is not None:
        figures["Stated confidence"] = reliability_figure(report.confidence.table, "stated confidence")
    return environment.get_template("report.html.j2").render(
        report=report,
        agreed=AGREED,
        meanings=HARMS,
        figures={title: Markup(figure) for title, figure in figures.items()},  # noqa: S704 - drawn by us
    )
