"""The shape of labelled data: read whole or not at all, with the position of what is broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.bench.qualify.cases import (
    JudgeCase,
    Label,
    label_credit,
    label_status,
    read_cases,
    write_cases,
)
from coreact.errors import LabelFileError, UserError
from coreact.rubric import Action, ArgumentContains, Criterion, ToolCall
from coreact.trace import lines

MakeCases = Callable[..., tuple[JudgeCase, ...]]

LINE: dict[str, Any] = {
    "id": "1",
    "dataset": "mine",
    "question": "Who wrote Faust?",
    "steps": [
        {
            "call": {"name": "search", "arguments": {"query": "Faust"}},
            "observation": {"id": "m1", "text": "Faust is by Goethe."},
        }
    ],
    "action": {"answer": "Goethe"},
    "criteria": [
        {"id": "a", "text": "The answer is supported.", "kind": "fact"},
        {"id": "b", "text": "Short."},
    ],
    "labels": {"a": "met", "b": 0.75},
    "author": "qwen",
}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def test_a_line_is_a_case(tmp_path: Path) -> None:
    found = read_cases(write(tmp_path / "x.jsonl", LINE, "", {**LINE, "id": "2", "group": "faust"}))
    assert (found.name, len(found.cases)) == ("mine", 2)
    case = found.cases[0]
    assert case.state.last_observation is not None
    assert case.state.last_observation.id == "m1"
    assert case.state.budget.used == 1
    assert case.labels == {"a": "met", "b": 0.75}
    assert [one.cluster for one in found.cases] == ["1", "faust"]


@pytest.mark.parametrize(
    ("label", "status", "credit"),
    [
        ("met", "met", 1.0),
        ("partial", "partial", 0.5),
        ("unmet", "unmet", 0.0),
        ("not_applicable", "not_applicable", None),
        (0.0, "unmet", 0.0),
        (0.24, "unmet", 0.24),
        (0.25, "partial", 0.25),
        (0.75, "partial", 0.75),
        (0.76, "met", 0.76),
    ],
)
def test_what_a_label_stands_for(label: Label, status: str, credit: float | None) -> None:
    assert (label_status(label), label_credit(label)) == (status, credit)


def test_written_cases_are_read_back(tmp_path: Path, make_cases: MakeCases) -> None:
    criterion = Criterion(id="c", text="T.", check=ArgumentContains(argument="q", terms=("x",)))
    other = JudgeCase(
        id="call",
        dataset="made",
        question="?",
        action=Action(call=ToolCall(name="f", arguments={"q": ["x", {"deep": 1.5}]})),
        criteria=(criterion,),
        labels={"c": 1},  # type: ignore[dict-item]
        stratum="hard",
    )
    cases = (*make_cases(5), other)
    path = tmp_path / "new" / "cases.jsonl"
    write_cases(path, cases)
    found = read_cases(path)
    assert found.cases == cases
    assert [case.asked for case in found.cases] == [case.asked for case in cases]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_hash_covers_what_a_judge_is_shown_and_nothing_else() -> None:
    case = JudgeCase.model_validate(LINE)
    assert case.asked == JudgeCase.model_validate({**LINE, "labels": {"a": "unmet", "b": 0.1}}).asked
    for field, value in {
        "question": "Who?",
        "given": ["Be brief."],
        "action": {"answer": "Schiller"},
        "criteria": [{"id": "a", "text": "Other."}, {"id": "b", "text": "Short."}],
        "steps": [],
    }.items():
        assert JudgeCase.model_validate({**LINE, field: value}).asked != case.asked


BROKEN: list[tuple[Any, str]] = [
    ('{"id": "2", ', "not JSON"),
    ("[1, 2]", "a JSON list where an object should be"),
    ({"id": "2"}, "'dataset'"),
    ({**LINE, "id": "1"}, "'1' is taken"),
    ({**LINE, "id": "2", "labels": {"a": "met"}}, r"labels for \['b'\]"),
    ({**LINE, "id": "2", "labels": {"a": "met", "b": 1, "c": 1}}, r"labels for \['c'\]"),
    ({**LINE, "id": "2", "labels": {"a": "met", "b": 1.5}}, "labels"),
    ({**LINE, "id": "2", "labels": {"a": "unknown", "b": 1}}, "labels"),
    ({**LINE, "id": "2", "labels": {"a": True, "b": 1}}, "labels"),
    ({**LINE, "id": "2", "criteria": [LINE["criteria"][0]] * 2}, "unique"),
    ({**LINE, "id": "2", "criteria": [], "labels": {}}, "criteria"),
    ({**LINE, "id": "2", "action": {}}, "either a call or an answer"),
    ({**LINE, "id": "2", "colour": "red"}, "'colour'"),
    ("[" * 100_000, "nested too deep"),
]


@pytest.mark.parametrize(("row", "what"), BROKEN)
def test_a_broken_line_is_an_error_with_its_position(tmp_path: Path, row: Any, what: str) -> None:
    path = write(tmp_path / "x.jsonl", LINE, "", row, {**LINE, "id": "4"})
    with pytest.raises(LabelFileError, match=what) as raised:
        read_cases(path)
    assert (raised.value.path, raised.value.line) == (path, 3)
    assert "line 3" in raised.value.what
    assert isinstance(raised.value, UserError)
    assert raised.value.remedy


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(json.dumps(LINE).encode() + b"\n\xff\xfe\n")
    with pytest.raises(LabelFileError, match="line 2: the bytes are not UTF-8"):
        read_cases(path)


def test_files_without_cases_or_with_several_sets(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match="cannot be read"):
        read_cases(tmp_path / "missing.jsonl")
    with pytest.raises(LabelFileError, match="0 data sets"):
        read_cases(write(tmp_path / "empty.jsonl", ""))
    with pytest.raises(LabelFileError, match="2 data sets: mine, other"):
        read_cases(write(tmp_path / "two.jsonl", LINE, {**LINE, "id": "2", "dataset": "other"}))


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_cases: MakeCases
) -> None:
    path = write(tmp_path / "x.jsonl", LINE)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lines.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_cases(path, make_cases(3))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["x.jsonl"]
