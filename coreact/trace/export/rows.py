"""What a format gives: rows, and what it left out and why; and what a format is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from coreact.trace.export.decisions import Run
from coreact.trace.export.messages import Arguments
from coreact.trace.export.settings import FileKind

Kind = Literal["text", "integer", "number", "bool", "messages", "texts", "bools", "numbers", "json"]
"""What a column holds; `json` is anything. It matters for Parquet files only: JSON lines need no schema."""

Columns = Mapping[str, "Kind | Columns"]
"""The columns of a format; a mapping is a struct."""


class Row(NamedTuple):
    """One row."""

    data: dict[str, Any]
    key: bytes
    """Rows with the same key are the same row, which is written once."""
    evaluators: frozenset[str] = frozenset()
    """Judges whose verdicts it rests on."""
    rubric: str | None = None
    """Lock of the rubric that it rests on or shows."""
    label: Any = None
    """What it says of its prompt and completion, where the format is `labelled`."""


class Left(NamedTuple):
    """Something that became no row."""

    reason: str
    """A word for the count in the manifest."""
    times: int = 1


class Format(NamedTuple):
    """One export format."""

    name: str
    about: str
    """What a row is and who reads it, in one line."""
    rows: Callable[[Run], Iterable[Row | Left]]
    columns: Columns | None = None
    """None: rows are free JSON, which only JSON lines can hold."""
    arguments: Arguments = "object"
    """How its readers want arguments of tool calls."""
    file: FileKind = "jsonl"
    """What its readers expect."""
    compares: bool = True
    """Whether rows of different judges may not be mixed; False where a row says who judged."""
    labelled: bool = False
    """Whether rows with the same key may contradict each other; then none of them is written."""


SOURCE: Columns = {"run": "text", "step": "integer", "task": "text"}
"""The columns that say where a row comes from."""
