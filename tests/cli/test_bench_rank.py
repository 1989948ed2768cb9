"""`coreact bench rank`: tables and JSON, worlds, files that go on, and complaints that name the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Coreact = Callable[..., Any]
Complaint = Callable[..., str]

TOWNS = ("Bergen", "Lyon", "Quito", "Osaka", "Accra", "Perth", "Tarn", "Brenna")


@pytest.fixture
def world(here: Path) -> Path:
    """A small world in a folder: who founded which town, and where the founder was born."""
    passages = [
        row
        for at, town in enumerate(TOWNS)
        for row in (
            {"id": f"t{at}", "title": town, "text": f"{town} was founded by Ada {town}son."},
            {
                "id": f"f{at}",
                "title": f"Ada {town}son",
                "text": f"Ada {town}son was born in the year {1500 + at}.",
            },
        )
    ]
    questions = [
        {
            "id": f"q{at}",
            "question": f"When was the founder of {town} born?",
            "answer": str(1500 + at),
            "supporting_ids": [f"t{at}", f"f{at}"],
        }
        for at, town in enumerate(TOWNS)
    ]
    folder = here / "towns"
    folder.mkdir()
    for name, rows in (("passages", passages), ("questions", questions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return folder


def test_it_prints_what_was_ranked_and_what_was_written(coreact: Coreact, world: Path) -> None:
    ended = coreact("bench", "rank", "--world", str(world), "--half", "all")
    assert ended.code == 0, ended
    for shown in (
        "towns: 8 branching points",
        "checks only",
        "Spearman",
        "contracts",
        "What was written",
        "100%",
    ):
        assert shown in ended.out, ended.out
    assert not Path(".coreact").exists()  # nothing was asked, so nothing is kept


def test_as_json_nothing_else_is_printed(coreact: Coreact, world: Path) -> None:
    ended = coreact(
        "bench", "rank", "--world", str(world), "--half", "all", "--arms", "none,heuristic", "--json"
    )
    report = json.loads(ended.out)
    assert (report["world"], report["points"], report["seed"]) == ("towns", 8, 0)
    assert [arm["arm"] for arm in report["arms"]] == ["none", "heuristic"]
    assert report["arms"][1]["spearman"][0] > 0
    again = coreact(
        "bench", "rank", "--world", str(world), "--half", "all", "--arms", "none,heuristic", "--json"
    )
    timed = {"cost"}
    for one, other in zip(report["arms"], json.loads(again.out)["arms"], strict=True):
        assert {k: v for k, v in one.items() if k not in timed} == {
            k: v for k, v in other.items() if k not in timed
        }


def test_the_gazetteer_is_the_default(coreact: Coreact) -> None:
    report = json.loads(coreact("bench", "rank", "--n", "5", "--json").out)
    assert (report["world"], report["points"]) == ("gazetteer", 5)
    assert [arm["arm"] for arm in report["arms"]] == ["none", "random", "heuristic", "contracts"]


def test_a_model_writes_and_a_run_goes_on_where_it_stopped(
    coreact: Coreact, world: Path, serve: Callable[..., Any]
) -> None:
    server = serve(["1. [1.0] Do not answer yet."])
    arguments = ["bench", "rank", "--world", str(world), *server.options, "--form", "lines"]
    arguments += ["--arms", "prompted,gated", "--fit", "2", "--out", "kept.jsonl", "--json"]
    report = json.loads(coreact(*arguments).out)
    assert report["arms"][0]["written"] == 1.0
    assert report["arms"][0]["compiled"] == 1.0
    asked = len(server.requests)
    assert asked == 4 + 2  # the measured half, and two training points
    assert "founder of" in str(server.requests[0]["messages"])
    again = json.loads(coreact(*arguments).out)
    assert [arm["spearman"] for arm in again["arms"]] == [arm["spearman"] for arm in report["arms"]]
    assert again["arms"][0]["cost"]["calls"] == 4
    assert len(server.requests) == asked


def test_a_model_adds_candidates(coreact: Coreact, world: Path, serve: Callable[..., Any]) -> None:
    server = serve([("search", {"query": "Ada"})])
    arguments = ["bench", "rank", "--world", str(world), "--half", "all", "--arms", "none", *server.options]
    ended = coreact(*arguments, "--sample", "0,1", "--points", "points.jsonl", "--json")
    assert json.loads(ended.out)["points"] == 8
    assert [request["temperature"] for request in server.requests[:2]] == [0.0, 1.0]
    rows = [json.loads(line) for line in Path("points.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {c["source"] for row in rows for c in row["candidates"]} >= {"sample", "answer"}
    before = len(server.requests)
    coreact(*arguments, "--sample", "0,1", "--points", "points.jsonl", "--json")
    assert len(server.requests) == before


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--arms", "best"], "gated-heuristic"),
        (["--arms", ","], "Arms are"),
        (["--sample", "warm"], "0,0.7,1"),
        (["--sample", "3"], "0,0.7,1"),
        (["--world", "nowhere"], "passages.jsonl"),
    ],
)
def test_what_cannot_be_is_refused(
    coreact: Coreact, world: Path, complaint: Complaint, arguments: list[str], remedy: str
) -> None:
    if "--world" not in arguments:
        arguments = [*arguments, "--world", str(world)]
    complaint(coreact("bench", "rank", *arguments), code=2, remedy=remedy)


def test_a_broken_file_of_points_is_named(coreact: Coreact, world: Path, complaint: Complaint) -> None:
    Path("points.jsonl").write_text("{}\n{}\n", encoding="utf-8")
    ended = coreact("bench", "rank", "--world", str(world), "--points", "points.jsonl")
    assert "points.jsonl, line 1" in complaint(ended, code=2, remedy="Correct the line")
