"""Rows as files: split by question, balanced behind the split, counted, whole or not there, repeatable."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.errors import ConfigError, ExportError, LabelFileError
from coreact.generate.prompt import chat, step_prompt, step_version
from coreact.rubric import Action, State, ToolCall
from coreact.rubric.branching import BranchingPoint, Candidate, JudgeRanking
from coreact.trace.export.writing import JsonLines
from coreact.train.balance import Balance, best_kind
from coreact.train.branch.scripted import collect, parts
from coreact.train.points import point_of, point_text, read_points
from coreact.train.row_files import RowSettings, write_rows
from coreact.worlds import World


def toy(name: str, *, question: str = "", best: str = "search", **fields: Any) -> BranchingPoint:
    call = Candidate(action=Action(call=ToolCall(name="search", arguments={"query": "x"})), gain=0.5)
    answer = Candidate(action=Action(answer="x"), gain={"search": 0.0, "answer": 1.0, "both": 0.5}[best])
    other = Candidate(action=Action(answer="y"), gain=0.0)
    return BranchingPoint(
        id=name,
        question_id=question or name,
        world="toy",
        state=State.start("Where?", limit=4),
        candidates=(call, answer, other),
        **fields,
    )


def stored(folder: Path, points: list[BranchingPoint], name: str = "points.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(f"{point_text(one)}\n" for one in points), encoding="utf-8")
    return folder / name


@pytest.fixture(scope="module")
def points(world: World) -> list[BranchingPoint]:
    return list(collect(world, parts(world, n=12, seed=5).train, seed=5, per_question=2))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


HALF = (("train", 0.5), ("test", 0.5))


def test_a_question_lies_in_one_split_and_counts_add_up(tmp_path: Path, points: list[BranchingPoint]) -> None:
    source = stored(tmp_path / "in", points)
    manifest = write_rows(tmp_path / "in", tmp_path / "out", RowSettings(kind="prompt", split=HALF))
    found = {name: read(tmp_path / "out" / f"{name}.jsonl") for name in ("train", "test")}
    questions = {name: {row["question_id"] for row in rows} for name, rows in found.items()}
    assert not questions["train"] & questions["test"]
    useful = [one for one in points if one.has_contrast]
    assert sum(map(len, found.values())) == len(useful)
    assert manifest.points == len(points)
    assert sum(manifest.left_out.values()) == len(points) - len(useful)
    assert manifest.judges == ("measured",)
    assert manifest.prompt_version == step_version("sheet")
    for name, split in manifest.splits.items():
        path = tmp_path / "out" / f"{name}.jsonl"
        assert split.file == path.name
        assert split.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (split.rows, split.points) == (len(found[name]), len(found[name]))
        assert split.questions == len(questions[name])
    (one,) = manifest.sources
    assert (one.path, one.points) == (str(source), len(points))
    assert one.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    written = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert written == json.loads(manifest.text())


def test_the_same_points_give_the_same_bytes_and_more_points_move_none(
    tmp_path: Path, points: list[BranchingPoint]
) -> None:
    dpo = RowSettings(kind="dpo", split=HALF)
    one = write_rows(stored(tmp_path / "in", points[:12]), tmp_path / "one", dpo)
    two = write_rows(tmp_path / "in", tmp_path / "two", dpo)
    assert one.splits == two.splits
    write_rows(stored(tmp_path / "more", points), tmp_path / "three", dpo)
    for name in ("train", "test"):
        before = (tmp_path / "one" / f"{name}.jsonl").read_text(encoding="utf-8")
        assert (tmp_path / "three" / f"{name}.jsonl").read_text(encoding="utf-8").startswith(before)
    other = write_rows(tmp_path / "in", tmp_path / "four", RowSettings(kind="dpo", split=HALF, seed=1))
    assert other.splits != one.splits


@pytest.mark.parametrize("kind", ["prompt", "sft", "dpo", "verl"])
def test_parquet_and_json_lines_hold_the_same(
    tmp_path: Path, points: list[BranchingPoint], kind: str
) -> None:
    import pyarrow.parquet

    lines, path = _both(tmp_path, points, kind)
    table = pyarrow.parquet.read_table(path)
    assert table.column_names == list(lines[0])
    assert [_bare(row) for row in table.to_pylist()] == lines


def test_trainers_read_them(tmp_path: Path, points: list[BranchingPoint]) -> None:
    """By `datasets`, as TRL does."""
    import datasets

    datasets.disable_progress_bars()
    lines, path = _both(tmp_path, points, "sft")
    cache = str(tmp_path / "cache")
    table = datasets.Dataset.from_parquet(str(path), cache_dir=cache)
    assert [_bare(row) for row in table] == lines
    again = datasets.Dataset.from_json(str(tmp_path / "jsonl" / "train.jsonl"), cache_dir=cache)
    assert [dict(row) for row in again] == lines


def _both(folder: Path, points: list[BranchingPoint], kind: str) -> tuple[list[dict[str, Any]], Path]:
    """The rows as JSON lines, read, and where the same stand in Parquet."""
    stored(folder / "in", points[:8])
    for file in ("jsonl", "parquet"):
        made = RowSettings(kind=kind, file=file, split=(("train", 1.0),))  # type: ignore[arg-type]
        write_rows(folder / "in", folder / file, made)
    return read(folder / "jsonl" / "train.jsonl"), folder / "parquet" / "train.parquet"


def _bare(value: Any) -> Any:
    """Without the fields that a message has not."""
    if isinstance(value, Mapping):
        return {key: _bare(one) for key, one in value.items() if one is not None}
    return [_bare(one) for one in value] if isinstance(value, list) else value


def test_rows_hold_what_the_agent_sends(tmp_path: Path, points: list[BranchingPoint]) -> None:
    stored(tmp_path / "in", points)
    write_rows(tmp_path / "in", tmp_path / "out", RowSettings(kind="sft", form="lines", split=HALF))
    by_id = {one.id: one for one in points}
    for name in ("train", "test"):
        for row in read(tmp_path / "out" / f"{name}.jsonl"):
            point = by_id[row["point_id"]]
            assert row["prompt"] == chat(step_prompt(point.state, form="lines"))
            assert point_of(row["point"]) == point


def test_balance_comes_behind_the_split_and_in_training_only(tmp_path: Path) -> None:
    points = [toy(f"s{at}", question=f"q{at}") for at in range(400)]
    points += [toy(f"a{at}", question=f"r{at}", best="answer") for at in range(40)]
    stored(tmp_path / "in", points)
    plain = write_rows(tmp_path / "in", tmp_path / "plain", RowSettings(kind="prompt", split=HALF))
    even = RowSettings(kind="prompt", split=HALF, most_of_a_kind=0.5)
    manifest = write_rows(tmp_path / "in", tmp_path / "out", even)
    assert manifest.splits["test"] == plain.splits["test"], "what is measured on stays as it is"
    kinds = Counter(best_kind(point_of(row["point"])) for row in read(tmp_path / "out" / "train.jsonl"))
    answers = sum(row["point_id"].startswith("a") for row in read(tmp_path / "plain" / "train.jsonl"))
    assert kinds["answer"] == answers, "the rare kind stays whole"
    assert abs(kinds["call:search"] - answers) < 4 * answers**0.5
    assert manifest.left_out["balanced"] == plain.splits["train"].rows - manifest.splits["train"].rows


@settings(max_examples=40)
@given(
    st.dictionaries(st.sampled_from(["search", "answer", "both"]), st.integers(1, 15), min_size=1),
    st.floats(0.05, 1),
)
def test_balance_keeps_the_share(counts: dict[str, int], most: float) -> None:
    points = [toy(f"{kind}{at}", best=kind) for kind, n in counts.items() for at in range(n)]
    balance = Balance.of(points, seed=0, most=most)
    expected = [balance.kept[best_kind(toy("x", best=kind))] * n for kind, n in counts.items()]
    assert all(0 < share <= 1 for share in balance.kept.values())
    if max(expected) > most * sum(expected) + 1e-9:
        assert max(expected) == pytest.approx(min(counts.values())), "too few kinds: cut to the rarest"
    largest = [n for n, kept in zip(counts.values(), expected, strict=True) if kept < n - 1e-9]
    if not largest:
        return
    ceiling = round(max(expected))
    assert ceiling + 1 > most * sum(min(n, ceiling + 1) for n in counts.values()), "no more than needed"


def test_kinds_of_best_actions() -> None:
    assert best_kind(toy("a")) == "call:search"
    assert best_kind(toy("a", best="answer")) == "answer"
    assert best_kind(toy("a", best="both")) == "several"


def test_a_point_counts_once(tmp_path: Path) -> None:
    stored(tmp_path / "in", [toy("a"), toy("b"), toy("a", question="other")])
    stored(tmp_path / "in", [toy("b")], "more.jsonl")
    files = [tmp_path / "in" / "points.jsonl", tmp_path / "in" / "more.jsonl"]
    manifest = write_rows(files, tmp_path / "out", RowSettings(kind="prompt"))
    assert manifest.left_out == {"duplicate": 2}
    assert [one.points for one in manifest.sources] == [3, 1]
    assert sum(split.rows for split in manifest.splits.values()) == 2


def test_mixed_judges(tmp_path: Path) -> None:
    ranked = tuple(JudgeRanking(judge=name, ranks=(1.0, 2.0, 3.0)) for name in ("a@1", "b@1"))
    stored(tmp_path / "in", [toy("p1"), toy("p2", rankings=ranked)])
    with pytest.raises(ConfigError, match="measured"):
        write_rows(tmp_path / "in", tmp_path / "out", RowSettings(kind="prompt"))
    assert not (tmp_path / "out").exists()
    manifest = write_rows(tmp_path / "in", tmp_path / "out", RowSettings(kind="prompt", mix_judges=True))
    assert manifest.judges == ("a@1", "b@1", "measured")


def test_nothing_is_left_of_what_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(tmp_path / "in", [toy("p1")])
    tied = toy("p2").model_copy(
        update={"candidates": tuple(one.model_copy(update={"gain": 0.0}) for one in toy("p2").candidates)}
    )
    for lines, error, what in (
        (point_text(toy("p1")) + "\n{\n", LabelFileError, "line 2"),
        (point_text(tied) + "\n", ExportError, "no contrast 1"),
        ("", ExportError, "no points"),
    ):
        path.write_text(lines, encoding="utf-8")
        with pytest.raises(error, match=what):
            write_rows(path, tmp_path / "out", RowSettings(kind="prompt"))
        assert [one.name for one in tmp_path.iterdir()] == ["in"]

    def full(self: JsonLines, row: Mapping[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JsonLines, "write", full)
    with pytest.raises(ExportError, match="No space left"):
        write_rows(stored(tmp_path / "in", [toy("p1")]), tmp_path / "out", RowSettings(kind="prompt"))
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    path = stored(tmp_path / "in", [toy("p1")])
    with pytest.raises(ExportError, match="exists already"):
        write_rows(path, tmp_path / "in", RowSettings(kind="prompt"))
    assert list(read_points(path)) == [toy("p1")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"split": (("train", 0.5),)},
        {"split": (("a", 0.5), ("a", 0.5))},
        {"most_of_a_kind": 0},
        {"least_lines": 4, "most_lines": 2},
        {"knd": "sft"},
    ],
)
def test_impossible_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RowSettings.of(**{"kind": "sft", **wrong})
