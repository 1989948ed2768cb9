"""Write the golden files of the current schema version: a store as SQL, and what it must read as.

Run once for each new schema version, from the repository's root:

    python -m tests.trace.make_golden

Files of older versions are never written again: they are what users have on their disks.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from coreact.testing import record_into, sample_trajectory
from coreact.trace import CURRENT_SCHEMA, SQLiteTraceStore, Trajectory, schema

TRACES = Path(__file__).parents[2] / "traces"


def main() -> None:
    sql = TRACES / "golden" / f"store_{CURRENT_SCHEMA}.sql"
    if sql.exists():
        raise SystemExit(f"{sql} is there already; golden files are not changed.")
    whole = sample_trajectory("golden-1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traces.db"
        store = SQLiteTraceStore(path)
        record_into(store, whole)
        store.step(whole.steps[2])  # a step that was decided again takes its call back
        whole = whole.model_copy(update={"calls": whole.calls[:2]})
        store.close()
        with closing(sqlite3.connect(path)) as connection:
            dump = "\n".join(connection.iterdump())
    marks = f"PRAGMA application_id = {schema.APPLICATION_ID};\nPRAGMA user_version = {CURRENT_SCHEMA};\n"
    sql.write_text(marks + dump + "\n", encoding="utf-8")
    _write_json(TRACES / "golden" / f"trajectory_{CURRENT_SCHEMA}.json", whole.model_dump(mode="json"))
    _write_json(TRACES / "schema" / f"trajectory_{CURRENT_SCHEMA}.json", json_schema())


def json_schema() -> Any:
    """The JSON Schema of a trajectory.

    A known check also fits the open shape of unknown ones, so exactly-one-of would refuse it.
    """
    return _any_of(Trajectory.model_json_schema())


def _any_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {"anyOf" if key == "oneOf" else key: _any_of(item) for key, item in value.items()}
    return [_any_of(item) for item in value] if isinstance(value, list) else value


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
