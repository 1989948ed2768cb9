"""A recorded sample of a capable writer: most of it is decided by code, and it ranks actions well."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from coreact.bench.rank.arms import Workshop
from coreact.bench.rank.replies import RepliedModel, read_replies, replied_model, requests
from coreact.bench.rank.run import Points, Report, compare
from coreact.errors import LabelFileError
from coreact.worlds import World, gazetteer, load_world

HERE = Path(__file__).parent / "recorded"
DATA = (
    Path(os.environ.get("COREACT_DATA") or Path(__file__).parents[4] / "shared" / "data") / "multihop_qa_open"
)


def report(world: World, file: Path) -> Report:
    replies = read_replies(file)
    points = Points(world, n=48, only=replies)
    model = replied_model("recorded", points.dev(), replies, "lines")
    return compare(points, ["none", "heuristic", "prompted"], workshop=Workshop(model=model, form="lines"))


def check(found: Report, *, compiled: float) -> None:
    arms = {one.arm: one for one in found.arms}
    prompted = arms["prompted"]
    assert found.points == 40
    assert prompted.compiled is not None
    assert prompted.compiled >= compiled
    assert prompted.to_heuristic is not None
    assert prompted.to_heuristic.low > 0
    assert prompted.failed == 0


def test_the_gazetteer_sample() -> None:
    check(report(gazetteer(), HERE / "gazetteer.jsonl"), compiled=0.85)


@pytest.mark.skipif(not DATA.is_dir(), reason="multihop_qa_open is not on this machine")
def test_the_multihop_sample() -> None:
    check(report(load_world(DATA), HERE / "multihop.jsonl"), compiled=0.55)


def test_requests_and_replies_belong_together(tmp_path: Path) -> None:
    points = Points(gazetteer(), n=2).dev()
    asked = [json.loads(line) for line in requests(points, "lines")]
    assert [one["id"] for one in asked] == [point.id for point in points]
    model = replied_model("m", points, {points[0].id: "1. [1] Answer now."}, "lines")
    assert model.invoke([("system", asked[0]["instructions"]), ("user", asked[0]["material"])]).text == (
        "1. [1] Answer now."
    )
    with pytest.raises(LookupError):
        model.invoke(asked[1]["material"])


def test_a_broken_file_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"id": "a", "reply": "x"}\n{"id": "b"}\n')
    with pytest.raises(LabelFileError) as failure:
        read_replies(path)
    assert failure.value.line == 2


def test_a_replied_model_has_its_name() -> None:
    model: Any = RepliedModel(model="large", by_prompt={})
    assert model.model == "large"
