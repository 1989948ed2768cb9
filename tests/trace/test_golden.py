"""Every store that any version ever wrote is still read, and the schemas say what records hold."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from coreact.testing import record_into, sample_trajectory
from coreact.trace import SCHEMA_VERSIONS, SQLiteTraceStore, Trajectory

TRACES = Path(__file__).parents[2] / "traces"


@pytest.mark.parametrize("version", SCHEMA_VERSIONS)
def test_golden_stores_are_read(version: int, tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((TRACES / "golden" / f"store_{version}.sql").read_text(encoding="utf-8"))
    expected = json.loads((TRACES / "golden" / f"trajectory_{version}.json").read_text(encoding="utf-8"))
    store = SQLiteTraceStore(path)
    assert store.trajectory("golden") == Trajectory.model_validate(expected)
    more = sample_trajectory("new")  # and it can be written on
    record_into(store, more)
    assert store.trajectory("new") == more
    store.close()


@pytest.mark.parametrize("version", SCHEMA_VERSIONS)
def test_golden_trajectories_fit_the_schema_of_their_version(version: int) -> None:
    schema, written = (
        json.loads((TRACES / folder / f"trajectory_{version}.json").read_text(encoding="utf-8"))
        for folder in ("schema", "golden")
    )
    Draft202012Validator(schema).validate(written)


def test_the_schema_describes_what_is_recorded() -> None:
    version = max(SCHEMA_VERSIONS)
    schema = json.loads((TRACES / "schema" / f"trajectory_{version}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(sample_trajectory().model_dump(mode="json"))
    now = Trajectory.model_json_schema()["$defs"]
    written = schema["$defs"]
    fields = {name: set(one.get("properties", ())) for name, one in now.items()}
    assert fields == {name: set(one.get("properties", ())) for name, one in written.items()}
