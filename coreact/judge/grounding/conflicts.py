"""Sources that give different numbers for what an answer claims.

Two observed sentences are set against a claim where both speak of the same thing: the same names, most
of the same words. If one has the claim's number and another, of the same kind (a year, or a number
with the same word behind it), a different one, they may be in conflict, whether the answer cites both,
one or none. Code finds candidates only: other numbers can be true of other times, so a judge confirms.
Sources that differ in names instead of numbers are not found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from coreact.judge.grounding.claims import Claim, sentences
from coreact.judge.grounding.inquiry import Inquiry, evidence, worded
from coreact.judge.grounding.sources import Passage, Sources, message_id
from coreact.judge.grounding.support import excerpted
from coreact.judge.grounding.values import Held, Number, names, numbers
from coreact.judge.records import Evidence
from coreact.rubric import Action, Criterion, Record, State
from coreact.rubric.words import words

_SHARED = 2  # words that both must have
_SHARE = 0.7  # of the words of the shorter one
_COMMON = 400  # sentences; a word in more of them tells nothing
_SMALL = frozenset(
    """a an the of in on at by to for from with and or as is was were are be been has had have it its this
    that he she they his her their which who also""".split()
)
_POINTING = frozenset("it he she they this that these those its his her their".split())
_ASKED = "The observations contradict each other about what this claim of the answer says:"


class Side(Record):
    """What one source says."""

    value: str
    """The number as the source writes it."""
    evidence: Evidence
    """The sentence it stands in."""


class Conflict(Record):
    """Sources that give different values for one claim."""

    claim: str
    """Id of the claim."""
    sides: tuple[Side, ...]
    """At least two, from different sources; those that agree with the claim first."""
    mentioned: bool
    """Whether the answer gives every one of the values somewhere."""
    confirmed: bool | None = None
    """Whether a judge says that they contradict each other; None where none could tell."""


class _Sentence(NamedTuple):
    step: int
    start: int
    end: int
    text: str
    content: frozenset[str]


def conflicts(claims: Sequence[Claim], answer: str, state: State, sources: Sources) -> list[Conflict]:
    """Candidates for conflicts between observed sources, at most one for each claim.

    Args:
        claims: the claims of the answer.
        answer: the answer without its reference list.
        state: the trajectory.
        sources: its sources.
    """
    numbered = [
        (claim, found) for claim in claims if not _points_back(claim.text) and (found := numbers(claim.text))
    ]
    if not numbered:
        return []
    observed = _Observed(state, sources)
    said = Held([answer])
    candidates = []
    for claim, in_claim in numbered:
        sides = observed.sides(claim, in_claim)
        if sides:
            mentioned = all(said.number(number) for side in sides for number in numbers(side.value))
            candidates.append(Conflict(claim=claim.id, sides=sides, mentioned=mentioned))
    return candidates


def inquiry(conflict: Conflict, claim: Claim, answer: str, state: State) -> Inquiry:
    """What to ask a judge about a candidate; the criterion's id is `<claim>/conflict`."""
    index = {message_id(step, n): n for n, step in enumerate(state.steps)}
    passages = [
        Passage(index[e.message_id], e.message_id, e.quote, e.start or 0, pure=True)
        for e in (side.evidence for side in conflict.sides)
    ]
    criterion = Criterion(id=f"{conflict.claim}/conflict", text=worded(_ASKED, claim.text), kind="fact")
    return Inquiry((criterion,), Action(answer=answer), excerpted(state, passages))


class _Observed:
    def __init__(self, state: State, sources: Sources) -> None:
        self._state = state
        self._sources = sources
        self._sentences: list[_Sentence] = []
        self._holding: defaultdict[str, list[int]] = defaultdict(list)
        for index, step in enumerate(state.steps):
            if step.succeeded and step.observation is not None:
                self._read(index, step.observation.text)

    def _read(self, step: int, text: str) -> None:
        for start, end in sentences(text):
            written = text[start:end]
            if _points_back(written) or not any(char.isdigit() for char in written):
                continue
            content = _content(written)
            for word in content:
                self._holding[word].append(len(self._sentences))
            start += len(written) - len(written.lstrip())
            self._sentences.append(
                _Sentence(step, start, start + len(written.strip()), written.strip(), content)
            )

    def sides(self, claim: Claim, in_claim: Sequence[Number]) -> tuple[Side, ...]:
        own = Held([claim.text])
        about = list(self._about(claim.text))
        for number in in_claim:
            kind = _kind(claim.text, number)
            agreeing: dict[str, Side] = {}
            differing: dict[str, Side] = {}
            for sentence in about:
                source = self._sources.origin(sentence.step, sentence.start)
                if Held([sentence.text]).number(number):
                    agreeing.setdefault(source, self._side(sentence, number.text))
                    continue
                for other in numbers(sentence.text):
                    if _kind(sentence.text, other) == kind and not own.number(other):
                        differing.setdefault(source, self._side(sentence, other.text))
                        break
            others = [side for source, side in differing.items() if source not in agreeing]
            if agreeing and others:
                return (*agreeing.values(), *others)
        return ()

    def _about(self, claim: str) -> Iterator[_Sentence]:
        """Sentences that speak of the same thing as the claim."""
        content = _content(claim)
        named = {word for name in names(claim) for word in name.words}
        holding = [self._holding[word] for word in content if word in self._holding]
        shared = Counter(at for places in holding if len(places) <= _COMMON for at in places)
        for at in sorted(at for at, count in shared.items() if count >= _SHARED):
            sentence = self._sentences[at]
            both = len(content & sentence.content)
            enough = both >= _SHARED and both >= _SHARE * min(len(content), len(sentence.content))
            if enough and named <= sentence.content:
                yield sentence

    def _side(self, sentence: _Sentence, value: str) -> Side:
        observation = self._state.steps[sentence.step].observation
        text = observation.text if observation is not None else ""
        message = message_id(self._state.steps[sentence.step], sentence.step)
        return Side(value=value, evidence=evidence(message, text, sentence.start, sentence.end))


def _points_back(text: str) -> bool:
    """Whether a sentence is about something that another one names."""
    return words(text[:40])[:1] != () and words(text[:40])[0] in _POINTING


def _content(text: str) -> frozenset[str]:
    return frozenset(
        word for word in words(text) if word not in _SMALL and not any(char.isdigit() for char in word)
    )


def _kind(text: str, number: Number) -> str:
    """What a number counts: `year`, or the word or sign next to it."""
    if number.year:
        return "year"
    behind = text[number.end :].lstrip()
    if behind[:1] in "%‰°€£$¥":
        return behind[:1]
    if number.start and text[number.start - 1] in "€£$¥":
        return text[number.start - 1]
    following = words(behind[:40])
    return following[0] if following else ""
