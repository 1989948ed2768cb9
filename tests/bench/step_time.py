"""How long a guided step takes beside the published pattern, on one simulated server.

`python tests/bench/step_time.py` runs the same policy, for the same number of steps, under the pattern of
Co-ReAct's code (write a rubric, act, verify, all in series; a failed step is proposed once more, unverified)
and under guidance in several set-ups. Every call of a model takes `--pause` seconds, every search `--tool`;
21 % of first proposals fail (they repeat a query), drawn by a hash of question and step, the same for all.
Printed is the wall time of a step and its ratio to the pattern; the target is 0.6. It also prints which share
of each kind of prompt stood at the beginning of the prompt before: what a prefix cache need not read again.
The model is simulated; agent, middleware, generator and judge are real.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import re
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware.types import AgentMiddleware
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import BaseTool, StructuredTool
from simulated import SimulatedModel

from coreact.generate import HeuristicGenerator, Written
from coreact.generate.prompted import PromptedGenerator
from coreact.guide import CoReActMiddleware
from coreact.judge.model import ModelJudge
from coreact.rubric import Criterion, State

FAILS = 0.21
"""Share of steps that were retried in the paper: 159 of 743."""
BAD = "Ouagadougou record 0"
"""The first query again."""
_LINES = (
    '1. [0.2] Use search with a query that contains "Ouagadougou".\n'
    "2. [0.15] The query is precise.\n"
    "3. [0.5] Do not repeat an earlier call.\n"
    "4. [0.15] The step brings the answer nearer."
)


class WithProse(HeuristicGenerator):
    """The heuristic's rubrics, and one criterion that only a judge can decide."""

    id = "heuristic-with-prose"

    def write(self, state: State) -> Written:
        """Write the rubric."""
        written = super().write(state)
        prose = Criterion(id="near", text="The step brings the answer nearer.", weight=0.5)
        rubric = written.rubric.model_copy(update={"criteria": (*written.rubric, prose)})
        return Written(rubric, written.cost)


def fails(question: str, step: int) -> bool:
    """Whether the first proposal of a step is a bad one; a repeat, so never that of the first step."""
    if not step:
        return False
    drawn = hashlib.sha256(f"{question}|{step}".encode()).digest()
    return int.from_bytes(drawn[:4]) < FAILS * 2**32


class Server:
    """One simulated server under several names, and what it was asked under each."""

    def __init__(self, pause: float, steps: int) -> None:
        self.pause = pause
        self.steps = steps
        self.prompts: dict[str, list[str]] = defaultdict(list)

    def model(self, name: str, reply: Callable[[list[BaseMessage]], AIMessage]) -> SimulatedModel:
        """A model of the server."""

        def asked(messages: list[BaseMessage]) -> AIMessage:
            self.prompts[name].append("\n".join(str(message.text) for message in messages))
            return reply(messages)

        return SimulatedModel(reply=asked, pause=self.pause)

    def act(self, messages: list[BaseMessage]) -> AIMessage:
        """Propose: badly where the step is to fail, unless somebody complained."""
        question = str(next(m for m in messages if isinstance(m, HumanMessage)).text)
        done = sum(message.type == "tool" for message in messages)
        if done >= self.steps:
            return AIMessage("The register names it.")
        complained = str(messages[-1].text).startswith(("feedback", "That step"))
        wrong = fails(question, done) and not complained
        query = BAD if wrong else f"Ouagadougou record {done}"
        return AIMessage(
            "", tool_calls=[{"name": "search", "args": {"query": query}, "id": f"c{done}{wrong}"}]
        )

    def write(self, _: list[BaseMessage]) -> AIMessage:
        """Write a rubric."""
        return AIMessage(_LINES)

    def judge(self, messages: list[BaseMessage]) -> AIMessage:
        """Judge: a repeat is seen by code before; what is left is none of its business."""
        text = str(messages[-1].text)
        finding = {"reason": "as seen", "quotes": [], "status": "not_applicable"}
        return AIMessage(json.dumps(dict.fromkeys(re.findall(r"<<(k\d+) ", text), finding)))


class Reference(AgentMiddleware[Any, Any, Any]):
    """The published pattern: a rubric from the second step on, one verification, one unverified retry."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.writer = server.model("reference rubric", server.write)
        self.verifier = server.model("reference verify", lambda _: AIMessage('{"pass": true}'))

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        """Generate, act, verify, and act again where the step fails."""
        history = "\n".join(str(message.text) for message in request.messages)
        question, done = str(request.messages[0].text), sum(m.type == "tool" for m in request.messages)
        if not done:
            return await handler(request)
        rubric = await self.writer.ainvoke(f"Write criteria.\n{history}\nCalls so far: {done}")
        guided = request.override(messages=[*request.messages, HumanMessage(str(rubric.text))])
        response = await handler(guided)
        await self.verifier.ainvoke(f"{rubric.text}\n{response.result[-1].tool_calls}")
        if fails(question, done) and response.result[-1].tool_calls:
            told = HumanMessage("feedback: search for the record")
            response = await handler(guided.override(messages=[*guided.messages, told]))
        return response


def arms(server: Server) -> dict[str, list[Any]]:
    """The middleware of every arm."""

    def judge() -> ModelJudge:
        return ModelJudge(server.model("judge", server.judge), output="text")

    def written() -> PromptedGenerator:
        return PromptedGenerator(server.model("rubric", server.write), form="lines")

    common: dict[str, Any] = {"retries": 1, "step_budget": server.steps, "same_family": "allow"}
    return {
        "plain": [],
        "reference pattern": [Reference(server)],
        "model rubric, model judge, in series": [
            CoReActMiddleware(generator=written(), judge=judge(), **common)
        ],
        "model rubric, model judge, tools ahead": [
            CoReActMiddleware(generator=written(), judge=judge(), speculate=True, **common)
        ],
        "model rubric in feedback only, model judge, tools ahead": [
            CoReActMiddleware(generator=written(), judge=judge(), speculate=True, show_rubric=False, **common)
        ],
        "model rubric, checks only": [CoReActMiddleware(generator=written(), **common)],
        "heuristic rubric, model judge, tools ahead": [
            CoReActMiddleware(generator=WithProse(), judge=judge(), speculate=True, **common)
        ],
        "heuristic rubric, checks only": [CoReActMiddleware(**common)],
    }


def search(pause: float) -> BaseTool:
    """A read-only search that takes its time."""

    async def look_up(query: str) -> str:
        """Search the corpus."""
        await asyncio.sleep(pause)
        return f"{query}: entry {len(query)} of the register."

    return StructuredTool.from_function(
        coroutine=look_up,
        name="search",
        description="Search the corpus.",
        metadata={"role": "search", "read_only": True},
    )


async def measure(
    name: str, *, pause: float, tool: float, steps: int, runs: int
) -> tuple[list[float], Server]:
    """Seconds of one step of each run of an arm."""
    taken: list[float] = []
    server = Server(pause, steps)
    for number in range(runs):
        middleware = arms(server)[name]
        agent = create_agent(server.model("agent", server.act), [search(tool)], middleware=middleware)
        question = f"Which register names Ouagadougou, entry {number}?"
        started = time.perf_counter()
        await agent.ainvoke({"messages": [("user", question)]})
        taken.append((time.perf_counter() - started) / (steps + 1))
    return taken, server


def shared(prompts: list[str]) -> float:
    """Share of the characters of prompts that stand at the beginning of the prompt before, in [0, 1]."""
    kept = sum(_common(before, after) for before, after in itertools.pairwise(prompts))
    return kept / max(1, sum(map(len, prompts[1:])))


def _common(one: str, other: str) -> int:
    """How many characters two texts begin alike."""
    at = (number for number, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(at, min(len(one), len(other)))


def main() -> None:
    """Print the report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pause", type=float, default=0.3, help="seconds of a model call")
    options.add_argument("--tool", type=float, default=0.3, help="seconds of a search")
    options.add_argument("--steps", type=int, default=10)
    options.add_argument("--runs", type=int, default=10)
    chosen = options.parse_args()
    write = sys.stdout.write
    sizes = {"pause": chosen.pause, "tool": chosen.tool, "steps": chosen.steps, "runs": chosen.runs}
    write(f"{chosen.runs} runs of {chosen.steps} searches; model {chosen.pause} s, search {chosen.tool} s\n")
    write("ms/step  ratio  model calls/step  arm\n")
    base = 0.0
    prefixes: dict[str, float] = {}
    names = list(arms(Server(0, 1)))
    order = ["reference pattern", *(name for name in names if name != "reference pattern")]
    for name in order:
        taken, server = asyncio.run(measure(name, **sizes))
        step = statistics.mean(taken)
        base = base or step
        calls = sum(map(len, server.prompts.values())) / chosen.runs / (chosen.steps + 1)
        write(f"{1000 * step:7.0f}  {step / base:5.2f} {calls:17.2f}  {name}\n")
        prefixes |= {kind: shared(prompts) for kind, prompts in server.prompts.items()}
    write("share of a prompt that is the beginning of the one before\n")
    for kind, share in sorted(prefixes.items()):
        write(f"  {kind:20} {share:.2f}\n")


if __name__ == "__main__":
    main()
