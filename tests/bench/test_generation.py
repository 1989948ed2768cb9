"""The benchmark of heuristic generation runs and prints its ratios; no test asserts on time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("generation.py")


def test_the_report_prints_ratios_to_forty_steps() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--rounds", "2"],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["10", "40", "160", "400"]
    assert rows[1][2] == rows[1][5] == "1.00"
