"""What a collection leaves on disk: one line for each decision visited, one for each question ended.

A visit is written as it happens, so a killed collection loses the decision under way and no more. Questions
run side by side and lines come in the order in which models answer; once all have ended, the lines are put
into the order of the questions, so a collection that was killed and went on leaves the same bytes as one that
was not. Nothing here collects, and nothing stays in memory that is on disk.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from coreact.errors import ExperimentMismatchError, LabelFileError, StoreError
from coreact.rubric import Action, Record, State
from coreact.rubric.branching import BranchingPoint
from coreact.trace.journal import Journal
from coreact.trace.lines import Line, read_bytes, write_whole
from coreact.worlds.lines import json_objects

Driver = Literal["best", "random", "student", "teacher", "stored"]
"""Who chose an action that was taken. `best`: the candidate of highest worth; `random`: a candidate drawn;
`student`: one of the samplers' own proposals, drawn; `teacher`: the teacher; `stored`: the stored run."""

Worth = Literal["gain", "panel", "verdicts", "none"]
"""Where the gains of a point come from. `gain`: measured by executing; `panel`: minus the consensus rank of
judges; `verdicts`: minus the ranks of a stored run's attempts by its verdicts; `none`: nobody could tell.
Then they are all 0, which is no contrast and can train nothing."""

End = Literal["answered", "budget", "stuck", "failed", "stored"]
"""How a question ended. `answered`: an answer was followed; `budget`: no tool call was left; `stuck`: nobody
proposed anything usable; `failed`: an error, which cost this question only and is tried again when the
collection goes on; `stored`: all decisions of a stored run were visited."""

R = TypeVar("R", bound=Record)

VISITS, ENDS, SETTINGS = "visits.jsonl", "ends.jsonl", "collect.json"


class Visit(Record):
    """One decision that a collection came to."""

    question_id: str = Field(min_length=1)
    step: int = Field(ge=0)
    """Decisions before this one, in its run."""
    run: str = ""
    """Id of the stored run it was visited in; empty for a live one."""
    point: BranchingPoint | None = None
    """The candidates and their worth; None where fewer than two different ones were left."""
    alone: State | None = None
    """The state, where there is no point that holds it."""
    worth: Worth = "none"
    unlabelled: str = ""
    """Why nobody could tell what the candidates are worth."""
    rolled_in: tuple[Driver, ...] = ()
    """Who chose each action before this one."""
    driver: Driver | None = None
    """Who chose the action that was followed here; None where the run ends here for want of one."""
    followed: Action | None = None
    followed_candidate: int | None = Field(default=None, ge=0)
    """Its position in the point; None where it is none of the kept candidates."""
    teacher: Action | None = None
    """What the teacher would do here, whoever acted: the label of imitation."""
    teacher_failed: str = ""
    """Why the teacher has no action here, where one was asked."""
    beta: float | None = Field(default=None, ge=0, le=1)
    """Share of decisions that the teacher was meant to have; None without a teacher."""
    proposed: int = Field(default=0, ge=0)
    """Proposals asked for, failed calls included; the teacher's is one of them."""
    dropped: dict[str, int] = Field(default_factory=dict)
    """By reason (see `Drop`), the proposals that became no candidate; with the candidates they add up to
    `proposed`."""

    @model_validator(mode="after")
    def _one_state(self) -> Self:
        if (self.point is None) == (self.alone is None):
            raise ValueError("a visit has either a point or a state alone")
        return self

    @property
    def state(self) -> State:
        """The state of the decision."""
        state = self.alone if self.point is None else self.point.state
        assert state is not None  # noqa: S101 - held by the validator
        return state


class Ended(Record):
    """One question (or stored run) that a collection is done with."""

    question_id: str
    run: str = ""
    how: End
    visits: int = Field(ge=0)
    """Decisions visited."""
    passed_over: dict[str, int] = Field(default_factory=dict)
    """Decisions of a stored run that could not be visited, by reason."""
    error: str = ""
    """Type and text of what failed."""


class Notebook:
    """The folder of one collection: what was visited before, and where new visits go.

    Args:
        folder: made where there is none.
        settings: what the collection was asked for; plain JSON. An earlier part under other settings would
            make a mixture that no seed repeats.

    Raises:
        ExperimentMismatchError: the folder holds a collection under other settings.
        LabelFileError: a file of it cannot be used.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder = folder
        _agree(folder, settings)
        (folder / VISITS).touch()  # a collection without any visit is an empty file, not a missing one
        self._visits = Journal(folder / VISITS, Visit)
        self._ends = Journal(folder / ENDS, Ended)
        self._open: dict[tuple[str, str], list[Visit]] = {}
        self._done: dict[tuple[str, str], Ended] = {}
        for ended in self._ends.records:
            if ended.how != "failed":
                self._done[ended.question_id, ended.run] = ended
        for visit in self._visits.records:
            key = (visit.question_id, visit.run)
            if key not in self._done:
                self._open.setdefault(key, []).append(visit)
        self._visits.records.clear()  # what is on disk need not stay in memory
        self._ends.records.clear()
        self._full: StoreError | None = None

    def done(self, question_id: str, run: str = "") -> bool:
        """Whether a question ended before, other than by an error."""
        return (question_id, run) in self._done

    def begun(self, question_id: str, run: str = "") -> list[Visit]:
        """The visits of a question that did not end, by step; given once."""
        return sorted(self._open.pop((question_id, run), []), key=lambda visit: visit.step)

    def visit(self, visit: Visit) -> None:
        """Write a visit down.

        Raises:
            StoreError: it cannot be written.
        """
        self._write(self._visits, visit)

    def end(self, ended: Ended) -> None:
        """Write down that a question ended.

        Raises:
            StoreError: it cannot be written.
        """
        self._write(self._ends, ended)

    def _write(self, journal: Journal[R], record: R) -> None:
        if self._full is not None:  # after half a line nothing may be written behind it
            raise self._full
        try:
            journal.add(record)
        except OSError as failure:
            self._full = StoreError(
                f"{journal.path} cannot be written: {failure.strerror}.",
                path=journal.path,
                remedy="Everything visited before is stored; make room, and the same command goes on.",
            )
            raise self._full from failure
        journal.records.clear()

    def settle(self, order: Iterable[tuple[str, str]]) -> None:
        """Put both files into the order of the questions, each decision and each question once.

        Args:
            order: question id and run of all questions.
        """
        places = {key: at for at, key in enumerate(order)}
        for name in (VISITS, ENDS):
            _sort(self.folder / name, places)


def _agree(folder: Path, settings: Mapping[str, object]) -> None:
    path = folder / SETTINGS
    wanted = json.loads(json.dumps(settings))
    if not path.exists():
        write_whole(path, json.dumps(wanted, indent=2, sort_keys=True) + "\n")
        return
    try:
        begun = json.loads(path.read_bytes())
    except ValueError as failure:
        raise LabelFileError(
            f"{path} is no JSON.", path=path, remedy="Take another folder, or delete this one."
        ) from failure
    names = sorted(set(begun) | set(wanted))
    differences = tuple(
        f"{name} was {begun.get(name)!r}, not {wanted.get(name)!r}"
        for name in names
        if begun.get(name) != wanted.get(name)
    )
    if differences:
        raise ExperimentMismatchError(folder, differences)


def _sort(path: Path, places: Mapping[tuple[str, str], int]) -> None:
    if not path.exists():
        return
    lines: dict[tuple[int, str, str, int], tuple[int, int]] = {}
    given = []
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break  # torn by a kill, and nothing was written since
            fields = json.loads(line)
            of = (fields["question_id"], fields.get("run", ""))
            key = (places.get(of, len(places)), *of, int(fields.get("step", 0)))
            given.append(key)
            lines[key] = (offset, len(line))  # of a question that failed first, its last end
            offset += len(line)
        if given == sorted(lines):
            return
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as target:
                for _, (start, length) in sorted(lines.items()):
                    file.seek(start)
                    target.write(file.read(length))
                target.flush()
                os.fsync(target.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:  # whatever it was, also Ctrl-C: it goes on, but leaves no part of a file
            Path(name).unlink(missing_ok=True)
            raise


def read_visits(path: Path) -> Iterator[Visit]:
    """The visits of a collection, one by one.

    Args:
        path: its folder, or the file of visits.

    Raises:
        LabelFileError: the file is missing, or a line is no visit.
    """
    path = path / VISITS if path.is_dir() else path
    if not path.exists():
        read_bytes(path)
    with path.open("rb") as file:
        for number, content in enumerate(file, start=1):
            if not content.endswith(b"\n"):
                return  # torn by a kill, or being written right now
            for line in json_objects(content, partial(_line, path, number)):
                try:
                    yield Visit.model_validate(line.fields)
                except ValidationError as failure:
                    raise line.misfit(failure) from failure


def _line(path: Path, number: int, _: int, fields: dict[str, Any]) -> Line:
    return Line(path, number, fields)
