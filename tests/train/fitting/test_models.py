"""Base models: a new one is made once, a GGUF file is unpacked once, and what is no model is told."""

from __future__ import annotations

import builtins
import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from coreact.errors import ConfigError, ModelFileError
from coreact.train import models
from coreact.train.gguf_file import write_gguf
from coreact.train.llama import Shape, new_model
from coreact.train.models import TrainingWarning, base_name, open_model, prepare_base, unpacked
from coreact.train.recipes import ModelSettings
from coreact.train.tokenizing import chat_text

SMALL = ModelSettings(vocabulary=280, shape=Shape(width=32, layers=1, heads=2, feed_forward=32, context=256))
TURNS = [{"role": "system", "content": "Write."}, {"role": "user", "content": "Where is Ħamrun? \n"}]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "base"
    assert prepare_base(SMALL, ["Where is it?", "Search for name 2."] * 20, folder, seed=3) == str(folder)
    return folder


def test_a_new_model_is_made_once(base: Path, tmp_path: Path) -> None:
    before = (base / "model.safetensors").read_bytes()
    prepare_base(SMALL, (), base, seed=4)
    assert (base / "model.safetensors").read_bytes() == before
    again = tmp_path / "again"
    prepare_base(SMALL, ["Where is it?", "Search for name 2."] * 20, again, seed=3)
    assert (again / "model.safetensors").read_bytes() == before
    assert sorted(path.name for path in again.parent.iterdir()) == ["again"]


def test_its_chat_template_writes_what_the_model_file_says(base: Path) -> None:
    _, tokenizer = open_model(base, SMALL)
    text: Any = tokenizer.apply_chat_template(TURNS, tokenize=False, add_generation_prompt=True)
    assert text == chat_text(TURNS, reply=True)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")


def test_a_precision_without_instructions_is_told(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    half = SMALL.model_copy(update={"precision": "bfloat16"})
    lora = half.model_copy(update={"adapter": "lora"})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for able in (True, False):
        ops = SimpleNamespace(_is_mkldnn_bf16_supported=lambda able=able: able)
        monkeypatch.setattr(torch.ops, "mkldnn", ops)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
        with nullcontext() if able else pytest.warns(TrainingWarning, match="precision = .float32"):
            assert open_model(base, lora).model.dtype == torch.bfloat16
        assert open_model(base, half).model.dtype == torch.float32, "weights that are trained"
        open_model(base, SMALL)


def test_a_model_file_is_unpacked_once(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from tokenizers import Tokenizer

    monkeypatch.setenv("COREACT_CACHE", str(tmp_path / "cache"))
    model: Any
    model, tokenizer = open_model(base, SMALL)
    gguf = tmp_path / "small.gguf"
    raw = Tokenizer.from_file(str(base / "tokenizer.json"))
    write_gguf(model, raw, gguf, name="small", licence="Apache-2.0")
    source = prepare_base(ModelSettings(base=str(gguf)), (), tmp_path / "unused", seed=0)
    assert Path(source).parent == tmp_path / "cache" / "unpacked"
    stamp = (Path(source) / "config.json").stat().st_mtime_ns
    assert unpacked(gguf) == Path(source)
    assert (Path(source) / "config.json").stat().st_mtime_ns == stamp
    opened = open_model(source, SMALL)
    text: Any = opened.tokenizer.apply_chat_template(TURNS, tokenize=False, add_generation_prompt=True)
    assert text == chat_text(TURNS, reply=True)
    ids = tokenizer(text)["input_ids"]
    assert opened.tokenizer(text)["input_ids"] == ids
    with torch.no_grad():
        found: Any = opened.model
        apart = (model(torch.tensor([ids])).logits - found(torch.tensor([ids])).logits).abs().max()
    assert apart < 1e-2  # weights of 16 bits


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    def prepared(name: str) -> str:
        return prepare_base(ModelSettings(base=name), (), tmp_path / "base", seed=0)

    (tmp_path / "empty").mkdir()
    (tmp_path / "text.gguf").write_text("no model")
    with pytest.raises(ModelFileError, match="holds no model"):
        prepared(str(tmp_path / "empty"))
    with pytest.raises(ModelFileError, match="is not a GGUF file"):
        prepared(str(tmp_path / "text.gguf"))
    with pytest.raises(ModelFileError, match="There is no model in"):
        prepared("./nowhere")
    assert prepared("Qwen/Qwen3-8B") == "Qwen/Qwen3-8B"
    with pytest.raises(ConfigError, match="cannot be split into 5 heads"):
        prepare_base(ModelSettings(shape=Shape(width=64, heads=5)), (), tmp_path / "odd", seed=0)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        open_model(broken, SMALL)


def test_torn_weights_are_told(base: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(base, torn)
    with (torn / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        open_model(torn, SMALL)


def test_code_of_a_model_is_never_run(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd, ran = tmp_path / "odd", tmp_path / "ran"
    shutil.copytree(base, odd)
    config = json.loads((odd / "config.json").read_text())
    config |= {"model_type": "odd", "auto_map": {"AutoConfig": "odd.Odd", "AutoModelForCausalLM": "odd.Odd"}}
    (odd / "config.json").write_text(json.dumps(config))
    (odd / "odd.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Odd: pass\n")
    monkeypatch.setattr(builtins, "input", lambda *asked: "y")  # what transformers would ask
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        open_model(odd, SMALL)
    assert not ran.exists()


def test_two_that_make_one_base_do_not_fail(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slower(*args: Any, **kwargs: Any) -> Any:
        shutil.copytree(base, tmp_path / "base")
        return new_model(*args, **kwargs)

    monkeypatch.setattr(models, "new_model", slower)
    prepare_base(SMALL, ["Where is it?"] * 20, tmp_path / "base", seed=3)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_a_new_model_leaves_the_callers_draws_alone() -> None:
    import torch

    before = torch.get_rng_state()
    new_model(SMALL.shape, vocabulary=280, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_base_is_named_without_its_folders(tmp_path: Path) -> None:
    assert base_name(ModelSettings(base=str(tmp_path / "a.gguf"))) == "a.gguf"
    assert base_name(ModelSettings(base=str(tmp_path))) == tmp_path.name
    assert base_name(ModelSettings(base="Qwen/Qwen3-8B")) == "Qwen/Qwen3-8B"
