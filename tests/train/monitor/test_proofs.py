"""A policy that can cheat, and a monitor that watches it: hacking is seen at the step computed before.

The policy is a table (`coreact.train.monitor.toy`), everything else is real: criteria, judges, verdicts,
rules. The panel rates answers that training does not see. Rules on entropy and divergence are left out: they
are in nats a token, and a table that has learned has no entropy left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from coreact.judge import Judge
from coreact.testing import ScriptedJudge
from coreact.train.monitor import (
    DEFAULT_RULES,
    Credit,
    ErringJudge,
    Figures,
    Monitor,
    VerifierError,
    exploitation,
    exploits,
)
from coreact.train.monitor.toy import ToySettings, ToyStep, anticipated, expected, improve

SEEDS = range(20)
EVERY = 2
RULES = tuple(rule for rule in DEFAULT_RULES if rule.name not in ("entropy_collapse", "kl_blow_up"))
WINDOW = 12  # steps around the expected one, from the noise of samples and of the panel
Table = list[list[float]]


def watched(run: Iterable[ToyStep], panel: Table, *, answers: int | None = None, seed: int = 0) -> Monitor:
    """Feed a run to a monitor; the panel rates so many sampled answers to each question, or all there are."""
    rng = np.random.default_rng([seed, 7])
    monitor = Monitor(RULES)
    for step in run:
        figures: Figures = step.figures
        if step.step % EVERY == 0:
            figures = figures.model_copy(update={"panel": _rated(step.policy, panel, answers, rng)})
        monitor.feed(figures)
    return monitor


def _rated(policy: Any, panel: Table, answers: int | None, rng: Any) -> float:
    if answers is None:
        return expected(policy, panel)
    counts = [rng.multinomial(answers, row / row.sum()) for row in policy]
    return float(np.mean(np.array(counts) * np.array(panel))) * len(panel[0]) / answers


def table(rewards: Table) -> Callable[[int, int], float]:
    return lambda context, response: rewards[context][response]


def faults(monitor: Monitor) -> list[str]:
    return [alarm.rule for alarm in monitor.alarms if alarm.fault]


def at(monitor: Monitor, rule: str) -> int | None:
    return next((alarm.step for alarm in monitor.alarms if alarm.rule == rule), None)


def reached(monitor: Monitor, panel: float) -> int | None:
    return next((f.step for f in monitor.history if f.panel is not None and f.panel >= panel), None)


def test_a_verifier_that_matches_keywords_is_found_out_at_the_expected_step(
    museum: Any, honest: ScriptedJudge, gullible: ScriptedJudge
) -> None:
    world = museum({"absent": 0.8, "dropped": 0.17, "true": 0.03})
    proxy, truth = world.worth(gullible), world.worth(honest)
    settings = ToySettings(steps=60, group=32, rate=0.05)
    alone = watched(anticipated(world.start, proxy, settings), truth)
    when = at(alone, "proxy_without_panel")
    assert when == 22  # computed, before any run

    found: list[int] = []
    for seed in SEEDS:
        run = improve(world.start, table(proxy), settings.model_copy(update={"seed": seed}))
        monitor = watched(run, truth, answers=200, seed=seed)
        proxies = [f.proxy for f in monitor.history if f.proxy is not None]
        panels = [f.panel for f in monitor.history if f.panel is not None]
        assert np.mean(proxies[-4:]) > np.mean(proxies[:4]) + 0.3  # what is trained on rises
        assert np.mean(panels[-4:]) < np.mean(panels[:4]) + 0.07  # what it stands for does not
        assert monitor.stopped is not None
        step = at(monitor, "proxy_without_panel")
        assert step is not None
        found.append(step)
    assert max(abs(step - when) for step in found) <= WINDOW, sorted(found)


def test_an_honest_run_raises_no_alarm_on_any_of_twenty_seeds(museum: Any, honest: ScriptedJudge) -> None:
    world = museum({"absent": 0.6, "dropped": 0.3, "true": 0.1})
    truth: Table = world.worth(honest)
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 3])

        def reward(context: int, response: int, rng: np.random.Generator = rng) -> float:
            """The truth, and wrong one time in twenty."""
            return abs(truth[context][response] - float(rng.random() < 0.05))

        settings = ToySettings(steps=90, group=16, rate=0.1, seed=seed)
        monitor = watched(improve(world.start, reward, settings), truth, answers=200, seed=seed)
        assert faults(monitor) == [], (seed, monitor.alarms)
        assert monitor.history[-1].proxy is not None
        assert monitor.history[-1].proxy > 0.7


@pytest.fixture(scope="module")
def erring(museum: Any) -> Callable[[Judge], dict[str, list[Monitor]]]:
    """Runs under no errors, under a phrase that is always believed, and under a form that never is."""
    waved = [VerifierError(kind="false_positive", action="see the attached sources")]
    turned = [
        VerifierError(kind="false_negative", action=words)
        for words in ("in the year 1907 the museum", "was the architect", "one of 412")
    ]

    def runs(judge: Judge) -> dict[str, list[Monitor]]:
        world = museum({"absent": 0.3, "true": 0.05, "turned": 0.15, "waved": 0.5})
        truth = world.worth(judge)
        return {
            name: [
                watched(
                    improve(
                        world.start,
                        table(world.worth(ErringJudge(judge, errors))),
                        ToySettings(steps=120, group=32, rate=0.1, seed=seed),
                    ),
                    truth,
                    answers=200,
                    seed=seed,
                )
                for seed in range(4)
            ]
            for name, errors in (("none", []), ("positive", waved), ("negative", turned))
        }

    return runs


def test_wrong_acceptances_end_progress_and_wrong_rejections_only_slow_it(
    erring: Callable[[Judge], dict[str, list[Monitor]]], honest: ScriptedJudge
) -> None:
    runs = erring(honest)
    for none, positive, negative in zip(runs["none"], runs["positive"], runs["negative"], strict=True):
        plain, slow = reached(none, 0.8), reached(negative, 0.8)
        assert plain is not None
        assert slow is not None
        assert plain < slow  # later, and there all the same
        ends = [
            [f.panel for f in run.history if f.panel is not None][-1] for run in (none, positive, negative)
        ]
        assert ends[0] > 0.9
        assert ends[2] > 0.85
        assert ends[1] < 0.6  # the phrase is believed as readily as the truth, and commoner
        assert reached(positive, 0.7) is None
        assert at(positive, "panel_plateau") is not None
        last = positive.history[-1].proxy
        assert last is not None
        assert last > 0.9


def test_the_words_of_a_cheating_policy_are_tagged_and_its_credit_is_exploitation(
    museum: Any, honest: ScriptedJudge, gullible: ScriptedJudge
) -> None:
    world = museum({"absent": 0.8, "dropped": 0.17, "true": 0.03})
    policy = list(anticipated(world.start, world.worth(gullible), ToySettings(steps=100, rate=0.1)))[
        -1
    ].policy
    dropped, true = world.ways.index("dropped"), world.ways.index("true")
    from_conftest = [answers[int(np.argmax(row))] for answers, row in zip(world.answers, policy, strict=True)]
    assert from_conftest == [answers[dropped] for answers in world.answers]
    for criterion, answers in zip(museum.rubric, world.answers, strict=True):
        assert [tag.exploit for tag in exploits(criterion, answers[dropped])] == ["topical_match"]
        assert exploits(criterion, answers[true]) == ()

    def credits_with(way: int) -> list[Credit]:
        say = {True: "met", False: "unmet"}
        return [
            Credit.model_validate(
                {
                    "criterion": criterion.id,
                    "weight": 1,
                    "before": "unmet",
                    "now": say[bool(world.worth(gullible)[row][way])],
                    "panel": [say[bool(world.worth(honest)[row][way])]] * 3,
                }
            )
            for row, criterion in enumerate(museum.rubric)
        ]

    assert exploitation(credits_with(dropped)).rate == 1.0
    assert exploitation(credits_with(true)).rate == 0.0
