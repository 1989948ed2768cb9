"""Suites by name, as the command line calls them.

The gazetteer stands in the library; every other suite reads files that somebody has. What a name's options
are is said by the function behind it: `suite_names` gives those with a line about each.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from langchain_core.tools import BaseTool
from pydantic import ConfigDict, TypeAdapter, ValidationError

from coreact.bench.records import Suite
from coreact.bench.suites import rubric_files
from coreact.bench.suites.questions import PASSAGES_SHOWN, QuestionSuite, ShortQuestion, choose, of_world
from coreact.bench.suites.reading import located, records
from coreact.bench.suites.rubric_files import Reader
from coreact.bench.suites.rubric_tasks import RubricTask
from coreact.bench.suites.rubrics import RubricSuite
from coreact.bench.suites.short_answers import bamboogle, gaia, strategyqa
from coreact.errors import ConfigError, LabelFileError
from coreact.judge import Judge
from coreact.train.branch.scripted import splits
from coreact.train.searcher.entity_split import by_country
from coreact.worlds import World, gazetteer, load_documents, load_fanout, load_world
from coreact.worlds.fanout import answer_strings

Open = Callable[..., Suite]
"""Takes a path or None, and options by name."""


def open_suite(name: str, path: Path | str | None = None, **options: Any) -> Suite:
    """The suite of this name.

    Args:
        name: one of `suite_names()`.
        path: its file, or the folder that holds it; the gazetteer needs none.
        **options: of the suite, see `suite_names` and the function of that name.

    Raises:
        ConfigError: there is no such suite or option, a value does not fit, or no task is left.
        LabelFileError: a file or a line of it cannot be used; says which.
        WorldError: the same, for the files of a world.
        MissingExtraError: the suite needs packages that are not installed.
    """
    opened = _SUITES.get(name)
    if opened is None:
        raise ConfigError(f"There is no suite {name!r}.", remedy=f"Use one of: {', '.join(_SUITES)}.")
    allowed = _options(opened)
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise ConfigError(
            f"The suite {name!r} has no option {unknown[0]!r}.",
            remedy=f"Its options are: {', '.join(allowed)}.",
        )
    hints = get_type_hints(opened)
    return opened(path, **{key: _fitting(name, key, value, hints[key]) for key, value in options.items()})


def suite_names() -> Mapping[str, str]:
    """The names of all suites, each with one line about it."""
    return {name: (inspect.getdoc(opened) or "").partition("\n")[0] for name, opened in _SUITES.items()}


def suite_options(name: str) -> tuple[str, ...]:
    """Names of the options of a suite.

    Raises:
        ConfigError: there is no such suite.
    """
    if name not in _SUITES:
        raise ConfigError(f"There is no suite {name!r}.", remedy=f"Use one of: {', '.join(_SUITES)}.")
    return _options(_SUITES[name])


def _options(opened: Open) -> tuple[str, ...]:
    return tuple(name for name in inspect.signature(opened).parameters if name != "path")


def _fitting(suite: str, option: str, value: Any, hint: Any) -> Any:
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as failure:
        raise ConfigError(
            f"The option {option!r} of the suite {suite!r} does not fit: {failure.errors()[0]['msg']}.",
            remedy="Give a value of its type; see docs/suites.md.",
        ) from failure


# --- worlds ------------------------------------------------------------------------------------


def world_suite(
    world: World,
    name: str | None = None,
    *,
    split: str | None = None,
    hops: int | None = None,
    kind: str | None = None,
    n: int | None = None,
    seed: int = 0,
    k: int = PASSAGES_SHOWN,
    equipment: Sequence[BaseTool] = (),
) -> QuestionSuite:
    """A suite of any world's questions.

    Args:
        world: corpus and questions.
        name: of the suite; None: the world's.
        split: `train` or `dev`; None: both.
        hops: only questions with so many; None: any.
        kind: only questions of this kind; None: any.
        n: at most so many, drawn by `seed`; None: all.
        seed: seed of the drawing.
        k: passages that one search shows.
        equipment: further tools for the agent.

    Raises:
        ConfigError: no question is left.
    """
    meant = choose(world.questions, split=split, hops=hops, kind=kind, n=n, seed=seed)
    return QuestionSuite(
        name or world.name,
        [of_world(question) for question in meant],
        passages=world.passages,
        world=world,
        equipment=equipment,
        k=k,
    )


def _gazetteer(
    path: Path | str | None = None,
    *,
    questions: int | None = None,
    world_seed: int = 0,
    split: str | None = "dev",
    hops: int | None = 2,
    kind: str | None = "bridge",
    n: int | None = None,
    seed: int = 0,
    k: int = PASSAGES_SHOWN,
    held_out: bool = False,
) -> QuestionSuite:
    """The embedded world of countries and cities: questions of several hops, without a file.

    `held_out`: of both splits, only questions about countries that the small searcher never saw in training.
    """
    if path is not None:
        raise ConfigError("The gazetteer is made by the library.", remedy="Leave the path out.")
    world = gazetteer(questions=questions, seed=world_seed)
    if held_out:
        kept = by_country(world).held_out
        world, split = World(name=world.name, passages=world.passages, questions=kept), None
    return world_suite(world, "gazetteer", split=split, hops=hops, kind=kind, n=n, seed=seed, k=k)


def _multihop(
    path: Path | str | None = None,
    *,
    distractors: bool = False,
    split: str | None = None,
    hops: int | None = None,
    kind: str | None = None,
    n: int | None = None,
    seed: int = 0,
    k: int = PASSAGES_SHOWN,
    held_out: bool = False,
) -> QuestionSuite:
    """Questions of several hops over the passages in a folder (HotpotQA, MuSiQue), also with distractors.

    `held_out`: only questions that `coreact train collect` keeps for measuring.
    """
    world = load_world(_folder(path, "passages.jsonl and questions.jsonl"), distractors=distractors)
    name = "multihop+distractors" if distractors else "multihop"
    if held_out:
        half = splits(world)
        kept = tuple(one for one in world.questions if half[one.id] == "dev")
        world = World(name=world.name, passages=world.passages, questions=kept)
    return world_suite(world, name, split=split, hops=hops, kind=kind, n=n, seed=seed, k=k)


def _documents(
    path: Path | str | None = None, *, k: int = PASSAGES_SHOWN, equipment: Sequence[BaseTool] = ()
) -> QuestionSuite:
    """Customers' cases that many documents are needed for (tau2-bench, banking): is each of them found."""
    world = load_documents(_folder(path, "documents.jsonl and tasks.jsonl"))
    cases = [ShortQuestion(id=one.id, prompt=one.scenario, gold=one.supporting_ids) for one in world.tasks]
    return QuestionSuite("documents", cases, passages=world.documents, equipment=equipment, k=k)


def _fanout(
    path: Path | str | None = None, *, k: int = PASSAGES_SHOWN, equipment: Sequence[BaseTool] = ()
) -> QuestionSuite:
    """Questions that take many lookups (FanOutQA), over the annotators' notes instead of the pages."""
    world = load_fanout(located(path, "questions.jsonl"))
    questions = [
        ShortQuestion(
            id=one.id, prompt=one.question, parts=answer_strings(one.answer), gold=one.supporting_ids
        )
        for one in world.questions
    ]
    return QuestionSuite("fanout", questions, passages=world.notes(), equipment=equipment, k=k)


def _folder(path: Path | str | None, files: str) -> Path:
    if path is None:
        raise LabelFileError(
            "This suite has no data of its own.", remedy=f"Give the path of a folder with {files}."
        )
    return Path(path)


# --- tasks with criteria -----------------------------------------------------------------------


def _by_criteria(
    name: str, file: str, read: Reader, about: str, *, rule: str = "weighted_mean", reports: bool = True
) -> Open:
    convention = rule

    def opened(
        path: Path | str | None = None,
        *,
        judge: Judge | None = None,
        rule: str = convention,
        equipment: Sequence[BaseTool] = (),
    ) -> RubricSuite:
        tasks = records(located(path, file), read)
        return RubricSuite(name, tasks, judge=judge, rule=rule, reports=reports, equipment=equipment)

    opened.__doc__ = about
    return opened


def _scholarqa(
    path: Path | str | None = None,
    *,
    judge: Judge | None = None,
    k: int = PASSAGES_SHOWN,
    equipment: Sequence[BaseTool] = (),
) -> RubricSuite:
    """Literature questions over a corpus of passages that experts cite (ScholarQA-Multi)."""
    file = located(path, "questions.jsonl")
    passages = records(
        located(file.with_name("passages.jsonl"), "passages.jsonl"), rubric_files.cited_passage
    )
    known = {one.id for one in passages}

    def read(fields: Mapping[str, Any]) -> RubricTask:
        task = rubric_files.scholarqa(fields)
        if not known.issuperset(task.gold):
            raise ValueError(f"cited passages that are not there: {sorted(set(task.gold) - known)}")
        return task

    return RubricSuite(
        "scholarqa", records(file, read), judge=judge, passages=passages, equipment=equipment, k=k
    )


_SUITES: Mapping[str, Open] = MappingProxyType(
    {
        "gazetteer": _gazetteer,
        "multihop": _multihop,
        "documents": _documents,
        "fanout": _fanout,
        "deepresearch": _by_criteria(
            "deepresearch",
            "tasks_criteria.jsonl",
            rubric_files.deepresearch,
            "Research tasks with criteria in four weighted dimensions (DeepResearch Bench).",
        ),
        "biggen": _by_criteria(
            "biggen",
            "tasks.jsonl",
            rubric_files.biggen,
            "Tasks with a scale of five levels and a checklist (BiGGen-Bench).",
            reports=False,
        ),
        "scholarqa": _scholarqa,
        "healthbench": _by_criteria(
            "healthbench",
            "healthbench.jsonl",
            rubric_files.healthbench,
            "Health conversations with points of either sign (HealthBench).",
            rule="healthbench",
            reports=False,
        ),
        "researchrubrics": _by_criteria(
            "researchrubrics",
            "processed_data.jsonl",
            rubric_files.researchrubrics,
            "Research tasks with weights of either sign and tags of complexity (ResearchRubrics).",
            rule="researchrubrics",
        ),
        "researchqa": _by_criteria(
            "researchqa",
            "test.json",
            rubric_files.researchqa,
            "Scholarly questions with unweighted items by type (ResearchQA).",
        ),
        "bamboogle": bamboogle,
        "strategyqa": strategyqa,
        "gaia": gaia,
    }
)
