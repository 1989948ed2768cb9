"""The part of OpenAI's chat interface that is served here, as records: what is asked, and what comes back.

A field that would change a reply and is not understood is refused by name instead of being passed over: a
client that asked for a schema and got prose would blame the model.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coreact.errors import ConfigError
from coreact.generate.trained import GeneratorRecord
from coreact.generate.trained.adapters import NAME
from coreact.generate.trained.exchange import Asked, Completed

_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "stream": (False,),
    "top_p": (1, 1.0),
    "frequency_penalty": (0, 0.0),
    "presence_penalty": (0, 0.0),
    "logprobs": (False,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "stop": ([],),
}
"""Fields that change nothing at these values."""
_IGNORED = frozenset({"user", "metadata", "store", "cache_prompt", "stream_options", "parallel_tool_calls"})


class UnsupportedError(ConfigError):
    """A request asks for what is not served here."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: str
    text: str = ""


class _Turn(BaseModel):
    model_config = ConfigDict(extra="ignore")

    role: str = Field(pattern="^(system|developer|user|assistant)$")
    content: str | list[_Part]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        other = next((part.type for part in self.content if part.type != "text"), None)
        if other is not None:
            raise UnsupportedError(f"This model reads text only, no {other!r}.", remedy="Send text.")
        return "\n".join(part.text for part in self.content)


class ChatRequest(BaseModel):
    """A request for a reply."""

    model_config = ConfigDict(extra="allow")

    model: str = ""
    """Name of the model or of an adapter; empty: the model."""
    messages: list[_Turn] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = Field(default=None, ge=0, lt=2**63)

    def asked(self, record: GeneratorRecord) -> Asked:
        """The request as the model gets it; what is not said is as the generator was trained for.

        Args:
            record: the generator's. What its chat template was told in training it is told always, so a
                request may repeat that and say nothing else.

        Raises:
            UnsupportedError: a field would change the reply and is not understood.
        """
        neutral = {**_NEUTRAL, "chat_template_kwargs": ({}, record.template)}
        for name, value in (self.model_extra or {}).items():
            if value is not None and name not in _IGNORED and value not in neutral.get(name, ()):
                raise UnsupportedError(
                    f"The field {name!r} is not supported here.", remedy="Leave it out, or serve with vLLM."
                )
        turns = [
            {"role": "system" if turn.role == "developer" else turn.role, "content": turn.text}
            for turn in self.messages
        ]
        return Asked(
            turns,
            max_tokens=self.max_completion_tokens or self.max_tokens or record.max_tokens,
            temperature=record.temperature if self.temperature is None else self.temperature,
            seed=self.seed or 0,
        )


class AdapterRequest(BaseModel):
    """A request to load or unload an adapter, with vLLM's names."""

    model_config = ConfigDict(extra="forbid")

    lora_name: str = Field(pattern=NAME)
    lora_path: str | None = None
    """Folder on the server's machine; needed to load."""


def read(body: bytes, record: type[BaseModel]) -> Any:
    """A request's body as a record.

    Raises:
        ConfigError: it is none.
    """
    try:
        return record.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"The request cannot be read: {f'{where}: ' if where else ''}{first['msg']}.",
            remedy="Send JSON as OpenAI's chat interface has it.",
        ) from error


def completion(name: str, found: Completed) -> dict[str, Any]:
    """A reply as OpenAI's interface writes it."""
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": name,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": found.text},
                "logprobs": None,
                "finish_reason": found.finish,
            }
        ],
        "usage": {
            "prompt_tokens": found.input_tokens,
            "completion_tokens": found.output_tokens,
            "total_tokens": found.input_tokens + found.output_tokens,
        },
    }


def complaint(message: str, *, kind: str, code: str | None = None) -> bytes:
    """An error as OpenAI's interface writes it."""
    return json.dumps({"error": {"message": message, "type": kind, "code": code}}).encode()
