"""Every kind of check by its name, and what stands for the kinds that this version does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Discriminator, Tag

from coreact.rubric.checks.answers import (
    AnswerCitesObserved,
    AnswerObserved,
    DoesNotStop,
    QuoteInObservation,
    Stops,
)
from coreact.rubric.checks.arguments import (
    ArgumentContains,
    ArgumentEquals,
    ArgumentInRange,
    ArgumentMatches,
)
from coreact.rubric.checks.base import ExecutableCheck, Finding
from coreact.rubric.checks.predicates import PredicateHolds
from coreact.rubric.checks.provenance import ArgumentsHaveProvenance, HasProvenance, UrlSeenUnvisited
from coreact.rubric.checks.repetition import NotRepeat
from coreact.rubric.checks.schema import AnswerFitsSchema, ArgumentsFitSchema
from coreact.rubric.checks.tools import ToolIs, ToolIsNot
from coreact.rubric.state import Action, Record, State


class UnknownCheck(Record):
    """A check of a kind that this version does not know, kept as it was stored."""

    model_config = ConfigDict(frozen=True, extra="allow")
    specific: ClassVar[bool] = False
    quotes: ClassVar[bool] = False

    kind: str

    def evaluate(self, action: Action, state: State) -> Finding:
        """Always `unknown`: this version cannot decide it."""
        return Finding(
            reason=f"this version has no check of kind {self.kind!r}", status="unknown", fault="instrument"
        )

    def explain(self) -> str:
        """Say that the condition cannot be read."""
        return f"Satisfy a condition of kind {self.kind!r}."


_KINDS: dict[str, type[ExecutableCheck]] = {
    check.stored_kind(): check
    for check in (
        ToolIs,
        ToolIsNot,
        ArgumentContains,
        ArgumentEquals,
        ArgumentMatches,
        ArgumentInRange,
        ArgumentsFitSchema,
        HasProvenance,
        ArgumentsHaveProvenance,
        UrlSeenUnvisited,
        NotRepeat,
        Stops,
        DoesNotStop,
        AnswerCitesObserved,
        AnswerObserved,
        AnswerFitsSchema,
        QuoteInObservation,
        PredicateHolds,
    )
}

CHECK_KINDS: tuple[str, ...] = tuple(_KINDS)
"""Every kind of check that this version can decide."""


def _kind_of(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) and kind in _KINDS else "unknown"


Check = Annotated[
    Annotated[ToolIs, Tag("tool_is")]
    | Annotated[ToolIsNot, Tag("tool_is_not")]
    | Annotated[ArgumentContains, Tag("argument_contains")]
    | Annotated[ArgumentEquals, Tag("argument_equals")]
    | Annotated[ArgumentMatches, Tag("argument_matches")]
    | Annotated[ArgumentInRange, Tag("argument_in_range")]
    | Annotated[ArgumentsFitSchema, Tag("arguments_fit_schema")]
    | Annotated[HasProvenance, Tag("has_provenance")]
    | Annotated[ArgumentsHaveProvenance, Tag("arguments_have_provenance")]
    | Annotated[UrlSeenUnvisited, Tag("url_seen_unvisited")]
    | Annotated[NotRepeat, Tag("not_repeat")]
    | Annotated[Stops, Tag("stops")]
    | Annotated[DoesNotStop, Tag("does_not_stop")]
    | Annotated[AnswerCitesObserved, Tag("answer_cites_observed")]
    | Annotated[AnswerObserved, Tag("answer_observed")]
    | Annotated[AnswerFitsSchema, Tag("answer_fits_schema")]
    | Annotated[QuoteInObservation, Tag("quote_in_observation")]
    | Annotated[PredicateHolds, Tag("predicate")]
    | Annotated[UnknownCheck, Tag("unknown")],
    Discriminator(_kind_of),
]
"""Any executable condition; stored kinds this version does not know load as `UnknownCheck`."""
