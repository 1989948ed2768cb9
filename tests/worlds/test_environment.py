"""Environments from a table: deterministic, in a graph without own state, scored by the way taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from coreact import CoReActMiddleware
from coreact.errors import WorldError
from coreact.testing import ScriptedModel, call
from coreact.worlds.environment import Case, Environment, environment_tools, load_cases, process_score

CASE = {
    "id": "chest-pain",
    "task": "A patient has chest pain. Find out why.",
    "answer": "heart attack",
    "start": "arrived",
    "rows": [
        {"action": "blood test", "observation": "Troponin is raised."},
        {"action": "ECG", "observation": "The ST segment is raised.", "next": "monitored"},
        {"action": "X-ray", "observation": "Nothing is seen."},
        {"state": "arrived", "action": "angiography", "observation": "Not without an ECG."},
        {"state": "monitored", "action": "angiography", "observation": "An artery is closed."},
    ],
    "informative": {"blood test": 1, "ECG": 2, "angiography": 3},
}


@pytest.fixture
def case() -> Case:
    return Case.model_validate(CASE)


def test_the_state_decides_what_an_action_gives(case: Case) -> None:
    environment = Environment(case)
    assert environment.act("Angiography") == "Not without an ECG."
    assert environment.act("the ecg") == "Nothing happens."  # not an action of the table: its words differ
    assert environment.act("ecg") == "The ST segment is raised."
    assert environment.act("angiography!") == "An artery is closed."
    assert (environment.state, len(environment.taken)) == ("monitored", 4)


def test_unknown_actions_are_answered(case: Case) -> None:
    for action in ("pray", "", "?" * 1000, "ECG; angiography"):
        assert Environment(case).act(action) == "Nothing happens."
    assert case.observe("no such state", "X-ray").text == "Nothing is seen."


def test_a_row_of_the_state_comes_before_one_of_any_state() -> None:
    rows = [
        {"action": "look", "observation": "far"},
        {"state": "start", "action": "look", "observation": "near"},
    ]
    case = Case.model_validate({"id": "x", "task": "t", "rows": rows})
    assert Environment(case).act("look") == "near"
    assert case.observe("else", "look").text == "far"
    assert case.actions == ("look",)


@given(st.lists(st.sampled_from(["ECG", "x-ray", "angiography", "blood test", "pray"]), max_size=8))
def test_rollouts_repeat(actions: list[str]) -> None:
    case = Case.model_validate(CASE)
    first, second = Environment(case), Environment(case)
    assert [first.act(action) for action in actions] == [second.act(action) for action in actions]


# --- as a tool ----------------------------------------------------------------------------------------


def script(*actions: str) -> list[AIMessage]:
    return [*(call("act", action=action) for action in actions), AIMessage("heart attack")]


def observations(result: dict[str, Any]) -> list[str]:
    return [str(message.text) for message in result["messages"] if isinstance(message, ToolMessage)]


def test_the_tool_reads_its_state_off_the_conversation(case: Case) -> None:
    tools = environment_tools(case)
    agents = [
        create_agent(ScriptedModel(script=script("angiography", "ECG", "angiography")), tools) for _ in "ab"
    ]
    for agent in agents:  # one tool, two rollouts: neither sees the other
        result = agent.invoke({"messages": [("user", case.task)]})
        assert observations(result) == [
            "Not without an ECG.",
            "The ST segment is raised.",
            "An artery is closed.",
        ]
        assert [m.artifact for m in result["messages"] if isinstance(m, ToolMessage)][1] == ["ECG"]


def test_guidance_asks_nothing_of_actions_that_only_searches_must_keep(case: Case) -> None:
    model = ScriptedModel(script=script("ECG", "angiography"))  # a rejected step would ask for one reply more
    agent = create_agent(model, environment_tools(case), middleware=[CoReActMiddleware(retries=1)])
    assert len(observations(agent.invoke({"messages": [("user", case.task)]}))) == 2


def test_a_fork_goes_on_from_where_it_left(case: Case) -> None:
    model = ScriptedModel(script=[*script("ECG"), *script("angiography"), *script("angiography")])
    agent = create_agent(model, environment_tools(case), checkpointer=InMemorySaver())
    for thread, expected in (("a", "An artery is closed."), ("b", "Not without an ECG.")):
        config = {"configurable": {"thread_id": thread}}
        if thread == "a":
            agent.invoke({"messages": [("user", "first")]}, config)
        result = agent.invoke({"messages": [("user", "go on")]}, config)
        assert observations(result)[-1] == expected


def test_the_model_sees_the_action_and_nothing_of_the_state(case: Case) -> None:
    model = ScriptedModel(script=script("ECG"))
    create_agent(model, environment_tools(case)).invoke({"messages": [("user", case.task)]})
    (tool,) = model.bound
    assert list(tool["function"]["parameters"]["properties"]) == ["action"]
    assert "blood test; ECG; X-ray; angiography" in tool["function"]["description"]


# --- the way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "expected"),  # hit ratio, precision, recall, F1, information
    [
        (["ECG", "angiography", "blood test"], (1, 1, 1, 1, 1)),
        (["ecg", "X-ray"], (1 / 2, 1 / 2, 1 / 3, 2 / 5, 2 / 6)),
        (["ECG", "ECG", "ECG"], (1 / 3, 1, 1 / 3, 2 / 4, 2 / 6)),
        (["pray"], (0, 0, 0, 0, 0)),
        ([], (None, None, 0, 0, 0)),
    ],
)
def test_process_scores_by_hand(case: Case, taken: list[str], expected: tuple[Any, ...]) -> None:
    assert process_score(taken, case) == pytest.approx(expected)


def test_without_informative_actions_nothing_is_scored(case: Case) -> None:
    bare = case.model_copy(update={"informative": {}})
    assert process_score(["ECG"], bare) == (0, 0, None, None, None)


def test_the_informative_action_scores_higher_at_the_same_answer(case: Case) -> None:
    scores = {}
    for action in ("ECG", "X-ray"):
        model = ScriptedModel(script=script(action))
        result = create_agent(model, environment_tools(case)).invoke({"messages": [("user", case.task)]})
        assert result["messages"][-1].text == case.answer
        taken = [m.artifact[0] for m in result["messages"] if isinstance(m, ToolMessage)]
        scores[action] = process_score(taken, case)
    assert scores["ECG"].f1 > scores["X-ray"].f1
    assert scores["ECG"].information > scores["X-ray"].information


# --- the file -----------------------------------------------------------------------------------------


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_cases_load(tmp_path: Path, case: Case) -> None:
    assert load_cases(write(tmp_path, CASE, CASE | {"id": "other"}))[0] == case


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": []}, "'rows' does not fit"),
        ({"rows": [CASE["rows"][0]] * 2}, "two rows have the same"),
        ({"informative": {"pray": 1}}, "'pray' is in no row"),
        ({"informative": {"ECG": 0}}, "no number above 0"),
        ({"color": "red"}, "'color' does not fit"),
        ({"id": 3}, "'id' does not fit"),
    ],
)
def test_an_unusable_line_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = write(tmp_path, CASE, CASE | {"id": "second"} | change)
    with pytest.raises(WorldError, match=says) as caught:
        load_cases(path)
    assert (caught.value.path, caught.value.line) == (path, 2)


def test_an_id_taken_twice_and_an_empty_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="'chest-pain' is taken"):
        load_cases(write(tmp_path, CASE, CASE))
    with pytest.raises(WorldError, match="has no cases"):
        load_cases(write(tmp_path))


@pytest.mark.parametrize(
    ("informative", "what"),
    [
        ('{"ECG": NaN}', "no number above 0"),
        ('{"ECG": 1e999}', "no number above 0"),
        ('{"ECG": 1, "ecg!": 5}', "named twice"),
    ],
)
def test_weights_that_make_no_score_are_refused_with_their_line(
    tmp_path: Path, informative: str, what: str
) -> None:
    row = '{"action": "ECG", "observation": "o"}'
    file = tmp_path / "cases.jsonl"
    file.write_text(f'\n{{"id": "a", "task": "t", "rows": [{row}], "informative": {informative}}}')
    with pytest.raises(WorldError, match=f"line 2.*{what}"):
        load_cases(file)
