"""`coreact local`: fetch the embedded model and say what is there."""

from __future__ import annotations

import json
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
