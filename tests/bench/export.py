"""What exporting costs beside only reading: rows and megabytes a second, and the memory it takes.

`python tests/bench/export.py` builds a store of 100,000 judged steps (`--runs`, `--steps` a run), reads all
of it once, and exports it in each of `--formats`, each in a process of its own, whose largest resident size
is its own. Seconds are of processor time, as the clock tells more about what else runs. Ratios are
to the loop that only reads the runs, in the same order on the same file.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from coreact.judge import Verdict, judgement
from coreact.rubric import Action, Criterion, Rubric, ToolCall, ToolContract
from coreact.trace import Attempt, ObservationRecord, RunEnd, RunRecord, SQLiteTraceStore, StepRecord

RUBRIC = Rubric(
    criteria=(
        Criterion(id="c1", text="Search before you answer.", kind="hard"),
        Criterion(id="c2", text="Name what the question asks about.", weight=2),
        Criterion(id="c3", text="Do not repeat a search that was made.", polarity="forbid"),
    )
)
TOOLS = (
    ToolContract(name="search", description="Find passages.", parameters={"type": "object"}, role="search"),
)


def main() -> None:
    """Build, read, export, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--formats", default="sft,dpo")
    parser.add_argument("--store", type=Path, help="Where the store is or is to be; default: not kept.")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        say(json.dumps(measure(given.only, given.store)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = given.store or Path(folder) / "traces.db"
        if not path.exists():
            started = time.process_time()
            build(path, given.runs, given.steps)
            say(f"built {given.runs * given.steps:,} steps in {time.process_time() - started:.0f} s")
        say(f"store: {path.stat().st_size / 2**20:.0f} MB")
        say(f"{'':8} {'rows':>8} {'cpu s':>7} {'rows/s':>8} {'MB/s':>6} {'x reading':>9} {'peak MB':>8}")
        reading = 0.0
        for what in ("read", *given.formats.split(",")):
            command = [sys.executable, __file__, "--only", what, "--store", str(path)]
            found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
            reading = reading or found["seconds"]
            seconds, rows = found["seconds"], found["rows"]
            say(
                f"{what:8} {rows:8,} {seconds:7.1f} {rows / seconds:8,.0f}"
                f" {found['bytes'] / 1e6 / seconds:6.1f} {seconds / reading:9.2f} {found['peak_mb']:8.0f}"
            )


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def measure(what: str, path: Path) -> dict[str, Any]:
    """Read or export once; the process is fresh."""
    from coreact.trace.export import ExportSettings, export

    store = SQLiteTraceStore(path)
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        if what == "read":
            rows, size = sum(len(run.steps) for run in store.trajectories()), 0
        else:
            manifest = export(store, Path(folder) / "out", ExportSettings(format=what))
            rows = manifest.splits["train"].rows
            size = sum(file.stat().st_size for file in (Path(folder) / "out").iterdir())
        seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # in kB on Linux
    return {"rows": rows, "seconds": seconds, "bytes": size, "peak_mb": peak}


def build(path: Path, runs: int, steps: int) -> None:
    """Record runs of two candidates a step, each with an observation of some two hundred characters."""
    store = SQLiteTraceStore(path)
    good, bad = judged("met"), judged("unmet")
    for number in range(runs):
        name = f"run-{number:06}"
        store.start(RunRecord(id=name, question=f"What is known about subject {number}?", started_ns=number))
        prompt: list[dict[str, Any]] = [
            {"type": "human", "data": {"content": f"What is known about subject {number}?"}}
        ]
        kept = 0
        for index in range(steps):
            attempts = tuple(proposed(number, index, at, (good, bad)[at]) for at in range(2))
            store.step(
                StepRecord(
                    run=name,
                    index=index,
                    rubric=RUBRIC,
                    tools=TOOLS if index == 0 else None,
                    guidance="Next step:\n1. Search before you answer.",
                    prompt_kept=kept,
                    prompt_added=tuple(prompt[kept:]),
                    attempts=attempts,
                    dispositions=("run",),
                )
            )
            kept = len(prompt)
            text = f"Passage {index} about subject {number}: " + "it is described at length. " * 6
            store.observation(
                ObservationRecord(run=name, step=index, call_id=f"c{index}-0", tool="search", text=text)
            )
            prompt.append(attempts[0].message)
            prompt.append({"type": "tool", "data": {"content": text, "tool_call_id": f"c{index}-0"}})
        store.end(RunEnd(run=name, status="done", answer="It is known.", score=1.0))
    store.close()


def proposed(number: int, index: int, at: int, judged_: Any) -> Attempt:
    """One candidate."""
    call = ToolCall(
        name="search", arguments={"query": f"subject {number} part {index} try {at}"}, id=f"c{index}-{at}"
    )
    calls = [{"name": call.name, "args": call.arguments, "id": call.id, "type": "tool_call"}]
    return Attempt(
        index=at,
        source="candidate",
        message={"type": "ai", "data": {"content": "", "tool_calls": calls}},
        actions=(Action(call=call),),
        judgements=(judged_,),
        selected=at == 0,
        rejected_by=None if at == 0 else "rank",
    )


def judged(status: Any) -> Any:
    """All criteria with one verdict."""
    return judgement(
        RUBRIC, [Verdict(criterion=one.id, reason="it says so", status=status) for one in RUBRIC]
    )


if __name__ == "__main__":
    main()
