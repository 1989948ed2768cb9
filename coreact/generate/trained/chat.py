"""A trained generator's weights as a LangChain chat model in this process: no server, no socket.

Messages become turns by the same function as for the embedded server, and text by the tokenizer's chat
template, so a running agent and a trainer give the model the same bytes. It knows no tools and no schema.
"""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, Field

from coreact.errors import ConfigError
from coreact.generate.trained.completing import TransformersModel
from coreact.generate.trained.exchange import Asked
from coreact.local.rendering import render


class TransformersChatModel(BaseChatModel):
    """Chat with weights in memory. The same messages, settings and seed give the same reply.

    Raises (on every call):
        PromptTooLongError: the prompt leaves no room for a reply.
        MessagesError: a message holds something other than text.
        ConfigError: the call asks for what this model cannot do.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    weights: TransformersModel = Field(exclude=True)
    model: str
    """Name, for records."""
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    seed: int = Field(default=0, ge=0)
    max_tokens: int = Field(default=256, ge=1)
    adapter: str | None = None
    """Adapter to reply with; None: the model as it was opened."""

    @property
    def _llm_type(self) -> str:
        return "coreact-transformers"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        given = {name: value for name, value in kwargs.items() if value is not None}
        unknown = sorted(given.keys() - {"temperature", "seed", "max_tokens"})
        if unknown or stop:
            raise ConfigError(
                f"A generator in this process has no setting {unknown[0] if unknown else 'stop'!r}.",
                remedy="Per call it knows temperature, seed and max_tokens; serve it for the others.",
            )
        asked = Asked(
            render(messages),
            max_tokens=given.get("max_tokens", self.max_tokens),
            temperature=given.get("temperature", self.temperature),
            seed=given.get("seed", self.seed),
        )
        (found,) = self.weights.complete([asked], adapter=self.adapter)
        message = AIMessage(
            content=found.text,
            usage_metadata=UsageMetadata(
                input_tokens=found.input_tokens,
                output_tokens=found.output_tokens,
                total_tokens=found.input_tokens + found.output_tokens,
            ),
            response_metadata={"finish_reason": found.finish, "model_name": self.model},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])
