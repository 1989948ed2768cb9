"""Which chat model a command runs with: the embedded one, a provider's, any OpenAI-compatible server, or a
scripted one that knows a world's questions and errs at known rates.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coreact.errors import ConfigError, ModelCallError, ModelFileError

if TYPE_CHECKING:  # a command line that starts quickly imports LangChain only to run
    from langchain_core.language_models import BaseChatModel

    from coreact.worlds import World

LOCAL = "local"
SCRIPTED = "scripted"
SEARCHER = "searcher"


@contextmanager
def open_model(
    name: str = LOCAL,
    *,
    base_url: str | None = None,
    gguf: Path | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    threads: int = 1,
    world: World | None = None,
) -> Iterator[BaseChatModel]:
    """Open a chat model and close what it needs afterwards.

    Args:
        name: `local` for the embedded model, `searcher` for the small one trained on the gazetteer,
            `scripted` or `scripted:heed=0.5,repeat=0.1` for the scripted searcher of `world`,
            `provider:name` as LangChain writes it, or with `base_url` the name that the server knows.
        base_url: root of an OpenAI-compatible API (vLLM, llama.cpp, …), ending in `/v1`.
        gguf: another model file for the embedded server.
        temperature: in [0, 2].
        seed: seed of the sampler, where the server takes one.
        threads: threads of the embedded server.
        world: whose questions a scripted model knows.

    Raises:
        ConfigError: the provider is unknown or its package is missing, or a scripted model has no world or
            a setting that it does not know.
        ModelFileError, LocalServerError, MissingExtraError: the embedded model cannot be served.
        ModelCallError: an OpenAI-compatible server cannot be reached, or refuses.
    """
    if base_url is None and name.partition(":")[0] == SCRIPTED:
        yield _scripted(name, world=world, seed=seed)
        return
    if base_url is None and name in (LOCAL, SEARCHER):
        from coreact.local import open_local_model

        gguf = _searcher_file() if name == SEARCHER else gguf
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


def seeded(model: BaseChatModel) -> Callable[[int], BaseChatModel]:
    """The same model for each sampler seed; where it takes none, itself."""

    def of(seed: int) -> BaseChatModel:
        fresh: Callable[[int], BaseChatModel] | None = getattr(model, "with_seed", None)
        if fresh is not None:
            return fresh(seed)
        return model.model_copy(update={"seed": seed}) if "seed" in type(model).model_fields else model

    return of


def _searcher_file() -> Path:
    """The trained searcher's weights, beside the plain agent."""
    from coreact.cli.recipes import agents

    path = agents()["react"].parent / "searcher" / "searcher.gguf"
    if not path.exists():
        raise ModelFileError(
            "The trained searcher is not here.",
            path=path,
            remedy="Train it with `coreact train searcher`, or use --model local.",
        )
    return path


def _scripted(name: str, *, world: World | None, seed: int) -> BaseChatModel:
    from pydantic import ValidationError

    from coreact.worlds.searcher import Errors, StochasticSearcher

    remedy = f"Write e.g. `scripted:heed=0.5,repeat=0.1`; it knows heed, {', '.join(Errors.model_fields)}."
    if world is None:
        raise ConfigError(
            "A scripted model needs the questions of a world, and there is none here.",
            remedy="Use it with a suite or world of questions and passages, such as the gazetteer.",
        )
    given: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in name.partition(":")[2].split(","))):
        key, _, value = part.partition("=")
        try:
            given[key.strip()] = float(value)
        except ValueError as error:
            raise ConfigError(f"{part!r} is no setting of a scripted model.", remedy=remedy) from error
    heed = given.pop("heed", 0.5)
    try:
        return StochasticSearcher(world=world, errors=Errors.model_validate(given), heed=heed, seed=seed)
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(map(str, first["loc"])) or "its settings"
        raise ConfigError(f"{name!r}: {what}: {first['msg']}.", remedy=remedy) from error
