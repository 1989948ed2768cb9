"""The stages of a recipe: what each method of training can be told, under our names.

A stage is plain settings. What it is called in TRL is written down in `coreact.train.fitting.arguments`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from coreact.rubric.settings import Settings
from coreact.train.teaching import MOST_LINES, Aim


class Schedule(Settings):
    """What all stages share: how long, how fast, and how often it is kept."""

    steps: int | None = Field(default=None, ge=1)
    """Steps of the optimiser; None: as many as `epochs` make."""
    epochs: float = Field(default=1.0, gt=0)
    """How often each row is read, where no steps are given."""
    rows: int = Field(default=32, ge=1)
    """Rows that one step learns from, over all devices; in GRPO prompts, each with its group."""
    micro: int | None = Field(default=None, ge=1)
    """Rows (in GRPO replies) that a device computes at once; None: all of a step."""
    points: int | None = Field(default=None, ge=1)
    """Most points of this stage, the first ones drawn; None takes all."""
    file: str | None = None
    """JSON lines of rows that somebody else made, instead of rows made from the points."""
    rate: float = Field(default=2e-4, gt=0)
    """Highest rate of learning (AdamW)."""
    warm_up: int = Field(default=5, ge=0)
    """Steps in which the rate rises from 0."""
    decay: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls to the end."""
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, ge=0)
    """Longest gradient; a longer one is shortened. 0: never."""
    max_tokens: int = Field(default=1024, ge=16)
    """Longest row; in GRPO longest reply."""
    every: int = Field(default=50, ge=1)
    """Steps from one checkpoint to the next."""
    log: int = Field(default=1, ge=1)
    """Steps from one line of the metrics to the next; `every` is a multiple of it."""

    @model_validator(mode="after")
    def _logged_when_kept(self) -> Self:
        if self.every % self.log:
            raise ValueError("every must be a multiple of log")
        return self


class SftStage(Schedule):
    """Supervised fine-tuning on written replies; prompts are not learned."""

    method: Literal["sft"] = "sft"
    aim: Aim = "order"
    """What lessons are best at: ordering all candidates, or verifying the proposals of an agent."""
    least_lines: int = Field(default=1, ge=1, le=MOST_LINES)
    """Fewest criteria of a lesson."""
    most_lines: int = Field(default=MOST_LINES, ge=1, le=MOST_LINES)
    """Most criteria of a lesson."""
    least_spearman: float = Field(default=0.0, ge=0, le=1)
    """Lessons that order their point's candidates worse are left out."""


class DpoStage(Schedule):
    """Direct preference optimisation (arXiv 2305.18290) on pairs of replies, with the sigmoid loss.

    Pairs are chosen by the rules of rDPO (`coreact.train.preferences`) among the teacher's reply and drawn
    ones; pairs of a model's own samples come from a `file`.
    """

    method: Literal["dpo"] = "dpo"
    rate: float = Field(default=1e-5, gt=0)
    beta: float = Field(default=0.1, gt=0)
    """How strongly the model is held to the one it began with."""
    margin: float = Field(default=0.2, gt=0, le=1)
    """Least difference in score, in [0, 1], between the two replies of a pair."""
    most_pairs: int = Field(default=2, ge=1)
    """Most pairs of one point."""
    smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of pairs that are taken to be the wrong way round."""


class GrpoStage(Schedule):
    """Group-relative policy optimisation (arXiv 2402.03300) on the rank reward.

    Defaults are those of Co-ReAct (arXiv 2605.23590) as far as its card knows them: groups of 8,
    temperature 1, clipping .2, advantages divided by the group's deviation. It has a KL term of .005, which
    `kl` sets; its framework averaged over tokens, which is `dapo` here. GSPO (arXiv 2507.18071) is
    `importance = "sequence"` with `loss = "grpo"`.
    """

    method: Literal["grpo"] = "grpo"
    rows: int = Field(default=8, ge=1)
    rate: float = Field(default=2e-4, gt=0)
    max_tokens: int = Field(default=96, ge=4)
    group: int = Field(default=8, ge=2)
    """Replies to each prompt."""
    temperature: float = Field(default=1.0, gt=0)
    kl: float = Field(default=0.0, ge=0)
    """Weight of the divergence from the model that the stage began with; 0 loads no second model."""
    clip_low: float = Field(default=0.2, gt=0)
    clip_high: float | None = Field(default=None, gt=0)
    """None: as `clip_low`. DAPO (arXiv 2503.14476) has .28."""
    loss: Literal["dapo", "grpo", "dr_grpo", "bnpo"] = "dapo"
    scale: Literal["group", "batch", "none"] = "group"
    """By whose deviation advantages are divided; `none` with `dr_grpo` is Dr. GRPO (arXiv 2503.20783)."""
    importance: Literal["token", "sequence"] = "token"
    iterations: int = Field(default=1, ge=1)
    """How often replies are learned from before new ones are drawn."""
    truncated: bool = True
    """Whether replies that ran into `max_tokens` are learned from."""
    rollouts: Literal["transformers", "colocate", "server"] = "transformers"
    """Who writes the replies: the model itself, vLLM beside it on the same devices, or a vLLM server."""
    server: str = "http://127.0.0.1:8000"
    """Root of the vLLM server, where there is one."""
    memory: float = Field(default=0.3, gt=0, lt=1)
    """Share of a device's memory for vLLM beside the model."""
    tensor_parallel: int = Field(default=1, ge=1)
    """Devices over which vLLM beside the model splits it."""
    pause_after: int = Field(default=3, ge=1)
    """Batches in a row without one valid reward, after which the run stops until the judge is back."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.importance == "sequence" and self.loss != "grpo":
            raise ValueError('importance = "sequence" (GSPO) needs loss = "grpo"')
        if self.micro is not None and self.rows * self.group % self.micro:
            raise ValueError(f"micro must divide the {self.rows * self.group} replies of a step")
        if self.every % self.iterations:
            # Replies that wait to be learned from again are in no checkpoint.
            raise ValueError("every must be a multiple of iterations")
        return self


Stage = Annotated[SftStage | DpoStage | GrpoStage, Field(discriminator="method")]

STAGES: dict[str, type[BaseModel]] = {"sft": SftStage, "dpo": DpoStage, "grpo": GrpoStage}
"""The records by the name of their method."""
