"""From what a model wrote to the criteria of a step, one way for running agents and for training.

A reply in lines is read strictly, pointers of a sheet are resolved, what was written comes in through
`admission`, and a sentence that code can read becomes a check. So a rubric that is rewarded in training is,
criterion for criterion, the rubric that will guide. What asks the model, and what happens where nothing can
be read, is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from coreact.errors import RubricParseError
from coreact.generate.admission import Proposed, admitted
from coreact.generate.compiling import compiled
from coreact.generate.prompt import EXAMPLE_NAMES, Form
from coreact.generate.sheet import filled, sheet
from coreact.rubric import Criterion, Rubric, State
from coreact.rubric.remarks import Problem, Remark
from coreact.rubric.text import NO_CRITERION, TOO_MANY, parse_rubric

READER = 1
"""Version of how replies are read, part of a generator's version."""

_READ_CHARS = 16_000
_READ_LINES = 200
_BAD_LINES = 20  # after so many a reply is no rubric with flaws, and each costs reading it again
_MARK = re.compile(r"\s{0,8}(?:\d{1,3}[.)]|[-*•])\s{1,8}")


class Read(NamedTuple):
    """What a reply was found to say."""

    criteria: tuple[Criterion, ...]
    """Empty where there is a problem."""
    remarks: tuple[Remark, ...]
    problem: str | None
    """Our words for why nothing of it can be used, never the model's own text; None where something can."""

    @property
    def rubric(self) -> Rubric | None:
        """The criteria as a rubric, or None."""
        return Rubric(criteria=self.criteria) if self.criteria else None


def read_reply(
    text: str, state: State, *, form: Form = "lines", source: str = "", secrets: Sequence[str] = ()
) -> Read:
    """Read criteria that a model wrote as lines. Pure; never raises on data.

    Args:
        text: the reply, thoughts before it left out.
        state: the state it is about.
        form: `lines` or `sheet`.
        source: who wrote it, for the criteria's provenance.
        secrets: texts that no criterion may hold, such as the gold answer.
    """
    drafts, remarks, problem = _drafted(text, state, form)
    if problem is not None:
        return Read((), tuple(remarks), problem)
    found = let_in(drafts, state, source=source, secrets=secrets)
    return found._replace(remarks=(*remarks, *found.remarks))


def let_in(drafts: Sequence[Proposed], state: State, *, source: str, secrets: Sequence[str] = ()) -> Read:
    """What of proposed criteria may guide in this state, with a check where code can read the sentence."""
    copied = [name for name in EXAMPLE_NAMES if not state.knows(name)]
    found = admitted(drafts, source=source, state=state, secrets=(*secrets, *copied))
    remarks = list(found.remarks)
    criteria = tuple(_compiled(one, state, remarks) for one in found.criteria)
    problem = None
    if not drafts:
        problem = "it holds no criterion"
    elif not criteria:
        problems = sorted({one.problem for one in found.remarks if one.problem})
        problem = f"none of its criteria can be used ({', '.join(problems)})"
    return Read(criteria, tuple(remarks), problem)


def _compiled(criterion: Criterion, state: State, remarks: list[Remark]) -> Criterion:
    if criterion.check is not None:
        return criterion
    read = compiled(criterion, state)
    if read.check is not None:
        remarks.append(Remark.about(criterion.text, "compiled", f"decided by code: {read.check.kind}"))
    return read


def _drafted(text: str, state: State, form: Form) -> tuple[list[Proposed], list[Remark], str | None]:
    """The criteria in a text; a line that is none costs that line, and the remark says why."""
    remarks: list[Remark] = []
    lines = text[:_READ_CHARS].splitlines()[:_READ_LINES]
    if form == "sheet":
        lines = list(_filled(lines, state, remarks))
    lines = _weighted(lines, remarks)
    for _ in range(_BAD_LINES):
        try:
            return [Proposed(one.text, one.weight) for one in parse_rubric("\n".join(lines))], remarks, None
        except RubricParseError as error:
            at = (error.line or 1) - 1
            if error.reason == NO_CRITERION or at >= len(lines):
                remarks.append(Remark(deed="refused", reason=error.reason, problem="unreadable"))
                return [], remarks, "it is not a list of lines like `1. [0.4] criterion`"
            if error.reason == TOO_MANY:
                remarks.append(Remark(deed="dropped", reason=error.reason, problem="too_many"))
                lines = lines[:at]
                continue
            problem: Problem = "weight" if "weight" in error.reason else "unreadable"
            remarks.append(Remark.about(lines[at], "dropped", error.reason, problem))
            del lines[at]
    reason = f"more than {_BAD_LINES} lines of it cannot be read"
    remarks.append(Remark(deed="refused", reason=reason, problem="unreadable"))
    return [], remarks, "most of its lines are not like `1. [0.4] criterion`"


def _filled(lines: Iterable[str], state: State, remarks: list[Remark]) -> Iterable[str]:
    page = sheet(state)
    for line in lines:
        try:
            yield filled(line, page)
        except LookupError as error:
            remarks.append(Remark.about(line, "dropped", str(error), "unreadable"))


def _weighted(lines: list[str], remarks: list[Remark]) -> list[str]:
    """The lines as they are; where a list has no weight at all, its items weigh alike."""
    marks = [_MARK.match(line) for line in lines]
    items = [line[mark.end() :] for line, mark in zip(lines, marks, strict=True) if mark]
    if not items or any(item.startswith(("[", "【", "［", "*", "_")) for item in items):
        return lines
    reason = f"{len(items)} criteria without weights: all weigh alike"
    remarks.append(Remark(deed="repaired", reason=reason, problem="weight"))
    return [
        f"{line[: mark.end()]}[1] {line[mark.end() :]}" if mark else line
        for line, mark in zip(lines, marks, strict=True)
    ]
