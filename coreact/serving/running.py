"""A generator on a port, by the engine that was chosen, until it is interrupted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

from coreact.errors import ConfigError, LocalServerError, MissingExtraError, ModelFileError
from coreact.generate.trained import GGUF, GeneratorFolder, check_versions
from coreact.generate.trained.adapters import is_adapter_name
from coreact.listening import bound, is_loopback
from coreact.serving.vllm import Device, VllmServer, launch

Engine = Literal["auto", "vllm", "llama.cpp", "transformers"]
"""What runs the weights. `auto`: llama.cpp where there is a `model.gguf` and no adapter is asked for, else
transformers; vLLM only where it is named."""

Ready = Callable[[str], object]


def engine_of(folder: GeneratorFolder, engine: Engine, *, adapters: Mapping[str, Path]) -> Engine:
    """The engine that `auto` stands for, or the one that was named.

    Raises:
        ConfigError: llama.cpp is to change adapters, which it cannot.
    """
    if engine == "auto":
        return "llama.cpp" if folder.gguf is not None and not adapters else "transformers"
    if engine == "llama.cpp" and adapters:
        raise ConfigError("llama.cpp serves no adapters.", remedy="Use --engine vllm or transformers.")
    return engine


def serve_generator(
    folder: GeneratorFolder,
    *,
    engine: Engine = "auto",
    host: str = "127.0.0.1",
    port: int = 0,
    adapters: Mapping[str, Path] | None = None,
    threads: int = 1,
    parallel: int = 8,
    device: Device = "auto",
    python: Path | None = None,
    ready: Ready = lambda _: None,
) -> None:
    """Serve a generator until it is interrupted (Ctrl-C ends it quietly).

    Args:
        folder: the generator.
        engine: what runs its weights.
        host: the address to bind. There is no login; adapters are only changed on this machine's own.
        port: the port; 0: a free one.
        adapters: LoRA adapters by name, served from the start.
        threads: threads of llama.cpp and transformers on the processor.
        parallel: requests answered at once.
        device: where vLLM and transformers compute.
        python: interpreter of the environment that has vLLM.
        ready: called with the base URL (ending in `/v1`) once requests are answered.

    Raises:
        ConfigError: a setting does not fit the engine, or the address cannot be bound.
        ModelFileError, MissingExtraError, LocalServerError: the weights cannot be served.
    """
    named = dict(adapters or {})
    for name in named:
        if not is_adapter_name(name) or name == folder.record.name:
            raise ConfigError(
                f"An adapter cannot be called {name!r}.",
                remedy="Use letters, digits, dots, dashes and underscores, not the generator's own name.",
            )
    chosen = engine_of(folder, engine, adapters=named)
    check_versions(folder.record, strict=False)
    try:
        if chosen == "llama.cpp":
            _llama_cpp(folder, host=host, port=port, threads=threads, parallel=parallel, ready=ready)
        elif chosen == "vllm":
            with closing(bound(host, port, who="The server")) as free:
                address, port = free.getsockname()[:2]
            started = launch(
                folder,
                host=host,
                port=port,
                adapters=named,
                may_swap=is_loopback(address),
                parallel=parallel,
                device=device,
                python=python,
            )
            with VllmServer(started, host=host, port=port) as server:
                ready(server.base_url)
                if code := server.wait():
                    raise LocalServerError(f"vLLM ended with exit code {code}.", port=port)
        else:
            _transformers(
                folder,
                host=host,
                port=port,
                adapters=named,
                threads=threads,
                parallel=parallel,
                device=device,
                ready=ready,
            )
    except KeyboardInterrupt:
        return


def _llama_cpp(
    folder: GeneratorFolder, *, host: str, port: int, threads: int, parallel: int, ready: Ready
) -> None:
    from coreact.local import LocalServer

    if folder.gguf is None:
        raise ModelFileError(
            f"The generator {folder.record.name!r} has no {GGUF}.",
            path=folder.path / GGUF,
            remedy="Use --engine transformers or vllm.",
        )
    if not is_loopback(host):
        raise ConfigError(
            "The embedded llama.cpp listens on this machine only.", remedy="Leave --host out, or use vLLM."
        )
    record = folder.record
    with LocalServer(
        folder.gguf,
        threads=threads,
        parallel=parallel,
        context_tokens=record.context_tokens,
        port=port,
        name=record.name,
    ) as server:
        ready(server.base_url)
        threading.Event().wait()


def _transformers(
    folder: GeneratorFolder,
    *,
    host: str,
    port: int,
    adapters: Mapping[str, Path],
    threads: int,
    parallel: int,
    device: Device,
    ready: Ready,
) -> None:
    try:
        import torch
        import uvicorn

        from coreact.serving.app import LOOPBACK, create_app
    except ModuleNotFoundError as error:
        extra = "train" if error.name == "torch" else "view"
        raise MissingExtraError("Serving a generator by transformers", extra=extra) from error
    from coreact.generate.trained.opening import open_weights

    torch.set_num_threads(threads)
    where = "cuda" if device == "auto" and torch.cuda.is_available() else "cpu"
    weights = open_weights(folder, device=where)
    for name, path in adapters.items():
        weights.load_adapter(name, path)
    with closing(bound(host, port, who="The server")) as listening:
        listening.listen(128)
        shown = f"[{host}]" if ":" in host else host
        app = create_app(
            weights,
            folder.record,
            most=parallel,
            hosts=(*LOOPBACK, shown),
            may_swap=is_loopback(listening.getsockname()[0]),
        )
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, ws="none", lifespan="on"
        )
        ready(f"http://{shown}:{listening.getsockname()[1]}/v1")
        uvicorn.Server(config).run(sockets=[listening])
