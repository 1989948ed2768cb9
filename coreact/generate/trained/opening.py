"""From a folder, a name or a URL to a rubric generator that guides, with the prompts it was trained on.

The weights choose how they run: `model.gguf` in the embedded llama.cpp server, `model/` by transformers in
this process, a URL wherever it is. All are asked by one class with the same messages and read by one reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urldefrag, urlsplit

import httpx
from langchain_core.language_models import BaseChatModel

from coreact.errors import ConfigError, GenerationError, ModelFileError
from coreact.generate.prompt import Form
from coreact.generate.prompted import PromptedGenerator
from coreact.generate.trained.places import find_generator, generators
from coreact.generate.trained.record import (
    GGUF,
    MODEL,
    GeneratorFolder,
    GeneratorRecord,
    read_folder,
)
from coreact.generate.trained.versions import check_versions
from coreact.rubric import digest

Engine = Literal["auto", "llama.cpp", "transformers"]
"""What runs the weights of a folder. `auto`: llama.cpp where there is a `model.gguf`, else transformers."""

_SECONDS = 10.0  # for a server to say which models it has
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class TrainedGenerator(PromptedGenerator):
    """A generator that was trained for the prompts it gets.

    Args:
        model: its weights as a chat model, with its temperature and length of reply.
        record: what it says of itself.
        strict: whether other prompts than those of training are an error; see `check_versions`.
        timeout: seconds that one reply may take.

    Raises:
        ConfigError: it was trained on other prompts.
    """

    def __init__(
        self,
        model: BaseChatModel,
        record: GeneratorRecord,
        *,
        strict: bool = True,
        timeout: float | None = 120.0,
    ) -> None:
        check_versions(record, strict=strict)
        super().__init__(model, form=record.form, timeout=timeout)
        self.record = record
        self.version = digest({"record": record.version, "asked": self.version})
        """Hash of the record (weights included), prompt, reader, and how it is asked."""
        self.id = f"trained:{record.name}@{self.version.rsplit(':', 1)[-1][:8]}"


@contextmanager
def open_generator(
    source: str | Path,
    *,
    engine: Engine = "auto",
    form: Form | None = None,
    seed: int = 0,
    threads: int = 1,
    parallel: int = 1,
    strict: bool = True,
) -> Iterator[PromptedGenerator]:
    """Open a trained generator, and close what it needs afterwards.

        with open_generator("rubric_models/tiny") as generator:
            agent = create_agent(model, tools, middleware=[CoReActMiddleware(generator=generator)])

    Args:
        source: a folder, a name below `rubric_models/`, or the root of an OpenAI-compatible server ending in
            `/v1`, with `#NAME` where it serves several models or adapters.
        engine: what runs the weights of a folder.
        form: how a server's model is asked, where it does not bear the name of a generator known here.
        seed: seed of the sampler; matters above temperature 0.
        threads: threads of the embedded server.
        parallel: requests that the embedded server answers at once.
        strict: whether other prompts than those of training are an error.

    Raises:
        ConfigError: there is no such generator, it was trained on other prompts, or its form is not known.
        ModelFileError, MissingExtraError, LocalServerError: its weights cannot be run.
        GenerationError: the server cannot be reached, or has no such model.
    """
    if isinstance(source, str) and "://" in source:
        yield _remote(source, form=form, seed=seed, strict=strict)
        return
    if form is not None:
        raise ConfigError(
            "A folder says itself in which form it was trained.", remedy="Give a form with a URL only."
        )
    folder = read_folder(find_generator(source))
    check_versions(folder.record, strict=strict)
    with _run_here(folder, engine, seed=seed, threads=threads, parallel=parallel) as model:
        yield TrainedGenerator(model, folder.record, strict=strict)


@contextmanager
def _run_here(
    folder: GeneratorFolder, engine: Engine, *, seed: int, threads: int, parallel: int
) -> Iterator[BaseChatModel]:
    record = folder.record
    settings: dict[str, Any] = {
        "model": record.name,
        "temperature": record.temperature,
        "seed": seed,
        "max_tokens": record.max_tokens,
    }
    if engine == "llama.cpp" or (engine == "auto" and folder.gguf is not None):
        from coreact.local import LocalChatModel, LocalServer

        if folder.gguf is None:
            raise ModelFileError(
                f"The generator {record.name!r} has no {GGUF}.",
                path=folder.path / GGUF,
                remedy="Use the engine transformers, or convert its weights to GGUF.",
            )
        with LocalServer(
            folder.gguf, threads=threads, parallel=parallel, context_tokens=record.context_tokens
        ) as server:
            yield LocalChatModel(base_url=server.base_url, **settings)
        return
    from coreact.generate.trained.chat import TransformersChatModel

    yield TransformersChatModel(weights=open_weights(folder), **settings)


def open_weights(folder: GeneratorFolder, *, device: str = "cpu") -> Any:
    """The weights of a folder for transformers, as a `TransformersModel`.

    Raises:
        MissingExtraError: the extra `train` is not installed.
        ModelFileError: there are none, or the base of an adapter is not on this machine.
    """
    from coreact.generate.trained.completing import TransformersModel

    record = folder.record
    if folder.model is not None:
        return TransformersModel.open(folder.model, name=record.name, device=device, template=record.template)
    if folder.adapter is not None:
        return TransformersModel.open(
            record.base,
            name=record.name,
            adapter=folder.adapter,
            device=device,
            template=record.template,
        )
    raise ModelFileError(
        f"The generator {record.name!r} has no weights for transformers.",
        path=folder.path / MODEL,
        remedy="Use the engine llama.cpp, or train again: `coreact train fit` writes both.",
    )


# --- a server ---------------------------------------------------------------------------------------


def _remote(source: str, *, form: Form | None, seed: int, strict: bool) -> PromptedGenerator:
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    url, wanted = urldefrag(source)
    base_url = url.rstrip("/")
    key = os.environ.get("OPENAI_API_KEY", "none")
    name, record = _served(base_url, wanted, key=key)
    if record is None and form is None:
        raise ConfigError(
            f"Nothing says in which form {name!r} at {base_url} was trained.",
            remedy="Give the form (sheet, lines or records), or serve it under its generator's name.",
        )
    if record is not None and form in (None, record.form):
        check_versions(record, strict=strict)
        asked: dict[str, Any] = {"temperature": record.temperature, "max_tokens": record.max_tokens}
        if record.template:
            asked["extra_body"] = {"chat_template_kwargs": record.template}
        form = record.form
    else:
        asked = {"temperature": 0.0}
    if urlsplit(base_url).hostname in _LOOPBACK:  # no proxy of the environment reaches this machine's own
        unkept: dict[str, Any] = {"trust_env": False, "limits": httpx.Limits(max_keepalive_connections=0)}
        asked |= {"http_client": httpx.Client(**unkept), "http_async_client": httpx.AsyncClient(**unkept)}
    model = ChatOpenAI(model=name, base_url=base_url, api_key=SecretStr(key), seed=seed, **asked)
    # Which weights a server holds cannot be checked, so the version does not vouch for them.
    return PromptedGenerator(model, form=form or "lines")


class _Listed(NamedTuple):
    """A model that a server has."""

    name: str
    record: GeneratorRecord | None
    """What the server or a folder of its name says of it."""


def _listed(entry: Mapping[str, Any]) -> _Listed:
    name, said = str(entry["id"]), entry.get("coreact")
    if said is not None:
        return _Listed(name, GeneratorRecord.model_validate(said))
    path = generators().get(name)
    return _Listed(name, None if path is None else read_folder(path).record)


def _served(base_url: str, wanted: str, *, key: str) -> _Listed:
    """The model to ask: the one that is wanted, else the only one that is no adapter.

    Raises:
        GenerationError: the server cannot be reached or has no such model.
        ConfigError: it has several.
    """
    try:
        with httpx.Client(trust_env=urlsplit(base_url).hostname not in _LOOPBACK, timeout=_SECONDS) as client:
            answer = client.get(f"{base_url}/models", headers={"Authorization": f"Bearer {key}"})
        answer.raise_for_status()
        entries = {str(one["id"]): one for one in answer.json()["data"]}
        models = [name for name, one in entries.items() if one.get("parent") is None]
        names = [wanted] if wanted else models
        if len(names) == 1 and names[0] in entries:
            return _listed(entries[names[0]])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GenerationError(
            f"The server at {base_url} does not list its models: {type(error).__name__}: {error}.",
            generator=base_url,
            cause="transport",
            remedy="Check that it runs, that the URL ends in /v1, and OPENAI_API_KEY.",
        ) from error
    if wanted:
        raise GenerationError(
            f"The server at {base_url} has no model {wanted!r}.",
            generator=wanted,
            remedy=f"It has: {', '.join(entries) or 'none'}.",
        )
    raise ConfigError(
        f"The server at {base_url} has {len(models)} models.",
        remedy=f"Name one of them behind #: {', '.join(entries) or 'there is none'}.",
    )
