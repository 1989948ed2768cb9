"""The viewer's benchmark runs; its figures are for docs/measurements.md and asserted nowhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("view.py")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.mark.skipif(
    not (os.environ.get("COREACT_CHROMIUM") or any(map(shutil.which, BROWSERS))),
    reason="no Chromium on the PATH",
)
def test_it_runs() -> None:
    pytest.importorskip("playwright.sync_api")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--steps", "30", "--runs", "60", "--rounds", "1"],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for said in ("run page ", "raw prompt ", "browser ", "60 runs", "facets "):
        assert said in done.stdout
