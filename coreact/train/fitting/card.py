"""The model card that a run leaves: what the generator was made from, and what it was not measured on.

Written from the recipe, the record and the metrics alone, so that a card cannot say what a run did not. How
well the generator ranks is measured afterwards, by `coreact train eval`, which writes that into the card.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coreact.train.fitting.record import RunRecord, StageRecord
from coreact.train.models import base_name
from coreact.train.monitor.watching import MonitorSummary
from coreact.train.recipes import NEW, GrpoStage, Recipe, Stage

_SHOWN = (
    "loss",
    "reward",
    "reward_std",
    "frac_reward_zero_std",
    "entropy",
    "kl",
    "masked",
    "rewards/margins",
)


def write_card(recipe: Recipe, record: RunRecord, metrics: Path, *, context: int) -> str:
    """The card as Markdown.

    Args:
        recipe: how it was trained.
        record: what happened.
        metrics: the run's metrics.
        context: tokens that the model can read at once.
    """
    model = recipe.model
    lines = [
        f"# {recipe.name}",
        "",
        recipe.about or "A generator of step-level rubrics, trained by `coreact train fit`.",
        "",
        f"- Licence: {recipe.licence}.",
        f"- Base: {_base(recipe)}; computed in {model.precision},"
        f" {'all trained' if model.adapter == 'none' else f'low-rank additions of rank {model.rank}'}.",
        f"- Prompts: form `{recipe.prompt.form}`, version {record.prompt}; replies read by reader"
        f" {record.reader}; context {context} tokens.",
        f"- Data: {record.points} branching points (SHA-256 {record.points_sha256[:16]}…); left out:"
        f" {_counts(record.left_out)}.",
        f"- Files: {_files(record)}.",
        f"- Code: coreact {record.coreact}, revision {record.revision or 'unknown'}; "
        + ", ".join(f"{name} {version}" for name, version in record.versions.items())
        + f"; {record.machine}; seed {recipe.seed}.",
        "",
        "## Stages",
        "",
        "| stage | rows | left out | steps | rate | rewards masked |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_stage_row(*pair) for pair in zip(recipe.stage, record.stages, strict=True)),
        "",
        "## Metrics, first and last fifth of each stage",
        "",
        *_metric_rows(metrics, recipe.stage),
        "",
        *_watched(record),
        "Figures of training are no measure of a generator: a rising reward also comes of form alone. Run"
        " `coreact train eval` for held-out agreement with intervals and controls.",
        "",
        "## What it cannot do",
        "",
        "It writes criteria for the next action of an agent, in the form above, and nothing else. It was"
        " trained on the states and tools of its points; under other prompts it may say anything. What it"
        " writes is advice: it goes through the same admission and gates as any other generator's.",
    ]
    return "\n".join(lines) + "\n"


def _base(recipe: Recipe) -> str:
    if recipe.model.base != NEW:
        return f"`{base_name(recipe.model)}`"
    shape = recipe.model.shape
    return (
        f"a new Llama (width {shape.width}, {shape.layers} layers, {shape.heads} heads, feed-forward"
        f" {shape.feed_forward}) with at most {recipe.model.vocabulary} tokens"
    )


def _stage_row(stage: Stage, record: StageRecord) -> str:
    material, ended = record.material, record.ended
    name = str(stage.method)
    if isinstance(stage, GrpoStage):
        name += f", groups of {stage.group}, {stage.loss}, {stage.importance} ratios"
    return (
        f"| {name} | {material.rows if material else 0}"
        f" | {_counts(material.left_out) if material else 'nothing'} | {ended.steps if ended else 0}"
        f" | {stage.rate:g} | {f'{ended.masked} of {ended.scored}' if ended and ended.scored else 'none'} |"
    )


def _files(record: RunRecord) -> str:
    # The name without its folders: a card goes to others, who do not have them.
    return ", ".join(f"{Path(n).name} ({sha[:16]}…)" for n, sha in record.sources.items()) or "not named"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in counts.items()) or "nothing"


def _metric_rows(path: Path, stages: Sequence[Stage]) -> Iterator[str]:
    read = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    )
    for at, stage in enumerate(stages):
        own = [line["metrics"] for line in read if line["stage"] == at]
        fifth = max(1, len(own) // 5)
        told = [
            f"{name} {_mean(own[:fifth], name)} → {_mean(own[-fifth:], name)}"
            for name in _SHOWN
            if any(line.get(name) is not None for line in own)
        ]
        yield f"- {at + 1}, {stage.method}: {', '.join(told) or 'none'}"


def _watched(record: RunRecord) -> Iterator[str]:
    found = [(at, one.ended.monitor) for at, one in enumerate(record.stages, 1) if one.ended]
    seen = [(at, one) for at, one in found if one is not None]
    if seen:
        yield "## Monitor"
        yield ""
    for at, summary in seen:
        yield f"- Stage {at}: {_ending(summary)}"
        for alarm in summary.alarms:
            yield f"  - Alarm at step {alarm.step}, {alarm.rule}: {alarm.reason}."
        for one in summary.courses:
            yield (
                f"  - {one.figure}: {one.first:.3g} → {one.last:.3g}, between {one.least:.3g} and"
                f" {one.most:.3g}, measured {one.measured} times."
            )
        yield f"  - Rules with something to look at: {', '.join(summary.watched) or 'none'}."
    if seen:
        yield ""


def _ending(summary: MonitorSummary) -> str:
    if summary.stopped is not None:
        return f"ended at step {summary.stopped.step} by the alarm {summary.stopped.rule}."
    return f"watched to its end; {len(summary.alarms)} alarms."


def _mean(lines: Sequence[dict[str, Any]], name: str) -> str:
    values = [line[name] for line in lines if line.get(name) is not None]
    return f"{sum(values) / len(values):.3g}" if values else "unknown"
