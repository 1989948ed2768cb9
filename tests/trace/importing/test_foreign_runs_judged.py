"""Runs of real agents, imported from chat files, can be judged like our own."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coreact.generate.contracts import ContractGenerator
from coreact.judge.runner import run_checks
from coreact.judge.scoring import judgement
from coreact.trace import SQLiteTraceStore
from coreact.trace.importing import read_traces
from coreact.trace.recording import record_trajectory
from coreact.trace.states import state_at


def data(name: str) -> Path:
    root = Path(__file__).parents[3]
    folder = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    if not (folder / name).is_dir():
        pytest.skip(f"no {name} in {folder}; set COREACT_DATA to the folder that has it")
    return folder / name


def lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def judged(path: Path, tmp_path: Path) -> Iterator[tuple[Any, Any, list[str]]]:
    """Every stored decision with its action and the contracts that it breaks."""
    imported = read_traces(path)
    store = SQLiteTraceStore(tmp_path / "traces.db")
    for trajectory in imported.trajectories:
        record_trajectory(store, trajectory)
    # Some users say a last word that nobody answers.
    assert all(one.why.startswith("what follows the last answer") for one in imported.left_out)
    store.flush()
    generator = ContractGenerator(plan_length=5)
    for run in store.trajectories():
        for step in run.steps:
            state = state_at(run, step.index)
            rubric = generator.write(state).rubric
            assert step.chosen is not None
            for action in step.chosen.actions:
                verdicts = run_checks(rubric, action, state).decided
                yield run, action, [one.criterion for one in judgement(rubric, verdicts).unmet]
    store.close()


def test_a_shops_agent(tmp_path: Path) -> None:
    runs = list(lines(data("agentrx_tau_open") / "trajectories.jsonl"))
    arguments: dict[str, set[str]] = {}
    for message in (message for run in runs for message in run["history"]):
        for call in message.get("tool_calls") or []:
            given = json.loads(call["function"]["arguments"])
            arguments.setdefault(call["function"]["name"], set()).update(given)
    tools = [
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {"type": "object", "properties": {one: {} for one in sorted(names)}},
            },
        }
        for name, names in sorted(arguments.items())
    ]
    path = tmp_path / "tau.jsonl"
    with path.open("w") as file:
        for run in runs:
            file.write(json.dumps({"id": run["id"], "messages": run["history"], "tools": tools}) + "\n")
    flagged: Counter[str] = Counter()
    calls = 0
    for _, action, broken in judged(path, tmp_path):
        calls += not action.stops
        flagged.update(broken if not action.stops else [])
    assert calls == 284
    assert sum(flagged.values()) <= 0.05 * calls, flagged


_ACTION = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)


def test_searching_agents(tmp_path: Path) -> None:
    schema = {
        "name": "search",
        "description": "search for passages",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    }
    path = tmp_path / "fireact.jsonl"
    expected = answers = 0
    with path.open("w") as file:
        for source in sorted(data("fireact_hotpot_trajectories").glob("*.jsonl")):
            for number, run in enumerate(lines(source)):
                if number == 60:
                    break
                messages: list[dict[str, Any]] = [{"role": "user", "content": run["question"]}]
                for at, step in enumerate(run["steps"]):
                    made = _ACTION.fullmatch((step.get("action") or "").strip())
                    if made is None:
                        continue
                    name, words = made.groups()
                    if name == "finish":
                        messages.append({"role": "assistant", "content": words})
                        answers += 1
                        continue
                    call = {"id": f"c{at}", "function": {"name": name, "arguments": {"query": words}}}
                    messages.append(
                        {"role": "assistant", "content": step.get("thought"), "tool_calls": [call]}
                    )
                    messages.append(
                        {"role": "tool", "tool_call_id": f"c{at}", "content": step.get("observation")}
                    )
                    expected += 1
                file.write(
                    json.dumps({"id": f"{source.stem}-{number}", "messages": messages, "tools": [schema]})
                    + "\n"
                )
    calls, flagged = 0, Counter[str]()
    for _, action, broken in judged(path, tmp_path):
        calls += not action.stops
        flagged.update(broken)
    assert calls == expected
    assert answers > 100
    assert flagged["provenance"] + flagged["signature"] <= 0.05 * calls, flagged
