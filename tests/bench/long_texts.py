"""How the time of each check grows with the text it judges: ratios, so that the machine does not matter.

`python tests/bench/long_texts.py` doubles a text four times and prints by how much the processor time of each
check grows: 2 is linear, 4 quadratic. Times that are too short to tell are left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from coreact.rubric import (
    Action,
    AnswerCitesObserved,
    AnswerObserved,
    ArgumentContains,
    ArgumentMatches,
    ArgumentsFitSchema,
    HasProvenance,
    NotRepeat,
    Observation,
    QuoteInObservation,
    State,
    Step,
    ToolCall,
    ToolContract,
)
from coreact.rubric.checks import AnswerFitsSchema, ArgumentsHaveProvenance
from coreact.rubric.words import fold

SEARCH = ToolContract(
    name="search",
    role="search",
    read_only=True,
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
CHECKS: tuple[Any, ...] = (
    ArgumentContains(argument="query", terms=("gold",)),
    ArgumentMatches(argument="query", pattern="(z+)+$"),
    ArgumentsFitSchema(),
    HasProvenance(argument="query"),
    ArgumentsHaveProvenance(),
    NotRepeat(),
    AnswerCitesObserved(),
    AnswerObserved(),
    AnswerFitsSchema(json_schema={"type": "string", "pattern": "(z+)+$"}),
    QuoteInObservation(quote="gold"),
)


def _word(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:07d}")


TEXTS: dict[str, Callable[[int], str]] = {
    "words": lambda size: " ".join(map(_word, range(size // 8))),
    "unspaced": lambda size: "".join(chr(0x4E00 + n % 20_000) for n in range(size)),
    "addresses": lambda size: " ".join(f"https://x.org/{n:07d}" for n in range(size // 22)),
    "brackets": lambda size: "[" * size,
}


def seconds(check: Any, text: str, state: State) -> float:
    """Processor time of judging a text as an answer and as an argument; the least of three."""
    actions = (Action(answer=text), Action(call=ToolCall(name="search", arguments={"query": text})))
    least = float("inf")
    for _ in range(3):
        fold.cache_clear()
        started = time.process_time()
        for action in actions:
            check.evaluate(action, state)
        least = min(least, time.process_time() - started)
    return least


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2**20, help="characters of the longest text")
    size = parser.parse_args().size
    found = Observation(text=" ".join(_word(10**6 + n) for n in range(8000)))
    state = State.start("Where is gold?", tools=(SEARCH,)).after(
        Step(call=ToolCall(name="search", arguments={"query": "gold"}), observation=found)
    )
    for name, text in TEXTS.items():
        sys.stdout.write(f"\n{name}\n")
        for check in CHECKS:
            times = [seconds(check, text(size >> halved), state) for halved in (4, 3, 2, 1, 0)]
            told = [
                f"{longer / shorter:5.2f}" if shorter > 1e-3 else "     "
                for shorter, longer in pairwise(times)
            ]
            sys.stdout.write(f"  {check.kind:28} {' '.join(told)}   {times[-1] * 1000:8.1f} ms\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
