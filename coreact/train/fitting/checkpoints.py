"""Checkpoints that can be trusted: whole ones are marked, all others are none.

A trainer's checkpoint is a folder of half a dozen files, and a run that is killed or a disk that fills leaves
some of them. So the last file of a checkpoint is our mark, with the size of every other file; a folder
without it, or with a file of another size, is removed before a run goes on from the one before.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import ValidationError

from coreact.rubric import Record
from coreact.trace.lines import write_whole

_MARK = "whole.json"
_PREFIX = "checkpoint-"


class Mark(Record):
    """What a whole checkpoint says of itself."""

    step: int
    """Steps of the stage that were done."""
    sizes: dict[str, int]
    """Bytes of each file."""
    scored: int = 0
    """Rewards that were asked for up to here."""
    masked: int = 0
    """Rewards of those that the instruments could not give."""


def mark(folder: Path, step: int, *, scored: int = 0, masked: int = 0) -> None:
    """Mark a checkpoint as whole. Call it when nothing else will be written there."""
    write_whole(
        folder / _MARK, Mark(step=step, sizes=_sizes(folder), scored=scored, masked=masked).model_dump_json()
    )


def last_whole(folder: Path) -> tuple[Path, Mark] | None:
    """The newest whole checkpoint in a stage's folder with its mark, or None."""
    for one in sorted(folder.glob(f"{_PREFIX}*"), key=_step, reverse=True):
        found = _read(one)
        if found is not None:
            return one, found
    return None


def drop_torn(folder: Path) -> None:
    """Remove checkpoints that are not whole."""
    for one in folder.glob(f"{_PREFIX}*"):
        if _read(one) is None:
            shutil.rmtree(one)


def checkpoint_folder(folder: Path, step: int) -> Path:
    """Where a stage keeps the checkpoint of a step."""
    return folder / f"{_PREFIX}{step}"


def _read(checkpoint: Path) -> Mark | None:
    try:
        found = Mark.model_validate_json((checkpoint / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
    return found if found.sizes == _sizes(checkpoint) else None


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != _MARK)
    return {str(path.relative_to(folder)): path.stat().st_size for path in sorted(files)}


def _step(folder: Path) -> int:
    number = folder.name.removeprefix(_PREFIX)
    return int(number) if number.isdigit() else -1
