"""What making training rows of many branching points costs: rows a second, and the memory it takes.

`python tests/bench/rows.py` collects real points in the embedded world, repeats them under other ids until
there are `--points` (100,000) of them in a file, and exports them in each of `--kinds`, each in a process of
its own, whose largest resident size is its own. The target is below 300 MB, however many points there are;
`import` is the size of a process that has loaded all that is needed and no point. Seconds are of processor
time, as the clock tells more about what else runs.
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

TARGET_MB = 300
QUESTIONS, STATES = 60, 4


def main() -> None:
    """Build, export, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--kinds", default="import,prompt/jsonl,prompt/parquet,verl/parquet")
    parser.add_argument("--folder", type=Path, help="Where the points are or are to be; default: not kept.")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        say(json.dumps(measure(given.only, given.folder)))
        return
    with tempfile.TemporaryDirectory() as kept:
        folder = given.folder or Path(kept)
        path = folder / "points.jsonl"
        if not path.exists():
            build(path, given.points)
        say(f"{given.points:,} points, {path.stat().st_size / 2**20:,.0f} MB")
        say(f"{'':16} {'rows':>8} {'cpu s':>7} {'rows/s':>8} {'MB':>7} {'peak MB':>8}")
        worst = 0.0
        for kind in given.kinds.split(","):
            command = [sys.executable, __file__, "--only", kind, "--folder", str(folder)]
            found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
            worst = max(worst, found["peak_mb"])
            rate = found["rows"] / found["seconds"] if found["seconds"] else 0.0
            say(
                f"{kind:16} {found['rows']:8,} {found['seconds']:7.1f} {rate:8,.0f}"
                f" {found['mb']:7,.0f} {found['peak_mb']:8.0f}"
            )
        say(f"peak {worst:.0f} MB, target below {TARGET_MB}: {'met' if worst < TARGET_MB else 'MISSED'}")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def build(path: Path, number: int) -> None:
    """Points of the embedded world, again and again under other ids."""
    from coreact.train.branch.scripted import collect, parts
    from coreact.train.points import point_text
    from coreact.worlds import gazetteer

    world = gazetteer()
    texts = [
        json.loads(point_text(point))
        for point in collect(world, parts(world, n=QUESTIONS, seed=0).train, per_question=STATES)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for at in range(number):
            point = texts[at % len(texts)]
            turn = at // len(texts)
            again = {**point, "id": f"{point['id']}.{turn}", "question_id": f"{point['question_id']}.{turn}"}
            file.write(json.dumps(again) + "\n")


def measure(what: str, folder: Path) -> dict[str, Any]:
    """Export once; the process is fresh."""
    import numpy as np
    import pyarrow.parquet  # noqa: F401 - loaded, so that `import` is what the others begin with

    from coreact.train.row_files import RowSettings, write_rows

    rows, size, seconds = 0, 0.0, 0.0
    if what == "import":
        np.zeros(1)
    else:
        kind, _, file = what.partition("/")
        with tempfile.TemporaryDirectory(dir=folder) as made:
            started = time.process_time()
            settings = RowSettings.of(kind=kind, file=file or "jsonl")
            manifest = write_rows(folder / "points.jsonl", Path(made) / "rows", settings)
            seconds = time.process_time() - started
            rows = sum(split.rows for split in manifest.splits.values())
            size = sum(one.stat().st_size for one in (Path(made) / "rows").iterdir()) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": rows, "seconds": seconds, "mb": size, "peak_mb": peak}


if __name__ == "__main__":
    main()
