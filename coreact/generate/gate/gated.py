"""A generator behind the gate: what does not pass does not guide.

A rubric that is refused is replaced by the fallback's, and the remarks on the record say which test it failed
and who wrote instead; without a fallback the refusal is an error, and the loop's own fallback acts. The gate
itself failing is a refusal too. Gains and labels have no way in here: a state is all that is given, and what
is tested are candidates that carry none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from langgraph.errors import GraphBubbleUp

from coreact.errors import Cause, ConfigError
from coreact.generate.gate.gate import Gate
from coreact.generate.gate.labelled import RUBRIC_FREE
from coreact.generate.gate.qualify import GeneratorReport, writing
from coreact.generate.generator import RubricGenerator, RubricRefusedError, Written
from coreact.judge.asking import Asking, aserve, serve, work
from coreact.judge.failure import classify
from coreact.judge.panel.family import model_names
from coreact.judge.records import Cost
from coreact.judge.runner import Judge
from coreact.rubric import Action, State
from coreact.rubric.remarks import Remark

Sampler = Callable[[State], Sequence[Action]]
"""Candidate actions for a state, sampled from a policy; it may block. It must know no label."""


class RubricFreeGenerator:
    """Writes the one criterion that adds nothing, so that a verdict is what a judge says without a rubric."""

    id = "rubric_free.1"

    def write(self, state: State) -> Written:
        """The same rubric in every state."""
        return Written(RUBRIC_FREE, Cost())

    async def awrite(self, state: State) -> Written:
        """The same; there is nothing to wait for."""
        return self.write(state)


class GatedGenerator:
    """Another generator's rubrics, those that pass the gate.

    Args:
        inner: who writes.
        gate: what its rubrics must pass.
        fallback: who writes instead of a refused rubric, itself not gated: the heuristic, the contracts,
            `RubricFreeGenerator`. None: a refusal raises.
        qualified: what the generator was measured to be on labelled branching points. Where it may not
            guide it is not asked at all. None: nobody measured it, which the remarks say.
        judge: decides criteria without a check while the gate tests.
        sampler: gives candidates to test on. None: perturbed ones, which cost nothing.
        secrets: texts that a rubric must not hold.

    Raises:
        ConfigError: the report is of another generator, or was made with another judge.
    """

    def __init__(
        self,
        inner: RubricGenerator,
        gate: Gate,
        *,
        fallback: RubricGenerator | None = None,
        qualified: GeneratorReport | None = None,
        judge: Judge | None = None,
        sampler: Sampler | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        if qualified is not None and qualified.generator != inner.id:
            raise ConfigError(
                f"The report is of the generator {qualified.generator!r}, not of {inner.id!r}.",
                remedy="Measure this generator with coreact.generate.gate.qualify_generator.",
            )
        own = None if judge is None else judge.id
        if qualified is not None and qualified.judge != own:
            raise ConfigError(
                f"The report was made with the judge {qualified.judge!r}, and this gate has {own!r}.",
                remedy="Measure the generator with the judge that decides at run time.",
            )
        self.id = f"{inner.id}+{gate.id}"
        self._inner = inner
        self._gate = gate
        self._fallback = fallback
        self._qualified = qualified
        self._judge = judge
        self._sampler = sampler
        self._secrets = tuple(secrets)

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write, the fallback's too: a judge should be of none of their families."""
        return model_names(self._inner, self._fallback)

    def write(self, state: State) -> Written:
        """Write a rubric that passed, or the fallback's.

        Raises:
            RubricRefusedError: the rubric did not pass and there is no fallback.
            GenerationError: the generator itself failed.
        """
        return serve(self._writing(state))

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        return await aserve(self._writing(state))

    def _writing(self, state: State) -> Asking[Written]:
        if self._qualified is not None and not self._qualified.may_guide:
            reason = f"gate: the generator may not guide: {self._qualified.reason}"
            return (yield from self._instead(state, Cost(), (Remark(deed="refused", reason=reason),), None))
        written: Written = yield writing(self._inner, state)
        cost, told = written.cost, written.remarks
        try:
            candidates = None if self._sampler is None else (yield work(self._sampler, state))
            report = yield from self._gate.examining(
                written.rubric, state, candidates, judge=self._judge, secrets=self._secrets
            )
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - whatever breaks the gate, what it did not test is refused
            remark = Remark(deed="refused", reason=f"gate: it failed: {type(error).__name__}: {error}")
            return (yield from self._instead(state, cost, (*told, remark), classify(error)))
        cost, told = cost + report.cost, (*told, *report.remarks)
        if not report.admitted:
            return (yield from self._instead(state, cost, told, report.cause))
        if self._qualified is None:
            told = (*told, Remark(deed="found", reason="gate: the generator was never measured on labels"))
        return Written(written.rubric, cost, told)

    def _instead(
        self, state: State, cost: Cost, told: tuple[Remark, ...], cause: Cause | None
    ) -> Asking[Written]:
        if self._fallback is None:
            self._refuse(cost, told, cause)
        written: Written = yield writing(self._fallback, state)
        remark = Remark(deed="kept", reason=f"gate: {self._fallback.id} wrote instead of {self._inner.id}")
        return Written(written.rubric, cost + written.cost, (*told, remark, *written.remarks))

    def _refuse(self, cost: Cost, told: tuple[Remark, ...], cause: Cause | None) -> NoReturn:
        reasons = "; ".join(remark.reason for remark in told if remark.deed == "refused")
        raise RubricRefusedError(
            f"The rubric of {self._inner.id!r} may not guide: {reasons}.",
            generator=self._inner.id,
            cause=cause or "refusal",
            cost=cost,
            remarks=told,
            remedy="Give a fallback, or let the loop fall back.",
        )
