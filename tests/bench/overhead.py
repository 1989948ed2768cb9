"""What guidance costs beside a model that answers at once: the agents that are compared, and a report.

`python tests/bench/overhead.py` prints ratios of processor time from interleaved runs, so that a slow or
busy machine moves both sides alike. The model, the tools and the question are scripted; nothing waits.
Absolute times are printed for orientation only.
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


def measure(kinds: Sequence[str], *, steps: int, rounds: int, folder: Path) -> dict[str, list[float]]:
    """Processor seconds per step of each kind, one value a round, all kinds taking turns."""
    made = {kind: agent(kind, steps=steps, folder=folder) for kind in kinds}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for kind in kinds:
        run(made[kind][0], steps=steps)
    for _ in range(rounds):
        for kind in kinds:
            gc.collect()
            started = time.process_time()
            run(made[kind][0], steps=steps)
            times[kind].append((time.process_time() - started) / (steps + 1))
    for _, close in made.values():
        close()
    return times


def ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """Median over the rounds of the ratio within a round, since neighbours share the machine's mood."""
    return statistics.median(mine / theirs for mine, theirs in zip(times, others, strict=True))


def main() -> None:
    """Print the report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--long", type=int, default=400, help="steps of the long run; 0 leaves it out")
    chosen = options.parse_args()
    write = sys.stdout.write
    kinds = ("plain", "no-op", "guided", "memory", "sqlite")
    with tempfile.TemporaryDirectory() as folder:
        times = measure(kinds, steps=20, rounds=chosen.rounds, folder=Path(folder))
        for kind in kinds:
            middle = 1000 * statistics.median(times[kind])
            write(
                f"20 steps: {kind:8} {ratio(times[kind], times['plain']):5.2f} x plain   ({middle:.2f} ms a step)\n"
            )
        if not chosen.long:
            return
        rounds = max(1, chosen.rounds // 3)
        kinds = ("plain", "guided", "memory")
        few = measure(kinds, steps=40, rounds=rounds, folder=Path(folder))
        many = measure(kinds, steps=chosen.long, rounds=rounds, folder=Path(folder))
        middle_of = {kind: (statistics.median(few[kind]), statistics.median(many[kind])) for kind in kinds}
        for kind, (short, long) in middle_of.items():
            write(f"a step of {chosen.long} against one of 40: {kind:8} {long / short:.2f} x")
            write(f"   ({1000 * short:.2f} -> {1000 * long:.2f} ms)\n")
        plain = middle_of["plain"]
        for kind in ("guided", "memory"):
            short, long = middle_of[kind]
            write(f"what {kind} adds to a step, {chosen.long} against 40: ")
            write(f"{(long - plain[1]) / (short - plain[0]):.2f} x\n")


if __name__ == "__main__":
    main()
