"""Rows as a Parquet file: which Arrow type a column has, and a row as values of these types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coreact.errors import MissingExtraError
from coreact.trace.export.json_text import clean, json_text
from coreact.trace.export.messages import Arguments
from coreact.trace.export.rows import Columns, Kind

_BATCH = 256  # rows kept in memory: prompts may be long


class Parquet:
    """A Parquet file with the columns of a format. Needs the extra `export`.

    Arguments of tool calls and free JSON are of Arrow's JSON type: `datasets` gives them back as they were
    (from version 5), other readers as JSON strings. Content that is no text is a JSON string.
    """

    def __init__(self, path: Path, columns: Columns, arguments: Arguments) -> None:
        try:
            import pyarrow  # type: ignore[import-untyped]
            import pyarrow.parquet  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingExtraError("A Parquet file", extra="export") from error
        self._arrow = pyarrow
        self._columns = columns
        self._arguments = arguments
        text = pyarrow.string()
        json_type = pyarrow.json_() if hasattr(pyarrow, "json_") else text  # new in pyarrow 19
        # Rows are taken as text and then cast: pyarrow makes no nested JSON of Python values.
        self._taken = _schema(pyarrow, columns, json_type=text, arguments=text)
        self._schema = _schema(
            pyarrow, columns, json_type=json_type, arguments=json_type if arguments == "object" else text
        )
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._batch: list[dict[str, Any]] = []

    def write(self, row: Mapping[str, Any]) -> None:
        """Write one row."""
        self._batch.append(_struct(row, self._columns, self._arguments))
        if len(self._batch) >= _BATCH:
            self._flush()

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, []
            taken = self._arrow.Table.from_pylist(batch, schema=self._taken)
            self._writer.write_table(taken.cast(self._schema))


def _schema(pyarrow: Any, columns: Columns, *, json_type: Any, arguments: Any) -> Any:
    return pyarrow.schema(_fields(pyarrow, columns, json_type, arguments))


def _fields(pyarrow: Any, columns: Columns, json_type: Any, arguments: Any) -> list[tuple[str, Any]]:
    return [(name, _type(pyarrow, kind, json_type, arguments)) for name, kind in columns.items()]


def _type(pyarrow: Any, kind: Kind | Columns, json_type: Any, arguments: Any) -> Any:
    if isinstance(kind, Mapping):
        return pyarrow.struct(_fields(pyarrow, kind, json_type, arguments))
    text = pyarrow.string()
    function = pyarrow.struct([("name", text), ("arguments", arguments)])
    call = pyarrow.struct([("id", text), ("type", text), ("function", function)])
    fields = [(name, text) for name in ("role", "content", "name", "tool_call_id", "reasoning_content")]
    simple = {
        "text": text,
        "json": json_type,
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "bool": pyarrow.bool_(),
    }
    many = {
        "texts": text,
        "bools": pyarrow.bool_(),
        "numbers": pyarrow.float64(),
        "messages": pyarrow.struct([*fields, ("tool_calls", pyarrow.list_(call))]),
    }
    return simple[kind] if kind in simple else pyarrow.list_(many[kind])


def _struct(row: Mapping[str, Any], columns: Columns, arguments: Arguments) -> dict[str, Any]:
    return {name: _cell(row.get(name), kind, arguments) for name, kind in columns.items()}


def _cell(value: Any, kind: Kind | Columns, arguments: Arguments) -> Any:
    if isinstance(kind, Mapping):
        return _struct(value, kind, arguments)
    if kind == "json":
        return json_text(value)
    if kind == "messages":
        return [_message(one, arguments) for one in value]
    return clean(value)


def _message(message: Mapping[str, Any], arguments: Arguments) -> dict[str, Any]:
    told = {name: value for name, value in message.items() if name != "tool_calls"}
    if not isinstance(told["content"], str):
        told["content"] = json_text(told["content"])
    told = {name: clean(value) for name, value in told.items()}
    calls = message.get("tool_calls")
    # None, not an empty list: templates ask whether there are calls.
    return {**told, "tool_calls": None if calls is None else [_called(call, arguments) for call in calls]}


def _called(call: Mapping[str, Any], arguments: Arguments) -> dict[str, Any]:
    function = call["function"]
    given = function["arguments"]
    text = clean(given) if arguments == "string" else json_text(given)
    return {
        "id": clean(call["id"]),
        "type": call["type"],
        "function": {"name": clean(function["name"]), "arguments": text},
    }
