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

from langchain_core.messages import AIMessage

from coreact.judge import Cost, judgement, quotes
from coreact.judge.model import ModelJudge
from coreact.judge.replies import read as read_reply
from coreact.judge.structured import Asked
from coreact.rubric import Action, Criterion, Observation, Rubric, State, Step, ToolCall
from coreact.testing import ScriptedModel

ROUNDS = 15
TARGET_MS = 0.2
PAGE = "Dune is a 1965 novel by Frank Herbert. It won the Hugo Award and the first Nebula Award. " * 25


def cpu_ms(work: Callable[[], object], times: int = 20) -> float:
    """Processor milliseconds of one call, from `times` in a row."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) * 1000 / times


def measured(count: int, state: State, action: Action) -> dict[str, float]:
    """Median milliseconds for `count` criteria, all parts in the same rounds."""
    rubric = Rubric(
        criteria=tuple(Criterion(id=f"c{n}", text=f"Condition number {n} holds.") for n in range(count))
    )
    finding = {"reason": "It says so.", "quotes": ["won the hugo  Award"], "status": "met"}
    reply = json.dumps({f"k{n}": finding for n in range(1, count + 1)})
    model = ScriptedModel(script=lambda _: reply)
    judge = ModelJudge(model, remember=0, timeout=None)
    judge.judge(rubric.criteria, action, state)
    (bound,) = judge._asker._bound.values()
    ((_, record),) = judge._asker._bound
    request = list(model.requests[0])
    (group,) = judge._groups(rubric.criteria)
    read = judge._transcript(rubric.criteria, action, state)

    def handle() -> None:
        quotes._folded_ascii.cache_clear()  # as if the texts were seen for the first time
        asked = Asked(read_reply(AIMessage(reply), record), Cost())
        ruling = judge._ruling(group, asked, read, Cost())
        judgement(rubric, ruling.verdicts, cost=ruling.cost)

    parts: dict[str, Callable[[], object]] = {
        "judging": lambda: judge.judge(rubric.criteria, action, state),
        "model": lambda: bound.invoke(request),
        "handling": handle,
    }
    rows: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(ROUNDS):
        for name, work in parts.items():
            rows[name].append(cpu_ms(work))
        model.requests.clear()
    return {name: statistics.median(times) for name, times in rows.items()}


def main() -> None:
    """Print the table."""
    state = State.start("Who wrote Dune, and when?")
    for at in range(8):
        call = ToolCall(name="search", arguments={"query": f"Dune author {at}"})
        state = state.after(Step(call=call, observation=Observation(text=f"{at}. {PAGE}", id=f"m{at}")))
    action = Action(answer="Frank Herbert wrote Dune in 1965. [1]")
    lines = [
        f"Processor time in ms, median of {ROUNDS} rounds. Handling: from a reply to a judgement (reading",
        f"it, finding its quotes, scoring); target {TARGET_MS} a criterion. Around: all on top of the model.",
        f"{'criteria':>9} {'judging':>8} {'model':>8} {'around':>8} {'handling':>9} {'a criterion':>12}",
    ]
    for count in (1, 3, 5, 10, 20):
        took = measured(count, state, action)
        lines.append(
            f"{count:>9} {took['judging']:>8.2f} {took['model']:>8.2f}"
            f" {took['judging'] - took['model']:>8.2f}"
            f" {took['handling']:>9.3f} {took['handling'] / count:>12.3f}"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
