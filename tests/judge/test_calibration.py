"""Calibration: errors and maps worked by hand, a skewed judge brought nearer, artefacts tied to a judge."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError, MissingExtraError
from coreact.judge.calibration import (
    Calibration,
    Curve,
    Method,
    Scored,
    calibrate,
    confidence_drift,
    criteria_digest,
    fidelity,
    fit,
    load_calibration,
    reliability,
    verdict_score,
)
from coreact.judge.records import Status, Verdict
from coreact.rubric import Criterion

SCORE = st.integers(0, 20).map(lambda n: n / 20)
PAIRS = st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=40)
METHODS: tuple[Method, ...] = ("isotonic", "quantile")


@pytest.mark.parametrize(
    ("status", "confidence", "score"),
    [
        ("met", None, 1.0),
        ("partial", None, 0.5),
        ("unmet", None, 0.0),
        ("met", 0.6, 0.8),
        ("unmet", 0.6, 0.2),
        ("met", 0.0, 0.5),
        ("partial", 0.9, 0.5),
        ("unknown", 0.9, None),
        ("not_applicable", None, None),
    ],
)
def test_doubt_draws_a_verdict_to_the_middle(
    status: Status, confidence: float | None, score: float | None
) -> None:
    found = verdict_score(Verdict(criterion="a", reason="r", status=status, confidence=confidence))
    assert found == (None if score is None else pytest.approx(score))


# --- errors ------------------------------------------------------------------------------------


def test_the_calibration_error_worked_by_hand() -> None:
    # Two at 0.1 with labels 0 and 1: |0.1 - 0.5| = 0.4. Three at 0.9, two of them right:
    # |0.9 - 2/3| = 7/30. Together (2 * 0.4 + 3 * 7/30) / 5 = 0.3.
    scores, labels = [0.1, 0.1, 0.9, 0.9, 0.9], [0.0, 1.0, 1.0, 1.0, 0.0]
    table = reliability(scores, labels)
    assert [(row.n, round(row.score, 6), round(row.label, 6)) for row in table.bins] == [
        (2, 0.1, 0.5),
        (3, 0.9, 0.666667),
    ]
    assert table.ece == pytest.approx(0.3)


def test_bins_of_equal_mass_follow_the_scores() -> None:
    scores = [0.80, 0.82, 0.84, 0.86]
    assert len(reliability(scores, [1, 0, 1, 0], bins=2).bins) == 1  # all in the upper half
    halves = reliability(scores, [1, 0, 1, 0], bins=2, by="mass").bins
    assert [(row.low, row.high, row.n) for row in halves] == [(0.80, 0.82, 2), (0.84, 0.86, 2)]


@given(PAIRS, st.randoms(use_true_random=False), st.sampled_from(["width", "mass"]))
def test_no_order_of_the_items_changes_a_table(pairs: list[tuple[float, float]], draw: Any, by: Any) -> None:
    shuffled = list(pairs)
    draw.shuffle(shuffled)
    one, other = (reliability(*zip(*some, strict=True), by=by) for some in (pairs, shuffled))
    assert [(r.low, r.high, r.n) for r in one.bins] == [(r.low, r.high, r.n) for r in other.bins]
    assert one.ece == pytest.approx(other.ece)
    assert sum(row.n for row in one.bins) == one.n == len(pairs)
    assert 0 <= one.ece <= 1


def test_fidelity_tells_distribution_from_order() -> None:
    swapped = fidelity([0.0, 1.0], [1.0, 0.0])
    assert (swapped.distance, swapped.error, swapped.ece) == (0.0, 1.0, 1.0)
    assert fidelity([0.5, 0.5], [0.25, 0.75]).distance == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("scores", "labels"), [([], []), ([0.5], [0.5, 0.5]), ([1.5], [0.5]), ([0.5], [float("nan")])]
)
def test_what_is_no_score_is_refused(scores: list[float], labels: list[float]) -> None:
    for measure in (fidelity, reliability, fit):
        with pytest.raises(ValueError):
            measure(scores, labels)  # type: ignore[operator]


# --- maps --------------------------------------------------------------------------------------


def test_the_isotonic_map_worked_by_hand() -> None:
    # 0.2 and 0.3 violate the order and share their mean.
    curve = fit([0.1, 0.2, 0.3], [0.0, 1.0, 0.0])
    assert curve.apply_all([0.0, 0.1, 0.2, 0.3, 1.0]) == pytest.approx([0, 0, 0.5, 0.5, 0.5])
    assert curve.apply(0.15) == pytest.approx(0.25)


def test_the_quantile_map_worked_by_hand() -> None:
    # Sorted scores 0, 0.5, 0.5, 1 meet sorted labels 0.2, 0.2, 0.4, 0.6; the tie shares (0.2 + 0.4) / 2.
    curve = fit([0.5, 1.0, 0.0, 0.5], [0.2, 0.4, 0.6, 0.2], method="quantile")
    assert curve.knots == ((0.0, 0.2), (0.5, pytest.approx(0.3)), (1.0, 0.6))
    assert curve.apply(0.75) == pytest.approx(0.45)


@given(PAIRS, st.lists(st.floats(0, 1), min_size=2), st.sampled_from(METHODS))
def test_maps_never_descend_or_leave_the_scale(
    pairs: list[tuple[float, float]], asked: list[float], method: Method
) -> None:
    curve = fit(*zip(*pairs, strict=True), method=method)
    mapped = curve.apply_all(sorted(asked))
    assert mapped == sorted(mapped)
    assert all(0 <= value <= 1 for value in mapped)
    assert Curve.model_validate_json(curve.model_dump_json()) == curve


@given(PAIRS, st.randoms(use_true_random=False))
def test_a_quantile_map_does_not_care_who_a_label_belongs_to(
    pairs: list[tuple[float, float]], draw: Any
) -> None:
    scores, labels = map(list, zip(*pairs, strict=True))
    shuffled = list(labels)
    draw.shuffle(shuffled)
    one, other = (fit(scores, some, method="quantile") for some in (labels, shuffled))
    assert [y for _, y in one.knots] == pytest.approx([y for _, y in other.knots])


def test_there_is_no_other_method() -> None:
    with pytest.raises(ConfigError, match="isotonic or quantile"):
        fit([0.5], [0.5], method="linear")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "knots", [((0.5, 0.5), (0.5, 0.6)), ((0.1, 0.6), (0.2, 0.5)), ((0.0, 0.0), (2.0, 1.0)), ()]
)
def test_a_map_from_a_file_is_checked(knots: Any) -> None:
    with pytest.raises(ValueError):
        Curve(method="isotonic", knots=knots)


# --- a skewed judge ----------------------------------------------------------------------------


def skewed(n: int, *, seed: int = 0) -> list[Scored]:
    """Labels all over the scale; the judge ranks well, and sees nothing below 0.4."""
    draw = Random(seed)
    labels = [draw.uniform(0, 1) for _ in range(n)]
    return [
        Scored(min(1.0, max(0.0, 0.4 + 0.6 * label**0.5 + draw.gauss(0, 0.03))), label, str(at))
        for at, label in enumerate(labels)
    ]


@pytest.mark.parametrize("method", METHODS)
def test_fifty_labels_bring_a_skewed_judge_nearer_and_it_stays_so_on_others(method: Method) -> None:
    known, unseen = skewed(50), skewed(400, seed=1)
    curve = fit([i.score for i in known], [i.label for i in known], method=method)
    for items in (known, unseen):
        scores, labels = [i.score for i in items], [i.label for i in items]
        before, after = fidelity(scores, labels), fidelity(curve.apply_all(scores), labels)
        assert before.distance > 0.25
        assert after.distance < before.distance / 3
        assert after.ece < before.ece / 3
        assert after.error < before.error / 3


@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_reports_what_it_did_to_labels_it_had_not_seen(method: Method) -> None:
    items = skewed(100)
    made = calibrate(items, judge="v1", criteria="c", dataset="d", method=method)
    assert (made.fitted_on, made.before.n, made.after.n) == (50, 50, 50)
    assert made.after.ece < made.before.ece / 3
    assert made.apply(0.4) < 0.2
    # Fitted on noise instead, the same report says so.
    draw = Random(0)
    noise = [Scored(draw.uniform(0, 1), float(draw.random() < 0.5), str(at)) for at in range(60)]
    blind = calibrate(noise, judge="v1", criteria="c", dataset="d", method=method)
    assert blind.after.error > 0.3


def test_what_belongs_together_is_not_parted() -> None:
    items = [item._replace(group=str(at // 7)) for at, item in enumerate(skewed(140))]
    made = calibrate(items, judge="v1", criteria="c", dataset="d", held_out=0.3)
    assert (made.fitted_on, made.before.n) == (14 * 7, 6 * 7)
    again = calibrate(items, judge="v1", criteria="c", dataset="d", held_out=0.3)
    assert again.lock == made.lock
    other = calibrate(items, judge="v1", criteria="c", dataset="d", held_out=0.3, seed=1)
    assert other.lock != made.lock


@pytest.mark.parametrize(("n", "held_out"), [(19, 0.5), (100, 0.05), (100, 0.95), (0, 0.5)])
def test_too_few_labels_are_refused(n: int, held_out: float) -> None:
    with pytest.raises(ConfigError, match="too few"):
        calibrate(skewed(n), judge="v1", criteria="c", dataset="d", held_out=held_out)


@pytest.mark.parametrize("held_out", [0.0, 1.0, -1.0])
def test_something_is_always_held_out(held_out: float) -> None:
    with pytest.raises(ConfigError, match="held out"):
        calibrate(skewed(100), judge="v1", criteria="c", dataset="d", held_out=held_out)


# --- the artefact ------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    made = calibrate(skewed(40), judge="v1", criteria="c", dataset="d")
    path = tmp_path / "calibration.json"
    path.write_text(made.artefact(), encoding="utf-8")
    return path


def test_an_artefact_is_read_back_for_its_judge(stored: Path) -> None:
    found = load_calibration(stored, judge="v1", criteria="c")
    assert found == calibrate(skewed(40), judge="v1", criteria="c", dataset="d")
    assert isinstance(found, Calibration)
    assert load_calibration(stored, judge="v1") == found
    assert json.loads(stored.read_text())["lock"] == found.lock


def test_another_judge_is_refused_and_both_versions_are_named(stored: Path) -> None:
    with pytest.raises(ConfigError, match=r"v1.*not for v2.*coreact judge calibrate"):
        load_calibration(stored, judge="v2")
    with pytest.raises(ConfigError, match="other criteria"):
        load_calibration(stored, judge="v1", criteria="d")


def test_a_changed_artefact_is_refused(stored: Path) -> None:
    content = json.loads(stored.read_text())
    content["calibration"]["judge"] = "v2"
    stored.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="was changed"):
        load_calibration(stored, judge="v2")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"calibration": {}, "lock": ""}', "[" * 100_000])
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no calibration"):
        load_calibration(path, judge="v1")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_calibration(tmp_path / "missing.json", judge="v1")


def test_criteria_are_told_apart_by_what_a_judge_reads() -> None:
    a, b = Criterion(id="a", text="Cites a source."), Criterion(id="b", text="Is short.")
    assert criteria_digest([a, b, a]) == criteria_digest([b, a])
    assert criteria_digest([a]) == criteria_digest([a.model_copy(update={"weight": 2.0, "id": "z"})])
    assert criteria_digest([a]) != criteria_digest([a.model_copy(update={"polarity": "forbid"})])
    assert criteria_digest([a]) != criteria_digest([a, b])


# --- drift -------------------------------------------------------------------------------------


def run_of(slope: float, *, n: int = 60, seed: int = 0) -> tuple[list[int], list[float], list[float]]:
    draw = Random(seed)
    steps = [at % 12 for at in range(n)]
    asked = [draw.uniform(0.3, 0.5) for _ in steps]
    stated = [fresh + slope * step + draw.gauss(0, 0.02) for fresh, step in zip(asked, steps, strict=True)]
    return steps, stated, asked


@pytest.mark.parametrize("slope", [0.03, -0.02])
def test_planted_drift_is_flagged_with_its_size(slope: float) -> None:
    found = confidence_drift(*run_of(slope))
    assert found is not None
    assert found.flagged
    assert found.low <= slope <= found.high
    assert found.slope == pytest.approx(slope, abs=0.003)


def test_flat_confidence_is_not_flagged() -> None:
    found = [confidence_drift(*run_of(0.0, seed=seed)) for seed in range(40)]
    assert sum(drift is not None and drift.flagged for drift in found) <= 5  # 5 % by chance
    steps, stated, _ = run_of(0.05)
    same = confidence_drift(steps, stated, stated)  # asked afresh it says the same: no drift, only news
    assert same is not None
    assert not same.flagged


def test_drift_needs_steps() -> None:
    assert confidence_drift([1, 2], [0.1, 0.2], [0.1, 0.1]) is None
    assert confidence_drift([3, 3, 3], [0.1, 0.2, 0.3], [0.1, 0.1, 0.1]) is None
    with pytest.raises(ValueError):
        confidence_drift([1], [0.1, 0.2], [0.1, 0.1])


def test_without_the_extra_the_error_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"coreact\[judge\]"):
        fit([0.5], [0.5])
