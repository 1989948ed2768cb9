"""`coreact trace …`: what can be done with recorded runs. One module a family of commands.

Errors are not caught in them: the main program turns them into messages and exit codes.
"""

from __future__ import annotations

import typer

from coreact.cli.trace.comparing import count_runs, diff_runs
from coreact.cli.trace.exporting import export_runs
from coreact.cli.trace.importing import import_runs
from coreact.cli.trace.judging import rejudge_runs
from coreact.cli.trace.looking import list_runs, show_run
from coreact.cli.trace.replaying import fork_run, replay_run
from coreact.cli.trace.sending import send_runs
from coreact.cli.trace.upkeep import collect_store, merge_stores, verify_store

trace_app = typer.Typer(name="trace", help="Look at recorded runs.", no_args_is_help=True)
trace_app.command("list")(list_runs)
trace_app.command("show")(show_run)
trace_app.command("export")(export_runs)
trace_app.command("import")(import_runs)
trace_app.command("send")(send_runs)
trace_app.command("verify")(verify_store)
trace_app.command("gc")(collect_store)
trace_app.command("merge")(merge_stores)
trace_app.command("replay")(replay_run)
trace_app.command("fork")(fork_run)
trace_app.command("rejudge")(rejudge_runs)
trace_app.command("diff")(diff_runs)
trace_app.command("stats")(count_runs)
