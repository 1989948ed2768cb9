"""Which k of the usable proposals become candidates, and in which order: nothing of it tells which is good.

Proposals that say the same (letter case, blanks, punctuation apart) are one. Of the others k are kept by
greedy max-min distance: from one drawn by hash, always the one farthest from those kept. The distance of two
actions is Jaccard's of their folded words, the tool's name among them; a dozen short texts are too few for
the corpus statistics of BM25 or TF-IDF, which Co-ReAct's code (arXiv 2605.23590) uses. That code begins with
the longest proposal and shows it first, so that length and position go together; here the first is drawn and
the order is that of a hash, and neither depends on the order in which proposals came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from coreact.rubric import Action
from coreact.rubric.canonical import digest
from coreact.rubric.words import canonical_url, fold, is_web_address, similarity
from coreact.train.branch.screening import Screened


class Kept(NamedTuple):
    """The candidates of a decision, in their order, and what became of the others."""

    candidates: tuple[Screened, ...]
    dropped: dict[str, int]
    """How many were `duplicate` and `not_diverse`; only reasons that occur."""


def normal_key(action: Action) -> str:
    """What an action says: equal for actions that differ in letter case, blanks or punctuation only."""
    if action.call is None:
        return digest({"answer": _normal(action.answer or "")})
    return digest({"name": action.call.name, "arguments": _normal(action.call.arguments)})


def _normal(value: Any) -> Any:
    if isinstance(value, str):
        return canonical_url(value) if is_web_address(value) else fold(value) or value.strip()
    if isinstance(value, dict):
        return {name: _normal(one) for name, one in value.items()}
    return [_normal(one) for one in value] if isinstance(value, list | tuple) else value


def distance(left: Action, right: Action) -> float:
    """How different two actions are, in [0, 1]: 1 minus the Jaccard similarity of their words."""
    return 1 - similarity(_words(str(left)), _words(str(right)))


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(fold(text).split())


def diverse(proposals: Sequence[Screened], *, k: int, seed: str) -> Kept:
    """At most `k` different candidates, in the order of a hash.

    The result depends on what is proposed and on the seed, never on the order of the proposals. Of proposals
    that say the same, the wording is drawn as well; where several proposed it word for word, the source that
    comes first in the alphabet is named.

    Args:
        proposals: usable proposals.
        k: candidates to keep, at least 1.
        seed: of the draws: the id of the decision.
    """
    same: dict[str, Screened] = {}
    for one in sorted(proposals, key=lambda one: (_drawn(seed, str(one.action)), one.source)):
        same.setdefault(normal_key(one.action), one)
    pool = sorted(same, key=lambda key: _drawn(seed, key))
    far = dict.fromkeys(pool, float("inf"))
    kept: list[str] = []
    while pool and len(kept) < k:
        # The pool stands in the order of the hash, so the first, and of equally far ones one, is drawn.
        at = max(pool, key=far.__getitem__)
        pool.remove(at)
        kept.append(at)
        for other in pool:
            far[other] = min(far[other], distance(same[at].action, same[other].action))
    order = sorted(kept, key=lambda key: _drawn(f"{seed}|order", key))
    dropped = {"duplicate": len(proposals) - len(same), "not_diverse": len(pool)}
    return Kept(tuple(same[key] for key in order), {name: n for name, n in dropped.items() if n})


def _drawn(seed: str, what: str) -> bytes:
    return hashlib.sha256(f"{seed}|{what}".encode("utf-8", "surrogatepass")).digest()
