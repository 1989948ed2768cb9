"""Every store that any version ever wrote is still read, and the schemas say what records hold."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
from jsonschema import Draft202012Validator

from coreact.testing import record_into, sample_trajectory
from coreact.trace import SCHEMA_VERSIONS, SQLiteTraceStore, Trajectory
from coreact.trace.states import state_at

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


def test_the_newest_schema_is_the_one_that_the_records_have() -> None:
    version = max(SCHEMA_VERSIONS)
    schema = json.loads((TRACES / "schema" / f"trajectory_{version}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(sample_trajectory().model_dump(mode="json"))
    assert schema == json.loads(json.dumps(make_golden().json_schema()))


def make_golden() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_golden", Path(__file__).with_name("make_golden.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SAMPLES = sorted((TRACES / "samples").glob("*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_judged_runs_of_the_newest_version(path: Path) -> None:
    version = max(SCHEMA_VERSIONS)
    schema = json.loads((TRACES / "schema" / f"trajectory_{version}.json").read_text(encoding="utf-8"))
    written = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(written)
    run = Trajectory.model_validate(written)
    assert any(attempt.judgements for step in run.steps for attempt in step.attempts)
    assert [state_at(run, step.index).digest for step in run.steps] == [
        step.state_digest for step in run.steps
    ]


def test_there_are_samples() -> None:
    assert len(SAMPLES) >= 3
