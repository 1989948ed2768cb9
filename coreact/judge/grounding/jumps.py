"""Where a trajectory takes something as known that stands nowhere before: the part that code can see.

Code accuses only where nothing excuses. The query of a search tool may hold a guess, since it claims
nothing. A small number can be counted and another one computed from two known ones, so both are left
open, as is a name of which a part is known. What was computed from a jump is not known either, and an
observation that only repeats the call it answers tells nothing. Identifiers and addresses are not looked
at: that is `HasProvenance`'s work in a step rubric.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from coreact.judge.grounding.claims import split
from coreact.judge.grounding.marks import without_addresses
from coreact.judge.grounding.values import Held, Name, Number, names, numbers
from coreact.judge.records import Status
from coreact.rubric import Role, State, Step
from coreact.rubric.words import words

_COUNTED = 12  # up to here a number can be had by counting
_CONSTANTS = frozenset((24, 60, 100, 365, 1000, 3600))
_SHORT = 8  # words; an answer of so few is taken as one value
_LARGEST = 10**40
_ECHO = 4  # words; a shorter argument may well be the subject of what comes back

Value = Number | Name


class Traced(NamedTuple):
    """What code can say about one step."""

    status: Status
    """`met`: all it takes as known is known; `unmet`: something is not; `not_applicable`: it takes nothing
    as known; `unknown`: code cannot tell."""
    reason: str
    strange: tuple[Value, ...] = ()
    """What stands nowhere before."""
    origin: int | None = None
    """The jump from which such a value was computed, where it was."""


def trace(
    state: State, answer: str | None, *, thoughts: Sequence[str] = (), faulty: Collection[int] = ()
) -> list[Traced]:
    """Look at every step of a trajectory, and at its answer last.

    Args:
        state: question and trajectory.
        answer: the final answer; None: there is none yet.
        thoughts: what the agent wrote before each step and before the answer, where that is known.
        faulty: steps known to be jumps from elsewhere; what they computed is not known.

    Raises:
        MissingExtraError: there is an answer, and `sentencex` is not installed.
    """
    known = _Known(state)
    found = []
    for index, step in enumerate(state.steps):
        tool = state.tool(step.call.name)
        role = tool.role if tool is not None else None
        traced = known.trace([*_values(_at(thoughts, index)), *_taken(step, role)])
        found.append(traced)
        known.take(index, step, tainted=role == "compute" and (traced.status == "unmet" or index in faulty))
    if answer is not None:
        found.append(known.trace_answer(answer, _at(thoughts, len(state.steps))))
    return found


def observed_later(state: State, found: Sequence[Traced]) -> list[bool]:
    """For each traced step, whether a value that it had from nowhere was observed after it."""
    right = [False] * len(found)
    if not any(traced.strange for traced in found):
        return right
    later = Held()
    for index in reversed(range(len(state.steps))):
        right[index] = any(_in(later, value) for value in found[index].strange)
        later.add(_news(state.steps[index]))
    return right


class _Known:
    def __init__(self, state: State) -> None:
        self._asked = Held((state.question, *state.given))
        self._all = Held((state.question, *state.given))
        self._tainted: dict[int, Held] = {}

    def take(self, index: int, step: Step, *, tainted: bool) -> None:
        """Take in what a step observed."""
        news = _news(step)
        if tainted:
            self._tainted[index] = Held([news])
        else:
            self._all.add(news)

    def trace(self, values: Sequence[Value]) -> Traced:
        """Trace what a step takes as known."""
        missing = [value for value in values if not _in(self._all, value)]
        strange = tuple(value for value in missing if not self._excused(value))
        if strange:
            origin = next(
                (n for n, held in self._tainted.items() if any(_in(held, v) for v in strange)), None
            )
            return Traced("unmet", f"{_listed(strange)} stands nowhere before", strange, origin)
        if missing:
            return Traced("unknown", f"{_listed(missing)} was not observed, but may follow from what was")
        if values:
            return Traced("met", "all numbers and names in it were known")
        return Traced("not_applicable", "it takes no number or name as known")

    def trace_answer(self, answer: str, thought: str) -> Traced:
        """Trace what an answer says. What only repeats the question is not derived by that."""
        text = "\n".join(claim.text for claim in split(answer).claims) or answer
        values = _values(text) or _as_one(text)
        traced = self.trace([*values, *_values(thought)])
        if traced.status in ("unmet", "unknown"):
            return traced
        if any(not _in(self._asked, value) for value in values):
            return traced
        return Traced("unknown", "nothing in it can be traced to an observation")

    def _excused(self, value: Value) -> bool:
        if any(_in(held, value) for held in self._tainted.values()):
            return False
        if isinstance(value, Number):
            return _small(value) or self._all.derives(value)
        return any(self._all.word(word) for word in value.words)


def _in(held: Held, value: Value) -> bool:
    return held.number(value) if isinstance(value, Number) else held.name(value)


def _values(text: str) -> list[Value]:
    plain = without_addresses(text)
    return [*numbers(plain), *names(plain)]


def _as_one(text: str) -> list[Value]:
    """A short answer without number or name, as one value: its telling words."""
    said = words(text)
    telling = tuple(word for word in said if len(word) > 3 or not word.isascii())
    return [Name(" ".join(text.split()), telling, 0, len(text))] if telling and len(said) <= _SHORT else []


def _taken(step: Step, role: Role | None) -> list[Value]:
    """What a call takes as known."""
    if role == "search":
        return []
    if role != "compute":  # numbers that are no text are settings (`limit=10`)
        return [value for text in step.call.texts for value in _values(text)]
    said = [value for text in _scalars(step.call.arguments) for value in _values(text)]
    return [value for value in said if not (isinstance(value, Number) and _small(value, _CONSTANTS))]


def _scalars(arguments: Any) -> Iterator[str]:
    waiting = [arguments]  # no recursion: a model may nest its arguments deeper than the stack
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
        elif isinstance(item, str | float) or (isinstance(item, int) and abs(item) < _LARGEST):
            yield str(item)


def _at(thoughts: Sequence[str], index: int) -> str:
    return thoughts[index] if index < len(thoughts) else ""


def _news(step: Step) -> str:
    """What an observation says beyond repeating the call."""
    if not step.succeeded or step.observation is None:
        return ""
    text = step.observation.text
    for argument in step.call.texts:
        if len(words(argument)) >= _ECHO:
            text = text.replace(argument, " ")
    return text


def _small(number: Number, others: Collection[int] = ()) -> bool:
    return any(reading <= _COUNTED or reading in others for reading in number.readings)


def _listed(values: Sequence[Value]) -> str:
    return ", ".join(dict.fromkeys(value.text for value in values))
