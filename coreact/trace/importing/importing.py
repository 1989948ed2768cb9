"""A file of traces to trajectories: finds out which format it is and lets that format read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Literal, get_args

from coreact.errors import ConfigError, TraceFileError
from coreact.trace.importing import atif, chat, langsmith, spans, traced
from coreact.trace.importing.reading import Document, LeftOut, documents
from coreact.trace.records import Trajectory

TraceFormat = Literal["auto", "otlp", "openinference", "langsmith", "atif", "chat"]
"""What a file may be. `otlp` and `openinference` are both files of spans, and each trace says by its
attributes which convention it speaks; `auto` looks at the file."""

_LOOKED_AT = 20
_SHOWN_KEYS = 8


@dataclass
class Imported:
    """What a file holds, read while it is asked for."""

    path: Path
    trajectories: Iterator[Trajectory]
    """The runs, each once. Raises TraceFileError at the place where the file cannot be trusted."""
    left_out: list[LeftOut] = field(default_factory=list)
    """What became no part of a run, and why; complete when the trajectories are exhausted."""


def read_traces(
    path: Path | str,
    format: TraceFormat | str = "auto",  # noqa: A002 - its plain name
    *,
    skip_broken: bool = False,
) -> Imported:
    """Read the runs that another tool recorded.

    The runs have no rubric: they can be judged, compared, exported and trained on. Reading the same file
    twice gives the same run ids.

    Args:
        path: a file of JSON or JSON Lines.
        format: which tool's form it has.
        skip_broken: whether to leave out what is broken instead of refusing the file.

    Raises:
        ConfigError: there is no such format.
        TraceFileError: the file cannot be read, is of no known format or is broken; also while the
            trajectories are read.
    """
    if format not in get_args(TraceFormat):
        raise ConfigError(
            f"There is no trace format {format!r}.", remedy=f"Use one of: {', '.join(get_args(TraceFormat))}."
        )
    path = Path(path)
    left_out: list[LeftOut] = []
    found = documents(path, left_out, skip_broken=skip_broken)
    first = list(islice(found, _LOOKED_AT))
    if not first:
        raise TraceFileError(f"{path} has no traces in it.", path=path, remedy="Name a file that has some.")
    known = format if format != "auto" else _format_of(first, path)
    trajectories = _read(known, chain(first, found), path, left_out, skip_broken=skip_broken)
    return Imported(path, _once(trajectories, left_out), left_out)


def _read(
    known: str, found: Iterator[Document], path: Path, left_out: list[LeftOut], *, skip_broken: bool
) -> Iterator[Trajectory]:
    if known == "langsmith":
        return langsmith.read(found, left_out, path, skip_broken=skip_broken)
    if known in ("otlp", "openinference"):
        return traced.read(found, left_out, path, skip_broken=skip_broken)
    written_ns = path.stat().st_mtime_ns
    if known == "atif":
        return atif.read(found, left_out, path, written_ns=written_ns, skip_broken=skip_broken)
    return chat.read(found, left_out, written_ns=written_ns)


_SPEAKERS: tuple[tuple[str, Callable[[object], bool]], ...] = (
    ("otlp", spans.speaks_otlp),
    ("atif", atif.speaks),
    ("langsmith", langsmith.speaks),
    ("openinference", spans.speaks_dump),
    ("chat", chat.speaks),
)


def _format_of(first: list[Document], path: Path) -> str:
    for document in first:
        for name, speaks in _SPEAKERS:
            if speaks(document.value):
                return name
    value = first[0].value
    shown = (
        ", ".join(repr(str(key)[:40]) for key in list(value)[:_SHOWN_KEYS]) if isinstance(value, dict) else ""
    )
    what = f"its first object has the keys {shown}" if shown else f"it begins with a {type(value).__name__}"
    raise TraceFileError(
        f"{path} is of no trace format that is known: {what}.",
        path=path,
        remedy="OTLP/JSON, OpenInference spans, LangSmith runs, ATIF and chat JSONL are read; name one with "
        "--format if it is one of them.",
    )


def _once(trajectories: Iterator[Trajectory], left_out: list[LeftOut]) -> Iterator[Trajectory]:
    seen: set[str] = set()
    for trajectory in trajectories:
        if trajectory.run.id in seen:
            left_out.append(LeftOut(f"run {trajectory.run.id}", "the same run stands in the file before"))
            continue
        seen.add(trajectory.run.id)
        yield trajectory
