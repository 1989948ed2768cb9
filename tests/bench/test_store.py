"""The store's benchmarks run; their figures are for docs/measurements.md and asserted nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.mark.parametrize(
    ("script", "words", "said"),
    [
        ("store.py", ["--steps", "400", "--rounds", "1", "--runs", "200"], "400 of 400 steps in the file"),
        ("kill.py", ["--kills", "5"], "5 kills: 0 files not whole, 0 runs with a gap"),
    ],
)
def test_it_runs(script: str, words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *words],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
