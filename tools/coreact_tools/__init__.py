"""Tools for agents, as plain LangChain tools: `corpus_tools` over a closed corpus, and `calculator`.

Each tool says in its `metadata` what it is for (`role`) and whether it changes anything (`read_only`).
"""

from __future__ import annotations

from coreact_tools.calculator import NotComputableError, calculator, evaluate
from coreact_tools.corpus import CorpusLike, HitLike, PassageLike, corpus_tools

__all__ = [
    "CorpusLike",
    "HitLike",
    "NotComputableError",
    "PassageLike",
    "calculator",
    "corpus_tools",
    "evaluate",
]
