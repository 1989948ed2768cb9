"""Do searches for what is missing find more than one long search? No model is asked.

    python tests/bench/retrieval.py [FOLDER] [--searches 2] [--k 5]

Without FOLDER: 300 questions of the embedded gazetteer. FOLDER holds `questions.jsonl`, `passages.jsonl` and,
if it has any, `distractors*.jsonl` (see `coreact.worlds.load_world`). Every policy shows at most the same
number of passages. The gap policy's wording was chosen on the first half of the questions of such a folder
(`coreact.worlds.multihop.halves`); the second half, and the gazetteer, are unseen.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coreact.bench.statistics import interval, paired_difference
from coreact.research.gaps import Fixed, GapDriven
from coreact.worlds import Corpus, Question, gazetteer, gold_share, load_world
from coreact.worlds.multihop import halves


def show(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def shares(policy: Any, questions: Sequence[Question]) -> tuple[list[float], int, int, float]:
    """Gold share by question, searches, passages shown, and milliseconds a question."""
    started = time.perf_counter()
    gathered = [policy.gather(question.question) for question in questions]
    spent = (time.perf_counter() - started) * 1000 / len(questions)
    found = [
        gold_share([passage.id for passage in one.passages], question)
        for one, question in zip(gathered, questions, strict=True)
    ]
    return found, sum(len(g.queries) for g in gathered), sum(len(g.passages) for g in gathered), spent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--searches", type=int, default=2)
    parser.add_argument("--k", type=int, default=5, help="passages that one search shows")
    settings = parser.parse_args()
    world = load_world(settings.folder, distractors=True) if settings.folder else gazetteer(questions=300)
    corpus = Corpus(world.passages)
    parts = halves(world.questions)
    k, searches = settings.k, settings.searches
    policies = {
        f"one search, {searches * k} passages": Fixed(corpus, searches=1, k=searches * k),
        f"gap-driven, {searches} searches of {k}": GapDriven(corpus, searches=searches, k=k),
    }
    control = next(iter(policies))
    show(f"{world.name} {world.version[:19]}, {len(world.passages)} passages")
    groups = {"chosen on (train half)": parts.train, "unseen (dev half)": parts.dev, "all": world.questions}
    for kind in sorted({question.kind for question in parts.dev}):
        groups[f"unseen, {kind}"] = [one for one in parts.dev if one.kind == kind]
    for group, questions in groups.items():
        show(f"\n{group}: {len(questions)} questions")
        base: list[float] = []
        for name, policy in policies.items():
            found, made, shown, spent = shares(policy, questions)
            whole = [float(share == 1) for share in found]
            show(
                f"  {name:32} gold share {interval(found)}  all gold {interval(whole)}"
                f"  searches {made}  shown {shown}  {spent:.1f} ms"
            )
            if name == control:
                base = found
            else:
                alls = [float(share == 1) for share in base]
                show(
                    f"  {'minus one search':>32} gold share {paired_difference(found, base)}"
                    f"  all gold {paired_difference(whole, alls)}"
                )


if __name__ == "__main__":
    main()
