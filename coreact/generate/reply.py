"""The record in which a model writes criteria: a schema made for the tools at hand.

Tools and arguments are enumerated in it, so that a server that decodes by schema cannot name one that
does not exist. Checks are offered only as far as a model can fill them in sensibly: those that stand for
a sentence about one action. Each criterion has a field of its own, because a model that is asked for a list
may not find its end. Fields come in the order in which they should be thought: what, how it is decided, how
much it weighs. The schema bounds no numbers and no lengths, since providers differ in what they take;
`admission` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, create_model

from coreact.generate.admission import Proposed
from coreact.generate.prompt import plain_names
from coreact.rubric import State

PLACES = ("first", "second", "third", "fourth", "fifth")
"""Names of the criteria in a reply, most important first."""

LEAST = 3
"""How many of them a model must fill in; the others may be null."""


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(_Reply):
    """The action is the final answer."""

    kind: Literal["stops"]


class _GoOn(_Reply):
    """The action is a tool call, not the final answer."""

    kind: Literal["does_not_stop"]


class _NewCall(_Reply):
    """The call was not made before."""

    kind: Literal["not_repeat"]


class _AnswerObserved(_Reply):
    """The answer stands in what was observed."""

    kind: Literal["answer_observed"]


class _ToolIs(_Reply):
    """The action calls this tool."""

    kind: Literal["tool_is"]
    tool: str


class _Contains(_Reply):
    """The argument contains one of these terms."""

    kind: Literal["argument_contains"]
    argument: str
    terms: list[str]


class _Equals(_Reply):
    """The argument is this value."""

    kind: Literal["argument_equals"]
    argument: str
    value: str | int | float | bool


class _Known(_Reply):
    """The argument's value stands in the question or in an observation."""

    kind: Literal["has_provenance"]
    argument: str


class _NewAddress(_Reply):
    """The argument is an address that was seen and not opened yet."""

    kind: Literal["url_seen_unvisited"]
    argument: str


_ON_ARGUMENTS: tuple[type[_Reply], ...] = (_Contains, _Equals, _Known, _NewAddress)


def reply_for(state: State) -> type[BaseModel]:
    """The class of the reply for the tools of this state; equal tools give the same class."""
    return _reply_for(tuple((name, arguments) for name, arguments in plain_names(state).items()))


@lru_cache(maxsize=128)
def _reply_for(tools: tuple[tuple[str, tuple[str, ...]], ...]) -> type[BaseModel]:
    checks: list[Any] = [_Answer]
    if tools:
        checks += [_one_of(_ToolIs, "tool", (name for name, _ in tools)), _GoOn, _NewCall, _AnswerObserved]
        arguments = tuple(dict.fromkeys(one for _, names in tools for one in names))
        if arguments:
            checks += [_one_of(check, "argument", arguments) for check in _ON_ARGUMENTS]
    union: Any = checks[0]
    for check in checks[1:]:
        union = union | check
    criterion = create_model(
        "Criterion", __base__=_Reply, text=(str, ...), check=(union | None, ...), weight=(float, ...)
    )
    wanted: dict[str, Any] = dict.fromkeys(PLACES[:LEAST], (criterion, ...))
    wanted |= dict.fromkeys(PLACES[LEAST:], (criterion | None, ...))
    return create_model("Criteria", __base__=_Reply, **wanted)


def _one_of(check: type[_Reply], field: str, names: Iterable[str]) -> Any:
    """The check with the values of one field enumerated."""
    fields: dict[str, Any] = {field: (Literal[tuple(names)], ...)}
    return create_model(
        check.__name__.removeprefix("_"),
        __base__=check,
        __doc__=check.__doc__,
        **fields,
    )


def proposals(reply: BaseModel) -> list[Proposed]:
    """The criteria of a reply, in order, as proposals."""
    written = [cast("Any", one) for _, one in reply if one is not None]
    return [Proposed(text=one.text, weight=one.weight, check=_check(one.check)) for one in written]


def _check(check: BaseModel | None) -> dict[str, Any] | None:
    if check is None:
        return None
    said = check.model_dump()
    return {"kind": "tool_is", "tools": (said["tool"],)} if said["kind"] == "tool_is" else said
