"""The ablation's arms: who writes the rubric, whether steps are verified, and that all of it is paid for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from coreact_tools import corpus_tools
from langchain_core.messages import AIMessage, BaseMessage

from coreact.bench.gazetteer import ARMS, GENERATORS, Outcome, run_suite
from coreact.bench.writers import EMBEDDED_CHARS, TOKENS, prompted
from coreact.cli.recipes import load_agent
from coreact.local import LocalChatModel
from coreact.testing import ScriptedModel, call
from coreact.worlds import World, gazetteer

USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


def reply(text: str) -> str:
    """A writer's reply whose criteria all say the same, so that one is left."""
    one = {"text": text, "check": None, "weight": 1}
    return json.dumps({"first": one, "second": one, "third": one, "fourth": None, "fifth": None})


RUBRIC = reply("Answer with a call of the tool search.")
WRITING = "criteria"


@pytest.fixture(scope="module")
def world() -> World:
    return gazetteer(questions=400)


class Both(ScriptedModel):
    """An agent that searches twice and answers, and a writer of rubrics."""

    written: int = 0
    guided: int = 0
    rubric: str = RUBRIC

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self.bind()

    def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        if messages[0].text != "Search before you answer.":
            self.written += 1
            return AIMessage(self.rubric, usage_metadata=USAGE)
        self.guided += "Answer with a call" in " ".join(str(message.text) for message in messages)
        done = sum(isinstance(message, AIMessage) for message in messages)
        reply = (
            AIMessage("Nobody knows.") if done >= 2 else call("search", query=f"river {done}", id=f"c{done}")
        )
        return reply.model_copy(update={"usage_metadata": USAGE})


def run(world: World, out: Path, model: Both, *arms: str, writer: Both | None = None) -> list[Outcome]:
    return list(
        run_suite(
            lambda _: model,
            load_agent("react").build,
            lambda corpus: corpus_tools(corpus)[:1],
            world,
            n=1,
            seeds=[0],
            arms=arms,
            hops=2,
            tool_calls=2,
            out=out,
            writer=None if writer is None else lambda _: writer,
        )
    )


def test_every_rubric_source_runs_with_and_without_verification() -> None:
    retries = {name: settings["retries"] for name, settings in ARMS.items() if settings}
    pairs = {"guided": "rubric only", "untrained": "untrained rubric only", "gated": "gated rubric only"}
    for verified, unverified in pairs.items():
        assert (retries[verified], retries[unverified]) == (2, 0)
    assert {settings.get("generator", "prompted") for settings in ARMS.values() if settings} <= set(
        GENERATORS
    )
    assert not any("," in name for name in ARMS)  # the command line parts them there


def test_an_untrained_writer_guides_and_its_calls_count(world: World, tmp_path: Path) -> None:
    model = Both()
    plain, untrained = run(world, tmp_path / "o.jsonl", model, "plain", "untrained rubric only")
    assert (plain.error, untrained.error) == (None, None)
    assert model.written == 3  # two searches and the answer
    assert model.guided == 3
    assert untrained.model_calls == plain.model_calls + 3
    assert untrained.input_tokens == 7 * untrained.model_calls
    assert untrained.tool_calls == plain.tool_calls == 2


def test_another_model_may_write(world: World, tmp_path: Path) -> None:
    model, writer = Both(), Both()
    (outcome,) = run(world, tmp_path / "o.jsonl", model, "untrained", writer=writer)
    assert outcome.error is None
    assert (model.written, writer.written > 0) == (0, True)


def test_what_the_gate_refuses_does_not_guide(world: World, tmp_path: Path) -> None:
    model = Both(rubric=reply("Be wise."))
    gated, fallback = run(world, tmp_path / "o.jsonl", model, "gated", "gated or heuristic")
    assert (gated.error, fallback.error) == (None, None)
    assert model.written > 0
    requests = " ".join(str(m.text) for request in model.requests for m in request)
    assert "Be wise" not in requests


def test_a_writer_that_fails_costs_its_calls_and_nothing_else(world: World, tmp_path: Path) -> None:
    plain, untrained = run(world, tmp_path / "o.jsonl", Both(rubric="no JSON"), "plain", "untrained")
    assert untrained.error is None
    assert untrained.tool_calls == plain.tool_calls
    assert untrained.model_calls > plain.model_calls


def test_the_embedded_model_gets_room_for_a_rubric() -> None:
    model = LocalChatModel(base_url="http://127.0.0.1:9")
    small, large = prompted(model), prompted(Both())
    assert small.id != prompted(model, max_chars=EMBEDDED_CHARS - 1).id
    assert small.id == prompted(model, max_chars=EMBEDDED_CHARS).id
    assert model.max_tokens < TOKENS
    assert large.id.startswith("prompted:")
