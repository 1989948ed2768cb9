"""The oracle teacher: the reply that should have been written for a branching point, found by search.

A small model learns its form by imitation before it is rewarded, and imitation needs replies that are
right. No large model writes them here. A reply is a list of short lines out of a small language (search for
this name, use this word, answer or not, do not repeat; where an agent searches and reads, which of the two),
each of which code can check; so the best reply is found by trying: the lines' checks are run on the
candidates, and the weighted lines that do best are written down. What is best depends on the aim: the order
of all candidates, or what the agent that proposed them would gain by being verified. Knowing the gains, the
teacher sees more than a model ever will; what it reaches is a ceiling for the language, not a figure that
training should reach.

It looks at nothing but the point: no gold answer, no corpus, no other point. It is no judge, and what it
writes is advice for one state only.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Literal, NamedTuple

from coreact.errors import ConfigError, MissingExtraError
from coreact.generate.prompt import Form
from coreact.generate.reading import read_reply
from coreact.rubric import ArgumentContains, State
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.checks import Check
from coreact.train.rewards.taken import plain_gain
from coreact.train.teaching.language import (
    ANSWER,
    MOST_LINES,
    NEW,
    OBSERVED,
    WAIT,
    Line,
    any_of,
    lines_for,
    observed_line,
    written,
)

TEACHER = 3
"""Version of the lines, weights and preferences: raise it when lessons change."""

Aim = Literal["order", "taken"]
"""What a lesson is best at. `order`: Spearman's correlation of its order of the candidates with the gains.
`taken`: the expected gain of the action that a verifying loop takes from proposals such as these
(`coreact.train.rewards.taken`); of lessons that gain as much, how few proposals that takes, then the order.
Names that were met and not searched it asks for together, the best lead first: that nobody proposed a name
says nothing against it."""

_PADDING = (WAIT, NEW)


class Lesson(NamedTuple):
    """A reply to learn."""

    text: str
    """The reply: one criterion a line, as `read_reply` reads it in the form it was written for."""
    spearman: float
    """Agreement of its order with the gains, in [-1, 1], higher is better; above 0 where that was the aim."""


def teach(
    point: BranchingPoint,
    *,
    form: Form = "sheet",
    least: int = 1,
    most: int = MOST_LINES,
    aim: Aim = "order",
) -> Lesson | None:
    """The best reply for a point. Deterministic, and pure.

    Of equally good replies the shortest is taken; of equally short ones that with the lines that stand first:
    names, then tools, answering and repeating, words last; names that were not searched and are near what
    was asked for before all others.

    Args:
        point: candidates with gains.
        form: `sheet` (names and words by number) or `lines` (in quotation marks).
        least: fewest lines. A shorter reply gets the steady lines behind it (not to answer yet, not to
            repeat), which hold in nearly every state, so that a lesson whose name turns out wrong elsewhere
            still orders something; a reply that asks to answer stays as short as it is.
        most: most lines, 1 to `MOST_LINES`.
        aim: what the reply is best at.

    Returns:
        The lesson; None where there is none: the candidates are worth the same, or no reply tells them apart
        and orders them better than chance or, where that is the aim, costs a loop nothing.

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
        found = (_ordering if aim == "order" else _verifying)(lines, point, least, most)
        if found is None:
            return None
        text = written(found.lines)
        checks = [criterion.check for criterion in read_reply(text, point.state, form=form).criteria]
        unread = [check for line in found.lines if (check := line.check) not in checks]
        if not unread:
            return Lesson(text, found.spearman)
        # A name that cannot be quoted, or that the reader refuses: the best without it.
        refused = _refused(lines, unread, point.state, form)
        if not refused:
            return None
        lines = [line for line in lines if line not in refused]
    return None


def _refused(lines: Sequence[Line], unread: Sequence[Check], state: State, form: Form) -> list[Line]:
    """The lines on account of which checks were not read; of several names in one line those at fault."""
    asked = [line for line in lines if any(_asks_for(line, check) for check in unread)]
    alone = ((line, read_reply(written([line]), state, form=form).criteria) for line in asked)
    refused = [line for line, read in alone if line.check not in [criterion.check for criterion in read]]
    return refused or asked


def _asks_for(line: Line, unread: Check) -> bool:
    """Whether it is a line of this check, or one of the names that the check takes."""
    if isinstance(unread, ArgumentContains) and isinstance(line.check, ArgumentContains):
        return set(line.check.terms) <= set(unread.terms)
    return line.check == unread


class _Found(NamedTuple):
    """The lines of a reply, heaviest first, and how well they order the candidates."""

    lines: list[Line]
    spearman: float


def _ordering(lines: Sequence[Line], point: BranchingPoint, least: int, most: int) -> _Found | None:
    """The reply whose order is best; None where none orders better than chance."""
    trying = _trying()
    trial = trying.Trial(lines, point, most=most)
    if not trial:
        return None
    reached = trial.agreements()
    at = trial.first_best(reached)
    if reached[at] <= trying.KNOWN:
        return None
    chosen = trial.chosen(at)
    padded = _padded(chosen, lines, least)
    if padded != chosen and (found := trying.agreement(padded, point)) > trying.KNOWN:
        return _Found(padded, found)
    return _Found(chosen, min(1.0, float(reached[at])))


def _verifying(lines: Sequence[Line], point: BranchingPoint, least: int, most: int) -> _Found | None:
    """The reply that is worth most to a loop that verifies.

    None where no line tells candidates apart, or where all replies that do cost the loop something.
    """
    trying = _trying()
    fresh = [line for line in lines if line.fresh]
    names, lead = None, None
    if len(fresh) > 1:
        lead = max(fresh, key=lambda line: round(trying.gain([line], point), 9))  # the first of equal ones
        names = any_of(fresh, first=lead)
        lines = [names, *(line for line in lines if not line.fresh)]
    observed = observed_line(point.state)
    trial = trying.Trial([*lines, *([observed] if observed else [])], point, most=most)
    if not trial:
        return None
    taken = trial.taken()
    plain = plain_gain(point.gains, [one.proposed for one in point.candidates])
    if taken.gains.max() < plain - trying.KNOWN:
        return None
    chosen = trial.chosen(trial.first_best(taken.gains, -taken.attempts, trial.agreements()))
    enough = taken.gains.max() - trying.KNOWN
    # The best lead comes last, by itself: it lifts what does as it says, and fails nothing.
    led = [lead] if lead is not None and names in chosen else []
    padded = _padded(chosen, lines, least - len(led))
    if trying.gain(padded, point) >= enough:
        chosen = padded
    if len(chosen) < most and trying.gain([*chosen, *led], point) >= enough:
        chosen = [*chosen, *led]
    return _Found(chosen, trying.agreement(chosen, point))


def _padded(chosen: list[Line], lines: Sequence[Line], least: int) -> list[Line]:
    """The lines with steady ones behind them, up to `least`; unchanged where they ask to answer."""
    said = {line.sentence for line in chosen}
    if ANSWER in said:
        return chosen
    steady = [line for line in lines if line.sentence in _PADDING and line.sentence not in said]
    if OBSERVED in said:  # it may be time to answer
        steady = [line for line in steady if line.sentence != WAIT]
    return [*chosen, *steady[: max(0, least - len(chosen))]]


def _trying() -> ModuleType:
    """The module that needs numpy."""
    try:
        from coreact.train.teaching import trying
    except ImportError as missing:
        raise MissingExtraError("The oracle teacher", extra="train") from missing
    return trying
