"""What an export was made from: the file beside the rows that says so."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from coreact import __version__
from coreact.rubric import Record
from coreact.trace.export.json_text import clean
from coreact.trace.export.settings import ExportSettings
from coreact.trace.store import RunFilter

MANIFEST = "manifest.json"
"""Name of the file."""

_LISTED = 1000


class SplitCount(Record):
    """What went into one split."""

    file: str | None
    """None where no row did, so that no file was written."""
    sha256: str | None
    rows: int
    runs: int
    tasks: int


class Manifest(Record):
    """An export, exactly enough to make it again and to see whether a file was changed."""

    exporter: str = f"coreact {__version__}"
    command: str = ""
    """The command line, where there was one."""
    store: str = ""
    """Path of the store, where it has one."""
    schema_version: int
    """Version of the store's schema."""
    filter: dict[str, Any]
    """The fields of the `RunFilter` that were set."""
    settings: ExportSettings
    runs: int
    """Runs that were meant."""
    run_ids: tuple[str, ...] | None
    """Their ids; None where there are more than a thousand."""
    run_ids_sha256: str
    """SHA-256 of the ids, one a line, in the order they were read."""
    evaluators: tuple[str, ...]
    """Judges whose verdicts the labels rest on; empty where only checks decided."""
    rubrics: int
    rubric_shas: tuple[str, ...] | None
    """Locks of the rubrics; None where there are more than a thousand."""
    splits: dict[str, SplitCount]
    left_out: dict[str, int]
    """How often something became no row, by reason."""

    def text(self) -> str:
        """The file: JSON that every reader takes, whatever stands in an id, a name or the command line."""
        return json.dumps(clean(self.model_dump(mode="python")), ensure_ascii=False, indent=2) + "\n"


class Tally:
    """Counts while rows are written. What is kept grows with the runs and the rubrics, not with the rows."""

    def __init__(self) -> None:
        self.left: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self._runs: Counter[str] = Counter()
        self._tasks: dict[str, set[bytes]] = {}
        self._ids: list[str] = []
        self._hash = hashlib.sha256()
        self.runs = 0
        self.evaluators: set[str] = set()
        self.rubrics: set[str] = set()

    def run(self, run_id: str) -> None:
        """Count a run that is meant."""
        self.runs += 1
        self._hash.update(f"{run_id}\n".encode("utf-8", "replace"))
        if self.runs <= _LISTED:
            self._ids.append(run_id)

    def gave(self, split: str, task: str) -> None:
        """Count a run that gave rows."""
        self._runs[split] += 1
        key = hashlib.sha256(task.encode("utf-8", "surrogatepass")).digest()[:16]
        self._tasks.setdefault(split, set()).add(key)

    def manifest(
        self,
        settings: ExportSettings,
        files: dict[str, str],
        *,
        where: RunFilter,
        store: str,
        schema_version: int,
        command: str,
    ) -> Manifest:
        """The manifest of what was counted.

        Args:
            settings: what was asked for.
            files: SHA-256 by file name.
            where: which runs.
            store: path of the store.
            schema_version: version of its schema.
            command: the command line.
        """
        return Manifest(
            command=command,
            store=store,
            schema_version=schema_version,
            filter=where.model_dump(mode="json", exclude_defaults=True),
            settings=settings,
            runs=self.runs,
            run_ids=tuple(self._ids) if self.runs <= _LISTED else None,
            run_ids_sha256=self._hash.hexdigest(),
            evaluators=tuple(sorted(self.evaluators)),
            rubrics=len(self.rubrics),
            rubric_shas=_few(self.rubrics),
            splits={name: self._split(name, files) for name, _ in settings.split},
            left_out=dict(sorted(self.left.items())),
        )

    def _split(self, name: str, files: dict[str, str]) -> SplitCount:
        file = next((each for each in files if each.rpartition(".")[0] == name), None)
        return SplitCount(
            file=file,
            sha256=None if file is None else files[file],
            rows=self.rows[name],
            runs=self._runs[name],
            tasks=len(self._tasks.get(name, ())),
        )


def _few(names: Iterable[str]) -> tuple[str, ...] | None:
    listed = tuple(sorted(names))
    return listed if len(listed) <= _LISTED else None
