"""Judgements by a person: which ones are most worth a look, and how one becomes a record.

The queue holds the judged actions of the newest runs that no person has judged yet: first those that
judges disagree on, then those with most unknown verdicts, then those nearest to their pass mark. A
person's judgement is appended under their name; it replaces nothing, and corrects only an earlier one by a
person.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from threading import Lock
from typing import NamedTuple, cast, get_args

from coreact.errors import ConfigError
from coreact.judge import Judgement, Status
from coreact.judge.scoring import judgement as judged
from coreact.rubric import Action, Rubric
from coreact.trace import (
    Evaluator,
    JudgementRecord,
    RunFilter,
    SQLiteTraceStore,
    TraceStore,
    Trajectory,
)
from coreact.trace.rows.encoding import json_bytes, stored
from coreact.trace.schema import open_to_read, store_error
from coreact.view.timeline import complete, disagreement

QUEUE_OF = 100
"""Newest runs that the queue is made from."""

STATUSES = cast("tuple[Status, ...]", get_args(Status))
"""What a person can say about a criterion."""


class Item(NamedTuple):
    """One judged action, and why a person should look at it."""

    run: str
    question: str
    step: int
    attempt: int
    action: int
    what: Action
    rubric: Rubric
    judgement: Judgement
    """What the run was decided by."""
    others: tuple[JudgementRecord, ...]
    """Later judgements that stand."""
    disputed: frozenset[str]
    unknown: int
    margin: float | None
    """How far its score is from the pass mark, in [0, 1]; None without a score."""
    selected: bool
    recorded_ns: int
    """When the step was recorded."""

    @property
    def urgency(self) -> tuple[int, int, float, str, int, int, int]:
        """Sorts the queue: smallest first."""
        margin = 1.0 if self.margin is None else self.margin
        return (
            -len(self.disputed), -self.unknown, margin, self.run, self.step, self.attempt, self.action,
        )  # fmt: skip

    @property
    def digest(self) -> str:
        """What a person judges here, in 64 characters: another rubric, action or verdict gives another one.

        A form carries it, since a step can be decided again while somebody looks at it.
        """
        seen = (self.rubric.lock, self.what.model_dump(), self.judgement.model_dump())
        return hashlib.sha256(json_bytes(seen)).hexdigest()

    @property
    def by_human(self) -> JudgementRecord | None:
        """The standing judgement by a person, under the same rubric."""
        return next(
            (
                one
                for one in reversed(self.others)
                if one.evaluator.kind == "human" and one.rubric.lock == self.rubric.lock
            ),
            None,
        )

    @property
    def why(self) -> str:
        """Why it stands where it stands in the queue."""
        reasons = []
        if self.disputed:
            reasons.append(f"judges disagree on {len(self.disputed)}")
        if self.unknown:
            reasons.append(f"{self.unknown} unknown")
        if self.margin is not None:
            reasons.append(f"{self.margin:.2f} from the pass mark")
        return ", ".join(reasons) or "nothing could be judged"


def items_of(trajectory: Trajectory) -> Iterator[Item]:
    """Every judged action of a run that a person can judge by the same rubric."""
    standing = trajectory.standing
    for step in trajectory.steps:
        if step.rubric is None:
            continue
        for position, attempt in enumerate(step.attempts):
            for number, (action, own) in enumerate(zip(attempt.actions, attempt.judgements, strict=False)):
                if not complete(step.rubric, own):
                    continue
                others = tuple(one for one in standing if one.place == (step.index, position, number))
                sides = [(step.rubric, own), *((one.rubric, one.judgement) for one in others)]
                yield Item(
                    run=trajectory.run.id,
                    question=trajectory.run.question,
                    step=step.index,
                    attempt=position,
                    action=number,
                    what=action,
                    rubric=step.rubric,
                    judgement=own,
                    others=others,
                    disputed=frozenset(disagreement(sides)),
                    unknown=sum(one.status == "unknown" for one in own.verdicts),
                    margin=None if own.score is None else abs(own.score - step.rubric.threshold),
                    selected=attempt.selected,
                    recorded_ns=step.at_ns,
                )


def queue(
    store: TraceStore, where: RunFilter, *, kept: KeptItems | None = None, runs: int = QUEUE_OF
) -> list[Item]:
    """What no person has judged yet in the newest runs, most urgent first.

    Args:
        store: where the runs are.
        where: which runs.
        kept: the items of runs read before.
        runs: how many runs are looked at.

    Raises:
        StoreError: the store cannot be read.
    """
    meant = [one.id for one in store.runs(runs, where)]
    read = (items_of(store.trajectory(one)) for one in meant) if kept is None else kept.of(meant)
    found = (item for items in read for item in items)
    return sorted((item for item in found if item.by_human is None), key=lambda item: item.urgency)


class KeptItems:
    """The items of runs, read anew only where something was added to the run. Safe to use from threads.

    A file of traces is appended to; so its newest step and judgement tell whether a run is as it was.
    """

    def __init__(self, store: SQLiteTraceStore) -> None:
        self._store = store
        self._lock = Lock()
        self._kept: OrderedDict[str, tuple[object, tuple[Item, ...]]] = OrderedDict()

    def of(self, runs: Sequence[str]) -> Iterator[tuple[Item, ...]]:
        """The items of each run, in order.

        Raises:
            StoreError: the store cannot be read.
        """
        for run, version in self._versions(runs).items():
            if version is None:  # removed since
                continue
            with self._lock:
                known = self._kept.get(run)
            if known is None or known[0] != version:
                # Read after its version: at worst it is read once more.
                known = version, tuple(items_of(self._store.trajectory(run)))
            with self._lock:
                self._kept[run] = known
                self._kept.move_to_end(run)
                while len(self._kept) > 2 * QUEUE_OF:
                    self._kept.popitem(last=False)
            yield known[1]

    def _versions(self, runs: Sequence[str]) -> dict[str, object]:
        path = self._store.path
        if not runs:
            return {}
        try:
            with closing(open_to_read(path, timeout=10.0)) as connection:
                return {run: connection.execute(_VERSION, (stored(run),)).fetchone() for run in runs}
        except (sqlite3.Error, OSError) as error:
            raise store_error(path, error, doing="read") from error


_VERSION = (
    "SELECT question, started_ns, ended_ns, (SELECT max(step.id) FROM step WHERE step.run = run.id),"
    " (SELECT max(judgment.id) FROM judgment WHERE judgment.run = run.id AND uid IS NOT NULL)"
    " FROM run WHERE id = ?"
)


def item_at(trajectory: Trajectory, step: int, attempt: int, action: int) -> Item:
    """One judged action.

    Raises:
        ConfigError: there is none at this place, or it cannot be judged by its rubric.
    """
    for item in items_of(trajectory):
        if (item.step, item.attempt, item.action) == (step, attempt, action):
            return item
    raise ConfigError(
        f"Run {trajectory.run.id} has no judged action {action + 1} of attempt {attempt + 1}"
        f" at step {step + 1}.",
        remedy="Only an action with one verdict for each criterion can be reviewed; the queue lists them.",
    )


def human_judgement(
    item: Item, *, reviewer: str, statuses: Mapping[str, str], note: str, accept: bool
) -> JudgementRecord:
    """A person's judgement of an action, score and pass computed by code from the statuses.

    Args:
        item: what is judged.
        reviewer: the person's name.
        statuses: a status for each criterion, by id.
        note: why, in the person's words.
        accept: whether the person accepts the verdicts as they are.

    Raises:
        ConfigError: a status is missing or none; accepted with other statuses; overridden without a note.
    """
    verdicts = []
    changed, note = 0, note.strip()
    for verdict in item.judgement.verdicts:
        status = statuses.get(verdict.criterion)
        if status not in STATUSES:
            raise ConfigError(
                f"The verdict on criterion {verdict.criterion!r} is {status!r}.",
                remedy=f"Choose one of {', '.join(STATUSES)}.",
            )
        if status == verdict.status:
            update: dict[str, object] = {"decided_by": reviewer}
        else:
            changed += 1
            update = {
                "decided_by": reviewer, "status": status, "reason": note, "evidence": (), "fault": "none",
                "cause": None, "claimed": None, "confidence": None,
            }  # fmt: skip
        verdicts.append(verdict.model_copy(update=update))
    if accept and changed:
        raise ConfigError(
            f"{changed} verdicts were changed, and the judgement was accepted as it is; nothing was saved.",
            remedy="Save it as an override with a reason, or put the verdicts back.",
        )
    if not accept and not note:
        raise ConfigError(
            "An override needs a reason; nothing was saved.", remedy="Say why in the field `Reason`."
        )
    before = item.by_human
    return JudgementRecord(
        run=item.run,
        step=item.step,
        attempt=item.attempt,
        action=item.action,
        rubric=item.rubric,
        judgement=judged(item.rubric, verdicts),
        judged_ns=item.recorded_ns,
        evaluator=Evaluator(name=reviewer, version="", kind="human"),
        supersedes=None if before is None else before.id,
        note=note,
    )


def position(items: Iterable[Item], item: Item) -> int | None:
    """Where an item stands in a queue, from 0, or None."""
    place = (item.run, item.step, item.attempt, item.action)
    return next(
        (at for at, one in enumerate(items) if (one.run, one.step, one.attempt, one.action) == place), None
    )
