"""What can be said of a completion as a text: is it a rubric in good form, or padding, or a giveaway.

None of this says whether a rubric is right; it keeps a policy from being paid for what only looks like one.
Counting is by characters of the folded text without its blanks, so no script is at an advantage: in
Co-ReAct's reward (arXiv 2605.23590) a run of Chinese is one word, and five identical criteria pass its gate.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from coreact.rubric import Criterion, State
from coreact.rubric.lint import LintFinding, lint
from coreact.rubric.words import fold

GRAM = 8
"""Characters of a run that is looked for again: about a word and a half in a script of letters."""

_READ_CHARS = 16_000
_SHORT = 24  # characters of a line up to which nothing can be said of runs in it
_MARK = re.compile(
    r"[\s>#]{0,8}(?:[(（]?\d{1,3}[.)）．、:：]|[-*•])?\s{0,8}(?:\*\*)?[\[【［][^\]】］]{0,12}[\]】］]"
)


def repetition(text: str) -> float:
    """The share of a text that only repeats itself, in [0, 1], in any script.

    The larger of two shares. Lines: how many non-empty lines say, folded and without number and weight,
    what an earlier one says. Runs: how many of the runs of `GRAM` characters stood in the same line before,
    which is near 0 in language and near 1 in a loop. Runs are not compared across lines, because criteria
    of one form ("Should search for …") begin alike and still say different things.
    """
    lines = [_bare(line) for line in text[:_READ_CHARS].splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return 0.0
    said_before = 1 - len(set(lines)) / len(lines)
    runs = again = 0
    for line in lines:
        counted = Counter(line[at : at + GRAM] for at in range(len(line) - GRAM + 1))
        runs += counted.total()
        if len(line) > _SHORT:
            again += counted.total() - len(counted)
    return max(said_before, again / runs if runs else 0.0)


def _bare(line: str) -> str:
    mark = _MARK.match(line)
    return fold(line[mark.end() :] if mark else line).replace(" ", "")


def format_score(
    text: str, criteria: Sequence[Criterion], *, least: int, most: int, tolerance: float
) -> float:
    """How well a reply keeps to the form it was asked for, in [0, 1], higher is better.

    Half for the number of criteria, half for weights that add up to 1, as in Co-ReAct's code; both times the
    share of the reply's lines that became criteria (ours), so that prose around them and lines that had to be
    dropped cost something.

    Args:
        text: the reply, thoughts before it left out.
        criteria: what was read from it.
        least: fewest criteria that are right.
        most: most criteria that are right.
        tolerance: how far from 1 the weights may add up, exclusive.
    """
    if not criteria:
        return 0.0
    lines = sum(1 for line in text[:_READ_CHARS].splitlines() if line.strip())
    right = least <= len(criteria) <= most
    sums = abs(math.fsum(one.weight for one in criteria) - 1) < tolerance
    return (0.5 * right + 0.5 * sums) * min(1.0, len(criteria) / max(1, lines))


class Wording(NamedTuple):
    """How criteria are worded, as shares of them in [0, 1], higher is better."""

    atomic: float
    """Criteria that code decides, or that make one demand and have a judge."""
    focus: float
    """Criteria that ask for one tool at most."""


def wording(criteria: Sequence[Criterion], state: State, *, judged: bool) -> Wording:
    """Read how criteria are worded, by the lint; a criterion with a check is atomic, since the check is.

    Co-ReAct lets the judge that ranks count the atomic ones; here code does, so that counting costs no call
    and cannot be talked into anything.

    Args:
        criteria: the criteria.
        state: the state they are for.
        judged: whether a judge decides those without a check. Where none does, prose demands nothing of
            anybody, and is not atomic.
    """
    if not criteria:
        return Wording(0.0, 0.0)
    found = lint(criteria, state=state)
    prose = {one.id for one in criteria if one.check is None}
    loose = prose & _named(found, "compound") if judged else prose
    wide = _named(found, "multi_tool")
    return Wording(1 - len(loose) / len(criteria), 1 - len(wide) / len(criteria))


def _named(found: Sequence[LintFinding], problem: str) -> set[str]:
    return {one.criterion for one in found if one.problem == problem}
