"""The policy's own rubric: read from what it wrote before it acted.

A model may be asked to write its rubric first and then act by it. The rubric is taken from the beginning of
its message only, between `<rubric>` tags or as a list below a heading that says so: what is written after
an action could be made to fit it. The text is the policy's own message, never an observation, and its
criteria come in through the same door as those of any model.

A policy may be lenient with itself. Two things are refused: criteria that a tag, a heading or a section
meets, and criteria that give credit for obeying the rubric itself. And `own_score` lets the own rubric only
cost: keeping it earns nothing beside a golden rubric, breaking it is a loss.

Sources: Think-with-Rubrics (own and golden rubric scored jointly), RubricEM (arXiv 2605.10899; no credit for
tags, none for obeying one's own weak rubric). Different: the two are reconciled as said.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from coreact.errors import ConfigError, RubricParseError
from coreact.generate.admission import Proposed, admitted
from coreact.generate.compiling import compiled
from coreact.judge.records import Judgement
from coreact.judge.scoring.joint import joint_score
from coreact.rubric.remarks import Remark
from coreact.rubric.rubric import Rubric
from coreact.rubric.state import State
from coreact.rubric.text import parse_rubric
from coreact.rubric.words import words

SOURCE = "own"
"""Source in the provenance of criteria that the policy wrote for itself."""

_READ = 8_000  # characters in which a rubric must end
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_TAGGED = re.compile(r"\s*<rubric>(?P<inside>.*?)</rubric>", re.DOTALL | re.IGNORECASE)
_OPENED = re.compile(r"\s*<rubric>", re.IGNORECASE)
_HEADING_CHARS = 80
_HEADING_MARKS = re.compile(r"[#*_:\uff1a]")
_ITEM = re.compile(r"\s{0,8}[*_]{0,2}(?:[(（]?\d{1,2}[.)）:]|[-*•])[*_]{0,2}\s")
_WEIGHTED = re.compile(r"\s{0,8}(?:[*_(（]{0,2}\d{0,2}[.)）:]?[-*•_]{0,2}\s{0,4})?[*_]{0,2}[\[【［]")
_NUMBERED = re.compile(r"\s{0,8}[*_]{0,2}[(（]?(?!1[.)）:])\d{1,2}[.)）:][*_]{0,2}\s")
_MARKUP = re.compile(r"</?[A-Za-z][\w-]{0,40}/?>")
# Words for the form of a message, and for the rubric itself: no quality of a step, unless that is asked for.
_FORM = frozenset("tag tags xml markup heading headings header headers section sections block blocks".split())
_ITSELF = frozenset("rubric rubrics criteria criterion checklist checklists".split())


class Own(NamedTuple):
    """A message of the policy, taken apart."""

    rubric: Rubric | None
    """None where it wrote none, or none that may be used."""
    rest: str
    """The message without the rubric block, otherwise as it is."""
    remarks: tuple[Remark, ...] = ()


def own_rubric(text: str, state: State | None = None, *, most: int = 5) -> Own:
    """Read the rubric that a policy wrote before it acted. Never raises on data.

    Args:
        text: the text of the policy's own message. Never pass what a tool or a page said.
        state: the state it acts in; tools and addresses are looked up in it, and sentences that code can
            read become checks.
        most: criteria to take.
    """
    block = _block(text)
    if block is None:
        cut_off = _OPENED.match(text, _after_thought(text)) is not None
        reason = "its rubric does not end"
        return Own(
            None, text, (Remark(deed="found", reason=reason, problem="unreadable"),) if cut_off else ()
        )
    rest = text[: block.start] + text[block.end :]
    remarks: list[Remark] = []
    proposals = []
    for proposal in _proposals(block.inside, remarks):
        if problem := _gamed(proposal.text, state):
            remarks.append(Remark.about(proposal.text, "dropped", problem, "nuisance"))
        else:
            proposals.append(proposal)
    found = admitted(proposals, source=SOURCE, state=state, most=most)
    remarks += found.remarks
    if not found.criteria:
        reason = "no criterion of the policy's own rubric can be used"
        remarks.append(Remark(deed="refused", reason=reason, problem="too_few"))
        return Own(None, rest, tuple(remarks))
    criteria = found.criteria if state is None else tuple(compiled(one, state) for one in found.criteria)
    return Own(Rubric(criteria=criteria), rest, tuple(remarks))


def own_score(own: Judgement | None, golden: Judgement | None = None, *, share: float = 0.5) -> float | None:
    """One score of an action by its policy's own rubric and a golden one, in [0, 1], higher is better.

    With a golden rubric: its score less `share` times what of the own rubric is not kept, at least 0.
    Without one: the score by the own rubric. Beside a golden rubric, a policy that wrote none of its own has
    kept nothing of it.

    Args:
        own: the judgement by the own rubric; None: it wrote none.
        golden: the judgement by a rubric that somebody else wrote; None: there is none.
        share: how much a wholly broken own rubric costs, in [0, 1].

    Returns:
        None where nothing could be judged by the golden rubric, or, without one, by the own rubric. An own
        rubric by which nothing could be judged costs nothing.

    Raises:
        ConfigError: `share` is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share={share} is not in [0, 1].", remedy="Give a share such as 0.5.")
    if golden is None:
        return None if own is None else own.score
    return joint_score(golden.score, 0.0 if own is None else own.score, share=share)


class _Block(NamedTuple):
    start: int
    end: int
    inside: str


def _after_thought(text: str) -> int:
    found = _THOUGHT.match(text)
    return found.end() if found else 0


def _block(text: str) -> _Block | None:
    """The rubric at the beginning of a message, thoughts before it left out."""
    start = _after_thought(text)
    tagged = _TAGGED.match(text, start, start + _READ)
    if tagged:
        return _Block(tagged.start(), tagged.end(), tagged["inside"])
    return _listed(text, start)


def _listed(text: str, start: int) -> _Block | None:
    """A list below a heading; it ends at the first line that is neither an item nor part of one."""
    lines = text[start : start + _READ].splitlines(keepends=True)
    first = next((at for at, line in enumerate(lines) if line.strip()), None)
    if first is None or not _is_heading(lines[first]):
        return None
    last = first
    for at in range(first + 1, len(lines)):
        line, gap = lines[at], last > first and at > last + 1
        if not line.strip():
            continue
        # Behind a blank line a list may be another one: what goes on has a weight or a number.
        goes_on = _WEIGHTED.match(line) or _NUMBERED.match(line) if gap else _is_item(line)
        if not goes_on and (gap or last == first or line[0] not in " \t"):
            break
        last = at
    if last == first:
        return None
    end = start + sum(map(len, lines[: last + 1]))
    return _Block(start, end, "".join(lines[first + 1 : last + 1]))


def _is_heading(line: str) -> bool:
    said = line.strip()
    marked = _HEADING_MARKS.search(said) is not None or len(words(said)) == 1
    return len(said) <= _HEADING_CHARS and marked and not {"rubric", "rubrics"}.isdisjoint(words(said))


def _is_item(line: str) -> bool:
    return _ITEM.match(line) is not None or _WEIGHTED.match(line) is not None


def _proposals(inside: str, remarks: list[Remark]) -> list[Proposed]:
    """The criteria of a block, item by item: one that cannot be read costs itself alone."""
    items: list[str] = []
    for line in inside.splitlines():
        if _is_item(line) or not items:
            items.append(line)
        else:
            items[-1] += f" {line.strip()}"
    weighted = any(_WEIGHTED.match(item) for item in items)
    found = []
    for item in filter(str.strip, items):
        bare = _ITEM.match(item)
        written = item if weighted or bare is None else f"- [1] {item[bare.end() :]}"
        try:
            found += [Proposed(one.text, one.weight) for one in parse_rubric(written)]
        except RubricParseError as error:
            remarks.append(Remark.about(item, "dropped", error.reason, "unreadable"))
    return found


def _gamed(text: str, state: State | None) -> str | None:
    """Why a criterion could be met by form alone, or by obeying the rubric."""
    said = set(words(_MARKUP.sub(" ", text)))
    asked = set(words(state.question)) if state is not None else set()
    if _MARKUP.search(text) or (said & _FORM) - asked:
        return "the form of the message would meet it"
    if (said & _ITSELF) - asked:
        return "it gives credit for obeying the rubric itself"
    return None
