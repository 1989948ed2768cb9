"""Keep a contrastive rubric only if it recovers the label it was made from.

Rejection sampling after OpenRubrics (arXiv 2510.07743) and the last step of CDRRM and ARR: a rubric is
written, each action is judged by it alone, and the rubric is kept if the better action of this pair comes out
ahead and at least τ of all pairs of the same state do. Otherwise another one is sampled, at most `samples`;
then the last word is a refusal, never an unchecked rubric.

What differs from the papers: no judge compares two actions and names a winner, so there is no place to be
biased to; checks decide first, and a judge the rest. And what a judge could not tell never helps: for this
test it counts as unmet on the better side and as met on the worse one. An order that would turn with it is
no order.
"""

from __future__ import annotations

from collections.abc import Sequence

from coreact.errors import Cause, ConfigError
from coreact.generate.contrastive.contrast import Contrast, action_key
from coreact.generate.contrastive.writer import ContrastiveGenerator
from coreact.generate.generator import NoRubricError, RubricRefusedError, Written
from coreact.judge.asking import Asking, Request, aserve, serve
from coreact.judge.consult import aconsult, consult
from coreact.judge.ordering import standing
from coreact.judge.panel.family import model_names
from coreact.judge.records import Cost, Status, Verdict
from coreact.judge.runner import Judge, Ruling, run_checks, undecided
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Rubric, State
from coreact.rubric.remarks import Remark

TAU = 0.5
"""Share of the pairs whose label a rubric must recover; the paper's."""


class ConsistentGenerator:
    """Samples rubrics of another writer until one recovers the label. Itself a contrastive writer.

    Args:
        writer: writes the rubrics. It must sample: equal rubrics are not judged twice.
        judge: decides criteria without a check; None: such criteria stay unknown, and do not help.
        samples: rubrics to try, at least 1.
        tau: share of the pairs to recover, in [0, 1].

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        writer: ContrastiveGenerator,
        *,
        judge: Judge | None = None,
        samples: int = 4,
        tau: float = TAU,
    ) -> None:
        if samples < 1 or not 0 <= tau <= 1:
            raise ConfigError(
                f"samples={samples} and tau={tau} cannot be used.",
                remedy="Give at least one sample and a tau in [0, 1].",
            )
        self._writer = writer
        self._judge = judge
        self._samples = samples
        self._tau = tau
        self.id = f"consistent:{writer.id}"

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write: a judge should be of none of their families."""
        return model_names(self._writer)

    def write(self, contrast: Contrast, others: Sequence[Contrast] = ()) -> Written:
        """The first rubric that recovers the labels, blocking.

        Args:
            contrast: the pair to write from; its label must be recovered.
            others: further pairs of the same state, for the share.

        Raises:
            RubricRefusedError: no sample recovered them; remarks say how far each came.
            NoRubricError: the writer wrote no rubric at all.
        """
        return serve(self._writing(contrast, others))

    async def awrite(self, contrast: Contrast, others: Sequence[Contrast] = ()) -> Written:
        """The same, without blocking the event loop."""
        return await aserve(self._writing(contrast, others))

    def _writing(self, contrast: Contrast, others: Sequence[Contrast]) -> Asking[Written]:
        spent, remarks = Cost(), list[Remark]()
        tried: set[str] = set()
        failed: NoRubricError | None = None
        broken: Cause | None = None
        for _ in range(self._samples):
            try:
                written: Written = yield Request(
                    lambda: self._writer.write(contrast), lambda: self._writer.awrite(contrast)
                )
            except NoRubricError as error:
                failed = error
                spent += error.cost
                remarks.extend(error.remarks)
                continue
            spent += written.cost
            if written.rubric.lock in tried:
                remarks.append(_refused("it is the same rubric as one that was refused before"))
                continue
            tried.add(written.rubric.lock)
            recovery = _Recovery(written.rubric, self._judge)
            own = yield from recovery.recovers(contrast)
            recovered = [own]
            for other in others if own else ():
                recovered.append((yield from recovery.recovers(other)))
            spent += recovery.spent
            broken = broken or recovery.cause
            if own and sum(recovered) >= self._tau * len(recovered):
                kept = Remark(
                    deed="kept", reason=f"it orders {sum(recovered)} of {len(recovered)} pairs as labelled"
                )
                return Written(written.rubric, spent, (*remarks, *written.remarks, kept))
            remarks.extend(written.remarks)
            what = "it does not recover the label of its pair"
            if own:
                what = f"it recovers {sum(recovered)} of {len(recovered)} pairs"
            remarks.append(_refused(what if recovery.cause is None else f"{what}; a judge failed"))
        if not tried and failed is not None:
            raise NoRubricError(
                failed.what, generator=self.id, cause=failed.cause, cost=spent, remarks=remarks
            ) from failed
        raise RubricRefusedError(
            f"None of {len(tried)} rubrics recovers the label it was made from.",
            generator=self.id,
            cause=broken or "refusal",
            cost=spent,
            remarks=remarks,
            remedy="Sample more rubrics, or leave the pair out: its label may be noise.",
        )


class _Recovery:
    """Whether one rubric puts pairs in their labelled order. Each action is judged once."""

    def __init__(self, rubric: Rubric, judge: Judge | None) -> None:
        self.spent = Cost()
        self.cause: Cause | None = None
        """What broke the judge, where it broke."""
        self._rubric = rubric
        self._judge = judge
        self._known: dict[str, tuple[Verdict, ...]] = {}

    def recovers(self, contrast: Contrast) -> Asking[bool]:
        """Whether the better action stands strictly ahead, whatever the unknown verdicts would have been."""
        better = yield from self._verdicts(contrast.better, contrast.state)
        worse = yield from self._verdicts(contrast.worse, contrast.state)
        ahead, behind = standing(
            (
                judgement(self._rubric, _settled(better, "unmet")),
                judgement(self._rubric, _settled(worse, "met")),
            )
        )
        return ahead is not None and behind is not None and ahead > behind

    def _verdicts(self, action: Action, state: State) -> Asking[tuple[Verdict, ...]]:
        key = f"{state.digest} {action_key(action)}"
        if key not in self._known:
            checked = run_checks(self._rubric, action, state)
            verdicts = checked.decided
            if checked.open and self._judge is None:
                verdicts += undecided(checked.open, reason="there is no judge", by="nobody", broken=False)
            elif checked.open and (judge := self._judge) is not None:
                ruling: Ruling = yield Request(
                    lambda: consult(judge, checked.open, action, state),
                    lambda: aconsult(judge, checked.open, action, state),
                )
                self.spent += ruling.cost
                verdicts += ruling.verdicts
            self.cause = self.cause or next((one.cause for one in verdicts if one.cause is not None), None)
            self._known[key] = verdicts
        return self._known[key]


def _settled(verdicts: Sequence[Verdict], status: Status) -> list[Verdict]:
    """The verdicts with every unknown one decided against the label."""
    return [
        one.model_copy(update={"status": status, "fault": "none", "cause": None})
        if one.status == "unknown"
        else one
        for one in verdicts
    ]


def _refused(reason: str) -> Remark:
    return Remark(deed="refused", reason=reason, problem="inconsistent")
