"""The oracle teacher: the reply that should have been written for a branching point, found by search.

A small model learns its form by imitation before it is rewarded, and imitation needs replies that are
right. No large model writes them here. A reply is a list of short lines out of a small language (search for
this name, use this word, answer or not, do not repeat; where an agent searches and reads, which of the two),
each of which code can check; so the best reply is
found by trying: the lines' checks are run on the candidates, and the weighted lines whose order of the
candidates agrees best with their gains are written down. Knowing the gains, the teacher sees more than a
model ever will; its agreement is a ceiling for the language, not a figure that training should reach.

It looks at nothing but the point: no gold answer, no corpus, no other point. It is no judge, and what it
writes is advice for one state only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from coreact.errors import ConfigError, MissingExtraError
from coreact.generate.compiling import reading
from coreact.generate.prompt import Form
from coreact.generate.reading import read_reply
from coreact.generate.sheet import Named, sheet
from coreact.rubric import Action, ArgumentContains, Rubric, State, ToolContract, ToolIs
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.checks import Check

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEACHER = 3
"""Version of the lines, weights and preferences below: raise it when lessons change."""

MOST_LINES = 4
"""Most lines of a lesson."""

WEIGHTS: tuple[tuple[float, ...], ...] = ((1.0,), (0.6, 0.4), (0.5, 0.3, 0.2), (0.4, 0.3, 0.2, 0.1))
"""Weights of the lines of a lesson, by their number: one choice only, since a small model has to learn it."""

_TRIED = 8  # lines combined: all orders of up to 4 of 8 are 2,080 rubrics, under a millisecond
_ANSWER = "Answer now."
_PADDING = ("Do not answer yet.", "Do not repeat an earlier call.")
_CONTRARY = ("Do not answer yet.", _ANSWER)
_STEADY = (*_CONTRARY, "Do not repeat an earlier call.")
_PROBE = "Xyz"
_ABOVE = 2.0  # a step that passes stands so much above one that fails, see `coreact.judge.ordering`
_PASSES: float = Rubric.model_fields["threshold"].default
_KNOWN = 1e-9  # two agreements as far apart are equal: sums of floats in another order


class Lesson(NamedTuple):
    """A reply to learn."""

    text: str
    """The reply: one criterion a line, as `read_reply` reads it in the form it was written for."""
    spearman: float
    """Agreement of its order with the gains, above 0 and at most 1, higher is better."""


class Line(NamedTuple):
    """One sentence that may be written, and what it means in this state."""

    sentence: str
    check: Check


def teach(
    point: BranchingPoint, *, form: Form = "sheet", least: int = 1, most: int = MOST_LINES
) -> Lesson | None:
    """The best reply for a point. Deterministic, and pure.

    Of replies that agree equally well the shortest is taken; of equally short ones that with the lines that
    stand first: names, then tools, answering and repeating, words last; names that were not searched and
    are near what was asked for before all others.

    Args:
        point: candidates with gains.
        form: `sheet` (names and words by number) or `lines` (in quotation marks).
        least: fewest lines. A shorter reply gets the steady lines behind it (not to answer yet, not to
            repeat), which hold in nearly every state, so that a lesson whose name turns out wrong elsewhere
            still orders something; a reply that asks to answer stays as short as it is.
        most: most lines, 1 to `MOST_LINES`.

    Returns:
        The lesson; None where there is none: the candidates are worth the same, or no reply orders them
        better than chance.

    Raises:
        ConfigError: the form is none of the two, or the numbers of lines do not fit.
        MissingExtraError: numpy is not installed.
    """
    if form not in ("sheet", "lines"):
        raise ConfigError(f"The teacher does not write the form {form!r}.", remedy="Use `sheet` or `lines`.")
    if not 1 <= least <= most <= MOST_LINES:
        raise ConfigError(
            f"A lesson cannot have {least} to {most} lines.", remedy=f"Give numbers from 1 to {MOST_LINES}."
        )
    if not point.has_contrast:
        return None
    lines = lines_for(point.state, form)
    while lines:
        best = _best(lines, point, least, most)
        if best is None:
            return None
        text = written(best.lines)
        checks = [criterion.check for criterion in read_reply(text, point.state, form=form).criteria]
        unread = [line for line in best.lines if line.check not in checks]
        if not unread:
            return Lesson(text, best.spearman)
        # A name that cannot be quoted, or that the reader refuses: the best without it.
        lines = [line for line in lines if line not in unread]
    return None


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
    named = [(f"name {at + 1}", page.names[at].name) for at in names]
    worded = [(f"word {at}", word) for at, word in enumerate(page.words, 1)]

    def asking(pointer: str, term: str) -> Line:
        if form == "sheet":
            verb = "Search for" if pointer.startswith("name") else "The query contains"
            sentence = f"{verb} {pointer}."
        else:
            sentence = f'The `{asks.argument}` contains "{term}".'
        return Line(sentence, ArgumentContains(argument=asks.argument, terms=(term,)))

    return [*(asking(*one) for one in named), *tools, *found, *(asking(*one) for one in worded)]


def _rank(name: Named) -> tuple[bool, bool]:
    return (name.searched, not (name.near or name.asked))


def _tools_key(tools: Sequence[ToolContract]) -> str:
    return json.dumps([tool.model_dump(mode="json") for tool in tools])


@lru_cache(maxsize=64)
def _meanings(tools: str) -> dict[str, Check | None]:
    """What the sentences mean for an agent with these tools; None: code cannot read them there."""
    state = State.start("", tools=tuple(ToolContract.model_validate(one) for one in json.loads(tools)))
    asked = {sentence: sentence for sentence in _STEADY} | {_PROBE: f'Search for "{_PROBE}".'}
    finding = [tool for tool in state.tools if tool.role in ("search", "read")]
    if len({tool.role for tool in finding}) > 1:  # else there is nothing to choose
        asked |= {sentence: sentence for tool in finding for sentence in [f"Use {tool.name}."]}
    read = {name: reading(sentence, state) for name, sentence in asked.items()}
    return {name: None if one is None else one.check for name, one in read.items()}


def written(lines: Sequence[Line]) -> str:
    """The lines as a reply, 1 to `MOST_LINES` of them, heaviest first."""
    weights = WEIGHTS[len(lines) - 1]
    return "\n".join(
        f"{at}. [{weight:g}] {line.sentence}"
        for at, (line, weight) in enumerate(zip(lines, weights, strict=True), 1)
    )


# --- the search -----------------------------------------------------------------------------------


class _Best(NamedTuple):
    """The lines of a reply, heaviest first, and how well they order the candidates."""

    lines: list[Line]
    spearman: float


def _best(lines: Sequence[Line], point: BranchingPoint, least: int, most: int) -> _Best | None:
    """The best reply; None where none orders better than chance."""
    try:
        import numpy as np
    except ImportError as missing:
        raise MissingExtraError("The oracle teacher", extra="train") from missing
    credit = np.array([[_credit(line, action, point.state) for action in point.actions] for line in lines])
    order = _centred(_ranks(np.array([point.gains])))
    alone = _agreements(credit[:, None, :], np.ones((1, 1)), order)[:, 0]
    tried = _to_try(credit, alone)
    if not tried:
        return None
    shares, sizes, members = _rubrics(len(tried))
    wanted = sizes <= most
    for one, other in combinations(range(len(tried)), 2):
        if _at_odds(lines[tried[one]], lines[tried[other]], point.state):
            wanted &= ~((shares[:, one] > 0) & (shares[:, other] > 0))
    reached = _agreements(credit[tried][None], shares[wanted], order)[0]
    at = int(np.argmax(reached >= reached.max() - _KNOWN))
    if reached[at] <= _KNOWN:
        return None
    chosen = [tried[member] for member in members[int(np.flatnonzero(wanted)[at])]]
    padded = _padded(chosen, lines, least)
    if padded != chosen:
        shares = np.zeros((1, len(lines)))
        shares[0, padded] = WEIGHTS[len(padded) - 1]
        found = float(_agreements(credit[None], shares, order)[0, 0])
        if found > _KNOWN:
            return _Best([lines[at] for at in padded], min(1.0, found))
    return _Best([lines[at] for at in chosen], min(1.0, float(reached[at])))


def _at_odds(one: Line, other: Line, state: State) -> bool:
    """Whether nobody can follow both lines, whatever they do for the order."""
    if {one.sentence, other.sentence} == set(_CONTRARY):
        return True
    uses, rest = (one, other) if isinstance(one.check, ToolIs) else (other, one)
    if not isinstance(uses.check, ToolIs):
        return False
    if isinstance(rest.check, ToolIs) or rest.sentence == _ANSWER:
        return True
    tools = [tool for name in uses.check.tools if (tool := state.tool(name)) is not None]
    return isinstance(rest.check, ArgumentContains) and not any(
        rest.check.argument in tool.properties for tool in tools
    )


def _padded(chosen: list[int], lines: Sequence[Line], least: int) -> list[int]:
    """The lines with steady ones behind them, up to `least`; unchanged where they ask to answer."""
    if any(lines[at].sentence == _ANSWER for at in chosen):
        return chosen
    steady = [at for at, line in enumerate(lines) if line.sentence in _PADDING and at not in chosen]
    return [*chosen, *steady[: max(0, least - len(chosen))]]


def _credit(line: Line, action: Action, state: State) -> float:
    """1 met, 0 unmet, NaN where the check does not apply."""
    status = line.check.evaluate(action, state).status
    return {"met": 1.0, "unmet": 0.0}.get(status, math.nan)


def _to_try(credit: NDArray[Any], alone: NDArray[Any]) -> list[int]:
    """Lines worth combining, in order of preference: one of those that say the same of all candidates."""
    first: dict[tuple[float, ...], int] = {}
    for at, row in enumerate(credit):
        key = tuple(-1.0 if math.isnan(credit) else float(credit) for credit in row)
        if len(set(key)) > 1:
            first.setdefault(key, at)
    found = list(first.values())
    if len(found) > _TRIED:
        found = sorted(sorted(found, key=lambda at: -round(float(alone[at]), 9))[:_TRIED])
    return found


class _Rubrics(NamedTuple):
    """All weighted choices among a number of lines, short ones first, preferred lines first."""

    shares: NDArray[Any]
    """(rubrics, lines)."""
    sizes: NDArray[Any]
    members: tuple[tuple[int, ...], ...]


@lru_cache(maxsize=_TRIED + MOST_LINES)
def _rubrics(lines: int) -> _Rubrics:
    import numpy as np

    members = tuple(
        chosen for size in range(1, MOST_LINES + 1) for chosen in permutations(range(lines), size)
    )
    shares = np.zeros((len(members), lines))
    for row, chosen in enumerate(members):
        shares[row, list(chosen)] = WEIGHTS[len(chosen) - 1]
    return _Rubrics(shares, np.array([len(chosen) for chosen in members]), members)


def _agreements(credit: NDArray[Any], shares: NDArray[Any], order: NDArray[Any]) -> NDArray[Any]:
    """Spearman of each rubric with the gains, as `coreact.judge.ordering` has it.

    Args:
        credit: (sets, lines, candidates), NaN where a line does not apply.
        shares: (rubrics, lines).
        order: (1, candidates), the centred ranks of the gains.

    Returns:
        (sets, rubrics), in [-1, 1]; 0 where a rubric tells no candidate from another.
    """
    import numpy as np

    applies = ~np.isnan(credit)
    weight = shares @ applies
    known = weight > 0
    scores = np.round(shares @ np.where(applies, credit, 0.0) / np.where(known, weight, 1.0), 12)
    scores += _ABOVE * (scores >= _PASSES)
    number = known.sum(axis=-1, keepdims=True)
    mean = (scores * known).sum(axis=-1, keepdims=True) / np.maximum(number, 1)
    ranks = _centred(_ranks(np.where(known, scores, mean)))
    spread = np.sqrt((ranks**2).sum(axis=-1) * (order**2).sum())
    agreed: NDArray[Any] = (ranks * order).sum(axis=-1) / np.where(spread > 0, spread, 1.0)
    return agreed  # where nothing is spread, the ranks are all 0


def _ranks(values: NDArray[Any]) -> NDArray[Any]:
    """Average ranks along the last axis, the lowest value first."""
    higher = values[..., :, None] > values[..., None, :]
    equal = values[..., :, None] == values[..., None, :]
    ranks: NDArray[Any] = higher.sum(axis=-1) + (equal.sum(axis=-1) + 1) / 2
    return ranks


def _centred(ranks: NDArray[Any]) -> NDArray[Any]:
    centred: NDArray[Any] = ranks - ranks.mean(axis=-1, keepdims=True)
    return centred
