"""What guidance costs beside a model that answers at once: the agents that are compared, and a report.

`python tests/bench/overhead.py` prints ratios of processor time from interleaved runs, so that a slow
machine moves both sides alike; on a busy one the minima are nearer to the truth than the medians.
The model, the tools and the question are scripted; nothing waits. Absolute times are for orientation.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware.types import AgentMiddleware
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool, StructuredTool

from coreact.guide import CoReActMiddleware
from coreact.testing.scripted import ScriptedModel
from coreact.trace import InMemoryTraceStore, Recorder, SQLiteTraceStore

KINDS = ("plain", "no-op", "guided", "memory", "sqlite")
"""`guided` records nothing; `memory` and `sqlite` record to such a store."""

QUESTION = "Which currency is used in the country whose capital is Ouagadougou?"


class ForgetfulModel(ScriptedModel):
    """A scripted model that keeps no requests, so that a long run does not pay for remembering them."""

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        return self.script(messages)


class NoOp(AgentMiddleware[Any, Any, Any]):
    """A middleware that only passes on: the price of any `wrap_model_call` at all."""

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        return handler(request)


def search() -> BaseTool:
    """A read-only search tool that answers at once."""

    def look_up(query: str) -> str:
        """Search the corpus."""
        return f"{query}: Ouagadougou lies in Burkina Faso; see https://example.org/{len(query)}."

    return StructuredTool.from_function(
        look_up,
        name="search",
        description="Search the corpus.",
        metadata={"role": "search", "read_only": True},
    )


def model(steps: int) -> ForgetfulModel:
    """A model that searches `steps` times, each time for something new, and then answers.

    The rubrics accept every step, so plain and guided agents make equally many model calls.
    """

    def reply(messages: list[BaseMessage]) -> AIMessage:
        done = sum(message.type == "tool" for message in messages)
        if done >= steps:
            return AIMessage("West African CFA franc")
        arguments = {"query": f"Ouagadougou Burkina Faso currency used country capital record {done}"}
        return AIMessage("", tool_calls=[{"name": "search", "args": arguments, "id": f"call-{done}"}])

    return ForgetfulModel(script=reply)


def agent(kind: str, *, steps: int, folder: Path | None = None) -> tuple[Any, Callable[[], None]]:
    """An agent of one kind, and what must be called when it is no longer needed."""
    middleware: list[AgentMiddleware[Any, Any, Any]] = []
    close: Callable[[], None] = lambda: None  # noqa: E731
    if kind == "no-op":
        middleware = [NoOp()]
    elif kind == "guided":
        middleware = [CoReActMiddleware()]
    elif kind == "memory":
        middleware = [CoReActMiddleware(recorder=Recorder(InMemoryTraceStore()))]
    elif kind == "sqlite":
        assert folder is not None
        store = SQLiteTraceStore(folder / "traces.db")
        middleware, close = [CoReActMiddleware(recorder=Recorder(store))], store.close
    return create_agent(model(steps), [search()], middleware=middleware), close


def run(made: Any, *, steps: int) -> dict[str, Any]:
    """Run one question to its answer."""
    return made.invoke({"messages": [("user", QUESTION)]}, {"recursion_limit": 2 * steps + 10})


Times = dict[tuple[str, int], list[float]]
"""Processor seconds per step by kind and number of steps, one value a round."""


def measure(kinds: Sequence[str], *, steps: Sequence[int], rounds: int, folder: Path) -> Times:
    """Run every kind with every number of steps, all taking turns in each round."""
    made = {kind: {n: agent(kind, steps=n, folder=folder) for n in steps} for kind in kinds}
    times: Times = {(kind, n): [] for kind in kinds for n in steps}
    for kind in kinds:
        run(made[kind][steps[0]][0], steps=steps[0])
    for _ in range(rounds):
        for kind, n in times:
            gc.collect()
            started = time.process_time()
            run(made[kind][n][0], steps=n)
            times[kind, n].append((time.process_time() - started) / (n + 1))
    for by_steps in made.values():
        for _, close in by_steps.values():
            close()
    return times


def main() -> None:
    """Print the report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=25)
    options.add_argument("--long", type=int, default=400, help="steps of the long run; 0 leaves it out")
    chosen = options.parse_args()
    write = sys.stdout.write
    with tempfile.TemporaryDirectory() as folder:
        times = measure(KINDS, steps=[20], rounds=chosen.rounds, folder=Path(folder))
        plain = times["plain", 20]
        write("20 steps, processor time of a step     median of ratios   ratio of minima\n")
        for (kind, _), taken in times.items():
            middle = statistics.median(mine / theirs for mine, theirs in zip(taken, plain, strict=True))
            least = min(taken) / min(plain)
            write(f"{kind:8} {1000 * min(taken):6.2f} ms {middle:24.2f} x {least:14.2f} x\n")
        if not chosen.long:
            return
        kinds, steps = ("plain", "guided", "memory"), (40, chosen.long)
        times = measure(kinds, steps=steps, rounds=max(1, chosen.rounds // 5), folder=Path(folder))
        least_of = {key: min(taken) for key, taken in times.items()}
        for kind in kinds:
            short, long = (1000 * least_of[kind, n] for n in steps)
            write(f"a step of {chosen.long} against one of 40: {kind:8} {long / short:.2f} x")
            write(f"   ({short:.2f} -> {long:.2f} ms)\n")
        for kind in kinds[1:]:
            short, long = (least_of[kind, n] - least_of["plain", n] for n in steps)
            write(f"what {kind} adds to a step, {chosen.long} against 40: {long / short:.2f} x\n")


if __name__ == "__main__":
    main()
