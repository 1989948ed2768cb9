"""What judging costs beside the model: processor time per criterion, and how far a panel is from ideal.

Run it on a quiet machine: `python tests/bench/judging.py`. The model is scripted, so its own time is
that of LangChain around it; it is measured in the same run and taken off.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

from coreact.judge import judgement
from coreact.judge.model import ModelJudge
from coreact.rubric import Action, Criterion, Observation, Rubric, State, Step, ToolCall
from coreact.testing import ScriptedModel

ROUNDS = 40
TARGET_MS = 0.2
PAGE = "Dune is a 1965 novel by Frank Herbert. It won the Hugo Award and the first Nebula Award. " * 25


def cpu_ms(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def measured(count: int, state: State, action: Action) -> tuple[float, float]:
    """Median milliseconds of judging `count` criteria, and of the bare model in the same rounds."""
    rubric = Rubric(
        criteria=tuple(Criterion(id=f"c{n}", text=f"Condition number {n} holds.") for n in range(count))
    )
    finding = {"reason": "It says so.", "quotes": ["won the hugo  Award"], "status": "met"}
    reply = json.dumps({f"k{n}": finding for n in range(1, count + 1)})
    model = ScriptedModel(script=lambda _: reply)
    judge = ModelJudge(model, remember=0, timeout=None)

    def judged() -> None:
        ruling = judge.judge(rubric.criteria, action, state)
        judgement(rubric, ruling.verdicts, cost=ruling.cost)

    judged()
    (bound,) = judge._asker._bound.values()
    request = list(model.requests[0])
    rows = []
    for _ in range(ROUNDS):
        rows.append((cpu_ms(judged), cpu_ms(lambda: bound.invoke(request))))
        model.requests.clear()
    whole, bare = (statistics.median(column) for column in zip(*rows, strict=True))
    return whole, bare


def main() -> None:
    """Print the table."""
    state = State.start("Who wrote Dune, and when?")
    for at in range(8):
        call = ToolCall(name="search", arguments={"query": f"Dune author {at}"})
        state = state.after(Step(call=call, observation=Observation(text=f"{at}. {PAGE}", id=f"m{at}")))
    action = Action(answer="Frank Herbert wrote Dune in 1965. [1]")
    lines = [f"Verdict handling, processor time in ms (median of {ROUNDS}); target {TARGET_MS} a criterion"]
    lines.append(f"{'criteria':>9} {'judging':>8} {'model':>8} {'handling':>9} {'a criterion':>12}")
    for count in (1, 3, 5, 10, 20):
        whole, bare = measured(count, state, action)
        handling = whole - bare
        lines.append(f"{count:>9} {whole:>8.2f} {bare:>8.2f} {handling:>9.2f} {handling / count:>12.3f}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
