"""`coreact trace export`: judged runs as rows to train on.

Errors are not caught here: the main program turns them into messages and exit codes.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from coreact.cli.display import one_line
from coreact.cli.trace.opening import StoreOption, as_line, open_store
from coreact.cli.trace.selecting import nanoseconds
from coreact.trace import RunFilter, RunStatus

if TYPE_CHECKING:  # a command line that starts quickly imports what it needs when it runs
    from coreact.trace import SQLiteTraceStore
    from coreact.trace.export import Manifest

FORMAT_NAMES = (
    "sft, correction, dpo, kto, prm, grpo, ranking, verl, openai, openai-preference, turn-rewards, judge, "
    "feedback, atif"
)


def export_runs(
    *,
    form: Annotated[str, typer.Option("--format", help=f"One of: {FORMAT_NAMES}.")],
    out: Annotated[Path, typer.Option("--out", help="A folder that does not exist yet, or is empty.")],
    file: Annotated[
        Literal["jsonl", "parquet"] | None,
        typer.Option("--file", help="Kind of file; default: what the format's readers expect."),
    ] = None,
    rubric: Annotated[
        Literal["kept", "stripped"],
        typer.Option("--rubric", help="Prompts with guidance and feedback, or as the plain agent's."),
    ] = "kept",
    arguments: Annotated[
        Literal["string", "object"] | None,
        typer.Option("--arguments", help="Arguments of tool calls; default: as the format's readers expect."),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="Shares of the tasks: `train=0.9,test=0.1`.")
    ] = "train=1",
    seed: Annotated[int, typer.Option("--seed", help="Which tasks go into which split.")] = 0,
    evaluator: Annotated[
        str,
        typer.Option(
            "--evaluator", help="Whose judgements count: `run`, `human`, or a later judge's name or version."
        ),
    ] = "run",
    mix_evaluators: Annotated[
        bool, typer.Option("--mix-evaluators", help="Allow labels of different judges in one export.")
    ] = False,
    min_judged: Annotated[
        float, typer.Option("--min-judged", min=0, max=1, help="Least share of the rubric that was judged.")
    ] = 0.0,
    margin: Annotated[
        float, typer.Option("--margin", min=0, max=1, help="Least difference in score within a pair.")
    ] = 0.1,
    undecided: Annotated[
        bool, typer.Option("--undecided", help="Show also steps that nobody could judge as examples.")
    ] = False,
    run: Annotated[
        list[str] | None, typer.Option("--run", help="Whole id of a run; may be given several times.")
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Runs of this agent.")] = None,
    origin: Annotated[str | None, typer.Option("--origin", help="`coreact`, or an imported format.")] = None,
    status: Annotated[RunStatus | None, typer.Option("--status", help="Runs that ended so.")] = None,
    question: Annotated[str | None, typer.Option("--question", help="A part of the question.")] = None,
    task: Annotated[str | None, typer.Option("--task", help="The whole question.")] = None,
    min_score: Annotated[
        float | None, typer.Option("--min-score", min=0, max=1, help="Least mean step score of a run.")
    ] = None,
    max_score: Annotated[
        float | None, typer.Option("--max-score", min=0, max=1, help="Greatest mean step score of a run.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Runs started then or later: `2026-11-01` or with a time.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Runs started before then.")] = None,
    tool: Annotated[str | None, typer.Option("--tool", help="Runs that called this tool.")] = None,
    rubric_lock: Annotated[
        str | None, typer.Option("--rubric-lock", help="Runs guided by this rubric; its lock's beginning.")
    ] = None,
    judged_by: Annotated[
        str | None, typer.Option("--judged-by", help="Runs that this evaluator judged later.")
    ] = None,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Write judged runs as training rows, one file a split, with a manifest."""
    from coreact.trace.export import ExportSettings, export, parse_split

    settings = ExportSettings(
        format=form,
        file=file,
        evaluator=evaluator,
        mix_evaluators=mix_evaluators,
        min_judged=min_judged,
        margin=margin,
        undecided=undecided,
        rubric=rubric,
        arguments=arguments,
        split=parse_split(split),
        seed=seed,
    )
    where = RunFilter(
        ids=tuple(run) if run else None,
        agent=agent,
        origin=origin,
        status=status,
        question=question,
        task=task,
        min_score=min_score,
        max_score=max_score,
        since_ns=nanoseconds(since, "--since"),
        until_ns=nanoseconds(until, "--until"),
        tool=tool,
        rubric=rubric_lock,
        evaluator=judged_by,
    )
    command = shlex.join(["coreact", *sys.argv[1:]])
    with closing(open_store(store)) as opened, _progress(opened, where) as watch:
        manifest = export(opened, out, settings, where=where, command=command, watch=watch)
    if as_json:
        typer.echo(as_line(manifest))
    else:
        for line in _told(manifest, out):
            typer.echo(one_line(line))


@contextmanager
def _progress(store: SQLiteTraceStore, where: RunFilter) -> Iterator[Callable[[], Any] | None]:
    """A bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("Exporting", total=len(store.runs(None, where)))
        yield lambda: progress.advance(bar)


def _told(manifest: Manifest, out: Path) -> Iterator[str]:
    for name, count in manifest.splits.items():
        where = f"{out / count.file}" if count.file else f"no file for {name}"
        yield f"{where}: {count.rows:,} rows of {count.runs:,} runs, {count.tasks:,} tasks"
    if manifest.left_out:
        reasons = (f"{reason.replace('_', ' ')} {count:,}" for reason, count in manifest.left_out.items())
        yield f"left out: {', '.join(reasons)}"
    if manifest.evaluators:
        yield f"judged by: {', '.join(manifest.evaluators)}"
