"""What a running agent's generator is sent is, byte for byte and token for token, what it was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from coreact_tools import corpus_tools
from langchain_core.messages import AIMessage, BaseMessage

from coreact.cli.recipes import load_agent
from coreact.generate.prompt import Form, chat, step_prompt
from coreact.generate.prompted import PromptedGenerator
from coreact.generate.trained import read_folder
from coreact.guide import CoReActMiddleware
from coreact.local.rendering import render
from coreact.rubric.branching import BranchingPoint
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder
from coreact.trace.states import state_at
from coreact.train.branch.scripted import LIMIT, collect, parts
from coreact.train.tokenizing import chat_text
from coreact.worlds import Corpus, World, gazetteer

FORMS: tuple[Form, ...] = ("lines", "sheet")


@pytest.fixture(scope="module")
def world() -> World:
    return gazetteer()


@pytest.fixture(scope="module")
def deep(world: World) -> list[BranchingPoint]:
    """Points with up to three steps behind them, as a file of them is read: through JSON."""
    questions = parts(world, n=4, seed=1).train
    found = [one for one in collect(world, questions, seed=1, per_question=4) if one.state.steps]
    assert {len(one.state.steps) for one in found} == {1, 2, 3}
    return [BranchingPoint.model_validate_json(one.model_dump_json()) for one in found]


class Run:
    """An agent that makes the calls of a point's state: what its generator is sent, and the stored run."""

    def __init__(self, world: World, point: BranchingPoint, form: Form) -> None:
        calls = [step.call for step in point.state.steps]
        script: list[Any] = [
            call(one.name, id=f"c{at}", **one.arguments) for at, one in enumerate(calls) if one is not None
        ]
        writer = ScriptedModel(script=['1. [1] Use "search".'] * (len(calls) + 1))
        store = InMemoryTraceStore()
        guidance = CoReActMiddleware(
            generator=PromptedGenerator(writer, form=form),
            recorder=Recorder(store),
            retries=0,
            step_budget=LIMIT,
        )
        agent = load_agent("react").build(
            ScriptedModel(script=[*script, AIMessage("So.")]),
            corpus_tools(Corpus(world.passages))[:1],
            middleware=[guidance],
            tool_calls=LIMIT,
        )
        agent.invoke({"messages": [("user", point.state.question)]})
        self.sent: Sequence[BaseMessage] = writer.requests[len(calls)]
        state = state_at(store.trajectory(store.runs()[0].id), len(calls))
        stored = point.model_copy(update={"state": state})
        self.row = chat(
            step_prompt(BranchingPoint.model_validate_json(stored.model_dump_json()).state, form=form)
        )
        """The prompt of a training row of this decision, through a file and back."""


@pytest.mark.parametrize("form", FORMS)
def test_a_running_agent_sends_the_prompt_of_the_training_row(
    world: World, deep: list[BranchingPoint], form: Form
) -> None:
    for point in deep[:6]:
        run = Run(world, point, form)
        assert [one["role"] for one in run.row] == ["system", "user"]
        assert [(one.type, one.content) for one in run.sent] == [
            ("system", run.row[0]["content"]),
            ("human", run.row[1]["content"]),
        ]
        assert render(run.sent) == run.row


def test_a_sheet_of_a_scripted_point_is_the_sheet_of_an_agent(
    world: World, deep: list[BranchingPoint]
) -> None:
    """No agent runs where points are scripted; what a sheet shows is the same nevertheless."""
    for point in deep[:6]:
        assert Run(world, point, "sheet").row == chat(step_prompt(point.state, form="sheet"))


@pytest.fixture(scope="module")
def served(trained: Path) -> Iterator[Any]:
    pytest.importorskip("xllamacpp", reason="needs the extra `local`")
    from coreact.local import LocalServer

    with LocalServer(trained / "model.gguf", context_tokens=8192) as server:
        yield server


@pytest.mark.parametrize("form", FORMS)
def test_chat_templates_of_all_engines_write_the_text_of_training(
    world: World, deep: list[BranchingPoint], trained: Path, served: Any, form: Form
) -> None:
    transformers = pytest.importorskip("transformers", reason="needs the extra `train`")
    from coreact.local import LocalChatModel

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(trained / "model"))
    for point in deep[:3]:
        run = Run(world, point, form)
        row, sent = run.row, run.sent
        text = tokenizer.apply_chat_template(row, add_generation_prompt=True, tokenize=False)
        ids = tokenizer.apply_chat_template(row, add_generation_prompt=True, return_dict=False)
        assert text == chat_text(row, reply=True)

        client = LocalChatModel(base_url=served.base_url, max_tokens=1)
        body = client._request(sent, None, {})
        root = served.base_url.removesuffix("/v1")
        answer = httpx.post(f"{root}/apply-template", json={"messages": body["messages"]}, trust_env=False)
        assert answer.json()["prompt"] == text
        cut = {"content": text, "parse_special": True, "add_special": True}
        tokens = httpx.post(f"{root}/tokenize", json=cut, trust_env=False).json()["tokens"]
        assert tokens == ids
        if len(ids) < 1024:
            # What the server itself counts on the way of a real request.
            usage = client.invoke(sent).usage_metadata
            assert usage is not None
            assert usage["input_tokens"] == len(ids)


def test_weights_in_this_process_are_given_the_same_tokens(
    world: World, deep: list[BranchingPoint], trained: Path
) -> None:
    transformers = pytest.importorskip("transformers", reason="needs the extra `train`")
    from coreact.generate.trained.completing import TransformersModel

    weights = TransformersModel.open(trained / "model", name="by-heart")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(trained / "model"))
    for point in deep[:3]:
        run = Run(world, point, "sheet")
        ids = tokenizer.apply_chat_template(run.row, add_generation_prompt=True, return_dict=False)
        assert weights.encoded(render(run.sent)) == ids


def test_the_embedded_model_renders_as_its_template_does_for_training(
    world: World, deep: list[BranchingPoint]
) -> None:
    """SmolLM2, the other model that is trained here: its template as llama.cpp and as a trainer read it."""
    from coreact.local import LocalServer, status

    environment = pytest.importorskip("jinja2.sandbox", reason="needs the extra `judge`")
    found = status()
    if not found.present or found.xllamacpp_version is None:
        pytest.skip("no embedded model; run `coreact local pull`")
    with LocalServer(found.path) as server:
        root = server.base_url.removesuffix("/v1")
        template = httpx.get(f"{root}/props", trust_env=False).json()["chat_template"]
        # As transformers compiles chat templates.
        compiled = environment.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True
        ).from_string(template)
        for form in FORMS:
            run = Run(world, deep[0], form)
            sent = {"messages": render(run.sent)}
            answer = httpx.post(f"{root}/apply-template", json=sent, trust_env=False)
            wanted = compiled.render(messages=run.row, add_generation_prompt=True)
            assert answer.json()["prompt"] == wanted


def test_the_record_names_the_versions_of_those_prompts(trained: Path) -> None:
    from coreact.generate.prompt import step_version

    assert read_folder(trained).record.prompt == step_version("sheet")
