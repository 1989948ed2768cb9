"""A whole comparison: arms on the same points, fitted on one half, a model asked once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from coreact.bench.rank.arms import ARMS, ASKING, FITTED, Workshop
from coreact.bench.rank.rubrics import Attempt
from coreact.bench.rank.run import Points, compare
from coreact.errors import ConfigError
from coreact.rubric.branching import BranchingPoint
from coreact.testing import ScriptedJudge, ScriptedModel
from coreact.trace.journal import Journal
from coreact.worlds import World, gazetteer

RUBRIC = """1. [0.6] Do not answer yet.
2. [0.4] Make a call that was not made before."""


@pytest.fixture(scope="module")
def world() -> World:
    return gazetteer()


class Writer(ScriptedModel):
    """Writes one rubric for ever."""

    text: str = RUBRIC

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        self.requests.append(tuple(messages))
        return AIMessage(
            self.text, usage_metadata={"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
        )


def shop(points: Points, model: Writer, file: Path | None = None) -> Workshop:
    journal = None if file is None else Journal(file, Attempt)
    return Workshop(train=points.train, model=model, journal=journal, form="lines", fit=12)


def test_arms_without_a_model(world: World) -> None:
    report = compare(Points(world, n=40), ["none", "random", "heuristic", "contracts"])
    found = {arm.arm: arm for arm in report.arms}
    assert {arm.points for arm in report.arms} == {report.points}
    assert (report.world, report.version, report.half, report.judge) == (
        "gazetteer",
        world.version,
        "dev",
        None,
    )
    assert (found["none"].spearman, found["none"].fixed) == ((0.0, 0.0, 0.0), 0)
    assert abs(found["random"].spearman.mean) < 0.35
    assert found["heuristic"].spearman.low > 0.3
    assert found["heuristic"].compiled == 1.0
    assert found["contracts"].spearman.low > 0
    assert "check:argument_contains" in report.families["heuristic"]
    assert set(report.families) == {"heuristic", "contracts"}
    assert report.fitted == ()
    assert compare(Points(world, n=40), ["random"]).arms[0] == found["random"].model_copy(
        update={"to_heuristic": None}
    )


def test_a_model_is_asked_once_for_all_arms(world: World, tmp_path: Path) -> None:
    arms = ["none", "heuristic", "prompted", "gated", "gated-heuristic", "qualified", "banked"]
    points, model = Points(world, n=12), Writer()
    report = compare(points, arms, workshop=shop(points, model, tmp_path / "kept.jsonl"))
    found = {arm.arm: arm for arm in report.arms}
    asked = len(model.requests)
    assert asked == 12 + 12 + 12  # prompted on both halves, banked on one
    assert found["prompted"].cost.calls == 12
    assert found["prompted"].cost.tokens == 120
    assert found["prompted"].compiled == 1.0
    assert found["prompted"].written == 1.0
    assert found["gated-heuristic"].written == 1.0
    assert (found["gated"].written or 0) + (found["gated"].refused or 0) == 1.0
    assert len(report.fitted) == 3
    assert report.fitted[0].startswith("bank: ")
    again = compare(points, arms, workshop=shop(points, Writer(text="broken"), tmp_path / "kept.jsonl"))
    assert [a.spearman for a in again.arms] == [a.spearman for a in report.arms]
    assert again.fitted == report.fitted


def test_the_bank_holds_training_questions_only(world: World) -> None:
    points = Points(world, n=12)
    made = shop(points, Writer())
    questions = {entry.question for entry in made.fitted.bank}
    assert questions
    assert questions <= {point.state.question for point in points.train()}
    assert not questions & {point.state.question for point in points.dev()}


def test_what_a_gate_refuses_falls_back(world: World) -> None:
    useless = "1. [1.0] Be wise about everything that matters."
    points = Points(world, n=12)
    arms = ["heuristic", "prompted", "gated", "gated-heuristic", "qualified"]
    report = compare(points, arms, workshop=shop(points, Writer(text=useless)))
    found = {arm.arm: arm for arm in report.arms}
    assert found["gated"].refused == 1.0
    assert found["gated"].spearman.mean == 0
    assert found["gated-heuristic"].spearman == found["heuristic"].spearman
    assert found["qualified"].spearman == found["heuristic"].spearman
    assert "may not guide" in report.fitted[2]


def test_a_model_that_writes_nothing_readable_is_counted(world: World) -> None:
    points = Points(world, n=4)
    report = compare(points, ["prompted", "gated-heuristic"], workshop=shop(points, Writer(text="")))
    prompted, fallback = report.arms
    assert (prompted.failed, prompted.spearman.mean, prompted.criteria) == (1.0, 0.0, None)
    assert fallback.written == 1.0
    assert "the defaults" in report.fitted[1]


def test_points_are_kept_in_a_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "points.jsonl"
    first = Points(world, n=3, file=file)
    dev = first.dev()
    assert [p.id for p in Journal(file, BranchingPoint).records] == [p.id for p in dev]
    changed = dev[0].model_copy(update={"world": "kept"})
    lines = file.read_text(encoding="utf-8").replace('"world": "gazetteer"', '"world": "kept"', 1)
    file.write_text(lines, encoding="utf-8")
    again = Points(world, n=3, file=file)
    assert again.dev()[0] == changed
    assert len(Journal(file, BranchingPoint).records) == 3


def test_both_halves_can_be_measured_where_nothing_is_fitted(world: World) -> None:
    assert compare(Points(world, n=5), ["none"], half="all").points == 10
    with pytest.raises(ConfigError, match="fitted on one half"):
        compare(Points(world, n=5), ["banked"], half="all")


def test_a_judge_decides_prose(world: World) -> None:
    points = Points(world, n=6)
    prose = "1. [1.0] The step is a wise one, all things considered."
    judge = ScriptedJudge(lambda _, action: "met" if not action.stops else "unmet")
    made = shop(points, Writer(text=prose))
    without, judged = (compare(points, ["prompted"], workshop=made, judge=one) for one in (None, judge))
    assert without.arms[0].spearman == (0, 0, 0)
    assert judged.judge == "scripted-judge"
    assert judged.arms[0].spearman.mean != 0


def test_arms_that_need_something_say_so(world: World) -> None:
    assert FITTED < ASKING <= set(ARMS)
    with pytest.raises(ConfigError, match="no arm 'best'") as caught:
        compare(Points(world, n=2), ["none", "best"])
    assert "gated-heuristic" in caught.value.remedy
    with pytest.raises(ConfigError, match="no arms"):
        compare(Points(world, n=2), [])
    with pytest.raises(ConfigError, match="needs a model"):
        compare(Points(world, n=2), ["prompted"])


def test_progress_is_shown(world: World) -> None:
    seen: list[tuple[str, int]] = []

    def watch(attempts: Sequence[Attempt], title: str, total: int) -> Sequence[Attempt]:
        seen.append((title, total))
        return attempts

    points = Points(world, n=2)
    made = Workshop(train=points.train, model=Writer(), form="lines", watch=watch)  # type: ignore[arg-type]
    compare(points, ["heuristic", "banked"], workshop=made)
    assert seen == [("heuristic", 2), ("training", 2), ("banked", 2)]
