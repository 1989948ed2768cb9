"""Which selected attempts may be shown to a model as what it should do."""

from __future__ import annotations

from collections.abc import Iterator

from coreact.trace.export.decisions import Candidate, Decision, Run
from coreact.trace.export.rows import Left


def demonstrations(run: Run) -> Iterator[tuple[Decision, Candidate] | Left]:
    """The selected attempts that passed, with their decisions; if the settings say so, undecided ones too."""
    for decision in run.decisions:
        chosen = decision.chosen
        reason = refused(chosen, undecided=run.settings.undecided)
        if chosen is None or reason is not None:
            yield Left(reason or "nothing_selected")
        else:
            yield decision, chosen


def refused(candidate: Candidate | None, *, undecided: bool) -> str | None:
    """Why an attempt is no demonstration; None where it is one.

    Args:
        candidate: the attempt.
        undecided: whether one that nobody judged, or could decide, is one.
    """
    if candidate is None:
        return "nothing_selected"
    if candidate.label.passed is False:
        return "failed"
    reason = candidate.label.undecided
    if reason == "instrument" or (reason is not None and not undecided):
        return reason
    return None
