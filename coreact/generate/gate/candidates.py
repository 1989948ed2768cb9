"""Candidate actions for a state, made without a model: cheap ways in which a next step can differ.

A rubric that puts all of them on one level says nothing about the step, so they test discrimination in any
state for free. They carry no gain, and none is good on purpose: whether a rubric prefers the right one is a
question for candidates whose worth was measured. `compliant` goes the other way and builds actions that do
what a rubric's checks ask for, so that a rubric is not called unsatisfiable for want of a willing candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from coreact.generate.heuristic import next_entities
from coreact.rubric import Action, Rubric, State, ToolCall, ToolContract
from coreact.rubric.canonical import digest
from coreact.rubric.checks import ArgumentContains, ArgumentEquals, ToolIs

OFF_TOPIC = "weather forecast for the weekend"
"""A query that answers next to no question."""

NO_ANSWER = "I do not know."
"""An answer that rests on nothing."""

MOST_TOOLS = 8
"""Most tools that calls are built for to do what a rubric asks; those it names come first."""

_ANSWER_CHARS = 200
_PLAIN: Mapping[str, Any] = {
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": [],
    "object": {},
}


class Perturbed(NamedTuple):
    """A candidate and how it was made."""

    action: Action
    source: str


def perturbed(state: State) -> tuple[Perturbed, ...]:
    """Different next actions in this state, at most eight, without repeats.

    The last call again; the question, its first name and something off the topic as a search; a call
    without its text; an address seen and not opened; an answer now. An agent without a tool that takes
    free text gets those of them that its tools allow. Pure: the same state gives the same candidates.
    """
    found: dict[str, Perturbed] = {}
    for source, action in _perturbed(state):
        found.setdefault(identity(action), Perturbed(action, source))
    return tuple(found.values())


def _perturbed(state: State) -> Iterator[tuple[str, Action]]:
    if state.steps:
        last = state.steps[-1].call
        yield "repeat", _call(last.name, last.arguments)
    texts = [tool for tool in state.tools if tool.text_argument is not None and tool.role != "read"]
    searches = [tool for tool in texts if tool.role == "search"] or texts
    if searches:
        tool = searches[0]
        yield "question", called(tool, state.question, state)
        names = next_entities(state)
        if names:
            yield "entity", called(tool, names[0], state)
        yield "off_topic", called(tool, OFF_TOPIC, state)
        without = _arguments(tool, state)
        without.pop(tool.text_argument or "", None)
        yield "argument_dropped", _call(tool.name, without)
    readers = [tool for tool in state.tools if tool.text_argument is not None and tool.role == "read"]
    fresh = sorted(state.urls_seen - state.urls_visited)
    if readers and fresh:
        yield "address", called(readers[0], fresh[0], state)
    yield "answer", Action(answer=NO_ANSWER)


def compliant(rubric: Rubric, state: State) -> tuple[Action, ...]:
    """Actions that do what the rubric's checks on arguments and tools ask for, without repeats.

    For each tool, up to `MOST_TOOLS`, calls that hold the terms and values asked for, alone and beside the
    question; and, where something was observed, an answer made of it.
    """
    wanted = [criterion.check for criterion in rubric if criterion.polarity == "require"]
    contained = [check for check in wanted if isinstance(check, ArgumentContains)]
    values = {c.argument: c.value for c in wanted if isinstance(c, ArgumentEquals)}
    values |= {c.argument: " ".join(c.terms) for c in contained}
    named = {name for check in wanted if isinstance(check, ToolIs) for name in check.tools}
    found: list[Action] = []
    for tool in sorted(state.tools, key=lambda tool: tool.name not in named)[:MOST_TOOLS]:
        free = tool.text_argument
        terms = [term for check in contained if check.argument in ("", free) for term in check.terms]
        own = {name: value for name, value in values.items() if name in tool.properties and name != free}
        exact = [values[free]] if free in values and not terms else []
        texts = [*exact, " ".join(terms), " ".join([state.question, *terms])]
        for text in dict.fromkeys(text for text in texts if isinstance(text, str) and text):
            made = {**_arguments(tool, state), **own, **({} if free is None else {free: text})}
            found.append(_call(tool.name, made))
    last = state.last_observation
    if last is not None and not last.failed and last.text.strip():
        found.append(Action(answer=last.text[:_ANSWER_CHARS]))
    return tuple({identity(action): action for action in found}.values())


def called(tool: ToolContract, text: str, state: State) -> Action:
    """A call of the tool with this text, its other arguments as they were last, or as its schema allows."""
    arguments = _arguments(tool, state)
    if tool.text_argument is not None:
        arguments[tool.text_argument] = text
    return _call(tool.name, arguments)


def identity(action: Action) -> str:
    """Equal for the same action, whatever the call's id."""
    return digest(action.model_dump(exclude={"call": {"id"}}))


def _call(name: str, arguments: Mapping[str, Any]) -> Action:
    return Action(call=ToolCall(name=name, arguments=dict(arguments)))


def _arguments(tool: ToolContract, state: State) -> dict[str, Any]:
    for step in reversed(state.steps):
        if step.call.name == tool.name and step.call.malformed is None:
            return dict(step.call.arguments)
    required = tool.parameters.get("required")
    names = [name for name in required if name in tool.properties] if isinstance(required, list) else []
    return {name: _value(tool.properties[name]) for name in names}


def _value(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return ""
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    kind = schema.get("type")
    return schema.get("minimum", _PLAIN.get(kind, "") if isinstance(kind, str) else "")
