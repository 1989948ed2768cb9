"""Which split a task belongs to: by its own hash, so that more runs move nothing.

All steps of all runs of one task lie in one split. Split by step or by run, and a test set holds prompts
whose beginnings were trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_BITS = 64


def split_of(task: str, splits: Sequence[tuple[str, float]], seed: int = 0) -> str:
    """The name of the split.

    Tasks that differ in case or blanks only are one task.

    Args:
        task: the question of a run.
        splits: names and shares, which add up to 1.
        seed: another one deals the tasks anew.
    """
    folded = " ".join(task.casefold().split())
    drawn = hashlib.sha256(f"{seed}\n{folded}".encode("utf-8", "surrogatepass")).digest()
    at = int.from_bytes(drawn[: _BITS // 8], "big") / 2**_BITS
    upper = 0.0
    for name, share in splits:
        upper += share
        if at < upper:
            return name
    return splits[-1][0]
