"""`coreact view`: look at stored runs in a browser, judge them, or write them as pages."""

from __future__ import annotations

import getpass
import webbrowser
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from coreact.cli.display import one_line
from coreact.cli.trace.opening import StoreOption, open_store
from coreact.errors import ConfigError, MissingExtraError
from coreact.trace import SQLiteTraceStore


def view(
    *,
    store: StoreOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: a free one.")] = 0,
    host: Annotated[
        str, typer.Option(help="Address to bind. Other than this machine's own: no login guards it.")
    ] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    reviewer: Annotated[
        str | None, typer.Option(help="Name under which your judgements are stored; default: your login.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Write pages into this folder instead, and serve nothing.")
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of a run for the bundle, or its beginning; several times. Default: the newest."
        ),
    ] = None,
) -> None:
    """Look at stored runs in a browser, and judge them."""
    if run and bundle is None:
        raise ConfigError("--run chooses what goes into a bundle.", remedy="Give --bundle FOLDER too.")
    try:
        from coreact.view import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("starlette", "jinja2", "markupsafe", "uvicorn", "anyio"):
            raise MissingExtraError("The viewer", extra="view") from error
        raise
    with closing(open_store(store)) as opened:
        if bundle is not None:
            _write(opened, bundle, run or [])
            return
        serve(
            opened,
            reviewer=_reviewer(reviewer),
            host=host,
            port=port,
            ready=lambda address: _announce(address, host=host, browse=not no_browser),
        )


def _write(store: SQLiteTraceStore, folder: Path, runs: list[str]) -> None:
    from coreact.view import write_bundle

    written = write_bundle(store, folder, runs=runs)
    left = f"; {written.left} more are not in it" if written.left else ""
    typer.echo(f"{written.runs} runs in {one_line(str(written.path))}{left}.")


def _reviewer(given: str | None) -> str:
    if given is not None:
        name = " ".join(given.split())
        if not name:
            raise ConfigError("The reviewer's name is empty.", remedy="Give one with --reviewer.")
        return name
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return "reviewer"


def _announce(address: str, *, host: str, browse: bool) -> None:
    from coreact.listening import is_loopback

    if not is_loopback(host):
        warning = f"Warning: whoever reaches {one_line(host)} can read every run here and judge in your name."
        Console(stderr=True, soft_wrap=True).print(Text(warning, "bold yellow"))
    typer.echo(f"Viewer at {address} (Ctrl-C ends it)")
    if browse:
        webbrowser.open(address)
