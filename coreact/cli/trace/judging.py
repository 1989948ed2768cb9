"""`coreact trace rejudge`: stored runs judged by another judge or another rubric, and what that changes.

Errors are not caught here, but for Ctrl-C, after which what was judged is reported on: the main program
turns them into messages and exit codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from coreact.cli.judge import LOCAL_CHARS
from coreact.cli.models import LOCAL, open_model
from coreact.cli.run import INTERRUPTED
from coreact.cli.trace.opening import StoreOption, open_store
from coreact.cli.trace.selecting import (
    AgentOption,
    JudgedByOption,
    MaxScoreOption,
    MinScoreOption,
    OriginOption,
    QuestionOption,
    RubricLockOption,
    SinceOption,
    StatusOption,
    ToolOption,
    UntilOption,
    nanoseconds,
)
from coreact.errors import ConfigError, JudgingError, MissingExtraError
from coreact.trace import RunFilter

if TYPE_CHECKING:  # a command line that starts quickly imports what it needs when it runs
    from coreact.generate.gate.intervals import Interval
    from coreact.judge import Judge
    from coreact.rubric import Rubric
    from coreact.trace import SQLiteTraceStore
    from coreact.trace.rejudge import Comparison, RejudgeReport, RejudgeTask


def rejudge_runs(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of runs, or their beginnings; none: all runs."),
    ] = None,
    *,
    model: Annotated[
        str | None,
        typer.Option(
            help="Judge what no check decides with this model: `local`, `provider:name`, or a server's model"
            " name. Without one, checks alone."
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Root of an OpenAI-compatible server, ending in /v1.")
    ] = None,
    gguf: Annotated[Path | None, typer.Option(help="Another model file for the embedded server.")] = None,
    max_chars: Annotated[
        int | None, typer.Option(min=500, help="Most characters of material shown to the model at once.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the embedded server.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seeds the model.")] = 0,
    rubric: Annotated[
        Path | None,
        typer.Option(
            help="A rubric to judge by; with scope `answer` it is held to the runs' answers. [default: each"
            " step's own]"
        ),
    ] = None,
    selected_only: Annotated[
        bool, typer.Option("--selected-only", help="Leave out the attempts that were rejected.")
    ] = False,
    samples: Annotated[int, typer.Option(min=1, help="Judgements of each action by this judge.")] = 1,
    again: Annotated[
        bool, typer.Option("--again", help="Make them anew, also where there are some already.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(help="Compare with this later evaluator (name or version), not with the run's own."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Steps judged at the same time.")] = 4,
    agent: AgentOption = None,
    origin: OriginOption = None,
    status: StatusOption = None,
    question: QuestionOption = None,
    min_score: MinScoreOption = None,
    max_score: MaxScoreOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    tool: ToolOption = None,
    rubric_lock: RubricLockOption = None,
    judged_by: JudgedByOption = None,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as JSON.")] = False,
) -> None:
    """Judge stored runs again: the transcript stays, judgements are appended, changes are shown.

    What this judge has judged already by the same rubric is not asked again, so that an interrupted command
    goes on where it stopped.
    """
    from coreact.trace.rejudge import Comparison, RejudgeTask

    wanted = None if rubric is None else _rubric(rubric)
    with closing(open_store(store)) as opened:
        where = RunFilter(
            ids=tuple(opened.trajectory(run).run.id for run in runs) if runs else None,
            agent=agent,
            origin=origin,
            status=status,
            question=question,
            min_score=min_score,
            max_score=max_score,
            since_ns=nanoseconds(since, "--since"),
            until_ns=nanoseconds(until, "--until"),
            tool=tool,
            rubric=rubric_lock,
            evaluator=judged_by,
        )
        with _judge(model, base_url, gguf, max_chars=max_chars, seed=seed, threads=threads) as judge:
            task = RejudgeTask(
                judge, wanted, selected_only=selected_only, samples=samples, again=again, against=against
            )
            comparison = Comparison(task.evaluator)
            stopped: JudgingError | None = None
            interrupted = False
            try:
                _collect(opened, task, comparison, where=where, concurrency=concurrency)
            except JudgingError as error:
                stopped = error
            except KeyboardInterrupt:
                interrupted = True
        questions = {one.id: one.question for one in opened.runs(None, where)}
    report, missing = _report(comparison)
    _check(report)
    change = _score_change(report, questions) if missing is None else None
    if as_json:
        told = {**report.model_dump(), "score_change": None if change is None else change.model_dump()}
        typer.echo(json.dumps({**told, "interrupted": interrupted}, ensure_ascii=True))
    else:
        _show(report, change, missing)
    if stopped is not None:
        raise stopped
    if interrupted:
        Console(stderr=True).print("Interrupted. Every judgement so far is kept; the same command goes on.")
        raise typer.Exit(INTERRUPTED)


def _rubric(path: Path) -> Rubric:
    """The rubric in a file; of a locked bundle that of its content, once its lock is verified."""
    from coreact.rubric import load_rubric
    from coreact.rubric.bundle import RubricBundle, is_bundle

    if path.is_file() and is_bundle(path.read_bytes()):
        return RubricBundle.load(path).rubric
    return load_rubric(path)


@contextmanager
def _judge(
    model: str | None,
    base_url: str | None,
    gguf: Path | None,
    *,
    max_chars: int | None,
    seed: int,
    threads: int,
) -> Iterator[Judge | None]:
    if model is None:
        if base_url is not None or gguf is not None:
            raise ConfigError("A server is named, and no model.", remedy="Name the model with --model.")
        yield None
        return
    from coreact.judge.model import ModelJudge

    chars = max_chars or (LOCAL_CHARS if model == LOCAL and base_url is None else 24_000)
    with open_model(model, base_url=base_url, gguf=gguf, seed=seed, threads=threads) as chat:
        # It must not remember verdicts: a further sample would be the first one again.
        yield ModelJudge(chat, max_chars=chars, observation_chars=min(6_000, chars), remember=0)


def _collect(
    store: SQLiteTraceStore,
    task: RejudgeTask,
    comparison: Comparison,
    *,
    where: RunFilter,
    concurrency: int,
) -> None:
    from coreact.trace.rejudge import rejudge_store

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("Judging", total=len(store.runs(None, where)))
        for part in rejudge_store(store, task, where=where, concurrency=concurrency):
            comparison.add(part)
            progress.update(bar, completed=comparison.runs, description=f"{comparison.made:,} judgements")


def _report(comparison: Comparison) -> tuple[RejudgeReport, MissingExtraError | None]:
    try:
        return comparison.report(), None
    except MissingExtraError as error:
        return comparison.report(coefficients=False), error


def _check(report: RejudgeReport) -> None:
    if report.made or report.known:
        return
    reasons = list(dict.fromkeys(one.reason for one in report.left_out))
    told = (
        f"{len(report.left_out):,} left out, the first because: {reasons[0]}" if reasons else "no such run."
    )
    raise ConfigError(
        f"Nothing was judged: {told}",
        remedy="Name runs with judged steps, give a rubric with --rubric, or widen the options.",
    )


def _score_change(report: RejudgeReport, questions: dict[str, str]) -> Interval | None:
    """Mean change of a question's score with its paired bootstrap interval."""
    from coreact.generate.gate.intervals import by_question, mean

    return mean(
        by_question((questions.get(one.run, one.run), one.after - one.before) for one in report.scores)
    )


def _show(report: RejudgeReport, change: Interval | None, missing: MissingExtraError | None) -> None:
    from coreact.cli.display_rejudge import show_report

    console = Console()
    for part in show_report(report):
        console.print(part)
    if change is not None:
        interval = f"[{change.low:+.3f}, {change.high:+.3f}]"
        console.print(Text(f"score: {change.value:+.3f} {interval} (questions: {change.n})"))
    if missing is not None:
        console.print(Text(f"Without kappa, alpha and intervals. {missing.remedy}", "dim"))
