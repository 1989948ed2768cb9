"""`coreact serve-generator`: a trained rubric generator behind an OpenAI-compatible interface."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast, get_args

import typer
from rich.console import Console
from rich.text import Text

from coreact.cli.display import one_line
from coreact.errors import ConfigError


def serve_generator(
    generator: Annotated[str, typer.Argument(help="A trained generator's folder, or its name.")],
    engine: Annotated[
        str, typer.Option(help="What runs the weights: auto, llama.cpp, transformers or vllm.")
    ] = "auto",
    host: Annotated[
        str, typer.Option(help="Address to bind. Other than this machine's own: no login guards it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: a free one.")] = 0,
    adapter: Annotated[
        list[str] | None, typer.Option(help="A LoRA adapter, as NAME=FOLDER; may be repeated.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads on the processor (not vLLM).")] = 1,
    parallel: Annotated[int, typer.Option(min=1, help="Requests answered at once.")] = 8,
    device: Annotated[str, typer.Option(help="auto, or cpu (vLLM's CPU build needs it said).")] = "auto",
    python: Annotated[
        Path | None, typer.Option(help="Interpreter of the environment that has vLLM; default: this one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Serve a trained rubric generator until Ctrl-C; its address is a `--generator URL`."""
    from coreact.generate.trained import find_generator, read_folder
    from coreact.listening import is_loopback
    from coreact.serving import running, vllm

    folder = read_folder(find_generator(generator))
    chosen = cast("running.Engine", _one_of(engine, get_args(running.Engine), "--engine"))
    where = cast("vllm.Device", _one_of(device, get_args(vllm.Device), "--device"))
    named = _adapters(adapter or ())
    if not is_loopback(host):
        warning = f"Warning: whoever reaches {one_line(host)} can use this generator: there is no login."
        Console(stderr=True, soft_wrap=True).print(Text(warning, "bold yellow"))

    def ready(base_url: str) -> None:
        said = {"base_url": base_url, "model": folder.record.name, "form": folder.record.form}
        print(
            json.dumps(said) if as_json else f"{folder.record.name} at {base_url} (Ctrl-C ends it)",
            flush=True,
        )

    running.serve_generator(
        folder,
        engine=chosen,
        host=host,
        port=port,
        adapters=named,
        threads=threads,
        parallel=parallel,
        device=where,
        python=python,
        ready=ready,
    )


def _one_of(value: str, known: Sequence[str], option: str) -> str:
    if value not in known:
        raise ConfigError(f"{option} {value!r} is not known.", remedy=f"It is one of: {', '.join(known)}.")
    return value


def _adapters(given: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for one in given:
        name, sign, path = one.partition("=")
        if not sign or not name.strip() or not path.strip() or name.strip() in found:
            raise ConfigError(f"{one!r} is no adapter.", remedy="Write NAME=FOLDER, each name once.")
        found[name.strip()] = Path(path.strip())
    return found
