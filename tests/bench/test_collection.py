"""The command that says how busy a collection keeps its server runs; it asserts no time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("collection.py")


def test_the_report_prints_busy_shares() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--rounds", "1", "--questions", "4", "--pause", "0.02"],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["0", "3"]
    for row in rows:
        assert int(row[1]) > 4
        assert int(row[3]) <= 8, "never more at once than the throttle allows"
        assert 0 < float(row[-2]) < 1.2
    assert int(rows[0][2]) == 4 * 4 * 4, "four questions, four steps, four temperatures"
    assert done.stderr == ""
