from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from coreact.bench.records import Episode
from coreact.bench.suites import RubricTask, Scale, TaskCriterion, from_points, open_suite
from coreact.bench.suites.reading import objects
from coreact.bench.suites.rubric_tasks import level, level_rubric
from coreact.errors import LabelFileError
from coreact.judge import Verdict
from coreact.testing import ScriptedJudge

HEALTHBENCH = {
    "prompt_id": "h1",
    "prompt": [
        {"role": "user", "content": "My tooth hurts."},
        {"role": "assistant", "content": "Since when?"},
        {"role": "user", "content": "Yesterday."},
    ],
    "rubrics": [
        {"criterion": "Advises a dentist.", "points": 7, "tags": ["level:example", "axis:completeness"]},
        {"criterion": "Recommends pulling it out at home.", "points": -9, "tags": ["axis:accuracy"]},
    ],
    "example_tags": ["theme:communication"],
    "ideal_completions_data": {"ideal_completion": "See a dentist."},
    "canary": "passed over",
}
RESEARCHRUBRICS = {
    "sample_id": "s1",
    "prompt": "Compare tea and coffee.",
    "domain": "Food",
    "conceptual_breadth": "Simple",
    "logical_nesting": "Shallow",
    "exploration": "Low",
    "rubrics": [
        {"criterion": "Names the caffeine of both.", "weight": 5.0, "axis": "Explicit"},
        {"criterion": "Claims that tea has none.", "weight": -3.0, "axis": "Implicit"},
    ],
}
RESEARCHQA = {
    "id": "q1",
    "general_domain": "Life",
    "subdomain": "Zoology",
    "field": "Birds",
    "query": "Why do birds sing?",
    "date": "2020",
    "rubric": [
        {"rubric_item": "Does it cite a study?", "type": "citation"},
        {"rubric_item": "Does it name a limitation?", "type": "limitation"},
    ],
}
DEEPRESEARCH = {
    "id": 7,
    "topic": "Travel",
    "language": "en",
    "prompt": "Write a report on night trains.",
    "dimension_weight": {"insight": 0.75, "readability": 0.25},
    "criterions": {
        "insight": [
            {"criterion": "Depth", "explanation": "Explains why.", "weight": 0.6},
            {"criterion": "View", "explanation": "Has a view of its own.", "weight": 0.4},
        ],
        "readability": [{"criterion": "Clear", "explanation": "Is clear.", "weight": 1.0}],
    },
    "reference": "Night trains are slow.",
}
BIGGEN = {
    "capability": "planning",
    "task": "trips",
    "instance_idx": 0,
    "system_prompt": "Be brief.",
    "input": "Plan a trip.",
    "reference_answer": "Day 1: walk.",
    "score_rubric": {
        "criteria": "Is the plan feasible?",
        **{f"score{n}_description": f"It is of level {n}." for n in range(1, 6)},
    },
    "atomic_checklist": ["Does it name days?", "Does it name places?"],
}
SHAPES = [
    ("healthbench", HEALTHBENCH),
    ("researchrubrics", RESEARCHRUBRICS),
    ("researchqa", RESEARCHQA),
    ("deepresearch", DEEPRESEARCH),
    ("biggen", BIGGEN),
]


def task(write, name: str, fields: dict) -> RubricTask:
    return open_suite(name, write("tasks.jsonl", fields)).criteria_tasks[0]


def test_healthbench_points_become_polarity(write):
    found = task(write, "healthbench", HEALTHBENCH)
    assert found.prompt == "User: My tooth hurts.\n\nAssistant: Since when?\n\nUser: Yesterday."
    assert [(c.weight, c.polarity, c.type) for c in found.criteria] == [
        (7, "require", "completeness"),
        (9, "forbid", "accuracy"),
    ]
    assert found.reference == "See a dentist."
    assert found.tags == {"theme": "communication"}
    assert found.rubric is not None
    assert found.rubric.scope == "answer"
    assert all(criterion.visibility == "judge_only" for criterion in found.rubric)


def test_a_prompt_of_one_turn_stands_as_it_is(write):
    alone = {**HEALTHBENCH, "prompt": [{"role": "user", "content": "My tooth hurts."}]}
    assert task(write, "healthbench", alone).prompt == "My tooth hurts."


def test_researchrubrics_has_signs_axes_and_tags(write):
    found = task(write, "researchrubrics", RESEARCHRUBRICS)
    assert [(c.weight, c.polarity, c.type) for c in found.criteria] == [
        (5, "require", "Explicit"),
        (3, "forbid", "Implicit"),
    ]
    assert found.tags["logical_nesting"] == "Shallow"


@pytest.mark.parametrize(
    ("name", "fields", "score"),
    [("healthbench", HEALTHBENCH, -9 / 7), ("researchrubrics", RESEARCHRUBRICS, -3 / 5)],
)
def test_signed_points_are_scored_by_their_own_convention(write, name, fields, score):
    judge = ScriptedJudge(lambda criterion, action: "unmet")  # nothing good is there, and the bad thing is
    suite = open_suite(name, write("tasks.jsonl", fields), judge=judge)
    assert suite.measure(suite.tasks[0], Episode(answer="x"))["score"] == pytest.approx(score)


def test_researchqa_items_are_unweighted(write):
    found = task(write, "researchqa", RESEARCHQA)
    assert [(c.weight, c.type) for c in found.criteria] == [(1, "citation"), (1, "limitation")]
    assert found.tags == {"field": "Birds", "subdomain": "Zoology", "general_domain": "Life"}


def test_deepresearch_weights_multiply(write):
    found = task(write, "deepresearch", DEEPRESEARCH)
    assert found.id == "7"
    assert [criterion.weight for criterion in found.rubric] == pytest.approx([0.45, 0.3, 0.25])
    assert found.rubric.criterion("insight-1").text == "Depth: Explains why."


def test_biggen_has_a_checklist_and_a_scale(write):
    found = task(write, "biggen", BIGGEN)
    assert found.id == "planning/trips/0"
    assert found.prompt == "Be brief.\n\nPlan a trip."
    assert [criterion.text for criterion in found.criteria] == BIGGEN["atomic_checklist"]
    assert found.scale.levels[4] == "It is of level 5."


@pytest.mark.parametrize(("name", "fields"), SHAPES)
def test_a_broken_line_is_named(write, name, fields):
    unasked = {key: value for key, value in fields.items() if key not in ("prompt", "query", "input")}
    for lines, line, what in [
        ([fields, "", "{"], 3, "not JSON"),
        ([fields, "[1]"], 2, "a JSON list"),
        ([fields, fields], 2, "taken by an earlier line"),
        ([fields, unasked], 2, "missing"),
    ]:
        path = write("tasks.jsonl", *lines)
        with pytest.raises(LabelFileError, match=what) as failure:
            open_suite(name, path)
        assert (failure.value.path, failure.value.line) == (path, line)
        assert f"{path}, line {line}" in str(failure.value)
        assert failure.value.remedy


@pytest.mark.parametrize(
    ("name", "fields", "what"),
    [
        ("healthbench", {**HEALTHBENCH, "rubrics": [{"criterion": "x", "points": 0}]}, "0 points"),
        ("healthbench", {**HEALTHBENCH, "rubrics": [{"criterion": "x", "points": "7"}]}, "do not fit"),
        ("healthbench", {**HEALTHBENCH, "rubrics": [{"criterion": "x", "points": float("nan")}]}, "weight"),
        ("healthbench", {**HEALTHBENCH, "prompt": []}, "at least 1 character"),
        ("researchrubrics", {**RESEARCHRUBRICS, "prompt": " "}, "blank"),
        ("researchqa", {**RESEARCHQA, "rubric": [{"rubric_item": "x"}]}, "'type' is missing"),
        ("deepresearch", {**DEEPRESEARCH, "dimension_weight": {"insight": 1.0}}, "needs a weight above 0"),
        (
            "deepresearch",
            {**DEEPRESEARCH, "dimension_weight": {"insight": 1.0, "readability": float("nan")}},
            "needs a weight above 0",
        ),
        ("biggen", {**BIGGEN, "atomic_checklist": [5]}, "valid string"),
    ],
)
def test_fields_that_do_not_fit_are_named(write, name, fields, what):
    with pytest.raises(LabelFileError, match=what) as failure:
        open_suite(name, write("tasks.jsonl", fields))
    assert failure.value.line == 1


def test_an_array_is_read_and_its_broken_object_named(tmp_path):
    path = tmp_path / "test.json"
    other = {**RESEARCHQA, "id": "q2"}
    path.write_text(json.dumps([RESEARCHQA, other], indent=1), encoding="utf-8")
    assert len(open_suite("researchqa", tmp_path).tasks) == 2
    lines = json.dumps([RESEARCHQA, {**other, "query": 5}], indent=1).split("\n")
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(LabelFileError, match="must be a text") as failure:
        open_suite("researchqa", tmp_path)
    assert lines[failure.value.line - 1] == " {"
    assert failure.value.line > 10


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[\n{}\n{}]", 3, "comma"),
        ("[{},\n3]", 2, "a JSON int"),
        ("[{},\n", 2, "does not end"),
        ("[{}] x", 1, "behind the array"),
        ("[{},\n]", 2, "not JSON"),
        ("[{}\n", 2, "does not end"),
        ("\n[\n{'a': 1}]", 3, "not JSON"),
    ],
)
def test_a_broken_array_is_named(tmp_path, text, line, what):
    path = tmp_path / "test.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LabelFileError, match=what) as failure:
        list(objects(path))
    assert failure.value.line == line


def test_files_that_are_not_there_or_empty(tmp_path, write):
    with pytest.raises(LabelFileError, match="no file"):
        open_suite("healthbench", tmp_path / "none.jsonl")
    with pytest.raises(LabelFileError, match="no data of its own"):
        open_suite("healthbench")
    with pytest.raises(LabelFileError, match="is empty"):
        open_suite("healthbench", write("empty.jsonl", ""))
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b'{"prompt": "caf\xe9"}')
    with pytest.raises(LabelFileError, match="not UTF-8"):
        open_suite("healthbench", latin)


def test_a_long_criterion_is_shortened_and_said_to_be():
    long = RubricTask(id="t", prompt="p", criteria=(TaskCriterion(id="c", text="word " * 200),))
    assert long.shortened == ("c",)
    assert len(long.rubric.criteria[0].text) == 600
    assert long.rubric.criteria[0].text.endswith("[…]")
    assert RubricTask(id="t", prompt="p", criteria=(TaskCriterion(id="c", text="a\n b"),)).shortened == ()


def test_a_task_without_criteria_has_no_rubric():
    assert RubricTask(id="t", prompt="p").rubric is None
    with pytest.raises(ValidationError, match="same id"):
        RubricTask(id="t", prompt="p", criteria=(from_points("a", "x", 1), from_points("a", "y", 2)))


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["unmet", "unmet", "unmet", "unmet"], 1),
        (["met", "met", "partial", "met"], 3),
        (["met", "met", "met", "met"], 5),
        (["met", "unknown", "met", "met"], None),
        (["unmet", "unknown", "unknown", "unknown"], 1),  # what lies above does not matter
        (["unmet", "met", "met", "met"], 1),
        (["not_applicable", "met", "met", "met"], None),
    ],
)
def test_levels_by_hand(statuses, expected):
    rubric = level_rubric(Scale(asked="Is it good?", levels=("a", "b", "c", "d", "e")))
    verdicts = [Verdict(criterion=c.id, reason="r", status=s) for c, s in zip(rubric, statuses, strict=True)]
    assert level(rubric, verdicts) == expected
    assert rubric.criterion("level-3").depends_on == ("level-2",)
    assert "level 3 of 5): c" in rubric.criterion("level-3").text


@pytest.mark.parametrize(
    ("name", "folder", "tasks", "criteria"),
    [("deepresearch", "deepresearch_bench", 100, 2517), ("biggen", "biggen_bench_subset", 169, 833)],
)
def test_real_files(data, name, folder, tasks, criteria):
    suite = open_suite(name, data(folder))
    assert len(suite.tasks) == tasks
    assert sum(len(one.criteria) for one in suite.criteria_tasks) == criteria
    assert all(one.rubric is not None for one in suite.criteria_tasks)
    assert suite.version.startswith("sha256:")
    if name == "deepresearch":
        for one in suite.criteria_tasks:
            assert sum(criterion.weight for criterion in one.rubric) == pytest.approx(1)


def test_an_empty_array_has_no_objects(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("[ ]")
    assert list(objects(file)) == []


@pytest.mark.parametrize("turn", [{"role": "user", "content": ["a"]}, {"role": 5, "content": "a"}])
def test_a_turn_that_is_no_text_is_refused(write, turn):
    with pytest.raises(LabelFileError, match=r"line 1.*must be a text"):
        open_suite("healthbench", write("healthbench.jsonl", {**HEALTHBENCH, "prompt": [turn, turn]}))
