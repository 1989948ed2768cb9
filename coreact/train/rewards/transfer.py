"""The transfer reward: does the rubric alone lead an independent reader to the right verdict?

Proxy-GRM (arXiv 2603.16600) pays a rubric's writer when a small reader, given the rubric and two candidates,
picks the better one. The reading itself is the gate's (`coreact.generate.gate.transfer`): both orders, text
from a justification on cut, a rubric that names a candidate refused unread. What differs from the paper: what
the reader reaches without any rubric is subtracted, so that a strong reader pays nothing by itself; it is
asked for that once per pair and not once per rollout; a reader that fails abstains, and where all do the
sample is masked. The paper's own formula (± 1 for the reader, ± 1 for the writer's answer, 0.5 for form) is
not used: a writer of rubrics gives no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from coreact.errors import ConfigError
from coreact.generate.gate import Material, Reader, Reading, Thresholds
from coreact.generate.gate.transfer import transferring
from coreact.generate.prompt import Form
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.records import Cost
from coreact.rubric import Record, Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.train.rewards.contract import for_lift, rubric_of, textual
from coreact.train.rewards.earned import Reward
from coreact.train.rewards.once import Once, Told, pair_key

_PLAIN = Thresholds(transfer=0.0)  # so that the gate's threshold is the accuracy without the rubric


class Transferred(Record):
    """How readers did with a rubric and without it."""

    gained: float | None = None
    """Accuracy with the rubric minus without, in [-1, 1], higher is better; None where nobody read it."""
    guided: float | None = None
    """Accuracy with the rubric, in [0, 1], a tie counting half."""
    alone: float | None = None
    """Accuracy without it."""
    refused: str = ""
    """Why the rubric was not given to a reader: it tells the verdict."""
    masked: str = ""
    """Why nothing can be said: no contrast, or every reader abstained."""


class TransferReward:
    """Rewards completions by what independent readers make of their rubrics. Picklable if the readers are.

    The reward is (1 + gained) / 2: 0.5 for a rubric that helps no reader, whatever the reader knows by
    itself. A rubric that tells the verdict earns 0, and so does an unreadable reply.

    Args:
        readers: who reads; none should be the model that is trained. `CheckReader` runs checks only.
        form: in which form completions are written: `lines` or `sheet`.
        seed: draws the pairs where a point has many, and the order of reading.

    Raises:
        ConfigError: there is no reader, or completions cannot be read in the form.
    """

    def __init__(self, readers: Sequence[Reader], *, form: Form, seed: int = 0) -> None:
        if not readers:
            raise ConfigError(
                "A transfer reward has no reader.", remedy="Give one, such as ModelReader(model)."
            )
        self.form = textual(form)
        self.seed = seed
        self._readers = tuple(Remembering(reader) for reader in readers)

    def score(self, completion: str, point: BranchingPoint) -> Reward:
        """The reward of one completion, blocking."""
        rubric = rubric_of(completion, point, self.form)
        return rubric if isinstance(rubric, Reward) else _rewarded(self.examine(rubric, point), rubric)

    async def ascore(self, completion: str, point: BranchingPoint) -> Reward:
        """The same, without blocking the event loop."""
        rubric = rubric_of(completion, point, self.form)
        return rubric if isinstance(rubric, Reward) else _rewarded(await self.aexamine(rubric, point), rubric)

    def examine(self, rubric: Rubric, point: BranchingPoint) -> Transferred:
        """Have a rubric read, with it and without, blocking."""
        return serve(self._examining(rubric, point))

    async def aexamine(self, rubric: Rubric, point: BranchingPoint) -> Transferred:
        """The same, without blocking the event loop."""
        return await aserve(self._examining(rubric, point))

    def _examining(self, rubric: Rubric, point: BranchingPoint) -> Asking[Transferred]:
        result = (yield from transferring(rubric, point, self._readers, self.seed, _PLAIN)).result
        if result.problem == "leaking":
            return Transferred(refused=result.reason)
        if result.value is None or result.threshold is None:
            return Transferred(masked=result.reason)
        return Transferred(
            gained=result.value - result.threshold, guided=result.value, alone=result.threshold
        )


class Remembering:
    """A reader that is asked once for each pair of candidates without a rubric, and remembers what it said.

    With a rubric it is asked each time. Readings taken from memory cost nothing.
    """

    def __init__(self, reader: Reader) -> None:
        self.id = reader.id
        self._reader = reader
        self._alone: Once[Reading] = Once()

    def read(self, material: Material) -> Reading:
        """What the reader says."""
        if material.rubric is not None:
            return self._reader.read(material)
        return _paid(self._alone.get(pair_key(material), partial(self._reader.read, material)))

    async def aread(self, material: Material) -> Reading:
        """The same, without blocking the event loop; those who ask at the same time share one call."""
        if material.rubric is not None:
            return await self._reader.aread(material)
        return _paid(await self._alone.aget(pair_key(material), partial(self._reader.aread, material)))


def _paid(told: Told[Reading]) -> Reading:
    return told.value if told.fresh else told.value._replace(cost=Cost())


def _rewarded(found: Transferred, rubric: Rubric) -> Reward:
    return for_lift(found.gained, rubric, refused=found.refused, masked=found.masked)
