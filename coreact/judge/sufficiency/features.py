"""A decision to stop as numbers: what of the question is observed, and what the drafted answer rests on.

Everything is computed from the trace: question, observations, draft, plan, budget and the last judgement.
No gold answer, no model, no randomness; the same trace gives the same numbers. They feed the light critic
(see `critic`), and are readable by themselves.

Source: SIM-RAG (arXiv 2505.02811) gives its critic question, context, answer and rationale as text; here a
linear model gets numbers about them instead, so that it can be fitted on some hundred examples and read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from coreact.judge.records import Judgement
from coreact.judge.sufficiency.evidence import FUNCTION_WORDS, Evidence, observed
from coreact.rubric import State
from coreact.rubric.words import words

VERSION = 1
"""Version of the features' definitions: a critic fitted on others must not read these."""

FEATURES: dict[str, str] = {
    "words_covered": "share of the question's content words that were observed",
    "names_covered": "share of the question's names and numbers that were observed; as above if it has none",
    "best_line": "largest share of the question's content words that one observed line holds",
    "searches": "logarithm of one plus the number of searches",
    "new_lines": "share of the last search's lines that were not seen before; 0 if nothing came",
    "stale": "searches in a row, up to now, that brought nothing new, at most 3",
    "repeats": "share of the searches whose words were searched for before",
    "failed": "share of the steps that failed",
    "draft_given": "1 where there is a draft with a word in it",
    "draft_observed": "share of the draft's words that are not the question's and were observed; 0 if none",
    "draft_asked": "share of the draft's words that stand in the question itself; 0 without a draft",
    "draft_whole": "1 where the draft stands in an observed line as it is",
    "draft_beside": "largest share of the question's content words in a line that the draft stands in",
    "draft_linked": "share of the question's names that hang together with the draft's lines by shared names",
    "plan_open": "share of the plan's sub-questions that no observed line speaks of; 0 without a plan",
    "budget_used": "share of the budget that is used; 0 without a limit",
    "rubric_score": "score of the last judgement; 0.5 where nothing was judged",
}
"""What each feature says; all lie in [0, 1] but `searches` (0 or more) and `stale` (0 to 3)."""

_LONG_DRAFT = 12  # words: nobody's observation says a whole report, so its words are looked at one by one
_MOST_STALE = 3


def features(
    state: State, draft: str = "", *, plan: Sequence[str] = (), judgement: Judgement | None = None
) -> dict[str, float]:
    """The features of answering `draft` now.

    Args:
        state: the trajectory so far.
        draft: the answer that would be given; empty where there is none.
        plan: sub-questions, where the agent made a plan.
        judgement: the last one of the run, if any step was judged.

    Returns:
        One finite number for each name in `FEATURES`, in that order.
    """
    evidence = Evidence(state)
    question = state.question
    covered = evidence.coverage(question)
    named = evidence.names_covered(question)
    searches = len(state.queries)
    new, stale = news(state)
    said = words(draft)
    holding = evidence.holding(draft) if 0 < len(said) <= _LONG_DRAFT else ()
    linked = evidence.reached(holding, question)
    open_parts = [part for part in plan if not evidence.resolves(part)]
    limit = state.budget.limit
    score = judgement.score if judgement is not None else None
    beside = evidence.best_line(question, holding)
    return {
        "words_covered": covered,
        "names_covered": covered if named is None else named,
        "best_line": evidence.best_line(question),
        "searches": math.log1p(searches),
        "new_lines": new,
        "stale": float(min(stale, _MOST_STALE)),
        "repeats": _repeated(state.queries) / searches if searches else 0.0,
        "failed": sum(not step.succeeded for step in state.steps) / len(state.steps) if state.steps else 0.0,
        "draft_given": float(bool(said)),
        "draft_observed": _observed(said, question, evidence),
        "draft_asked": len(set(said).intersection(words(question))) / len(set(said)) if said else 0.0,
        "draft_whole": float(bool(holding)),
        "draft_beside": beside,
        "draft_linked": beside if linked is None else linked,
        "plan_open": len(open_parts) / len(plan) if plan else 0.0,
        "budget_used": min(1.0, state.budget.used / limit) if limit else 0.0,
        "rubric_score": 0.5 if score is None else score,
    }


def news(state: State) -> tuple[float, int]:
    """What the searches still bring: share of new lines in the last one, and barren ones in a row up to now.

    A search that failed or found nothing is barren.
    """
    seen: set[str] = set()
    share, barren = 0.0, 0
    for step in state.steps:
        tool = state.tool(step.call.name)
        found = {line.folded for line in observed(step)}
        if tool is not None and tool.role == "search":
            share = len(found - seen) / len(found) if found else 0.0
            barren = 0 if share else barren + 1
        seen |= found
    return share, barren


def _repeated(queries: Sequence[str]) -> int:
    return len(queries) - len({frozenset(words(query)) for query in queries})


def _observed(said: Sequence[str], question: str, evidence: Evidence) -> float:
    asked = set(words(question))
    added = [word for word in dict.fromkeys(said) if word not in asked and word not in FUNCTION_WORDS]
    if not added:
        return 0.0
    return sum(any(word in line.words for line in evidence.lines) for word in added) / len(added)
