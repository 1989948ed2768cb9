"""`coreact judge`: measure a judge against people's labels, and calibrate its scores."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from coreact.cli.display import one_line
from coreact.cli.models import LOCAL, open_model
from coreact.cli.run import INTERRUPTED
from coreact.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:  # a command line that starts quickly imports NumPy and its kin only to measure
    from coreact.bench.qualify.cases import CaseSet, JudgeCase
    from coreact.bench.qualify.report import Report
    from coreact.bench.qualify.run import Ask, Ruled, Settings
    from coreact.judge.calibration import Calibration
    from coreact.judge.qualification import Measured
    from coreact.judge.runner import Judge

judge_app = typer.Typer(help="Measure judges against people's labels.", no_args_is_help=True)

LOCAL_CHARS = 7_000
"""Most characters of material for the embedded model, whose context is 4096 tokens."""

JudgeOption = Annotated[
    str,
    typer.Option(
        "--judge",
        help="`local`, `provider:name`, a server's model name, `lexical`, `majority` or `majority:STATUS`.",
    ),
]
BaseUrl = Annotated[str | None, typer.Option(help="Root of an OpenAI-compatible server, ending in /v1.")]
Gguf = Annotated[Path | None, typer.Option(help="Another model file for the embedded server.")]
MaxChars = Annotated[
    int | None, typer.Option(min=500, help="Most characters of material shown to a model at once.")
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the embedded server.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@judge_app.command()
def qualify(
    data: Annotated[Path, typer.Option(help="Folder of a known data set, or a JSON lines file of cases.")],
    judge: JudgeOption = LOCAL,
    n: Annotated[
        int | None, typer.Option("--n", min=1, help="Cases to judge; default: the whole evaluation part.")
    ] = None,
    probes: Annotated[int, typer.Option(min=0, help="Cases for each probe; 0: no probes.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Draws the cases, and seeds the model.")] = 0,
    family: Annotated[
        str | None, typer.Option(help="The judge's model family; default: read off the model's name.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of rulings and report; an interrupted run goes on there.")
    ] = None,
    base_url: BaseUrl = None,
    gguf: Gguf = None,
    max_chars: MaxChars = None,
    threads: Threads = 1,
    as_json: JsonFlag = False,
) -> None:
    """Measure a judge on labelled cases: agreement, and what sways it that should not.

    About a quarter of a data set is kept for fitting (baselines, `calibrate`) and never measured on.
    """
    _check_extra()
    from coreact.bench.qualify.datasets import load_cases
    from coreact.bench.qualify.report import assess, write_report
    from coreact.bench.qualify.run import plan, settings_of
    from coreact.bench.qualify.sampling import ordered, split

    console = Console(stderr=as_json)
    loaded = load_cases(data)
    fitting, evaluation = split(loaded.cases)
    if not evaluation:
        raise ConfigError(f"{data} has too few groups to measure on.", remedy="Give more labelled cases.")
    asks = plan(ordered(evaluation, seed=seed)[:n], probes=probes)
    with _open_judge(
        judge, fitting, base_url=base_url, gguf=gguf, max_chars=max_chars, seed=seed, threads=threads
    ) as asked:
        settings = settings_of(asked, loaded)
        folder = out or _folder(loaded, asked)
        ruled = _collect(console, asked, asks, settings=settings, out=folder / "rulings.jsonl")
        report = assess(asks, ruled, settings, probes=probes, seed=seed, family=family or _family(asked))
    write_report(report, folder)
    if as_json:
        print((folder / "report.json").read_text(encoding="utf-8"))
        return
    _show_report(console, report)
    console.print(Text(f"Report  {folder / 'report.html'}"))


@judge_app.command()
def calibrate(
    out: Annotated[Path, typer.Option(help="The calibration to write.")],
    judgements: Annotated[
        Path | None, typer.Option(help="The rulings.jsonl of a run; or give --data.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Labelled data whose fitting part the judge is asked about first.")
    ] = None,
    judge: JudgeOption = LOCAL,
    method: Annotated[Literal["isotonic", "quantile"], typer.Option(help="How to fit the map.")] = "isotonic",
    held_out: Annotated[
        float, typer.Option(min=0.05, max=0.95, help="Share of the labels to measure on, not fit on.")
    ] = 0.5,
    n: Annotated[
        int | None, typer.Option("--n", min=1, help="Cases to judge; default: the whole fitting part.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws cases and parts, and seeds the model.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="Also draw the reliability diagram, as SVG.")] = None,
    base_url: BaseUrl = None,
    gguf: Gguf = None,
    max_chars: MaxChars = None,
    threads: Threads = 1,
    as_json: JsonFlag = False,
) -> None:
    """Fit a map from a judge's scores to people's on few labels, and lock it to the judge's version."""
    _check_extra()
    from coreact.bench.qualify.datasets import load_cases
    from coreact.bench.qualify.figures import reliability_figure
    from coreact.bench.qualify.run import plan, read_rulings, scored, settings_of
    from coreact.bench.qualify.sampling import ordered, split
    from coreact.judge.calibration import calibrate as fit
    from coreact.trace.lines import write_whole

    console = Console(stderr=as_json)
    if (judgements is None) == (data is None):
        raise ConfigError(
            "A calibration needs either rulings or labelled data.", remedy="Give --judgements or --data."
        )
    if judgements is not None:
        settings, ruled = read_rulings(judgements)
    elif data is not None:
        loaded = load_cases(data)
        fitting = split(loaded.cases).fitting
        asks = plan(ordered(fitting, seed=seed)[:n])
        with _open_judge(
            judge, fitting, base_url=base_url, gguf=gguf, max_chars=max_chars, seed=seed, threads=threads
        ) as asked:
            settings = settings_of(asked, loaded)
            kept = _folder(loaded, asked) / "calibration-rulings.jsonl"
            ruled = tuple(_collect(console, asked, asks, settings=settings, out=kept))
    made = fit(
        scored(ruled),
        judge=settings.version,
        criteria=settings.criteria,
        dataset=settings.dataset,
        method=method,
        held_out=held_out,
        seed=seed,
    )
    write_whole(out, made.artefact())
    if plot is not None:
        figure = reliability_figure(made.before.table, "score", mapped=made.after.table)
        write_whole(plot, figure)
    if as_json:
        print(made.artefact())
        return
    _show_calibration(console, made)
    console.print(Text(f"Calibration  {out}  {made.lock}"))


# --- which judge -------------------------------------------------------------------------------


@contextmanager
def _open_judge(
    name: str,
    fitting: Sequence[JudgeCase],
    *,
    base_url: str | None,
    gguf: Path | None,
    max_chars: int | None,
    seed: int,
    threads: int,
) -> Iterator[Judge]:
    from coreact.bench.qualify.baselines import LexicalJudge, MajorityJudge

    kind, _, status = name.partition(":")
    if name == "lexical":
        yield LexicalJudge.fitted(fitting)
    elif kind == "majority":
        yield MajorityJudge(status) if status else MajorityJudge.fitted(fitting)
    else:
        from coreact.judge.model import ModelJudge

        embedded = name == LOCAL and base_url is None
        chars = max_chars or (LOCAL_CHARS if embedded else 24_000)
        with open_model(name, base_url=base_url, gguf=gguf, seed=seed, threads=threads) as chat:
            # It must not remember verdicts: asking again would ask nobody.
            yield ModelJudge(chat, max_chars=chars, observation_chars=min(6_000, chars), remember=0)


def _family(judge: Judge) -> str | None:
    from coreact.judge.panel.family import family

    return family(str(getattr(judge, "model_name", "")))


def _folder(data: CaseSet, judge: Judge) -> Path:
    name = re.sub(r"[^A-Za-z0-9.,@-]+", "-", f"{data.name}-{judge.id}")
    return Path(".coreact") / "judge" / name[:120]


def _check_extra() -> None:
    if any(find_spec(name) is None for name in ("jinja2", "matplotlib", "scipy", "sklearn")):
        raise MissingExtraError("Measuring a judge", extra="judge")


def _collect(
    console: Console, judge: Judge, asks: Sequence[Ask], *, settings: Settings, out: Path
) -> list[Ruled]:
    from coreact.bench.qualify.run import collect

    try:
        rulings = collect(judge, asks, settings=settings, out=out)
        return list(track(rulings, description="rulings", total=len(asks), console=console))
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. Every ruling so far is kept; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None


# --- what is shown -----------------------------------------------------------------------------


def _show_report(console: Console, report: Report) -> None:
    from coreact.bench.qualify.report import AGREED

    found, qualification = report.agreement, report.qualification
    shown = Table(title=one_line(f"{report.settings.judge} on {report.settings.dataset}"))
    shown.add_column("measure")
    shown.add_column("value [95 % interval]", justify="right")
    shown.add_column("items", justify="right")
    shown.add_column("at most", justify="right")
    measures: dict[str, Measured | None] = {name: getattr(found, field) for name, field in AGREED.items()}
    if report.claims is not None:
        measures["macro F1 as claimed"] = report.claims.macro_f1
        measures["called met as claimed, of unmet"] = report.claims.false_met
    measures |= {"length slope": report.length_slope, **qualification.harms}
    for name, measure in measures.items():
        limit = qualification.bar.at_most.get(name)
        shown.add_row(
            name,
            "–" if measure is None else str(measure),
            "" if measure is None else str(measure.n),
            "" if limit is None else f"{limit:g}",
        )
    console.print(shown)
    console.print(
        Text(f"Best constant answer  {found.constant}, macro F1 {found.constant_f1:.3f}; most frequent")
        + Text(f" label {found.constant_accuracy:.3f}")
    )
    if qualification.passed:
        console.print(Text("Qualified on this data.", "bold green"))
        return
    console.print(Text("Not qualified: its verdicts must not gate training data.", "bold red"))
    for reason in qualification.failed:
        console.print(Text(f"  {one_line(reason)}"))


def _show_calibration(console: Console, made: Calibration) -> None:
    shown = Table(title=f"{made.curve.method}, fitted on {made.fitted_on} labels, on {made.before.n} others")
    shown.add_column("lower is better")
    shown.add_column("before", justify="right")
    shown.add_column("after", justify="right")
    for name, field in {
        "calibration error (equal width)": "ece",
        "calibration error (equal mass)": "ece_mass",
        "mean distance from label": "error",
        "distance of distributions": "distance",
    }.items():
        shown.add_row(name, f"{getattr(made.before, field):.3f}", f"{getattr(made.after, field):.3f}")
    console.print(shown)
    table = Table(title="Reliability of the scores, before")
    for column in ("scores", "items", "mean score", "mean label"):
        table.add_column(column, justify="right")
    for row in made.before.table.bins:
        table.add_row(f"{row.low:.2f}–{row.high:.2f}", str(row.n), f"{row.score:.3f}", f"{row.label:.3f}")
    console.print(table)
