"""Reads a world from a folder of JSON lines: `passages.jsonl` and `questions.jsonl`.

A line that cannot be used is an error that names the file, the line and the remedy: skipping it would change
what a score means without anybody noticing. Fields that a world does not know (`src`, `level`, …) are passed
over, so that files of other projects can be read as they are. Nothing is written and nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from coreact.errors import WorldError
from coreact.worlds.lines import Line, read_lines
from coreact.worlds.multihop import chain
from coreact.worlds.records import Passage, Question, World

_PASSAGES = "passages.jsonl"
_QUESTIONS = "questions.jsonl"
_DISTRACTORS = "distractors*.jsonl"
_FOLDER = f"A world is a folder with {_PASSAGES} and {_QUESTIONS}."


def load_world(folder: Path, *, distractors: bool = False) -> World:
    """The world in a folder, named after the folder.

    Each line of `passages.jsonl` is an object with `id`, `title` and `text`; each line of `questions.jsonl`
    one with `id`, `question`, `answer` and `supporting_ids`, and optionally `answer_aliases`, `hops` (else
    the number of supporting passages), `type` (else `other`) and `decomposition` (MuSiQue's, see
    `coreact.worlds.multihop.chain`; the supporting passages then stand in its order). Blank lines are
    passed over.

    Args:
        folder: where the files are.
        distractors: also take the passages of `distractors*.jsonl`, which make search harder.

    Raises:
        WorldError: a file is missing or empty, or a line is not JSON, lacks a field, repeats an id, names
            an unknown passage, or has a decomposition that does not run through its supporting passages.
    """
    folder = Path(folder)
    sources = [folder / _PASSAGES]
    if distractors:
        found = sorted(folder.glob(_DISTRACTORS))
        if not found:
            raise WorldError(
                f"There is no {_DISTRACTORS} in {folder}.",
                path=folder,
                remedy="Put the file there, or load the world without distractors.",
            )
        sources.extend(found)
    passages: dict[str, Passage] = {}
    for source in sources:
        for line in read_lines(source, remedy=_FOLDER):
            passage = _passage(line)
            line.refuse_repeat("passage", passage.id, passages)
            passages[passage.id] = passage
    if not passages:
        raise WorldError(
            f"{sources[0]} has no passages.", path=sources[0], remedy="Write one JSON object on each line."
        )
    titles = {passage.id: passage.title for passage in passages.values()}
    questions: dict[str, Question] = {}
    for line in read_lines(folder / _QUESTIONS, remedy=_FOLDER):
        question = _question(line, titles)
        line.refuse_repeat("question", question.id, questions)
        unknown = [key for key in question.supporting_ids if key not in passages]
        if unknown:
            raise line.error(
                f"question {question.id!r} is supported by the unknown passage {unknown[0]!r}",
                remedy=f"Add that passage to {_PASSAGES}, or correct supporting_ids.",
            )
        questions[question.id] = question
    name = folder.resolve().name or "world"
    return World(name=name, passages=tuple(passages.values()), questions=tuple(questions.values()))


def _passage(line: Line) -> Passage:
    fields = line.required("id", "title", "text")
    try:
        return Passage(**fields)
    except ValidationError as failure:
        raise line.misfit(failure) from failure


def _question(line: Line, titles: Mapping[str, str]) -> Question:
    fields = line.required("id", "question", "answer", "supporting_ids")
    if isinstance(fields["supporting_ids"], list):
        fields["hops"] = max(1, len(fields["supporting_ids"]))
    optional = {"answer_aliases": "answer_aliases", "hops": "hops", "type": "kind"}
    fields["kind"] = "other"
    fields.update(
        (ours, line.fields[theirs])
        for theirs, ours in optional.items()
        if line.fields.get(theirs) is not None
    )
    try:
        question = Question(**fields)
    except ValidationError as failure:
        raise line.misfit(failure) from failure
    steps = line.fields.get("decomposition")
    return question if steps is None else _decomposed(line, question, steps, titles)


def _decomposed(line: Line, question: Question, steps: Any, titles: Mapping[str, str]) -> Question:
    try:
        if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
            raise ValueError("a list of objects is needed")
        hops = chain(steps, titles)
    except ValueError as failure:
        reason = failure.errors()[0]["msg"] if isinstance(failure, ValidationError) else failure
        raise line.error(
            f"the field 'decomposition' does not fit: {reason}", remedy="Correct it, or leave it out."
        ) from failure
    order = tuple(hop.passage_id for hop in hops)
    if sorted(order) != sorted(question.supporting_ids):
        raise line.error(
            "the decomposition does not run through supporting_ids",
            remedy="Name the same passages in both, or leave the decomposition out.",
        )
    return question.model_copy(update={"chain": hops, "supporting_ids": order})
