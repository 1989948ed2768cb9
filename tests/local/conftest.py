"""The real model, for tests that need it: one server for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coreact.local import LocalServer, status


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The cached model file; nothing is downloaded here."""
    found = status()
    if not found.present or found.xllamacpp_version is None:
        pytest.skip(f"no embedded model: {found!r}; run `coreact local pull`")
    return found.path


@pytest.fixture(scope="session")
def server(model_file: Path) -> Iterator[LocalServer]:
    with LocalServer(model_file) as running:
        yield running
