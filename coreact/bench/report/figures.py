"""Adds up an experiment: means by arm, differences to the control, and what was left out and why.

The unit is the task: its seeds are averaged first. A difference is taken task by task over the seeds that
both arms have, so a task that only one of them finished is in no difference. Intervals and tests are over
clusters of tasks. Equal outcomes give an equal report, byte for byte: no time and no path stands in it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from pydantic import Field

from coreact.bench.experiment.records import COSTS, Manifest, Outcome
from coreact.bench.metrics.guidance import Balance
from coreact.bench.records import Metric
from coreact.bench.statistics import (
    Interval,
    Sample,
    cluster_interval,
    cluster_signs,
    holm,
    sign_flip_p,
    sign_p,
)
from coreact.rubric import Record

RULES: tuple[str, ...] = (
    "The unit is the task: its seeds are averaged first. Intervals (95 %) and tests are by cluster of tasks.",
    "An episode in which the agent failed counts, measured by what it left: no answer, what it had found.",
    "An episode counts in no metric where the model or network failed, where more tool calls were made than "
    "allowed, or where measuring failed; each is listed with its cause.",
    "A metric that could not be told for an episode is left out there, never taken as 0: see `judged`.",
    "Fixed : spoiled counts episodes, of a metric of 0 and 1: wrong for the control and right for the arm, "
    "and the other way round.",
    "p is of a paired permutation test against the control; p (Holm) is corrected over the arms within one "
    "metric, and not over metrics: name the metric that decides before you look.",
)
"""How the figures come about, as the report says it."""


FEW = 20
"""Fewer clusters of tasks than this make intervals that are too narrow; the report says so."""


class Figure(Record):
    """Mean of a metric over the tasks of an arm."""

    mean: float
    low: float
    high: float
    judged: int
    """Episodes in which it could be told."""
    of: int
    """Episodes of the arm."""

    def __str__(self) -> str:
        return str(Interval(self.mean, self.low, self.high))


class Difference(Record):
    """An arm against the control on one metric, task by task."""

    arm: str
    metric: str
    mean: float
    """Arm minus control."""
    low: float
    high: float
    p: float
    """Paired permutation test, two-sided."""
    p_holm: float
    """The same, corrected for the number of arms."""
    p_sign: float
    """Sign test: only how many clusters of tasks got better or worse counts."""
    tasks: int
    """Tasks that both have."""
    better: int
    worse: int
    """Tasks above and below the control, whichever of the two is good."""
    fixed: int | None = None
    spoiled: int | None = None
    """Of a metric of 0 and 1 where 1 is good: episodes (task and seed) that the control had wrong and the arm
    right, and the other way round; helpfulness to harmfulness. None of other metrics."""

    @property
    def equal(self) -> int:
        """Tasks on which both came out alike."""
        return self.tasks - self.better - self.worse

    def __str__(self) -> str:
        return str(Interval(self.mean, self.low, self.high))


class ArmFigures(Record):
    """One arm."""

    name: str
    about: str
    settings: dict[str, object]
    episodes: int
    failed: int
    """Episodes that ended in an error and count all the same."""
    excluded: dict[str, int]
    """Episodes that count in no metric, by cause."""
    figures: dict[str, Figure]
    """By metric."""


class Failure(Record):
    """An episode that went wrong."""

    arm: str
    seed: int
    task: str
    excluded: str | None
    """Cause for which it does not count; None: it does."""
    error: str


class Report(Record):
    """An experiment in figures."""

    suite: str
    suite_version: str
    settings: dict[str, object]
    control: str
    seeds: tuple[int, ...]
    tasks: int
    metrics: tuple[Metric, ...]
    arms: tuple[ArmFigures, ...]
    differences: tuple[Difference, ...]
    failures: tuple[Failure, ...]
    """All episodes that went wrong, excluded or not."""
    models: dict[str, int] = Field(default_factory=dict)
    """Episodes by what the models called themselves; `(not told)` where they did not."""
    origins: dict[str, int]
    """Episodes by where they come from: live, rerun, measured."""
    missing: int
    """Episodes that the experiment has and nobody ran yet."""
    rules: tuple[str, ...] = RULES
    sessions: tuple[dict[str, object], ...]
    """Command, versions and git revision of every session."""
    notes: tuple[str, ...] = ()
    """What a reader must know before believing the figures."""

    def difference(self, arm: str, metric: str) -> Difference | None:
        """An arm against the control on a metric, where both have it."""
        return next((d for d in self.differences if (d.arm, d.metric) == (arm, metric)), None)


def report(manifest: Manifest, outcomes: Sequence[Outcome]) -> Report:
    """Add an experiment up.

    Args:
        manifest: of the experiment.
        outcomes: one for each episode, in any order.
    """
    by_arm: dict[str, list[Outcome]] = {name: [] for name in manifest.arms}
    for outcome in sorted(outcomes, key=lambda one: (one.arm, one.seed, one.task)):
        by_arm.setdefault(outcome.arm, []).append(outcome)
    costs = {cost.name for cost in COSTS}
    metrics = (*(metric for metric in manifest.metrics if metric.name not in costs), *COSTS)
    arms = tuple(
        ArmFigures(
            name=name,
            about=manifest.arms[name].about if name in manifest.arms else "",
            settings=dict(manifest.arms[name].settings) if name in manifest.arms else {},
            episodes=len(own),
            failed=sum(one.episode.error is not None and one.excluded is None for one in own),
            excluded=dict(sorted(Counter(one.excluded for one in own if one.excluded is not None).items())),
            figures=_figures(own, metrics),
        )
        for name, own in by_arm.items()
    )
    everything = [one for own in by_arm.values() for one in own]
    expected = len(manifest.arms) * len(manifest.seeds) * manifest.tasks
    return Report(
        suite=manifest.suite,
        suite_version=manifest.suite_version,
        settings=dict(manifest.settings),
        control=manifest.control,
        seeds=manifest.seeds,
        tasks=manifest.tasks,
        metrics=metrics,
        arms=arms,
        differences=tuple(_differences(by_arm, manifest.control, metrics)),
        failures=tuple(
            Failure(
                arm=one.arm,
                seed=one.seed,
                task=one.task,
                excluded=one.excluded,
                error="; ".join(said for said in (one.episode.error, one.unmeasured) if said),
            )
            for one in everything
            if one.episode.error is not None or one.excluded is not None
        ),
        models=dict(
            sorted(Counter(" + ".join(one.episode.models) or "(not told)" for one in everything).items())
        ),
        origins=dict(sorted(Counter(one.origin for one in everything).items())),
        missing=max(0, expected - len(everything)),
        sessions=tuple(one.model_dump(mode="json", exclude={"began"}) for one in manifest.sessions),
        notes=tuple(_notes(manifest, by_arm)),
    )


def _figures(own: Sequence[Outcome], metrics: Sequence[Metric]) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for metric in metrics:
        values = _by_task(own, metric.name)
        if not values:
            continue
        clusters = {one.task: one.cluster for one in own}
        tasks = sorted(values)
        means = [_mean(values[task].values()) for task in tasks]
        of_all = cluster_interval(Sample(means, [clusters[task] for task in tasks]))
        judged = sum(map(len, values.values()))
        found[metric.name] = Figure(**of_all._asdict(), judged=judged, of=len(own))
    return found


def _differences(
    by_arm: Mapping[str, Sequence[Outcome]], control: str, metrics: Sequence[Metric]
) -> list[Difference]:
    found: list[Difference] = []
    for metric in metrics:
        against = _by_task(by_arm.get(control, ()), metric.name)
        raw: dict[str, Difference] = {}
        for arm, own in by_arm.items():
            if arm == control:
                continue
            clusters = {one.task: one.cluster for one in own}
            values = _by_task(own, metric.name)
            both = {
                task: sorted(seeds)
                for task in sorted(values.keys() & against.keys())
                if (seeds := values[task].keys() & against[task].keys())
            }
            if not both:
                continue
            paired = {
                task: _gap([values[task][seed] for seed in seeds], [against[task][seed] for seed in seeds])
                for task, seeds in both.items()
            }
            sample = Sample(list(paired.values()), [clusters[task] for task in paired])
            better = sum(value > 0 for value in paired.values())
            worse = sum(value < 0 for value in paired.values())
            balance = _balance(
                [(against[task][seed], values[task][seed]) for task, seeds in both.items() for seed in seeds]
            )
            p = sign_flip_p(sample)
            raw[arm] = Difference(
                arm=arm,
                metric=metric.name,
                **cluster_interval(sample)._asdict(),
                p=p,
                p_holm=p,
                p_sign=sign_p(*cluster_signs(sample)),
                tasks=len(paired),
                better=better,
                worse=worse,
                fixed=balance.fixed if balance is not None and metric.higher_is_better else None,
                spoiled=balance.spoiled if balance is not None and metric.higher_is_better else None,
            )
        corrected = holm({arm: one.p for arm, one in raw.items()})
        found += [one.model_copy(update={"p_holm": corrected[arm]}) for arm, one in raw.items()]
    return found


def _by_task(own: Sequence[Outcome], metric: str) -> dict[str, dict[int, float]]:
    """Task -> seed -> value, of the episodes that count and in which the metric could be told."""
    values: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for one in own:
        if one.excluded is None and metric in one.metrics:
            values[one.task][one.seed] = one.metrics[metric]
    return values


def _mean(values: object) -> float:
    numbers = list(values)  # type: ignore[call-overload]
    return float(sum(numbers) / len(numbers))


def _gap(treated: Sequence[float], control: Sequence[float]) -> float:
    """Difference of the means; what rounding leaves between equal ones is 0 and no improvement."""
    one, other = _mean(treated), _mean(control)
    return 0.0 if math.isclose(one, other, rel_tol=1e-9) else one - other


def _balance(pairs: Sequence[tuple[float, float]]) -> Balance | None:
    """What was fixed and spoiled; None where the values are not all 0 or 1."""
    if any(value not in (0.0, 1.0) for pair in pairs for value in pair):
        return None
    balance = Balance()
    for before, after in pairs:
        balance.add(before == 1.0, after == 1.0)
    return balance


def _notes(manifest: Manifest, by_arm: Mapping[str, Sequence[Outcome]]) -> list[str]:
    notes = []
    if len({(str(one.packages), one.revision) for one in manifest.sessions}) > 1:
        notes.append("Sessions ran with different versions: see below. Episodes of both stand in one table.")
    if any(one.revision is not None and one.revision.endswith("+changes") for one in manifest.sessions):
        notes.append("The code had changes that no revision names.")
    told = {name for own in by_arm.values() for one in own for name in one.episode.models}
    if len(told) > 1:
        notes.append(f"More than one model answered: {', '.join(sorted(told))}.")
    over = sorted(arm for arm, own in by_arm.items() if any(one.excluded == "over budget" for one in own))
    if over:
        notes.append(f"Arms that made more tool calls than allowed: {', '.join(over)}.")
    lost = {arm: sum(one.excluded is not None for one in own) for arm, own in by_arm.items()}
    if any(lost.values()):
        told_lost = ", ".join(f"{arm} {n} of {len(by_arm[arm])}" for arm, n in sorted(lost.items()) if n)
        notes.append(
            f"Episodes that count in no metric: {told_lost}. What is left may be the easier tasks, so compare"
            " by the differences, which leave a task out on both sides."
        )
    independent = {one.cluster for own in by_arm.values() for one in own}
    if len(independent) < FEW:
        notes.append(
            f"There are {len(independent)} independent tasks: bootstrap intervals over fewer than {FEW} are"
            " too narrow, and one over a single task says nothing."
        )
    sizes = {len(own) for own in by_arm.values()}
    if len(sizes) > 1:
        notes.append("Not every arm has every episode yet; differences are over those that both have.")
    return notes
