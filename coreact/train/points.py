"""Branching points on disk and in a cell of a table: read one at a time, written as one text.

A collection of a hundred thousand points is some gigabytes, so nothing here holds more than one of them. A
line that cannot be used is an error with its place and not a smaller data set. Where points come from, and
what is made of them, is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from coreact.errors import ConfigError, LabelFileError
from coreact.rubric.branching import BranchingPoint
from coreact.trace.lines import Line
from coreact.worlds.lines import json_objects

VISITS, POINTS = "visits.jsonl", "points.jsonl"
"""The files of a folder that hold points: the visits of a collection, or points alone."""

MEASURED = "measured"
"""Who is named as the judge of points whose gains were measured."""

_BOM = b"\xef\xbb\xbf"


def point_text(point: BranchingPoint) -> str:
    """A point as one line of JSON: the cell `point` of a training row, or a line of `points.jsonl`.

    Equal points give equal texts in every process. Halves of characters, which no UTF-8 file holds, become
    U+FFFD.
    """
    # Python's sets have no order of their own.
    text = json.dumps(point.model_dump(exclude_defaults=True), default=sorted, ensure_ascii=False)
    return whole(text)


def point_of(text: str) -> BranchingPoint:
    """The point of such a text.

    Raises:
        ValueError: it is none.
    """
    return BranchingPoint.model_validate(json.loads(text))


def whole(text: str) -> str:
    """The text with halves of characters replaced: models write them, and no UTF-8 file holds them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def point_files(paths: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """The files that hold the points meant by these paths, in the order given.

    Args:
        paths: files, or folders with a `visits.jsonl` or a `points.jsonl`.

    Raises:
        LabelFileError: there is no such file, a folder has none of the two or both, or no path is given.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise LabelFileError("No points are named.", remedy="Name a folder of `coreact train collect`.")
    return tuple(_file(Path(path)) for path in given)


def _file(path: Path) -> Path:
    if not path.is_dir():
        if not path.is_file():
            raise LabelFileError(
                f"{path} does not exist.", path=path, remedy="Name a folder of `coreact train collect`."
            )
        return path
    found = [file for name in (VISITS, POINTS) if (file := path / name).is_file()]
    if len(found) != 1:
        held = f"both {VISITS} and {POINTS}" if found else f"neither {VISITS} nor {POINTS}"
        raise LabelFileError(
            f"The folder {path} holds {held}.",
            path=path,
            remedy="Name the file." if found else "Name a folder of `coreact train collect`.",
        )
    return found[0]


def read_points(paths: str | Path | Sequence[str | Path]) -> Iterator[BranchingPoint]:
    """The points of files, one after the other; one is in memory at a time.

    A line is a point, or a visit of a collection that holds one; visits without a point are passed over. So
    is the last line of a `visits.jsonl` where it has no end: a collection that was killed, or is at work.

    Args:
        paths: files, or folders with a `visits.jsonl` or a `points.jsonl`.

    Raises:
        LabelFileError: a file cannot be read, or a line is no point; the error names the line.
    """
    for path in point_files(paths):
        yield from _points(path)


def _points(path: Path) -> Iterator[BranchingPoint]:
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if path.name == VISITS and not raw.endswith(b"\n"):
                    return
                for line in json_objects(raw.removeprefix(_BOM), partial(_line, path, number)):
                    # A visit has its point in a field of this name, which a point has not.
                    fields = line.fields.get("point", line.fields)
                    if fields is not None:
                        yield _read(line, fields)
    except OSError as failure:
        raise LabelFileError(
            f"{path} cannot be read: {failure.strerror}.", path=path, remedy="Name another file."
        ) from failure


def _line(path: Path, number: int, _: int, fields: dict[str, Any]) -> Line:
    return Line(path, number, fields)


def _read(line: Line, fields: object) -> BranchingPoint:
    try:
        return BranchingPoint.model_validate(fields)
    except ValidationError as failure:
        raise line.misfit(failure) from failure


def by_one_panel(points: Iterable[BranchingPoint], *, mix: bool = False) -> Iterator[BranchingPoint]:
    """The points as they come, as long as the same judges ranked them all.

    Ranks of different judges, or of one judge under another prompt, are different labels: a model that is
    trained on a mixture learns neither, and no figure says of whom it speaks. That one judge of a panel
    failed on a point is no mixture, nor is a point without contrast: it has no label.

    Args:
        points: the points.
        mix: take them all, whoever ranked them.

    Raises:
        ConfigError: a point was ranked by others than those before it, by another version of one of them, or
            measured where those before were ranked (or the other way round).
    """
    panel: frozenset[str] = frozenset()
    for point in points:
        judges = judges_of(point)
        if not point.has_contrast:
            yield point  # it has no label, whoever tried
            continue
        if not mix and panel and not _of_one_panel(panel, judges):
            raise ConfigError(
                f"Point {point.id!r} was ranked by {_named(judges)}, points before it by {_named(panel)}.",
                remedy="Train on points of one panel, or allow the mixture (mix_judges).",
            )
        panel |= judges
        yield point


def judges_of(point: BranchingPoint) -> frozenset[str]:
    """Ids of the judges that ranked a point; `MEASURED` where its gains were measured."""
    return frozenset(one.judge for one in point.rankings) or frozenset({MEASURED})


def _of_one_panel(panel: frozenset[str], judges: frozenset[str]) -> bool:
    if not judges & panel:
        return False
    missing = {_name(judge) for judge in panel - judges}
    return not any(_name(judge) in missing for judge in judges - panel)


def _name(judge: str) -> str:
    return judge.rpartition("@")[0] or judge


def _named(judges: frozenset[str]) -> str:
    return ", ".join(sorted(judges))
