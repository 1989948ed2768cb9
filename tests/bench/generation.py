"""What writing a heuristic rubric costs, and how that grows with the run: milliseconds and ratios of one run.

`python tests/bench/generation.py` builds runs of 10 to 400 steps and times two things at the end of each:
reading one more step, and writing the rubric of the decision after it. Neither may depend on how long the
run is, since only what is new is read. Targets: writing takes under 0.5 ms at 40 steps, and both cost at 400
steps what they cost at 40.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from coreact.generate import HeuristicGenerator
from coreact.rubric import Observation, State, Step, ToolCall, ToolContract

TARGET_MS = 0.5
LENGTHS = (10, 40, 160, 400)
QUESTION = "Which river flows through the capital of the country where the founder of Novosel Works was born?"
SEARCH = ToolContract(
    name="search",
    role="search",
    read_only=True,
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)


class Times(NamedTuple):
    """Milliseconds of one run's next decision, a value a round."""

    read: list[float]
    """Reading one more step that was never seen (`State.after`)."""
    write: list[float]
    """The rubric of the decision after it."""


def step(number: int) -> Step:
    """One search with a result of the length that the corpus tool shows: three passages, no two alike."""
    name = f"Place {number} Valley"
    lines = (
        f"[p{number}.{at}] {name}: {name} lies on the Isen{number} near Mount Garo{at}. It was founded by "
        f"Ada Novosel in {1500 + number} and has a mill, a museum and a school of {number} pupils. The road "
        f"to Lower Brenna{number} was built later, and the railway came with the Novosel Works of Tarn{at}."
        for at in range(3)
    )
    call = ToolCall(name="search", arguments={"query": f"{name} founder"}, id=f"c{number}")
    return Step(call=call, observation=Observation(text="\n".join(lines), id=f"m{number}"))


def run(steps: int) -> State:
    """The state after so many steps."""
    state = State.start(QUESTION, tools=(SEARCH,), limit=2 * max(LENGTHS))
    for number in range(steps):
        state = state.after(step(number))
    return state


def measure(lengths: Sequence[int], *, rounds: int) -> dict[int, Times]:
    """Time the next decision of runs of every length, all taking turns in each round."""
    generator = HeuristicGenerator()
    states = {steps: run(steps) for steps in lengths}
    times = {steps: Times([], []) for steps in lengths}
    for number in range(rounds):
        for at, (steps, state) in enumerate(states.items()):
            generator.write(state)  # the decision before
            new = step(10_000 + number * len(lengths) + at)
            gc.collect()
            started = time.perf_counter()
            after = state.after(new)
            read = time.perf_counter()
            generator.write(after)
            wrote = time.perf_counter()
            times[steps].read.append(1000 * (read - started))
            times[steps].write.append(1000 * (wrote - read))
    return times


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=200)
    chosen = options.parse_args()
    found = {
        steps: [statistics.median(values) for values in taken]
        for steps, taken in measure(LENGTHS, rounds=chosen.rounds).items()
    }
    write = sys.stdout.write
    write(
        f"Heuristic rubric, median ms of {chosen.rounds} rounds; target {TARGET_MS} ms to write at 40 steps\n"
    )
    write(f"{'steps':>6} {'read':>8} {'to 40':>8} {'write':>8} {'to 40':>8}\n")
    for steps, medians in found.items():
        shown = (f"{own:>8.3f} {own / base:>6.2f} x" for own, base in zip(medians, found[40], strict=True))
        write(f"{steps:>6} {' '.join(shown)}\n")


if __name__ == "__main__":
    main()
