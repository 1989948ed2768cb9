"""Supervised fine-tuning of a small Llama from nothing, on one processor core, and resumable.

A plain loop and not TRL's trainer: the data is a few thousand short conversations with their own masks, and
a loop that stops and goes on at any checkpoint, on the same batches, is shorter than the settings that would
ask a trainer for it. The right replies count in full. The words of tools and users count a little, because
names recur in them, and predicting the second mention of a name is how copying is learned; a wrong reply in a
history counts nothing. The rate of learning rises, stays, and falls linearly over the last part, so that a
run can be ended early from any checkpoint by resuming it with fewer steps. Matrices inside layers are
optimised by Muon (kellerjordan.github.io/posts/muon, with the scale of arXiv 2502.16982), all else by AdamW:
on one core, steps are what is scarce. Products are computed in bfloat16, weights kept in 32 bits.

The model begins with a circuit that copies (`induction`), and is drilled in copying first (`batches`): from
random weights, 300 steps taught it the form of a reply and nothing of names.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from coreact.errors import ConfigError
from coreact.rubric import Record
from coreact.train.searcher.batches import Batches
from coreact.train.searcher.encoding import Tokens

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM


class Schedule(Record):
    """How the model is trained."""

    steps: int = Field(default=3000, ge=1)
    batch_tokens: int = Field(default=2048, ge=64)
    """Tokens of a batch, padding included."""
    rate: float = Field(default=2e-3, gt=0)
    """Highest rate of learning, of both optimisers."""
    warm_up: int = Field(default=30, ge=0)
    """Steps in which the rate rises."""
    cool_down: float = Field(default=0.25, ge=0, le=1)
    """Share of the steps, the last ones, in which it falls to a hundredth."""
    prompt_weight: float = Field(default=0.15, ge=0, le=1)
    """What a token of a prompt counts, against 1 for a token of a reply."""
    drills: tuple[int, int] = (0, 40)
    """From which 0-based step to which (left out) the model is drilled in copying instead."""
    every: int = Field(default=100, ge=1)
    """Steps from one checkpoint and measurement to the next."""
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """Rate of learning at a 0-based step."""
        rising = min(1.0, (step + 1) / (self.warm_up + 1))
        left = (self.steps - step) / max(1.0, self.cool_down * self.steps)
        return self.rate * max(0.01, min(rising, left))


class Progress(Record):
    """One line of the log."""

    step: int
    loss: float
    """Mean negative log likelihood of a token of the right replies since the last line, in nats."""
    prompt_loss: float
    """The same of the other tokens."""
    right: float
    """Share of the held-out replies of which every token is the likeliest one, in [0, 1]."""
    tokens: int
    """Tokens read so far, padding included."""
    seconds: float
    """Of this process so far."""


def train(
    model: LlamaForCausalLM,
    data: Sequence[Tokens],
    held_out: Sequence[Tokens],
    schedule: Schedule,
    folder: Path,
) -> Iterator[Progress]:
    """Train in place, from the checkpoint in `folder` if there is one; yield a line at every checkpoint.

    Args:
        model: what is trained.
        data: conversations; all are read once before any is read again.
        held_out: conversations that `Progress.right` is measured on.
        schedule: how; a resumed run may have another number of steps, and must have the same seed and data.
        folder: where checkpoints and the log (`log.jsonl`) go.

    Raises:
        ConfigError: a conversation is longer than a batch, or the checkpoint is of another model.
    """
    import torch

    optimizers = _optimizers(model, schedule.rate)
    batches = Batches(
        data,
        vocabulary=model.config.vocab_size,
        tokens=schedule.batch_tokens,
        drills=schedule.drills,
        seed=schedule.seed,
    )
    done, read = _resume(model, optimizers, folder)
    started = time.monotonic()
    sums = [0.0, 0.0, 0.0, 0.0]
    model.train()
    for step in range(done, schedule.steps):
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = schedule.rate_at(step)
        ids, learned, prompt = batches.at(step)
        losses = _losses(model, ids)
        reply, other = (losses * learned).sum(), (losses * prompt).sum()
        loss = (reply + schedule.prompt_weight * other) / (
            learned.sum() + schedule.prompt_weight * prompt.sum()
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
        read += ids.numel()
        for at, value in enumerate((reply, learned.sum(), other, prompt.sum())):
            sums[at] += value.item()
        if (step + 1) % schedule.every == 0 or step + 1 == schedule.steps:
            progress = Progress(
                step=step + 1,
                loss=sums[0] / max(1.0, sums[1]),
                prompt_loss=sums[2] / max(1.0, sums[3]),
                right=share_right(model, held_out),
                tokens=read,
                seconds=time.monotonic() - started,
            )
            sums = [0.0, 0.0, 0.0, 0.0]
            _save(model, optimizers, folder, progress)
            yield progress
            model.train()


def _optimizers(model: LlamaForCausalLM, rate: float) -> tuple[Any, Any]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    import torch

    inside = [value for name, value in model.named_parameters() if value.dim() == 2 and "embed" not in name]
    others = [value for name, value in model.named_parameters() if value.dim() != 2 or "embed" in name]
    return (
        torch.optim.Muon(inside, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    )


def share_right(model: LlamaForCausalLM, conversations: Sequence[Tokens]) -> float:
    """Share of the learned replies of which every token is the likeliest one given those before."""
    import torch

    model.train(False)
    right = replies = 0
    with torch.no_grad():
        for tokens in conversations:
            likeliest = model(input_ids=torch.tensor([tokens.ids])).logits[0, :-1].argmax(-1).tolist()
            for begin, end in _spans(tokens.learned):
                replies += 1
                right += likeliest[begin - 1 : end - 1] == tokens.ids[begin:end]
    return right / replies if replies else 0.0


def _spans(learned: Sequence[bool]) -> Iterator[tuple[int, int]]:
    begin: int | None = None
    for at, wanted in enumerate([*learned, False]):
        if wanted and begin is None:
            begin = at
        elif not wanted and begin is not None:
            yield begin, at
            begin = None


def _losses(model: LlamaForCausalLM, ids: Any) -> Any:
    """Negative log likelihood of every token but the first of each row."""
    import torch

    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(input_ids=ids).logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1), reduction="none"
    ).view(ids.shape[0], -1)


_WEIGHTS, _OPTIMIZER, _LOG = "model.safetensors", "optimizer.safetensors", "log.jsonl"


def _save(model: Any, optimizers: Sequence[Any], folder: Path, progress: Progress) -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        f"{which}.{at}.{name}": value.reshape(1) if value.dim() == 0 else value
        for which, optimizer in enumerate(optimizers)
        for at, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }
    place = {"step": str(progress.step), "tokens": str(progress.tokens)}
    for name, tensors in ((_OPTIMIZER, state), (_WEIGHTS, dict(model.named_parameters()))):
        part = folder / f"{name}.part"
        save_file({key: value.detach().contiguous() for key, value in tensors.items()}, part, metadata=place)
        part.replace(folder / name)  # a run that is killed here leaves the checkpoint before
    with (folder / _LOG).open("a", encoding="utf-8") as log:
        log.write(progress.model_dump_json() + "\n")


def load_weights(model: Any, folder: Path) -> None:
    """Put the weights of a checkpoint into the model.

    Raises:
        ConfigError: there is none, or it is of another model.
    """
    import torch
    from safetensors.torch import load_file

    path = folder / _WEIGHTS
    if not path.is_file():
        raise ConfigError(f"There is no checkpoint in {str(folder)!r}.", remedy="Train first.")
    weights = load_file(path)
    own = dict(model.named_parameters())
    if {name: value.shape for name, value in own.items()} != {n: v.shape for n, v in weights.items()}:
        raise ConfigError(
            f"The checkpoint in {str(folder)!r} is of another model.",
            remedy="Give the shape that it was trained with, or another folder.",
        )
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def _resume(model: Any, optimizers: Sequence[Any], folder: Path) -> tuple[int, int]:
    """Load the checkpoint, if there is one; return the steps done and the tokens read."""
    from safetensors import safe_open

    if not (folder / _WEIGHTS).is_file():
        return 0, 0
    with (
        safe_open(folder / _WEIGHTS, "pt") as file,
        safe_open(folder / _OPTIMIZER, "pt") as moments,
    ):
        place, other = file.metadata(), moments.metadata()
        if place != other:
            raise ConfigError(
                f"Weights and optimizer in {str(folder)!r} are of different steps.",
                remedy="Remove the folder and train again.",
            )
        states: list[dict[int, dict[str, Any]]] = [{} for _ in optimizers]
        for key in moments.keys():  # noqa: SIM118 - it is no mapping
            which, at, name = key.split(".")
            value = moments.get_tensor(key)
            states[int(which)].setdefault(int(at), {})[name] = value[0] if name == "step" else value
    load_weights(model, folder)
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return int(place["step"]), int(place["tokens"])


def read_log(folder: Path) -> list[Progress]:
    """The log of a folder, one line a checkpoint; lines that a later, resumed run made again stand last."""
    path = folder / _LOG
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [Progress.model_validate(json.loads(line)) for line in lines]
