"""Default guidance must leave a competent agent alone; and the suite must see guidance that does not."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from coreact.bench.harm import everyday_tasks, measure, search_tasks
from coreact.cli.bench import bench_app
from coreact.rubric import Criterion, DoesNotStop, Rubric, Stops
from coreact.testing import ScriptedGenerator
from coreact.worlds import gazetteer
from coreact.worlds.choosing import choose

FAMILIES = {"arithmetic", "table", "files", "polling", "paging", "dice", "parallel"}

IMPOSSIBLE = Rubric(
    criteria=(
        Criterion(id="stop", text="Answer now.", kind="hard", check=Stops()),
        Criterion(id="go-on", text="Do not answer now.", kind="hard", check=DoesNotStop()),
    )
)
"""No step meets both."""


def test_everyday_tasks_are_spread_over_the_families_and_drawn_by_the_seed() -> None:
    tasks = everyday_tasks(14, seed=3)
    assert {task.family for task in tasks} == FAMILIES
    assert [t.question for t in tasks] == [t.question for t in everyday_tasks(14, seed=3)]
    assert [t.question for t in tasks] != [t.question for t in everyday_tasks(14, seed=4)]


def test_everyday_agents_are_left_alone() -> None:
    report = measure("everyday tools", everyday_tasks(105, seed=1))
    assert report.tasks == 105
    assert report.steps > 300
    assert report.changed_outcomes == 0
    assert report.spoiled == 0
    assert report.alarm_rate <= 0.02


@pytest.mark.parametrize("hops", [2, 3])
def test_nothing_of_an_ideal_searcher_is_spoiled(hops: int) -> None:
    world = gazetteer(questions=400)
    report = measure("search", search_tasks(world, choose(world, n=12, seed=1, hops=hops)))
    assert report.steps == 12 * (hops + 1)
    assert report.changed_outcomes == 0
    assert report.spoiled == 0


def test_a_bad_generator_is_seen_as_alarms() -> None:
    report = measure("bad", everyday_tasks(7, seed=0), generator=ScriptedGenerator(IMPOSSIBLE))
    assert report.alarm_rate > 0.9
    assert report.changed_outcomes == 0  # the default lets a rejected step run in the end


def test_guidance_that_holds_steps_back_is_seen_as_harm() -> None:
    blocking = {"generator": ScriptedGenerator(IMPOSSIBLE), "on_unmet": "block"}
    report = measure("blocked", everyday_tasks(7, seed=0), **blocking)
    assert report.spoiled > 0
    assert report.changed_outcomes > 0


def test_no_steps_have_no_alarms() -> None:
    assert measure("none", []).alarm_rate == 0


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    done = CliRunner().invoke(bench_app, ["harm", "--n", "7", "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert [report["family"] for report in found] == ["everyday tools", "search, 2 hops", "search, 3 hops"]
    assert all(report["changed_outcomes"] == 0 for report in found)
    assert all(report["alarm_rate"] == report["alarms"] / report["steps"] for report in found)
