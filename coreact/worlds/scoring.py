"""Is an answer right, and was its proof found: decided by comparing text, never by a model.

`normalise_answer` follows the SQuAD metric (lower case, no articles, no punctuation, single spaces) and
goes on where that metric counts a spelling as an error (diacritics, `Guinea Bissau` for `Guinea-Bissau`) or
an error as a spelling (`35` for `3.5`, `5` for `-5`). It does not judge meaning: a right answer in words
that the question does not list is wrong here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from coreact.worlds._words import fold, is_unspaced

if TYPE_CHECKING:
    from coreact.worlds.records import Question


class Supported(Protocol):
    """Something to be done that certain passages or documents are needed for."""

    @property
    def supporting_ids(self) -> Sequence[str]:
        """Their ids, at least one."""


_DECIMAL_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_MINUS = re.compile(r"(?<!\w)[-−](?=\d)")  # noqa: RUF001
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
# Private-use characters: they are neither letters nor punctuation and cannot stand in an answer by accident.
_KEPT_POINT, _KEPT_MINUS = "\ue000", "\ue001"


def normalise_answer(text: str) -> str:
    """The form in which two answers are compared.

    Case and diacritics folded, dashes and slashes as spaces, other punctuation and symbols dropped (but the
    decimal point of a number and the minus before it), English articles dropped, single spaces. Idempotent.
    Articles stay where there is nothing else (`The The`), punctuation likewise (`?`).
    """
    plain = _plain(text)
    return " ".join(_ARTICLE.sub(" ", plain).split()) or plain


def exact_answer(answer: str, question: Question) -> bool:
    """Whether the whole answer, normalised, is the gold answer or one of its aliases."""
    return normalise_answer(answer) in _accepted(question)


def contains_answer(text: str, question: Question) -> bool:
    """Whether the gold answer or an alias stands in a longer text, as whole words.

    Weaker than `exact_answer`: a text that names every candidate contains the answer too, and a short
    answer such as `no` stands in many texts.
    """
    return any(stands_in(accepted, text) for accepted in (question.answer, *question.answer_aliases))


def stands_in(wanted: str, text: str) -> bool:
    """Whether a text, normalised, stands in a longer one as whole words; an empty one stands nowhere."""
    needle = normalise_answer(wanted)
    return bool(needle) and any(_stands_in(needle, form) for form in _forms(text))


@lru_cache(maxsize=256)
def _forms(text: str) -> frozenset[str]:
    return frozenset((normalise_answer(text), _plain(text)))


def gold_share(found_ids: Iterable[str], question: Supported) -> float:
    """The share of the question's supporting passages among those found, in [0, 1], higher is better."""
    gold = set(question.supporting_ids)
    return len(gold.intersection(found_ids)) / len(gold)


def _accepted(question: Question) -> set[str]:
    return {normalise_answer(accepted) for accepted in (question.answer, *question.answer_aliases)} - {""}


def _plain(text: str) -> str:
    """Everything that `normalise_answer` does but for the articles."""
    folded = fold(text)
    marked = _MINUS.sub(_KEPT_MINUS, _DECIMAL_POINT.sub(_KEPT_POINT, folded))
    bare = "".join(map(_without_punctuation, marked))
    bare = bare.replace(_KEPT_POINT, ".").replace(_KEPT_MINUS, "-")
    # "?" and "'" are answers too: a step that leaves nothing is not taken.
    return next((" ".join(form.split()) for form in (bare, folded, text.casefold()) if form.strip()), "")


def _without_punctuation(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Pd" or character == "/":
        return " "
    return "" if category[0] in "PS" else character


def _stands_in(wanted: str, text: str) -> bool:
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if _is_edge(text[start - 1 : start], wanted[0]) and _is_edge(text[end : end + 1], wanted[-1]):
            return True
        start = text.find(wanted, start + 1)
    return False


def _is_edge(outside: str, inside: str) -> bool:
    """Whether a word may end between these two characters (`outside` is empty at an end of the text)."""
    return not outside or outside == " " or is_unspaced(outside) or is_unspaced(inside)
