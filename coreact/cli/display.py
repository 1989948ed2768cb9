"""How a judged run looks in a terminal: records in, rich renderables out.

Used for stored runs and for live ones alike. Everything in a trace may come from a web page or a
model, so no text of a record is ever read as markup, and escape sequences and control characters
are taken out before it is printed. Nothing here prints, reads a store, or decides on colour: the
console that prints does.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from coreact.judge import Judgement, Status, Verdict
from coreact.judge.scoring.joint import joint_rubric
from coreact.rubric import Criterion, Rubric
from coreact.rubric.remarks import Remark
from coreact.trace import (
    Attempt,
    Disposition,
    ObservationRecord,
    RunEnd,
    RunRecord,
    RunStatus,
    RunSummary,
    StepRecord,
    Trajectory,
)

_MARKS: Mapping[Status, tuple[str, str]] = {
    "met": ("✓", "green"),
    "unmet": ("✗", "red"),
    "partial": ("½", "yellow"),
    "not_applicable": ("–", "dim"),
    "unknown": ("?", "magenta"),
}
_STATUS_STYLES: Mapping[RunStatus, str] = {
    "running": "cyan",
    "done": "green",
    "interrupted": "yellow",
    "failed": "bold red",
}
_DISPOSITION_STYLES: Mapping[Disposition, str] = {
    "run": "green",
    "blocked": "bold red",
    "returned": "yellow",
    "asked": "yellow",
    "answered": "green",
}
_SHOWN_LINES = 6
_SHOWN_CHARACTERS = 600
_SHORTEST_ID = 13  # of a UUIDv7: the millisecond in which the run began

# Sequences that a terminal acts on: CSI; OSC, DCS and their like up to their end; any other escape.
_ESCAPES = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b[ -/]*[0-~]?"
)
# What is left of control: C0 but tab and newline, DEL, C1, line separators, bidirectional overrides.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def clean(text: str) -> str:
    """Untrusted text without anything a terminal would act on; tabs and newlines stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    """Untrusted text, cleaned, on a single line."""
    return " ".join(clean(text).split())


def first_lines(text: str, *, lines: int = _SHOWN_LINES, characters: int = _SHOWN_CHARACTERS) -> str:
    """The beginning of an untrusted text, cleaned, with a note on how much is left out."""
    whole = clean(text).strip()
    shown = "\n".join(whole[:characters].split("\n")[:lines]).rstrip()
    left = len(whole) - len(shown)
    return f"{shown} … (+{left:,} characters)" if left else shown


# --- one step -------------------------------------------------------------------------------


def show_rubric(rubric: Rubric, *, title: str = "rubric") -> RenderableType:
    """The criteria with their shares of the weight, hard and veto ones marked.

    Args:
        rubric: the rubric.
        title: text on the frame; may come from a record.
    """
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", style="dim", no_wrap=True)
    grid.add_column(justify="right", style="cyan", no_wrap=True)
    grid.add_column(ratio=1)
    for number, criterion in enumerate(rubric, start=1):
        share = Text(f"{100 * rubric.share(criterion):.0f}%")
        grid.add_row(Text(f"{number}."), share, _criterion_text(criterion))
    return Panel(
        grid,
        title=Text(one_line(title)),
        title_align="left",
        subtitle=Text(f"passes from {rubric.threshold:g}"),
        subtitle_align="right",
        border_style="blue",
        box=box.ROUNDED,
    )


def _criterion_text(criterion: Criterion) -> Text:
    text = Text(one_line(criterion.text))
    if criterion.polarity == "forbid":
        text = Text.assemble(("must not: ", "red"), text)
    for mark, style in _criterion_marks(criterion):
        text.append(" ")
        text.append(mark, style)
    return text


def _criterion_marks(criterion: Criterion) -> Iterator[tuple[str, str]]:
    if criterion.kind == "hard":
        yield "hard", "bold yellow"
    if criterion.veto:
        yield "veto", "bold red"
    if criterion.check is not None:
        yield "checked by code", "dim"
    if criterion.visibility == "judge_only":
        yield "hidden from the agent", "dim"


def show_attempt(
    attempt: Attempt, rubric: Rubric | None = None, *, dispositions: tuple[Disposition, ...] = ()
) -> RenderableType:
    """One proposal: its actions, and under each what every criterion said of it.

    Args:
        attempt: the attempt.
        rubric: the rubric it was judged by, to name the criteria by their texts.
        dispositions: what became of its actions, where it is the selected one.
    """
    parts: list[RenderableType] = [_attempt_head(attempt)]
    shown = joint_rubric(rubric, attempt.own) if rubric is not None and attempt.own is not None else rubric
    for number, action in enumerate(attempt.actions):
        line = Text("→ ", "bold")
        line.append(first_lines(str(action)))
        if number < len(dispositions):
            line.append(f"  {dispositions[number]}", _DISPOSITION_STYLES[dispositions[number]])
        parts.append(Padding(line, (0, 0, 0, 2)))
        if number < len(attempt.outcomes):
            parts.append(Padding(show_judgement(attempt.outcomes[number], rubric=shown), (0, 0, 0, 4)))
    return Group(*parts)


def _attempt_head(attempt: Attempt) -> Text:
    names = {
        "first": "proposal",
        "retry": f"retry {attempt.index}",
        "candidate": f"candidate {attempt.index + 1}",
    }
    head = Text(names[attempt.source], "bold")
    if attempt.selected:
        head.append("  ● selected", "bold green")
    elif attempt.rejected_by is not None:
        head.append(f"  rejected by {one_line(attempt.rejected_by)}", "yellow")
    if attempt.reason:
        head.append(f": {first_lines(one_line(attempt.reason), characters=200)}", "dim")
    return head


def show_judgement(judgement: Judgement, *, rubric: Rubric | None = None) -> RenderableType:
    """Verdict by verdict, then score and pass.

    Args:
        judgement: the judgement.
        rubric: names the criteria by their texts; without it their ids are shown.
    """
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    texts = {} if rubric is None else {criterion.id: criterion.text for criterion in rubric}
    for verdict in judgement.verdicts:
        mark, style = _MARKS[verdict.status]
        grid.add_row(Text(mark, style), _verdict_text(verdict, texts.get(verdict.criterion)))
    return Group(grid, score_line(judgement))


def _verdict_text(verdict: Verdict, criterion: str | None) -> Text:
    text = Text(one_line(criterion if criterion is not None else verdict.criterion))
    if verdict.reason:
        text.append(f" · {first_lines(one_line(verdict.reason), characters=300)}", "dim")
    if verdict.fault != "none":
        text.append(f" (fault of the {verdict.fault})", "magenta")
    if verdict.decided_by not in ("check", ""):
        text.append(f" [{one_line(verdict.decided_by)}]", "dim")
    return text


def score_line(judgement: Judgement) -> Text:
    """Score, pass and how much could be judged, in one line."""
    line = Text("score ")
    line.append("–" if judgement.score is None else f"{judgement.score:.2f}", "bold")
    if judgement.passed is True:
        line.append("  passed", "green")
    elif judgement.passed is False:
        line.append("  not passed", "red")
    else:
        line.append("  undecided", "magenta")
    line.append(f"  {judgement.judged} of {judgement.total} judged", "dim")
    return line


def show_observation(observation: ObservationRecord, *, lines: int = _SHOWN_LINES) -> RenderableType:
    """What came back: tool, marks, first lines."""
    head = Text("← ", "bold")
    head.append(one_line(observation.tool), "cyan")
    if observation.blocked:
        head.append("  blocked", "bold red")
    if observation.failed:
        head.append("  failed", "bold red")
    if observation.seconds:
        head.append(f"  {observation.seconds:.1f} s", "dim")
    body = Text(first_lines(observation.text, lines=lines) or "(empty)", "dim")
    return Group(head, Padding(body, (0, 0, 0, 2)))


def show_step(
    step: StepRecord,
    observations: Iterable[ObservationRecord] = (),
    *,
    prompt: Iterable[Mapping[str, Any]] | None = None,
) -> RenderableType:
    """One whole decision: rubric, attempts, observations.

    Args:
        step: the decision.
        observations: what its calls gave back.
        prompt: the messages of its request, where they are to be shown as well.
    """
    parts: list[RenderableType] = [_step_head(step)]
    if prompt is not None:
        parts.append(Padding(show_prompt(prompt, guidance=step.guidance), (0, 0, 0, 2)))
    if step.error is not None:
        parts.append(Text(f"! {first_lines(step.error)}", "red"))
    if step.rubric is not None:
        title = f"rubric by {step.generator}" if step.generator else "rubric"
        parts.append(show_rubric(step.rubric, title=title))
    parts.extend(Padding(_remark_text(remark), (0, 0, 0, 2)) for remark in step.remarks)
    if step.constraint is not None:
        parts.append(Padding(Text(_constraint_line(step.constraint), "dim"), (0, 0, 0, 2)))
    for attempt in step.attempts:
        chosen = step.dispositions if attempt.selected else ()
        parts.append(show_attempt(attempt, step.rubric, dispositions=chosen))
    parts.extend(show_observation(seen) for seen in observations)
    return Group(*parts)


def _remark_text(remark: Remark) -> Text:
    told = Text(remark.deed, "yellow" if remark.problem else "dim")
    if remark.problem:
        told.append(f" ({remark.problem.replace('_', ' ')})", "yellow")
    told.append(f": {first_lines(remark.reason, lines=1)}", "dim")
    if remark.criterion:
        told.append(f" — {one_line(remark.criterion)}", "dim italic")
    return told


def _constraint_line(constraint: Mapping[str, Any]) -> str:
    choice = one_line(str(constraint.get("tool_choice") or "free"))
    tools = ", ".join(one_line(name) for name in constraint.get("tools", {}))
    return f"held while decoding: tool choice {choice}" + (f", arguments of {tools}" if tools else "")


def _step_head(step: StepRecord) -> Text:
    head = Text(f"Step {step.index + 1}", "bold underline")
    stages = dict.fromkeys(criterion.stage for criterion in step.rubric or () if criterion.stage)
    details = [*stages, step.phase, step.rung, step.node]
    head.append("  " + " · ".join(one_line(detail) for detail in details if detail), "dim")
    if step.cost.tokens:
        head.append(f" · {step.cost.tokens:,} tokens", "dim")
    return head


def show_prompt(messages: Iterable[Mapping[str, Any]], *, guidance: str = "") -> RenderableType:
    """The messages of a request, as `message_to_dict` wrote them, and the guidance shown with them."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style="cyan")
    grid.add_column(ratio=1)
    for message in messages:
        data = message.get("data")
        content = data.get("content") if isinstance(data, Mapping) else message
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        grid.add_row(Text(one_line(str(message.get("type", "?")))), Text(clean(text)))
    if guidance:
        grid.add_row(Text("guidance"), Text(clean(guidance), "italic"))
    return grid


# --- one run --------------------------------------------------------------------------------


def show_start(run: RunRecord) -> RenderableType:
    """Question, agent and when it began."""
    about = Text(f"{one_line(run.agent) or 'agent'} · {_when(run.started_ns)} · ", "dim")
    about.append(one_line(run.id), "dim")
    if run.parent is not None:
        tie = "checks the answer of" if run.forked_at is None else "forked from"
        about.append(f" · {tie} {one_line(run.parent)}", "dim")
        about.append("" if run.forked_at is None else f" at step {run.forked_at + 1}", "dim")
    return Panel(Group(Text(first_lines(run.question), "bold"), about), box=box.ROUNDED, border_style="cyan")


def show_end(trajectory: Trajectory, *, store: Path | None = None) -> RenderableType:
    """Answer, score, tokens, time and status, and how to see the run again.

    A run without an end is shown as it stands.

    Args:
        trajectory: the run.
        store: where it is stored, if not in the default store; the command then names it.
    """
    end, run = trajectory.end, trajectory.run
    status: RunStatus = "running" if end is None else end.status
    parts: list[RenderableType] = []
    if end is not None and end.answer:
        parts.append(Text(clean(end.answer).strip(), "bold"))
    if end is not None and end.error is not None:
        parts.append(Text(first_lines(end.error), "red"))
    parts.append(_totals(trajectory, end, status))
    elsewhere = "" if store is None else f" --store {shlex.quote(one_line(str(store)))}"
    parts.append(Text(f"coreact trace show {one_line(run.id)}{elsewhere}", "dim"))
    return Panel(Group(*parts), box=box.ROUNDED, border_style=_STATUS_STYLES[status].split()[-1])


def _totals(trajectory: Trajectory, end: RunEnd | None, status: RunStatus) -> Text:
    line = Text(status, _STATUS_STYLES[status])
    facts = [f"{len(trajectory.steps)} steps"]
    if end is not None:
        facts.append(f"score {'–' if end.score is None else f'{end.score:.2f}'}")
    facts.append(f"{sum(step.cost.tokens for step in trajectory.steps):,} tokens")
    if end is not None:
        facts.append(f"{max(0, end.ended_ns - trajectory.run.started_ns) / 1e9:.1f} s")
    line.append("  " + " · ".join(facts))
    return line


def show_trajectory(trajectory: Trajectory, *, prompts: bool = False) -> Iterator[RenderableType]:
    """A whole run, piece by piece.

    Args:
        trajectory: the run.
        prompts: whether each step's messages are shown as well.
    """
    yield show_start(trajectory.run)
    for step in trajectory.steps:
        prompt = trajectory.prompt(step.index) if prompts else None
        yield Text()
        yield show_step(step, trajectory.observed(step.index), prompt=prompt)
    yield Text()
    yield show_end(trajectory)


# --- many runs ------------------------------------------------------------------------------


def show_runs(summaries: Iterable[RunSummary]) -> RenderableType:
    """Runs as a table, one line each, in the order given. Ids are cut as far as they stay unique."""
    rows = tuple(summaries)
    length = _id_length({summary.id for summary in rows})
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold underline")
    table.add_column("run", no_wrap=True, style="cyan")
    table.add_column("question", ratio=1, no_wrap=True, overflow="ellipsis", min_width=8)
    table.add_column("agent", no_wrap=True, overflow="ellipsis", max_width=12)
    table.add_column("status", no_wrap=True)
    for name in ("steps", "retries", "score", "tokens"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("when", no_wrap=True, justify="right")
    for summary in rows:
        table.add_row(
            Text(one_line(summary.id)[:length]),
            Text(one_line(summary.question)),
            Text(one_line(summary.agent)),
            Text(summary.status, _STATUS_STYLES[summary.status]),
            Text(str(summary.steps)),
            Text(str(summary.retries)),
            Text("–" if summary.score is None else f"{summary.score:.2f}"),
            Text(_short_number(summary.tokens)),
            Text(_ago(summary.started_ns), "dim"),
        )
    return table


def _id_length(ids: set[str]) -> int:
    longest = max(map(len, ids), default=0)
    enough = (n for n in range(_SHORTEST_ID, longest) if len({one[:n] for one in ids}) == len(ids))
    return next(enough, longest)


def _short_number(number: int) -> str:
    for size, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= 10 * size:
            return f"{number // size}{name}"
    return str(number)


def _when(nanoseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(nanoseconds // 10**9, tz=UTC).astimezone()
    except (OverflowError, ValueError, OSError):  # a clock that never was
        return "?"
    return f"{moment:%Y-%m-%d %H:%M}"


def _ago(nanoseconds: int) -> str:
    seconds = (time.time_ns() - nanoseconds) // 10**9
    if seconds >= 30 * 86400 or seconds < 0:
        return _when(nanoseconds)[:10]
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {name}"
    return "now"
