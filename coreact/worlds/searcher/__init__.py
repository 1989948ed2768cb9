"""A scripted policy that searches well and errs at known rates, as a chat model.

With it the effect of guidance and of verification is seen free of a small model's weakness: what it does
wrong is set, so a difference between two arms has one cause. `plan` is what it knows, `advice` what it reads
off guidance, `policy` what it decides, `model` the chat model around that.
"""

from __future__ import annotations

from coreact.worlds.searcher.advice import Advice, read_advice
from coreact.worlds.searcher.model import StochasticSearcher
from coreact.worlds.searcher.plan import PlannedHop, Plans, Situation, plan_of
from coreact.worlds.searcher.policy import Errors, Move, decide

__all__ = [
    "Advice",
    "Errors",
    "Move",
    "PlannedHop",
    "Plans",
    "Situation",
    "StochasticSearcher",
    "decide",
    "plan_of",
    "read_advice",
]
