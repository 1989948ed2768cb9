"""How near a panel comes to what its throttle allows: three judges, fifty items, a slow server.

`python tests/bench/panel.py` starts a server on this machine that answers each request after 200 ms
(an OpenAI-compatible endpoint, so that everything of ours is on the way: panel, judge, structured
replies, throttle, HTTP), judges the items side by side, and prints wall time over the ideal, which is
calls x pause / concurrency. The target is below 1.3. Where the judges' processor time comes near the wall
time, the machine is what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from langchain_openai import ChatOpenAI

from coreact.judge.failure import Throttle
from coreact.judge.model import ModelJudge
from coreact.judge.panel import JudgePanel
from coreact.judge.records import Cost, Verdict
from coreact.judge.runner import Judge, Ruling
from coreact.rubric import Action, Criterion, State

SERVER = Path(__file__).with_name("slow_server.py")
CRITERIA = tuple(Criterion(id=name, text=f"The answer is {name}.") for name in ("short", "right"))


@contextmanager
def slow_server(pause: float) -> Iterator[str]:
    """A server in a process of its own, so that judges and server do not share an interpreter."""
    command = [sys.executable, str(SERVER), str(pause)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


class BareJudge:
    """A judge of one plain HTTP request: the panel and the throttle without a model's client."""

    id = "bare"

    def __init__(self, url: str, throttle: Throttle) -> None:
        self._url = f"{url}/chat/completions"
        self._throttle = throttle
        limits = httpx.Limits(max_connections=None)
        self._client = httpx.Client(limits=limits, timeout=60)
        self._aclient = httpx.AsyncClient(limits=limits, timeout=60)
        self._body = {"model": "bare", "messages": [{"role": "user", "content": "<<k1 <<k2 "}]}

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """Ask the server, blocking."""
        with self._throttle.slot():
            self._client.post(self._url, json=self._body).raise_for_status()
        return _unmet(criteria)

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same, without blocking the event loop."""
        async with self._throttle.aslot():
            (await self._aclient.post(self._url, json=self._body)).raise_for_status()
        return _unmet(criteria)


def _unmet(criteria: tuple[Criterion, ...]) -> Ruling:
    return Ruling(
        tuple(Verdict(criterion=c.id, reason="no", status="unmet") for c in criteria), Cost(calls=1)
    )


def members(kind: str, url: str, throttle: Throttle, number: int) -> list[Judge]:
    """Judges that share one throttle: `bare`, or `model` through a real client."""
    if kind == "bare":
        return [BareJudge(url, throttle) for _ in range(number)]
    return [
        ModelJudge(
            ChatOpenAI(model=f"judge-{n}", base_url=url, api_key="none", max_retries=0),
            output="text",
            throttle=throttle,
        )
        for n in range(number)
    ]


def run(panel: JudgePanel, colour: str, items: int, loop: asyncio.Runner) -> float:
    """Judge all items side by side; seconds on the wall.

    One event loop for all rounds: LangChain's OpenAI clients share connections by address, and those of
    a closed loop are dead.
    """
    states = [State.start(f"question {n}") for n in range(items)]
    action = Action(answer="an answer")
    if colour == "async":

        async def everything() -> list[Ruling]:
            return await asyncio.gather(*(panel.ajudge(CRITERIA, action, state) for state in states))

        started = time.perf_counter()
        rulings = loop.run(everything())
    else:
        started = time.perf_counter()
        with ThreadPoolExecutor(items) as pool:
            rulings = list(pool.map(lambda state: panel.judge(CRITERIA, action, state), states))
    taken = time.perf_counter() - started
    wrong = [v for ruling in rulings for v in ruling.verdicts if v.status != "unmet"]
    if wrong:
        raise RuntimeError(f"{len(wrong)} verdicts are not what the server said: {wrong[0].reason}")
    return taken


class Round(NamedTuple):
    """One measurement."""

    wall: float
    """Seconds."""
    processor: float
    """Seconds of processor time of the judges' process."""
    most: int
    """Requests that the server worked on at the same time at most."""


def measure(
    kind: str, colour: str, concurrency: int, *, url: str, judges: int, items: int, loop: asyncio.Runner
) -> Round:
    """Judge all items once with a fresh panel."""
    # All must be valid: a panel would bear with a failed call, a benchmark must not.
    panel = JudgePanel(members(kind, f"{url}/v1", Throttle(concurrency), judges), min_valid=judges)
    worked = time.process_time()
    wall = run(panel, colour, items, loop)
    worked = time.process_time() - worked
    served = httpx.get(f"{url}/served").json()
    if served["calls"] != judges * items:
        raise RuntimeError(f"the server answered {served['calls']} calls, not {judges * items}")
    return Round(wall, worked, served["most"])


def main() -> None:
    """Print the report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--judges", type=int, default=3)
    options.add_argument("--items", type=int, default=50)
    options.add_argument("--pause", type=float, default=0.2, help="seconds the server takes")
    options.add_argument("--concurrency", type=int, nargs="+", default=[8])
    options.add_argument("--rounds", type=int, default=3, help="of which the quickest counts")
    chosen = options.parse_args()
    write = sys.stdout.write
    cases = [(k, c, n) for k in ("bare", "model") for c in ("async", "sync") for n in chosen.concurrency]
    rounds: dict[tuple[str, str, int], list[Round]] = {case: [] for case in cases}
    with slow_server(chosen.pause) as url, asyncio.Runner() as loop:
        for case in cases * chosen.rounds:
            rounds[case].append(measure(*case, url=url, judges=chosen.judges, items=chosen.items, loop=loop))
    write(f"{chosen.judges} judges x {chosen.items} items, a server of {1000 * chosen.pause:.0f} ms\n")
    write("judge  colour  at once (seen)    wall    ideal  processor  ratio (slowest)\n")
    for (kind, colour, concurrency), done in rounds.items():
        ideal = chosen.judges * chosen.items * chosen.pause / concurrency
        best, worst = min(done), max(done)
        write(f"{kind:6} {colour:6} {concurrency:7} ({best.most:4}) {best.wall:7.2f} s {ideal:6.2f} s ")
        write(f"{best.processor:6.2f} s {best.wall / ideal:8.3f} ({worst.wall / ideal:.3f})\n")


if __name__ == "__main__":
    main()
