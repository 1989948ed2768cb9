"""The real model under a constraint: what the check refuses cannot be sampled."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from coreact.generate.constraining import Constraint, constraint, llama_cpp_request
from coreact.local import LocalServer
from coreact.rubric import (
    Action,
    ArgumentContains,
    ArgumentEquals,
    ArgumentInRange,
    ArgumentMatches,
    Criterion,
    Observation,
    Rubric,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
    ToolIs,
    ToolIsNot,
    UrlSeenUnvisited,
)
from coreact.rubric.checks import Check

pytestmark = pytest.mark.local_model

SAMPLES = 10
TEXT = {"type": "string", "maxLength": 60}
TOOLS = (
    ToolContract(
        name="search",
        description="Search the encyclopedia.",
        parameters={
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "limit": {"type": "integer", "minimum": 0, "maximum": 99},
            },
            "required": ["query", "limit"],
        },
    ),
    ToolContract(
        name="open_page",
        description="Open an address.",
        parameters={"type": "object", "properties": {"url": TEXT}, "required": ["url"]},
    ),
)
STATE = State.start("Which currency is used in Burkina Faso?", tools=TOOLS).after(
    Step(
        call=ToolCall(name="search", arguments={"query": "Burkina Faso", "limit": 3}),
        observation=Observation(text="See https://wiki.org/Burkina_Faso and https://wiki.org/Franc."),
    )
)
SHORT = {
    "query": {"type": "string", "maxLength": 40},
    "limit": {"type": "integer", "minimum": 0, "maximum": 99},
}
FREE = Constraint(
    tool_choice="search",
    tools={
        "search": {
            "type": "object",
            "properties": SHORT,
            "required": list(SHORT),
            "additionalProperties": False,
        }
    },
    criteria=("none",),
)


def sampled(server: LocalServer, asked: Constraint, seed: int) -> Action:
    request: dict[str, Any] = {
        "messages": [
            {"role": "system", "content": f"Reply in JSON. Tools: {[tool.name for tool in TOOLS]}"},
            {"role": "user", "content": STATE.question},
        ],
        "temperature": 1.0,
        "seed": seed,
        "max_tokens": 250,
        **llama_cpp_request(asked),
    }
    with httpx.Client(trust_env=False) as client:
        response = client.post(f"{server.base_url}/chat/completions", json=request, timeout=120)
    assert response.is_success, response.text
    choice = response.json()["choices"][0]
    text = choice["message"]["content"]
    if choice["finish_reason"] == "length":
        assert '"answer"' in text.split(":")[0]  # only an answer has no bound
        return Action(answer=text)
    reply = json.loads(text)
    if "answer" in reply:
        return Action(answer=reply["answer"])
    return Action(call=ToolCall(name=reply["tool"], arguments=reply["arguments"]))


@pytest.fixture(scope="module")
def unconstrained(server: LocalServer) -> list[Action]:
    return [sampled(server, FREE, seed) for seed in range(SAMPLES)]


@pytest.mark.parametrize(
    "checks",
    [
        (ArgumentContains(argument="query", terms=("CFA franc",)),),
        (ArgumentMatches(argument="query", pattern=r"^[A-Z][a-z]{2,6} \d{4}$"),),
        (
            ArgumentEquals(argument="query", value='the "franc"'),
            ArgumentInRange(argument="limit", minimum=20, maximum=30),
        ),
    ],
    ids=lambda checks: checks[0].kind,
)
def test_a_constrained_argument_passes_every_time_and_a_free_one_does_not(
    server: LocalServer, unconstrained: list[Action], checks: tuple[Check, ...]
) -> None:
    searching = Criterion(id="c0", text="Search.", kind="hard", check=ToolIs(tools=("search",)))
    demanded = [
        Criterion(id=f"c{at}", text="A demand.", kind="hard", check=check)
        for at, check in enumerate(checks, 1)
    ]
    bound = constraint(Rubric(criteria=(searching, *demanded)), STATE).constraint
    assert bound is not None
    assert not bound.excluded
    held = [sampled(server, bound, seed) for seed in range(SAMPLES)]
    for check in checks:
        assert [check.evaluate(action, STATE).status for action in held] == ["met"] * SAMPLES
        left = [check.evaluate(action, STATE).status for action in unconstrained]
        assert left.count("met") < SAMPLES / 2


@pytest.mark.parametrize(
    "check",
    [Stops(), ToolIs(tools=("open_page",)), ToolIsNot(tools=("search",)), UrlSeenUnvisited(argument="url")],
    ids=lambda check: check.kind,
)
def test_what_may_be_done_at_all_is_constrained_too(server: LocalServer, check: Check) -> None:
    bound = constraint(
        Rubric(criteria=(Criterion(id="c1", text="A demand.", kind="hard", check=check),)), STATE
    ).constraint
    assert bound is not None
    held = [check.evaluate(sampled(server, bound, seed), STATE).status for seed in range(3)]
    assert "unmet" not in held
