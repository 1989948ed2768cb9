"""What every check is: a record that finds something about an action, and says why.

The words of findings are made here too, so that reasons look alike whichever check gives them.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from functools import cache
from typing import Any, ClassVar, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from coreact.rubric.canonical import canonical_json
from coreact.rubric.state import Action, Record, State

FindingStatus = Literal["met", "unmet", "not_applicable", "unknown"]
"""What a check can say. `unknown`: code could not decide; `not_applicable`: nothing to decide."""

SHOWN = 80
"""Most characters of a value in a reason."""

_NAME = re.compile(r"[\w.:/-]{1,64}", re.ASCII)  # in scripts without spaces, 64 letters are a whole order


class Finding(Record):
    """What a check found, and why."""

    reason: str
    status: FindingStatus
    fault: Literal["none", "instrument"] = "none"
    """`instrument` where the check itself is broken, not the action."""


def met(reason: str) -> Finding:
    """The condition holds."""
    return Finding(reason=reason, status="met")


def unmet(reason: str) -> Finding:
    """The condition does not hold."""
    return Finding(reason=reason, status="unmet")


def not_applicable(reason: str) -> Finding:
    """There is nothing to decide."""
    return Finding(reason=reason, status="not_applicable")


def text_of(value: Any) -> str:
    """Any value as text: itself, or JSON. Total."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=lambda odd: type(odd).__qualname__)
    except (TypeError, ValueError, RecursionError):  # odd keys, an integer of 5000 digits, deep nesting
        return canonical_json(value).decode()


def shown(value: Any) -> str:
    """A value as a reason shows it: quoted, on one line, cut."""
    text = " ".join(text_of(value).split())
    return f'"{text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"}"'


def quoted(value: Any, most: int = SHOWN) -> str:
    """A value of an action as a reason repeats it: as `shown`, and nothing in it ends the quotation."""
    text = " ".join(text_of(value).split()).replace('"', "'")
    return f'"{text if len(text) <= most else text[: most - 1] + "…"}"'


def named(name: str) -> str:
    """A name that an action chose, as a reason repeats it: between backticks; quoted where it is no name."""
    return f"`{name}`" if _NAME.fullmatch(name) else quoted(name)


def one_of(values: tuple[str, ...]) -> str:
    """Names as a choice: "`a`, `b` or `c`"."""
    named = [f"`{value}`" for value in values]
    return named[0] if len(named) == 1 else ", ".join(named[:-1]) + " or " + named[-1]


class ExecutableCheck(Record):
    """Base of the checks. Evaluation is pure and total."""

    specific: ClassVar[bool] = True
    """Whether `explain()` alone tells an agent what to change; otherwise the reason must go with it."""
    quotes: ClassVar[bool] = True
    """Whether reasons are our words, and all they repeat of an action stands in quotation marks."""

    @model_serializer(mode="wrap")
    def _always_with_kind(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # `kind` is a default, and a rubric's lock leaves defaults out: without this, checks that
        # differ in kind alone would share a lock.
        return {"kind": self.stored_kind(), **handler(self)}

    @classmethod
    @cache
    def stored_kind(cls) -> str:
        """The discriminator under which this check is stored."""
        return str(cls.model_fields["kind"].default)

    @abstractmethod
    def evaluate(self, action: Action, state: State) -> Finding:
        """Decide whether the condition holds for this action in this state."""

    @abstractmethod
    def explain(self) -> str:
        """The condition as one sentence, as an agent would be told it."""
