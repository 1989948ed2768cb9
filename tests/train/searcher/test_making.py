"""The whole way from questions to a served file, at a toy size, and its parts that need no training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coreact_tools import corpus_tools, searching_tools
from typer.testing import CliRunner

from coreact.cli.train import train_app
from coreact.errors import ConfigError
from coreact.local import check_gguf
from coreact.train.searcher.card import Measured, write_card
from coreact.train.searcher.demonstrations import Searcher
from coreact.train.searcher.entity_split import by_country
from coreact.train.searcher.loop import Progress, Schedule
from coreact.train.searcher.making import Settings, held_out_world, prepare
from coreact.train.searcher.measuring import choose, measure
from coreact.worlds import Corpus

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("gguf", reason="needs the extra `train`")

TINY = ["--worlds", "1", "--questions", "12", "--measure", "0"]


def test_the_command_makes_a_model_file_and_goes_on_where_it_stopped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coreact.train.searcher.making.HELD_OUT_EPISODES", 2)
    first = CliRunner().invoke(train_app, ["searcher", *TINY, "--folder", str(folder), "--steps", "2"])
    assert first.exit_code == 0, first.output
    assert "step 2 of 2" in first.output
    check_gguf(folder / "searcher.gguf")
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert "Licence: Apache-2.0" in card
    assert "2 of 2 steps" in card
    assert "Turkey" in card
    made = (folder / "data.jsonl").stat().st_mtime_ns

    out = folder.parent / "out"
    args = ["searcher", *TINY, "--folder", str(folder), "--steps", "3", "--out", str(out), "--json"]
    again = CliRunner().invoke(train_app, args)
    assert again.exit_code == 0, again.output
    report = json.loads(again.stdout.splitlines()[-1])
    assert report["last"]["step"] == 3
    assert report["measured"] == []
    assert (folder / "data.jsonl").stat().st_mtime_ns == made
    assert check_gguf(out / "searcher.gguf") == out / "searcher.gguf"
    assert (out / "searcher.gguf").read_bytes() != (folder / "searcher.gguf").read_bytes()


def test_a_folder_with_other_settings_is_refused(folder: Path, build: Any) -> None:
    folder.mkdir()
    (folder / "settings.json").write_text(Settings(seed=1).model_dump_json(), encoding="utf-8")
    with pytest.raises(ConfigError, match="other settings"):
        prepare(build, Settings(seed=2), folder, print)
    prepare(build, Settings(seed=1), folder, print)
    assert [one.name for one in folder.iterdir()] == ["settings.json"]


def test_the_measuring_agent_is_asked_about_held_out_countries_only() -> None:
    world = held_out_world()
    assert set(world.questions) == set(by_country(world).held_out)
    chosen = choose(world, n=20, seed=0)
    assert chosen == choose(world, n=20, seed=0) != choose(world, n=20, seed=1)
    assert {(one.kind, one.hops) for one in chosen} == {("bridge", 2)}
    assert (
        len(choose(world, n=10**6, seed=0)) == len({one.id for one in choose(world, n=10**6, seed=0)}) > 500
    )


def test_an_ideal_searcher_measures_one(build: Any) -> None:
    world = held_out_world()
    (question,) = choose(world, n=1, seed=0)
    ideal = Searcher(question=question, corpus=Corpus(world.passages), passages=3)
    plain, guided = measure(build, ideal, world, [question], tool_calls=2)
    for one, arm in ((plain, False), (guided, True)):
        assert (one.gold_share, one.all_gold, one.exact, one.contains) == (1, 1, 1, 1)
        assert (one.guided, one.tool_calls, one.answer) == (arm, 2, question.answer)
        assert len(one.queries) == 2


def test_a_searcher_that_never_searches_measures_zero(build: Any) -> None:
    from coreact.testing import ScriptedModel

    world = held_out_world()
    (question,) = choose(world, n=1, seed=0)
    plain, _ = measure(
        build, ScriptedModel(script=lambda _: "Nobody knows."), world, [question], tool_calls=2
    )
    assert (plain.gold_share, plain.all_gold, plain.exact, plain.contains) == (0, 0, 0, 0)
    assert plain.queries == ()


def test_a_card_says_what_was_measured() -> None:
    line = Progress(step=7, loss=0.5, prompt_loss=1.0, right=0.25, tokens=1234, seconds=9)
    measured = [
        Measured(arm="plain", tool_calls=2, questions=3, figures={"exact": "0.333"}),
        Measured(arm="guided", tool_calls=2, questions=3, figures={"exact": "0.667"}),
    ]
    card = write_card(
        Settings(),
        Schedule(steps=9),
        [line],
        measured,
        name="x",
        licence="MIT",
        parameters=2_070_000,
        held_out=["B", "A"],
        size_bytes=4_200_000,
    )
    assert "2.07 million" in card
    assert "4.2 MB" in card
    assert "7 of 9 steps, 1,234 tokens" in card
    assert "| plain | 2 | 3 | 0.333 |" in card
    assert "| guided | 2 | 3 | 0.667 |" in card
    assert "A, B." in card
    assert "What it cannot do" in card


def test_the_tools_are_those_of_the_demo() -> None:
    """`coreact run` on the gazetteer offers `search` alone, as most demonstrations do."""
    world = held_out_world()
    corpus = Corpus(world.passages)
    assert [tool.name for tool in searching_tools(corpus, world.passages)] == [
        tool.name for tool in corpus_tools(corpus)[:1]
    ]
