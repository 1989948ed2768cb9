"""What the middleware, the graph and the function share: the rubric, the parties, the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from coreact.errors import ConfigError
from coreact.generate import RubricGenerator
from coreact.judge.runner import Judge
from coreact.refine.diagnosis import Diagnostician
from coreact.refine.drivers import Parties, runnable
from coreact.refine.follow_up import Investigator
from coreact.refine.loop import Method
from coreact.refine.reviewers import Reviewers
from coreact.refine.revise import Reviser
from coreact.refine.settings import RefineSettings
from coreact.refine.taxonomy import DEEP_VERIFIER, FailureTaxonomy
from coreact.rubric import Rubric


class Options(TypedDict, total=False):
    """Keywords that every way in takes: those of `AnswerVerifier` and the fields of `RefineSettings`."""

    diagnostician: Diagnostician | None
    investigator: Investigator | None
    taxonomy: FailureTaxonomy
    max_rounds: int
    patience: int
    follow_ups: int
    preserve: bool


class AnswerVerifier:
    """How answers are verified: with what, by whom. Safe to share between runs, threads and event loops.

    Args:
        rubric: the criteria of a good answer (scope `answer`), or a generator that writes them for
            each question.
        judge: who decides criteria that no check decides; several are reviewers who must all agree;
            None: such criteria stay unknown, and the answer unverified.
        diagnostician: who finds failure codes that code cannot see; nobody if None.
        investigator: who looks into follow-ups, with tools; nobody if None (see
            `follow_up.investigator` for an agent).
        reviser: who revises; the middleware needs none, since its agent does.
        taxonomy: the failure codes.
        **settings: the fields of `RefineSettings`.

    Raises:
        ConfigError: a setting is unknown or out of range, or the rubric is not for answers.
    """

    def __init__(
        self,
        rubric: Rubric | RubricGenerator,
        judge: Judge | Sequence[Judge] | None = None,
        *,
        diagnostician: Diagnostician | None = None,
        investigator: Investigator | None = None,
        reviser: Reviser | None = None,
        taxonomy: FailureTaxonomy = DEEP_VERIFIER,
        **settings: Any,
    ) -> None:
        given = rubric if isinstance(rubric, Rubric) else None
        if given is not None and given.scope != "answer":
            raise ConfigError(
                f"The rubric is for a {given.scope}, and answers are to be judged.",
                remedy="Give it scope='answer'.",
            )
        if isinstance(judge, Sequence):
            judge = judge[0] if len(judge) == 1 else Reviewers(judge)
        self.settings = RefineSettings.of(**settings)
        self.parties = Parties(
            generator=None if isinstance(rubric, Rubric) else rubric,
            judge=judge,
            diagnostician=diagnostician,
            investigator=None if investigator is None else runnable(investigator),
            reviser=None if reviser is None else runnable(reviser),
        )
        self.method = Method(
            settings=self.settings,
            taxonomy=taxonomy,
            rubric=given,
            has_judge=judge is not None,
            has_diagnostician=diagnostician is not None,
            has_investigator=investigator is not None,
        )
