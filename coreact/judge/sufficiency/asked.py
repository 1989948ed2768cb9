"""A critic made of a chat model: accept or reject the draft, with a reason first.

SIM-RAG's critic reads the question, what was retrieved, the proposed answer and its rationale, and says one
word; so does this one, untrained, through any chat model. Asked several times, its probability is the share
that accepts. Such a share is not calibrated: choose a threshold for it on labelled runs (see `stopping`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from coreact.errors import ConfigError
from coreact.judge.asking import Asking, aserve, record_of, serve
from coreact.judge.records import Judgement
from coreact.judge.structured import Asked, ReplyError, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, fenced, transcript
from coreact.rubric import Action, State
from coreact.rubric.canonical import digest

INSTRUCTIONS = f"""\
You decide whether an agent has gathered enough to answer. You get the question, what the agent called and \
what came back, and the answer that it would give now. Say `accept` if what came back carries the answer and \
the answer is what was asked for; otherwise `reject`: something is missing, contradicted, or taken from \
nowhere. Do not reject because more could always be read: more text brings more noise.

{UNTRUSTED}

Give first the reason, in one or two sentences, then the verdict."""


class Opinion(BaseModel):
    """What a model thinks of a draft; the reason before the verdict."""

    model_config = ConfigDict(extra="forbid")
    reason: str
    verdict: Literal["accept", "reject"]


class ModelCritic:
    """Asks a chat model whether the evidence carries the draft.

    Args:
        model: the model, held to records. It should not be the agent's own: self-critique was worse in
            SIM-RAG than a critic of its own.
        samples: how often it is asked; the probability is the share that accepts. At least 1.
        max_chars: most characters of material in one prompt.

    Raises:
        ConfigError: a setting is out of range.
    """

    def __init__(self, model: StructuredModel, *, samples: int = 1, max_chars: int = 24_000) -> None:
        if samples < 1 or max_chars < 1:
            raise ConfigError(
                f"A critic cannot ask {samples} times with {max_chars} characters.",
                remedy="Give samples and max_chars of at least 1.",
            )
        self._model = model
        self._samples = samples
        self._max_chars = max_chars

    @property
    def version(self) -> str:
        """Hash of prompt, reply schema, model, sampling and settings."""
        return digest(
            {
                "instructions": INSTRUCTIONS,
                "reply": Opinion.model_json_schema(),
                "model": self._model.identity,
                "settings": {"samples": self._samples, "max_chars": self._max_chars},
            }
        )

    def assess(
        self, state: State, draft: str, *, plan: Sequence[str] = (), judgement: Judgement | None = None
    ) -> float | None:
        """Share of the samples that accept; None where there is no draft, or where every sample failed."""
        return serve(self._asking(state, draft, plan))

    async def aassess(
        self, state: State, draft: str, *, plan: Sequence[str] = (), judgement: Judgement | None = None
    ) -> float | None:
        """The same, without blocking the event loop."""
        return await aserve(self._asking(state, draft, plan))

    def _asking(self, state: State, draft: str, plan: Sequence[str]) -> Asking[float | None]:
        if not draft.strip():
            return None
        sections = transcript(Action(answer=draft), state, max_chars=self._max_chars).visible
        planned = [
            Section(f"n{at}", "a sub-question of the plan", part, "") for at, part in enumerate(plan, 1)
        ]
        material = fenced([*sections[:-1], *planned, sections[-1]])
        opinions: list[bool] = []
        for _ in range(self._samples):
            try:
                asked: Asked[Opinion] = yield record_of(self._model, INSTRUCTIONS, material, Opinion)
            except ReplyError:
                continue  # a sample without a usable reply is no opinion
            opinions.append(asked.value.verdict == "accept")
        return sum(opinions) / len(opinions) if opinions else None
