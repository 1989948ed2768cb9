"""Rows of moves that belong together, and what was said of the criteria that runs share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from coreact.judge import Status
from coreact.trace.alignment import Match
from coreact.trace.diff.result import Counts, CriterionRow, CriterionVerdicts, Difference, Row
from coreact.trace.diff.sides import Seen
from coreact.trace.judged import Judged


def merged(seen: Sequence[Seen], matches: Sequence[tuple[Match, ...]]) -> Iterator[tuple[int | None, ...]]:
    """Positions that belong together, one a run, so that the order of every run is kept."""
    size = len(seen)
    partners: list[dict[int, int]] = [{match.first: match.second for match in found} for found in matches]
    given = [0] * len(matches)  # of each other run: how many positions are in rows already

    def alone(other: int, until: int) -> Iterator[tuple[int | None, ...]]:
        for at in range(given[other], until):
            yield tuple(at if run == other + 1 else None for run in range(size))
        given[other] = max(given[other], until)

    for base in range(len(seen[0].done)):
        found = [partner.get(base) for partner in partners]
        for other, at in enumerate(found):
            if at is not None:
                yield from alone(other, at)
                given[other] = at + 1
        yield (base, *found)
    for other in range(len(matches)):
        yield from alone(other, len(seen[other + 1].done))


def row(seen: Sequence[Seen], places: Sequence[int | None]) -> Row:
    """The moves at these positions, one a run, and how they compare."""
    done = [None if at is None else one.done[at] for one, at in zip(seen, places, strict=True)]
    verdicts = tuple(_verdicts([None if one is None else one.judged for one in done]))
    base, others = done[0], [one for one in done[1:] if one is not None]
    differs: list[Difference] = []
    if base is not None and others:
        if any(_lock(one.judged) != _lock(base.judged) for one in others):
            differs.append("rubric")
        if any(one.observed != base.observed for one in others):
            differs.append("observation")
        if verdicts:
            differs.append("verdicts")
        if base.move.tool is None and any(one.move.text != base.move.text for one in others):
            differs.append("answer")
    return Row(
        moves=tuple(None if one is None else one.move for one in done),
        differs=tuple(differs),
        verdicts=verdicts,
    )


def _lock(judged: Judged | None) -> str | None:
    return None if judged is None else judged.rubric.lock


def _verdicts(judged: Sequence[Judged | None]) -> Iterator[CriterionVerdicts]:
    said = [_statuses(() if one is None else (one,)) for one in judged]
    for criterion, text in _in_several(said):
        statuses = tuple(next(iter(own.get((criterion, text), ())), None) for own in said)
        if len({status for status in statuses if status is not None}) > 1:
            yield CriterionVerdicts(criterion=criterion, text=text, statuses=statuses)


def criteria(seen: Sequence[Seen]) -> Iterator[CriterionRow]:
    """What was said, over whole runs, of the criteria that several were judged by."""
    said = [_statuses(done.judged for done in one.done if done.judged is not None) for one in seen]
    for key in _in_several(said):
        counts = tuple(Counts.of(own[key]) if key in own else None for own in said)
        yield CriterionRow(criterion=key[0], text=key[1], counts=counts)


def _in_several(said: Sequence[Mapping[tuple[str, str], object]]) -> list[tuple[str, str]]:
    """The criteria that at least two runs were judged by, in the order in which they come up."""
    known = Counter(key for own in said for key in own)
    return [key for key, runs in known.items() if runs > 1]


def _statuses(judged: Iterable[Judged]) -> dict[tuple[str, str], list[Status]]:
    """What was said of each criterion, by id and text: the same id may mean another thing elsewhere."""
    found: dict[tuple[str, str], list[Status]] = defaultdict(list)
    for one in judged:
        texts = {criterion.id: criterion.text for criterion in one.rubric}
        for verdict in one.judgement.verdicts:
            found[verdict.criterion, texts.get(verdict.criterion, "")].append(verdict.status)
    return dict(found)
