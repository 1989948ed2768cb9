"""Kill a writing process many times and see what the file holds.

    python tests/bench/kill.py              # 200 times
    python tests/bench/kill.py --kills 20

A file is written by twenty processes, one after another; each is killed with SIGKILL at a random moment while
it writes. After every kill the file must be whole (`verify`), and every run must be a prefix of what was
written that reaches at least to its last flush.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from coreact.errors import RunNotFoundError
from coreact.testing import sample_trajectory
from coreact.trace import SQLiteTraceStore
from coreact.trace.backlog import BATCH
from coreact.trace.upkeep import verify

_A_FILE = 20  # kills


def write(path: Path, name: str, pipe: int) -> None:
    """Write steps until killed, and say through a pipe what was taken and what was flushed."""
    store = SQLiteTraceStore(path)
    whole = sample_trajectory(name, steps=2)
    store.start(whole.run)
    for index in itertools.count():
        store.step(whole.steps[0].model_copy(update={"index": index, "state_digest": f"{name} {index}"}))
        store.observation(whole.observations[0].model_copy(update={"step": index}))
        os.write(pipe, f"taken {index}\n".encode())
        if index % 10 == 9:
            store.flush()
            os.write(pipe, f"flushed {index}\n".encode())


def kill_once(path: Path, name: str, *, after: float) -> tuple[int, int]:
    """Numbers of the last step that was surely stored and of the last one that was taken; -1 for none."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            write(path, name, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as said:
        first = said.readline()  # it has begun
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines = [line.split() for line in (first, *said)]
    done = {"flushed": -1, "taken": -1}
    for words in lines:
        if len(words) == 2:
            done[words[0]] = int(words[1])
    return done["flushed"], done["taken"]


def main() -> int:
    """Print what was lost; 1 where a file was not whole or a flushed step was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    broken = lost_flushed = steps = 0
    losses = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.kills):
            path = Path(folder) / f"{number // _A_FILE}.db"
            flushed, taken = kill_once(path, f"run-{number:04d}", after=draw.uniform(0, 0.25))
            broken += path.exists() and not verify(path).whole  # not there yet: killed at once
            store = SQLiteTraceStore(path)
            try:
                stored = [step.index for step in store.trajectory(f"run-{number:04d}").steps]
            except RunNotFoundError:  # killed before its first batch
                stored = []
            store.close()
            lost_flushed += stored != list(range(len(stored))) or len(stored) <= flushed
            losses.append(max(0, taken + 1 - len(stored)))
            steps += len(stored)
    sys.stdout.write(
        f"{arguments.kills} kills: {broken} files not whole, {lost_flushed} runs with a gap or without a"
        f" flushed step; {steps:,} steps stored; taken and not stored: {max(losses)} at most,"
        f" {sum(losses) / len(losses):.1f} on average (a batch holds {BATCH} records)\n"
    )
    return int(bool(broken or lost_flushed))


if __name__ == "__main__":
    sys.exit(main())
