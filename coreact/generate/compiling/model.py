"""A model reads what no pattern reads; what it makes of a sentence is proven before it counts.

A check from a model is untrusted: it must fit the union of checks, name tools and arguments that exist, and
agree with labels of the sentence. Without labels it is not used, however right it looks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from coreact.errors import JudgingError
from coreact.generate.compiling.reading import compiled
from coreact.generate.faithfulness import Labelled, kept
from coreact.judge.records import Cost
from coreact.judge.structured import Asked, ReplyError, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, fenced
from coreact.rubric import Criterion, State, ToolIs, ToolIsNot
from coreact.rubric.checks import Check, UnknownCheck
from coreact.rubric.checks.arguments import ArgumentCheck
from coreact.rubric.remarks import Remark

_CHECK: TypeAdapter[Check] = TypeAdapter(Check)
_OFFERED = (
    "tool_is",
    "tool_is_not",
    "argument_contains",
    "argument_equals",
    "argument_matches",
    "argument_in_range",
    "has_provenance",
    "url_seen_unvisited",
    "not_repeat",
    "stops",
    "does_not_stop",
    "answer_observed",
    "answer_cites_observed",
)
_INSTRUCTIONS = f"""\
You translate one criterion for the next action of an agent into a condition that code can decide.

The kinds of conditions, each a JSON object with a "kind":
- {{"kind": "tool_is", "tools": [names]}}; {{"kind": "tool_is_not", "tools": [names]}}
- {{"kind": "argument_contains", "argument": name, "terms": [texts], "at_least": number of terms}}
- {{"kind": "argument_equals", "argument": name, "value": value}}
- {{"kind": "argument_matches", "argument": name, "pattern": RE2 pattern}}
- {{"kind": "argument_in_range", "argument": name, "minimum": number or null, "maximum": number or null}}
- {{"kind": "has_provenance", "argument": name}}: its value stands in the question or an observation
- {{"kind": "url_seen_unvisited", "argument": name}}: an address that was seen and not opened
- {{"kind": "not_repeat"}}: no call that was made before
- {{"kind": "stops"}}: the final answer; {{"kind": "does_not_stop"}}: any tool call
- {{"kind": "answer_observed"}}; {{"kind": "answer_cites_observed"}}

Choose the one condition that holds exactly where the criterion does. Where none does, or where the criterion
says more than one condition can, write null: a wrong condition is worse than none.

{UNTRUSTED}"""


class Compiled(NamedTuple):
    """A criterion with a check or without, what was done, and what asking cost."""

    criterion: Criterion
    remark: Remark
    cost: Cost


class Translation(BaseModel):
    """What a model makes of a sentence."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(description="What the criterion demands, in a few words.")
    check: dict[str, Any] | None = Field(description="The condition, or null.")


class ModelCompiler:
    """Compiles criteria with the help of a chat model. Safe to share between threads and event loops.

    Args:
        model: any chat model, or one that is asked in records already.
    """

    def __init__(self, model: BaseChatModel | StructuredModel) -> None:
        self._model = model if isinstance(model, StructuredModel) else StructuredModel(model)

    def compiled(self, criterion: Criterion, state: State, labelled: Iterable[Labelled]) -> Compiled:
        """The criterion with a check that agrees with the labels, otherwise as prose.

        Patterns are tried first, and the model is asked where none reads the sentence. A failure of the
        model leaves prose; it is told in the remark.

        Args:
            criterion: a criterion without a check; one with a check is left alone.
            state: the state it is about.
            labelled: labels of its text, to prove the check with; see `faithfulness.label_with`.
        """
        asking = self._compiling(criterion, state, tuple(labelled))
        try:
            wanted = next(asking)
            while True:
                try:
                    asked = self._model.ask(_INSTRUCTIONS, wanted.material, Translation, check=wanted.check)
                except JudgingError as error:
                    wanted = asking.throw(error)
                else:
                    wanted = asking.send(asked)
        except StopIteration as done:
            return _result(done.value)

    async def acompiled(self, criterion: Criterion, state: State, labelled: Iterable[Labelled]) -> Compiled:
        """The same, without blocking the event loop."""
        asking = self._compiling(criterion, state, tuple(labelled))
        try:
            wanted = next(asking)
            while True:
                try:
                    asked = await self._model.aask(
                        _INSTRUCTIONS, wanted.material, Translation, check=wanted.check
                    )
                except JudgingError as error:
                    wanted = asking.throw(error)
                else:
                    wanted = asking.send(asked)
        except StopIteration as done:
            return _result(done.value)

    def _compiling(
        self, criterion: Criterion, state: State, labelled: tuple[Labelled, ...]
    ) -> Generator[_Wanted, Asked[Translation], Compiled]:
        if criterion.check is not None:
            return Compiled(criterion, Remark.about(criterion.text, "found", "it has a check"), Cost())
        read = compiled(criterion, state)
        if read.check is not None:
            proven = kept(read, labelled)
            return Compiled(proven.criterion, proven.remark, Cost())
        try:
            asked = yield _Wanted(_material(criterion, state), lambda reply: _problem(reply, state))
        except JudgingError as error:
            cost = error.cost if isinstance(error, ReplyError) else Cost(calls=1)
            return Compiled(criterion, Remark.about(criterion.text, "found", f"no check: {error.what}"), cost)
        if asked.value.check is None:
            told = Remark.about(criterion.text, "found", "no one check says what it says")
            return Compiled(criterion, told, asked.cost)
        check = _CHECK.validate_python(asked.value.check)
        proven = kept(criterion.model_copy(update={"check": check}), labelled)
        if not proven.tested:
            reason = f"{proven.remark.reason}; a check from a model is not used untested"
            return Compiled(
                criterion, Remark.about(criterion.text, "dropped", reason, "unfaithful"), asked.cost
            )
        return Compiled(proven.criterion, proven.remark, asked.cost)


class _Wanted(NamedTuple):
    """What the model is to be asked."""

    material: str
    check: Callable[[Translation], str | None]


def _result(value: object) -> Compiled:
    assert isinstance(value, Compiled)  # noqa: S101 - a generator's result has no type of its own
    return value


def _material(criterion: Criterion, state: State) -> str:
    tools = "\n".join(
        f"{tool.name}({', '.join(tool.properties)}): {tool.description}".rstrip(": ") for tool in state.tools
    )
    says = "must hold" if criterion.polarity == "require" else "must not hold"
    shown = fenced(
        [
            Section("tools", "the agent's tools", tools, "tools"),
            Section("criterion", "the criterion", criterion.text, "criterion"),
        ]
    )
    return f"{shown}\n\nThe condition is what the criterion describes; for a good action it {says}."


def _problem(reply: Translation, state: State) -> str | None:
    if reply.check is None:
        return None
    try:
        check = _CHECK.validate_python(reply.check)
    except (ValidationError, RecursionError):
        return "check: it is no condition of the kinds offered"
    if isinstance(check, UnknownCheck) or check.kind not in _OFFERED:
        return f"check: there is no kind {check.kind!r}"
    if isinstance(check, ToolIs | ToolIsNot):
        unknown = [name for name in check.tools if state.tool(name) is None]
        return f"check: there is no tool {unknown[0]!r}" if unknown else None
    if isinstance(check, ArgumentCheck):
        known = {name for tool in state.tools for name in tool.properties}
        if check.argument.split(".")[0] not in known:
            return f"check: no tool has an argument {check.argument!r}"
    return None
