"""`coreact trace send`: stored runs to an OTLP endpoint, as they would have been told live.

Errors are not caught here: the main program turns them into messages and exit codes.
"""

from __future__ import annotations

import json
from contextlib import closing
from typing import Annotated

import typer

from coreact.cli.trace.opening import StoreOption, open_store
from coreact.errors import TelemetryError
from coreact.trace.telemetry import OtlpTelemetry


def send_runs(
    runs: Annotated[list[str], typer.Argument(help="Ids of the runs, or their beginnings.")],
    *,
    otlp: Annotated[
        str, typer.Option(metavar="ENDPOINT", help="Root of an OTLP/HTTP endpoint.")
    ] = "http://127.0.0.1:4318",
    content: Annotated[
        bool, typer.Option("--content", help="Send questions, answers, arguments, results, reasons too.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=600, help="Seconds to wait for each part of an answer.")
    ] = 5.0,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Send stored runs to an OpenTelemetry receiver."""
    telemetry = OtlpTelemetry(otlp, content=content, timeout=timeout)
    sent, spans, events = 0, 0, 0
    with closing(open_store(store)) as opened:
        whole = [opened.trajectory(run).run.id for run in runs]  # before any is sent: all of them are there
        for run in dict.fromkeys(whole):
            telemetry.trajectory(opened.trajectory(run))
            try:
                taken = telemetry.flush()
            except TelemetryError as error:
                raise TelemetryError(
                    f"Sending run {run} failed after {sent} of {len(set(whole))} runs. {error.what}",
                    endpoint=error.endpoint,
                    remedy=error.remedy,
                ) from error
            sent, spans, events = sent + 1, spans + taken[0], events + taken[1]
    if as_json:
        typer.echo(
            json.dumps({"runs": sent, "spans": spans, "events": events, "endpoint": telemetry.endpoint})
        )
    else:
        what = f"{sent} run" if sent == 1 else f"{sent} runs"
        typer.echo(f"Sent {what} to {telemetry.endpoint}: {spans} spans, {events} evaluation events.")
