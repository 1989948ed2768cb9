"""Names from settings, looked up with a useful error."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from coreact.errors import ConfigError

Name = TypeVar("Name", bound=str)
Entry = TypeVar("Entry")


def look_up(table: Mapping[Name, Entry], name: Name, *, what: str) -> Entry:
    """The entry of this name.

    Args:
        table: everything that may be named.
        name: what the settings say.
        what: what is named, for the error: "scoring rule".

    Raises:
        ConfigError: there is no such entry; says which is near, or which there are.
    """
    try:
        return table[name]
    except KeyError:
        near = difflib.get_close_matches(name, table, n=3, cutoff=0.5)
        offered = ", ".join(repr(each) for each in near or sorted(table))
        raise ConfigError(
            f"There is no {what} {name!r}.",
            remedy=f"Did you mean {offered}?" if near else f"There are {offered}.",
        ) from None
