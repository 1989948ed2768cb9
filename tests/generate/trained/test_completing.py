"""Weights of transformers in this process: batches, draws of one's own, adapters."""

from __future__ import annotations

import math
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from langchain_core.messages import HumanMessage, SystemMessage  # noqa: E402

from coreact.errors import ConfigError, ModelFileError  # noqa: E402
from coreact.generate.prompt import chat, step_prompt  # noqa: E402
from coreact.generate.trained.chat import TransformersChatModel  # noqa: E402
from coreact.generate.trained.completing import TransformersModel  # noqa: E402
from coreact.generate.trained.exchange import Asked, PromptTooLongError  # noqa: E402
from coreact.generate.trained.sampling import OwnDraws  # noqa: E402

# peft still asks transformers by an older name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

LESSON = "1. [0.6] Search for name 1.\n2. [0.4] Do not answer yet."


@pytest.fixture
def weights(trained: Path) -> TransformersModel:
    return TransformersModel.open(trained / "model", name="by-heart")


@pytest.fixture
def prompts(points: Any) -> list[list[dict[str, str]]]:
    return [chat(step_prompt(point.state, form="sheet")) for point in points]


def test_a_batch_replies_as_each_alone(weights: TransformersModel, prompts: Any) -> None:
    together = weights.complete([Asked(prompt, max_tokens=60) for prompt in prompts])
    alone = [weights.complete([Asked(prompt, max_tokens=60)])[0] for prompt in prompts]
    assert together == alone
    assert [one.text for one in together] == [LESSON] * 3
    assert {one.finish for one in together} == {"stop"}


def test_each_reply_has_its_own_length_and_temperature(weights: TransformersModel, prompts: Any) -> None:
    asked = [
        Asked(prompts[0], max_tokens=3),
        Asked(prompts[0], max_tokens=60, temperature=2.0, seed=1),
        Asked(prompts[0], max_tokens=60),
    ]
    short, wild, right = weights.complete(asked)
    assert LESSON.startswith(short.text)
    assert (short.finish, short.output_tokens) == ("length", 3)
    assert wild.text != LESSON
    assert right.text == LESSON


def test_a_seed_gives_the_same_whoever_else_asks(weights: TransformersModel, prompts: Any) -> None:
    def drawn(*seeds: int) -> list[str]:
        asked = [Asked(prompts[0], max_tokens=12, temperature=1.5, seed=seed) for seed in seeds]
        return [one.text for one in weights.complete(asked)]

    before = torch.random.get_rng_state()
    first = drawn(7)[0]
    assert drawn(3, 7, 4)[1] == first
    assert len(set(drawn(1, 2, 3, 4))) > 1
    assert torch.equal(torch.random.get_rng_state(), before)


def test_draws_follow_the_scores() -> None:
    scores = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    draws = OwnDraws([1.0], [0])
    n = 4000
    counts = Counter(int(draws(None, scores).argmax()) for _ in range(n))
    for token, share in enumerate((0.5, 0.3, 0.15, 0.05)):
        assert abs(counts[token] / n - share) < 4 * math.sqrt(share * (1 - share) / n)
    cold = OwnDraws([0.1], [0])
    assert Counter(int(cold(None, scores).argmax()) for _ in range(200))[0] > 195
    assert torch.equal(OwnDraws([0.0], [0])(None, scores), scores)


def test_a_prompt_without_room_for_a_reply(weights: TransformersModel) -> None:
    with pytest.raises(PromptTooLongError, match="context of 'by-heart' is 1024") as failure:
        weights.complete([Asked([{"role": "user", "content": "name " * 3000}])])
    assert failure.value.cause == "budget"
    assert failure.value.tokens > failure.value.limit == 1024


def test_special_tokens_are_written_by_the_template_alone(weights: TransformersModel) -> None:
    text = weights.rendered([{"role": "user", "content": "Hi"}])
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert weights.encoded([{"role": "user", "content": "Hi"}])[0] == 1


def test_no_chat_template(trained: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from coreact.train.llama import Shape, new_model

    tokenizer = AutoTokenizer.from_pretrained(str(trained / "model"))
    tokenizer.chat_template = None
    new_model(Shape(width=32, layers=1, heads=1), vocabulary=420, seed=0).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="has no chat template"):
        TransformersModel.open(tmp_path, name="mute")


@pytest.mark.parametrize("files", [(), ("config.json",)])
def test_a_folder_without_a_model(tmp_path: Path, files: tuple[str, ...]) -> None:
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelFileError, match="No model can be read"):
        TransformersModel.open(tmp_path, name="nothing")


def test_pickled_weights_are_not_read(trained: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(trained / "model", tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelFileError, match="safetensors"):
        TransformersModel.open(tmp_path / "model", name="pickled")


# --- as a chat model ------------------------------------------------------------------------------


def test_a_chat_model_with_usage(weights: TransformersModel, prompts: Any) -> None:
    model = TransformersChatModel(weights=weights, model="by-heart", max_tokens=60)
    system, user = (one["content"] for one in prompts[0])
    reply = model.invoke([SystemMessage(system), HumanMessage(user)])
    assert reply.text == LESSON
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["input_tokens"] == len(weights.encoded(prompts[0]))
    assert reply.response_metadata == {"finish_reason": "stop", "model_name": "by-heart"} | {
        key: value
        for key, value in reply.response_metadata.items()
        if key not in ("finish_reason", "model_name")
    }
    for wrong in ({"stop": ["x"]}, {"tools": [1]}):
        with pytest.raises(ConfigError, match="has no setting"):
            model.invoke("Hi", **wrong)  # type: ignore[arg-type]


# --- adapters -------------------------------------------------------------------------------------


def adapter(folder: Path, model: Path, *, seed: int) -> Path:
    """A LoRA adapter of noise, large enough to change what is said."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(str(model))
    config = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    made = get_peft_model(base, config)
    for name, value in made.named_parameters():
        if "lora_" in name:
            value.data.normal_(0, 1.0)
    made.save_pretrained(str(folder))
    return folder


def test_adapters_come_replace_each_other_and_go(
    weights: TransformersModel, trained: Path, prompts: Any, tmp_path: Path
) -> None:
    one = adapter(tmp_path / "one", trained / "model", seed=1)
    two = adapter(tmp_path / "two", trained / "model", seed=2)

    def said(name: str | None = None) -> str:
        return weights.complete([Asked(prompts[0], max_tokens=20)], adapter=name)[0].text

    plain = said()
    weights.load_adapter("a", one)
    first = said("a")
    assert first != plain == said()
    weights.load_adapter("b", two)
    second = said("b")
    assert len({plain, first, second}) == 3
    assert (said("a"), said()) == (first, plain)
    weights.load_adapter("a", two)
    assert weights.adapters == ("b", "a")
    assert said("a") == second
    weights.unload_adapter("b")
    assert said("a") == second
    weights.unload_adapter("a")
    assert said() == plain
    with pytest.raises(KeyError):
        said("a")
    weights.load_adapter("a", one)
    assert said("a") == first


def test_what_is_no_adapter_changes_nothing(
    weights: TransformersModel, trained: Path, prompts: Any, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match="holds no adapter"):
        weights.load_adapter("a", tmp_path)
    from coreact.train.llama import Shape, new_model

    other = tmp_path / "other"
    new_model(Shape(width=32, layers=1, heads=1), vocabulary=420, seed=0).save_pretrained(other)
    misfit = adapter(tmp_path / "misfit", other, seed=0)
    good = adapter(tmp_path / "good", trained / "model", seed=0)
    for _ in range(2):
        with pytest.raises(ModelFileError, match="cannot be put on 'by-heart'"):
            weights.load_adapter("a", misfit)
    assert weights.adapters == ()
    assert weights.complete([Asked(prompts[0], max_tokens=60)])[0].text == LESSON
    weights.load_adapter("a", good)
    with pytest.raises(ModelFileError, match="cannot be put on 'by-heart'"):
        weights.load_adapter("a", misfit)
    assert weights.adapters == ("a",)
    weights.complete([Asked(prompts[0], max_tokens=5)], adapter="a")


def test_threads_share_one_model(weights: TransformersModel, prompts: Any) -> None:
    found: list[str] = []

    def ask() -> None:
        found.append(weights.complete([Asked(prompts[0], max_tokens=60)])[0].text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [LESSON] * 4
