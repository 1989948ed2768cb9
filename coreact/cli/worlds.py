"""Which world a command works in: the embedded gazetteer, or a folder of questions and passages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a command line that starts quickly loads worlds only to use them
    from coreact.worlds import World

GAZETTEER = "gazetteer"


def open_world(name: str) -> World:
    """The gazetteer by its name, or the world in a folder.

    Raises:
        WorldError: the folder holds no world.
        MissingExtraError: the extra `worlds` is not installed.
    """
    from coreact.worlds import gazetteer, load_world

    return gazetteer() if name == GAZETTEER else load_world(Path(name))


def known_worlds(name: str, world: World) -> tuple[World, ...]:
    """The worlds whose questions a command knows: the one it works in, of this name, and the gazetteer.

    A store may hold runs of both, and generators are measured on the gazetteer unless told otherwise.

    Raises:
        MissingExtraError: the extra `worlds` is not installed.
    """
    from coreact.worlds import gazetteer

    return (world,) if name == GAZETTEER else (world, gazetteer())
