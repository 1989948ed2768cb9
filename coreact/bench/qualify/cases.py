"""The shape of labelled data: a proposal in a state, criteria, and what people said about them.

One JSON line is one `JudgeCase`. Every data set is read into this shape and nothing else downstream
knows where a case came from. Labels are what people said, not what a model said.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from coreact.errors import LabelFileError
from coreact.judge.records import Status
from coreact.judge.scoring.settling import CREDIT
from coreact.rubric import Action, Criterion, Record, State, Step
from coreact.rubric.canonical import digest, text_digest
from coreact.trace.lines import json_lines, read_bytes, write_whole

LabelStatus = Literal["met", "partial", "unmet", "not_applicable"]

Label = LabelStatus | Annotated[float, Field(ge=0, le=1, strict=True)]
"""What people said about one criterion: a status, or a score in [0, 1], higher is better."""


def label_status(label: Label) -> LabelStatus:
    """The status a label stands for; a score counts as `partial` from 0.25 to 0.75."""
    if not isinstance(label, float):
        return label
    return "unmet" if label < 0.25 else "partial" if label <= 0.75 else "met"


def label_credit(label: Label) -> float | None:
    """What a label is worth in [0, 1]; None where the criterion does not apply."""
    return label if isinstance(label, float) else CREDIT.get(label)


class JudgeCase(Record):
    """One proposal that people judged: what a judge is shown, and what it should say."""

    id: str = Field(min_length=1)
    """Unique in its data set."""
    dataset: str = Field(min_length=1)
    question: str
    given: tuple[str, ...] = ()
    """Other text the agent was given."""
    steps: tuple[Step, ...] = ()
    """Calls made and what came back, each observation with an id of its own for evidence."""
    action: Action
    """The proposal to judge."""
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    labels: dict[str, Label]
    """One for each criterion, by its id."""
    author: str | None = None
    """Model family that wrote the proposal (`openai`, `qwen`, …); None where it is not known."""
    group: str = ""
    """Cases of one group (one question, one trace) are not independent of each other; by default
    each case is its own."""
    stratum: str | None = None
    """What the report breaks down by: a task, a domain, a difficulty."""

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        wanted = {criterion.id for criterion in self.criteria}
        if len(wanted) != len(self.criteria):
            raise ValueError("criterion ids must be unique")
        if wanted != set(self.labels):
            raise ValueError(f"labels for {sorted(wanted ^ set(self.labels))} are missing or too many")
        return self

    @property
    def cluster(self) -> str:
        """The group, or the case's own id where it has none."""
        return self.group or self.id

    @cached_property
    def state(self) -> State:
        """The state in which the proposal was made."""
        return State.start(self.question, given=self.given).after(*self.steps, decisions=len(self.steps))

    @cached_property
    def asked(self) -> str:
        """Hash of all that a judge is shown; the labels are not part of it."""
        return digest(
            {
                "state": self.state.digest,
                "action": self.action.model_dump(exclude_defaults=True),
                "criteria": [criterion.model_dump(exclude_defaults=True) for criterion in self.criteria],
            }
        )

    def statuses(self) -> dict[str, Status]:
        """The labels as statuses, by criterion id."""
        return {key: label_status(label) for key, label in self.labels.items()}


class CaseSet(NamedTuple):
    """All cases of one data set."""

    name: str
    digest: str
    """Hash of the file they were read from."""
    cases: tuple[JudgeCase, ...]


def read_cases(path: Path) -> CaseSet:
    """Read a JSON lines file of cases, all or none.

    Raises:
        LabelFileError: it cannot be read, is empty, repeats an id or mixes data sets, or a line is
            no case.
    """
    content = read_bytes(path)
    cases: dict[str, JudgeCase] = {}
    for line in json_lines(path, content):
        try:
            case = JudgeCase.model_validate(line.fields)
        except ValidationError as failure:
            raise line.misfit(failure) from failure
        if case.id in cases:
            raise line.error(
                f"the case id {case.id!r} is taken by an earlier line", remedy="Give every case its own."
            )
        cases[case.id] = case
    return case_set(path, content, cases.values())


def case_set(path: Path, content: bytes, cases: Iterable[JudgeCase]) -> CaseSet:
    """Put cases that were read from a file together.

    Raises:
        LabelFileError: there are none, or they name several data sets.
    """
    found = tuple(cases)
    names = sorted({case.dataset for case in found})
    if len(names) != 1:
        raise LabelFileError(
            f"{path} holds cases of {len(names)} data sets{': ' if names else ''}{', '.join(names)}.",
            path=path,
            remedy="Write cases of exactly one data set into a file.",
        )
    return CaseSet(names[0], text_digest(content.decode("utf-8", "surrogateescape")), found)


def write_cases(path: Path, cases: Iterable[JudgeCase]) -> None:
    """Write cases as JSON lines.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    lines = (case.model_dump_json() for case in cases)
    write_whole(path, "".join(f"{line}\n" for line in lines))
