"""The command that compares a panel with what its throttle allows runs; it asserts no time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("panel.py")


def test_the_report_prints_ratios() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--rounds", "1", "--items", "4", "--pause", "0.02"],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [[k, c] for k in ("bare", "model") for c in ("async", "sync")]
    assert all(int(row[4].strip(")")) <= 8 for row in rows), "never more at once than the throttle allows"
    assert done.stderr == ""
