"""Options that say which runs are meant, the same for every command that takes many."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from coreact.errors import ConfigError
from coreact.trace import RunStatus

AgentOption = Annotated[str | None, typer.Option("--agent", help="Runs of this agent.")]
OriginOption = Annotated[str | None, typer.Option("--origin", help="`coreact`, or an imported format.")]
StatusOption = Annotated[RunStatus | None, typer.Option("--status", help="Runs that ended so.")]
QuestionOption = Annotated[str | None, typer.Option("--question", help="A part of the question.")]
MinScoreOption = Annotated[
    float | None, typer.Option("--min-score", min=0, max=1, help="Least mean step score of a run.")
]
MaxScoreOption = Annotated[
    float | None, typer.Option("--max-score", min=0, max=1, help="Greatest mean step score of a run.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Runs started then or later: `2026-11-01` or with a time.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Runs started before then.")]
ToolOption = Annotated[str | None, typer.Option("--tool", help="Runs that called this tool.")]
RubricLockOption = Annotated[
    str | None, typer.Option("--rubric-lock", help="Runs guided by this rubric; its lock's beginning.")
]
JudgedByOption = Annotated[
    str | None, typer.Option("--judged-by", help="Runs that this evaluator judged later.")
]


def nanoseconds(text: str | None, option: str) -> int | None:
    """A moment as a person writes it, in nanoseconds since 1970; local time where no zone is given.

    Raises:
        ConfigError: it is none.
    """
    if text is None:
        return None
    try:
        moment = int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000
        if abs(moment) >= 2**63:
            raise OverflowError("beyond the times that a store can hold")
        return moment
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(
            f"{option} {text!r} is no time.", remedy="Write 2026-11-01, or 2026-11-01T12:00+00:00."
        ) from error
