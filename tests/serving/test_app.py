"""The transformers server over real HTTP: what OpenAI clients send, what is refused, adapters at run time."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra `view`")

from coreact.generate.prompt import chat, step_prompt  # noqa: E402
from coreact.generate.trained import open_generator, read_folder  # noqa: E402
from coreact.generate.trained.completing import TransformersModel  # noqa: E402
from coreact.serving.app import create_app  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


class Served:
    """The application in a thread, on a free port."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        opened = read_folder(folder)
        self.weights = TransformersModel.open(folder / "model", name=opened.record.name)
        app = create_app(self.weights, opened.record, **settings)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.root = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="warning", ws="none", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.client = httpx.Client(base_url=self.root, trust_env=False, timeout=60)

    def chat(self, messages: Any, **fields: Any) -> httpx.Response:
        return self.client.post("/v1/chat/completions", json={"messages": messages, **fields})

    def close(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


@pytest.fixture(scope="module")
def served(trained: Path) -> Iterator[Served]:
    running = Served(trained)
    yield running
    running.close()


@pytest.fixture
def prompt(points: Any) -> Any:
    return chat(step_prompt(points[0].state, form="sheet"))


def test_a_chat_is_completed(served: Served, prompt: Any, lesson: str) -> None:
    answer = served.chat(prompt, model="by-heart", cache_prompt=True, top_p=1)
    assert answer.status_code == 200
    found = answer.json()
    assert found["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": lesson},
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert found["usage"]["prompt_tokens"] == len(served.weights.encoded(prompt))
    assert found["usage"]["total_tokens"] == sum(
        found["usage"][name] for name in ("prompt_tokens", "completion_tokens")
    )
    assert served.chat(prompt, max_tokens=3).json()["choices"][0]["finish_reason"] == "length"


def test_it_says_what_it_serves_and_how_to_ask(served: Served, trained: Path) -> None:
    (model,) = served.client.get("/v1/models").json()["data"]
    record = read_folder(trained).record
    assert (model["id"], model["coreact"]) == ("by-heart", record.model_dump(mode="json"))
    health = served.client.get("/health").json()
    assert health | {"batches": 0} == {
        "status": "ok",
        "ready": True,
        "model": "by-heart",
        "version": record.version,
        "adapters": [],
        "waiting": 0,
        "batches": 0,
    }


def test_the_client_needs_the_url_alone(served: Served, points: Any) -> None:
    with open_generator(f"{served.root}/v1") as generator:
        assert generator.form == "sheet"
        written = generator.write(points[0].state)
    assert len(written.rubric) == 2


def test_requests_at_once_are_batched(served: Served, prompt: Any, lesson: str) -> None:
    before = served.client.get("/health").json()["batches"]

    async def ask() -> list[Any]:
        async with httpx.AsyncClient(base_url=served.root, trust_env=False, timeout=60) as client:
            body = {"messages": prompt}
            return await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(12)))

    found = asyncio.run(ask())
    assert {one.json()["choices"][0]["message"]["content"] for one in found} == {lesson}
    assert served.client.get("/health").json()["batches"] - before < 8


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"stream": True}, "'stream'"),
        ({"n": 2}, "'n'"),
        ({"tools": [{"type": "function"}]}, "'tools'"),
        ({"response_format": {"type": "json_schema"}}, "'response_format'"),
        ({"stop": ["x"]}, "'stop'"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    served: Served, prompt: Any, fields: dict[str, Any], told: str
) -> None:
    answer = served.client.post("/v1/chat/completions", json={"messages": prompt} | fields)
    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_errors_are_json(served: Served, prompt: Any) -> None:
    long = served.chat([{"role": "user", "content": "name " * 3000}])
    assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")
    unknown = served.chat(prompt, model="nobody")
    assert unknown.status_code == 404
    assert "There are: by-heart" in unknown.json()["error"]["message"]
    broken = served.client.post(
        "/v1/chat/completions", content="{", headers={"content-type": "application/json"}
    )
    assert broken.status_code == 400
    assert served.client.get("/nowhere").json()["error"]["message"] == "Not Found"
    assert served.client.post("/v1/chat/completions", content="x" * 10).status_code == 415
    huge = b'"' + b"x" * (5 * 2**20) + b'"'
    answer = served.client.post(
        "/v1/chat/completions", content=huge, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413


def test_a_failure_of_the_weights_is_json_and_tells_no_path(
    served: Served, prompt: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of memory at /home/someone")

    monkeypatch.setattr(served.weights, "complete", broken)
    answer = served.chat(prompt)
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert "RuntimeError" in answer.json()["error"]["message"]
    assert "/home" not in answer.text
    monkeypatch.undo()
    assert served.chat(prompt).status_code == 200
    assert "out of memory" in caplog.text


def test_what_the_template_is_told_in_training_may_be_repeated(served: Served, prompt: Any) -> None:
    assert served.chat(prompt, chat_template_kwargs={}).status_code == 200
    other = served.chat(prompt, chat_template_kwargs={"enable_thinking": True})
    assert (other.status_code, "chat_template_kwargs" in other.text) == (400, True)


def test_a_page_under_another_name_is_not_served(served: Served) -> None:
    assert served.client.get("/v1/models", headers={"host": "evil.example"}).status_code == 400


def test_an_adapter_comes_and_goes_without_losing_a_request(
    served: Served, prompt: Any, trained: Path, tmp_path: Path, lesson: str
) -> None:
    noisy = _adapter(tmp_path / "noisy", trained / "model")
    load = {"lora_name": "noisy", "lora_path": str(noisy)}

    async def ask() -> list[Any]:
        async with httpx.AsyncClient(base_url=served.root, trust_env=False, timeout=60) as client:
            chats = [client.post("/v1/chat/completions", json={"messages": prompt}) for _ in range(6)]
            return await asyncio.gather(
                *chats[:3], client.post("/v1/load_lora_adapter", json=load), *chats[3:]
            )

    found = asyncio.run(ask())
    assert {one.status_code for one in found} == {200}
    assert found[3].json()["adapters"] == ["noisy"]
    names = [one["id"] for one in served.client.get("/v1/models").json()["data"]]
    assert names == ["by-heart", "noisy"]
    said = served.chat(prompt, model="noisy").json()
    assert said["model"] == "noisy"
    assert said["choices"][0]["message"]["content"] != lesson
    with open_generator(f"{served.root}/v1#noisy") as generator:
        assert (generator.model_name, generator.form) == ("noisy", "sheet")

    gone = served.client.post("/v1/unload_lora_adapter", json={"lora_name": "noisy"})
    assert gone.json() == {"status": "unloaded", "adapters": []}
    assert served.client.post("/v1/unload_lora_adapter", json={"lora_name": "noisy"}).status_code == 404
    assert served.chat(prompt, model="noisy").status_code == 404
    assert served.chat(prompt).json()["choices"][0]["message"]["content"] == lesson


@pytest.mark.parametrize(
    "body",
    [
        {"lora_name": "a", "lora_path": "/nowhere"},
        {"lora_name": "a"},
        {"lora_name": "by-heart", "lora_path": "/nowhere"},
        {"lora_name": "../a", "lora_path": "/nowhere"},
        {"lora_name": "a", "lora_path": "/nowhere", "other": 1},
    ],
)
def test_what_is_no_adapter_is_refused(served: Served, body: dict[str, Any]) -> None:
    answer = served.client.post("/v1/load_lora_adapter", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_where_others_reach_it_adapters_stay(trained: Path) -> None:
    running = Served(trained, may_swap=False)
    try:
        body = {"lora_name": "a", "lora_path": "/tmp"}
        assert running.client.post("/v1/load_lora_adapter", json=body).status_code == 403
        assert running.client.post("/v1/unload_lora_adapter", json={"lora_name": "a"}).status_code == 403
    finally:
        running.close()


def _adapter(folder: Path, model: Path) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(str(model))
    made = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "down_proj"]))
    for name, value in made.named_parameters():
        if "lora_" in name:
            value.data.normal_(0, 1.0)
    made.save_pretrained(str(folder))
    return folder
