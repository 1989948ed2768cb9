"""Judges that know nothing, for a judge to beat: word overlap, and one answer for everything.

Both are fitted on the part of a data set that is never measured on (see `sampling`). A judge that
does not beat them reads nothing; one that barely does may be reading overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import cast

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from coreact.bench.qualify.cases import JudgeCase, LabelStatus, label_status
from coreact.bench.qualify.metrics import LABELS, confusion, macro_f1
from coreact.errors import ConfigError
from coreact.judge.records import Status, Verdict
from coreact.judge.runner import Ruling
from coreact.rubric import Action, Criterion, State
from coreact.rubric.words import words

_CANDIDATES = 25  # thresholds tried: quantiles of the overlaps seen


class LexicalJudge:
    """Decides by the share of the proposal's content words that stand in what was observed.

    All criteria of a step get the same verdict. Where nothing was observed, the question, the given
    text and the earlier calls count as observed.

    Args:
        partial: share in [0, 1] from which on the status is `partial`.
        met: share from which on it is `met`; not below `partial`.

    The defaults are `fitted` on the fitting part of WiCE dev (79 claims), see `sampling.split`.
    """

    def __init__(self, *, partial: float = 0.475, met: float = 0.764) -> None:
        if not 0 <= partial <= met <= 1:
            raise ConfigError(
                f"The thresholds {partial} and {met} do not ascend within [0, 1].",
                remedy="Give 0 <= partial <= met <= 1.",
            )
        self.partial, self.met = partial, met
        self.id = f"lexical@{partial:.3f},{met:.3f}"

    @classmethod
    def fitted(cls, cases: Sequence[JudgeCase]) -> LexicalJudge:
        """The judge whose thresholds give the best macro F1 on these cases.

        Raises:
            ConfigError: there are no cases.
        """
        _some(cases)
        shares = np.array([overlap(case.action, case.state) for case in cases for _ in case.criteria])
        truth = np.array([LABELS.index(status) for status in _statuses(cases)])
        present = sorted(set(truth.tolist()))
        met, partial, unmet = (LABELS.index(status) for status in ("met", "partial", "unmet"))
        tried = np.unique(np.quantile(shares, np.linspace(0, 1, _CANDIDATES)))

        def quality(pair: tuple[float, float]) -> float:
            low, high = pair
            said = np.where(shares >= high, met, np.where(shares >= low, partial, unmet))
            return float(macro_f1(confusion(truth, said), present))

        low, high = max(combinations_with_replacement(map(float, tried), 2), key=quality)
        return cls(partial=low, met=high)

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same status for all criteria."""
        share = overlap(action, state)
        status: Status = "met" if share >= self.met else "partial" if share >= self.partial else "unmet"
        reason = f"{share:.0%} of the proposal's content words were observed"
        return Ruling(
            tuple(Verdict(criterion=c.id, reason=reason, status=status, decided_by=self.id) for c in criteria)
        )

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same."""
        return self.judge(criteria, action, state)


def overlap(action: Action, state: State) -> float:
    """Share of the proposal's distinct content words that were observed, in [0, 1]; 1 without any."""
    said = (action.answer or "",) if action.call is None else action.call.texts
    proposed = {word for text in said for word in words(text)} - ENGLISH_STOP_WORDS
    observed = [step.observation.text for step in state.steps if step.observation is not None]
    if not observed:
        observed = [state.question, *state.given, *(text for s in state.steps for text in s.call.texts)]
    seen = {word for text in observed for word in words(text)}
    return len(proposed & seen) / len(proposed) if proposed else 1.0


class MajorityJudge:
    """Always says the same.

    Args:
        status: what it says, see `LabelStatus`.
    """

    def __init__(self, status: str) -> None:
        if status not in LABELS:
            raise ConfigError(f"There is no status {status!r}.", remedy=f"Statuses are: {', '.join(LABELS)}.")
        self.status = cast("Status", status)
        self.id = f"majority@{status}"

    @classmethod
    def fitted(cls, cases: Sequence[JudgeCase]) -> MajorityJudge:
        """The judge that says the most frequent label of these cases.

        Raises:
            ConfigError: there are no cases.
        """
        _some(cases)
        counts = Counter(_statuses(cases))
        return cls(max(LABELS, key=lambda status: counts[status]))

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same status for everything."""
        reason = "the most frequent label"
        return Ruling(
            tuple(
                Verdict(criterion=c.id, reason=reason, status=self.status, decided_by=self.id)
                for c in criteria
            )
        )

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same."""
        return self.judge(criteria, action, state)


def _statuses(cases: Sequence[JudgeCase]) -> list[LabelStatus]:
    return [label_status(case.labels[criterion.id]) for case in cases for criterion in case.criteria]


def _some(cases: Sequence[JudgeCase]) -> None:
    if not cases:
        raise ConfigError(
            "A baseline has no cases to be fitted on.",
            remedy="Give more labelled cases: about a quarter of the groups is for fitting.",
        )
