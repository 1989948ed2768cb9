"""Asking any judge what code could not decide: one logic for blocking and asynchronous callers.

An audit is a generator that yields what it wants to know, all at once, and is sent the rulings. The
two functions here serve it. A judge that fails or answers about something else has ruled `unknown` (see
`consult`), and one that quotes what is not there is not believed: nothing is padded, nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from coreact.judge.consult import aconsult, consult
from coreact.judge.quotes import locate
from coreact.judge.records import Evidence, Verdict
from coreact.judge.runner import Judge, Ruling, undecided
from coreact.rubric import MAX_CRITERION_CHARS, Action, Criterion, State

BATCH = 10
"""Criteria in one call: about as many as Search-Gen-V's verifier reads at once."""

T = TypeVar("T")


class Inquiry(NamedTuple):
    """One call of a judge."""

    criteria: tuple[Criterion, ...]
    action: Action
    state: State


Inquiring = Generator[tuple[Inquiry, ...], tuple[Ruling, ...], T]
"""Yields inquiries, is sent one ruling for each, returns the result."""


def ask(inquiring: Inquiring[T], judge: Judge | None) -> T:
    """Serve an audit with a judge, one call after the other; without one everything asked stays open."""
    try:
        inquiries = next(inquiring)
        while True:
            inquiries = inquiring.send(tuple(_rule(inquiry, judge) for inquiry in inquiries))
    except StopIteration as done:
        result: T = done.value
        return result


async def aask(inquiring: Inquiring[T], judge: Judge | None) -> T:
    """The same without blocking the event loop; calls of one round run together."""
    try:
        inquiries = next(inquiring)
        while True:
            asked = [_arule(inquiry, judge) for inquiry in inquiries]
            # An interrupt must come out as itself, not wrapped in a group as a task group would do.
            inquiries = inquiring.send(tuple(await asyncio.gather(*asked)))
    except StopIteration as done:
        result: T = done.value
        return result


def _rule(inquiry: Inquiry, judge: Judge | None) -> Ruling:
    return _nobody(inquiry) if judge is None else consult(judge, *inquiry)


async def _arule(inquiry: Inquiry, judge: Judge | None) -> Ruling:
    return _nobody(inquiry) if judge is None else await aconsult(judge, *inquiry)


def _nobody(inquiry: Inquiry) -> Ruling:
    return Ruling(undecided(inquiry.criteria, reason="no judge was asked", by="nobody", broken=False))


# --- what the audits share -------------------------------------------------------------------


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in order, at most `BATCH` at a time."""
    for at in range(0, len(items), BATCH):
        yield items[at : at + BATCH]


def worded(instruction: str, statement: str) -> str:
    """The text of a criterion about a statement; a long statement is named by its beginning.

    Args:
        instruction: our words, ending in a colon.
        statement: the untrusted statement.
    """
    text = f"{instruction} {' '.join(statement.split())}"
    if len(text) <= MAX_CRITERION_CHARS:
        return text
    note = " […] (the statement that begins like this)"
    return text[: MAX_CRITERION_CHARS - len(note)] + note


def anchored(verdict: Verdict, texts: Mapping[str, str]) -> Verdict:
    """The verdict with its quotes at their places in these texts, and without those that stand in none.

    A judge that was shown part of a text counts from the part's beginning; here offsets are those of
    the whole. A claim to hold whose quotes are all invented is not believed (cause `unsupported`); one
    without any quote is the judge's own matter.

    Args:
        verdict: what a judge said.
        texts: whole texts by message id.
    """
    found = tuple(placed for quoted in verdict.evidence if (placed := _placed(quoted, texts)) is not None)
    update: dict[str, object] = {"evidence": found}
    if verdict.evidence and not found and verdict.status in ("met", "partial"):
        update |= {
            "reason": f"{verdict.reason} (none of its quotes stands in what it judged)",
            "status": "unknown",
            "fault": "instrument",
            "cause": "unsupported",
            "claimed": verdict.status,
        }
    return verdict.model_copy(update=update)


def _placed(quoted: Evidence, texts: Mapping[str, str]) -> Evidence | None:
    named = quoted.message_id if quoted.message_id in texts else None
    for name in [named, *texts] if named else texts:
        span = locate(quoted.quote, texts[name])
        if span is not None:
            return evidence(name, texts[name], span.start, span.end)
    return None


def evidence(message_id: str, text: str, start: int, end: int) -> Evidence:
    """A stretch of a message as evidence."""
    return Evidence(message_id=message_id, quote=text[start:end], start=start, end=end)
