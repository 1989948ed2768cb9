"""Where the values in a call come from: the question, given text, an observation, or nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Literal

from coreact.rubric.canonical import canonical_json
from coreact.rubric.checks.arguments import ArgumentCheck
from coreact.rubric.checks.base import (
    ExecutableCheck,
    Finding,
    met,
    named,
    not_applicable,
    quoted,
    text_of,
    unmet,
)
from coreact.rubric.state import Action, Role, State, Step, ToolContract
from coreact.rubric.words import canonical_url, fold, is_web_address, urls

NAME_WORDS = 5
"""Most words of a text that counts as a name (thrice as many characters where a script has no spaces)."""

MAX_VALUES = 1000
"""Most values of one argument that are looked up: arguments may be a megabyte long."""

MAX_PIECES = 100
"""Most pieces of one text that are looked up."""

_SHORT = 2  # folded characters up to which a value names nothing
_LONG = 1000  # characters from which on a text is no name, whatever it is made of
_EXACT = 1e15  # below it, every integer is a float and has a short form
_NUMBER = re.compile(r"\d(?:[\d.,]*\d)?")


class HasProvenance(ArgumentCheck):
    """The argument's value stands in the question, in given text or in an observation.

    Short values (one folded word of at most two characters), booleans and objects name nothing and
    are not applicable. A text must stand somewhere whole, word for word, so this is for
    identifiers, names and addresses, not for free text such as a query.
    """

    kind: Literal["has_provenance"] = "has_provenance"

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        if isinstance(value, bool) or value is None or isinstance(value, Mapping):
            return not_applicable(f"{self._name} is {quoted(value)}, which names nothing")
        values = value if isinstance(value, list | tuple) else [value]
        telling = [text for text in map(text_of, values) if len(fold(text)) > 2]
        if not telling:
            return not_applicable(f"{self._name} is too short to trace")
        strange = [text for text in telling if not _traced(text, state)]
        if strange:
            return unmet(
                f"{self._name} is {quoted(strange[0])}, which stands in neither question nor observation"
            )
        return met(f"{self._name} stands in the question or an observation")

    def explain(self) -> str:
        return f"Take {self._name} from the question or from an observation; invent nothing."


def _traced(text: str, state: State) -> bool:
    if is_web_address(text):
        return canonical_url(text) in state.urls_seen
    return state.knows(text)


class ArgumentsHaveProvenance(ExecutableCheck):
    """Every value in the call comes from somewhere: RubricRefine's data provenance (arXiv 2605.09730).

    A value may stand in the question, in given text, in an observation (what a tool computed is one) or
    in the tool's own schema as default, enum or const. The observation of a call that failed is no source
    for what that call brought along: an error often repeats what it was given.

    How exactly a value is looked up depends on what it is:

    - a name (a short text): whole, or piece by piece between its spaces, since a full name may be put
      together; a piece without letters that is no number (a date) part by part;
    - prose (a longer text, or the free text of a tool that searches): its wording is the agent's own, so
      only what nobody words for themselves, addresses and pieces with a digit;
    - a formula (the free text of a tool that computes): its numbers;
    - a number: as texts write it, with or without separators.

    Booleans, null and what folds to at most two characters name nothing. The paper has a model judge this
    on a whole program; here code decides it for one call.
    """

    specific: ClassVar[bool] = False
    kind: Literal["arguments_have_provenance"] = "arguments_have_provenance"

    def evaluate(self, action: Action, state: State) -> Finding:
        call = action.call
        if call is None:
            return not_applicable("the action is an answer")
        tool = state.tool(call.name)
        traced = 0
        for name, value in call.arguments.items():
            offered = _offered(tool, name)
            role = tool.role if tool is not None and name == tool.text_argument else None
            for leaf in islice(_leaves(value), MAX_VALUES):
                if not _names_something(leaf):
                    continue
                traced += 1
                if offered and canonical_json(leaf) in offered:
                    continue
                strange = _sourceless(leaf, state, role=role)
                if strange is not None:
                    return unmet(f"{named(name)} holds {quoted(strange)}, which stands in no source")
        return met("every argument has a source") if traced else not_applicable("no argument needs a source")

    def explain(self) -> str:
        return "Take every argument from the question or from an observation; invent nothing."


class UrlSeenUnvisited(ArgumentCheck):
    """The address stood in the question or an observation and has not been opened yet.

    Only http(s) addresses; anything else is not applicable.
    """

    kind: Literal["url_seen_unvisited"] = "url_seen_unvisited"

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        if not isinstance(value, str) or not is_web_address(value):
            return not_applicable(f"{self._name} is no web address")
        address = canonical_url(value)
        if address not in state.urls_seen:
            return unmet(f"{quoted(address)} stood nowhere so far")
        if address in state.urls_visited:
            return unmet(f"{quoted(address)} was opened before")
        return met(f"{quoted(address)} was seen and not opened yet")

    def explain(self) -> str:
        return "Open an address that was seen and not opened yet."


# --- looking values up ----------------------------------------------------------------------------


def _leaves(value: Any) -> Iterator[Any]:
    waiting = [value]  # no recursion: a model may nest its arguments deeper than the stack
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(reversed(list(item.values())))
        elif isinstance(item, list | tuple):
            waiting.extend(reversed(item))
        else:
            yield item


def _names_something(leaf: Any) -> bool:
    if isinstance(leaf, bool) or not isinstance(leaf, str | int | float):
        return False
    text = text_of(leaf)
    return len(text) > _LONG or len(fold(text)) > _SHORT


def _offered(tool: ToolContract | None, argument: str) -> frozenset[bytes]:
    """The values that a tool's schema itself names for an argument, as canonical JSON."""
    if tool is None:
        return frozenset()
    found: set[bytes] = set()
    followed: set[str] = set()
    waiting: list[Any] = [tool.properties.get(argument)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list | tuple):
            waiting.extend(part)
        elif isinstance(part, Mapping):
            for key, inner in part.items():
                if key in ("default", "enum", "const"):
                    found.update(canonical_json(leaf) for leaf in _leaves(inner))
                elif key == "$ref" and isinstance(inner, str) and inner not in followed:
                    followed.add(inner)
                    waiting.append(_target(inner, tool.parameters))
                else:
                    waiting.append(inner)
    return frozenset(found)


def _target(reference: str, schema: Any) -> Any:
    """What a reference inside of a schema points to; None where it leads nowhere."""
    root, *path = reference.split("/")
    for name in path if root == "#" else ():
        schema = schema.get(name) if isinstance(schema, Mapping) else None
    return schema if root == "#" else None


def _sourceless(leaf: Any, state: State, *, role: Role | None) -> str | None:
    """The first part of a value that stands in no source, or None where all of it does.

    Args:
        leaf: the value.
        state: what is known.
        role: what the tool is for, where this is its free text.
    """
    if not isinstance(leaf, str):
        return None if _number_has_source(leaf, state) else text_of(leaf)
    for address in urls(leaf):
        if address not in state.urls_seen:
            return address
    if role == "compute":
        pieces = _NUMBER.findall(leaf)
    else:
        pieces = [piece for piece in dict.fromkeys(leaf.split()) if not is_web_address(piece)]
        if _is_name(leaf, pieces) and role != "search":
            if _has_source(leaf, state):
                return None
        else:
            pieces = [piece for piece in pieces if any(char.isdigit() for char in piece)]
    return next((piece for piece in pieces[:MAX_PIECES] if not _piece_has_source(piece, state)), None)


def _is_name(text: str, pieces: Sequence[str]) -> bool:
    return len(text) <= _LONG and len(pieces) <= NAME_WORDS and len(fold(text).split()) <= 3 * NAME_WORDS


def _piece_has_source(piece: str, state: State) -> bool:
    folded = fold(piece)
    if len(folded) <= _SHORT or _has_source(piece, state):
        return True
    if any(char.isalpha() for char in piece):
        return False
    try:
        return _number_has_source(float(piece.replace(",", "")), state)
    except ValueError:
        return all(len(part) <= _SHORT or _has_source(part, state) for part in folded.split())


def _number_has_source(number: float, state: State) -> bool:
    forms = [text_of(number)]
    if abs(number) < _EXACT:  # not for NaN, infinity, or an integer of 5000 digits
        whole = int(number) if number == int(number) else number
        forms += [f"{whole}", f"{whole:,}", f"{number:.2f}", f"{number:,.2f}"]
    return any(_has_source(form, state) for form in forms)


def _has_source(text: str, state: State) -> bool:
    needle = f" {fold(text)} "
    if any(needle in f" {fold(known)} " for known in (state.question, *state.given)):
        return True
    return any(_is_source(step, needle) for step in reversed(state.steps))


def _is_source(step: Step, needle: str) -> bool:
    if step.observation is None or needle not in step.observation.folded:
        return False
    return step.succeeded or not any(needle in f" {fold(text)} " for text in step.call.texts)
