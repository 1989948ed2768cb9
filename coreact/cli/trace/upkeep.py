"""`coreact trace verify`, `gc` and `merge`: care of trace files."""

from __future__ import annotations

import re
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coreact.cli.display import one_line
from coreact.cli.trace.opening import StoreOption, as_line, open_store
from coreact.errors import ConfigError
from coreact.trace import RunFilter, RunStatus, SQLiteTraceStore, default_store_path
from coreact.trace.upkeep import Merged, collect, merge, verify

_AGE = re.compile(r"(?P<number>\d{1,6})(?P<unit>[hdw])")
_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}
_SHOWN = 20


class _Results(BaseModel):
    results: dict[str, Merged]


JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def verify_store(
    *,
    store: StoreOption = None,
    states: Annotated[
        bool, typer.Option("--states", help="Also compute the state of each step again; slow.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look a store through: the file, all hashes, all references. Exit code 1 where something is wrong."""
    found = verify(_existing(store), states=states)
    if as_json:
        typer.echo(as_line(found))
    else:
        console = Console()
        for problem in found.problems[:_SHOWN]:
            console.print(Text(f"{one_line(problem.where)}: {one_line(problem.what)}", "red"))
        if len(found.problems) > _SHOWN:
            console.print(Text(f"… and {len(found.problems) - _SHOWN} more; --json has all.", "red"))
        typer.echo(
            f"{found.runs:,} runs, {found.steps:,} steps, {found.contents:,} contents: "
            + ("all is whole." if found.whole else f"{len(found.problems)} problems.")
        )
    if not found.whole:
        raise typer.Exit(1)


def collect_store(
    *,
    store: StoreOption = None,
    older_than: Annotated[
        str | None, typer.Option(help="Remove runs that began longer ago: 12h, 30d, 8w.")
    ] = None,
    status: Annotated[
        RunStatus | None, typer.Option(help="Of those, or of all, only runs with this status.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Only runs of this agent.")] = None,
    trial: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove records that were taken back, content nobody refers to and, where asked for, runs."""
    wanted = older_than is not None or status is not None or agent is not None
    runs = RunFilter(until_ns=_before(older_than), status=status, agent=agent) if wanted else None
    gone = collect(_existing(store), runs=runs, trial=trial)
    if as_json:
        typer.echo(as_line(gone))
        return
    typer.echo(
        f"{'Would remove' if trial else 'Removed'} {gone.runs:,} runs, {gone.steps:,} steps, "
        f"{gone.contents:,} contents, {gone.rubrics:,} rubrics."
        + ("" if trial else f" {gone.bytes_before:,} bytes before, {gone.bytes_after:,} now.")
        + ("" if trial or gone.compacted else " The file was in use and is packed the next time.")
    )


def merge_stores(
    sources: Annotated[list[Path], typer.Argument(help="Stores whose runs are added.")],
    *,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the runs of other stores. Exit code 1 where a run is in both and differs."""
    results: dict[str, Merged] = {}
    opened = [(source, open_store(source)) for source in sources]
    target = store or default_store_path()
    if any(target.exists() and source.samefile(target) for source in sources):
        raise ConfigError(
            f"{target} cannot be merged into itself.", remedy="Name another store with --store."
        )
    with closing(SQLiteTraceStore(target)) as into:
        for source, other in opened:
            with closing(other):
                results[str(source)] = merge(into, other)
    if as_json:
        typer.echo(as_line(_Results(results=results)))
    else:
        Console().print(_table(results))
    if any(result.differing for result in results.values()):
        raise typer.Exit(1)


def _table(results: dict[str, Merged]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold underline")
    table.add_column("store")
    for name in ("added", "known", "judged", "differ"):
        table.add_column(name, justify="right")
    for path, result in results.items():
        counts = (result.added, result.known, result.judged, len(result.differing))
        table.add_row(Text(one_line(path)), *(f"{count:,}" for count in counts))
        for run in result.differing[:_SHOWN]:
            table.add_row(Text(f"  {one_line(run)} differs from the run of that id", "red"))
    return table


def _existing(store: Path | None) -> Path:
    with closing(open_store(store)) as opened:
        return opened.path


def _before(age: str | None) -> int | None:
    if age is None:
        return None
    found = _AGE.fullmatch(age)
    if found is None:
        raise ConfigError(f"{age!r} is no age.", remedy="Give a number and h, d or w, such as 30d.")
    return max(0, time.time_ns() - int(found["number"]) * _SECONDS[found["unit"]] * 10**9)
