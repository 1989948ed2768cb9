"""Names that belong to another question and would mislead in this one.

A rubric of a similar question is full of that question's names. Whoever reuses it must leave them behind:
a criterion that asks to search for the capital of another country is worse than none. Names are found
without a model (`coreact.generate.entities`), so scripts without capital letters give quoted phrases and
numbers only.
"""

from __future__ import annotations

from collections.abc import Iterator

from coreact.generate.entities import OPENERS, entities
from coreact.rubric import Criterion, State, ToolContract
from coreact.rubric.checks.base import text_of
from coreact.rubric.words import words


def foreign_name(criterion: Criterion, question: str, state: State) -> str | None:
    """A word of a name or number of another question that a criterion holds and the state does not.

    Args:
        criterion: the criterion; its check's texts are read as well.
        question: the other question.
        state: the state that the criterion is to guide. What stands in its question, given text,
            observations or tools is not foreign.

    Returns:
        The first such word, folded; None where there is none.
    """
    said = set(words(_texts(criterion)))
    return next((word for word in _name_words(question) if word in said and not _known(word, state)), None)


def unknown_name(criterion: Criterion, state: State) -> str | None:
    """A name in a criterion that stands nowhere in the state, acronyms aside; None where there is none.

    A reader without a model cannot tell a name of the field, which it might take over, from one that was
    found out in another run, which it must not. So both are told.
    """
    # The first word of a sentence has a capital whatever it is.
    sentence = criterion.text if criterion.text[:2].isupper() else _lowered(criterion.text)
    for name in entities(sentence):
        if not name.isupper() and not all(_known(word, state) for word in words(name)):
            return name
    return None


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _texts(criterion: Criterion) -> str:
    check = criterion.check
    return criterion.text if check is None else f"{criterion.text} {text_of(check.model_dump())}"


def _name_words(question: str) -> Iterator[str]:
    for name in entities(question):
        yield from (word for word in words(name) if len(word) > 1 and word not in OPENERS)
    yield from (word for word in words(question) if any(map(str.isdigit, word)))


def _known(word: str, state: State) -> bool:
    return word in OPENERS or state.knows(word) or any(word in _tool_words(tool) for tool in state.tools)


def _tool_words(tool: ToolContract) -> tuple[str, ...]:
    parts = tool.name.replace("_", " ")
    return words(f"{tool.name} {parts} {tool.description} {' '.join(tool.properties)}")
