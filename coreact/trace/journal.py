"""A file of JSON lines that grows record by record and survives being killed.

A last line torn by a kill is passed over, and cut off before the next one is written: reading alone changes
nothing, since somebody else may be writing that line. Any other line that cannot be used is an
error with its number, because passing over it would change what a measurement means. Equal records give
equal lines. The file does not know what its records are for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from coreact.errors import ConfigError
from coreact.rubric import Record
from coreact.trace.folders import make_folder
from coreact.trace.lines import json_lines, read_bytes

R = TypeVar("R", bound=Record)


class Journal(Generic[R]):
    """Records of one kind in a file; `records` is what it holds, in order.

    Args:
        path: the file; made with its folder by the first record where there is none.
        kind: the record's class.

    Raises:
        LabelFileError: it cannot be read, or a line before the last is no such record.
    """

    def __init__(self, path: Path, kind: type[R]) -> None:
        self.path = path
        self.records: list[R] = []
        content = read_bytes(path) if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        for line in json_lines(path, whole):
            try:
                self.records.append(kind.model_validate(line.fields))
            except ValidationError as failure:
                raise line.misfit(failure) from failure
        self._torn = (len(whole), len(content)) if len(whole) < len(content) else None

    def add(self, record: R) -> None:
        """Write a record behind the others."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Python's sets have no order of their own, and a model may write what is no UTF-8.
        line = json.dumps(record.model_dump(), default=sorted)
        self._heal()
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        self.records.append(record)

    def _heal(self) -> None:
        if self._torn is not None:
            whole, read = self._torn
            with self.path.open("r+b") as file:
                if file.seek(0, os.SEEK_END) == read:  # nobody wrote since
                    file.truncate(whole)
        self._torn = None


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder for one session; it is free again when the session ends, however it ends.

    Where the system has no such locks, nothing is kept.

    Raises:
        ConfigError: it cannot be made, or another session has it: both would do, and pay for, the same
            things.
    """
    make_folder(folder)
    try:
        import fcntl
    except ImportError:
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"Another session runs in {folder}.", remedy="Wait for its end, or give another --out."
            ) from error
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(opened)
