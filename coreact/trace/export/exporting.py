"""An export from end to end: runs in, rows out, a manifest beside them.

Everything that is common to all formats is here: which runs have content to export, which split a task
belongs to, that the same row comes once, that labels of different judges are not mixed, and that whatever
became no row is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from pathlib import Path

from coreact.errors import ConfigError, ExportError, MessagesError
from coreact.judge.scoring.lookup import look_up
from coreact.trace.export.decisions import Run
from coreact.trace.export.formats import FORMATS
from coreact.trace.export.manifest import MANIFEST, Manifest, Tally
from coreact.trace.export.rows import Format, Left, Row
from coreact.trace.export.settings import ExportSettings, FileKind
from coreact.trace.export.splitting import dealt_by, split_of
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
        refuted = _contradicted(store.trajectories(where), form, settings) if form.labelled else set()
        _write(store.trajectories(where), form, file, settings, folder, tally, refuted, watch)
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
        folder.add(MANIFEST, manifest.text())
    return manifest


def rows_of(trajectory: Trajectory, settings: ExportSettings) -> list[Row | Left]:
    """The rows of one run, and what became none: to look at before anything is written.

    Raises:
        ConfigError: there is no such format.
    """
    form = look_up(FORMATS, settings.format, what="export format")
    return _rows(trajectory, form, settings)[1]


def _write(
    runs: Iterable[Trajectory],
    form: Format,
    file: FileKind,
    settings: ExportSettings,
    folder: Folder,
    tally: Tally,
    refuted: Set[bytes],
    watch: Callable[[], object] | None,
) -> None:
    written: set[bytes] = set()
    for serial, trajectory in enumerate(runs):
        tally.run(trajectory.run.id)
        if trajectory.run.capture == "off":
            tally.left["capture_off"] += 1
        else:
            run, found = _rows(trajectory, form, settings, serial)
            _write_run(run, found, form, file, folder, tally, written, refuted)
        if watch is not None:
            watch()


def _rows(
    trajectory: Trajectory, form: Format, settings: ExportSettings, serial: int = 0
) -> tuple[Run, list[Row | Left]]:
    """A run and its rows: all of them, or none where something in it cannot be read."""
    reason = ""
    try:
        task = dealt_by(trajectory)
    except MessagesError:
        task, reason = trajectory.run.question, "unreadable_message"
    except RecursionError:
        task, reason = trajectory.run.question, "too_deeply_nested"
    split = split_of(task, settings.split, settings.seed)
    run = Run(trajectory, settings, settings.arguments or form.arguments, split, serial)
    if reason:
        return run, [Left(reason)]
    try:
        return run, [*form.rows(run)]
    except MessagesError:
        return run, [Left("unreadable_message")]
    except RecursionError:
        return run, [Left("too_deeply_nested")]


def _contradicted(runs: Iterable[Trajectory], form: Format, settings: ExportSettings) -> set[bytes]:
    """Keys of rows that come with different labels: what is said both ways teaches nothing."""
    said: dict[bytes, object] = {}
    refuted: set[bytes] = set()
    for trajectory in runs:
        if trajectory.run.capture == "off":
            continue
        for found in _rows(trajectory, form, settings)[1]:
            if isinstance(found, Row) and said.setdefault(found.key, found.label) != found.label:
                refuted.add(found.key)
    return refuted


def _write_run(
    run: Run,
    rows: Iterable[Row | Left],
    form: Format,
    file: FileKind,
    folder: Folder,
    tally: Tally,
    written: set[bytes],
    refuted: Set[bytes],
) -> None:
    before = tally.rows[run.split]
    for found in rows:
        if isinstance(found, Left):
            tally.left[found.reason] += found.times
            continue
        if found.key in refuted:
            tally.left["contradictory"] += 1
            continue
        if found.key in written:
            tally.left["duplicate"] += 1
            continue
        evaluators = tally.evaluators | found.evaluators
        if form.compares and len(evaluators) > 1 and not run.settings.mix_evaluators:
            raise _mixed(evaluators)
        try:
            folder.write(run, found.data, form, file)
        except RecursionError:  # before anything of the row is written
            tally.left["too_deeply_nested"] += 1
            continue
        written.add(found.key)
        tally.evaluators |= found.evaluators
        if found.rubric is not None:
            tally.rubrics.add(found.rubric)
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
