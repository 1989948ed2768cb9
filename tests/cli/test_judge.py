"""`coreact judge`: from labelled data to a report and a calibration, resumed, refused, explained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from coreact.bench.qualify import run as rulings
from coreact.cli import judge as command
from coreact.judge.calibration import load_calibration
from coreact.judge.qualification import load_qualification

Coreact = Callable[..., Any]
TOWNS = ("Bergen", "Lyon", "Quito", "Osaka", "Accra", "Perth")


def write_cases(path: Path, n: int = 120) -> Path:
    """Claims about a town: right, half right, or wrong; word overlap tells them apart."""
    draw = Random(0)
    rows = []
    for at in range(n):
        town, other = draw.sample(TOWNS, 2)
        label, claim = draw.choice(
            [
                ("met", f"{town} harbour opened early"),
                ("partial", f"{town} harbour closed late"),
                ("unmet", f"{other} airport closed late"),
            ]
        )
        observation = {"id": "m1", "text": f"{town} harbour opened early in the year {at}."}
        rows.append(
            {
                "id": f"c{at}",
                "dataset": "towns",
                "question": "What is known?",
                "steps": [{"call": {"name": "read"}, "observation": observation}],
                "action": {"answer": claim},
                "criteria": [{"id": "a", "text": "The answer is supported.", "kind": "fact"}],
                "labels": {"a": label},
            }
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def data(here: Path) -> Path:
    return write_cases(here / "cases.jsonl")


def met_by_quote(text: str = "harbour opened early") -> str:
    return json.dumps({"k1": {"reason": "It says so.", "quotes": [text], "status": "met"}})


def test_a_baseline_is_measured_shown_and_written(coreact: Coreact, data: Path, here: Path) -> None:
    ended = coreact("judge", "qualify", "--judge", "lexical", "--data", str(data), "--out", "out")
    assert ended.code == 0, ended
    for shown in ("lexical@", "macro F1", "Best constant answer", "Not qualified", "padding", "report.html"):
        assert shown in ended.out
    found = load_qualification(here / "out" / "report.json")
    assert found.macro_f1.value == 1.0
    assert any(reason.startswith("padding") for reason in found.failed)  # words count, so courtesy does
    assert "<svg" in (here / "out" / "report.html").read_text(encoding="utf-8")


def test_nothing_is_measured_on_what_was_fitted_on(coreact: Coreact, data: Path) -> None:
    ended = coreact("judge", "qualify", "--judge", "majority", "--data", str(data), "--probes", "0", "--json")
    report = json.loads(ended.out)
    assert 70 < report["cases"] < 110
    assert report["agreement"]["macro_f1"]["value"] <= report["agreement"]["constant_f1"]
    assert report["passed"] is False
    folder = next(Path(".coreact/judge").iterdir())
    assert folder.name == f"towns-{report['settings']['judge']}"


def test_a_given_label_and_fewer_cases(coreact: Coreact, data: Path) -> None:
    arguments = ["judge", "qualify", "--judge", "majority:unmet", "--data", str(data), "--n", "9", "--json"]
    report = json.loads(coreact(*arguments, "--probes", "2").out)
    assert (report["cases"], report["settings"]["judge"]) == (9, "majority@unmet")
    assert report["qualification"]["harms"]["flip"]["n"] == 2
    other = json.loads(coreact(*arguments, "--seed", "1", "--out", "other").out)
    assert [one["case"] for one in other["examples"]] != [one["case"] for one in report["examples"]]


def test_a_model_is_measured_and_a_run_goes_on_where_it_stopped(
    coreact: Coreact, data: Path, serve: Callable[..., Any]
) -> None:
    server = serve([met_by_quote()])
    arguments = ["judge", "qualify", *server.options, "--data", str(data), "--out", "out", "--json"]
    arguments[arguments.index("--model")] = "--judge"
    report = json.loads(coreact(*arguments, "--n", "6", "--probes", "0").out)
    assert report["agreement"]["confusion"]["unmet"]["met"] >= 1
    assert report["cost"]["calls"] == len(server.requests) == 6
    assert "k1" in str(server.requests[0]["messages"])
    again = json.loads(coreact(*arguments, "--n", "6", "--probes", "0").out)
    assert again == report
    assert len(server.requests) == 6
    more = json.loads(coreact(*arguments, "--n", "7", "--probes", "3").out)
    assert len(server.requests) == 7 + 4 * 3  # one criterion has no order
    assert more["qualification"]["harms"]["flip"]["value"] == 0
    assert more["qualification"]["harms"]["order"] is None
    assert more["qualification"]["harms"]["unsupported_met"]["value"] == 0
    fresh = json.loads(coreact(*arguments, "--n", "4", "--probes", "4", "--out", "fresh").out)
    wrong = 4 - fresh["agreement"]["confusion"].get("met", {}).get("met", 0)  # there is something to gain
    # Plain, again and padded: asked again means asked, not remembered.
    assert len(server.requests) == 19 + 3 * 4 + 2 * wrong


def test_a_met_that_quotes_nothing_real_is_not_believed(
    coreact: Coreact, data: Path, serve: Callable[..., Any]
) -> None:
    server = serve([met_by_quote("the mayor said so")])
    arguments = [
        "judge",
        "qualify",
        "--judge",
        "scripted",
        "--base-url",
        server.base_url,
        "--data",
        str(data),
    ]
    report = json.loads(coreact(*arguments, "--n", "5", "--probes", "0", "--json").out)
    assert report["agreement"]["coverage"]["value"] == 0
    assert report["agreement"]["undecided"] == {"unsupported": 5}
    assert report["qualification"]["harms"]["unsupported_met"]["value"] == 1.0
    assert report["claims"]["coverage"]["value"] == 1.0
    assert report["claims"]["false_met"]["value"] == 1.0


def test_rulings_of_another_judge_are_refused(coreact: Coreact, data: Path, complaint: Any) -> None:
    coreact("judge", "qualify", "--judge", "majority:met", "--data", str(data), "--n", "3", "--out", "out")
    before = Path("out/rulings.jsonl").read_bytes()
    ended = coreact("judge", "qualify", "--judge", "majority:unmet", "--data", str(data), "--out", "out")
    assert "'majority@met' instead of 'majority@unmet'" in complaint(ended, code=2, remedy="--out")
    assert Path("out/rulings.jsonl").read_bytes() == before


def test_a_judge_that_refuses_everybody_ends_the_run(
    coreact: Coreact, data: Path, serve: Callable[..., Any], complaint: Any
) -> None:
    server = serve([met_by_quote()])
    server.status = 401
    ended = coreact(
        "judge", "qualify", "--judge", "x", "--base-url", server.base_url, "--data", str(data), "--out", "out"
    )
    assert ended.code == 1
    assert "goes on where it stopped" in ended.err
    assert "Traceback" not in ended.err
    assert not Path("out/report.json").exists()


def test_a_broken_label_file_is_named_with_its_line(coreact: Coreact, data: Path, complaint: Any) -> None:
    lines = data.read_text(encoding="utf-8").splitlines()
    data.write_text("\n".join([*lines[:4], lines[4][:50], *lines[5:]]), encoding="utf-8")
    ended = coreact("judge", "qualify", "--judge", "lexical", "--data", str(data))
    assert "line 5: not JSON" in complaint(ended, code=2, remedy="one complete JSON object")
    assert not Path(".coreact").exists()
    ended = coreact("judge", "qualify", "--judge", "lexical", "--data", "missing", "--json")
    assert json.loads(ended.err)["error"] == "LabelFileError"


@pytest.mark.parametrize("judge", ["lexical", "majority:maybe"])
def test_what_cannot_be_measured(coreact: Coreact, here: Path, judge: str, complaint: Any) -> None:
    few = write_cases(here / "few.jsonl", 1)
    ended = coreact("judge", "qualify", "--judge", judge, "--data", str(few))
    complaint(ended, code=2, remedy="more labelled cases" if judge == "lexical" else "Statuses are")


def test_ctrl_c_keeps_what_was_ruled(coreact: Coreact, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any, **settings: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(rulings, "collect", interrupted)
    ended = coreact("judge", "qualify", "--judge", "lexical", "--data", str(data))
    assert ended.code == 130
    assert "goes on" in ended.err


def test_the_extra_is_named_where_it_is_missing(
    coreact: Coreact, data: Path, monkeypatch: pytest.MonkeyPatch, complaint: Any
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    complaint(coreact("judge", "qualify", "--data", str(data)), code=2, remedy="coreact[judge]")
    complaint(coreact("judge", "calibrate", "--data", str(data), "--out", "x"), code=2, remedy="[judge]")


# --- calibrate ---------------------------------------------------------------------------------


def test_a_calibration_is_fitted_on_the_fitting_part(coreact: Coreact, here: Path) -> None:
    data = write_cases(here / "many.jsonl", 240)
    arguments = ["judge", "calibrate", "--judge", "majority:met", "--data", str(data), "--out", "made.json"]
    ended = coreact(*arguments, "--plot", "plot.svg")
    assert ended.code == 0, ended
    assert "Reliability of the scores" in ended.out
    made = load_calibration(Path("made.json"), judge="majority@met")
    assert made.lock in ended.out
    # It always says met; calibrated it says the mean label, which is what it knows.
    assert made.apply(1.0) < 0.8
    assert made.after.ece < made.before.ece / 2
    assert Path("plot.svg").read_text(encoding="utf-8").startswith("<svg")
    assert made.fitted_on + made.before.n < 90  # the evaluation part stays unseen
    assert json.loads(coreact(*arguments, "--method", "quantile", "--json").out)["calibration"]


def test_a_calibration_from_the_rulings_of_a_run(coreact: Coreact, data: Path, complaint: Any) -> None:
    coreact("judge", "qualify", "--judge", "lexical", "--data", str(data), "--out", "out")
    ended = coreact("judge", "calibrate", "--judgements", "out/rulings.jsonl", "--out", "made.json", "--json")
    assert ended.code == 0, ended
    settings = rulings.read_rulings(Path("out/rulings.jsonl")).settings
    made = load_calibration(Path("made.json"), judge=settings.version, criteria=settings.criteria)
    assert json.loads(ended.out)["lock"] == made.lock
    assert made.before.ece == pytest.approx(0)
    few = coreact(
        "judge", "calibrate", "--judgements", "out/rulings.jsonl", "--out", "x", "--held-out", "0.05"
    )
    complaint(few, code=2, remedy="at least 10")
    assert not Path("x").exists()


@pytest.mark.parametrize("given", [[], ["--data", "cases.jsonl", "--judgements", "x.jsonl"]])
def test_a_calibration_needs_one_source(
    coreact: Coreact, data: Path, complaint: Any, given: list[str]
) -> None:
    complaint(coreact("judge", "calibrate", "--out", "x", *given), code=2, remedy="--judgements or --data")


def test_help_names_the_commands(coreact: Coreact) -> None:
    shown = coreact("judge", "--help").out
    assert " qualify " in shown
    assert " calibrate " in shown
