"""What a report's citations are worth: FACT's citation accuracy and effective citations.

DeepResearch Bench (arXiv 2506.11763) pairs statements with the sources that they cite, drops repeats, and has
each pair judged against the source. Here only the counting is done (see `coreact.bench.suites.citing` for the
judging). FACT leaves reports without any citation out of both figures, which hides them: here they are
counted as `uncited`, and their share, the skip rate, stands beside the figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from coreact.bench.metrics.share import Share, ratio, share
from coreact.judge.records import Status
from coreact.rubric.words import fold


class CitedPair(NamedTuple):
    """A statement and one source that it cites."""

    statement: str
    source: str
    """Address, label or title."""
    status: Status = "unknown"
    """Whether the source states it: `met`, `partial`, `unmet`, or `unknown` where nobody could tell."""


class Citations(NamedTuple):
    """The citations of one report, without repeats."""

    pairs: tuple[CitedPair, ...]

    @property
    def effective(self) -> int:
        """Pairs whose source states the statement, in full or in part, as FACT's judge is told."""
        return sum(pair.status in ("met", "partial") for pair in self.pairs)

    @property
    def unsupported(self) -> int:
        """Pairs whose source states nothing of it."""
        return sum(pair.status == "unmet" for pair in self.pairs)

    @property
    def unknown(self) -> int:
        """Pairs that nobody could judge."""
        return len(self.pairs) - self.effective - self.unsupported

    @property
    def accuracy(self) -> Share:
        """Supported over supported and unsupported pairs, in [0, 1]; unknown ones apart."""
        known = self.effective + self.unsupported
        return Share(ratio(self.effective, known), known, len(self.pairs))

    @property
    def uncited(self) -> bool:
        """Whether the report cites nothing."""
        return not self.pairs


class Fact(NamedTuple):
    """The citations of many reports."""

    accuracy: Share
    """Pooled over pairs, as FACT's code has it."""
    effective: Share
    """Effective citations a report, over all reports: one without citations has 0."""
    effective_where_cited: Share
    """The same over the reports that cite something, which is FACT's figure."""
    skip_rate: Share
    """Share of reports that cite nothing, in [0, 1]."""


def without_repeats(pairs: Iterable[CitedPair]) -> tuple[CitedPair, ...]:
    """The pairs, each once: same words of the statement (case and punctuation aside) and same source.

    FACT has a model look for repeats; here the words decide. The first of several is kept.
    """
    found: dict[tuple[str, str], CitedPair] = {}
    for pair in pairs:
        found.setdefault((fold(pair.statement), pair.source), pair)
    return tuple(found.values())


def fact(reports: Sequence[Citations]) -> Fact:
    """FACT's figures over reports.

    A report all of whose pairs are unknown has no number of effective citations: it is left out there.
    """
    supported = sum(report.effective for report in reports)
    known = supported + sum(report.unsupported for report in reports)
    counts = [_effective(report) for report in reports]
    return Fact(
        accuracy=Share(ratio(supported, known), known, sum(len(report.pairs) for report in reports)),
        effective=share(counts),
        effective_where_cited=share(
            count for count, report in zip(counts, reports, strict=True) if report.pairs
        ),
        skip_rate=share(float(report.uncited) for report in reports),
    )


def _effective(report: Citations) -> float | None:
    return None if report.pairs and report.unknown == len(report.pairs) else float(report.effective)
