"""The small language of lessons: sentences that name something of a sheet, and what each means to code.

A sentence is here only if the reader that a running agent uses makes a check of it (`generate.reading`), so
that whatever is taught can be decided without a model. Which sentences a state deserves is not decided here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from coreact.generate.compiling import reading
from coreact.generate.prompt import Form
from coreact.generate.sheet import Named, sheet
from coreact.rubric import ArgumentContains, State, ToolContract, ToolIs
from coreact.rubric.checks import Check

MOST_LINES = 4
"""Most lines of a lesson."""

WEIGHTS: tuple[tuple[float, ...], ...] = ((1.0,), (0.6, 0.4), (0.5, 0.3, 0.2), (0.4, 0.3, 0.2, 0.1))
"""Weights of the lines of a lesson, by their number: one choice only, since a small model has to learn it."""

ANSWER = "Answer now."
WAIT = "Do not answer yet."
NEW = "Do not repeat an earlier call."
OBSERVED = "Answer only with what was observed."
_STEADY = (WAIT, ANSWER, NEW)
_PROBE = "Xyz"


class Line(NamedTuple):
    """One sentence that may be written, and what it means in this state."""

    sentence: str
    check: Check
    fresh: bool = False
    """It asks for one name that was not searched."""


def lines_for(state: State, form: Form) -> list[Line]:
    """All lines that have a meaning in a state, in the teacher's order of preference."""
    page = sheet(state)
    meanings = _meanings(_tools_key(state.tools))
    found = [Line(s, check) for s in _STEADY if (check := meanings[s]) is not None]
    tools = [Line(s, check) for s, check in meanings.items() if isinstance(check, ToolIs)]
    asks = meanings[_PROBE]
    if not isinstance(asks, ArgumentContains):
        return [*tools, *found]
    names = sorted(range(len(page.names)), key=lambda at: (_rank(page.names[at]), at))

    def asking(pointer: str, term: str, *, fresh: bool = False) -> Line:
        if form == "sheet":
            verb = "Search for" if pointer.startswith("name") else "The query contains"
            sentence = f"{verb} {pointer}."
        else:
            sentence = f'The `{asks.argument}` contains "{term}".'
        return Line(sentence, ArgumentContains(argument=asks.argument, terms=(term,)), fresh)

    named = [asking(f"name {at + 1}", page.names[at].name, fresh=not page.names[at].searched) for at in names]
    worded = [asking(f"word {at}", word) for at, word in enumerate(page.words, 1)]
    return [*named, *tools, *found, *worded]


def observed_line(state: State) -> Line | None:
    """The line on answers that stand in an observation; None where code cannot read it."""
    check = _meanings(_tools_key(state.tools))[OBSERVED]
    return None if check is None else Line(OBSERVED, check)


def at_odds(one: Line, other: Line, state: State) -> bool:
    """Whether nobody can follow both lines, whatever they do for the order."""
    if {one.sentence, other.sentence} in ({WAIT, ANSWER}, {WAIT, OBSERVED}):
        return True
    uses, rest = (one, other) if isinstance(one.check, ToolIs) else (other, one)
    if not isinstance(uses.check, ToolIs):
        return False
    if isinstance(rest.check, ToolIs) or rest.sentence == ANSWER:
        return True
    tools = [tool for name in uses.check.tools if (tool := state.tool(name)) is not None]
    return isinstance(rest.check, ArgumentContains) and not any(
        rest.check.argument in tool.properties for tool in tools
    )


def any_of(lines: Sequence[Line], *, first: Line) -> Line:
    """One line that asks for any of the names of several, `first` before the others in their own order.

    Args:
        lines: two or more lines of `lines_for` that ask for a name, `first` among them.
        first: whose name an agent reads first.
    """
    chosen = [first, *(line for line in lines if line != first)]
    checks = [line.check for line in chosen if isinstance(line.check, ArgumentContains)]
    head, _, _ = first.sentence.rpartition(_pointer(first))
    pointers = [_pointer(line) for line in chosen]
    return Line(
        f"{head}{', '.join(pointers[:-1])} or {pointers[-1]}.",
        ArgumentContains(
            argument=checks[0].argument, terms=tuple(term for check in checks for term in check.terms)
        ),
    )


def _pointer(line: Line) -> str:
    """`name 2`, or the name in quotation marks."""
    text = line.sentence.removesuffix(".")
    return text[text.index('"') :] if '"' in text else text.removeprefix("Search for ")


def written(lines: Sequence[Line]) -> str:
    """The lines as a reply, 1 to `MOST_LINES` of them, heaviest first."""
    weights = WEIGHTS[len(lines) - 1]
    return "\n".join(
        f"{at}. [{weight:g}] {line.sentence}"
        for at, (line, weight) in enumerate(zip(lines, weights, strict=True), 1)
    )


def _rank(name: Named) -> tuple[bool, bool]:
    return (name.searched, not (name.near or name.asked))


def _tools_key(tools: Sequence[ToolContract]) -> str:
    return json.dumps([tool.model_dump(mode="json") for tool in tools])


@lru_cache(maxsize=64)
def _meanings(tools: str) -> dict[str, Check | None]:
    """What the sentences mean for an agent with these tools; None: code cannot read them there."""
    state = State.start("", tools=tuple(ToolContract.model_validate(one) for one in json.loads(tools)))
    asked = {sentence: sentence for sentence in (*_STEADY, OBSERVED)} | {_PROBE: f'Search for "{_PROBE}".'}
    finding = [tool for tool in state.tools if tool.role in ("search", "read")]
    if len({tool.role for tool in finding}) > 1:  # else there is nothing to choose
        asked |= {sentence: sentence for tool in finding for sentence in [f"Use {tool.name}."]}
    read = {name: reading(sentence, state) for name, sentence in asked.items()}
    return {name: None if one is None else one.check for name, one in read.items()}
