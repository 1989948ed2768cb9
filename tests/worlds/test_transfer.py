"""The table of policies by users: a planted overfit shows as a gap, nothing unmeasured counts as 0."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage

from coreact.errors import ConfigError
from coreact.testing import ScriptedModel
from coreact.worlds.transfer import transfer_matrix
from coreact.worlds.users import ScriptedUser, conversation

CASES = 40


def ask(question: str) -> Any:
    """A policy: it asks one question and repeats what it is told."""

    def reply(messages: list[Any]) -> AIMessage:
        said = [text for mine, text in conversation(messages) if mine]
        return AIMessage(question if len(said) < 2 else f"You said: {said[-1]}")

    return create_agent(ScriptedModel(script=reply), [])


def users(key: str) -> list[ScriptedUser]:
    """A user for each case, who tells a number when asked in its own words; every fourth tells it anyhow."""
    return [
        ScriptedUser("Hi", {key: f"It is {n}."} | ({"number": f"It is {n}."} if n % 4 == 0 else {}))
        for n in range(CASES)
    ]


def learned(policy: Any, crowd: list[ScriptedUser]) -> list[float | None]:
    """1 where the policy got to know the number."""
    scores: list[float | None] = []
    for n, user in enumerate(crowd):
        messages: list[Any] = []
        for _ in range(2):
            said = user.reply(messages)
            if said is None:
                break
            messages = policy.invoke({"messages": [*messages, HumanMessage(said)]})["messages"]
        scores.append(float(messages[-1].text == f"You said: It is {n}."))
    return scores


def test_a_policy_tuned_on_one_user_shows_its_gap_with_another() -> None:
    policies = {
        "polite": ask("Please, your kind number?"),
        "short": ask("Digits number now?"),
        "both": ask("kind digits"),
    }
    table = transfer_matrix(policies, {"polite": users("kind"), "short": users("digits")}, learned)
    assert table.scores["polite"]["polite"].mean == 1
    assert table.scores["polite"]["short"].mean == 0.25
    assert table.scores["both"]["polite"].mean == table.scores["both"]["short"].mean == 1
    gap = table.gaps["polite"]["short"]
    assert gap.mean == 0.75
    assert 0.55 < gap.low < 0.75 < gap.high < 0.95
    assert (gap.measured, gap.unmeasured) == (CASES, 0)
    assert table.gaps["short"]["polite"].mean == 0.75
    assert "both" not in table.gaps  # tuned on neither
    assert "polite" not in table.gaps["polite"]


def constant(rows: Mapping[str, list[float | None]]) -> Any:
    return transfer_matrix({"a": None}, {name: name for name in rows}, lambda _, user: rows[user])


def test_what_was_not_scored_is_left_out_and_counted() -> None:
    table = constant({"a": [1, None, 1, 0], "b": [0, 0, None, None], "c": [None] * 4})
    assert table.scores["a"]["a"][0::3] == pytest.approx((2 / 3, 3))
    assert table.scores["a"]["a"].unmeasured == 1
    assert table.gaps["a"]["b"] == (1, 1, 1, 1, 3)
    assert table.scores["a"]["c"] is None
    assert table.gaps["a"]["c"] is None


def test_an_equal_policy_has_no_gap_and_the_table_repeats() -> None:
    rng = Random(3)
    row = [float(rng.random() < 0.5) for _ in range(50)]
    table = constant({"a": row, "b": list(row)})
    assert table.gaps["a"]["b"][:3] == (0, 0, 0)
    assert table == constant({"a": row, "b": list(row)})
    assert table.scores["a"]["a"].low < table.scores["a"]["a"].mean < table.scores["a"]["a"].high


def test_other_cases_with_another_user_are_an_error() -> None:
    with pytest.raises(ConfigError, match="same cases"):
        constant({"a": [1.0], "b": [1.0, 0.0]})
