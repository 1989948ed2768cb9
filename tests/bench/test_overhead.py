"""What guidance costs beside a plain agent, as benchmarks; without `--benchmark-enable` a smoke test.

`pytest tests/bench --benchmark-enable` measures. No test asserts on time: ratios from one run of
`python tests/bench/overhead.py` are what docs/benchmarks.md quotes.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from coreact.guide import STATUS_KEY

SCRIPT = Path(__file__).with_name("overhead.py")


@pytest.fixture(scope="module")
def overhead() -> ModuleType:
    spec = importlib.util.spec_from_file_location("overhead", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["plain", "no-op", "guided", "memory", "sqlite"])
def test_a_run_of_twenty_steps(benchmark: Any, overhead: ModuleType, tmp_path: Path, kind: str) -> None:
    agent, close = overhead.agent(kind, steps=20, folder=tmp_path)
    out = benchmark(overhead.run, agent, steps=20)
    close()
    assert len(out["messages"]) == 42
    if kind in ("guided", "memory", "sqlite"):
        status = out[STATUS_KEY]
        assert (status["step"], status["status"], status["errors"]) == (20, "met", [])
        assert status["spent"]["calls"] == 0, "a retry would measure the model, not the guidance"


@pytest.mark.parametrize("kind", ["plain", "memory"])
@pytest.mark.parametrize("steps", [40, 400])
def test_a_long_run(benchmark: Any, overhead: ModuleType, kind: str, steps: int) -> None:
    agent, _ = overhead.agent(kind, steps=steps)
    out = benchmark.pedantic(overhead.run, args=(agent,), kwargs={"steps": steps}, rounds=1)
    assert len(out["messages"]) == 2 * steps + 2


def test_the_report_prints_ratios() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--rounds", "1", "--long", "0"],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["plain", "no-op", "guided", "memory", "sqlite"]
    assert all(line.endswith(" x") for line in lines[1:])
