"""What capture costs: recording 2 kB steps in full, redacted and without content, in one run.

    python tests/bench/redaction.py [STEPS]

Prints microseconds of the recording thread's processor time a step, and ratios to recording into SQLite;
medians over rounds that alternate between the ways; the
store takes everything and keeps nothing, so the figures are those of the recorder alone. The last lines
show that a step of a long run with secrets costs what a step of a short one does.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from coreact.testing import sample_trajectory
from coreact.trace import InMemoryTraceStore, Recorder, SQLiteTraceStore, StepRecord

ROUNDS = 7
CLEAN = "The Elbe rises in the Giant Mountains, see https://example.org/elbe (12.5 km further on). "
SECRET = "Write to elbe.guide@example.org with the key sk-0123456789abcdefghij. "


class Nowhere(InMemoryTraceStore):
    """Takes everything, keeps nothing."""

    def step(self, record: StepRecord, /) -> None:
        pass


def steps_of(count: int, *, run: str, secrets: int = 0) -> list[StepRecord]:
    """A run whose every step adds a call and its result, 2 kB in all, judged by a rubric of five criteria.

    Each result holds twice `secrets` secrets.
    """
    base = sample_trajectory().steps[0]
    text = (SECRET * secrets + CLEAN * 30)[:2000]
    made = []
    for index in range(count):
        call = {"type": "tool_call", "name": "search", "args": {"query": f"{index}"}, "id": f"c{index}"}
        result = {"content": f"{index}: {text}", "tool_call_id": f"c{index}"}
        added: tuple[dict[str, Any], ...] = (
            {"type": "ai", "data": {"content": "", "tool_calls": [call]}},
            {"type": "tool", "data": result},
        )
        if index == 0:
            added = ({"type": "human", "data": {"content": "Where does the Elbe begin?"}},)
        kept = 0 if index == 0 else 2 * index - 1
        values = {"run": run, "index": index, "prompt_kept": kept, "prompt_added": added}
        made.append(base.model_copy(update=values | {"tools": base.tools if index == 0 else None}))
    return made


def seconds(recorder: Any, steps: list[StepRecord]) -> float:
    """Processor time of this thread to record them all, a step."""
    begun = time.thread_time()
    for step in steps:
        recorder.step(step)
    return (time.thread_time() - begun) / len(steps)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    size = len(json.dumps(steps_of(2, run="r")[1].prompt_added))
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, tuple[Callable[[], Recorder], int]] = {
            "into SQLite, full": (
                lambda: Recorder(SQLiteTraceStore(f"{folder}/t.db", queue_bytes=2**30)),
                0,
            ),
            "full": (lambda: Recorder(Nowhere()), 0),
            "redacted, nothing found": (lambda: Recorder(Nowhere(), capture="redacted"), 0),
            "redacted, 2 secrets a step": (lambda: Recorder(Nowhere(), capture="redacted"), 1),
            "redacted, 26 secrets a step": (lambda: Recorder(Nowhere(), capture="redacted"), 13),
            "off": (lambda: Recorder(Nowhere(), capture="off"), 0),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS):
            for name, (make, secrets) in ways.items():
                recorder = make()
                taken[name].append(
                    seconds(recorder, steps_of(count, run=f"{name}-{number}", secrets=secrets))
                )
                recorder.store.close()
    plain = statistics.median(taken["into SQLite, full"])
    sys.stdout.write(f"{count} steps, each adding {size} bytes of messages; medians of {ROUNDS} rounds\n")
    for name, times in taken.items():
        middle = statistics.median(times)
        sys.stdout.write(
            f"{name:28} {middle * 1e6:8.1f} us a step   {middle / plain:6.2f} of recording into SQLite\n"
        )
    each = [
        statistics.median(seconds(Recorder(Nowhere(), capture="redacted"), steps) for _ in range(5))
        for steps in (steps_of(100, run="r", secrets=1), steps_of(400, run="r", secrets=1))
    ]
    sys.stdout.write(f"a step of a run of 400 costs {each[1] / each[0]:.2f} times a step of a run of 100\n")


if __name__ == "__main__":
    main()
