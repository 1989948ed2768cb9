"""A model file says the same as the model it was written from: template, tokens, likeliest continuation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from coreact.local import LocalServer, check_gguf
from coreact.train.gguf_file import write_gguf
from coreact.train.llama import Shape, new_model
from coreact.train.searcher.demonstrations import demonstrations
from coreact.train.searcher.induction import plant
from coreact.train.searcher.renaming import renamed
from coreact.train.tokenizing import chat_text, train_tokenizer

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("gguf", reason="needs the extra `train`")
pytest.importorskip("xllamacpp", reason="needs the extra `local`")

SHAPE = Shape(layers=2, context=1024)


@pytest.fixture(scope="module")
def shown(build: Any, world: Any) -> list[Any]:
    made_up = renamed(world, Random(1))
    return [
        *demonstrations(build, world, world.questions[:12], Random(0)),
        *demonstrations(build, made_up, made_up.questions[:12], Random(0)),
    ]


@pytest.fixture(scope="module")
def tokenizer(shown: list[Any]) -> Any:
    return train_tokenizer((turn["content"] for one in shown for turn in one.turns), size=700)


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    made = new_model(SHAPE, vocabulary=tokenizer.get_vocab_size(), seed=0)
    plant(made, seed=0)  # decided enough that 16-bit weights do not change what is likeliest
    return made.eval()


@pytest.fixture(scope="module")
def server(model: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_gguf(model, tokenizer, path, name="test", licence="Apache-2.0")
    assert check_gguf(path) == path
    with (
        LocalServer(path) as running,
        httpx.Client(base_url=running.base_url.removesuffix("/v1"), trust_env=False) as client,
    ):
        yield client


def test_the_chat_template_writes_what_was_trained_on(server: httpx.Client, shown: list[Any]) -> None:
    for one in shown:
        turns = list(one.turns[:-1])
        got = server.post("/apply-template", json={"messages": turns}).json()["prompt"]
        assert got == chat_text(turns, reply=True)


def test_text_is_cut_the_same_way(server: httpx.Client, tokenizer: Any, shown: list[Any]) -> None:
    texts = [chat_text(one.turns) for one in shown]
    texts += ["Łódź ’n Ħamrun, 東京  7½ +49\n\n\n  .de", "it's  we'll \t x", "a.b,c;d“e”"]
    for text in texts:
        got = server.post("/tokenize", json={"content": text, "parse_special": True}).json()["tokens"]
        assert got == tokenizer.encode(text).ids, text


def test_the_likeliest_continuation_is_the_same(
    server: httpx.Client, model: Any, tokenizer: Any, shown: list[Any]
) -> None:
    for one in shown[:6]:
        prompt = chat_text(one.turns[:-1], reply=True)
        ids = tokenizer.encode(prompt).ids[-900:]
        sent = {"prompt": ids, "n_predict": 12, "temperature": 0, "ignore_eos": True, "return_tokens": True}
        got = server.post("/completion", json=sent).json()["tokens"]
        assert got == _greedy(model, ids, len(got))


def _greedy(model: Any, ids: list[int], count: int) -> list[int]:
    ids = list(ids)
    for _ in range(count):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
        logits[2] = float("-inf")  # the end is left out on both sides
        ids.append(int(logits.argmax()))
    return ids[-count:]


def test_a_file_that_is_there_is_replaced(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"old")
    write_gguf(model, tokenizer, path, name="test", licence="Apache-2.0")
    check_gguf(path)
    assert [one.name for one in tmp_path.iterdir()] == ["model.gguf"]
