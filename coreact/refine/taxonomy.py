"""Names for what goes wrong in an answer: the failure codes that feedback is built on, as data.

A code says what a kind of failure looks like, to whoever assigns it, and what to do about it, to
the agent. The default is DeepVerifier's taxonomy (arXiv 2601.15808): five groups, thirteen codes
in four of them and the fifth, running out of steps, being a code of its own. The split into
thirteen is second-hand and the wording is ours. Any other taxonomy takes its place as a mapping.
Nothing is assigned here; see `diagnosis`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from coreact.errors import ConfigError
from coreact.rubric.state import Record

NONE = "none"
"""Stands for "no code of the taxonomy fits"; no code may be called so."""

NOTHING_OBSERVED = "nothing_observed"
"""Sign: the agent has tools and answered without one successful observation."""

STEPS_SPENT = "steps_spent"
"""Sign: the run used up the steps it was allowed."""


class FailureCode(Record):
    """One kind of failure."""

    id: str = Field(min_length=1)
    group: str = Field(min_length=1)
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    """What it looks like, for whoever assigns the code."""
    advice: str = Field(min_length=1)
    """What the agent should do about it, as an imperative."""
    signs: tuple[str, ...] = ()
    """What code can see it by: kinds of checks that an answer fails (`answer_observed`, …),
    `nothing_observed` or `steps_spent`."""


class FailureTaxonomy(Record):
    """The codes that may be assigned, in the order in which they are tried."""

    name: str
    codes: tuple[FailureCode, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        ids = [code.id for code in self.codes]
        if len(set(ids)) != len(ids):
            raise ValueError("codes must have ids of their own")
        if NONE in ids:
            raise ValueError(f"{NONE!r} means that no code fits and is no code")
        return self

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Self:
        """Read a taxonomy from plain data, as a TOML or JSON file gives it.

        Args:
            mapping: `{"name": …, "groups": {group: {code id: {"title", "description", "advice",
                "signs"?}}}}`.

        Raises:
            ConfigError: it is none; names the first place that is wrong.
        """
        try:
            codes = [
                {"id": name, "group": group, **said}
                for group, held in mapping["groups"].items()
                for name, said in held.items()
            ]
            return cls.model_validate({"name": mapping["name"], "codes": codes})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "codes"
            raise ConfigError(f"The failure taxonomy is wrong at {place}: {first['msg']}.") from error
        except (KeyError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"That is no failure taxonomy: {type(error).__name__}: {error}.",
                remedy='Give {"name": …, "groups": {group: {code: {"title", "description", "advice"}}}}.',
            ) from error

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, in order."""
        return tuple(dict.fromkeys(code.group for code in self.codes))

    def code(self, code_id: str) -> FailureCode:
        """The code with this id.

        Raises:
            KeyError: there is none.
        """
        for code in self.codes:
            if code.id == code_id:
                return code
        raise KeyError(code_id)

    def seen_by(self, sign: str) -> FailureCode | None:
        """The first code that has this sign, or None."""
        return next((code for code in self.codes if sign in code.signs), None)


DEEP_VERIFIER = FailureTaxonomy.of(
    {
        "name": "deepverifier",
        "groups": {
            "Finding sources": {
                "wrong_evidence": {
                    "title": "Wrong evidence",
                    "description": "It rests on a passage that does not say it or is about something else.",
                    "advice": "Go back to the source and take only what it says about this very thing.",
                    "signs": ("quote_in_observation",),
                },
                "missing_source": {
                    "title": "No source",
                    "description": "A fact was taken from memory; nothing that the agent looked at shows it.",
                    "advice": "Look the fact up and name where it stands before you state it.",
                    "signs": ("answer_observed", NOTHING_OBSERVED),
                },
                "generic_search": {
                    "title": "Search too general",
                    "description": "Queries left out what is particular to the question and missed it.",
                    "advice": "Search again with the names, dates and terms that only this question has.",
                },
                "weak_source": {
                    "title": "Second-hand or invalid source",
                    "description": "A summary, forum or outdated page was used where an original exists.",
                    "advice": "Open the original source and check the fact there.",
                },
            },
            "Reasoning": {
                "premature_conclusion": {
                    "title": "Concluded too early",
                    "description": "It answered before every part was settled or alternatives ruled out.",
                    "advice": "Settle the open part first, then conclude.",
                    "signs": ("does_not_stop",),
                },
                "misread_detail": {
                    "title": "Detail misread",
                    "description": "Another subject, year, place or unit than the source or question means.",
                    "advice": "Read the passage again: check subject, date and unit word by word.",
                },
                "unfounded_claim": {
                    "title": "Unfounded claim",
                    "description": "Something is invented, or stated as certain on thin evidence.",
                    "advice": "Take out what nothing supports, or say how uncertain it is.",
                    "signs": ("answer_cites_observed",),
                },
            },
            "Understanding and decomposition": {
                "misread_instruction": {
                    "title": "Question misread",
                    "description": "It answers another question than the one asked or misses a condition.",
                    "advice": "Read the question again and answer exactly that, with all conditions.",
                },
                "goal_drift": {
                    "title": "Goal lost",
                    "description": "The work began with the question and ended on a side issue.",
                    "advice": "Go back to what was asked and leave the side issue out.",
                },
                "bad_decomposition": {
                    "title": "Wrong parts",
                    "description": "The question was split into parts that do not add up to it.",
                    "advice": "List the parts the question needs, in order, and solve each.",
                },
            },
            "Action": {
                "interface_failure": {
                    "title": "Tool or page failed",
                    "description": "A page, form or tool did not work and the agent went on without it.",
                    "advice": "Try the tool again or get the same fact in another way.",
                },
                "format_slip": {
                    "title": "Wrong form",
                    "description": "The content may be right; the unit, order or schema asked for is missed.",
                    "advice": "Give the answer in exactly the form that was asked for.",
                    "signs": ("answer_fits_schema", "arguments_fit_schema"),
                },
                "wrong_modality": {
                    "title": "Wrong medium",
                    "description": "Text was read where a picture, table, video or file holds the answer.",
                    "advice": "Use the medium that holds the answer, with a tool that can read it.",
                },
            },
            "Max steps": {
                "max_steps": {
                    "title": "Out of steps",
                    "description": "The run ended with its steps used up, not with the work done.",
                    "advice": "Answer from what is known and say which part is missing.",
                    "signs": (STEPS_SPENT,),
                },
            },
        },
    }
)
"""The default: DeepVerifier's thirteen codes, and running out of steps."""
