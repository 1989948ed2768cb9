"""A small model that has learned one rubric by heart, as weights for llama.cpp and for transformers.

Other folders of tests load this file under a name of their own; what is costly is made once for all of them,
below the session's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coreact.generate.prompt import chat, step_prompt
from coreact.rubric.branching import BranchingPoint

LESSON = "1. [0.6] Search for name 1.\n2. [0.4] Do not answer yet."


@pytest.fixture(scope="session")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[BranchingPoint]:
    """Three branching points of the embedded world with short sheets: quickly learned."""
    kept = tmp_path_factory.getbasetemp() / "by-heart.jsonl"
    if kept.exists():
        return [BranchingPoint.model_validate_json(line) for line in kept.read_text().splitlines()]
    from coreact.train.branch.scripted import collect, parts
    from coreact.worlds import gazetteer

    world = gazetteer()
    found = collect(world, parts(world, n=8, seed=0).train, seed=0)
    found = sorted(found, key=lambda point: len(step_prompt(point.state, form="sheet").material))[:3]
    kept.write_text("\n".join(point.model_dump_json() for point in found))
    return found


@pytest.fixture(scope="session")
def trained(points: list[BranchingPoint], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator's folder; do not write into it."""
    pytest.importorskip("torch", reason="needs the extra `train`")
    from coreact.generate.trained import RECORD, describe, write_record

    folder = tmp_path_factory.getbasetemp() / "generators" / "by-heart"
    if (folder / RECORD).exists():
        return folder
    folder.mkdir(parents=True)
    model, tokenizer = learned(points)
    save(model, tokenizer, folder)
    write_record(folder, describe(folder, name="by-heart", form="sheet", base="new", max_tokens=60))
    return folder


def learned(points: list[BranchingPoint], *, heads: int = 4, steps: int = 120) -> tuple[Any, Any]:
    """A Llama of 70,000 parameters that answers every sheet with the lesson."""
    import torch

    from coreact.train.llama import Shape, new_model
    from coreact.train.tokenizing import chat_text, train_tokenizer

    torch.set_num_threads(1)
    prompts = [chat(step_prompt(point.state, form="sheet")) for point in points]
    texts = [turn["content"] for prompt in prompts for turn in prompt]
    tokenizer = train_tokenizer([*texts, *[LESSON] * 50], size=420)
    shape = Shape(width=64, layers=1, heads=heads, feed_forward=128, context=1024)
    model = new_model(shape, vocabulary=tokenizer.get_vocab_size(), seed=0)
    reply = tokenizer.encode(f"{LESSON}<|im_end|>").ids
    rows = [tokenizer.encode(chat_text(prompt, reply=True)).ids for prompt in prompts]
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    for step in range(steps):
        row = rows[step % len(rows)]
        labels = [-100] * len(row) + reply
        loss = model(input_ids=torch.tensor([row + reply]), labels=torch.tensor([labels])).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval(), tokenizer


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write both kinds of weights."""
    from transformers import PreTrainedTokenizerFast

    from coreact.train.gguf_file import write_gguf
    from coreact.train.tokenizing import END, PAD, TEMPLATE

    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)
    fast.chat_template = TEMPLATE
    model.save_pretrained(folder / "model")
    fast.save_pretrained(folder / "model")
    write_gguf(model, tokenizer, folder / "model.gguf", name="by-heart", licence="Apache-2.0")
