"""Quotes marked where they stand in observations.

A verdict names a message and quotes it. The message is a tool's reply in the prompt of a later step, and
the reply is the observation of an earlier one: that is put together here, for a whole run at once. A quote
that stands nowhere is told, never shown as if it did.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from coreact.judge import Evidence, Verdict
from coreact.judge.quotes import find_all
from coreact.trace import ObservationRecord, Trajectory


class Mark(NamedTuple):
    """A quoted stretch of an observation."""

    start: int
    end: int
    step: int
    """Step whose verdict quotes it; -1: a judgement of the run as a whole."""
    criterion: str
    status: str


class Piece(NamedTuple):
    """A stretch of a text, with the marks that lie on it."""

    text: str
    marks: tuple[Mark, ...] = ()


class Quote(NamedTuple):
    """A quote of a verdict, and where it stands."""

    text: str
    found_at: int | None
    """Step in whose observation it stands; None where no observation that it names holds it."""
    elsewhere: str = ""
    """What else it is from, in words: the question, say. Nobody checks these here."""


class Evidences:
    """All evidence of one run, looked up once.

    A quote is looked for in the message that it names alone: to search all others would take time that
    grows with the square of the run, and would find what the judge did not mean.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        self._by_message = _observations_by_message(trajectory)
        self._marks: dict[int, dict[Mark, None]] = defaultdict(dict)
        self._quotes: dict[Evidence, Quote] = {}
        for step, verdict in _verdicts(trajectory):
            for evidence in verdict.evidence:
                if evidence.quote.strip():
                    self._place(evidence, step, verdict)

    def quotes(self, verdict: Verdict) -> list[Quote]:
        """The quotes of a verdict, empty ones left out."""
        return [self._quotes[one] for one in verdict.evidence if one in self._quotes]

    def pieces(self, observation: ObservationRecord) -> list[Piece]:
        """The text of an observation, cut where marks begin and end."""
        return cut(observation.text, self._marks.get(id(observation), ()))

    def _place(self, evidence: Evidence, step: int, verdict: Verdict) -> None:
        named = self._by_message.get(evidence.message_id)
        spans = [] if named is None else _spans(evidence, named.text)
        if named is None or not spans:
            self._quotes[evidence] = Quote(evidence.quote, None, _elsewhere(evidence.message_id))
            return
        for start, end in spans:
            self._marks[id(named)][Mark(start, end, step, verdict.criterion, verdict.status)] = None
        self._quotes[evidence] = Quote(evidence.quote, named.step)


def _spans(evidence: Evidence, text: str) -> list[tuple[int, int]]:
    start, end = evidence.start, evidence.end
    if start is not None and end is not None and text[start:end] == evidence.quote:
        return [(start, end)]
    return [(span.start, span.end) for span in find_all(evidence.quote, text)]


def _elsewhere(message_id: str) -> str:
    """What the names that judges use for other texts mean; empty for any other."""
    kind = message_id.partition("-")[0]
    return {
        "question": "in the question",
        "proposal": "in the proposal",
        "call": "in a call of the agent",
        "given": "in text that the agent was given",
    }.get(kind, "")


def cut(text: str, marks: Iterable[Mark]) -> list[Piece]:
    """Cut a text where marks begin and end; overlapping marks share pieces.

    Joined, the pieces are the text.
    """
    inside = [mark for mark in marks if 0 <= mark.start < mark.end <= len(text)]
    edges = sorted({0, len(text)} | {edge for mark in inside for edge in (mark.start, mark.end)})
    return [
        Piece(text[start:end], tuple(m for m in inside if m.start <= start and end <= m.end))
        for start, end in pairwise(edges)
    ]


def _verdicts(trajectory: Trajectory) -> Iterator[tuple[int, Verdict]]:
    for step in trajectory.steps:
        for attempt in step.attempts:
            for judgement in (*attempt.judgements, *attempt.own_judgements):
                for verdict in judgement.verdicts:
                    yield step.index, verdict
    for later in trajectory.judgements:
        for verdict in later.judgement.verdicts:
            yield -1 if later.step is None else later.step, verdict


def _observations_by_message(trajectory: Trajectory) -> dict[str, ObservationRecord]:
    """Observations by the ids under which evidence names them: of the tool message, call, or number."""
    by_call: dict[str, list[ObservationRecord]] = defaultdict(list)
    for one in sorted(trajectory.observations, key=lambda one: one.step):
        by_call[one.call_id].append(one)
    found = {f"observation-{at}": one for at, one in enumerate(trajectory.observations, 1)}
    found |= {call: seen[-1] for call, seen in by_call.items()}
    brought: dict[str, ObservationRecord] = {}
    for step in trajectory.steps:
        # Some models number their calls anew in each reply, so that ids repeat: of one id, the last message
        # that a step adds brings the newest result of an earlier step, the one before it the one before.
        left: dict[str, int] = {}
        for message in reversed(step.prompt_added):
            data = message.get("data")
            if not isinstance(data, dict) or not data.get("tool_call_id"):
                continue
            call = str(data["tool_call_id"])
            seen = by_call.get(call, [])
            at = left.get(call, bisect_left(seen, step.index, key=lambda one: one.step)) - 1
            left[call] = at
            if at >= 0 and data.get("id"):
                brought.setdefault(str(data["id"]), seen[at])  # a prompt may show an old message again
    return found | brought
