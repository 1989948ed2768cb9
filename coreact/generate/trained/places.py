"""Finds trained generators by name: in the repository beside the package, or inside the installed wheel."""

from __future__ import annotations

from pathlib import Path

import coreact
from coreact.errors import ConfigError
from coreact.generate.trained.record import RECORD

_PACKAGE = Path(coreact.__file__).parent
_PLACES = (_PACKAGE / "_recipes" / "rubric_models", _PACKAGE.parent / "rubric_models")


def generators() -> dict[str, Path]:
    """The folders that hold a trained generator, by name; recipes without weights are not among them."""
    found: dict[str, Path] = {}
    for place in _PLACES:
        for path in sorted(place.glob(f"*/{RECORD}")):
            found.setdefault(path.parent.name, path.parent)
    return found


def find_generator(source: str | Path) -> Path:
    """The folder that is meant: a path, or a name below `rubric_models/`.

    A folder here that holds no generator does not hide one of its name.

    Raises:
        ConfigError: there is neither.
    """
    path = Path(source)
    if (path / RECORD).is_file():
        return path
    known = generators()
    if str(source) in known:
        return known[str(source)]
    if path.is_dir():
        return path
    raise ConfigError(
        f"There is no trained generator {str(source)!r}.",
        remedy=f"Give a folder, a URL ending in /v1, or one of: {', '.join(known) or 'none is shipped'}.",
    )
