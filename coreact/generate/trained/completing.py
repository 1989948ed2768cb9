"""Replies of a transformers model to chats, several at once, each with its own temperature, seed and length.

One place for everything that runs weights for transformers: the chat model in this process and the server.
It exists because `generate` draws from one global source, so that a request's reply would depend on who asked
beside it. Here each row has a source of its own: Gumbel noise is added to its scaled scores, and the largest
sum is a fair sample (the Gumbel-max trick). Rows of a batch are padded on the left, which moves scores in the
last bits: where two tokens are all but equally likely, a batch may choose another than a row alone.

Weights are read as safetensors and from local files only; no code of a model's folder is run, and nobody is
asked whether to. torch, transformers and peft are imported when a model is opened. Nothing here streams or
holds to a schema. A control token in a message is read as one; `coreact.generate.prompt` writes none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from coreact.errors import ConfigError, MissingExtraError, ModelFileError
from coreact.generate.trained.adapters import checked_adapter, first_line, unfit, unwrap
from coreact.generate.trained.exchange import Asked, Completed, PromptTooLongError


class TransformersModel:
    """Weights in memory. Safe to share between threads: one batch runs at a time.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer, with a chat template.
        name: what it is called in errors.
        template: what the chat template is told beside the messages, as it was in training.

    Raises:
        ConfigError: the tokenizer has no chat template, or no end of a reply is known.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, name: str, template: Mapping[str, bool | str] | None = None
    ) -> None:
        from transformers import GenerationConfig

        if not getattr(tokenizer, "chat_template", None):
            raise ConfigError(
                f"The tokenizer of {name!r} has no chat template.",
                remedy="Set `tokenizer.chat_template` and save it again, as it was in training.",
            )
        ends = model.generation_config.eos_token_id if model.generation_config is not None else None
        ends = ends if ends is not None else tokenizer.eos_token_id
        if ends is None:
            raise ConfigError(
                f"The model {name!r} names no token that ends a reply.",
                remedy="Set `eos_token_id` in its generation_config.json.",
            )
        self.name = name
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._template = dict(template or {})
        self._ends: set[int] = {ends} if isinstance(ends, int) else set(ends)
        pad = tokenizer.pad_token_id
        self._pad: int = pad if pad is not None else min(self._ends)
        self._limit = int(getattr(model.config, "max_position_embeddings", None) or 2**20)
        # Sampling settings that a model's folder proposes are left out: the caller's count, as in training.
        fresh: Any = GenerationConfig
        model.generation_config = fresh(eos_token_id=sorted(self._ends), pad_token_id=self._pad)
        self._peft: Any = None
        self._loads = 0
        self._adapters: dict[str, str] = {}
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        name: str,
        adapter: Path | None = None,
        device: str = "cpu",
        template: Mapping[str, bool | str] | None = None,
    ) -> Self:
        """Read a model that `save_pretrained` wrote, or one of the hub that is cached on this machine.

        Args:
            folder: the folder, or a hub id.
            name: what it is called in errors.
            adapter: a LoRA adapter that becomes part of the model; others can still be put on top.
            device: where it computes, as torch writes it.
            template: see the class.

        Raises:
            MissingExtraError: the extra `train` is not installed.
            ModelFileError: there is no such model.
            ConfigError: it has no chat template.
        """
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as missing:
            raise MissingExtraError("A generator in the form of transformers", extra="train") from missing
        where = str(folder)
        try:
            with _without_bars():
                tokenizer = AutoTokenizer.from_pretrained(
                    where, local_files_only=True, trust_remote_code=False
                )
                model: Any = AutoModelForCausalLM.from_pretrained(
                    where,
                    local_files_only=True,
                    use_safetensors=True,
                    trust_remote_code=False,  # unset, transformers asks on the terminal
                    dtype=torch.float32 if device == "cpu" else "auto",
                )
        except Exception as error:  # a folder of anybody's breaks its readers in ways of their own
            raise ModelFileError(
                f"No model can be read from {where!r}: {first_line(error)}",
                path=Path(where),
                remedy="Give a folder that `save_pretrained` wrote (safetensors), or fetch the base first.",
            ) from error
        if adapter is not None:
            from peft import PeftModel

            checked_adapter(adapter)
            try:
                model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
            except Exception as error:  # as above
                raise unfit(adapter, name, error) from error
        return cls(model.to(device), tokenizer, name=name, template=template)

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the adapters that can be asked for, in the order in which they came."""
        return tuple(self._adapters)

    def rendered(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The text that the model continues: the chat by its template, up to where the reply begins."""
        return str(
            self._tokenizer.apply_chat_template(
                [dict(one) for one in messages],
                add_generation_prompt=True,
                tokenize=False,
                **self._template,
            )
        )

    def room(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Tokens that are left for a reply; below 1 where there are none."""
        return self._limit - len(self._ids(messages))

    def encoded(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The tokens of that text.

        Raises:
            PromptTooLongError: no token is left for a reply.
        """
        ids = self._ids(messages)
        if len(ids) >= self._limit:
            raise PromptTooLongError(generator=self.name, tokens=len(ids), limit=self._limit)
        return ids

    def _ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        # The template writes every special token itself.
        ids: list[int] = self._tokenizer(self.rendered(messages), add_special_tokens=False)["input_ids"]
        return ids

    def complete(self, asked: Sequence[Asked], *, adapter: str | None = None) -> list[Completed]:
        """Reply to chats, all in one batch.

        Args:
            asked: the chats.
            adapter: name of the adapter to reply with; None: the model as it was opened.

        Raises:
            PromptTooLongError: a prompt has no room for a reply.
            KeyError: there is no such adapter.
        """
        with self._lock:
            prompts = [self.encoded(one.messages) for one in asked]
            rooms = [min(a.max_tokens, self._limit - len(p)) for a, p in zip(asked, prompts, strict=True)]
            written = self._generate(asked, prompts, max(rooms), adapter)
        return [
            self._completed(ids, len(prompt), room)
            for ids, prompt, room in zip(written, prompts, rooms, strict=True)
        ]

    def _generate(
        self, asked: Sequence[Asked], prompts: Sequence[list[int]], most: int, adapter: str | None
    ) -> list[list[int]]:
        import torch

        from coreact.generate.trained.sampling import OwnDraws

        width = max(map(len, prompts))
        rows = [[self._pad] * (width - len(ids)) + ids for ids in prompts]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
        device = self._model.device
        draws = OwnDraws([one.temperature for one in asked], [one.seed for one in asked])
        with torch.inference_mode(), self._with(adapter) as model:
            out = model.generate(
                input_ids=torch.tensor(rows, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=most,
                do_sample=False,
                logits_processor=[draws],
            )
        found: list[list[int]] = out[:, width:].tolist()
        return found

    def _completed(self, ids: Sequence[int], input_tokens: int, room: int) -> Completed:
        at = next((at for at, one in enumerate(ids[:room]) if one in self._ends), None)
        kept = ids[: room if at is None else at]
        return Completed(
            text=self._tokenizer.decode(kept, skip_special_tokens=True),
            finish="length" if at is None else "stop",
            input_tokens=input_tokens,
            output_tokens=len(kept) + (at is not None),
        )

    # --- adapters -----------------------------------------------------------------------------------

    def load_adapter(self, name: str, path: Path) -> None:
        """Put a LoRA adapter beside the model, in place of one of the same name.

        A batch under way ends with what it began with.

        Raises:
            ModelFileError: there is no adapter in safetensors, or it fits another model.
        """
        from peft import PeftConfig, PeftModel

        checked_adapter(path)
        with self._lock:
            self._loads += 1
            key = f"adapter{self._loads}"  # the new one is in place before the old one goes
            try:
                if self._peft is None:
                    # In two steps: a failure of the second must leave something that can be unloaded.
                    config = PeftConfig.from_pretrained(str(path))
                    config.inference_mode = True
                    self._peft = PeftModel(self._model, config, adapter_name=key)
                self._peft.load_adapter(str(path), adapter_name=key)
                self._peft.eval()
            except Exception as error:  # a folder of anybody's; what it left must be taken away
                self._drop(key)
                raise unfit(path, self.name, error) from error
            before = self._adapters.pop(name, None)
            self._adapters[name] = key
            if before is not None:
                self._drop(before)

    def unload_adapter(self, name: str) -> None:
        """Take an adapter away.

        Raises:
            KeyError: there is none of this name.
        """
        with self._lock:
            self._drop(self._adapters.pop(name))

    @contextmanager
    def _with(self, adapter: str | None) -> Iterator[Any]:
        """The model with one adapter, or with none."""
        if adapter is not None:
            key = self._adapters[adapter]
            self._peft.set_adapter(key)
            yield self._peft
        elif self._peft is not None:
            with self._peft.disable_adapter():
                yield self._peft
        else:
            yield self._model

    def _drop(self, key: str) -> None:
        if self._peft is not None:
            others = [one for one in self._peft.peft_config if one != key]
            if key in self._peft.peft_config and others:
                self._peft.set_adapter(others[0])  # peft warns where the active one goes
                self._peft.delete_adapter(key)
            elif not self._adapters:
                self._model = self._peft.unload()
                self._peft = None
        if self._peft is None:
            vars(self._model).pop("peft_config", None)  # peft leaves it behind
            unwrap(self._model)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep the progress bars of transformers out of a command's output."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    were_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if were_on:
            logging.enable_progress_bar()
