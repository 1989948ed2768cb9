"""Serving and the client against a real vLLM. Opt-in: `make test-vllm` builds what it needs and runs this."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

_PYTHON = os.environ.get("COREACT_VLLM_PYTHON")
if _PYTHON is None:
    pytest.skip("needs vLLM in an environment of its own: make test-vllm", allow_module_level=True)

from coreact.generate.prompt import chat, step_prompt  # noqa: E402
from coreact.generate.trained import describe, open_generator, read_folder, write_record  # noqa: E402
from coreact.serving.running import bound  # noqa: E402
from coreact.serving.vllm import VllmServer, launch  # noqa: E402

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]

_AT = Path(__file__).parents[1] / "generate" / "trained" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("trained_conftest_vllm", _AT)
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
points = _MODULE.points

SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["search", "answer"]}, "sure": {"type": "boolean"}},
    "required": ["kind", "sure"],
    "additionalProperties": False,
}


@pytest.fixture(scope="session")
def folder(points: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small generator with heads of 32, the smallest that vLLM computes."""
    made = tmp_path_factory.mktemp("vllm") / "by-heart"
    made.mkdir()
    model, tokenizer = _MODULE.learned(points, heads=2, steps=400)
    _MODULE.save(model, tokenizer, made)
    write_record(
        made,
        describe(made, name="by-heart", form="sheet", base="new", max_tokens=60, context_tokens=1024),
    )
    return made


@pytest.fixture(scope="session")
def adapter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(str(folder / "model"))
    config = LoraConfig(r=8, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    made = get_peft_model(base, config)
    for name, value in made.named_parameters():
        if "lora_" in name:
            value.data.normal_(0, 1.0)
    path = tmp_path_factory.mktemp("adapter") / "noisy"
    made.save_pretrained(str(path))
    return path


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[VllmServer]:
    with bound("127.0.0.1", 0, who="vLLM") as free:
        port = int(free.getsockname()[1])
    started = launch(read_folder(folder), port=port, device="cpu", python=Path(str(_PYTHON)))
    with VllmServer(started, port=port, startup_seconds=1500) as running:
        yield running


@pytest.fixture
def client(server: VllmServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address, trust_env=False, timeout=300) as opened:
        yield opened


@pytest.fixture
def prompt(points: Any) -> Any:
    return chat(step_prompt(points[0].state, form="sheet"))


def ask(client: httpx.Client, messages: Any, **fields: Any) -> Any:
    body = {"model": "by-heart", "messages": messages, "temperature": 0, "max_tokens": 60} | fields
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.is_success, answer.text
    return answer.json()


def text(found: Any) -> str:
    return str(found["choices"][0]["message"]["content"])


def test_it_is_healthy_and_bears_the_generators_name(client: httpx.Client) -> None:
    assert client.get("/health").is_success
    assert [one["id"] for one in client.get("/v1/models").json()["data"]] == ["by-heart"]


def test_the_client_guides_with_it(server: VllmServer, points: Any) -> None:
    with open_generator(server.base_url, form="sheet") as generator:
        written = generator.write(points[0].state)
    assert len(written.rubric) == 2
    assert written.cost.calls == 1


def test_its_prompt_has_the_tokens_of_training(client: httpx.Client, prompt: Any, folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder / "model"))
    ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
    assert ask(client, prompt)["usage"]["prompt_tokens"] == len(ids)


def test_it_replies_as_the_weights_do_here(client: httpx.Client, prompt: Any, folder: Path) -> None:
    from coreact.generate.trained.completing import TransformersModel
    from coreact.generate.trained.exchange import Asked

    weights = TransformersModel.open(folder / "model", name="by-heart")
    assert text(ask(client, prompt)) == weights.complete([Asked(prompt, max_tokens=60)])[0].text


def test_structured_output(client: httpx.Client, prompt: Any) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA}}
    for seed in range(8):
        found = ask(client, prompt, response_format=wanted, temperature=1.0, seed=seed)
        Draft202012Validator(SCHEMA).validate(json.loads(text(found)))


def test_a_prefix_is_read_once(client: httpx.Client) -> None:
    long = [{"role": "user", "content": "a name that was read before, " * 30}]
    ask(client, long, max_tokens=1)
    again = ask(client, long, max_tokens=1)["usage"]
    assert again["prompt_tokens_details"]["cached_tokens"] >= again["prompt_tokens"] // 2


def test_requests_at_once_are_answered_alike(client: httpx.Client, prompt: Any) -> None:
    alone = text(ask(client, prompt))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: text(ask(client, prompt)), range(16)))
    assert set(found) == {alone}


def test_an_adapter_comes_and_goes(client: httpx.Client, prompt: Any, adapter: Path) -> None:
    plain = text(ask(client, prompt))
    loaded = client.post("/v1/load_lora_adapter", json={"lora_name": "noisy", "lora_path": str(adapter)})
    assert loaded.is_success, loaded.text
    assert "noisy" in [one["id"] for one in client.get("/v1/models").json()["data"]]
    assert text(ask(client, prompt, model="noisy")) != plain == text(ask(client, prompt))
    assert client.post("/v1/unload_lora_adapter", json={"lora_name": "noisy"}).is_success
    gone = client.post("/v1/chat/completions", json={"model": "noisy", "messages": prompt})
    assert gone.status_code == 404
