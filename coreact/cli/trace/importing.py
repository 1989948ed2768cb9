"""`coreact trace import`: runs that other tools recorded, into the store.

Every file is read twice: once to its end, to see that it can be trusted as a whole, then to store its runs.
So nothing is stored where one of the files is broken, and a large one need not fit into memory. Errors are
not caught here: the main program turns them into messages and exit codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from coreact.cli.display import one_line
from coreact.cli.trace.opening import StoreOption
from coreact.errors import TraceFileError
from coreact.trace import RunFilter, SQLiteTraceStore, TraceStore, Trajectory, default_store_path
from coreact.trace.recording import missing_of, record_trajectory

_BATCH = 50
_SHOWN = 10
_FORMATS = ("auto", "otlp", "openinference", "langsmith", "atif", "chat")


@dataclass
class _Report:
    """What became of a file."""

    file: str
    imported: int = 0
    already: int = 0
    """Runs that the store had."""
    grown: int = 0
    """Runs that the store had less of: the rest was added."""
    steps: int = 0
    """Decisions that were imported."""
    left_out: list[dict[str, str]] = field(default_factory=list)


def import_runs(
    files: Annotated[list[Path], typer.Argument(help="Files of JSON or JSON Lines.")],
    *,
    form: Annotated[
        str, typer.Option("--format", help=f"{', '.join(_FORMATS[1:])}, or auto: look at the file.")
    ] = "auto",
    store: StoreOption = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave broken lines out instead of refusing the file.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count; store nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Import runs that other tools recorded: OTLP, OpenInference, LangSmith, ATIF, chat JSONL."""
    chosen = store or default_store_path()
    stamps = [_stamp(path) for path in files]
    reports = [_read(path, form, skip_broken) for path in files]
    if chosen.exists() or (not dry_run and any(report.imported for report in reports)):
        with closing(SQLiteTraceStore(chosen)) as opened:
            for at, path in enumerate(files):
                if _stamp(path) != stamps[at]:
                    raise TraceFileError(
                        f"{path} changed while it was read; of it nothing was stored.",
                        path=path,
                        remedy="Import it again when nothing writes to it any more.",
                    )
                reports[at] = _read(path, form, skip_broken, into=opened, dry_run=dry_run)
    if as_json:
        told = {"dry_run": dry_run, "store": str(chosen), "files": [asdict(one) for one in reports]}
        typer.echo(json.dumps(told))
    else:
        for report in reports:
            _tell(report, dry_run=dry_run)
    if not any(report.imported + report.already + report.grown for report in reports):
        raise typer.Exit(2)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _read(
    path: Path, form: str, skip_broken: bool, *, into: TraceStore | None = None, dry_run: bool = True
) -> _Report:
    """Read a file to its end, and store the runs that the store has not; without one, all count as new."""
    from coreact.trace.importing import read_traces

    imported, report = read_traces(path, form, skip_broken=skip_broken), _Report(str(path))
    for batch in _batches(imported.trajectories):
        there = set() if into is None else _there(into, batch)
        for trajectory in batch:
            rest = trajectory
            if into is None or trajectory.run.id not in there:
                report.imported += 1
            elif (missing := missing_of(into.trajectory(trajectory.run.id), trajectory)) is None:
                report.already += 1
                continue
            else:
                report.grown += 1
                rest = missing
            report.steps += len(rest.steps)
            if into is not None and not dry_run:
                if rest.steps or rest.end is not None:
                    record_trajectory(into, rest)
                else:
                    for judgement in rest.judgements:
                        into.judgement(judgement)
    if into is not None and not dry_run:
        into.flush()
    report.left_out = [one._asdict() for one in imported.left_out]
    return report


def _batches(trajectories: Iterable[Trajectory]) -> Iterator[list[Trajectory]]:
    rest = iter(trajectories)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _there(store: TraceStore, batch: list[Trajectory]) -> set[str]:
    """The runs of a batch that the store has, whole or not."""
    ids = tuple(one.run.id for one in batch)
    return {summary.id for summary in store.runs(None, RunFilter(ids=ids))}


def _tell(report: _Report, *, dry_run: bool) -> None:
    runs = f"{report.imported:,} run{'' if report.imported == 1 else 's'}, {report.steps:,} steps"
    line = f"{one_line(report.file)}: {'would import' if dry_run else 'imported'} {runs}"
    line += f"; {report.grown:,} completed" if report.grown else ""
    line += f"; {report.already:,} already there" if report.already else ""
    typer.echo(line + (f"; {len(report.left_out):,} left out:" if report.left_out else "."))
    for one in report.left_out[:_SHOWN]:
        typer.echo(f"  {one_line(one['where'])}: {one_line(one['why'])}")
    if len(report.left_out) > _SHOWN:
        typer.echo(f"  … and {len(report.left_out) - _SHOWN:,} more; --json shows all.")
