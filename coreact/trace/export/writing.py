"""The files of an export: written into a folder beside the one that is meant, which then takes its name.

So there is either the whole export or none of it, however it ends. Rows are written as they come; nothing
is kept but a batch of a Parquet file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from coreact.errors import ExportError
from coreact.trace.export.decisions import Run
from coreact.trace.export.json_text import json_text
from coreact.trace.export.messages import Arguments
from coreact.trace.export.parquet import Parquet
from coreact.trace.export.rows import Columns, Format
from coreact.trace.export.settings import FileKind

_CHUNK = 2**20


class RowWriter(Protocol):
    """Writes rows to one file."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Write one row."""

    def close(self) -> None:
        """Finish the file."""


class JsonLines:
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n", buffering=_CHUNK)

    def write(self, row: Mapping[str, Any]) -> None:
        """Write one row."""
        self._file.write(json_text(row) + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class Folder:
    """The folder of an export while it is made.

    Used as a context manager: it appears under its own name where the block ends, and not at all where the
    block raises.

    Args:
        path: the folder. It must not exist, or be empty and another one than the current folder.

    Raises:
        ExportError: something is there, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        whole = path.absolute()  # `.` has no name
        self._making = whole.parent / f".{whole.name}.{os.getpid()}.partial"
        self._writers: dict[str, RowWriter] = {}

    def __enter__(self) -> Self:
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()) or self._is_here()):
            raise ExportError(
                f"{self.path} exists already.", remedy="Name another folder with --out, or remove this one."
            )
        with _written(self.path):
            shutil.rmtree(self._making, ignore_errors=True)
            self._making.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                with _written(self.path):
                    self._publish()
            finally:
                shutil.rmtree(self._making, ignore_errors=True)
            return
        for writer in self._writers.values():
            try:
                writer.close()
            except OSError:  # the disk is full: what is left of the file goes with the folder
                continue
        shutil.rmtree(self._making, ignore_errors=True)

    def write(self, run: Run, row: Mapping[str, Any], form: Format, file: FileKind) -> None:
        """Write a row of a run to the file of its split.

        Raises:
            ExportError: it cannot be written.
            MissingExtraError: Parquet needs a package that is not installed.
        """
        self.add_row(run.split, row, columns=form.columns, file=file, arguments=run.arguments)

    def add_row(
        self,
        split: str,
        row: Mapping[str, Any],
        *,
        columns: Columns | None,
        file: FileKind,
        arguments: Arguments = "object",
    ) -> None:
        """The same, of a row that is of no run.

        Raises:
            ExportError: it cannot be written.
            MissingExtraError: Parquet needs a package that is not installed.
        """
        with _written(self.path):
            writer = self._writers.get(split)
            if writer is None:
                path = self._making / f"{split}.{file}"
                if file == "parquet" and columns is not None:
                    writer = Parquet(path, columns, arguments)
                else:
                    writer = JsonLines(path)
                self._writers[split] = writer
            writer.write(row)

    def finish(self) -> dict[str, str]:
        """Finish the files of the rows.

        Returns:
            The SHA-256 of each file by its name.

        Raises:
            ExportError: one cannot be written.
        """
        with _written(self.path):
            for writer in self._writers.values():
                writer.close()
            self._writers.clear()
            return {path.name: _sha256(path) for path in sorted(self._making.iterdir())}

    def add(self, name: str, text: str) -> None:
        """Add a small file.

        Raises:
            ExportError: it cannot be written.
        """
        with _written(self.path):
            (self._making / name).write_text(text, encoding="utf-8")

    def _is_here(self) -> bool:
        """Whether it is the folder that the process stands in: another one would take its place under it."""
        return self.path.samefile(Path.cwd())

    def _publish(self) -> None:
        for path in self._making.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if self.path.exists():
            self.path.rmdir()  # it is empty; a rename onto it is not allowed everywhere
        self._making.rename(self.path)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Errors of the system as errors of the export."""
    try:
        yield
    except OSError as error:
        raise ExportError(
            f"The export {path} cannot be written: {error.strerror or error}.",
            remedy="Nothing of it was left behind. Free some disk space, or name another folder with --out.",
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
