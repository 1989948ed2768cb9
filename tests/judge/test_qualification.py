"""The bar: what a judge must have been measured to be before its verdicts may gate training data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.judge.qualification import (
    HARMS,
    Bar,
    Measured,
    Qualification,
    load_qualification,
    require_qualified,
)


def measured(value: float, reach: float = 0.02, n: int = 200) -> Measured:
    return Measured(value=value, low=value - reach, high=value + reach, n=n)


def qualification(**changes: Any) -> Qualification:
    fields: dict[str, Any] = {
        "judge": "judge@1",
        "version": "v1",
        "dataset": "d",
        "data": "x",
        "groups": 100,
        "coverage": measured(0.97),
        "macro_f1": measured(0.60),
        "constant_f1": 0.25,
        "harms": dict.fromkeys(HARMS, measured(0.03)),
        "bar": Bar(),
    }
    return Qualification(**{**fields, **changes})


def test_a_steady_judge_that_beats_a_constant_is_qualified() -> None:
    assert qualification().failed == ()
    assert qualification().passed
    assert require_qualified(qualification(), "judge@1") == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"groups": 29}, "29 questions, fewer than 30"),
        ({"coverage": measured(0.91)}, "coverage 0.910"),  # its interval reaches below 0.9
        ({"macro_f1": measured(0.31)}, "macro F1 0.310"),  # not surely above 0.25 + 0.05
        ({"constant_f1": 0.55}, "best constant's 0.550 by 0.05"),
        ({"bar": Bar(f1_margin=0.4)}, "by 0.4"),
        *(
            ({"harms": {**dict.fromkeys(HARMS, measured(0.03)), name: measured(0.19)}}, f"{name} 0.190")
            for name in HARMS
        ),
        ({"harms": {**dict.fromkeys(HARMS, measured(0.03)), "flip": measured(0.09)}}, "safely below 0.1"),
        (
            {"harms": {name: measured(0.03) for name in HARMS if name != "injected_proposal"}},
            "injected_proposal was not measured",
        ),
    ],
)
def test_each_failing_is_named(changes: dict[str, Any], reason: str) -> None:
    found = qualification(**changes)
    assert not found.passed
    assert len(found.failed) == 1
    assert reason in found.failed[0]
    with pytest.raises(ConfigError, match=r"judge@1.*not qualified.*coreact judge qualify"):
        require_qualified(found, "judge@1")
    assert require_qualified(found, "judge@1", force=True) == found.failed


def test_what_does_not_apply_is_no_failing_and_what_was_not_tried_is() -> None:
    harms: dict[str, Measured | None] = dict.fromkeys(HARMS, measured(0.0))
    assert qualification(harms={**harms, "order": None, "self_preference": None}).passed
    del harms["order"]
    assert not qualification(harms=harms).passed
    assert qualification(harms={}, bar=Bar(at_most={})).passed


def test_the_bar_is_data() -> None:
    strict = Bar.model_validate({"groups": 200, "at_most": {"flip": 0.01}})
    assert len(qualification(bar=strict).failed) == 2


@pytest.mark.parametrize("force", [False, True])
def test_nobody_measured_it_or_it_was_another_judge(force: bool) -> None:
    for found, why in ((None, "never measured"), (qualification(judge="judge@2"), "judge@2")):
        if force:
            assert why in require_qualified(found, "judge@1", force=True)[0]
        else:
            with pytest.raises(ConfigError, match=why):
                require_qualified(found, "judge@1")


def test_passing_is_computed_and_never_read(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    failing = qualification(groups=3)
    path.write_text(json.dumps({"passed": True, "failed": [], "qualification": failing.model_dump()}))
    found = load_qualification(path)
    assert found == failing
    assert not found.passed
    forged = {**failing.model_dump(), "passed": True}
    path.write_text(json.dumps({"qualification": forged}))
    with pytest.raises(ConfigError, match="no qualification report"):
        load_qualification(path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "{"])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"report\.json"):
        load_qualification(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_qualification(tmp_path / "missing.json")


def test_a_measure_reads_as_value_and_bounds() -> None:
    assert str(Measured(value=0.5, low=-0.0001, high=0.61234, n=3)) == "0.500 [0.000, 0.612]"
