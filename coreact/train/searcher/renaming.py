"""A world with the same shape and made-up names, so that a model has to copy what it cannot know.

A few hundred real names are learned by heart long before copying is. Every name's words and every code are
replaced, in passages and questions alike, by new ones that are drawn for this world; the words of the
sentences stay. Comparison questions are left out, because the figures in a passage may be hit by a code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random

from coreact.worlds import Passage, Question, World

_ONSETS = "b b br c ch d d dr f g g gr h j k k l l m m n n p p r r s s sh st t t th tr v w y z".split()
_VOWELS = "a a a a e e e i i i o o o u u ai ou ia é".split()
_CODAS = ["", "", "", "", "", "", *"n n n r r l s s m k t d ng st sh".split()]
_TEMPLATE_WORDS = frozenset(
    """The In Prices Calls About It With Its ISO Banks Catalogues Texts Which What On Under How Do Of Codes
    Money Language Borders Islands Republic Emirates United Democratic Central""".split()
)
"""Words of sentences, and of names that take an article: they stay as they are."""
_KEPT = frozenset({"continent", "script"})
"""Relations whose few answers are words of the sentences, too."""


def renamed(world: World, rng: Random) -> World:
    """The world under new names, without its comparison questions."""
    bridges = [question for question in world.questions if question.kind == "bridge"]
    new = _Names(rng)
    table: dict[str, str] = {}
    for name in sorted(_names(world, bridges)):
        for word, made in new.replacements(name):
            table.setdefault(word, made)
    pattern = re.compile(
        rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(table, key=lambda w: (-len(w), w))))})(?!\w)"
    )

    def rename(text: str) -> str:
        if text.isdigit():  # the entity of a hop from a calling code; it stands as `+49` in every text
            return rename(f"+{text}").removeprefix("+")
        return pattern.sub(lambda found: table[found[0]], text)

    return World(
        name=f"{world.name} renamed",
        passages=tuple(Passage(id=p.id, title=rename(p.title), text=rename(p.text)) for p in world.passages),
        questions=tuple(_question(question, rename) for question in bridges),
    )


def _names(world: World, bridges: list[Question]) -> set[str]:
    named = {
        name
        for question in bridges
        for hop in question.chain
        for name in (hop.entity, *(() if hop.relation in _KEPT else (hop.answer,)))
    }
    countries = {passage.title for passage in world.passages if "square kilometres" in passage.text}
    return named | countries


def _question(question: Question, rename: Callable[[str], str]) -> Question:
    return Question(
        id=question.id,
        question=rename(question.question),
        answer=rename(question.answer),
        hops=question.hops,
        kind=question.kind,
        supporting_ids=question.supporting_ids,
        chain=tuple(
            hop.model_copy(update={"entity": rename(hop.entity), "answer": rename(hop.answer)})
            for hop in question.chain
        ),
    )


class _Names:
    """Draws names and codes that were not drawn before."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._taken: set[str] = set()

    def replacements(self, name: str) -> Iterator[tuple[str, str]]:
        """What to put in the place of a name: of each of its words, or of the code that it is."""
        if name.startswith("."):
            yield name, self._new(lambda: "." + self._letters(2))
        elif name.startswith("+"):
            yield name, self._new(lambda: "+" + self._digits(len(name) - 1))
        elif re.fullmatch(r"[A-Z]{3}", name):
            yield name, self._new(lambda: self._letters(3).upper())
        elif re.fullmatch(r"[a-z]{3}", name):
            yield name, self._new(lambda: self._letters(3))
        else:
            for word in re.findall(r"[^\W\d_][\w’']*", name):
                if len(word) > 1 and word[0].isupper() and word not in _TEMPLATE_WORDS:
                    yield word, self._new(self._word)

    def _new(self, draw: Callable[[], str]) -> str:
        made = draw()
        while made in self._taken:
            made = draw()
        self._taken.add(made)
        return made

    def _word(self) -> str:
        draw = self._rng.choice
        syllables = self._rng.choice((1, 2, 2, 2, 3, 3))
        return "".join(f"{draw(_ONSETS)}{draw(_VOWELS)}{draw(_CODAS)}" for _ in range(syllables)).capitalize()

    def _letters(self, count: int) -> str:
        return "".join(self._rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(count))

    def _digits(self, count: int) -> str:
        return str(self._rng.randint(10 ** max(0, count - 1), 10 ** max(count, 2) - 1))
