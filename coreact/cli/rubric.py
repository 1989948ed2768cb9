"""`coreact rubric`: look at a rubric, lint it, lock it, and hold an edit against the rubric before it.

A file may hold a rubric as JSON, as text, or a locked bundle. What it holds is untrusted: it is shown
escaped, and nothing in it is run. Exit code 1 says that what was asked about is not in order: a criterion
that must not guide, an edit that is refused.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coreact.cli.display import one_line
from coreact.errors import ConfigError, RubricParseError
from coreact.rubric import RubricWarning, load_rubric
from coreact.rubric.bundle import RubricBundle, is_bundle
from coreact.rubric.diff import RubricDiff, diff
from coreact.rubric.lint import SERIOUS, lint

if TYPE_CHECKING:  # a command line that starts quickly imports NumPy and its kin only to measure
    from coreact.generate.anchors import AnchorPair
    from coreact.generate.drift import DriftReport
    from coreact.judge.runner import Judge

rubric_app = typer.Typer(help="Lint, lock and compare rubrics.", no_args_is_help=True)

RubricFile = Annotated[Path, typer.Argument(help="A rubric as JSON or text, or a bundle.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_REFUSED = 1


@rubric_app.command("lint")
def lint_rubric(file: RubricFile, as_json: JsonFlag = False) -> None:
    """Say what is wrong with the criteria; exit code 1 if one of them must not guide.

    Tools and addresses are not looked up: a file knows no state.
    """
    found = lint(_opened(file).rubric)
    serious = [finding for finding in found if finding.problem in SERIOUS]
    if as_json:
        _print_json({"findings": [one.model_dump() for one in found], "serious": len(serious)})
    elif not found:
        Console().print("Nothing found.")
    else:
        shown = Table()
        for column in ("criterion", "problem", "why"):
            shown.add_column(column)
        for finding in found:
            style = "bold red" if finding.problem in SERIOUS else "yellow"
            shown.add_row(
                Text(one_line(finding.criterion) or "(all)"),
                Text(finding.problem, style),
                Text(one_line(finding.reason)),
            )
        Console().print(shown)
    if serious:
        raise typer.Exit(_REFUSED)


@rubric_app.command("lock")
def lock_rubric(
    file: RubricFile,
    out: Annotated[
        Path | None, typer.Option(help="The bundle to write. [default: beside FILE, as .bundle.json]")
    ] = None,
    parent: Annotated[Path | None, typer.Option(help="The bundle that this one was made from.")] = None,
    author: Annotated[str, typer.Option(help="Who made it.")] = "",
    note: Annotated[str, typer.Option(help="What was changed and why.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Write a rubric as a bundle with its content's lock, and print the lock."""
    before = None if parent is None else RubricBundle.load(parent).lock
    bundle = RubricBundle(rubric=_opened(file).rubric, parent=before, author=author, note=note)
    path = out or file.with_suffix(".bundle.json")
    try:
        bundle.save(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}.", remedy="Name another file with --out."
        ) from error
    if as_json:
        _print_json({"lock": bundle.lock, "parent": bundle.parent, "path": str(path)})
        return
    Console(soft_wrap=True).print(Text(f"{bundle.lock}  {one_line(str(path))}"))


@rubric_app.command("diff")
def diff_rubrics(old: RubricFile, new: RubricFile, as_json: JsonFlag = False) -> None:
    """Show what changed between two rubrics, criterion by criterion."""
    changes = diff(_opened(old).rubric, _opened(new).rubric)
    if as_json:
        fields = [{"fields": one.fields, **one.model_dump()} for one in changes.changed]
        _print_json({**changes.model_dump(), "changed": fields})
        return
    console = Console(soft_wrap=True)
    for line in _lines(changes):
        console.print(line)


@rubric_app.command("show")
def show_file(file: RubricFile, as_json: JsonFlag = False) -> None:
    """Show a rubric: shares of the weight, kinds, checks in words, texts."""
    bundle = _opened(file)
    rubric = bundle.rubric
    if as_json:
        about = {"lock": bundle.lock, "parent": bundle.parent, "author": bundle.author, "note": bundle.note}
        _print_json({**about, "rubric_lock": rubric.lock, "rubric": rubric.model_dump()})
        return
    shown = Table(caption=Text(f"passes from {rubric.threshold:g} · {rubric.lock}"))
    for column in ("id", "share", "kind", "check", "text"):
        shown.add_column(column, justify="right" if column == "share" else "left")
    for criterion in rubric:
        marks = [criterion.kind, *["veto"][: criterion.veto], *["forbid"][: criterion.polarity == "forbid"]]
        shown.add_row(
            Text(one_line(criterion.id)),
            Text(f"{100 * rubric.share(criterion):.1f} %"),
            Text(" · ".join(marks)),
            Text("a judge" if criterion.check is None else one_line(criterion.check.explain())),
            Text(one_line(criterion.text)),
        )
    console = Console()
    console.print(shown)
    for name in ("author", "note", "parent"):
        if value := getattr(bundle, name):
            console.print(Text(f"{name}  {one_line(value)}"))


@rubric_app.command("check-edit")
def check_edit(
    old: RubricFile,
    new: RubricFile,
    anchors: Annotated[Path, typer.Option(help="Anchor pairs as JSON lines.")],
    margin: Annotated[float, typer.Option(min=0, max=0.99, help="Loss of accuracy that is tolerated.")] = 0.0,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Model that judges criteria without a check: `local`, `provider:name`, a server's name."
            " Without one they stay unknown."
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Root of an OpenAI-compatible server, ending in /v1.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seeds the resampling and the model.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Accept an edit of a rubric only if no domain gets worse; exit code 1 if it is refused.

    The average over domains decides nothing: an edit that holds it can still turn one domain over.
    """
    from coreact.generate.drift import compare

    before, after = _opened(old).rubric, _opened(new).rubric
    pairs = _anchors(anchors)
    with _judge(judge, base_url=base_url, seed=seed) as asked:
        report = compare(before, after, pairs, judge=asked, margin=margin, seed=seed)
    if as_json:
        _print_json(
            {"accepted": report.accepted, "fallen": report.fallen, "pooled": report.pooled}
            | report.model_dump()
        )
    else:
        _show_report(Console(), report)
    if not report.accepted:
        raise typer.Exit(_REFUSED)


# --- reading -----------------------------------------------------------------------------------


def _opened(path: Path) -> RubricBundle:
    """The bundle in a file, verified; a plain rubric as a bundle without history."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RubricParseError(
            f"it cannot be read: {error.strerror or error}", where="file", path=path
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RubricWarning)  # `lint` and `show` tell of unknown checks
        if is_bundle(content):
            return RubricBundle.read(content, path=path)
        return RubricBundle(rubric=load_rubric(path))


def _anchors(path: Path) -> list[AnchorPair]:
    from pydantic import ValidationError

    from coreact.generate.anchors import AnchorPair
    from coreact.trace.lines import json_lines, read_bytes

    found = []
    for line in json_lines(path, read_bytes(path)):
        try:
            found.append(AnchorPair.model_validate(line.fields))
        except ValidationError as error:
            raise line.misfit(error) from error
    return found


@contextmanager
def _judge(name: str | None, *, base_url: str | None, seed: int) -> Iterator[Judge | None]:
    if name is None:
        yield None
        return
    from coreact.cli.models import open_model
    from coreact.judge.model import ModelJudge

    with open_model(name, base_url=base_url, seed=seed) as chat:
        yield ModelJudge(chat)


# --- what is shown -----------------------------------------------------------------------------


def _print_json(value: Any) -> None:
    # ASCII only: JSON leaves some control characters alone that terminals act on.
    print(json.dumps(value, ensure_ascii=True))


def _lines(changes: RubricDiff) -> Iterator[Text]:
    if changes.empty:
        yield Text("No difference.")
    for criterion in changes.removed:
        yield Text(f"- {one_line(criterion.id)}  {one_line(criterion.text)}", "red")
    for criterion in changes.added:
        yield Text(f"+ {one_line(criterion.id)}  {one_line(criterion.text)}", "green")
    for change in changes.changed:
        yield Text(f"~ {one_line(change.after.id)}  {', '.join(change.fields)}", "yellow")
        for name in change.fields:
            yield Text(f"    - {_value(getattr(change.before, name))}", "red")
            yield Text(f"    + {_value(getattr(change.after, name))}", "green")
    for move in changes.shares:
        share = f"{100 * move.before:.1f} % → {100 * move.after:.1f} %"
        yield Text(f"  share of {one_line(move.criterion)}  {share}")
    for name in ("threshold", "scope"):
        if (moved := getattr(changes, name)) is not None:
            yield Text(f"  {name}  {moved[0]} → {moved[1]}", "yellow")
    if changes.reordered:
        yield Text("  the order of the criteria changed")


def _value(value: Any) -> str:
    return one_line(str(value))


def _show_report(console: Console, report: DriftReport) -> None:
    shown = Table()
    shown.add_column("domain")
    for column in ("pairs", "old", "new", "difference [95 % interval]"):
        shown.add_column(column, justify="right")
    shown.add_column("accepted")
    for one in report.domains:
        shown.add_row(
            Text(one_line(one.domain)),
            str(one.pairs),
            f"{one.old:.3f}",
            f"{one.new:.3f}",
            f"{one.new - one.old:+.3f} [{one.low:+.3f}, {one.high:+.3f}]",
            Text("yes", "green") if one.accepted else Text(f"no: {one.reason}", "red"),
        )
    console.print(shown)
    if report.pooled is not None:
        old, new = report.pooled
        console.print(Text(f"All pairs  {old:.3f} → {new:.3f} (decides nothing)", "dim"))
    if report.accepted:
        console.print(Text("Accepted: no domain gets worse.", "bold green"))
    elif not report.domains:
        console.print(Text("Refused: there is no anchor, so nothing was tested.", "bold red"))
    else:
        names = ", ".join(map(one_line, report.fallen))
        console.print(Text(f"Refused because of: {names}.", "bold red"))
