"""Which chat model a command runs with: the embedded one, a provider's, or any OpenAI-compatible server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coreact.errors import ConfigError, ModelCallError

if TYPE_CHECKING:  # a command line that starts quickly imports LangChain only to run
    from langchain_core.language_models import BaseChatModel

LOCAL = "local"


@contextmanager
def open_model(
    name: str = LOCAL,
    *,
    base_url: str | None = None,
    gguf: Path | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    threads: int = 1,
) -> Iterator[BaseChatModel]:
    """Open a chat model and close what it needs afterwards.

    Args:
        name: `local` for the embedded model, `provider:name` as LangChain writes it, or with
            `base_url` the name that the server knows.
        base_url: root of an OpenAI-compatible API (vLLM, llama.cpp, …), ending in `/v1`.
        gguf: another model file for the embedded server.
        temperature: in [0, 2].
        seed: seed of the sampler, where the server takes one.
        threads: threads of the embedded server.

    Raises:
        ConfigError: the provider is unknown or its package is missing.
        ModelFileError, LocalServerError, MissingExtraError: the embedded model cannot be served.
        ModelCallError: an OpenAI-compatible server cannot be reached, or refuses.
    """
    if base_url is None and name == LOCAL:
        from coreact.local import open_local_model

        with open_local_model(gguf, threads=threads, temperature=temperature, seed=seed) as served:
            yield served
        return
    from openai import OpenAIError

    try:
        yield _remote(name, base_url=base_url, temperature=temperature, seed=seed)
    except OpenAIError as error:
        where = f" at {base_url}" if base_url else ""
        raise ModelCallError(
            f"The model {name!r}{where} did not answer: {error}",
            remedy="Check that the server runs, and the base URL, the model's name and OPENAI_API_KEY.",
        ) from error


def _remote(name: str, *, base_url: str | None, temperature: float, seed: int) -> BaseChatModel:
    if base_url is not None:
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr

        key = os.environ.get("OPENAI_API_KEY", "none")
        return ChatOpenAI(
            model=name, base_url=base_url, api_key=SecretStr(key), temperature=temperature, seed=seed
        )
    from langchain.chat_models import init_chat_model

    try:
        return init_chat_model(name, temperature=temperature)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"The model {name!r} cannot be opened: {error}",
            remedy="Use `local`, or `provider:name` with that provider's LangChain package installed.",
        ) from error
