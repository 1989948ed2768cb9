"""Offline worlds: a closed corpus to search, questions with their proof, and scoring by text comparison.

    from coreact.worlds import Corpus, exact_answer, gazetteer

    world = gazetteer(questions=100)
    corpus = Corpus(world.passages)
    hits = corpus.search("Ouagadougou capital")

Importing this package is cheap. The search library is loaded by `Corpus(...)`, the fact tables
by `gazetteer()`. What needs LangChain is imported by its module: `environment` (state and action to
observation), `users` and `transfer` (simulated users), `engine` (a model as search engine), `searcher` (a
scripted policy with known errors).
"""

from __future__ import annotations

from coreact.worlds.corpus import Corpus, Hit
from coreact.worlds.documents import DocumentTask, DocumentWorld, load_documents
from coreact.worlds.fanout import (
    FanOutQuestion,
    FanOutWorld,
    load_fanout,
    loose_accuracy,
    plan_score,
)
from coreact.worlds.files import load_world
from coreact.worlds.gazetteer import gazetteer
from coreact.worlds.records import Hop, Passage, Question, Split, World, content_version
from coreact.worlds.scoring import contains_answer, exact_answer, gold_share, normalise_answer

__all__ = [
    "Corpus",
    "DocumentTask",
    "DocumentWorld",
    "FanOutQuestion",
    "FanOutWorld",
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
    "load_documents",
    "load_fanout",
    "load_world",
    "loose_accuracy",
    "normalise_answer",
    "plan_score",
]
