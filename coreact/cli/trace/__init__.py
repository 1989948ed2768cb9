"""`coreact trace …`: what can be done with recorded runs. One module a family of commands.

Errors are not caught in them: the main program turns them into messages and exit codes.
"""

from __future__ import annotations

import typer

from coreact.cli.trace.looking import list_runs, show_run

trace_app = typer.Typer(name="trace", help="Look at recorded runs.", no_args_is_help=True)
trace_app.command("list")(list_runs)
trace_app.command("show")(show_run)
