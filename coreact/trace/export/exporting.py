"""An export from end to end: runs in, rows out, a manifest beside them.

Everything that is common to all formats is here: which runs have content to export, which split a task
belongs to, that the same row comes once, that labels of different judges are not mixed, and that whatever
became no row is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from coreact.errors import ConfigError, ExportError
from coreact.judge.scoring.lookup import look_up
from coreact.trace.export.decisions import Run
from coreact.trace.export.formats import FORMATS
from coreact.trace.export.manifest import MANIFEST, Manifest, Tally
from coreact.trace.export.rows import Format, Left, Row
from coreact.trace.export.settings import ExportSettings, FileKind
from coreact.trace.export.splitting import split_of
from coreact.trace.export.writing import Folder
from coreact.trace.records import Trajectory
from coreact.trace.schema import CURRENT_SCHEMA
from coreact.trace.store import EVERY_RUN, RunFilter, TraceStore

_SHOWN = 4


def export(
    store: TraceStore,
    out: str | Path,
    settings: ExportSettings,
    *,
    where: RunFilter = EVERY_RUN,
    command: str = "",
    watch: Callable[[], object] | None = None,
) -> Manifest:
    """Write the rows of stored runs into a new folder: one file a split, and `manifest.json`.

    Runs are read one at a time, and rows written as they come.

    Args:
        store: where the runs are.
        out: the folder. It must not exist, or be empty.
        settings: what rows, of whose judgements.
        where: which runs.
        command: the command line that asked for it, for the manifest.
        watch: called after each run.

    Raises:
        ConfigError: there is no such format, or it is not written to such a file.
        ExportError: no row came of the runs, or judges would be mixed, or the folder cannot be written. Then
            there is no folder.
        MissingExtraError: Parquet needs a package that is not installed.
        StoreError: the store cannot be read.
    """
    form = look_up(FORMATS, settings.format, what="export format")
    file = settings.file or form.file
    if file == "parquet" and form.columns is None:
        raise ConfigError(
            f"Rows of the format {form.name!r} have no columns.", remedy="Write them as JSON lines."
        )
    with Folder(Path(out)) as folder:
        tally = Tally()
        _write(store.trajectories(where), form, file, settings, folder, tally, watch)
        if not tally.rows:
            raise ExportError(f"No row came of {tally.runs} runs.", remedy=_why(tally, settings))
        manifest = tally.manifest(
            settings,
            folder.finish(),
            where=where,
            store=str(getattr(store, "path", "")),
            schema_version=CURRENT_SCHEMA,
            command=command,
        )
        folder.add(MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    return manifest


def rows_of(trajectory: Trajectory, settings: ExportSettings) -> list[Row | Left]:
    """The rows of one run, and what became none: to look at before anything is written.

    Raises:
        ConfigError: there is no such format.
    """
    form = look_up(FORMATS, settings.format, what="export format")
    return [*form.rows(_run(trajectory, form, settings, serial=0))]


def _write(
    runs: Iterable[Trajectory],
    form: Format,
    file: FileKind,
    settings: ExportSettings,
    folder: Folder,
    tally: Tally,
    watch: Callable[[], object] | None,
) -> None:
    written: set[bytes] = set()
    for serial, trajectory in enumerate(runs):
        tally.run(trajectory.run.id)
        if trajectory.run.capture == "off":
            tally.left["capture_off"] += 1
        else:
            _write_run(_run(trajectory, form, settings, serial), form, file, folder, tally, written)
        if watch is not None:
            watch()


def _run(trajectory: Trajectory, form: Format, settings: ExportSettings, serial: int) -> Run:
    split = split_of(trajectory.run.question, settings.split, settings.seed)
    return Run(trajectory, settings, settings.arguments or form.arguments, split, serial)


def _write_run(
    run: Run, form: Format, file: FileKind, folder: Folder, tally: Tally, written: set[bytes]
) -> None:
    before = tally.rows[run.split]
    for found in form.rows(run):
        if isinstance(found, Left):
            tally.left[found.reason] += found.times
            continue
        if found.key in written:
            tally.left["duplicate"] += 1
            continue
        written.add(found.key)
        tally.evaluators |= found.evaluators
        if form.compares and len(tally.evaluators) > 1 and not run.settings.mix_evaluators:
            raise _mixed(tally.evaluators)
        if found.rubric is not None:
            tally.rubrics.add(found.rubric)
        folder.write(run, found.data, form, file)
        tally.rows[run.split] += 1
    if tally.rows[run.split] > before:
        tally.gave(run.split, run.trajectory.run.question)


def _mixed(evaluators: Iterable[str]) -> ExportError:
    listed = sorted(evaluators)
    named = ", ".join(listed[:_SHOWN]) + (", …" if len(listed) > _SHOWN else "")
    return ExportError(
        f"The labels come from different judges: {named}.",
        remedy="Name one with --evaluator, leave runs out, or take them all with --mix-evaluators.",
    )


def _why(tally: Tally, settings: ExportSettings) -> str:
    if not tally.runs:
        return "No stored run is meant; `coreact trace list` shows them."
    told = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in tally.left.most_common())
    advice = ""
    if tally.left["alone_under_its_prompt"] and settings.rubric == "kept":
        advice = " With --rubric stripped, retries are compared with the attempts before them."
    elif tally.left["not_judged"] or tally.left["undecided"]:
        advice = " Judge the runs again with `coreact trace rejudge`, or see --evaluator and --undecided."
    return f"Left out: {told or 'everything'}.{advice}"
