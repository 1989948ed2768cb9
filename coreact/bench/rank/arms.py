"""The generators that are compared on branching points, by name.

- `heuristic`, `contracts`: code, no model.
- `prompted`: a chat model, unchecked: the untrained writer.
- `banked`: the same with rubrics of similar training questions before it.
- `gated`: the prompted rubrics that pass the gate; for the others, none.
- `gated-heuristic`: the same; for the others, and where nothing was written, the heuristic's.
- `qualified`: the same again, and the writer is only asked if it proved on training points that it is not
  worse than the heuristic.

An arm that fits anything fits it on the training half alone (`fitting`). The gated arms test what the
prompted arm wrote, so that a model writes once for all of them. The controls `none` and `random` write no
rubric; `figures` knows their scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from langchain_core.language_models import BaseChatModel

from coreact.bench.rank.fitting import Fitted, fitted
from coreact.bench.rank.rubrics import Attempt, Kept, Watch, unwatched
from coreact.bench.writers import prompted
from coreact.errors import ConfigError, GenerationError
from coreact.generate import ContractGenerator, HeuristicGenerator, RubricGenerator, Written
from coreact.generate.bank.banked import BankedGenerator, BankExemplars
from coreact.generate.gate.gate import Gate
from coreact.generate.gate.gated import GatedGenerator
from coreact.generate.prompt import Form
from coreact.rubric import State
from coreact.rubric.branching import BranchingPoint
from coreact.trace.journal import Journal

SEVERAL = 2
"""Least calls that a question of these worlds takes: their agents have one tool, and use it repeatedly."""


class Workshop:
    """What generators are made from; what arms share is made once.

    Args:
        train: gives the points that may be fitted on.
        model: who writes in the arms that need a model.
        journal: keeps what the model writes.
        form: how the model writes criteria, see `PromptedGenerator`.
        max_chars: most characters of a trajectory in a prompt; None: what the model has room for.
        fit: most training points that the model writes for.
        watch: is given attempts as they come, what they are for and their number, to show progress.
    """

    def __init__(
        self,
        *,
        train: Callable[[], Sequence[BranchingPoint]] = tuple,
        model: BaseChatModel | None = None,
        journal: Journal[Attempt] | None = None,
        form: Form = "records",
        max_chars: int | None = None,
        fit: int = 60,
        watch: Watch = unwatched,
    ) -> None:
        self._train = train
        self._model = model
        self._journal = journal
        self._form: Form = form
        self._max_chars = max_chars
        self._fit = fit
        self.watch = watch

    @cached_property
    def prompted(self) -> RubricGenerator:
        """The untrained writer."""
        return self._kept(self._writer(None))

    @cached_property
    def banked(self) -> RubricGenerator:
        """The same with examples."""
        generator = BankedGenerator(self._writer, self.fitted.bank, exclude_question=True)
        return self._kept(generator, self.fitted.digest)

    @cached_property
    def fitted(self) -> Fitted:
        """What was fitted on the training points."""
        return fitted(
            self.prompted, [p for p in self._train() if p.has_contrast], most=self._fit, watch=self.watch
        )

    def gated(self, *, qualified: bool = False) -> GatedGenerator:
        """The untrained writer behind the gate."""
        gate = Gate(self.fitted.thresholds, contracts=ContractGenerator(plan_length=SEVERAL))
        return GatedGenerator(self.prompted, gate, qualified=self.fitted.report if qualified else None)

    def _writer(self, exemplars: BankExemplars | None) -> RubricGenerator:
        if self._model is None:
            raise ConfigError("This arm needs a model.", remedy="Name one with --model.")
        return prompted(self._model, form=self._form, exemplars=exemplars, max_chars=self._max_chars)

    def _kept(self, generator: RubricGenerator, fitted_on: str = "") -> RubricGenerator:
        if self._journal is None:
            return generator
        return Kept(generator, self._journal, fitted=fitted_on)


class OrElse:
    """One generator's rubrics, and another's where it writes none: what the loop's fallback does."""

    def __init__(self, first: RubricGenerator, other: RubricGenerator) -> None:
        self.id = f"{first.id}, else {other.id}"
        self._first = first
        self._other = other

    def write(self, state: State) -> Written:
        """The first one's rubric, or the other's."""
        try:
            return self._first.write(state)
        except GenerationError:
            return self._other.write(state)

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        try:
            return await self._first.awrite(state)
        except GenerationError:
            return await self._other.awrite(state)


ARMS: dict[str, Callable[[Workshop], RubricGenerator]] = {
    "heuristic": lambda _: HeuristicGenerator(),
    "contracts": lambda _: ContractGenerator(plan_length=SEVERAL),
    "prompted": lambda shop: shop.prompted,
    "banked": lambda shop: shop.banked,
    "gated": lambda shop: shop.gated(),
    "gated-heuristic": lambda shop: OrElse(shop.gated(), HeuristicGenerator()),
    "qualified": lambda shop: OrElse(shop.gated(qualified=True), HeuristicGenerator()),
}
"""Every arm that writes rubrics, by name."""

FITTED = frozenset(("banked", "gated", "gated-heuristic", "qualified"))
"""Arms that fit something."""

ASKING = FITTED | {"prompted"}
"""Arms that need a model."""
