"""A stored run, decision by decision, as every format reads it.

Prompts grow, so a message is turned into a chat dict once and each prompt is put together from those of the
step before. Beside it stands a digest of the whole prefix, chained message by message: rows with the same
prompt and the same completion are the same row, however long the prompt is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from coreact.trace.export.labels import Label, Labeller
from coreact.trace.export.messages import Arguments, Message, chat_message, tool_schema, user_message
from coreact.trace.export.settings import ExportSettings
from coreact.trace.records import Attempt, StepRecord, Trajectory


@dataclass(frozen=True)
class Candidate:
    """One attempt of a decision, with what it is worth."""

    at: int
    """Position among the attempts of the step."""
    attempt: Attempt
    label: Label
    message: Message
    key: bytes
    """Digest of the message; call ids are not part of it."""


@dataclass(frozen=True)
class Decision:
    """One step of a run, ready to be made into rows."""

    step: StepRecord
    messages: list[Message]
    """The conversation that its prompt begins: shared with the decisions after it, which add to it."""
    size: int
    """How many messages of it are this prompt's."""
    kept: int
    """How many leading messages of the prompt are those of the step before."""
    tools: str
    """The tools as a JSON list of function schemas. A string, because schemas of different tools have
    different fields, which no columnar file holds; TRL reads it so."""
    candidates: tuple[Candidate, ...]
    key: bytes
    """Digest of the history and the tools."""
    shown: bool
    """Whether guidance and feedback are part of prompts."""

    @property
    def history(self) -> list[Message]:
        """The prompt without guidance and feedback."""
        return self.messages[: self.size]

    @property
    def chosen(self) -> Candidate | None:
        """The selected attempt."""
        return next((one for one in self.candidates if one.attempt.selected), None)

    def prompt(self, candidate: Candidate | None = None) -> list[Message]:
        """The messages of the request that an attempt answered; without one, that of a first attempt."""
        return [*self.history, *map(user_message, self._added(candidate))]

    def prompt_key(self, candidate: Candidate | None = None) -> bytes:
        """Digest of that prompt: equal for attempts that are asked the same."""
        key = self.key
        for text in self._added(candidate):
            key = _digest(key, text)
        return key

    def row_key(self, *candidates: Candidate) -> bytes:
        """Digest of a prompt and what follows it."""
        key = self.prompt_key(candidates[0] if candidates else None)
        for candidate in candidates:
            key = _digest(key, candidate.key)
        return key

    def _added(self, candidate: Candidate | None) -> list[str]:
        if not self.shown:
            return []
        texts = (self.step.guidance, candidate.attempt.feedback if candidate is not None else "")
        return [text for text in texts if text]


@dataclass
class Run:
    """A stored run as it is exported."""

    trajectory: Trajectory
    settings: ExportSettings
    arguments: Arguments
    split: str
    serial: int = 0
    """How many runs were exported before it."""
    _labeller: Labeller = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._labeller = Labeller(
            self.trajectory, evaluator=self.settings.evaluator, min_judged=self.settings.min_judged
        )

    @property
    def id(self) -> str:
        """The run's id."""
        return self.trajectory.run.id

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """All of its decisions, in order. They share their messages."""
        return tuple(self._decisions())

    def source(self, step: int) -> dict[str, Any]:
        """Where a row comes from: the columns that every format has."""
        return {"run": self.id, "step": step, "task": self.trajectory.run.question}

    def _decisions(self) -> Iterator[Decision]:
        history: list[Message] = []
        chain: list[bytes] = []
        tools, shown = "[]", self.settings.rubric == "kept"
        tools_key = _digest(b"", tools)
        for step in self.trajectory.steps:
            if step.tools is not None:
                tools = json.dumps([tool_schema(tool) for tool in step.tools], ensure_ascii=False)
                tools_key = _digest(b"", tools)
            kept = min(step.prompt_kept, len(history))
            added = [chat_message(stored, self.arguments) for stored in step.prompt_added]
            if kept < len(history):  # rewritten; what was read before stays as it is
                history, chain = history[:kept], chain[:kept]
            history.extend(added)
            for message in added:
                chain.append(_digest(chain[-1] if chain else b"", _identity(message)))
            candidates = []
            for at, attempt in enumerate(step.attempts):
                message = chat_message(attempt.message, self.arguments)
                key = _digest(b"", _identity(message))
                candidates.append(Candidate(at, attempt, self._labeller.label(step, at), message, key))
            key = _digest(chain[-1] if chain else b"", tools_key)
            yield Decision(step, history, len(history), kept, tools, tuple(candidates), key, shown)


def _identity(message: Message) -> str:
    """What a message says, without the ids of its calls, which differ each time the same is said."""
    if "tool_calls" in message:
        calls = [call["function"] for call in message["tool_calls"]]
        message = {**message, "tool_calls": calls}
    elif "tool_call_id" in message:
        message = {key: value for key, value in message.items() if key != "tool_call_id"}
    return json.dumps(message, ensure_ascii=True, sort_keys=True)


def _digest(before: bytes, text: str | bytes) -> bytes:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return hashlib.sha256(len(before).to_bytes(2, "big") + before + data).digest()[:16]
