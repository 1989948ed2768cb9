"""Whether a text gives away what its reader must not know yet: the answer, or what only comes later.

Two kinds of leaks. An answer: its words in a row or close together in any order, or its number in any
notation. An entity: a name that stands in what comes later and not in what is visible. What stands in
the visible state is no leak, wherever else it stands: a question that names two countries may be guided
by both names. Every doubt is settled for a leak, since what is caught is kept from the agent, not lost:
whoever grades may still use it. Names are known by their capitals; where a script has none, only answers
are found. A hint in other words is not found: no string shows it.

Sources: CLR-voyance (visible past, future for the oracle alone), SSR (the rubric's writer must not carry
the answer). Different: a decision of code, not an instruction to a model.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from string import ascii_lowercase
from typing import Literal, NamedTuple

from coreact.generate.entities import OPENERS, entities
from coreact.judge.grounding.values import Held, Name, Number, names, numbers
from coreact.judge.quotes import locate
from coreact.rubric.state import State
from coreact.rubric.words import fold, words

LeakKind = Literal["answer", "entity"]
"""`answer`: a form of an accepted answer; `entity`: a name or number that stands only in the future."""

_CHUNK = re.compile(r"\S+")
_EDGES = re.compile(r"\w(?:.*\w)?", re.DOTALL)
_SMALL = frozenset("a an the of in on at by and or to is was".split())
_SPREAD = 2  # words that may stand between those of an answer in another order
_LONG = 8  # words from which on an answer is looked for in its own order only
_STEM = 5  # letters from which on a name is found inside of a longer word: Jamaica in Jamaican
_ENDING = 3
_DIGITS = 2  # of a number that says something by itself
# Words that stand everywhere: they give something away only where a sentence ends with them.
_WEAK = frozenset("yes no true false both neither none unknown".split())
_ENDS = re.compile(r"[\"'”’»)*_` ]*(?:[.,;:!?]|$|\n)")
# Words that open a sentence of a rubric with a capital.
_COMMANDS = OPENERS | frozenset(
    """answer ask avoid call check choose cite compare compute confirm consult continue determine ensure
    establish examine explain fetch first get go identify include inspect keep locate look make mention must
    next note only open pick query quote read repeat report rest return say search see select should start
    state stop take then try use verify write""".split()
)


class Leak(NamedTuple):
    """What a text gives away, and where."""

    kind: LeakKind
    term: str
    """The answer or the name, as it is known."""
    start: int
    """Where it begins in the text, in characters."""
    end: int
    """Where it ends, exclusive."""


def leaks(
    text: str, *, answers: Sequence[str] = (), visible: State | str = "", future: Sequence[str] = ()
) -> tuple[Leak, ...]:
    """What a text gives away, in the order of the text.

    Args:
        text: what somebody is to see, such as a criterion.
        answers: the accepted answers with their aliases; names in them count as names of the future too.
        visible: what that reader knows already.
        future: texts that the reader does not know yet: later calls and observations, a reference.
    """
    return LeakDetector(answers=answers, visible=visible, future=future).leaks(text)


class LeakDetector:
    """Looks for the same secrets in many texts; reading them is linear in their length.

    Args:
        answers, visible, future: see `leaks`.
    """

    def __init__(
        self, *, answers: Sequence[str] = (), visible: State | str = "", future: Sequence[str] = ()
    ) -> None:
        known = _Known(visible_texts(visible))
        self._answers = [
            answer for answer in dict.fromkeys(answers) if words(answer) and not known.says(answer)
        ]
        ahead = (*future, *answers)
        common = {word for one in ahead for chunk in one.split() if chunk.islower() for word in words(chunk)}
        self._runs: dict[tuple[str, ...], str] = {}
        self._words: dict[str, str] = {}
        for name in (name for one in ahead for name in names(one)):
            plain = len(name.words) == 1 and name.words[0] in common
            if not plain and not known.name(name.words):
                self._runs[name.words] = name.text
        for name in (name for one in ahead for name in _names(one)):
            self._words |= {word: name.text for word in name.words if not known.word(word)}
        self._values = {
            reading: number.text
            for one in ahead
            for number in numbers(one)
            if _telling(number.text) and not known.number(number)
            for reading in number.readings
        }

    def leaks(self, text: str) -> tuple[Leak, ...]:
        """What a text gives away, in the order of the text."""
        tokens = _Tokens(text)
        found = [
            Leak("answer", answer, start, end)
            for answer in self._answers
            for start, end in (*_places(answer, text, tokens), *_quantities(answer, text))
        ]
        for name, term in self._runs.items():
            places = (*tokens.runs(name), *(tokens.near(name) if len(name) > 1 else ()))
            found += [Leak("entity", term, start, end) for start, end in places]
        for start, end, said in tokens.capitals(text):
            inside = next(filter(None, map(self._within, said)), None)
            if inside is not None:
                found.append(Leak("entity", self._words[inside], start, end))
        for number in numbers(text):
            same = next((self._values[one] for one in number.readings if one in self._values), None)
            if same is not None and _telling(number.text):
                found.append(Leak("entity", same, number.start, number.end))
        return tuple(sorted(dict.fromkeys(found), key=lambda leak: (leak.start, leak.end, leak.kind)))

    def _within(self, word: str) -> str | None:
        return next((one for one in _stems(word) if one in self._words), None)


def visible_texts(visible: State | str) -> tuple[str, ...]:
    """Every text that the agent knows in a state: what it was told, its tools, its calls, what came back."""
    if isinstance(visible, str):
        return (visible,)
    observed = (step.observation.text for step in visible.steps if step.observation is not None)
    return (*told_texts(visible), *observed)


def told_texts(state: State) -> tuple[str, ...]:
    """Every text of a state but for observations: the question, given text, the tools, the agent's calls."""
    tools = [f"{tool.name} {tool.description} {' '.join(tool.properties)}" for tool in state.tools]
    return (state.question, *state.given, *tools, *(text for step in state.steps for text in step.call.texts))


def strangers(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Names and numbers of a text that stand in none of the known texts, in order.

    Every doubt is settled for the text: a single word that opens a sentence may be no name, and single
    digits say little; both are left out.
    """
    held = Held(known)
    found = [(name.start, name.text) for name in names(text) if not held.name(name)]
    found += [
        (number.start, number.text)
        for number in numbers(text)
        if _telling(number.text) and not held.number(number)
    ]
    return tuple(term for _, term in sorted(found))


# --- answers ---------------------------------------------------------------------------------


def _places(answer: str, text: str, tokens: _Tokens) -> list[tuple[int, int]]:
    """Where a text says an answer in words."""
    said = words(answer)
    telling = [word for word in said if word not in _SMALL] or list(said)
    found = list(tokens.runs(said))
    if len(telling) < len(said):
        found += tokens.runs(telling)
    if 1 < len(telling) < _LONG:
        found += tokens.near(telling)
    if _says_little(telling):
        found = [(start, end) for start, end in found if _ENDS.match(text, end)]
    return found


def _says_little(said: Sequence[str]) -> bool:
    return len(said) == 1 and (said[0] in _WEAK or said[0] in _COMMANDS or said[0] in ascii_lowercase)


def _quantities(answer: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a text says the number of an answer that is a number, in figures or in words."""
    wanted = _quantity(answer)
    if wanted is None:
        return
    for number in numbers(text):
        same = set(number.readings) & set(wanted.readings)
        if same or (_telling(number.text.strip("0,. ")) and Held((answer,)).number(number)):
            yield number.start, number.end
    chunks = [match.span() for match in _CHUNK.finditer(text)]
    for at, (start, end) in enumerate(chunks):
        for last in dict.fromkeys((end, chunks[min(at + 1, len(chunks) - 1)][1])):
            piece = text[start:last].rstrip(".,;:!? ")
            if not any(map(str.isdigit, piece)) and Held((piece,)).number(wanted):
                yield start, start + len(piece)


def _quantity(answer: str) -> Number | None:
    """The one number of an answer that says little else."""
    found = numbers(answer)
    few = len(found) == 1 and len(words(answer)) <= len(words(found[0].text)) + _SPREAD
    return found[0] if few else None


# --- names -----------------------------------------------------------------------------------


def _names(text: str) -> Iterator[Name]:
    """Names, those that open a sentence as well."""
    yield from names(text)
    for term in entities(text):
        said = tuple(word for word in words(term) if len(word) > 1)
        if said and not _COMMANDS.issuperset(said):
            at = locate(term, text)
            yield Name(term, said, at.start if at else 0, at.end if at else 0)


def _stems(word: str) -> Iterator[str]:
    """A word, and what is left of it without its last letters."""
    yield word
    for size in range(len(word) - 1, max(_STEM, len(word) - _ENDING) - 1, -1):
        yield word[:size]


def _telling(number: str) -> bool:
    return sum(map(str.isdigit, number)) >= _DIGITS


class _Known:
    """What a reader knows: words, names and numbers of visible texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [(text, _Tokens(text)) for text in texts]
        self._held = Held(texts)
        self._exact = {word for _, tokens in self._texts for word in tokens.words}
        self._begun = {stem for word in self._exact for stem in _stems(word)}

    def says(self, answer: str) -> bool:
        """Whether an answer stands in one of the texts."""
        quantity = _quantity(answer)
        if quantity is not None and self._held.number(quantity):
            return True
        return any(_places(answer, text, tokens) for text, tokens in self._texts)

    def word(self, word: str) -> bool:
        """Whether a word stands there, or another form of it."""
        return word in self._begun or any(stem in self._exact for stem in _stems(word))

    def name(self, said: tuple[str, ...]) -> bool:
        """Whether a name stands there: its words together, not one here and one there."""
        if len(said) == 1:
            return self.word(said[0])
        return any(next(tokens.near(said), None) is not None for _, tokens in self._texts)

    def number(self, number: Number) -> bool:
        """Whether a number stands there."""
        return self._held.number(number)


# --- words with their places -----------------------------------------------------------------


class _Tokens:
    """The folded words of a text, each with the place of the stretch between blanks that it is in."""

    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        self._places: list[tuple[int, int]] = []
        for match in _CHUNK.finditer(text):
            inside = _EDGES.search(match.group())
            start = match.start() + (inside.start() if inside else 0)
            end = match.start() + (inside.end() if inside else len(match.group()))
            for word in fold(match.group()).split():
                self.words.append(word)
                self._places.append((start, end))
        self._at: dict[str, list[int]] = {}
        for at, word in enumerate(self.words):
            self._at.setdefault(word, []).append(at)

    def runs(self, said: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Where the words stand one right after the other."""
        wanted = list(said)
        for at in self._at.get(wanted[0], ()):
            if self.words[at : at + len(wanted)] == wanted:
                yield self._span(at, at + len(wanted) - 1)

    def near(self, said: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Where all the words stand close together, in any order."""
        needed = set(said)
        if not needed <= self._at.keys():
            return
        rarest = min(needed, key=lambda word: len(self._at[word]))
        reach = len(needed) + _SPREAD
        for at in self._at[rarest]:
            first = max(0, at - reach)
            hit = {
                word: min(places, key=lambda place: abs(place - at))
                for word in needed
                if (places := self._between(word, first, at + reach))
            }
            if len(hit) == len(needed) and max(hit.values()) - min(hit.values()) < reach:
                yield self._span(min(hit.values()), max(hit.values()))

    def capitals(self, text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Words that begin with a capital and are no usual opening of a sentence: place and folded words."""
        groups: dict[tuple[int, int], list[str]] = {}
        for word, place in zip(self.words, self._places, strict=True):
            groups.setdefault(place, []).append(word)
        for (start, end), said in groups.items():
            if any(char.isupper() for char in text[start:end]) and not _COMMANDS.issuperset(said):
                yield start, end, tuple(said)

    def _between(self, word: str, first: int, last: int) -> list[int]:
        places = self._at[word]
        return places[bisect_right(places, first - 1) : bisect_right(places, last)]

    def _span(self, first: int, last: int) -> tuple[int, int]:
        return self._places[first][0], self._places[last][1]
