"""Who is kin to whom, by the names of models."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.judge.model import ModelJudge
from coreact.judge.panel import JudgePanel
from coreact.judge.panel.family import Kinship, SharedFamilyWarning, check_families, family, model_names
from coreact.testing import ScriptedModel


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-5", "openai"),
        ("openai:gpt-4.1-mini", "openai"),
        ("gpt-oss-120b", "openai"),
        ("o3-mini", "openai"),
        ("o1", "openai"),
        ("ft:gpt-4o-mini:our-org::id", "openai"),
        ("chatgpt-4o-latest", "openai"),
        ("EleutherAI/gpt-neox-20b", "eleuther"),
        ("EleutherAI/gpt-j-6b", "eleuther"),
        ("claude-sonnet-4-5", "claude"),
        ("openrouter/anthropic/claude-3.5-sonnet", "claude"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude"),
        ("gemini-2.5-pro", "gemini"),
        ("google/gemma-3-27b-it", "gemini"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama"),
        ("bartowski/Meta-Llama-3-8B-GGUF", "llama"),
        ("llama3.2:3b", "llama"),
        ("Qwen/Qwen3-30B-A3B", "qwen"),
        ("Qwen2.5-7B-Instruct", "qwen"),
        ("QwQ-32B", "qwen"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mistral"),
        ("ministral-8b", "mistral"),
        ("deepseek-ai/DeepSeek-R1", "deepseek"),
        ("deepseek-chat", "deepseek"),
        ("microsoft/phi-4", "phi"),
        ("SmolLM2-135M-Instruct", "smollm"),
        ("/models/llama.cpp/SmolLM2-135M-Instruct-Q8_0.gguf", "smollm"),
        ("command-r-plus", "command"),
        ("x-ai/grok-4", "grok"),
        ("ScriptedModel", None),
        ("our-judge", None),
        ("philosopher-7b", None),
        ("o11y-model", None),
        ("marco-o1", None),
        ("", None),
    ],
)
def test_family_by_name(name: str, expected: str | None) -> None:
    assert family(name) == expected


AGENT, OTHER, STRANGER = "qwen3-8b", "claude-sonnet-4-5", "our-model"


def test_a_judge_of_the_agents_family_warns() -> None:
    with pytest.warns(
        SharedFamilyWarning, match=r"judge 'Qwen/Qwen3-32B' and agent 'qwen3-8b' .* qwen.*another"
    ):
        found = check_families(judge="Qwen/Qwen3-32B", agent=AGENT)
    assert found == (Kinship("qwen", "Qwen/Qwen3-32B", "agent", AGENT),)


def test_a_judge_of_the_writers_family_warns() -> None:
    with pytest.warns(SharedFamilyWarning, match="generator"):
        found = check_families(judge=OTHER, agent=AGENT, generator="claude-haiku")
    assert [kin.role for kin in found] == ["generator"]


def test_every_member_of_a_panel_that_is_kin_is_reported() -> None:
    with pytest.warns(SharedFamilyWarning) as seen:
        found = check_families(
            judge=["gpt-5", "qwen-max", "claude-opus"], agent=AGENT, generator="claude-haiku"
        )
    assert [(kin.judge, kin.role) for kin in found] == [("qwen-max", "agent"), ("claude-opus", "generator")]
    assert len(seen) == 1, "one warning names them all"


def test_each_of_several_writers_is_looked_at() -> None:
    found = check_families(
        judge=OTHER, agent=AGENT, generator=["gpt-5", "claude-haiku", "claude-opus"], policy="allow"
    )
    assert [kin.other for kin in found] == ["claude-haiku", "claude-opus"]
    with pytest.raises(ConfigError, match="generator 'claude-haiku'"):
        check_families(judge=OTHER, generator=("gpt-5", "claude-haiku"), policy="refuse")
    assert check_families(judge=OTHER, generator=(), policy="refuse") == ()


def test_refuse_and_allow() -> None:
    with pytest.raises(ConfigError, match="favour its own family"):
        check_families(judge=AGENT, agent=AGENT, policy="refuse")
    assert len(check_families(judge=AGENT, agent=AGENT, policy="allow")) == 1
    with pytest.raises(ConfigError, match="no family policy"):
        check_families(judge=AGENT, policy="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "names",
    [
        {"judge": OTHER, "agent": AGENT},
        {"judge": STRANGER, "agent": STRANGER},
        {"judge": OTHER, "agent": STRANGER, "generator": STRANGER},
        {"judge": AGENT},
        {"judge": [], "agent": AGENT},
        {"judge": OTHER, "agent": AGENT, "generator": AGENT},  # they judge nobody
    ],
)
def test_strangers_and_unknown_names_warn_nobody(names: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_families(**names, policy="refuse") == ()


class Named(ScriptedModel):
    model_name: str


class Says:
    """Anything that names its models, one or several."""

    def __init__(self, one: Any = None, several: Any = None) -> None:
        if one is not None:
            self.model_name = one
        if several is not None:
            self.model_names = several


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (None, ()),
        (object(), ()),
        (Says("a"), ("a",)),
        (Says(several=("a", "b")), ("a", "b")),
        (Says(several=["a", "b", "a"]), ("a", "b")),
        (Says("c", ("a", "b")), ("a", "b", "c")),
        (Says(several=()), ()),
        (Says(several="abc"), ()),
        (Says(7, (None, "a")), ("a",)),
    ],
)
def test_models_are_named_by_one_name_or_by_several(role: object, expected: tuple[str, ...]) -> None:
    assert model_names(role) == expected


def test_each_model_of_several_roles_is_named_once() -> None:
    assert model_names(Says("a"), None, Says(several=("b", "a"))) == ("a", "b")


def test_the_members_of_a_panel_are_named() -> None:
    members = [ModelJudge(Named(script=[], model_name=name)) for name in ("gpt-5", "qwen-max", "gpt-5")]
    assert model_names(JudgePanel(members)) == ("gpt-5", "qwen-max")
