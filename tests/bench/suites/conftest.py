"""Writers of tiny files in published shapes; everything in them was made up for these tests."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes JSON lines; a text stands as it is, so that a line can be broken."""

    def written(name: str, *lines: Any) -> Path:
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        path = tmp_path / name
        path.write_text(text + "\n", encoding="utf-8")
        return path

    return written


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """The folder of a real data set; the test is skipped where it is absent."""

    def folder(name: str) -> Path:
        root = Path(os.environ.get("COREACT_DATA", Path(__file__).parents[4] / "shared" / "data"))
        if not (root / name).exists():
            pytest.skip(f"no {name} in {root}; set COREACT_DATA to the folder that has it")
        return root / name

    return folder
