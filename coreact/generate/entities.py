"""Names in a text, found without a model: capitalised runs, quoted phrases, codes.

Only what looks like a name counts, since a term found here may be put in front of an agent and
the text may be hostile: a term is short, on one line, made of words, and shown in quotes. Scripts
without capital letters yield quoted phrases only. Deliberately no language detection and no
gazetteer.
"""

from __future__ import annotations

import re
from functools import lru_cache

from coreact.rubric.words import fold

MAX_TERM_WORDS = 5
MAX_TERM_CHARS = 60

# Quotation marks of several scripts open and close a name.
_QUOTED = re.compile(r"[\"“„«「]([^\"“”„«»「」\n]{2,60})[\"”“»」]")
_BREAK = re.compile(r"[.!?:;\]]\s+|\n+")  # the sign goes too: it is part of no name
# Runs of small ASCII words are matched as one (the group), since most of a text is that: twice as quick.
_SMALL = r"[a-z]++(?!['’.\-]?[^\W_])"
_TOKEN = re.compile(rf"({_SMALL}(?: {_SMALL})*+)|\+?[^\W_]+(?:['’.\-][^\W_]+)*", re.UNICODE)
_SHOUTED = 3  # words from which on a run in capitals is taken for a sentence
_POSSESSIVE = re.compile(r"['’]s$")
_INSIDE = frozenset("of de da do dos du del der den van von la le al el bin ibn the".split())
OPENERS = frozenset(
    """a after also although an and another are as at because before both but by can could did do does
    during each find for from give had has have he her here his how i if in into is it its list many
    most name no not of on one or other our she since so some such tell that the their there these they
    this those though to under until was we were what when where whether which while who whom whose why
    will with would yes you your""".split()
)
"""English words that open a sentence with a capital but name nothing."""


@lru_cache(maxsize=256)
def entities(text: str) -> tuple[str, ...]:
    """Names in `text`, in order of appearance, without repeats (compared folded)."""
    found: dict[str, str] = {}
    for phrase in _QUOTED.findall(text):
        _keep(phrase.strip(), found)
    for sentence in _BREAK.split(text):
        for phrase in _runs(sentence):
            _keep(phrase, found)
    return tuple(found.values())


def _keep(phrase: str, found: dict[str, str]) -> None:
    phrase = _POSSESSIVE.sub("", phrase)
    key = fold(phrase)
    if len(key.split()) > _SHOUTED and phrase.isupper():
        return  # a shouted sentence is no name, and may be an instruction
    short = len(phrase) <= MAX_TERM_CHARS and len(key.split()) <= MAX_TERM_WORDS
    if len(key) > 1 and short and key not in found:
        found[key] = phrase


def _runs(sentence: str) -> list[str]:
    runs: list[str] = []
    start = end = before = -1  # of the open run, and where the token before this one ended
    for token in _TOKEN.finditer(sentence):
        small = token.lastindex is not None
        if small and start < 0:
            continue
        word = token.group()
        named = not small and _named(word)
        if start >= 0:
            goes_on = named or all(one in _INSIDE for one in word.split(" "))
            if not (goes_on and _blank(sentence[before : token.start()])):
                runs.append(sentence[start:end])
                start = -1
        before = token.end()
        if named:
            if start < 0 and (len(word) == 1 or word.casefold() not in OPENERS):
                start = token.start()
            end = before
    if start >= 0:
        runs.append(sentence[start:end])
    return runs


def _blank(between: str) -> bool:
    return between.strip(" ") == ""


def _named(word: str) -> bool:
    if word.islower():  # most words are, and this is quick
        return False
    if word[0].isupper():
        return True
    if word[0] == "+":  # a calling code names its country
        return word[1:].isdigit()
    has_upper = any(char.isupper() for char in word)
    return has_upper and (any(char.isdigit() for char in word) or word[1:2].isupper())
