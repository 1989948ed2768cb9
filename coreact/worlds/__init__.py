"""Offline worlds: a closed corpus to search, questions with their proof, and scoring by text comparison.

    from coreact.worlds import Corpus, exact_answer, gazetteer

    world = gazetteer(questions=100)
    corpus = Corpus(world.passages)
    hits = corpus.search("Ouagadougou capital")

Importing this package is cheap. The search library is loaded by `Corpus(...)`, the fact tables
by `gazetteer()`.
"""

from __future__ import annotations

from coreact.worlds.corpus import Corpus, Hit
from coreact.worlds.files import load_world
from coreact.worlds.gazetteer import gazetteer
from coreact.worlds.records import Hop, Passage, Question, Split, World, content_version
from coreact.worlds.scoring import contains_answer, exact_answer, gold_share, normalise_answer

__all__ = [
    "Corpus",
    "Hit",
    "Hop",
    "Passage",
    "Question",
    "Split",
    "World",
    "contains_answer",
    "content_version",
    "exact_answer",
    "gazetteer",
    "gold_share",
    "load_world",
    "normalise_answer",
]
