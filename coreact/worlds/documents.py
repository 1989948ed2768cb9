"""A world of documents: a customer's case that many documents are needed for, out of hundreds.

No question with one short answer: a task is a scenario (what a simulated customer knows and wants), and
done well means that every required document was found and the expected calls were made. So it is a record
of its own beside `World`. Its documents are searched as passages are, and `gold_share` measures a task as it
does a question. The tools that the expected calls name are not here: only what should have been called.

Source of the shape: tau2-bench, domain banking_knowledge (github sierra-research/tau2-bench).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from coreact.errors import WorldError
from coreact.worlds.lines import Line, read_lines
from coreact.worlds.records import Frozen, Passage, records_version

_DOCUMENTS = "documents.jsonl"
_TASKS = "tasks.jsonl"
_FOLDER = f"A world of documents is a folder with {_DOCUMENTS} and {_TASKS}."


class ExpectedCall(Frozen):
    """A call that solving a task takes."""

    name: str = Field(min_length=1)
    arguments: dict[str, Any] = Field(default_factory=dict)
    """As plain JSON."""
    requestor: Literal["assistant", "user"] = "assistant"
    """Who makes it: the agent, or the customer with a tool of their own."""
    compare: tuple[str, ...] | None = None
    """Names of the arguments that count; None: all."""


class DocumentTask(Frozen):
    """One customer's case."""

    id: str = Field(min_length=1)
    """Unique within its world."""
    scenario: str = Field(min_length=1)
    """Instructions to the simulated customer: who they are, what they want, what they keep to themselves. The
    agent is not shown it; where there is no simulated customer, it is the best prompt there is."""
    supporting_ids: tuple[str, ...] = Field(min_length=1)
    """Ids of the documents needed: the gold."""
    calls: tuple[ExpectedCall, ...] = ()
    """The calls expected, in order."""
    user_tools: tuple[str, ...] = ()
    """Tools that the customer has."""


class DocumentWorld(Frozen):
    """Documents and the tasks that need them."""

    name: str = Field(min_length=1)
    """For people; no part of the version."""
    documents: tuple[Passage, ...]
    tasks: tuple[DocumentTask, ...]

    @property
    def version(self) -> str:
        """`sha256:…` of documents and tasks."""
        return records_version(self.documents, self.tasks)

    @model_validator(mode="after")
    def _ids_hold_together(self) -> Self:
        known = {document.id for document in self.documents}
        for what, ids in (("document", [d.id for d in self.documents]), ("task", [t.id for t in self.tasks])):
            if len(set(ids)) != len(ids):
                raise ValueError(f"a {what} id occurs twice")
        for task in self.tasks:
            if unknown := sorted(set(task.supporting_ids) - known):
                raise ValueError(f"task {task.id!r} needs the unknown document {unknown[0]!r}")
        return self


def load_documents(folder: Path) -> DocumentWorld:
    """The world of documents in a folder, named after the folder.

    Each line of `documents.jsonl` is an object with `id`, `title` and `text`; each line of `tasks.jsonl` one
    with `id`, `scenario` and `required_documents`, and optionally `evaluation_criteria` (whose `actions` are
    the expected calls) and `user_tools`. Other fields are passed over.

    Raises:
        WorldError: a file is missing or empty, or a line is not JSON, lacks a field, repeats an id or names
            an unknown document; with path and line.
    """
    folder = Path(folder)
    documents: dict[str, Passage] = {}
    for line in read_lines(folder / _DOCUMENTS, remedy=_FOLDER):
        try:
            document = Passage(**line.required("id", "title", "text"))
        except ValidationError as failure:
            raise line.misfit(failure) from failure
        line.refuse_repeat("document", document.id, documents)
        documents[document.id] = document
    if not documents:
        path = folder / _DOCUMENTS
        raise WorldError(f"{path} has no documents.", path=path, remedy="Write one JSON object on each line.")
    tasks: dict[str, DocumentTask] = {}
    for line in read_lines(folder / _TASKS, remedy=_FOLDER):
        task = _task(line)
        line.refuse_repeat("task", task.id, tasks)
        unknown = [key for key in task.supporting_ids if key not in documents]
        if unknown:
            raise line.error(
                f"task {task.id!r} needs the unknown document {unknown[0]!r}",
                remedy=f"Add that document to {_DOCUMENTS}, or correct required_documents.",
            )
        tasks[task.id] = task
    name = folder.resolve().name or "documents"
    return DocumentWorld(name=name, documents=tuple(documents.values()), tasks=tuple(tasks.values()))


def _task(line: Line) -> DocumentTask:
    fields = line.required("id", "scenario", "required_documents")
    criteria = line.fields.get("evaluation_criteria") or {}
    actions = criteria.get("actions") if isinstance(criteria, dict) else None
    if not isinstance(criteria, dict) or not (
        actions is None or (isinstance(actions, list) and all(isinstance(one, dict) for one in actions))
    ):
        raise line.error(
            "the field 'evaluation_criteria' does not fit: an object whose 'actions' are objects is needed",
            remedy="Correct it, or leave it out.",
        )
    calls = [
        {
            ours: one[theirs]
            for theirs, ours in (
                ("name", "name"),
                ("arguments", "arguments"),
                ("requestor", "requestor"),
                ("compare_args", "compare"),
            )
            if one.get(theirs) is not None
        }
        for one in actions or []
    ]
    try:
        return DocumentTask(
            id=fields["id"],
            scenario=fields["scenario"],
            supporting_ids=fields["required_documents"],
            calls=calls,  # pydantic makes records of them
            user_tools=line.fields.get("user_tools") or (),
        )
    except ValidationError as failure:
        raise line.misfit(failure) from failure
