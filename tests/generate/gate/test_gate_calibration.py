from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.generate.gate import Gate, Thresholds, acalibrate, calibrate, load_gate_calibration
from coreact.rubric import DoesNotStop, Rubric, State
from coreact.testing import ScriptedJudge


def worlds(case: Any, n: int = 24) -> tuple[list[Any], list[Rubric], list[Rubric]]:
    """Rubrics of which every second one is blunt and wrong: it wants an answer and ties the rest.

    Its checks decide a third of the weight; prose that nobody judges is the rest.
    """
    points = [case.at(at) for at in range(n)]
    blunt = Rubric(
        criteria=(
            case.misleading.criteria[0],
            case.prose.criteria[0].model_copy(update={"id": "p", "weight": 2.0}),
        )
    )
    rubrics = [case.informative_for(f"Land{at}") if at % 2 else blunt for at in range(n)]
    fallback = case.rubric(("Search before you answer.", 1.0, DoesNotStop()))
    return points, rubrics, [fallback] * n


def test_thresholds_that_keep_bad_rubrics_out_are_found_and_hold_on_other_questions(case: Any) -> None:
    points, rubrics, fallbacks = worlds(case)
    found = calibrate(points, rubrics, generator="g", fallbacks=fallbacks)
    assert found.gated.low > found.ungated.high
    assert found.gated.value > found.fallback.value > found.ungated.value
    assert 0 < found.admitted < 1
    gate = Gate(found.thresholds)
    assert gate.examine(rubrics[1], points[1].state).admitted
    assert not gate.examine(rubrics[0], points[0].state).admitted


def test_a_threshold_is_not_raised_for_nothing(case: Any) -> None:
    points = [case.at(at) for at in range(12)]
    rubrics = [case.informative_for(f"Land{at}") for at in range(12)]
    found = calibrate(points, rubrics, generator="g")
    assert found.thresholds == Thresholds(lint=1.0, executable=0.0, discrimination=0.0)
    assert (found.admitted, found.gated.value, found.fallback.value) == (1.0, 1.0, 0.0)


def test_the_half_that_is_measured_on_chose_nothing(case: Any) -> None:
    # Other gains on one question move either the choice or the figures, never both.
    points, rubrics, fallbacks = worlds(case)
    before = calibrate(points, rubrics, generator="g", fallbacks=fallbacks)
    figures = 0
    for at in range(1, 12, 2):
        changed = [*points[:at], case.at(at, gains=(0.0, 0.1, 0.4, 1.0)), *points[at + 1 :]]
        after = calibrate(changed, rubrics, generator="g", fallbacks=fallbacks)
        moved = (after.ungated, after.fallback) != (before.ungated, before.fallback)
        assert not (moved and after.thresholds != before.thresholds)
        figures += moved
    assert 0 < figures < 6


def test_questions_are_not_parted(case: Any) -> None:
    points, rubrics, fallbacks = worlds(case)
    one = [point.model_copy(update={"question_id": "one"}) for point in points]
    with pytest.raises(ConfigError, match="1 questions"):
        calibrate(one, rubrics, generator="g", fallbacks=fallbacks)


def test_lengths_must_agree(case: Any) -> None:
    points, rubrics, fallbacks = worlds(case)
    with pytest.raises(ConfigError, match="for 24 branching points"):
        calibrate(points, rubrics[:-1], generator="g", fallbacks=fallbacks)


def test_the_seed_decides_the_halves(case: Any) -> None:
    points, rubrics, fallbacks = worlds(case)
    one, again = (calibrate(points, rubrics, generator="g", fallbacks=fallbacks, seed=3) for _ in range(2))
    assert one == again
    assert one.lock == again.lock


def test_async_is_the_same(case: Any) -> None:
    points, rubrics, fallbacks = worlds(case)
    judge = ScriptedJudge(lambda _, action: "unmet" if action.stops else "met")
    options: dict[str, Any] = {"generator": "g", "fallbacks": fallbacks, "judge": judge}
    assert asyncio.run(acalibrate(points, rubrics, **options)) == calibrate(points, rubrics, **options)


def test_the_file_is_locked_and_for_one_generator(case: Any, tmp_path: Path) -> None:
    points, rubrics, fallbacks = worlds(case)
    made = calibrate(points, rubrics, generator="g", fallbacks=fallbacks)
    path = tmp_path / "gate.json"
    path.write_text(made.artefact())
    assert load_gate_calibration(path, generator="g") == made
    with pytest.raises(ConfigError, match="not for 'other'"):
        load_gate_calibration(path, generator="other")
    stored = json.loads(path.read_text())
    stored["calibration"]["thresholds"]["discrimination"] = 0.05
    path.write_text(json.dumps(stored))
    with pytest.raises(ConfigError, match="was changed"):
        load_gate_calibration(path, generator="g")
    for text in ("", "[]", "{}", '{"calibration": {}, "lock": ""}', "[" * 5000):
        path.write_text(text)
        with pytest.raises(ConfigError, match="no calibration"):
            load_gate_calibration(path, generator="g")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_gate_calibration(tmp_path / "none", generator="g")


def test_a_sampler_that_blocks_does_not_hold_the_event_loop(case: Any) -> None:
    points = [case.at(at) for at in range(12)]
    rubrics = [case.informative_for(f"Land{at}") for at in range(12)]
    actions = {point.state.digest: point.actions for point in points}
    threads: list[int] = []

    def sampler(state: State) -> Any:
        threads.append(threading.get_ident())
        return actions[state.digest]

    asyncio.run(acalibrate(points, rubrics, generator="g", sampler=sampler))
    assert len(threads) == 12
    assert threading.get_ident() not in threads
