"""`coreact local`: fetch the embedded model, say what is there, serve it to other programs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from coreact.local import pull, status

local_app = typer.Typer(help="The embedded model.", no_args_is_help=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@local_app.command("pull")
def pull_command(
    gguf: Annotated[Path | None, typer.Option(help="Use this model file instead of the default one.")] = None,
    force: Annotated[bool, typer.Option(help="Fetch it again even if it is there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Download the embedded model once (93 MB), verify it, keep it."""
    path = pull(gguf, force=force)
    if as_json:
        print(json.dumps({"path": str(path)}))
    else:
        Console(soft_wrap=True).print(f"Model: {path}", markup=False, highlight=False)


@local_app.command("status")
def status_command(as_json: JsonFlag = False) -> None:
    """Say whether the embedded model and its server are there."""
    found = status()
    if as_json:
        print(found.model_dump_json())
        return
    console = Console(soft_wrap=True)
    for name, value in found.model_dump(mode="json").items():
        console.print(f"{name:20} {value}", markup=False, highlight=False)


@local_app.command("serve")
def serve_command(
    gguf: Annotated[
        Path | None, typer.Option(help="Serve this model file instead of the default one.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0: any free one.")] = 0,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    parallel: Annotated[int, typer.Option(min=1, help="Requests served at once.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Serve the embedded model on loopback, OpenAI-compatible, until Ctrl-C."""
    from coreact.local import LocalServer

    with LocalServer(pull(gguf), threads=threads, parallel=parallel, port=port) as server:
        print(json.dumps({"base_url": server.base_url}) if as_json else server.base_url, flush=True)
        threading.Event().wait()
