"""Files of tasks with criteria, in the shapes of published benchmarks: DeepResearch Bench, BiGGen-Bench,
ScholarQA-Multi, HealthBench, ResearchRubrics, ResearchQA.

Each reader makes a `RubricTask` of one object. Fields that it does not name are passed over. Signs, weights
and types are converted here and nowhere else. Nothing is fetched, and no data comes with this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from coreact.bench.suites.reading import id_of, text_of
from coreact.bench.suites.rubric_tasks import RubricTask, Scale, TaskCriterion, from_points
from coreact.worlds import Passage

Reader = Callable[[Mapping[str, Any]], RubricTask]
"""Makes a task of one object's fields; raises KeyError, TypeError or ValueError about them."""


def deepresearch(fields: Mapping[str, Any]) -> RubricTask:
    """DeepResearch Bench (arXiv 2506.11763): criteria that weigh within four dimensions.

    `id`, `prompt`, `dimension_weight{dimension: weight}`, `criterions{dimension: [{criterion, explanation,
    weight}]}`, and optionally `topic`, `language` and `reference` (a report to compare with).
    """
    weights, listed = fields["dimension_weight"], fields["criterions"]
    return RubricTask(
        id=id_of(fields, "id"),
        prompt=text_of(fields, "prompt"),
        criteria=tuple(
            TaskCriterion(
                id=f"{dimension}-{number}",
                text=f"{text_of(one, 'criterion')}: {text_of(one, 'explanation')}",
                weight=one["weight"],
                type=dimension,
            )
            for dimension, several in listed.items()
            for number, one in enumerate(several, start=1)
        ),
        type_weights=dict(weights),
        tags=_tags(fields, "topic", "language"),
        reference=fields.get("reference"),
    )


def biggen(fields: Mapping[str, Any]) -> RubricTask:
    """BiGGen-Bench (arXiv 2406.05761): a scale of five levels and a checklist of yes/no questions.

    `capability`, `task`, `instance_idx`, `input`, `score_rubric{criteria, score1_description, …}`,
    `atomic_checklist[]`, and optionally `system_prompt` (put before the input) and `reference_answer`.
    """
    rubric = fields["score_rubric"]
    return RubricTask(
        id=f"{fields['capability']}/{fields['task']}/{fields['instance_idx']}",
        prompt="\n\n".join(filter(None, (fields.get("system_prompt"), text_of(fields, "input")))),
        criteria=tuple(
            TaskCriterion(id=f"check-{number}", text=question)
            for number, question in enumerate(fields["atomic_checklist"], start=1)
        ),
        scale=Scale(
            asked=text_of(rubric, "criteria"),
            levels=tuple(text_of(rubric, f"score{level}_description") for level in range(1, 6)),
        ),
        tags=_tags(fields, "capability", "task"),
        reference=fields.get("reference_answer"),
    )


def scholarqa(fields: Mapping[str, Any]) -> RubricTask:
    """ScholarQA-Multi (arXiv 2411.14199): an expert's answer and the passages that it cites.

    `id`, `question`, `expert_answer`, `cited_passage_ids[]`, and optionally `subject`.
    """
    return RubricTask(
        id=fields["id"],
        prompt=text_of(fields, "question"),
        tags=_tags(fields, "subject"),
        reference=text_of(fields, "expert_answer"),
        gold=tuple(dict.fromkeys(fields["cited_passage_ids"])),
    )


def cited_passage(fields: Mapping[str, Any]) -> Passage:
    """A passage of ScholarQA-Multi: `id`, `title`, `text`; its title where there is no text (NaN)."""
    text = fields["text"]
    missing = text is None or (isinstance(text, float) and math.isnan(text))
    return Passage(id=fields["id"], title=fields["title"], text=fields["title"] if missing else text)


def healthbench(fields: Mapping[str, Any]) -> RubricTask:
    """HealthBench (arXiv 2505.08775): points of either sign; `met` on a negative one means that it happened.

    `prompt_id`, `prompt[{role, content}]`, `rubrics[{criterion, points, tags[]}]`, `example_tags[]`, and
    optionally `ideal_completions_data{ideal_completion}`. A conversation of several turns becomes one
    message that names the speakers. The type of a criterion is its `axis:` tag.
    """
    turns = fields["prompt"]
    asked = (
        text_of(turns[0], "content")
        if len(turns) == 1
        else "\n\n".join(
            f"{text_of(turn, 'role').capitalize()}: {text_of(turn, 'content')}" for turn in turns
        )
    )
    ideal = fields.get("ideal_completions_data") or {}
    return RubricTask(
        id=fields["prompt_id"],
        prompt=asked,
        criteria=tuple(
            from_points(
                f"r{number}",
                text_of(one, "criterion"),
                one["points"],
                type=_tagged(one.get("tags", ()), "axis"),
            )
            for number, one in enumerate(fields["rubrics"], start=1)
        ),
        tags={tag.partition(":")[0]: tag.partition(":")[2] for tag in fields.get("example_tags", ())},
        reference=ideal.get("ideal_completion"),
    )


def researchrubrics(fields: Mapping[str, Any]) -> RubricTask:
    """ResearchRubrics (arXiv 2511.07685): weights of either sign, and three tags of complexity.

    `sample_id`, `prompt`, `rubrics[{criterion, weight, axis}]`, and optionally `domain`,
    `conceptual_breadth`, `logical_nesting`, `exploration`.
    """
    return RubricTask(
        id=id_of(fields, "sample_id"),
        prompt=text_of(fields, "prompt"),
        criteria=tuple(
            from_points(f"r{number}", text_of(one, "criterion"), one["weight"], type=one.get("axis", ""))
            for number, one in enumerate(fields["rubrics"], start=1)
        ),
        tags=_tags(fields, "domain", "conceptual_breadth", "logical_nesting", "exploration"),
    )


def researchqa(fields: Mapping[str, Any]) -> RubricTask:
    """ResearchQA (arXiv 2509.00496): unweighted items, each of a type.

    `id`, `query`, `rubric[{rubric_item, type}]`, and optionally `field`, `subdomain`, `general_domain`.
    """
    return RubricTask(
        id=id_of(fields, "id"),
        prompt=text_of(fields, "query"),
        criteria=tuple(
            TaskCriterion(id=f"r{number}", text=text_of(one, "rubric_item"), type=one["type"])
            for number, one in enumerate(fields["rubric"], start=1)
        ),
        tags=_tags(fields, "field", "subdomain", "general_domain"),
    )


def _tags(fields: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: str(fields[name]) for name in names if fields.get(name) is not None}


def _tagged(tags: Any, name: str) -> str:
    return next((tag.partition(":")[2] for tag in tags if tag.startswith(f"{name}:")), "")
