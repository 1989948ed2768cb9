"""Several generators write, and a criterion stays only if enough of them wrote it.

From QuarkMedBench (consensus of several models): what one writer alone thinks of is as likely a slip as an
insight, what several write independently is neither. Two criteria are the same if their checks are, or, where
not both have one, if their sentences are alike: words in common, the same names, no negation in one of them
alone. Whoever knows better gives `same`. A writer that failed has not voted, neither for nor against; with
fewer writers left than votes needed there is no rubric. How independent the writers are is up to whoever
chooses them: m samples of one model agree on its slips as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

from langgraph.errors import GraphBubbleUp

from coreact.errors import ConfigError
from coreact.generate.entities import entities
from coreact.generate.generator import NoRubricError, RubricGenerator, Written
from coreact.judge.panel.family import model_names
from coreact.judge.panel.members import Failed, atogether, failed, together
from coreact.judge.records import Cost
from coreact.rubric import Criterion, Provenance, Rubric, State
from coreact.rubric.canonical import canonical_json
from coreact.rubric.phrasing import phrasing
from coreact.rubric.remarks import Remark
from coreact.rubric.words import similarity, words

ALIKE = 0.6
"""Share of telling words, in [0, 1], from which on two sentences say the same. Ours."""


class ConsensusGenerator:
    """A generator made of generators. Safe to share if its writers are.

    Args:
        writers: at least `m` generators, asked at the same time.
        m: writers that must propose a criterion, at least 1.
        alike: bound on the similarity of two sentences, in (0, 1]; see `ALIKE`.
        same: decides whether two criteria without equal checks say the same, in place of `alike`; a model
            perhaps. What it raises counts as "not the same", with a remark.

    Raises:
        ConfigError: a number is out of range, or there are fewer writers than `m`.
    """

    def __init__(
        self,
        writers: Sequence[RubricGenerator],
        *,
        m: int = 2,
        alike: float = ALIKE,
        same: Callable[[Criterion, Criterion], bool] | None = None,
    ) -> None:
        if not 1 <= m <= len(writers):
            raise ConfigError(
                f"{m} of {len(writers)} writers cannot agree.",
                remedy="Give at least m writers, and m of at least 1.",
            )
        if not 0 < alike <= 1:
            raise ConfigError(f"alike must be above 0 and at most 1 (got {alike}).")
        self.writers = tuple(writers)
        """The members."""
        self._m = m
        self._alike = alike
        self._same = same
        self.id = f"consensus({'+'.join(writer.id for writer in writers)},m={m})"

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write: a judge should be of none of their families."""
        return model_names(*self.writers)

    def write(self, state: State) -> Written:
        """Let all writers write at once, each in a thread, and keep what enough of them wrote.

        Raises:
            NoRubricError: too few writers were left, or they agree on nothing.
        """
        started = time.perf_counter()
        drafts = together([partial(_written, writer, state) for writer in self.writers])
        return self._merged(drafts, started)

    async def awrite(self, state: State) -> Written:
        """The same, as tasks of the running event loop."""
        started = time.perf_counter()
        drafts = await atogether([partial(_awritten, writer, state) for writer in self.writers])
        if self._same is None:
            return self._merged(drafts, started)
        return await asyncio.to_thread(self._merged, drafts, started)  # it may ask a model, blocking

    def _merged(self, drafts: Sequence[Written | Failed], started: float) -> Written:
        valid = [draft for draft in drafts if isinstance(draft, Written)]
        broken = [draft for draft in drafts if isinstance(draft, Failed)]
        spent = sum((d.cost for d in drafts), Cost())
        cost = spent.model_copy(update={"seconds": time.perf_counter() - started})
        remarks = [remark for draft in valid for remark in draft.remarks]
        remarks += [Remark(deed="found", reason=f"writer {one.by} failed: {one.reason}") for one in broken]
        if len(valid) < self._m:
            raise NoRubricError(
                f"{len(valid)} of {len(drafts)} writers wrote a rubric; {self._m} are needed.",
                generator=self.id,
                cause=broken[0].cause,
                cost=cost,
                remarks=remarks,
            )
        criteria = self._agreed([draft.rubric for draft in valid], remarks)
        if not criteria:
            raise NoRubricError(
                f"No criterion was proposed by {self._m} of {len(valid)} writers.",
                generator=self.id,
                cause="unsupported",
                cost=cost,
                remarks=remarks,
            )
        rubric = Rubric(
            criteria=criteria,
            scope=valid[0].rubric.scope,
            threshold=fmean(draft.rubric.threshold for draft in valid),
        )
        return Written(rubric, cost, tuple(remarks))

    def _agreed(self, rubrics: Sequence[Rubric], remarks: list[Remark]) -> tuple[Criterion, ...]:
        groups: list[_Group] = []
        group_of: dict[tuple[int, str], _Group] = {}
        for writer, rubric in enumerate(rubrics):
            for criterion in rubric:
                group = next((one for one in groups if self._is_same(one.first, criterion, remarks)), None)
                if group is None:
                    group = _Group(writer, criterion)
                    groups.append(group)
                group.add(writer, criterion, rubric.share(criterion))
                group_of[writer, criterion.id] = group
        agreed: list[Criterion] = []
        for group in groups:
            votes = len(group.shares)
            if votes < self._m:
                reason = f"proposed by {votes} of {len(rubrics)} writers; {self._m} are needed"
                remarks.append(Remark.about(group.first.text, "dropped", reason))
                continue
            # What the first one of a group depends on stands in an earlier group, or in this one.
            needed = [group_of[group.writer, name] for name in group.first.depends_on]
            if any(other.id is None and other is not group for other in needed):
                reason = "it depends on one that too few writers proposed"
                remarks.append(Remark.about(group.first.text, "dropped", reason))
                continue
            group.id = f"c{len(agreed) + 1}"
            agreed.append(group.merged(group.id, [o.id for o in needed if o.id and o is not group], self.id))
        return tuple(agreed)

    def _is_same(self, left: Criterion, right: Criterion, remarks: list[Remark]) -> bool:
        if left.polarity != right.polarity:
            return False
        if left.check is not None and right.check is not None:
            if canonical_json(left.check.model_dump()) == canonical_json(right.check.model_dump()):
                return True
            if self._same is None:
                return False  # alike in words, they are decided differently
        if self._same is None:
            return _says_the_same(left.text, right.text, self._alike)
        try:
            return bool(self._same(left, right))
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - it may be a model; one comparison less, not no rubric
            reason = f"could not be compared with another criterion: {type(error).__name__}"
            remarks.append(Remark.about(right.text, "found", reason))
            return False


class _Group:
    """Criteria that say the same; the first stands for all."""

    def __init__(self, writer: int, first: Criterion) -> None:
        self.writer = writer
        self.first = first
        self.id: str | None = None
        """Id in the new rubric; None as long as it is not in it."""
        self.shares: dict[int, float] = {}
        self._members: list[Criterion] = []

    def add(self, writer: int, criterion: Criterion, share: float) -> None:
        # One that says a thing twice has one vote, with all the weight it gave it.
        self.shares[writer] = self.shares.get(writer, 0.0) + share
        self._members.append(criterion)

    def merged(self, criterion_id: str, depends_on: Sequence[str], source: str) -> Criterion:
        """The criterion of the group: secret if one of them is, a veto only if all are."""
        members = self._members
        return self.first.model_copy(
            update={
                "id": criterion_id,
                "weight": fmean(self.shares.values()),
                "visibility": "policy"
                if all(one.visibility == "policy" for one in members)
                else "judge_only",
                "veto": all(one.veto for one in members),
                "depends_on": tuple(dict.fromkeys(depends_on)),
                "provenance": Provenance(
                    source=source,
                    parent=self.first.id,
                    evidence=tuple(
                        dict.fromkeys(
                            item
                            for one in members
                            if one.provenance is not None
                            for item in (one.provenance.source, *one.provenance.evidence)
                        )
                    ),
                ),
            }
        )


def _says_the_same(left: str, right: str, alike: float) -> bool:
    one, other = phrasing(left), phrasing(right)
    if _names(left) != _names(right) or one.negated != other.negated:
        return False
    return similarity(frozenset(one.content), frozenset(other.content)) >= alike


def _names(text: str) -> frozenset[str]:
    """Words of names and numbers: sentences that differ in one say different things."""
    # The first word of a sentence has a capital whatever it is.
    lowered = text[:1].lower() + text[1:]
    named = {word for name in entities(lowered) for word in words(name)}
    return frozenset(named | {word for word in words(text) if any(map(str.isdigit, word))})


def _written(writer: RubricGenerator, state: State) -> Written | Failed:
    try:
        return _checked(writer.write(state), writer)
    except GraphBubbleUp:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: one broken writer takes no other down
        return failed(error, writer.id)


async def _awritten(writer: RubricGenerator, state: State) -> Written | Failed:
    try:
        return _checked(await writer.awrite(state), writer)
    except GraphBubbleUp:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: one broken writer takes no other down
        return failed(error, writer.id)


def _checked(written: Written, writer: RubricGenerator) -> Written:
    if not isinstance(written, Written):
        raise TypeError(f"generator {writer.id!r} returned {type(written).__name__}, nothing written")
    return written
