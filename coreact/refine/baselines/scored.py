"""A rubric as the scorer inside of another decision rule.

Best-of-N and tree search choose by a score; who gives it is no part of them. This one scores by a rubric:
checks decide first and free, a judge what they leave open. With a judge made of the agent's own model it
is self-reranking (the control that "Is PRM Necessary?" warns of); without a scorer at all each baseline
falls back to its control. Asks through `Request`s, so it serves both colours.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from coreact.errors import ConfigError, GenerationError
from coreact.generate import RubricGenerator, Written
from coreact.judge.asking import Asking, Request
from coreact.judge.consult import aconsult, consult
from coreact.judge.records import Judgement
from coreact.judge.runner import Judge, Ruling, run_checks, undecided
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Rubric, Scope, State

if TYPE_CHECKING:
    from coreact.refine.baselines.record import Ledger


class Scored(NamedTuple):
    """What a scorer says of one action."""

    score: float | None
    """In [0, 1], higher is better; None: nobody could tell."""
    passed: bool | None
    unmet: tuple[str, ...] = ()
    """Why, in short: the reasons of what is not met."""


UNSCORED = Scored(None, None)


class RubricScorer:
    """Scores answers or steps by a rubric. Safe to share between runs, threads and event loops.

    The score is `Judgement.score`, and 0 where a veto is broken.

    Args:
        rubric: the rubric, or a generator that writes one: for answers once a question, so that all
            candidates are held against the same; for steps once a state.
        judge: who decides what no check decides; such criteria stay unknown if None.
    """

    def __init__(self, rubric: Rubric | RubricGenerator, judge: Judge | None = None) -> None:
        self._given = rubric
        self._judge = judge

    def check_scope(self, scope: Scope) -> None:
        """Refuse a rubric for something else.

        Raises:
            ConfigError: the rubric has another scope.
        """
        if isinstance(self._given, Rubric) and self._given.scope != scope:
            raise ConfigError(
                f"The rubric has the scope {self._given.scope!r}, and {scope}s are to be scored.",
                remedy=f"Give it scope={scope!r}.",
            )

    def rubric(self, state: State, scope: Scope, ledger: Ledger) -> Asking[Rubric | None]:
        """The rubric for a state; None, with a remark, where none of this scope could be written."""
        if isinstance(self._given, Rubric):
            return self._given
        generator = self._given
        try:
            written: Written = yield Request(
                partial(generator.write, state), partial(generator.awrite, state)
            )
            _check(written, scope, generator.id)
        except Exception as error:  # noqa: BLE001 - a generator may raise anything; candidates stay unscored
            ledger.failed("rubric", error)
            return None
        ledger.cost += written.cost
        return written.rubric

    def score(self, rubric: Rubric | None, action: Action, state: State, ledger: Ledger) -> Asking[Scored]:
        """Score one action; without a rubric nobody can tell."""
        if rubric is None:
            return UNSCORED
        checked = run_checks(rubric, action, state)
        given = undecided(checked.open, reason="there is no judge", by="nobody", broken=False)
        if checked.open and self._judge is not None:
            arguments = (self._judge, checked.open, action, state)
            ruling: Ruling = yield Request(partial(consult, *arguments), partial(aconsult, *arguments))
            ledger.cost += ruling.cost
            given = ruling.verdicts
        return _scored(rubric, judgement(rubric, (*checked.decided, *given)))


def _check(written: Written, scope: Scope, writer: str) -> None:
    if not isinstance(written, Written):
        raise GenerationError(
            f"Generator {writer!r} returned {type(written).__name__}, not a rubric.",
            generator=writer,
            remedy="Return coreact.generate.Written(rubric, cost).",
        )
    if written.rubric.scope != scope:
        raise GenerationError(
            f"Generator {writer!r} wrote a rubric for the scope {written.rubric.scope!r}, not {scope!r}.",
            generator=writer,
        )


def _scored(rubric: Rubric, judged: Judgement) -> Scored:
    vetoes = {criterion.id for criterion in rubric if criterion.veto}
    broken = any(one.status == "unmet" and one.criterion in vetoes for one in judged.verdicts)
    score = 0.0 if broken else judged.score
    return Scored(score, judged.passed, tuple(verdict.reason for verdict in judged.unmet))
