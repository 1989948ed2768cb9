"""Files of questions with short answers: Bamboogle, StrategyQA, GAIA and plain lists.

The answers of Bamboogle, GAIA and a plain list need the open web: give the agent its tools as `equipment`.
StrategyQA has gold facts, which make a tiny corpus. Nothing is fetched, and no data comes with this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.tools import BaseTool

from coreact.bench.suites.questions import PASSAGES_SHOWN, QuestionSuite, ShortQuestion
from coreact.bench.suites.reading import located, records, text_of
from coreact.worlds import Passage


def bamboogle(
    path: Path | str | None = None, *, name: str = "bamboogle", equipment: Sequence[BaseTool] = ()
) -> QuestionSuite:
    """Two-hop questions with answers and no passages: `id`, `question`, `answer` on each line.

    Also any other list of this shape; `answers`, a list, may stand for `answer`.

    Args:
        path: the file, or a folder with `bamboogle.jsonl`.
        name: of the suite.
        equipment: tools for the agent.

    Raises:
        LabelFileError: the file or a line cannot be used.
    """
    return QuestionSuite(name, records(located(path, "bamboogle.jsonl"), _plain), equipment=equipment)


def strategyqa(
    path: Path | str | None = None, *, k: int = PASSAGES_SHOWN, equipment: Sequence[BaseTool] = ()
) -> QuestionSuite:
    """Yes/no questions with a corpus of gold facts (StrategyQA, arXiv 2101.02235).

    The facts are statements written by annotators for just these questions, so searching them is easier
    than searching an encyclopedia: read the gold share with that in mind.

    Args:
        path: the file of questions, or a folder with `strategyqa_questions.jsonl`; the facts are read from
            `strategyqa_facts.jsonl` beside it.
        k: facts that one search shows.
        equipment: further tools for the agent.

    Raises:
        LabelFileError: a file or a line cannot be used, or a question names a fact that is not there.
    """
    file = located(path, "strategyqa_questions.jsonl")
    facts = records(located(file.with_name("strategyqa_facts.jsonl"), "strategyqa_facts.jsonl"), _fact)
    known = {fact.id for fact in facts}

    def read(fields: Mapping[str, Any]) -> ShortQuestion:
        if text_of(fields, "answer") not in ("yes", "no"):
            raise ValueError(f"the answer must be yes or no, not {fields['answer']!r}")
        return ShortQuestion(
            id=fields["id"],
            prompt=text_of(fields, "question"),
            accepted=(fields["answer"],),
            gold=_known(fields["fact_ids"], known),
        )

    return QuestionSuite("strategyqa", records(file, read), passages=facts, equipment=equipment, k=k)


def gaia(
    path: Path | str | None = None, *, level: int | None = None, equipment: Sequence[BaseTool] = ()
) -> QuestionSuite:
    """Questions in the shape of GAIA (arXiv 2311.12983): `task_id`, `Question`, `Final answer`, `Level`.

    Compared by this library's normal form; GAIA's own scorer also reads numbers with units and lists, so its
    figures may be higher. A question that comes with a file (`file_name`) is left out: there is no tool here
    that reads it to the agent.

    Args:
        path: the file, or a folder with `metadata.jsonl`.
        level: only questions of this level; None: all.
        equipment: tools for the agent.

    Raises:
        LabelFileError: the file or a line cannot be used.
        ConfigError: no question is left.
    """
    read = records(located(path, "metadata.jsonl"), _gaia)
    kept = [one.question for one in read if not one.file and level in (None, one.level)]
    return QuestionSuite("gaia", kept, equipment=equipment)


def _fact(fields: Mapping[str, Any]) -> Passage:
    """A line of `id`, `title` and `text`; other fields are passed over."""
    return Passage(id=fields["id"], title=fields["title"], text=fields["text"])


def _known(ids: Any, known: set[str]) -> tuple[str, ...]:
    """Ids of passages, each of which is there.

    Raises:
        ValueError: this is no list, or one of them is unknown.
    """
    if not isinstance(ids, list) or not set(ids) <= known:
        raise ValueError(f"not a list of ids of known passages: {ids!r:.200}")
    return tuple(dict.fromkeys(ids))


def _plain(fields: Mapping[str, Any]) -> ShortQuestion:
    accepted = fields["answers"] if "answers" in fields else [fields["answer"]]
    if not isinstance(accepted, list) or not accepted or not all(isinstance(a, str) and a for a in accepted):
        raise ValueError("the accepted answers must be texts with something in them")
    return ShortQuestion(id=fields["id"], prompt=text_of(fields, "question"), accepted=tuple(accepted))


class _Gaia(NamedTuple):
    id: str
    question: ShortQuestion
    level: int
    file: str


def _gaia(fields: Mapping[str, Any]) -> _Gaia:
    question = ShortQuestion(
        id=fields["task_id"],
        prompt=text_of(fields, "Question"),
        accepted=(text_of(fields, "Final answer"),),
        kind=f"level {fields['Level']}",
    )
    return _Gaia(question.id, question, int(fields["Level"]), fields.get("file_name") or "")
