"""The small generator of `tests/generate/trained`, for the servers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

_AT = Path(__file__).parents[1] / "generate" / "trained" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("trained_conftest", _AT)
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)

LESSON: str = _MODULE.LESSON
points = _MODULE.points
trained = _MODULE.trained


@pytest.fixture
def lesson() -> str:
    return LESSON
