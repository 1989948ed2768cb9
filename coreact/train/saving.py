"""Writing what a run must not lose: a full disk is one error with a remedy, and leaves nothing torn behind.

PyTorch, safetensors and Python each report a full disk in their own way, and some only when a file is closed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coreact.errors import StoreError

Write = Callable[[bytes], None]


@contextmanager
def saving(place: Path) -> Iterator[None]:
    """Turn what a disk says while something is written into one error, and remove a torn folder.

    Args:
        place: the file or folder that is written.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        yield
    except Exception as failure:
        if not _of_disk(failure):
            raise
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        told = getattr(failure, "strerror", None) or next(iter(str(failure).splitlines()), "")
        raise StoreError(
            f"{str(place)!r} cannot be written: {told or type(failure).__name__}.",
            path=place,
            remedy="Free some space, or mend the folder; the same command goes on from the last checkpoint.",
        ) from failure


@contextmanager
def whole_file(path: Path) -> Iterator[Write]:
    """Write a file piece by piece; it is there whole in the end, or what was there before still is.

    Only the writing is guarded: an error of whoever makes the pieces goes through as it is.

    Raises:
        StoreError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("wb")

    def write(piece: bytes) -> None:
        with saving(path):
            file.write(piece)

    try:
        yield write
        with saving(path):
            file.close()  # writes what was held back
            part.replace(path)
    except BaseException:
        with suppress(OSError):
            file.close()
        part.unlink(missing_ok=True)
        raise


def _of_disk(failure: Exception) -> bool:
    if isinstance(failure, OSError | RuntimeError):  # torch.save tells of a full disk by the latter
        return True
    return type(failure).__name__ == "SafetensorError"  # by name: plain parts of training do without it
