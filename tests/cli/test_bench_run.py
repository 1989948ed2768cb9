"""`coreact bench`: compare from the shell, resume, replay, report; what the user can mend ends with 2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.cli.models import open_model, seeded
from coreact.errors import ConfigError, ModelFileError
from coreact.worlds import World, gazetteer

ARMS = ["--arm", "plain,guided", "--arm", "one-shot rag"]
SUITE = ["bench", "run", "multihop", "--path", "land"]
RUN = [*SUITE, "--model", "scripted:heed=0.5", "--tool-calls", "3", "--out", "x"]
Coreact = Callable[..., Any]

COUNTRIES = {"Burkina Faso": "Ouagadougou", "Kenya": "Nairobi", "Norway": "Oslo", "Peru": "Lima"}


@pytest.fixture(autouse=True)
def land(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four questions of two hops each, and reports without plots, which take longer than all else."""
    monkeypatch.setattr("coreact.bench.report.page._plots", lambda report: {})
    passages, questions = [], []
    for at, (country, capital) in enumerate(COUNTRIES.items()):
        coin = f"coin{at}"
        passages += [
            {"id": f"a{at}", "title": capital, "text": f"{capital} is the capital of {country}."},
            {"id": f"b{at}", "title": country, "text": f"{country} uses the {coin} as its currency."},
        ]
        questions.append(
            {
                "id": f"q{at}",
                "question": f"Which currency is used in the country whose capital is {capital}?",
                "answer": coin,
                "supporting_ids": [f"a{at}", f"b{at}"],
                "decomposition": [
                    {"question": f"{capital} >> capital of", "answer": country, "passage_id": f"a{at}"},
                    {"question": "#1 >> currency", "answer": coin, "passage_id": f"b{at}"},
                ],
            }
        )
    folder = here / "land"
    folder.mkdir()
    folder.joinpath("passages.jsonl").write_text("\n".join(map(json.dumps, passages)), encoding="utf-8")
    folder.joinpath("questions.jsonl").write_text("\n".join(map(json.dumps, questions)), encoding="utf-8")


def test_a_comparison_prints_a_table_and_writes_a_report(coreact: Coreact, here: Path) -> None:
    ended = coreact(*RUN, *ARMS)
    assert ended.code == 0, ended.err
    for told in ("gold_share", "one-shot rag", "difference", "stochastic-searcher", "x/report.html"):
        assert told in ended.out
    page = (here / "x" / "report.html").read_text()
    assert "--model scripted:heed=0.5" in page
    assert {path.name for path in (here / "x").iterdir()} == {
        "manifest.json",
        "episodes.jsonl",
        "traces.db",
        "report.html",
        "report.json",
    }


def test_json_and_the_report_command_say_the_same(coreact: Coreact, here: Path) -> None:
    first = json.loads(coreact(*RUN, *ARMS, "--json").out)
    assert (first["left"], first["why"], first["missing"]) == (0, None, 0)
    assert [arm["name"] for arm in first["arms"]] == ["plain", "guided", "one-shot rag"]
    again = coreact("bench", "report", "x", "--json")
    assert json.loads(again.out)["arms"] == first["arms"]
    # Nothing is left to run; the second session is on the record.
    third = json.loads(coreact(*RUN, *ARMS, "--json").out)
    assert third["arms"] == first["arms"]
    assert len(third["sessions"]) == 2
    assert json.loads((here / "x" / "report.json").read_text())["arms"] == first["arms"]


def test_a_cap_stops_says_so_and_a_higher_one_goes_on(coreact: Coreact) -> None:
    capped = coreact(*RUN, "--arm", "plain", "--max-tokens", "1", "--json")
    assert capped.code == 1
    assert json.loads(capped.out)["left"] == 3
    assert "3 episodes left" in re.sub(r"\s+", " ", capped.err)
    assert json.loads(coreact(*RUN, "--arm", "plain", "--json").out)["left"] == 0


def test_a_replay_needs_no_model_and_comes_to_the_same(coreact: Coreact) -> None:
    live = json.loads(coreact(*RUN, *ARMS, "--json").out)
    again = coreact(*SUITE, "--model", "nobody:nothing", "--replay", "x", "--json")
    assert again.code == 0, again.err
    found = json.loads(again.out)
    assert found["arms"] == live["arms"]
    assert found["differences"] == live["differences"]
    assert found["origins"] == {"measured": 8, "rerun": 4}
    assert found["folder"] == "x-replayed"


def test_a_server_is_a_model_too_and_its_name_is_told(coreact: Coreact, serve: Any) -> None:
    server = serve([("search", {"query": "capital"}), "Nowhere."])
    ended = coreact(
        *SUITE, *server.options, "--n", "1", "--arm", "plain", "--writer", "other", "--out", "x", "--json"
    )
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["models"] == {"scripted": 1}
    assert found["settings"]["writer"] == "other"


def test_a_server_that_is_down_leaves_the_rest_and_ends_with_1(
    coreact: Coreact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coreact.bench.experiment.running.FAILURES", 2)
    ended = coreact(
        *SUITE,
        *("--base-url", "http://127.0.0.1:9/v1", "--model", "none"),
        *("--arm", "plain", "--out", "x", "--json"),
    )
    assert ended.code == 1
    assert json.loads(ended.out)["arms"][0]["excluded"] == {"transport": 2}
    assert "2 episodes left" in re.sub(r"\s+", " ", ended.err)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--arm", "magic"], "Arms are: plain"),
        (["--option", "nonsense"], "NAME=VALUE"),
        (["--option", "speed=3"], "Its options are"),
        (["--option", "k=3"], "--shown"),
        (["--option", "n=3"], "--n"),
        (["--max-usd", "1"], "price table"),
        (["--prices", "none.toml"], "USD for a million"),
        (["--model", "scripted:speed=3"], "heed, repeat"),
        (["--model", "scripted:heed=3"], "heed, repeat"),
        (["--model", "scripted:heed"], "heed, repeat"),
        (["--replay", "nowhere"], "coreact bench run"),
        (["--arm", "plain,trained"], "Give --generator."),
        (["--arm", "plain", "--generator", "tiny"], "Add --arm trained"),
    ],
)
def test_what_the_user_can_mend_ends_with_2(
    coreact: Coreact, complaint: Any, arguments: list[str], remedy: str
) -> None:
    complaint(coreact(*RUN, *arguments), code=2, remedy=remedy)


def test_another_setting_in_the_same_folder_is_refused(coreact: Coreact, complaint: Any) -> None:
    coreact(*RUN, "--arm", "plain")
    said = complaint(coreact(*RUN, "--arm", "plain", "--temperature", "1"), code=2, remedy="another folder")
    assert "temperature: 0.0 there, 1.0 here" in said


def test_a_suite_without_its_file_or_unknown_is_refused(coreact: Coreact, complaint: Any) -> None:
    complaint(coreact("bench", "run", "multihop", "--out", "x"), code=2, remedy="passages.jsonl")
    complaint(coreact("bench", "run", "nothing"), code=2, remedy="gazetteer")
    complaint(coreact("bench", "report", "."), code=2, remedy="coreact bench run")


def test_there_are_arms_and_suites(coreact: Coreact) -> None:
    arms = json.loads(coreact("bench", "arms", "--json").out)
    assert arms[0]["name"] == "plain"
    assert "tree search+rubric" in {arm["name"] for arm in arms}
    assert "Control" in coreact("bench", "arms").out
    suites = json.loads(coreact("bench", "suites", "--json").out)
    assert "distractors" in next(one for one in suites if one["name"] == "multihop")["options"]
    assert "healthbench" in coreact("bench", "suites").out


def test_ctrl_c_keeps_what_is_finished(coreact: Coreact, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coreact.bench.experiment import running

    real, seen = running.run_episode, []

    async def interrupted(*arguments: Any, **named: Any) -> Any:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(1)
        return await real(*arguments, **named)

    monkeypatch.setattr(running, "run_episode", interrupted)
    ended = coreact(*RUN, "--arm", "plain")
    assert ended.code == 130
    assert "Interrupted" in ended.err
    assert "Traceback" not in ended.err
    assert len((here / "x" / "episodes.jsonl").read_text().splitlines()) == 2


# --- models ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> World:
    return gazetteer(questions=50)


def test_a_scripted_model_has_the_rates_it_is_given(world: World) -> None:
    from coreact.worlds.searcher import StochasticSearcher

    with open_model("scripted:heed=0.25,repeat=0.5", world=world, seed=3) as model:
        assert isinstance(model, StochasticSearcher)
        assert (model.heed, model.errors.repeat, model.seed) == (0.25, 0.5, 3)
        assert model.errors.drop_entity == StochasticSearcher(world=world).errors.drop_entity
        other = seeded(model)(7)
        assert isinstance(other, StochasticSearcher)
        assert other.seed == 7


def test_a_scripted_model_needs_a_world_and_the_searcher_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="world"), open_model("scripted"):
        pass
    monkeypatch.setattr("coreact.cli.recipes.agents", lambda: {"react": Path("/nowhere/graph.py")})
    with pytest.raises(ModelFileError, match="not here"), open_model("searcher"):
        pass
