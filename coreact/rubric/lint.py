"""What is wrong with criteria that code can see without a model: pure, total, and quick.

Two grades of problems. The serious ones (`SERIOUS`) keep a criterion from guiding: it speaks past the step,
gives away what its reader must not know, or names what does not exist. The others are told, and whoever
uses the criteria decides. Some can only be seen against a state (which tools and addresses there are);
without one they are not looked for. Wording is read in English; in other languages fewer problems are
found, and none is invented. Whether a criterion is right is no business of this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain, pairwise
from typing import Any, Literal, NamedTuple

from coreact.rubric.checks import (
    ArgumentContains,
    ArgumentEquals,
    Check,
    DoesNotStop,
    QuoteInObservation,
    Stops,
    ToolIs,
    ToolIsNot,
    UnknownCheck,
)
from coreact.rubric.checks.arguments import ArgumentCheck
from coreact.rubric.checks.base import shown, text_of
from coreact.rubric.injection import injection
from coreact.rubric.phrasing import Phrasing, phrasing
from coreact.rubric.remarks import Problem
from coreact.rubric.rubric import Criterion, Rubric
from coreact.rubric.state import Record, State
from coreact.rubric.words import fold, similarity, urls, words

MAX_CHARS = 240
"""Longest text of a criterion that is not `over_long`, in characters."""

MAX_WORDS = 40
"""Longest text of a criterion that is not `over_long`, in words (a third as many of Chinese characters)."""

COMPARED = 50
"""Every criterion is compared with the earlier ones among the first so many."""

MAX_CHECK_CHARS = 8_000
"""Most characters that the texts and numbers of a check may have together, names of keys included."""

MAX_CHECK_PARTS = 1_000
"""Most texts, numbers and containers that a check may hold."""

SERIOUS: frozenset[Problem] = frozenset(
    {
        "unsafe",
        "leaking",
        "empty",
        "over_long",
        "unknown_tool",
        "unknown_argument",
        "unseen_url",
        "broken_check",
    }
)
"""Problems with which a criterion must not guide."""

_LOOKED_AT = 1000  # characters of a text; what is longer is refused for its length
_OVERLAP = 200  # characters that two looks at what a check holds share
_ALIKE = 0.8  # share of words that a criterion and a longer one that contains it have in common
_SECRET_CHARS = 1000
# A secret made of these cannot be told from other text.
_SAYS_NOTHING = frozenset("a an and no not none of or the yes true false unknown n".split())


class LintFinding(Record):
    """One thing that is wrong with a criterion, or with a rubric as a whole."""

    problem: Problem
    criterion: str
    """Id of the criterion; empty: the rubric as a whole."""
    reason: str
    """Why, in one sentence without its full stop; texts in it are quoted and cut."""
    other: str | None = None
    """Id of the criterion that says the same or the opposite, where that is the problem."""

    @property
    def serious(self) -> bool:
        """Whether the criterion must not guide."""
        return self.problem in SERIOUS


def lint(
    criteria: Rubric | Sequence[Criterion], *, state: State | None = None, secrets: Sequence[str] = ()
) -> tuple[LintFinding, ...]:
    """Find what is wrong with criteria.

    Args:
        criteria: a rubric, or criteria that are to become one.
        state: the state they are for. None: tools, arguments and addresses they name are not looked up.
        secrets: texts that no criterion shown to the agent may hold, such as the right answer. One made of
            `yes`, `no` or articles alone is not looked for: it stands everywhere.

    Returns:
        Findings in the order of the criteria, then those on the rubric as a whole.
    """
    listed = tuple(criteria)
    needles = tuple(filter(None, map(_needle, secrets)))
    found: list[LintFinding] = []
    for at, criterion in enumerate(listed):
        find = partial(_finding, criterion.id)
        said = phrasing(criterion.text)
        found += [find(*one) for one in _faults(criterion, said, state, needles)]
        if state is not None:
            found += [find(*one) for one in _strangers(criterion, state)]
        found += [find(*one) for one in _twins(listed, at)]
    if listed and all(_is_negative(criterion, phrasing(criterion.text)) for criterion in listed):
        found.append(_finding("", "negative_only", "no criterion says what to do"))
    return tuple(found)


class _Fault(NamedTuple):
    problem: Problem
    reason: str
    other: str | None = None


def _finding(criterion: str, problem: Problem, reason: str, other: str | None = None) -> LintFinding:
    return LintFinding(problem=problem, criterion=criterion, reason=_printable(reason), other=other)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


# --- one criterion by itself -------------------------------------------------------------------


def _faults(
    criterion: Criterion, said: Phrasing, state: State | None, needles: Sequence[str]
) -> Iterator[_Fault]:
    text = criterion.text
    if not any(map(str.isalpha, text[:_LOOKED_AT])):
        yield _Fault("empty", "there is no letter in it")
    if len(text) > MAX_CHARS:
        yield _Fault("over_long", f"it has {len(text)} characters; {MAX_CHARS} are enough")
    elif said.length > MAX_WORDS:
        yield _Fault("over_long", f"it has {said.length:.0f} words; {MAX_WORDS} are enough")
    check = criterion.check
    told = _NOTHING if check is None else _told(check)
    if told.too_long:
        yield _Fault("over_long", told.too_long)
    if reason := injection(text):
        yield _Fault("unsafe", reason)
    elif reason := next(filter(None, map(injection, told.looks())), None):
        yield _Fault("unsafe", f"its check: {reason}")
    if criterion.visibility == "policy" and needles:
        folded = f" {' | '.join(map(fold, (text[:_LOOKED_AT], told.explained, told.held)))} "
        if any(needle in folded for needle in needles):
            yield _Fault("leaking", "it holds what its reader must not know")
    if isinstance(check, UnknownCheck):
        yield _Fault("broken_check", f"this version has no check of kind {shown(check.kind)}")
    if said.demands > 1:
        yield _Fault("compound", f"it makes {said.demands} demands at once")
    if criterion.polarity == "require" and (two := _two_tools(text[:_LOOKED_AT], state)):
        yield _Fault("multi_tool", f"it asks one step for {shown(two[0])} and {shown(two[1])}")
    if said.vague and check is None:
        yield _Fault("vague", f"{shown(said.vague)} is all it asks for, and nobody can check that")
    if _is_negative(criterion, said):
        yield _Fault("negative_only", "it says only what to avoid")


def _is_negative(criterion: Criterion, said: Phrasing) -> bool:
    return said.avoids != (criterion.polarity == "forbid")


def _needle(secret: str) -> str:
    if len(secret) > _SECRET_CHARS:  # longer than what it would be looked for in
        return ""
    folded = fold(secret)
    return "" if _SAYS_NOTHING.issuperset(folded.split()) else f" {folded} "


# --- what a check tells ------------------------------------------------------------------------


class _Told(NamedTuple):
    """What of a check may reach a prompt: how it explains itself, and what its reasons may quote."""

    explained: str
    held: str
    """Its texts and numbers, one a line: a reason may write those of a schema side by side."""
    too_long: str
    """Why it cannot be looked at whole; empty where it was."""

    def looks(self) -> Iterator[str]:
        """Pieces that can be looked at whole."""
        if self.explained:
            yield self.explained
        for at in range(0, len(self.held), _LOOKED_AT - _OVERLAP):
            yield self.held[at : at + _LOOKED_AT]


_NOTHING = _Told("", "", "")


def _told(check: Check) -> _Told:
    held, whole = _held(check)
    if not whole:  # nor is it explained, which takes as long as there is to tell
        reason = f"its check holds more than {MAX_CHECK_CHARS} characters or {MAX_CHECK_PARTS} values"
        return _Told("", held, reason)
    explained = check.explain()
    if len(explained) <= _LOOKED_AT:
        return _Told(explained, held, "")
    reason = f"its check takes {len(explained)} characters to explain; {_LOOKED_AT} are enough"
    return _Told(explained[:_LOOKED_AT], held, reason)


def _held(check: Check) -> tuple[str, bool]:
    found: list[str] = []
    left = MAX_CHECK_CHARS
    for at, part in enumerate(parts_of(check)):
        left -= len(part)
        if at == MAX_CHECK_PARTS or left < 0:
            return "\n".join(found), False
        if part:
            found.append(part)
    return "\n".join(found), True


def parts_of(check: Check) -> Iterator[str]:
    """Every text and number in the fields of a check, its kind left out, keys before their values.

    In order and lazily; an empty text for each container, so that whoever counts comes to an end.
    """
    # The kind is ours, or else `explain` tells it.
    waiting: list[Iterator[Any]] = [iter([value for name, value in check if name != "kind"])]
    while waiting:
        for value in waiting[-1]:
            if isinstance(value, Mapping):
                waiting.append(chain.from_iterable(value.items()))
            elif isinstance(value, list | tuple | set | frozenset):
                waiting.append(iter(value))
            else:
                yield "" if value is None or isinstance(value, bool) else text_of(value)
                continue
            yield ""
            break
        else:
            waiting.pop()


# --- against the state -------------------------------------------------------------------------

_NAME = r"[A-Za-z_][\w.\-]{0,63}"
_TICKED = rf"`{_NAME}(?:\([^`]{{0,200}}\))?`"
# A tool is named where it is called: "call `a`", "use `a` or `b`", "the `a` tool", "use web_search".
_CALLED = re.compile(
    rf"\b(?:call|calls|calling|invoke|invokes|run|runs|use|uses|using|tools?|functions?)\s"
    rf"(?:(?:the|a|only|either|both|tool|function|named|called|with)\s){{0,3}}"
    rf"(?P<names>(?:{_TICKED}|[a-z]{{1,32}}_\w{{1,32}})(?:(?:,|\sor|\sand|,\sor|,\sand|/)\s?{_TICKED}){{0,9}})",
    re.IGNORECASE,
)
_PART = re.compile(rf"{_TICKED}|[a-z]{{1,32}}_\w{{1,32}}", re.IGNORECASE)
_OF_TOOL = re.compile(rf"`({_NAME})`\s(?:tool|function)\b", re.IGNORECASE)
_IDENTIFIER = re.compile(_NAME)
_CALLS = frozenset("call calls invoke invokes run runs use uses using calling".split())
_JOINTS = frozenset("and then plus followed".split())
_BESIDE = _JOINTS | _CALLS | frozenset("also both by finally next the tool tools".split())
_OTHERWISE = frozenset(
    "or nor not never no instead rather unless if else otherwise than avoid without don don't".split()
)


def _strangers(criterion: Criterion, state: State) -> Iterator[_Fault]:
    """What a criterion names and the state does not have."""
    text, check = criterion.text[:_LOOKED_AT], criterion.check
    named = _named_tools(text, state)
    if isinstance(check, ToolIs | ToolIsNot):
        named += check.tools
    strange = next((name for name in named if state.tool(name) is None), None)
    if strange is not None:
        yield _Fault("unknown_tool", f"there is no tool {shown(strange)}")
    if isinstance(check, ArgumentCheck) and not _has_argument(check.argument, state):
        yield _Fault("unknown_argument", f"no tool has the argument {shown(check.argument)}")
    written = f"{text} {_texts(check)}"
    if "://" in written:
        strange = next((address for address in urls(written) if address not in state.urls_seen), None)
        if strange is not None:
            yield _Fault("unseen_url", f"{shown(strange)} stood nowhere so far")


def _named_tools(text: str, state: State) -> tuple[str, ...]:
    """Names in places where a tool is called, other than those of arguments or of known things."""
    if "`" not in text and "_" not in text:
        return ()
    found = [*_OF_TOOL.findall(text)]
    for called in _CALLED.finditer(text):
        loose = called.group().lower().startswith("us")
        for part in _PART.findall(called["names"]):
            name = _IDENTIFIER.search(part)
            # "use `title` of the page", "use `Paris`": no tool is meant.
            if name and not (loose and (_has_argument(name[0], state) or state.knows(name[0]))):
                found.append(name[0])
    return tuple(found)


def _has_argument(argument: str, state: State) -> bool:
    """Whether some tool has this argument, or has arguments that its schema does not tell."""
    return not argument or any(_takes(tool.parameters, argument.split(".")) for tool in state.tools)


def _takes(schema: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(schema, Mapping) or not isinstance(properties := schema.get("properties"), Mapping):
            return True  # free, or written in a way that is not followed here
        if name not in properties:
            return bool(schema.get("additionalProperties", False)) or "patternProperties" in schema
        schema = properties[name]
    return True


def _texts(check: Check | None) -> str:
    """What a check says word for word; patterns are no texts."""
    match check:
        case ArgumentContains():
            return " ".join(check.terms)
        case ArgumentEquals():
            return text_of(check.value)
        case QuoteInObservation():
            return check.quote
    return ""


def _two_tools(text: str, state: State | None) -> tuple[str, str] | None:
    """Two tools that a text asks for at once, not as a choice."""
    names = () if state is None else tuple(tool.name for tool in state.tools)
    if state is None and "`" not in text:
        return None
    mentions = list(_mention(names).finditer(text))
    for first, second in pairwise(mentions):
        one, other = (next(filter(None, found.groups())) for found in (first, second))
        before = words(text[max(0, first.start() - 60) : first.start()])
        between = words(text[first.end() : second.start()])
        asked = bool(names) or not _CALLS.isdisjoint(before[-2:])
        if one == other or not asked or not _OTHERWISE.isdisjoint((*before[-4:], *between)):
            continue
        calls_again = not _CALLS.isdisjoint((second[0].split()[0].lower(), *between[-1:]))
        beside = _BESIDE.issuperset(between) or calls_again
        if beside and not _JOINTS.isdisjoint(between[-4:]):
            return one, other
    return None


@lru_cache(maxsize=64)
def _mention(names: tuple[str, ...]) -> re.Pattern[str]:
    """Where tools are mentioned: between backticks, behind "call", or by a name that is no plain word."""
    if not names:
        return re.compile(rf"`({_NAME})(?:\([^`]{{0,200}}\))?`")
    every = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    odd = "|".join(re.escape(name) for name in names if not name.isalpha()) or r"(?!)"
    return re.compile(
        rf"`({every})(?:\([^`]{{0,200}}\))?`|(?<!\w)({odd})(?!\w)"
        rf"|\b(?i:(?:call|use|invoke|run)s?\s(?:the\s)?)({every})(?!\w)"
    )


# --- against the other criteria ----------------------------------------------------------------


def _twins(criteria: Sequence[Criterion], at: int) -> Iterator[_Fault]:
    """The first earlier criterion that says the same, or the opposite."""
    for earlier in criteria[: min(at, COMPARED)]:
        if problem := _relation(earlier, criteria[at]):
            says = "the same as" if problem == "duplicate" else "what is forbidden by, or the opposite of,"
            yield _Fault(problem, f"it says {says} criterion {shown(earlier.id)}", earlier.id)
            return


def _relation(one: Criterion, other: Criterion) -> Literal["duplicate", "mirror"] | None:
    if one.stage != other.stage and one.stage and other.stage:
        return None  # they never apply together
    turned = one.polarity != other.polarity
    if one.check is not None and other.check is not None:
        same = _same_check(one.check, other.check)
        if same is not None:
            return "duplicate" if same != turned else "mirror"
        if fold(one.text) != fold(other.text):
            return None  # they decide different things, whatever the likeness of their words
    left, right = phrasing(one.text), phrasing(other.text)
    if not _alike(left.content, right.content):
        return None
    return "mirror" if turned or left.negated != right.negated else "duplicate"


def _same_check(one: Check, other: Check) -> bool | None:
    """True: they are met by the same actions; False: by the opposite ones; None: neither is sure."""
    if {type(one), type(other)} == {Stops, DoesNotStop}:
        return False
    if isinstance(one, ToolIs | ToolIsNot) and isinstance(other, ToolIs | ToolIsNot):
        return type(one) is type(other) if set(one.tools) == set(other.tools) else None
    return True if type(one) is type(other) and one == other else None


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two texts have the same words, or one has all of the other's and hardly more."""
    left, right = frozenset(one), frozenset(other)
    if not left or not right:
        return False
    if left == right:
        return True
    if not (left < right or right < left) or similarity(left, right) < _ALIKE:
        return False
    return not any(char.isdigit() for word in left ^ right for char in word)
