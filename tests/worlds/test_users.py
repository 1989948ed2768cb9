"""Simulated users: by a script, from a log, played by a model; and as a node of a real graph."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from coreact.errors import ConfigError, WorldError
from coreact.testing import ScriptedModel, call
from coreact.worlds.users import (
    STOP,
    ModelUser,
    RecordedUser,
    ScriptedUser,
    User,
    conversation,
    recorded_users,
    user_node,
)

SECRET = "the observation says 4711"


def talk(*lines: str) -> list[Any]:
    """A conversation that a user begins."""
    return [(AIMessage if at % 2 else HumanMessage)(text) for at, text in enumerate(lines)]


def test_a_user_hears_only_what_is_said_aloud() -> None:
    messages = [
        SystemMessage("You are an agent."),
        HumanMessage("Hi"),
        call("search", query="x"),
        AIMessage("Let me look.", tool_calls=[{"name": "search", "args": {}, "id": "1"}]),
        ToolMessage(SECRET, tool_call_id="1"),
        HumanMessage("Next step: ...", additional_kwargs={"lc_source": "coreact"}),
        AIMessage("Hello"),
    ]
    assert conversation(messages) == [(True, "Hi"), (False, "Hello")]


# --- scripted -----------------------------------------------------------------------------------------


def test_a_scripted_user_tells_each_fact_once_it_is_asked_for() -> None:
    user = ScriptedUser("I want my money back.", {"zip code": "It is 19122.", "order": "Number 7."})
    assert user.reply([]) == "I want my money back."
    assert (
        user.reply(talk("I want my money back.", "What is the ZIP code, and which order?")) == "It is 19122."
    )
    said = talk("I want my money back.", "Zip code?", "It is 19122.", "And your zip code and order?")
    assert user.reply(said) == "Number 7."
    assert user.reply([*said, *talk("Number 7.", "Done.")]) is None


def test_a_scripted_user_runs_out_of_patience() -> None:
    user = ScriptedUser("Help.", {}, otherwise="What?", patience=2)
    messages = talk("Help.", "Well")
    for _ in range(2):
        assert user.reply(messages) == "What?"
        messages += talk("What?", "Well")
    assert user.reply(messages) is None


def test_a_script_needs_an_opening() -> None:
    with pytest.raises(ConfigError, match="says nothing"):
        ScriptedUser("  ")


# --- recorded -----------------------------------------------------------------------------------------

LOG = [
    {"role": "system", "content": "policy"},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Who are you?"},
    {"role": "tool", "content": SECRET},
    {"role": "user", "content": f"Ann. {STOP}"},
    {"role": "user", "content": "never said"},
]


def test_a_recorded_user_says_what_was_said_whatever_it_hears() -> None:
    user = RecordedUser.from_history(LOG)
    assert user.lines == ("Hi", "Ann.")
    assert user.reply([]) == "Hi"
    assert user.reply(talk("Hi", "Nice weather!")) == "Ann."
    assert user.reply(talk("Hi", "Nice weather!", "Ann.", "Bye")) is None


def test_recorded_users_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_text(json.dumps({"id": "a", "history": LOG, "reward": 0}) + "\n", encoding="utf-8")
    assert recorded_users(path)["a"].lines == ("Hi", "Ann.")


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"id": "b", "history": LOG[:1]}, "no line of a user"),
        ({"id": "b", "history": [{"role": "user", "content": None}]}, "is no text"),
        ({"id": "a", "history": LOG}, "'a' is taken"),
        ({"id": "b"}, "'history' is missing"),
        ({"id": "b", "history": "hi"}, "do not fit"),
        ({"id": 7, "history": LOG}, "do not fit"),
    ],
)
def test_an_unusable_line_is_named(tmp_path: Path, second: dict[str, Any], says: str) -> None:
    path = tmp_path / "logs.jsonl"
    rows = [{"id": "a", "history": LOG}, second]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(WorldError, match=says) as caught:
        recorded_users(path)
    assert (caught.value.path, caught.value.line) == (path, 2)


def test_the_real_logs_replay() -> None:
    root = Path(__file__).resolve().parents[2]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    path = data / "agentrx_tau_open" / "trajectories.jsonl"
    if not path.is_file():
        pytest.skip(f"no agentrx_tau_open in {data}; set COREACT_DATA to the folder that has it")
    users = recorded_users(path)
    assert (len(users), sum(len(user.lines) for user in users.values())) == (29, 248)
    for user in users.values():
        assert STOP not in " ".join(user.lines)
        messages: list[Any] = []
        while (said := user.reply(messages)) is not None:
            messages += [HumanMessage(said), AIMessage("I see.")]
        assert len(messages) == 2 * len(user.lines)


# --- played by a model --------------------------------------------------------------------------------


def test_a_model_plays_the_user_and_is_told_its_facts_only() -> None:
    model = ScriptedModel(script=["My zip code is 19122.", STOP])
    user = ModelUser(model, "Yusuf, impatient", ["zip code: 19122"])
    messages = [
        SystemMessage("secret policy"),
        *talk("Hello?", "Zip code?"),
        call("search", query="Yusuf"),
        ToolMessage(SECRET, tool_call_id="x"),
        AIMessage("Your zip code, please."),
    ]
    assert user.reply(messages) == "My zip code is 19122."
    assert user.reply(messages) is None
    (request, _) = model.requests
    text = "\n".join(str(message.text) for message in request)
    assert "Yusuf, impatient" in text
    assert "- zip code: 19122" in text
    assert SECRET not in text
    assert "secret policy" not in text
    # From the user's chair: what the user said is the model's own, the agent's lines are another's.
    assert [message.type for message in request] == ["system", "human", "ai", "human", "human"]


def test_a_model_goes_after_its_turns() -> None:
    user = ModelUser(ScriptedModel(script=["one"]), "Ann", turns=1)
    assert user.reply([]) == "one"
    assert user.reply(talk("one", "and?")) is None  # without asking the model
    with pytest.raises(ConfigError, match="0 turns"):
        ModelUser(ScriptedModel(), "Ann", turns=0)


# --- in a graph ---------------------------------------------------------------------------------------


@tool
def look_up(name: str) -> str:
    """Look up a customer."""
    return SECRET


@pytest.mark.parametrize(
    "user",
    [
        ScriptedUser("I am Ann.", {"zip code": "It is 7."}),
        RecordedUser(["I am Ann.", "It is 7."]),
        ModelUser(ScriptedModel(script=["I am Ann.", "It is 7.", STOP]), "Ann", ["zip code: 7"]),
    ],
    ids=["scripted", "recorded", "model"],
)
async def test_a_user_talks_to_an_agent_until_it_has_no_more_to_say(user: User) -> None:
    agent = create_agent(
        ScriptedModel(script=["Your zip code?", call("look_up", name="Ann"), "You are known."]), [look_up]
    )
    graph = StateGraph(MessagesState)
    graph.add_node("user", user_node(user), destinations=("agent", "__end__"))
    graph.add_node("agent", agent)
    graph.add_edge(START, "user")
    graph.add_edge("agent", "user")
    result = await graph.compile().ainvoke({"messages": []})
    assert conversation(result["messages"]) == [
        (True, "I am Ann."),
        (False, "Your zip code?"),
        (True, "It is 7."),
        (False, "You are known."),
    ]


def test_blanks_around_a_line_do_not_make_a_user_repeat_it_for_ever() -> None:
    user = ScriptedUser(" Hi ", {"zip": "It is 19122. ", "name": " Ada"}, otherwise="What? ", patience=2)
    messages: list[Any] = []
    for asked in ("zip?", "zip?", "name?", "more?", "more?", "more?"):
        said = user.reply(messages)
        if said is None:
            break
        messages += [HumanMessage(said), AIMessage(asked)]
    assert [m.text for m in messages if m.type == "human"] == ["Hi", "It is 19122.", "What?", "Ada", "What?"]
    assert user.reply(messages) is None


def test_a_fact_that_nobody_can_ask_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="'\\?'"):
        ScriptedUser("Hi", {"?": "told at once"})
