"""Read what a sentence demands of one action, and give its criterion the check that decides it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import re2

from coreact.generate.compiling.grammar import FORMS
from coreact.generate.compiling.masking import Masked, masked
from coreact.generate.compiling.reasons import is_reason, without_reasons
from coreact.generate.compiling.slots import Slots
from coreact.generate.compiling.vocabulary import Vocabulary
from coreact.rubric import Criterion, DoesNotStop, State, Stops, ToolIs, ToolIsNot
from coreact.rubric.checks import Check
from coreact.rubric.checks.patterns import compiled as pattern
from coreact.rubric.rubric import MAX_CRITERION_CHARS, Polarity

_NEGATION = pattern(
    r"(?i)\b(?:not|never|no|none|nothing|without|avoids?|avoiding|refrains?|except|excluding|unless|neither"
    r"|nor|cannot|fails?|failing|other than|anything but|rather than|instead of)\b|n['’]t\b"
)
_CONDITION = pattern(r"(?i)\b(?:if|when|until|before|after|but|only|also|while|once|each|every)\b|[;:]")
_SECOND = pattern(
    r"(?i)(?:,| and| then) (?:then )?(?:search|open|call|use|read|answer|cite|check|compare|verify"
    r"|visit|browse"
    r"|make|give|stop|include|mention|ask|look|query|avoid|set|choose|finish|fetch|return)\b"
)
_INSTEAD = pattern(r"(?i),? ?(?:(?:instead of|rather than) [^,;]*|(?:and )?not [a-z ]*answer(?:ing)?)")
_BECAUSE = pattern(r"(?i),? ?(?:because|since) .*")
_ANSWER_TAG = pattern(r"(?i)(?:\b(?:an?|the|your|its) (?:final )?)?</?answer>(?: (?:tag|block))?")
_EQUALS = pattern(r"([^<>=!≤≥\s]) ?= ?([^=\s])")
_MEMORY = 64 << 20  # bytes
# ruff: noqa: RUF001 - punctuation of another script
_FULL_WIDTH = str.maketrans(
    {"，": ", ", "。": ". ", "；": "; ", "：": ": ", "（": " (", "）": ") ", "！": "! "}
)
_SENTENCES = pattern(
    r"(?i)[.!;] (?:then |and |so |thus |therefore )?|,? and then |, then |,? and |, (?:and |so |thus )?"
)
_EMPHASIS = pattern(r"(?i)\b(?:explicitly|specifically|clearly) | verbatim\b")


_PATTERNS = tuple((form, written) for form in FORMS for written in form.patterns)


@cache
def _all_patterns() -> Any:
    """All patterns as one automaton: most sentences match a few of them or none."""
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    together = re2.Set.FullMatchSet(options)
    for _, written in _PATTERNS:
        together.Add(written)
    together.Compile()
    return together


class Reading(NamedTuple):
    """What a sentence demands."""

    form: str
    """Name of the form it was read by; for a sentence of several parts their names, with `+`."""
    check: Check


def compiled(criterion: Criterion, state: State) -> Criterion:
    """A prose criterion with the check that its sentence spells out; otherwise the criterion as it is.

    Args:
        criterion: any criterion; its text and all else stay.
        state: the state it is about: names of tools and arguments, addresses that were seen.
    """
    if criterion.check is not None:
        return criterion
    read = reading(criterion.text, state, criterion.polarity)
    return criterion if read is None else criterion.model_copy(update={"check": read.check})


def reading(text: str, state: State, polarity: Polarity = "require") -> Reading | None:
    """Read a sentence, or None where it must stay prose. Pure; never raises on data.

    Args:
        text: the sentence; what is longer than a criterion may be is not read.
        state: the state it is about.
        polarity: `forbid`: the sentence describes what is bad, and the check is that. Sentences that
            negate, and checks that are weaker than their sentence, are not read then: inverted, they
            would refuse what is good.
    """
    if len(text) > MAX_CRITERION_CHARS or text.encode("utf-8", "replace").decode() != text:
        return None
    sentence = masked(text)
    if sentence is None or not sentence.text:
        return None
    sentence = sentence._replace(text=_evened(sentence.text))
    names = Vocabulary(state)
    whole = _one(_read(sentence, names, polarity))
    if whole is not None or polarity == "forbid":
        return whole
    return _in_parts(sentence, names) or _without_reasons(sentence, names)


def _evened(text: str) -> str:
    """A masked sentence with signs as the grammar writes them."""
    if not text.isascii():
        text = " ".join(text.translate(_FULL_WIDTH).split())
    text = str(_EMPHASIS.sub("", text))
    if "<" in text:
        text = _ANSWER_TAG.sub("the answer", text)
    return str(_EQUALS.sub(r"\1 = \2", text)) if "=" in text else text


def _without_reasons(sentence: Masked, names: Vocabulary) -> Reading | None:
    text = without_reasons(sentence.text)
    if text == sentence.text:
        return None
    demand = sentence._replace(text=text)
    return _one(_read(demand, names, "require")) or _in_parts(demand, names)


def _in_parts(sentence: Masked, names: Vocabulary) -> Reading | None:
    parts = [part for part in _SENTENCES.split(sentence.text) if part and part.strip(" .!")]
    if len(parts) < 2:
        return None
    if is_reason(parts[0]):  # "The town is unknown, so keep searching": reasons that follow are cut elsewhere
        parts = parts[1:]
    read = [_one(_read(sentence._replace(text=part.strip()), names, "require")) for part in parts]
    return _joint([part for part in read if part is not None]) if None not in read else None


def _read(sentence: Masked, names: Vocabulary, polarity: Polarity) -> Iterator[Reading]:
    for at in _all_patterns().Match(sentence.text) or ():
        form, written = _PATTERNS[at]
        if polarity == "forbid" and not form.exact:
            continue
        form_pattern = pattern(written)
        match = form_pattern.fullmatch(sentence.text)
        if match is not None:
            said = match.groupdict()
            tail = said.get("tail") or ""
            body = sentence.text[: match.start(form_pattern.groupindex["tail"])] if tail else sentence.text
            if not _harmless(tail, sentence) or (not form.negated and _NEGATION.search(body)):
                continue
            check = form.check(Slots(said, sentence, names))
            if check is not None:
                yield Reading(form.name, check)


def _harmless(tail: str, sentence: Masked) -> bool:
    """Whether what is left over is a purpose, a reason or a word of time, and no condition."""
    if any(char in sentence.meant for char in tail):
        return False
    rest = tail.strip()
    if _INSTEAD.fullmatch(rest):
        return not _SECOND.search(rest)
    if _BECAUSE.fullmatch(rest):
        return is_reason(rest.lstrip(", "))
    return not (_NEGATION.search(rest) or _CONDITION.search(rest) or _SECOND.search(rest))


def _one(readings: Iterator[Reading]) -> Reading | None:
    """The reading, where all forms that fire agree on the check."""
    found = list(readings)
    return found[0] if found and all(one.check == found[0].check for one in found) else None


def _joint(parts: list[Reading]) -> Reading | None:
    """One reading of several demands, where one of them implies all others."""
    for part in parts:
        if all(_implies(part.check, other.check) for other in parts):
            return Reading("+".join(dict.fromkeys(one.form for one in parts)), part.check)
    return None


def _implies(check: Check, other: Check) -> bool:
    if check == other:
        return True
    match check, other:
        case ToolIs(), DoesNotStop():
            return True
        case ToolIs(tools=called), ToolIsNot(tools=left):
            return not set(called) & set(left)
        case Stops(), ToolIsNot():
            return True
        case _:
            return False
