from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import ConfigError, JudgingError
from coreact.generate.gate import (
    Bar,
    Gate,
    GatedGenerator,
    aqualify_generator,
    load_report,
    points_digest,
    qualify_generator,
)
from coreact.generate.generator import NoRubricError
from coreact.rubric import Rubric, State
from coreact.testing import ScriptedGenerator, ScriptedJudge


@pytest.fixture
def good(case: Any) -> ScriptedGenerator:
    """Writes the right rubric for each country."""

    def write(state: State) -> Rubric:
        return case.informative_for(state.steps[-1].observation.text.split(" of ")[1].split(",")[0])  # type: ignore[union-attr, no-any-return]

    return ScriptedGenerator(write)


@pytest.fixture
def points(case: Any) -> list[Any]:
    return [case.at(n) for n in range(12)]


def test_a_writer_whose_order_is_right_may_guide(good: Any, points: list[Any]) -> None:
    report = qualify_generator(good, points)
    assert report.agreement is not None
    assert (report.agreement.value, report.agreement.low, report.agreement.n) == (1.0, 1.0, 12)
    assert (report.questions, report.points, report.endings) == (12, 12, {"written": 12})
    assert report.may_guide
    assert report.generator == "scripted"


def test_a_misleading_one_may_not_and_an_all_tied_one_may_not(case: Any, points: list[Any]) -> None:
    misleading = qualify_generator(ScriptedGenerator(case.misleading), points)
    assert misleading.agreement is not None
    # The answer first, the rest tied: ranks 3, 3, 3, 1 against 1, 2, 3, 4.
    assert misleading.agreement.value == pytest.approx(-0.7745966692)
    vacuous = qualify_generator(ScriptedGenerator(case.vacuous), points)
    assert vacuous.agreement is not None
    assert (vacuous.agreement.value, vacuous.endings) == (0.0, {"written": 12})
    assert not misleading.may_guide
    assert not vacuous.may_guide


def test_few_questions_are_not_enough_whatever_they_show(good: Any, case: Any) -> None:
    same = [case.at(n, question="one") for n in range(12)]
    report = qualify_generator(good, same)
    assert (report.questions, report.points, report.may_guide) == (1, 12, False)
    assert "1 questions" in report.reason
    assert qualify_generator(good, same[:2], bar=Bar(questions=2)).may_guide is False


def test_questions_are_the_unit_not_points(case: Any) -> None:
    # Eleven points of one question are right and one of another wrong: the mean of two questions is 0.
    mixed = [case.at(n, question="often") for n in range(11)]
    mixed.append(case.at(11, gains=(0.0, 0.1, 0.4, 1.0)))

    def write(state: State) -> Rubric:
        return case.informative_for(state.steps[-1].observation.text.split(" of ")[1].split(",")[0])  # type: ignore[union-attr, no-any-return]

    report = qualify_generator(ScriptedGenerator(write), mixed)
    assert report.agreement is not None
    assert (report.agreement.value, report.agreement.n) == (0.0, 2)


def test_refusals_and_failures_count_nought_and_apart(case: Any, points: list[Any]) -> None:
    script: list[Any] = [case.unknown_tool] * 6 + [case.misleading] * 6
    gated = GatedGenerator(ScriptedGenerator(*script), Gate())
    report = qualify_generator(gated, points)
    assert report.endings == {"refused": 6, "written": 6}
    assert report.agreement is not None
    assert report.when_written is not None
    assert report.agreement.value == pytest.approx(report.when_written.value / 2)
    failing = ScriptedGenerator(NoRubricError("nothing", generator="scripted", cause="parse"))
    report = qualify_generator(failing, points)
    assert report.endings == {"failed": 12}
    assert report.when_written is None
    assert not report.may_guide


def test_a_judge_that_broke_says_nothing_about_the_writer(case: Any, points: list[Any]) -> None:
    down = ScriptedJudge(JudgingError("down", judge="j", cause="transport"))
    report = qualify_generator(ScriptedGenerator(case.prose), points, judge=down)
    assert (report.endings, report.points, report.agreement) == ({"unjudged": 12}, 0, None)
    assert not report.may_guide


def test_points_without_contrast_are_left_out(good: Any, case: Any, points: list[Any]) -> None:
    flat = case.at(99, gains=(0.5, 0.5, 0.5, 0.5))
    assert qualify_generator(good, [*points, flat]).points == 12


def test_a_baseline_must_not_be_better(good: Any, case: Any, points: list[Any]) -> None:
    named = ScriptedGenerator(case.misleading)
    named.id = "other"
    report = qualify_generator(good, points, baseline=named)
    assert report.baseline == "other"
    assert report.difference is not None
    assert report.difference.value == pytest.approx(1 + 0.7745966692)
    assert report.may_guide
    half = case.rubric(("Search before you answer.", 1.0, case.informative.criteria[2].check))
    weaker = ScriptedGenerator(half)
    assert qualify_generator(weaker, points).may_guide
    worse = qualify_generator(weaker, points, baseline=good)
    assert not worse.may_guide
    assert "may be worse" in worse.reason
    assert qualify_generator(weaker, points, baseline=good, bar=Bar(inferiority=0.5)).may_guide


def test_intervals_are_drawn_with_the_seed(case: Any, good: Any) -> None:
    mixed = [case.at(n, gains=(1.0, 0.4, 0.1, 0.0) if n % 3 else (0.0, 0.1, 0.4, 1.0)) for n in range(12)]
    first, again = (qualify_generator(good, mixed, seed=1, resamples=200) for _ in range(2))
    assert first == again
    assert first.agreement is not None
    assert first.agreement.low < first.agreement.value < first.agreement.high


def test_a_report_survives_its_file_and_belongs_to_one_generator(
    good: Any, points: list[Any], tmp_path: Path
) -> None:
    report = qualify_generator(good, points)
    path = tmp_path / "report.json"
    path.write_text(report.artefact())
    assert load_report(path, generator="scripted") == report
    with pytest.raises(ConfigError, match="not of 'other'"):
        load_report(path, generator="other")
    path.write_text("{}")
    with pytest.raises(ConfigError, match="no report"):
        load_report(path, generator="scripted")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_report(tmp_path / "none.json", generator="scripted")


def test_whether_it_may_guide_is_computed_and_never_read(good: Any, case: Any, points: list[Any]) -> None:
    bad = qualify_generator(ScriptedGenerator(case.misleading), points)
    assert "may_guide" not in bad.model_dump()


def test_the_digest_is_of_what_the_points_hold(case: Any, points: list[Any]) -> None:
    assert points_digest(points) == points_digest(points[::-1])
    assert points_digest(points) != points_digest(points[:-1])
    other = [*points[:-1], case.at(11, gains=(1.0, 0.4, 0.1, 0.05))]
    assert points_digest(points) != points_digest(other)


def test_async_is_the_same(good: Any, case: Any, points: list[Any]) -> None:
    judge = ScriptedJudge(lambda _, action: "unmet" if action.stops else "met")
    writer = ScriptedGenerator(case.prose)
    blocking = qualify_generator(writer, points, judge=judge, baseline=good)
    waiting = asyncio.run(aqualify_generator(writer, points, judge=judge, baseline=good))
    left_out = {"cost"}  # it holds seconds
    assert waiting.model_dump(exclude=left_out) == blocking.model_dump(exclude=left_out)
    assert waiting.cost.calls == blocking.cost.calls
