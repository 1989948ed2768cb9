"""A thousand agents in one process, on a model server of 300 ms: how near to what the server allows.

`python tests/bench/scale.py` runs all trajectories at once, plain and guided (checks, recorded to SQLite),
and prints calls a second over the ideal: places of the server / pause, or trajectories / pause where it has
as many places. A process can do no more than its processor: what a call costs there is printed beside, and
where that is the bound, the ratio says nothing about waiting. Memory is what the process grew by.
The model and the search are simulated; agents, guidance, recorder and store are real.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool, StructuredTool
from simulated import SimulatedModel

from coreact.guide import CoReActMiddleware
from coreact.trace import Recorder, SQLiteTraceStore

NAMES = ("Ouagadougou", "Bishkek", "Paramaribo", "Vientiane", "Windhoek", "Tallinn", "Quito", "Apia")


class Measured(NamedTuple):
    """One arm under one server."""

    arm: str
    slots: int
    seconds: float
    processor: float
    calls: int
    grown_mb: float


def search() -> BaseTool:
    """A read-only search that answers at once."""

    async def look_up(query: str) -> str:
        """Search the corpus."""
        return f"{query}: the register names it, as does https://example.org/{len(query)}."

    return StructuredTool.from_function(
        coroutine=look_up,
        name="search",
        description="Search the corpus.",
        metadata={"role": "search", "read_only": True},
    )


def replies(steps: int) -> Any:
    """A policy that searches `steps` times, for something new each time, and then answers."""

    def reply(messages: list[BaseMessage]) -> AIMessage:
        done = sum(message.type == "tool" for message in messages)
        name = next((n for n in NAMES if n in str(messages[0].text)), NAMES[0])
        if done >= steps:
            return AIMessage(f"{name}: the register names it.")
        arguments = {"query": f"{name} currency used entry record {done}"}
        return AIMessage("", tool_calls=[{"name": "search", "args": arguments, "id": f"call-{done}"}])

    return reply


async def run(arm: str, *, trajectories: int, steps: int, pause: float, slots: int, folder: Path) -> Measured:
    """Run all trajectories at once; every one must end with its answer."""
    model = SimulatedModel(reply=replies(steps), pause=pause, slots=slots)
    store = SQLiteTraceStore(folder / f"{arm}-{slots}.db") if arm == "guided" else None
    recorder = Recorder(store) if store is not None else None
    guidance = [CoReActMiddleware(recorder=recorder, step_budget=steps)] if recorder else []
    agent = create_agent(model, [search()], middleware=guidance)
    gc.collect()
    before, started, worked = _rss(), time.perf_counter(), time.process_time()
    asked = (f"Which currency is used at {NAMES[n % len(NAMES)]}, entry {n}?" for n in range(trajectories))
    done = await asyncio.gather(*(agent.ainvoke({"messages": [("user", one)]}) for one in asked))
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    if any("register" not in str(result["messages"][-1].text) for result in done):
        raise RuntimeError("a trajectory did not end with its answer")
    if store is not None:
        store.close()
    return Measured(arm, slots, seconds, processor, model.calls, _rss() - before)


def _rss() -> float:
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    """Print the report; each measurement runs in a process of its own, so that memory is its own."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trajectories", type=int, default=1_000)
    options.add_argument("--steps", type=int, default=4, help="tool calls of a trajectory")
    options.add_argument("--pause", type=float, default=0.3, help="seconds of one model call")
    options.add_argument("--slots", type=int, nargs="+", default=[16, 32, 64, 0])
    options.add_argument("--one", nargs=2, help="arm and slots: measure this alone, and print numbers")
    chosen = options.parse_args()
    sizes = {"trajectories": chosen.trajectories, "steps": chosen.steps, "pause": chosen.pause}
    write = sys.stdout.write
    if chosen.one:
        with tempfile.TemporaryDirectory() as folder:
            arm, slots = chosen.one
            found = asyncio.run(run(arm, slots=int(slots), folder=Path(folder), **sizes))
        write(f"{found.seconds} {found.processor} {found.calls} {found.grown_mb}\n")
        return
    write(f"{chosen.trajectories} trajectories of {chosen.steps} searches at once, {chosen.pause} s a call\n")
    write("places  arm     calls/s   ideal   ratio   processor ms/call   grown MB   KB/trajectory\n")
    for slots in chosen.slots:
        for arm in ("plain", "guided"):
            command = [sys.executable, __file__, "--one", arm, str(slots)]
            for name, value in sizes.items():
                command += [f"--{name}", str(value)]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            seconds, processor, calls, grown = map(float, said)
            ideal = (slots or chosen.trajectories) / chosen.pause
            write(f"{slots or 'all':>6}  {arm:7} {calls / seconds:7.0f} {ideal:7.0f} ")
            write(f"{calls / seconds / ideal:7.2f} {1000 * processor / calls:19.2f} {grown:10.0f} ")
            write(f"{1000 * grown / chosen.trajectories:15.0f}\n")


if __name__ == "__main__":
    main()
