"""Has generators write rubrics for branching points, and keeps what a model wrote as it comes.

Writing is slow and costs money where a model writes; ranking by what was written is free and can be done
again in other ways. So each attempt of a model goes into a journal, with the rubric or with what broke, and
is asked for again only where what broke may have passed. Nothing is scored here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter

from coreact.errors import Cause, GenerationError
from coreact.generate.generator import NoRubricError, RubricGenerator, RubricRefusedError, Written
from coreact.judge import Cost
from coreact.rubric import Record, Rubric, State
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.remarks import Remark
from coreact.trace.journal import Journal

_PASSING: frozenset[Cause | None] = frozenset({"transport", "rate_limit", "bug"})
_GIVE_UP = 5  # failures in a row of a model that cannot be reached


Watch = Callable[["Iterable[Attempt]", str, int], "Iterable[Attempt]"]
"""Is given attempts as they come, what they are for and their number, and passes them on."""


class Attempt(Record):
    """What a generator wrote for one state, or why it wrote nothing."""

    generator: str
    """Id of the generator, with its version."""
    fitted: str = ""
    """Digest of what it was fitted on; empty where on nothing."""
    state: str
    """Digest of the state."""
    rubric: Rubric | None
    remarks: tuple[Remark, ...] = ()
    cost: Cost = Cost()
    error: str | None = None
    """What went wrong where there is no rubric."""
    cause: Cause | None = None
    refused: bool = False
    """A rubric was written and a gate refused it."""

    @property
    def may_pass(self) -> bool:
        """Whether it failed for a reason that may be gone by now."""
        return self.rubric is None and not self.refused and self.cause in _PASSING


def unwatched(attempts: Iterable[Attempt], *_: object) -> Iterable[Attempt]:
    """Pass attempts on and show nothing."""
    return attempts


def write_rubrics(generator: RubricGenerator, points: Iterable[BranchingPoint]) -> Iterator[Attempt]:
    """One attempt for each point, in order.

    Args:
        generator: who writes; a model's should be `Kept`.
        points: what to write for.

    Raises:
        GenerationError: the model behind the generator failed several times in a row for want of a
            connection or a valid setup.
    """
    failed = 0
    for point in points:
        attempt = _attempt(generator, point.state)
        failed = failed + 1 if attempt.may_pass else 0
        yield attempt
        if failed == _GIVE_UP:
            raise GenerationError(
                f"The generator {generator.id} failed {failed} times in a row: {attempt.error}",
                generator=generator.id,
                cause=attempt.cause or "bug",
                remedy="Mend its connection or its settings; the run goes on where it stopped.",
            )


class Kept:
    """Another generator whose every attempt is kept in a journal, and asked for once.

    Args:
        inner: who writes.
        journal: where attempts are kept. One journal may serve several generators.
        fitted: digest of what `inner` was fitted on, where its id does not tell.
    """

    def __init__(self, inner: RubricGenerator, journal: Journal[Attempt], *, fitted: str = "") -> None:
        self.id = inner.id
        self._inner = inner
        self._journal = journal
        self._fitted = fitted
        self._known = {
            one.state: one
            for one in journal.records
            if (one.generator, one.fitted) == (inner.id, fitted) and not one.may_pass
        }

    def write(self, state: State) -> Written:
        """The rubric that is kept, or a new one, blocking.

        Raises:
            NoRubricError: none came of it, now or when it was asked for.
        """
        known = self._known.get(state.digest)
        return _told(known or self._keep(_attempt(self._inner, state)))

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        known = self._known.get(state.digest)
        return _told(known or self._keep(await _aattempt(self._inner, state)))

    def _keep(self, attempt: Attempt) -> Attempt:
        kept = attempt.model_copy(update={"fitted": self._fitted})
        self._known[kept.state] = kept
        self._journal.add(kept)
        return kept


def _attempt(generator: RubricGenerator, state: State) -> Attempt:
    started = perf_counter()
    try:
        written: Written | GenerationError = generator.write(state)
    except GenerationError as failure:  # anything else is a bug and ends the run
        written = failure
    return _noted(generator, state, written, perf_counter() - started)


async def _aattempt(generator: RubricGenerator, state: State) -> Attempt:
    started = perf_counter()
    try:
        written: Written | GenerationError = await generator.awrite(state)
    except GenerationError as failure:
        written = failure
    return _noted(generator, state, written, perf_counter() - started)


def _noted(
    generator: RubricGenerator, state: State, written: Written | GenerationError, seconds: float
) -> Attempt:
    if isinstance(written, GenerationError):
        tried = written if isinstance(written, NoRubricError) else None
        return Attempt(
            generator=generator.id,
            state=state.digest,
            rubric=None,
            remarks=tried.remarks if tried else (),
            cost=_timed(tried.cost if tried else Cost(), seconds),
            error=str(written),
            cause=written.cause,
            refused=isinstance(written, RubricRefusedError),
        )
    return Attempt(
        generator=generator.id,
        state=state.digest,
        rubric=written.rubric,
        remarks=written.remarks,
        cost=_timed(written.cost, seconds),
    )


def _timed(cost: Cost, seconds: float) -> Cost:
    """The cost with its time on the clock, unless it was kept from an earlier day."""
    return cost.model_copy(update={"seconds": max(cost.seconds, seconds)})


def _told(attempt: Attempt) -> Written:
    if attempt.rubric is not None:
        return Written(attempt.rubric, attempt.cost, attempt.remarks)
    kind = RubricRefusedError if attempt.refused else NoRubricError
    raise kind(
        attempt.error or "no rubric",
        generator=attempt.generator,
        cause=attempt.cause or "bug",
        cost=attempt.cost,
        remarks=attempt.remarks,
    )
