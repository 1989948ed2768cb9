"""What a run says while it goes on: a line of metrics for every logged step, in a file and to a listener.

The file is the run's own, one for all stages. A resumed run cuts the lines that the checkpoint it goes on
from does not know yet, so the file of an interrupted run is the file of one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from coreact.rubric import Record
from coreact.trace.lines import write_whole
from coreact.train.saving import saving

METRICS = "metrics.jsonl"
"""Name of the file."""


class Progress(Record):
    """One logged step."""

    stage: int
    """0-based number of the stage."""
    method: str
    step: int
    """Steps of the stage that are done."""
    steps: int
    """Steps that it has."""
    seconds: float
    """Wall time of this process in this stage."""
    metrics: dict[str, float | None]
    """By TRL's names; None where there was no valid value."""


Report = Callable[[Progress], None]
"""Is told of every logged step."""


def cut(path: Path, *, stage: int, step: int) -> dict[str, float | None]:
    """Take out the lines of a stage behind a step, of later stages, and a last line torn by a kill.

    Returns:
        The metrics of the stage's last line that stays; empty where there is none.
    """
    if not path.is_file():
        return {}
    kept = []
    last: dict[str, float | None] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if line.endswith("\n") and (found["stage"], found["step"]) <= (stage, step):
            kept.append(line)
            last = found["metrics"] if found["stage"] == stage else {}
    with saving(path):
        write_whole(path, "".join(kept))
    return last


def listener(path: Path, stage: int, method: str, report: Report | None) -> Any:
    """A callback for TRL's trainers that writes each logged step to a file and tells `report` of it."""
    from transformers import TrainerCallback

    class Listener(TrainerCallback):
        """Writes metrics."""

        def __init__(self) -> None:
            self._began = time.monotonic()

        def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            """One line; the summary at the end of a stage is none."""
            logs = given.get("logs") or {}
            if not state.is_world_process_zero or "train_runtime" in logs:
                return
            line = Progress(
                stage=stage,
                method=method,
                step=state.global_step,
                steps=state.max_steps,
                seconds=round(time.monotonic() - self._began, 3),
                metrics=_numbers(logs),
            )
            with saving(path), path.open("a", encoding="utf-8") as file:
                file.write(line.model_dump_json() + "\n")
            if report is not None:
                report(line)

    return Listener()


def _numbers(logs: Mapping[str, Any]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, value in logs.items():
        if value is None:
            found[name] = None
        elif isinstance(value, int | float):
            found[name] = float(value) if math.isfinite(value) else None
    return found
