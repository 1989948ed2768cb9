"""The loop of recursive decompose-filter: which criterion is split, rejected, kept or accepted, and why.

Internal to `decompose`, which says what the loop is for and where it comes from. The loop asks nobody
itself: it yields turns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count
from typing import Literal, NamedTuple

from coreact.generate.contrastive.contrast import Contrast
from coreact.generate.refinement.ballot import Ballot, Tally, Vote, open_to_a_judge, voted
from coreact.generate.refinement.decomposer import CHILDREN, Compared, Comparer, Decomposer, Split
from coreact.judge.asking import Asking, Request
from coreact.judge.records import Cost
from coreact.judge.runner import Judge
from coreact.judge.structured import ReplyError
from coreact.rubric import Action, Criterion, Provenance, State
from coreact.rubric.canonical import digest
from coreact.rubric.lint import lint
from coreact.rubric.remarks import Problem, Remark
from coreact.rubric.words import fold

Stopped = Literal["done", "rejections", "budget"]
"""Why the loop ended. `done`: nothing was left; `rejections`: too many; `budget`: no calls were left."""

_COMPARED = 40  # accepted criteria that a new one is compared with, the newest; lint compares 50
_TWINS: frozenset[Problem] = frozenset({"duplicate", "mirror", "conflict"})


class Means(NamedTuple):
    """Who takes part in the loop, and its bounds; see `Refiner`."""

    judge: Judge | None
    decomposer: Decomposer | None
    comparer: Comparer | None
    broad: int
    max_depth: int
    max_rejections: int
    max_calls: int


class Refined(NamedTuple):
    """What became of the criteria."""

    criteria: tuple[Criterion, ...]
    """Accepted, in the order of the criteria that they are or come from."""
    votes: tuple[tuple[float | None, ...], ...]
    """One row a sample, one column an accepted criterion: 1 met, 0 not, None nobody could tell."""
    ceiling: tuple[Criterion, ...]
    """Parts that no sample meets, `judge_only`: for another round with better samples."""
    untested: tuple[Criterion, ...]
    """Neither accepted nor rejected: too few votes, or the loop ended before."""
    remarks: tuple[Remark, ...]
    cost: Cost
    stopped: Stopped


class _Node(NamedTuple):
    criterion: Criterion
    path: tuple[int, ...]
    """Where it comes from: the place of its first ancestor, then that of each split."""

    @property
    def depth(self) -> int:
        return len(self.path) - 1

    @property
    def guards(self) -> bool:
        """Whether it is there for what samples need not show, and so is never dropped for want of votes."""
        return self.criterion.veto or self.criterion.kind == "safety"


class Loop:
    """One run of the loop."""

    def __init__(
        self, how: Means, samples: tuple[Action, ...], state: State, references: Contrast | None
    ) -> None:
        self._how = how
        self._samples = samples
        self._state = state
        self._references = references
        self._subjects = samples if references is None else (*samples, references.better, references.worse)
        self._accepted: list[tuple[_Node, Tally]] = []
        self._wholes: list[tuple[_Node, Tally]] = []
        self._ceiling: list[_Node] = []
        self._untested: list[_Node] = []
        self._remarks: list[Remark] = []
        self._spent = Cost()
        self._rejections = 0
        self._seen: set[str] = set()
        self._ids: set[str] = set()
        self._stopped: Stopped = "done"

    def run(self, criteria: Sequence[Criterion]) -> Asking[Refined]:
        """Work off the queue, one depth after the other."""
        self._ids.update(criterion.id for criterion in criteria)
        queue = [_Node(criterion, (at,)) for at, criterion in enumerate(criteria)]
        while queue and self._goes_on():
            queue = yield from self._level([node for node in queue if self._is_new(node.criterion)])
        self._leave(queue, self._why())
        yield from self._bring_back()
        return self._result()

    def _level(self, nodes: list[_Node]) -> Asking[list[_Node]]:
        """Decide the nodes of one depth; returns those of the next."""
        if not nodes:
            return []
        criteria = [node.criterion for node in nodes]
        needed = open_to_a_judge(criteria, self._subjects, self._state) if self._how.judge else 0
        if not self._affords(needed):
            return nodes
        ballot: Ballot = yield from voted(criteria, self._subjects, self._state, self._how.judge)
        self._spent += ballot.cost
        below: list[_Node] = []
        for at, node in enumerate(nodes):
            if not self._goes_on():
                return [*nodes[at:], *below]
            below += yield from self._decide(node, self._tally(ballot.votes[node.criterion.id]))
        return below

    def _decide(self, node: _Node, tally: Tally) -> Asking[list[_Node]]:
        """Split, reject or accept one criterion; returns its parts, if it has any now."""
        criterion = node.criterion
        if not node.guards:
            if tally.known < math.ceil(len(self._samples) / 2):
                self._leave([node], f"{tally.known} of {len(self._samples)} samples have a vote")
                return []
            if tally.yes == 0 and tally.strong is not True:
                self._nobody(node)
                return []
            if tally.yes > self._how.broad and node.depth < self._how.max_depth:
                parts = yield from self._split(node, tally)
                if parts or self._stopped != "done":
                    return parts
            if tally.yes == tally.known and not tally.aligned:
                self._reject(criterion, "every sample meets it, and it cannot be split", "undiscriminating")
                return []
        yield from self._filter(node, tally)
        return []

    def _nobody(self, node: _Node) -> None:
        if node.depth == 0:
            self._reject(node.criterion, "no sample meets it", "undiscriminating")
            return
        self._rejections += 1
        self._ceiling.append(node)
        reason = "no sample meets this part: kept apart, hidden from the agent"
        self._remarks.append(Remark.about(node.criterion.text, "muted", reason, "undiscriminating"))

    def _split(self, node: _Node, tally: Tally) -> Asking[list[_Node]]:
        decomposer = self._how.decomposer
        if decomposer is None:
            return []
        if not self._affords(1):
            return [node]
        met_by = [one for one, vote in zip(self._samples, tally.samples, strict=True) if vote]
        accepted = [known.criterion for known, _ in self._accepted]
        given = (node.criterion, met_by, accepted, self._state)
        try:
            split: Split = yield Request(
                lambda: decomposer.decompose(*given), lambda: decomposer.adecompose(*given)
            )
        except ReplyError as error:
            self._spent += error.cost
            reason = "it could not be split: no reply"
            self._remarks.append(Remark.about(node.criterion.text, "found", reason))
            return []
        self._spent += split.cost
        self._remarks.extend(split.remarks)
        parts = split.children[:CHILDREN]
        if parts:
            self._wholes.append((node, tally))
            reason = f"{tally.yes} of {tally.known} samples meet it: split into {len(parts)}"
            self._remarks.append(Remark.about(node.criterion.text, "dropped", reason, "undiscriminating"))
        share = node.criterion.weight / max(1, len(parts))
        return [
            _Node(self._part(part, node.criterion, share), (*node.path, at)) for at, part in enumerate(parts)
        ]

    def _bring_back(self) -> Asking[None]:
        """Accept a whole again of which no part was accepted, if it tells samples apart itself."""
        for node, tally in reversed(self._wholes):
            parts = (one.path[: len(node.path)] for one, _ in self._accepted)
            if tally.yes < tally.known and node.path not in parts:
                reason = "none of its parts was accepted, so the whole comes back"
                self._remarks.append(Remark.about(node.criterion.text, "found", reason))
                yield from self._filter(node, tally)

    def _part(self, part: Criterion, whole: Criterion, weight: float) -> Criterion:
        """A part under an id of its own: hidden if the whole is, with its share of the weight."""
        name = next(one for at in count(1) if (one := f"{whole.id}.{at}") not in self._ids)
        self._ids.add(name)
        source = part.provenance.source if part.provenance is not None else "decomposer"
        hidden = "judge_only" in (part.visibility, whole.visibility)
        return part.model_copy(
            update={
                "id": name,
                "weight": weight,
                "visibility": "judge_only" if hidden else "policy",
                "veto": False,
                "depends_on": whole.depends_on,
                "provenance": Provenance(source=source, parent=whole.id),
            }
        )

    def _filter(self, node: _Node, tally: Tally) -> Asking[None]:
        """Misalignment, then repeats and contradictions; what passes is accepted."""
        criterion = node.criterion
        if tally.weak is True and tally.strong is False and not node.guards:
            reason = "the weak reference meets it, the strong one does not"
            self._reject(criterion, reason, "misaligned")
            return
        if self._references is not None and None in (tally.strong, tally.weak):
            self._remarks.append(Remark.about(criterion.text, "found", "untested: whether it is misaligned"))
        accepted = [known.criterion for known, _ in self._accepted]
        for finding in lint((*accepted[-_COMPARED:], criterion)):
            if finding.problem in _TWINS and criterion.id in (finding.criterion, finding.other):
                self._reject(criterion, finding.reason, finding.problem)
                return
        comparer = self._how.comparer
        if comparer is not None and accepted:
            if not self._affords(1):
                self._leave([node], self._why())
                return
            try:
                compared: Compared = yield Request(
                    lambda: comparer.compare(criterion, accepted),
                    lambda: comparer.acompare(criterion, accepted),
                )
            except ReplyError as error:
                self._spent += error.cost
                reason = "untested: whether it repeats another one; no reply"
                self._remarks.append(Remark.about(criterion.text, "found", reason))
            else:
                self._spent += compared.cost
                if compared.relation == "same":
                    self._reject(criterion, "an accepted criterion says the same", "duplicate")
                    return
                if compared.relation == "opposite":
                    self._reject(criterion, "it contradicts an accepted criterion", "conflict")
                    return
        self._accepted.append((node, tally))

    # --- bookkeeping ----------------------------------------------------------------------------

    def _is_new(self, criterion: Criterion) -> bool:
        check = None if criterion.check is None else criterion.check.model_dump()
        key = digest([fold(criterion.text), criterion.polarity, check])
        if key in self._seen:
            self._reject(criterion, "the very same criterion was looked at before", "duplicate")
            return False
        self._seen.add(key)
        return True

    def _goes_on(self) -> bool:
        if self._stopped == "done" and self._rejections >= self._how.max_rejections:
            self._stopped = "rejections"
        return self._stopped == "done"

    def _affords(self, calls: int) -> bool:
        if self._spent.calls + calls <= self._how.max_calls:
            return True
        self._stopped = "budget"
        return False

    def _reject(self, criterion: Criterion, reason: str, problem: Problem) -> None:
        self._rejections += 1
        self._remarks.append(Remark.about(criterion.text, "dropped", reason, problem))

    def _why(self) -> str:
        return "the calls were spent" if self._stopped == "budget" else "there were too many rejections"

    def _leave(self, nodes: Sequence[_Node], why: str) -> None:
        """Neither accept nor reject; a criterion that guards stays in force all the same."""
        for node in nodes:
            self._remarks.append(Remark.about(node.criterion.text, "found", f"untested: {why}"))
            if node.guards:
                self._accepted.append((node, Tally((None,) * len(self._samples), None, None)))
            else:
                self._untested.append(node)

    def _tally(self, votes: tuple[Vote, ...]) -> Tally:
        samples = votes[: len(self._samples)]
        strong, weak = votes[len(self._samples) :] or (None, None)
        return Tally(samples, strong, weak)

    def _result(self) -> Refined:
        accepted = sorted(self._accepted, key=lambda one: one[0].path)
        criteria: list[Criterion] = []
        for node, _ in accepted:
            before = {criterion.id for criterion in criteria}
            criteria.append(self._repaired(node.criterion, before))
        columns = [
            tuple(None if vote is None else float(vote) for vote in tally.samples) for _, tally in accepted
        ]
        ceiling = [node.criterion.model_copy(update={"visibility": "judge_only"}) for node in self._ceiling]
        return Refined(
            criteria=tuple(criteria),
            votes=tuple(zip(*columns, strict=True)) if columns else ((),) * len(self._samples),
            ceiling=tuple(ceiling),
            untested=tuple(node.criterion for node in sorted(self._untested, key=lambda one: one.path)),
            remarks=tuple(self._remarks),
            cost=self._spent,
            stopped=self._stopped,
        )

    def _repaired(self, criterion: Criterion, before: set[str]) -> Criterion:
        """The criterion without dependencies on what was left out."""
        kept = tuple(one for one in criterion.depends_on if one in before)
        if kept == criterion.depends_on:
            return criterion
        reason = "it depended on a criterion that was left out"
        self._remarks.append(Remark.about(criterion.text, "repaired", reason))
        return criterion.model_copy(update={"depends_on": kept})
