"""Contracts on recorded runs of other agents: few false alarms, and invented arguments are found.

A bound here is loose on purpose: it says that the rates are of the order that was measured.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coreact.generate.contracts import ContractGenerator
from coreact.judge.runner import run_checks
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Observation, State, Step, ToolCall, ToolContract


def data(name: str) -> Path:
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    if not (folder / name).is_dir():
        pytest.skip(f"no {name} in {folder}; set COREACT_DATA to the folder that has it")
    return folder / name


def lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def broken(generator: ContractGenerator, action: Action, state: State) -> list[str]:
    rubric = generator.write(state).rubric
    return [v.criterion for v in judgement(rubric, run_checks(rubric, action, state).decided).unmet]


# --- a shop's agent with 15 tools ------------------------------------------------------------


def calls_of(message: dict[str, Any]) -> list[ToolCall]:
    made = [call["function"] for call in message.get("tool_calls") or []]
    return [ToolCall(name=call["name"], arguments=json.loads(call["arguments"])) for call in made]


def shop() -> Iterator[tuple[ToolCall, State]]:
    """Every tool call of the recorded runs, with the state it was made in."""
    runs = [run["history"] for run in lines(data("agentrx_tau_open") / "trajectories.jsonl")]
    names: dict[str, set[str]] = {}
    for message in (message for run in runs for message in run):
        for call in calls_of(message):
            names.setdefault(call.name, set()).update(call.arguments)
    tools = tuple(
        ToolContract(
            name=name,
            parameters={"type": "object", "properties": {argument: {} for argument in sorted(arguments)}},
            read_only=name.startswith(("get_", "find_", "list_", "calculate", "think")),
        )
        for name, arguments in sorted(names.items())
    )
    for run in runs:
        state = State.start("", tools=tools)
        for at, message in enumerate(run):
            if message["role"] == "user":
                given = tuple(str(before["content"] or "") for before in run[:at])
                state = State.start(message["content"], given=given, tools=tools)
            for call in calls_of(message):
                yield call, state
                seen = Observation(text=str(run[at + 1]["content"]))
                state = state.after(Step(call=call, observation=seen))


def test_real_calls_of_a_shops_agent_raise_few_alarms() -> None:
    flagged: Counter[str] = Counter()
    calls = 0
    for call, state in shop():
        calls += 1
        flagged.update(broken(ContractGenerator(), Action(call=call), state))
    assert calls > 250
    assert sum(flagged.values()) <= 0.02 * calls, flagged


def test_invented_arguments_of_the_same_form_are_found() -> None:
    draw = random.Random(7)

    def invented(value: Any) -> Any:
        if isinstance(value, list):
            return [invented(item) for item in value]
        if not isinstance(value, str):
            return value
        return "".join(
            draw.choice("0123456789") if char.isdigit() else draw.choice("bdfkpz") if char.isalpha() else char
            for char in value
        )

    found = tried = 0
    for call, state in shop():
        for name, value in call.arguments.items():
            if call.name == "think" or name == "state":  # prose; two letters
                continue
            changed = call.model_copy(update={"arguments": {**call.arguments, name: invented(value)}})
            tried += 1
            found += "provenance" in broken(ContractGenerator(), Action(call=changed), state)
    assert tried > 400
    assert found >= 0.95 * tried, (found, tried)


# --- searching agents of three models --------------------------------------------------------

SEARCH = ToolContract(
    name="search",
    role="search",
    read_only=True,
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
_ACTION = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)


def test_searching_agents_are_seldom_disturbed_and_rightly() -> None:
    calls, flagged = 0, Counter[str]()
    runs: Counter[tuple[bool, bool]] = Counter()  # (disturbed, right)
    generator = ContractGenerator(plan_length=5)
    for path in sorted(data("fireact_hotpot_trajectories").glob("*.jsonl")):
        for run in lines(path):
            state = State.start(run["question"], tools=(SEARCH,))
            disturbed = False
            for step in run["steps"]:
                made = _ACTION.fullmatch((step.get("action") or "").strip())
                if made is None:
                    continue
                name, words = made.groups()
                call = ToolCall(name=name, arguments={"query": words})
                action = Action(answer=words) if name == "finish" else Action(call=call)
                problems = broken(generator, action, state)
                flagged.update(problems)
                disturbed |= bool(problems)
                if not action.stops:
                    calls += 1
                    seen = Observation(text=step.get("observation") or "")
                    state = state.after(Step(call=call, observation=seen))
            runs[disturbed, bool(run["em"])] += 1
    assert calls > 3000
    assert flagged["provenance"] + flagged["signature"] <= 0.03 * calls, flagged
    # What is flagged is waste: such runs are right far less often than the others.
    right = {kind: runs[kind, True] / (runs[kind, True] + runs[kind, False]) for kind in (True, False)}
    assert right[True] < 0.5 * right[False], runs
