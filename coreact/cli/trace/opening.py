"""What every `coreact trace` command shares: which store is meant, and records as lines of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from coreact.errors import StoreError
from coreact.trace import SQLiteTraceStore, default_store_path

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="The trace store. [default: $COREACT_STORE or .coreact/traces.db]"),
]


def open_store(path: Path | None) -> SQLiteTraceStore:
    """The store that is meant, which must exist.

    Raises:
        StoreError: there is none, or it cannot be used.
    """
    chosen = path or default_store_path()
    if not chosen.exists():
        raise StoreError(
            f"There is no trace store at {chosen}.",
            path=chosen,
            remedy="Record a run first, or name a store with --store or COREACT_STORE.",
        )
    return SQLiteTraceStore(chosen)


def as_line(record: BaseModel) -> str:
    """A record as one line of JSON, safe to print: JSON leaves some control characters alone."""
    return json.dumps(record.model_dump(), ensure_ascii=True, default=str)
