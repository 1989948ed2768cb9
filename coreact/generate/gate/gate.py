"""The gate: which tests a rubric must pass before it may guide or judge.

An untrained generator's rubrics measured worse than none (Co-ReAct, arXiv 2605.23590, table of ablations), so
nothing generated goes unchecked. The gate makes every test that it can make: without labels in any state,
with labels on a stored branching point. A rubric is admitted if no test that was made failed and every test
that the policy requires was made. It fails closed: where a judge breaks, what it should have tested is
untested, and a required test that is untested refuses.

At run time there is no branching point, so no gain can reach the gate; what a generator is worth on labels
is a report of its own, see `qualify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from coreact.errors import Cause, ConfigError
from coreact.generate.contracts import ContractGenerator
from coreact.generate.gate.candidates import perturbed
from coreact.generate.gate.labelled import RUBRIC_FREE, consistency_of, effect_of, judging_without
from coreact.generate.gate.results import GateResult, GateTest, Thresholds, untested
from coreact.generate.gate.transfer import Reader, transferring
from coreact.generate.gate.unlabelled import (
    CONTRACTS,
    contract_agreement,
    discrimination_of,
    executable,
    lint,
)
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.ordering import judging, total_cost
from coreact.judge.records import Cost
from coreact.judge.runner import Judge
from coreact.rubric import Action, Record, Rubric, State
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.canonical import digest
from coreact.rubric.remarks import Remark

WITHOUT_LABELS: tuple[GateTest, ...] = ("lint", "discrimination")
"""What the gate requires unless told otherwise: what can be tested in any state. Contradicting the contracts
refuses as well, wherever it is seen."""

TESTS: tuple[GateTest, ...] = get_args(GateTest)


class GateReport(Record):
    """What the gate found on one rubric, and whether it may guide."""

    rubric: str
    """Lock of the rubric."""
    results: tuple[GateResult, ...]
    required: tuple[GateTest, ...]
    cost: Cost = Cost()

    @property
    def failed(self) -> tuple[GateResult, ...]:
        """The results that refuse: tests not passed, and required ones that could not be made."""
        return tuple(
            one
            for one in self.results
            if one.passed is False or (one.passed is None and one.test in self.required)
        )

    @property
    def admitted(self) -> bool:
        """Whether the rubric may guide and judge."""
        return not self.failed

    @property
    def reason(self) -> str:
        """Why it is refused, or what it passed."""
        if self.failed:
            return "; ".join(map(str, self.failed))
        return "passed " + ", ".join(one.test for one in self.results if one.passed)

    @property
    def cause(self) -> Cause | None:
        """What broke, where a judge's failure is why the rubric is refused."""
        return next((one.cause for one in self.failed if one.cause is not None), None)

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """The decision and each test's result, for the record."""
        refusing = {one.test for one in self.failed}
        found = [
            Remark(
                deed="refused" if one.test in refusing else "found",
                reason=f"gate: {'untested ' if one.passed is None else ''}{one}",
                problem=one.problem,
            )
            for one in self.results
        ]
        return (*found, Remark(deed="kept", reason=f"gate: {self.reason}")) if self.admitted else tuple(found)


class Gate:
    """Tests rubrics. Stateless, safe to share between threads.

    Args:
        thresholds: what a rubric must reach; see `calibrate` for measured ones.
        require: the tests that must have been made. Others are made where they can be, and refuse where
            they fail.
        contracts: what every call must keep.
        control: what is judged by where there is no rubric, in the control arm of `effect`.
        seed: draws what readers are shown.

    Raises:
        ConfigError: there is no such test.
    """

    def __init__(
        self,
        thresholds: Thresholds | None = None,
        *,
        require: Sequence[GateTest] = WITHOUT_LABELS,
        contracts: ContractGenerator | None = None,
        control: Rubric = RUBRIC_FREE,
        seed: int = 0,
    ) -> None:
        unknown = [name for name in require if name not in TESTS]
        if unknown:
            raise ConfigError(f"There is no test {unknown[0]!r}.", remedy=f"Tests are: {', '.join(TESTS)}.")
        self.thresholds = thresholds or Thresholds()
        self.require: tuple[GateTest, ...] = tuple(require)
        self._contracts = contracts or CONTRACTS
        self._control = control
        self._seed = seed

    @property
    def id(self) -> str:
        """What decides at run time: a hash of thresholds, required tests and the contracts' id."""
        decides = [self.thresholds.model_dump(), sorted(set(self.require)), self._contracts.id]
        return f"gate.1:{digest(decides).rsplit(':', 1)[-1][:8]}"

    def examine(
        self,
        rubric: Rubric,
        state: State,
        *,
        candidates: Sequence[Action] | None = None,
        point: BranchingPoint | None = None,
        judge: Judge | None = None,
        readers: Sequence[Reader] = (),
        secrets: Sequence[str] = (),
    ) -> GateReport:
        """Make every test that can be made.

        Args:
            rubric: the rubric to test.
            state: the state it was written for.
            candidates: actions sampled in this state. None: those of the point, or perturbed ones.
            point: a branching point of this state, where labels are known; never at run time.
            judge: decides criteria without a check.
            readers: independent readers, for `transfer`.
            secrets: texts that the rubric must not hold.

        Raises:
            ConfigError: the point is of another state.
        """
        return serve(self.examining(rubric, state, candidates, point, judge, readers, secrets))

    async def aexamine(
        self,
        rubric: Rubric,
        state: State,
        *,
        candidates: Sequence[Action] | None = None,
        point: BranchingPoint | None = None,
        judge: Judge | None = None,
        readers: Sequence[Reader] = (),
        secrets: Sequence[str] = (),
    ) -> GateReport:
        """The same, without blocking the event loop."""
        return await aserve(self.examining(rubric, state, candidates, point, judge, readers, secrets))

    def examining(
        self,
        rubric: Rubric,
        state: State,
        candidates: Sequence[Action] | None = None,
        point: BranchingPoint | None = None,
        judge: Judge | None = None,
        readers: Sequence[Reader] = (),
        secrets: Sequence[str] = (),
    ) -> Asking[GateReport]:
        """The logic of both, to be served by a driver of `asking`."""
        if point is not None and point.state != state:
            raise ConfigError(f"The branching point {point.id!r} is of another state than the rubric.")
        limits = self.thresholds
        results = [
            lint(rubric, state, secrets=secrets, thresholds=limits),
            executable(rubric, thresholds=limits),
            contract_agreement(rubric, state, candidates or (), contracts=self._contracts),
        ]
        cost = Cost()
        if any(one.passed is False for one in results):  # what is refused already need not be judged
            return self._report(rubric, results, "the rubric failed before it", cost)
        at_point = candidates is None and point is not None
        if candidates is None:
            candidates = point.actions if point is not None else [one.action for one in perturbed(state)]
        guided = yield from judging(rubric, candidates, state, judge)
        cost += total_cost(guided)
        results.append(discrimination_of(guided, limits))
        if point is not None:
            if not at_point:
                guided = yield from judging(rubric, point.actions, state, judge)
                cost += total_cost(guided)
            plain = yield from judging_without(point, judge, self._control)
            cost += total_cost(plain)
            results.append(effect_of(guided, plain, point.gains, limits))
            results.append(consistency_of(guided, point.gains, limits))
            read = yield from transferring(rubric, point, readers, self._seed, limits)
            results.append(read.result)
            cost += read.cost
        return self._report(rubric, results, "there is no label", cost)

    def _report(self, rubric: Rubric, results: Sequence[GateResult], missing: str, cost: Cost) -> GateReport:
        made = {one.test for one in results}
        skipped = [untested(test, missing) for test in self.require if test not in made]
        return GateReport(rubric=rubric.lock, results=(*results, *skipped), required=self.require, cost=cost)
