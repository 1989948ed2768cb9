"""Rules against golden courses: what is an alarm, when, and what is not."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from pydantic import TypeAdapter, ValidationError

from coreact.train.monitor import (
    DEFAULT_RULES,
    Bound,
    Divergence,
    FigureName,
    Figures,
    History,
    Patience,
    Rule,
)


def history(**courses: Sequence[float | None]) -> History:
    found = History()
    for step, values in enumerate(zip(*courses.values(), strict=True)):
        found.add(Figures.model_validate({"step": step, **dict(zip(courses, values, strict=True))}))
    return found


def first(rule: Rule, **courses: Sequence[float | None]) -> int | None:
    """The first step at which a rule holds."""
    found = History()
    for step, values in enumerate(zip(*courses.values(), strict=True)):
        found.add(Figures.model_validate({"step": step, **dict(zip(courses, values, strict=True))}))
        if rule.finding(found):
            return step
    return None


def line(start: float, slope: float, n: int = 30) -> list[float]:
    return [start + slope * at for at in range(n)]


FLAT = [0.3] * 30
DIVERGENCE = Divergence(name="d")


@pytest.mark.parametrize(
    ("proxy", "panel", "step"),
    [
        (line(0.2, 0.02), FLAT, 8),  # .02 a step: means of four are .1 apart after five steps
        (line(0.2, 0.02), line(0.3, -0.01), 8),
        (line(0.2, 0.02), line(0.3, 0.02), None),  # it follows
        (line(0.2, 0.02), line(0.3, 0.01), None),  # by half
        (line(0.2, 0.02), line(0.3, 0.002), 9),  # by a tenth
        (FLAT, line(0.3, -0.01), None),  # nothing rises: bad, but no exploit
        (line(0.2, 0.003), FLAT, None),  # .087 in all is not looked at
    ],
)
def test_a_divergence_is_a_rise_that_the_reference_does_not_follow(
    proxy: list[float], panel: list[float], step: int | None
) -> None:
    assert first(DIVERGENCE, proxy=proxy, panel=panel) in (step, None if step is None else step - 1)


def test_a_run_that_was_honest_for_long_is_compared_with_the_reference_at_its_best() -> None:
    honest, cheating = 20, 12
    proxy = line(0.2, 0.02, honest + cheating)
    panel = [*line(0.2, 0.02, honest), *[0.58] * cheating]
    assert first(DIVERGENCE, proxy=proxy, panel=panel) in range(honest + 6, honest + cheating)
    alarm = DIVERGENCE.finding(history(proxy=proxy, panel=panel))
    # Since the beginning the panel did follow by more than its share.
    assert alarm is not None
    assert not alarm.startswith("since step 0 ")


def test_noise_of_the_panel_is_no_divergence_and_does_not_hide_one() -> None:
    rng = random.Random(0)
    false, found = 0, 0
    for _ in range(200):
        noise = [rng.gauss(0, 0.04) for _ in range(30)]
        rising = [0.3 + 0.015 * at + e for at, e in enumerate(noise)]
        flat = [0.3 + e for e in noise]
        proxy = [0.3 + 0.015 * at + rng.gauss(0, 0.02) for at in range(30)]
        false += first(DIVERGENCE, proxy=proxy, panel=rising) is not None
        found += first(DIVERGENCE, proxy=proxy, panel=flat) is not None
    assert (false, found) == (0, 200)


def test_only_steps_count_at_which_both_were_measured() -> None:
    panel = [0.3 if at % 3 == 0 else None for at in range(30)]
    assert first(DIVERGENCE, proxy=line(0.2, 0.02), panel=panel) == 21  # the eighth measurement of both
    assert first(DIVERGENCE, proxy=line(0.2, 0.02), panel=[None] * 30) is None


@pytest.mark.parametrize(
    ("rule", "values", "step"),
    [
        (Bound(name="b", figure="kl", most=1.0), [0.1, 2, 2, 0.5, 2, 2, 2, 2], 6),
        (Bound(name="b", figure="entropy", least=0.5), [1.0, 0.4, 0.4, 0.4], 3),
        (Bound(name="b", figure="kl", most=1.0, window=1), [0.1, 1.0, 1.1], 2),
        (Bound(name="b", figure="length", most=2.0, relative=True), [10, 10, 10, 21, 21, 21], 5),
        (
            Bound(name="b", figure="length", most=2.0, least=0.5, relative=True),
            [10, 10, 10, 4, 21, 4, 4, 4],
            7,
        ),
        (Bound(name="b", figure="length", most=2.0, relative=True), [10, 10, 10, 21, 19, 21], None),
        (Patience(name="p", patience=3, margin=0.01), [0.1, 0.3, 0.3, 0.3, 0.3], 4),
        (Patience(name="p", patience=3, margin=0.01), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], None),
        (
            Patience(name="p", figure="internalisation", patience=2, margin=-0.1),
            [-3, -1, -1.05, -1.05, -1.2, -1.2],
            5,
        ),
        (
            Patience(name="p", figure="internalisation", patience=2, margin=-0.1),
            [-3, -1, -1.05, -1.05, -1.05],
            None,
        ),
    ],
)
def test_bounds_and_patience(rule: Bound | Patience, values: list[float], step: int | None) -> None:
    assert first(rule, **{rule.figure: values}) == step


@pytest.mark.parametrize(
    ("figure", "good", "bad"),
    [
        ("exploitation", 0.2, 0.5),
        ("masked", 0.1, 0.5),
        ("repeated", 0.1, 0.6),
        ("zero_variance", 0.5, 1.0),
        ("kl", 0.1, 3.0),
    ],
)
def test_the_default_rules_tell_a_bad_figure_from_a_good_one(
    figure: FigureName, good: float, bad: float
) -> None:
    def alarms(value: float) -> list[str]:
        found = history(**{figure: [value] * 10})
        return [rule.name for rule in DEFAULT_RULES if rule.finding(found)]

    assert alarms(good) == []
    assert len(alarms(bad)) == 1


def test_a_reason_names_figures_and_numbers() -> None:
    assert DIVERGENCE.finding(history(proxy=line(0.2, 0.02, 10), panel=[0.3] * 10)) == (
        "since step 0 proxy has risen by 0.120 and panel by 0.000"
    )
    assert Bound(name="b", figure="kl", most=1).finding(history(kl=[2.0] * 3)) == "kl is 2.000, above 1.000"
    assert Patience(name="p", patience=2).finding(history(panel=[0.5, 0.4, 0.3])) == (
        "panel has not risen above 0.500 at step 0 in 2 measurements (best of them 0.400)"
    )


def test_rules_are_plain_data() -> None:
    adapter: TypeAdapter[tuple[Rule, ...]] = TypeAdapter(tuple[Rule, ...])
    assert adapter.validate_json(adapter.dump_json(DEFAULT_RULES)) == DEFAULT_RULES
    with pytest.raises(ValidationError, match="needs `most` or `least`"):
        Bound(name="b", figure="kl")


def test_a_history_goes_back_where_a_step_comes_again() -> None:
    found = History()
    for step, proxy in ((1, 0.1), (2, 0.2), (3, 0.3), (2, 0.5)):
        found.add(Figures(step=step, proxy=proxy))
    found.add(Figures(step=2, panel=0.7))
    assert found.entries == (Figures(step=1, proxy=0.1), Figures(step=2, proxy=0.5, panel=0.7))
    assert [(p.step, p.value) for p in found.series("proxy")] == [(1, 0.1), (2, 0.5)]
