"""The export command that means what the list shows, and a few of its rows.

The viewer writes no files: it says which command does, so that an export is always one that can be
repeated. The rows shown are made by the exporter itself, from the newest runs that give any.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coreact.trace import RunFilter, TraceStore
from coreact.trace.export import FORMATS, ExportSettings, Row, rows_of
from coreact.view.listing import whole_lock

SAMPLES = 3
"""Rows that are shown."""
_LOOKED_AT = 20

_OPTIONS = {"rubric": "--rubric-lock", "evaluator": "--judged-by"}


def export_command(store: Path, chosen: str, given: Mapping[str, str]) -> str:
    """The command line, quoted for a shell.

    Args:
        store: the trace store.
        chosen: name of the format.
        given: which runs, by the fields of a `RunFilter`; empty ones are left out.
    """
    words = [
        "coreact",
        "trace",
        "export",
        "--format",
        chosen,
        "--out",
        f"export-{chosen}",
        "--store",
        str(store),
    ]
    for name, value in given.items():
        if value:
            wanted = whole_lock(value) if name == "rubric" else value
            words.append(f"{_OPTIONS.get(name, '--' + name.replace('_', '-'))}={wanted}")
    return shlex.join(words)


def samples(store: TraceStore, where: RunFilter, chosen: str) -> list[dict[str, Any]]:
    """The first rows of the newest runs that give any.

    Args:
        store: where the runs are.
        where: which runs.
        chosen: name of the format.

    Raises:
        ConfigError: there is no such format.
        StoreError: the store cannot be read.
    """
    found: list[dict[str, Any]] = []
    settings = ExportSettings(format=chosen)
    for one in store.runs(_LOOKED_AT, where):
        whole = store.trajectory(one.id)
        if whole.run.capture == "off":
            continue
        found += [row.data for row in rows_of(whole, settings) if isinstance(row, Row)]
        if len(found) >= SAMPLES:
            break
    return found[:SAMPLES]


def formats() -> list[tuple[str, str]]:
    """The export formats: name, and what a row is and who reads it."""
    return [(form.name, form.about) for form in FORMATS.values()]
