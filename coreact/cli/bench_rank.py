"""`coreact bench rank`: in which order rubrics put candidate actions, against what those turned out worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from coreact.cli.models import LOCAL, open_model
from coreact.cli.run import INTERRUPTED
from coreact.cli.worlds import GAZETTEER, open_world
from coreact.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:  # a command line that starts quickly imports NumPy and its kin only to measure
    from langchain_core.language_models import BaseChatModel

    from coreact.bench.rank.rubrics import Attempt
    from coreact.bench.rank.run import Report
    from coreact.bench.statistics import Interval
    from coreact.judge.runner import Judge


def rank(
    world: Annotated[
        str, typer.Option(help="`gazetteer`, or a folder of questions and passages.")
    ] = GAZETTEER,
    n: Annotated[int, typer.Option("--n", min=1, help="Most questions of each half.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Draws questions, states and chance.")] = 0,
    per_question: Annotated[int, typer.Option(min=1, max=4, help="States taken from each question.")] = 1,
    arms: Annotated[str, typer.Option(help="Arms, separated by commas.")] = "none,random,heuristic,contracts",
    half: Annotated[
        Literal["dev", "all"], typer.Option(help="Measure the half that nothing was fitted on, or all.")
    ] = "dev",
    model: Annotated[
        str, typer.Option(help="Who writes: `local`, `provider:name`, or a server's model name.")
    ] = LOCAL,
    form: Annotated[
        Literal["records", "lines"], typer.Option(help="How the model writes criteria: JSON, or lines.")
    ] = "records",
    judge: Annotated[
        str | None, typer.Option(help="A model that judges criteria without a check; default: nobody.")
    ] = None,
    sample: Annotated[
        str, typer.Option(help="Temperatures at which the model adds a candidate of its own, e.g. `0,0.7,1`.")
    ] = "",
    base_url: Annotated[str | None, typer.Option(help="Root of an OpenAI-compatible server.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the embedded server.")] = 1,
    max_chars: Annotated[
        int | None, typer.Option(min=500, help="Most characters of a trajectory in a prompt.")
    ] = None,
    fit: Annotated[int, typer.Option(min=1, help="Most training points that the model writes for.")] = 60,
    points: Annotated[
        Path | None, typer.Option(help="JSON lines file of branching points; default: not kept.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="JSON lines file of a model's rubrics; goes on where it stopped.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Write what a model would be asked to this file, and end.")
    ] = None,
    replies: Annotated[
        Path | None, typer.Option(help="What a model replied to such prompts, in JSON lines of id and reply.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Rank candidate actions by each generator's rubrics and compare with the passages that they find."""
    try:
        from coreact.bench.rank.arms import ASKING, Workshop
        from coreact.bench.rank.replies import read_replies, replied_model, requests
        from coreact.bench.rank.rubrics import Attempt
        from coreact.bench.rank.run import Points, compare
        from coreact.trace.journal import Journal
        from coreact.train.branch.scripted import sampled_by
    except ImportError as error:
        raise MissingExtraError("The bench", extra="bench") from error
    chosen = [arm.strip() for arm in arms.split(",") if arm.strip()]
    temperatures = _temperatures(sample)
    console = Console(stderr=as_json)
    name = Path(world).name if world != GAZETTEER else world
    opened = partial(open_model, base_url=base_url, seed=seed, threads=threads)
    journal = out or Path(".coreact") / "bench" / f"rank-{name}-{model.replace(':', '-')}.jsonl"
    with ExitStack() as servers:
        chat: BaseChatModel | None = None
        replied = None if replies is None else read_replies(replies)
        asks = replied is None and prompts is None
        if temperatures or (asks and ASKING.intersection(chosen)):
            chat = servers.enter_context(opened(model))
        found = Points(
            open_world(world),
            n=n,
            seed=seed,
            per_question=per_question,
            sampler=sampled_by(chat, temperatures) if chat is not None and temperatures else None,
            file=points,
            only=replied,
        )
        if prompts is not None:
            wanted = [one for one in (*found.train(), *found.dev()) if one.has_contrast]
            prompts.write_text("".join(f"{line}\n" for line in requests(wanted, form)), encoding="utf-8")
            console.print(f"{len(wanted)} prompts in {prompts}.")
            return
        if replied is not None:
            chat = replied_model(model, (*found.train(), *found.dev()), replied, form)
        shop = Workshop(
            train=found.train,
            model=chat,
            journal=Journal(journal, Attempt) if chat is not None and replied is None else None,
            max_chars=max_chars,
            fit=fit,
            form=form,
            watch=partial(_watch, console),
        )
        report = compare(
            found,
            chosen,
            workshop=shop,
            half=half,
            judge=None if judge is None else _judge(servers.enter_context(opened(judge)), max_chars),
        )
    if as_json:
        print(report.model_dump_json())
        return
    _show(console, report)


def _judge(model: BaseChatModel, max_chars: int | None) -> Judge:
    from coreact.bench.writers import CHARS, EMBEDDED_CHARS
    from coreact.judge.model import ModelJudge
    from coreact.local import LocalChatModel

    most = max_chars or (EMBEDDED_CHARS if isinstance(model, LocalChatModel) else CHARS)
    return ModelJudge(model, max_chars=most, observation_chars=min(6_000, most))


def _temperatures(text: str) -> list[float]:
    try:
        found = [float(one) for one in text.split(",") if one.strip()]
    except ValueError as error:
        raise ConfigError(
            f"--sample {text!r} is no list of numbers.", remedy="Write, e.g., 0,0.7,1."
        ) from error
    if not all(0 <= one <= 2 for one in found):
        raise ConfigError("A temperature is not in [0, 2].", remedy="Write, e.g., --sample 0,0.7,1.")
    return found


def _watch(console: Console, attempts: Iterable[Attempt], arm: str, total: int) -> Iterable[Attempt]:
    try:
        yield from track(attempts, description=arm, total=total, console=console)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. Every rubric so far is kept; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None


def _show(console: Console, report: Report) -> None:
    judged = "checks only" if report.judge is None else f"checks, then {report.judge}"
    title = f"{report.world}: {report.points} branching points ({report.dropped} without contrast), {judged}"
    _table(
        console,
        title,
        ("arm", "Spearman", "to heuristic", "top", "regret", "net"),
        [
            (
                one.arm,
                _interval(one.spearman),
                _interval(one.to_heuristic),
                f"{one.top.mean:.2f}",
                f"{one.regret.mean:.2f}",
                f"{one.fixed}-{one.spoiled}",
            )
            for one in report.arms
        ],
        "Means by question, 95 % bootstrap intervals. Top: share of points with a best candidate on top. "
        "Net: points fixed - spoiled against the unguided choice.",
    )
    for note in report.fitted:
        console.print(Text(note))
    wrote = [one for one in report.arms if one.written is not None]
    if wrote:
        _table(
            console,
            "What was written",
            ("arm", "written", "refused", "failed", "size", "checks", "calls", "tokens", "s"),
            [
                (
                    one.arm,
                    _share(one.written),
                    _share(one.refused),
                    _share(one.failed),
                    "" if one.criteria is None else f"{one.criteria:.1f}",
                    _share(one.compiled),
                    str(one.cost.calls),
                    str(one.cost.tokens),
                    f"{one.cost.seconds:.1f}",
                )
                for one in wrote
            ],
            "Size: criteria of a rubric. Checks: share of criteria that code decides.",
        )


def _interval(found: Interval | None) -> str:
    return "" if found is None else f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _table(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str
) -> None:
    shown = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        if column == "arm":
            shown.add_column(column, min_width=9, overflow="fold")
        else:
            shown.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
