"""Were the passages found that prove the answer.

Compares ids. A passage that says the same as a gold passage and is none counts as not found.
"""

from __future__ import annotations

from collections.abc import Collection


def gold_share(found: Collection[str], gold: Collection[str]) -> float | None:
    """The share of the gold passages that were found, in [0, 1]; None where there are none."""
    wanted = set(gold)
    return len(wanted.intersection(found)) / len(wanted) if wanted else None


def all_gold(found: Collection[str], gold: Collection[str]) -> float | None:
    """1 where every gold passage was found, else 0; None where there are none."""
    part = gold_share(found, gold)
    return None if part is None else float(part == 1)


def found_precision(found: Collection[str], gold: Collection[str]) -> float | None:
    """The share of what was found that is gold, in [0, 1]; None where nothing was found or is gold."""
    shown = set(found)
    return len(shown.intersection(gold)) / len(shown) if shown and gold else None
