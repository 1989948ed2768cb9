"""Points on disk: what is written comes back, what is broken is named, and judges are not mixed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError, LabelFileError
from coreact.rubric import Action, State, ToolCall
from coreact.rubric.branching import BranchingPoint, Candidate, JudgeRanking
from coreact.train.branch.visits import Visit
from coreact.train.points import (
    MEASURED,
    by_one_panel,
    judges_of,
    point_files,
    point_of,
    point_text,
    read_points,
    whole,
)


def a_point(name: str = "p1", *, question: str = "Where?", judges: tuple[str, ...] = ()) -> BranchingPoint:
    actions = (Action(call=ToolCall(name="search", arguments={"query": "Elbe"})), Action(answer="There."))
    return BranchingPoint(
        id=name,
        question_id=f"q-{name}",
        world="toy",
        state=State.start(f"{question} See https://example.org/b and https://example.org/a.", limit=4),
        candidates=tuple(Candidate(action=one, gain=float(at)) for at, one in enumerate(actions)),
        rankings=tuple(JudgeRanking(judge=judge, ranks=(2.0, 1.0)) for judge in judges),
    )


def lines(*points: BranchingPoint) -> str:
    return "".join(f"{point_text(one)}\n" for one in points)


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_a_text_gives_its_point_back(question: str) -> None:
    point = a_point(question=question)
    text = point_text(point)
    assert "\n" not in text
    text.encode()
    assert point_of(text) == (point if whole(question) == question else point_of(text))
    assert point_text(point_of(text)) == text


def test_texts_are_equal_in_every_process() -> None:
    """A state holds sets, whose order differs from process to process."""
    code = (
        "import sys; from coreact.train.points import point_of, point_text;"
        "sys.stdout.write(point_text(point_of(sys.stdin.read())))"
    )
    addresses = " ".join(f"https://example.org/{letter}" for letter in "abcdefgh")
    text = point_text(a_point(question=addresses))
    found = subprocess.run(
        [sys.executable, "-c", code],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert found.stdout == text


def test_pydantic_reads_the_text_as_well() -> None:
    """Reward functions get it in a column, and may read it in one go."""
    point = a_point(question="half \ud83d a smile")
    assert BranchingPoint.model_validate_json(point_text(point)) == point_of(point_text(point))


def test_files_and_folders_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(lines(a_point("p1"), a_point("p2")), encoding="utf-8")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "points.jsonl").write_text("\ufeff\n" + lines(a_point("p3")), encoding="utf-8")
    found = list(read_points([tmp_path / "two", str(tmp_path / "one.jsonl")]))
    assert [one.id for one in found] == ["p3", "p1", "p2"]
    assert found[1] == a_point("p1")


def test_visits_are_points_as_well(tmp_path: Path) -> None:
    point = a_point()
    visits = [
        Visit(question_id="q", step=0, point=point, worth="gain"),
        Visit(question_id="q", step=1, alone=point.state),
    ]
    written = "".join(json.dumps(one.model_dump(), default=sorted) + "\n" for one in visits)
    (tmp_path / "visits.jsonl").write_text(written + '{"question_id": "q", "st', encoding="utf-8")
    assert list(read_points(tmp_path)) == [point], "no point, then a line torn by a kill"


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        ("{", "not JSON"),
        ('{"id": "p"}', "question_id"),
        ("[1]", "list"),
        ('{"point": {"id": ""}}', "id"),
        ("\x00", "not JSON"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, broken: str, what: str) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(f"{lines(a_point())}\n{broken}\n", encoding="utf-8")
    reading = read_points(tmp_path)
    assert next(reading) == a_point()
    with pytest.raises(LabelFileError, match=what) as caught:
        next(reading)
    assert (caught.value.path, caught.value.line) == (path, 3)
    assert "line 3" in str(caught.value)
    assert caught.value.remedy


def test_a_torn_line_of_points_is_broken(tmp_path: Path) -> None:
    """Only a journal of visits may have one: a file of points was cut off on its way."""
    (tmp_path / "points.jsonl").write_text(lines(a_point())[:-9], encoding="utf-8")
    with pytest.raises(LabelFileError, match="line 1"):
        list(read_points(tmp_path))


def test_what_is_no_file_of_points_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match="does not exist"):
        point_files(tmp_path / "none")
    with pytest.raises(LabelFileError, match="neither"):
        point_files([tmp_path])
    for name in ("visits.jsonl", "points.jsonl"):
        (tmp_path / name).touch()
    with pytest.raises(LabelFileError, match="both"):
        point_files(tmp_path)
    with pytest.raises(LabelFileError, match="No points"):
        point_files([])
    assert list(read_points(tmp_path / "points.jsonl")) == []


@pytest.mark.parametrize(
    "panels",
    [
        [("a@1", "b@1"), ("a@1", "b@1")],
        [("a@1", "b@1", "c@1"), ("b@1", "c@1")],  # one failed
        [("a@1", "b@1"), ("b@1", "c@1"), ("a@1", "c@1")],
        [(), ()],
        [("a@1", "a@2"), ("a@2",)],  # one model under two prompts
    ],
)
def test_points_of_one_panel_pass(panels: list[tuple[str, ...]]) -> None:
    points = [a_point(f"p{at}", judges=judges) for at, judges in enumerate(panels)]
    assert list(by_one_panel(points)) == points


@pytest.mark.parametrize(
    "panels",
    [
        [("a@1", "b@1"), ("a@2", "b@1")],  # another version of one judge
        [("a@1", "b@1"), ("c@1", "d@1")],
        [(), ("a@1", "b@1")],  # measured, then ranked
        [("a@1", "b@1"), ()],
    ],
)
def test_mixed_judges_are_refused_unless_asked_for(panels: list[tuple[str, ...]]) -> None:
    points = [a_point(f"p{at}", judges=judges) for at, judges in enumerate(panels)]
    with pytest.raises(ConfigError, match="p1") as caught:
        list(by_one_panel(points))
    assert "mix" in caught.value.remedy
    assert list(by_one_panel(points, mix=True)) == points


def test_whose_label_it_is() -> None:
    assert judges_of(a_point()) == {MEASURED}
    assert judges_of(a_point(judges=("b", "a"))) == {"a", "b"}
