"""Folders that a command writes into: one place that makes them, and tells where none can be made."""

from __future__ import annotations

from pathlib import Path

from coreact.errors import ConfigError


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where there is none.

    Raises:
        ConfigError: it cannot be made, e.g. because a file has its name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise ConfigError(
            f"The folder {folder} cannot be made: {failure.strerror}.", remedy="Name another folder."
        ) from failure
