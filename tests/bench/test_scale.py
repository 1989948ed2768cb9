"""The two benchmarks on a simulated server still run and compare what they say they compare."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from pathlib import Path

import pytest


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(__file__).parent
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in ("simulated", "scale", "step_time"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("arm", ["plain", "guided"])
def test_all_trajectories_end_and_no_more_calls_run_at_once_than_there_are_places(
    bench: Path, arm: str, tmp_path: Path
) -> None:
    scale = import_module("scale")
    found = asyncio.run(scale.run(arm, trajectories=12, steps=2, pause=0.01, slots=4, folder=tmp_path))
    assert found.calls == 12 * 3
    assert found.seconds >= 12 * 3 * 0.01 / 4


def test_every_arm_does_the_same_steps_and_retries_the_same_failures(bench: Path) -> None:
    step_time = import_module("step_time")
    steps, runs = 5, 2
    questions = [f"Which register names Ouagadougou, entry {number}?" for number in range(runs)]
    failing = sum(step_time.fails(question, step) for question in questions for step in range(steps))
    assert failing
    for name in step_time.arms(step_time.Server(0, steps)):
        _, server = asyncio.run(step_time.measure(name, pause=0.0, tool=0.0, steps=steps, runs=runs))
        retried = 0 if name == "plain" else failing
        assert len(server.prompts["agent"]) == runs * (steps + 1) + retried, name


def test_what_two_prompts_share_is_their_beginning(bench: Path) -> None:
    step_time = import_module("step_time")
    assert step_time.shared(["abcd", "abxy", "abxyz"]) == pytest.approx((2 + 4) / 9)
