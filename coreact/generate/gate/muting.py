"""A generator whose harmful criteria are muted: what spoils more steps than it mends does not guide.

Which families are muted is read from a ledger at each step, so a mute takes effect, and ends, without
anything being built anew. What was left out stands in the remarks. A rubric with nothing left is no rubric.
"""

from __future__ import annotations

from coreact.generate.gate.benefit import family, writer
from coreact.generate.gate.ledger import Ledger, MutePolicy
from coreact.generate.generator import NoRubricError, RubricGenerator, Written
from coreact.judge.panel.family import model_names
from coreact.rubric import Rubric, State
from coreact.rubric.remarks import Remark


class MutingGenerator:
    """Another generator's rubrics without the criteria of muted families.

    A criterion that depends on a muted one goes with it: it could not apply.

    Args:
        inner: who writes.
        ledger: what is known about families.
        policy: when a family is muted.
    """

    def __init__(self, inner: RubricGenerator, ledger: Ledger, policy: MutePolicy | None = None) -> None:
        self.id = f"{inner.id}+mutes.1"
        self._inner = inner
        self._ledger = ledger
        self._policy = policy or MutePolicy()

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write: a judge should be of none of their families."""
        return model_names(self._inner)

    def write(self, state: State) -> Written:
        """Write a rubric and leave out what is muted.

        Raises:
            NoRubricError: all of it is muted.
            GenerationError: the generator itself failed.
        """
        return self._without_muted(self._inner.write(state))

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        return self._without_muted(await self._inner.awrite(state))

    def _without_muted(self, written: Written) -> Written:
        muted = self._ledger.muted(self._policy)
        everything = muted.get(writer(self._inner.id))
        gone: set[str] = set()
        kept = []
        remarks = list(written.remarks)
        for criterion in written.rubric:
            why = everything or muted.get(family(criterion))
            if why is not None:
                reason = f"{why.family}: {why.reason}"
                remarks.append(Remark.about(criterion.text, "muted", reason, "harmful"))
            elif gone & set(criterion.depends_on):
                remarks.append(
                    Remark.about(criterion.text, "muted", "it depends on a muted criterion", "harmful")
                )
            else:
                kept.append(criterion)
                continue
            gone.add(criterion.id)
        if not gone:
            return written
        if not kept:
            raise NoRubricError(
                f"Every criterion of {self._inner.id!r} is muted.",
                generator=self._inner.id,
                cause="refusal",
                cost=written.cost,
                remarks=remarks,
                remedy="Unmute a family in the ledger, or let the loop fall back.",
            )
        rubric = written.rubric
        left = Rubric(criteria=tuple(kept), scope=rubric.scope, threshold=rubric.threshold)
        return Written(left, written.cost, tuple(remarks))
