"""The `coreact` command.

This module puts the commands together and ends them: errors of our own tree become one line on
standard error and their exit code (2 where the user can mend it, else 1); with `--json`, one JSON
object, also where the command line itself cannot be read.
Anything else is a bug and shows its traceback. What the commands do stands in their own modules,
which import their heavy parts when they run.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from coreact import __version__
from coreact.cli.bench import bench_app
from coreact.cli.display import one_line
from coreact.cli.doctor import doctor
from coreact.cli.judge import judge_app
from coreact.cli.local import local_app
from coreact.cli.rubric import rubric_app
from coreact.cli.run import run
from coreact.cli.serve_generator import serve_generator
from coreact.cli.trace import trace_app
from coreact.cli.train import train_app
from coreact.cli.view import view
from coreact.errors import ConfigError, CoReActError

app = typer.Typer(
    name="coreact",
    help="Step-level rubrics for LangGraph agents: run, look at judged runs, measure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(run)
app.command()(doctor)
app.command()(view)
app.command()(serve_generator)
app.add_typer(local_app, name="local")
app.add_typer(trace_app, name="trace")
app.add_typer(bench_app, name="bench")
app.add_typer(judge_app, name="judge")
app.add_typer(rubric_app, name="rubric")
app.add_typer(train_app, name="train")


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Step-level rubrics for LangGraph agents."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that cannot write ✓ must not end a run
            stream.reconfigure(errors="replace")
    as_json = "--json" in sys.argv
    try:
        sys.exit(app(prog_name="coreact", standalone_mode=not as_json))
    except CoReActError as error:
        _complain(error, as_json=as_json)
        sys.exit(error.exit_code)
    except typer.TyperException as error:  # only where typer does not end the process itself
        command = getattr(getattr(error, "ctx", None), "command_path", "coreact")
        misuse = ConfigError(error.format_message(), remedy=f"See `{command} --help`.")
        _complain(misuse, as_json=as_json)
        sys.exit(misuse.exit_code)


def _complain(error: CoReActError, *, as_json: bool) -> None:
    if as_json:
        fault = {"error": type(error).__name__, "what": error.what, "remedy": error.remedy}
        print(json.dumps(fault, ensure_ascii=False), file=sys.stderr)
        return
    line = Text(f"Error: {one_line(error.what)}", "bold red")
    line.append(f" {one_line(error.remedy)}".rstrip(), "not bold default")
    Console(stderr=True, soft_wrap=True).print(line)
