"""How busy a collection keeps the server it asks: candidates sampled, a panel that ranks, many questions.

`python tests/bench/collection.py` starts a server on this machine that answers each request after 200 ms (an
OpenAI-compatible endpoint, so that everything of ours is on the way: sampling, screening, panel, throttle,
searches that are executed, files that are written), collects from the gazetteer, and prints the share of the
server's time that was used: calls x pause / (concurrency x wall). The target is 0.8 or more. Where our
processor time comes near the wall time, the machine is what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from langchain_openai import ChatOpenAI

from coreact.judge.failure import Throttle
from coreact.judge.panel import ListwiseRanker
from coreact.judge.structured import StructuredModel
from coreact.train.branch.collecting import Collected, CollectSettings, collect_live
from coreact.train.branch.environment import WorldEnvironment
from coreact.train.branch.labelling import Labeller, Measured, Panel
from coreact.train.branch.looking import Looker
from coreact.train.branch.roll_in import RollIn
from coreact.train.branch.sampling import ModelSampler
from coreact.train.branch.scripted import parts
from coreact.worlds import World, gazetteer

SERVER = Path(__file__).with_name("sampling_server.py")
TEMPERATURES = (0.1, 0.4, 0.7, 1.0)


class Round(NamedTuple):
    """One measurement."""

    wall: float
    """Seconds."""
    processor: float
    """Seconds of processor time of our process."""
    calls: int
    """Requests that the server answered."""
    most: int
    """Requests that it worked on at the same time at most."""
    collected: Collected


@contextmanager
def sampling_server(pause: float) -> Iterator[str]:
    """A server in a process of its own, so that it and the collection do not share an interpreter."""
    command = [sys.executable, str(SERVER), str(pause)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def model(name: str, url: str) -> ChatOpenAI:
    """A client of the server."""
    return ChatOpenAI(model=name, base_url=f"{url}/v1", api_key="none", max_retries=0, seed=0)


def collect(
    environment: WorldEnvironment,
    ids: Sequence[str],
    url: str,
    *,
    judges: int,
    concurrency: int,
    loop: asyncio.Runner,
) -> Collected:
    """Collect once into a fresh folder.

    One event loop for all rounds: LangChain's OpenAI clients share connections by address, and those of
    a closed loop are dead.
    """
    throttle = Throttle(concurrency)
    labeller: Labeller = Measured(environment)
    if judges:
        asked = [
            StructuredModel(model(f"judge-{n}", url), output="text", throttle=throttle) for n in range(judges)
        ]
        labeller = Panel([ListwiseRanker(one) for one in asked])
    sampler = ModelSampler(model("agent", url), "agent", temperatures=TEMPERATURES, throttle=throttle)
    settings = CollectSettings(roll_in=RollIn(rule="random"), concurrency=2 * concurrency)
    with tempfile.TemporaryDirectory() as folder:
        return loop.run(
            collect_live(
                environment, ids, Path(folder), looker=Looker([sampler], labeller=labeller), settings=settings
            )
        )


def measure(
    environment: WorldEnvironment,
    ids: Sequence[str],
    url: str,
    *,
    judges: int,
    concurrency: int,
    loop: asyncio.Runner,
) -> Round:
    """Collect once, and ask the server how busy it was."""
    worked, started = time.process_time(), time.perf_counter()
    collected = collect(environment, ids, url, judges=judges, concurrency=concurrency, loop=loop)
    wall, worked = time.perf_counter() - started, time.process_time() - worked
    served = httpx.get(f"{url}/served").json()
    if collected.dropped.get("failed") or set(collected.worth) != {"panel" if judges else "gain"}:
        raise RuntimeError(f"a call failed, which a benchmark must not bear with: {collected}")
    return Round(wall, worked, served["calls"], served["most"], collected)


def main() -> None:
    """Print the report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--questions", type=int, default=40)
    options.add_argument("--pause", type=float, default=0.2, help="seconds the server takes")
    options.add_argument("--concurrency", type=int, default=8)
    options.add_argument("--judges", type=int, nargs="+", default=[0, 3])
    options.add_argument("--rounds", type=int, default=3, help="of which the quickest counts")
    chosen = options.parse_args()
    write = sys.stdout.write
    world: World = gazetteer()
    environment = WorldEnvironment(world)
    ids = [question.id for question in parts(world, n=chosen.questions, seed=0).train]
    with sampling_server(chosen.pause) as url, asyncio.Runner() as loop:
        rounds = {
            judges: [
                measure(environment, ids, url, judges=judges, concurrency=chosen.concurrency, loop=loop)
                for _ in range(chosen.rounds)
            ]
            for judges in chosen.judges
        }
    write(f"{len(ids)} questions, {len(TEMPERATURES)} temperatures, a server of {1000 * chosen.pause:.0f} ms")
    write(f" that answers {chosen.concurrency} at once\n")
    write("judges  points  calls  at once     wall  processor  busy (slowest)\n")
    for judges, done in rounds.items():
        best, worst = min(done), max(done)
        shares = [one.calls * chosen.pause / (chosen.concurrency * one.wall) for one in (best, worst)]
        write(f"{judges:6} {best.collected.points:7} {best.calls:6} {best.most:8} {best.wall:6.2f} s ")
        write(f"{best.processor:8.2f} s {shares[0]:6.3f} ({shares[1]:.3f})\n")


if __name__ == "__main__":
    main()
