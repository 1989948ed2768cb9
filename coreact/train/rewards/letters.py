"""Judges that say how probable they find each of two letters: over a server, or in this process.

`ChatLetters` asks any LangChain chat model whose server returns the alternatives of the first token (vLLM,
llama.cpp, OpenAI). `TransformersLetters` runs a causal model of its own once and reads the next token's
distribution, which is exact. Both show what the transfer reader is shown: the rubric and the candidates, not
the state. torch and transformers are the caller's; nothing is imported here until a model is weighed with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from coreact.errors import ConfigError, JudgingError
from coreact.generate.gate import Material
from coreact.generate.gate.transfer import shown
from coreact.generate.prompt import Prompt, chat, template
from coreact.judge.failure import Throttle, aretrying, retrying
from coreact.judge.structured import identity
from coreact.judge.transcript import UNTRUSTED
from coreact.train.rewards.margin import Letters

LETTERS = ("A", "B")

_ATTEMPTS = 3  # where the connection or a rate limit fails


class ChatLetters:
    """A chat model as a judge, by the log-probabilities of its reply's first token.

    Args:
        model: a chat model that takes `logprobs` and `top_logprobs`.
        alternatives: how many of the most probable tokens to ask for; a letter that is not among them has no
            known probability, and the reading abstains.
        throttle: what all calls share with those of other judges; None: eight at a time.
    """

    def __init__(
        self, model: BaseChatModel, *, alternatives: int = 20, throttle: Throttle | None = None
    ) -> None:
        self._model = model
        self._throttle = throttle or Throttle()
        self._asked: dict[str, Any] = {
            "logprobs": True,
            "top_logprobs": alternatives,
            "max_tokens": 1,
            "temperature": 0,
        }
        name = identity(model).get("model") or type(model).__name__
        self.id = f"letters.{template('margin').version}:{name}"

    def weigh(self, material: Material) -> Letters:
        """Ask for one token.

        Raises:
            JudgingError: the reply has no log-probability for both letters.
        """
        for attempt in retrying(_ATTEMPTS):
            with attempt, self._throttle.slot():
                message = self._model.invoke(_messages(material), **self._asked)
        return self._read(message)

    async def aweigh(self, material: Material) -> Letters:
        """The same, without blocking the event loop."""
        async for attempt in aretrying(_ATTEMPTS):
            with attempt:
                async with self._throttle.aslot():
                    message = await self._model.ainvoke(_messages(material), **self._asked)
        return self._read(message)

    def _read(self, message: AIMessage) -> Letters:
        told = message.response_metadata.get("logprobs")
        content = told.get("content") if isinstance(told, Mapping) else None
        first = content[0] if isinstance(content, Sequence) and content else None
        rows = first.get("top_logprobs") if isinstance(first, Mapping) else None
        found = _by_letter(rows if isinstance(rows, Sequence) else ())
        if any(letter not in found for letter in LETTERS):
            raise JudgingError(
                f"The reply of {self.id} has no log-probability for both letters.",
                judge=self.id,
                cause="unsupported",
                remedy="Use a model and a server that return `top_logprobs`.",
            )
        return Letters(*(min(0.0, found[letter]) for letter in LETTERS))


class TransformersLetters:
    """A causal model in this process as a judge, by the distribution of the next token.

    Args:
        model: of transformers, in evaluation mode on its device.
        tokenizer: the model's, with a chat template.
        name: of the model, for the id.

    Raises:
        ConfigError: a letter is more than one token, or the tokenizer has no chat template.
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise ConfigError(
                f"The tokenizer of {name!r} has no chat template.",
                remedy="Use a model that was tuned to chat.",
            )
        tokens = [tokenizer.encode(letter, add_special_tokens=False) for letter in LETTERS]
        if any(len(one) != 1 for one in tokens):
            raise ConfigError(
                f"The tokenizer of {name!r} writes A or B in several tokens.", remedy="Use another judge."
            )
        self._model = model
        self._tokenizer = tokenizer
        self._tokens = [one[0] for one in tokens]
        self.id = f"letters.{template('margin').version}:{name}"

    def weigh(self, material: Material) -> Letters:
        """Run the model once."""
        import torch

        ids = self._tokenizer.apply_chat_template(
            chat(_prompt(material)), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )["input_ids"].to(self._model.device)
        with torch.inference_mode():
            logits = self._model(input_ids=ids).logits[0, -1].float()
        told = torch.log_softmax(logits, dim=-1)[self._tokens].tolist()
        return Letters(*told)

    async def aweigh(self, material: Material) -> Letters:
        """The same; it computes, so there is nothing to wait for."""
        return self.weigh(material)


def _prompt(material: Material) -> Prompt:
    written = template("margin")
    return Prompt(f"{written.text}\n\n{UNTRUSTED}", shown(material), written.version)


def _messages(material: Material) -> list[BaseMessage]:
    prompt = _prompt(material)
    return [SystemMessage(prompt.instructions), HumanMessage(prompt.material)]


def _by_letter(rows: Sequence[Any]) -> dict[str, float]:
    """Log-probabilities by letter, those of one letter in several spellings (` A`, `A`) added up."""
    held: dict[str, list[float]] = {}
    for row in rows:
        if isinstance(row, Mapping) and isinstance(value := row.get("logprob"), int | float):
            held.setdefault(str(row.get("token", "")).strip(), []).append(float(value))
    return {letter: _added(values) for letter, values in held.items()}


def _added(values: Sequence[float]) -> float:
    most = max(values)
    return most + math.log(sum(math.exp(value - most) for value in values)) if math.isfinite(most) else most
