"""Documents and tasks load with every unusable line named; gold documents are measured like gold passages."""

from __future__ import annotations

import json
import os
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from coreact.errors import WorldError
from coreact.worlds import Corpus, DocumentWorld, gold_share, load_documents

DOCUMENTS = [
    {"id": "d1", "title": "Gold card", "text": "The gold card pays 2 percent back.", "src": "bank"},
    {"id": "d2", "title": "Closing an account", "text": "An account is closed after a verification."},
]
CALL = {
    "name": "close",
    "arguments": {"account": "7"},
    "requestor": "user",
    "action_id": "1",
    "compare_args": [],
}
TASK = {
    "id": "t1",
    "scenario": "You want the best card.",
    "required_documents": ["d2", "d1"],
    "evaluation_criteria": {"actions": [CALL, {"name": "look"}], "reward_basis": ["DB"]},
    "user_tools": ["apply"],
}


def write(folder: Path, *, documents: Any = DOCUMENTS, tasks: Any = (TASK,)) -> Path:
    for name, rows in (("documents", documents), ("tasks", tasks)):
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_loads_documents_tasks_and_expected_calls(tmp_path: Path) -> None:
    world = load_documents(write(tmp_path))
    assert world.name == tmp_path.name
    assert [document.id for document in world.documents] == ["d1", "d2"]
    (task,) = world.tasks
    assert (task.supporting_ids, task.user_tools) == (("d2", "d1"), ("apply",))
    first, second = task.calls
    assert (first.name, first.arguments, first.requestor, first.compare) == (
        "close",
        {"account": "7"},
        "user",
        (),
    )
    assert (second.requestor, second.compare) == ("assistant", None)


def test_tasks_are_measured_by_their_documents(tmp_path: Path) -> None:
    world = load_documents(write(tmp_path))
    found = [hit.passage.id for hit in Corpus(world.documents).search("which gold card")]
    assert gold_share(found, world.tasks[0]) == 0.5
    assert gold_share(["d1", "d2", "d1"], world.tasks[0]) == 1


def test_what_is_optional_may_be_left_out(tmp_path: Path) -> None:
    lean = {key: TASK[key] for key in ("id", "scenario", "required_documents")}
    (task,) = load_documents(write(tmp_path, tasks=[lean | {"evaluation_criteria": None}])).tasks
    assert (task.calls, task.user_tools) == ((), ())


def test_the_version_is_of_the_content_and_not_of_the_name(tmp_path: Path) -> None:
    world = load_documents(write(tmp_path))
    assert world.model_copy(update={"name": "other"}).version == world.version
    changed = write(tmp_path, tasks=[TASK | {"scenario": "You want to leave."}])
    assert load_documents(changed).version != world.version


@pytest.mark.parametrize(
    ("where", "rows", "number", "says"),
    [
        ("documents", [DOCUMENTS[0], "{broken"], 2, "not JSON"),
        ("documents", [DOCUMENTS[0], DOCUMENTS[0]], 2, "document id 'd1' is taken"),
        ("documents", [{"id": "d1", "title": "x"}], 1, "'text' is missing"),
        ("documents", [DOCUMENTS[0] | {"text": ""}], 1, "'text' does not fit"),
        ("tasks", [TASK, "", TASK], 3, "task id 't1' is taken"),
        ("tasks", [TASK | {"required_documents": ["d1", "d9"]}], 1, "unknown document 'd9'"),
        ("tasks", [TASK | {"required_documents": []}], 1, "'supporting_ids' does not fit"),
        ("tasks", [TASK | {"required_documents": "d1"}], 1, "'supporting_ids' does not fit"),
        ("tasks", [{"id": "t1", "required_documents": ["d1"]}], 1, "'scenario' is missing"),
        ("tasks", [TASK | {"evaluation_criteria": ["no"]}], 1, "'evaluation_criteria' does not fit"),
        (
            "tasks",
            [TASK | {"evaluation_criteria": {"actions": [1]}}],
            1,
            "'evaluation_criteria' does not fit",
        ),
        ("tasks", [TASK | {"evaluation_criteria": {"actions": [{}]}}], 1, "'calls.0.name' does not fit"),
    ],
)
def test_an_unusable_line_is_named(tmp_path: Path, where: str, rows: Any, number: int, says: str) -> None:
    folder = write(tmp_path, **{where: rows})
    with pytest.raises(WorldError, match=says) as caught:
        load_documents(folder)
    assert (caught.value.path, caught.value.line) == (folder / f"{where}.jsonl", number)
    assert caught.value.remedy


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="cannot be read"):
        load_documents(tmp_path)
    with pytest.raises(WorldError, match="has no documents"):
        load_documents(write(tmp_path, documents=[]))


def test_a_world_made_by_hand_holds_together(tmp_path: Path) -> None:
    world = load_documents(write(tmp_path))
    with pytest.raises(ValueError, match="unknown document 'd1'"):
        DocumentWorld(name="x", documents=world.documents[1:], tasks=world.tasks)
    with pytest.raises(ValueError, match="task id occurs twice"):
        DocumentWorld(name="x", documents=world.documents, tasks=world.tasks * 2)


def test_the_real_bank_loads_and_one_search_is_not_enough() -> None:
    root = Path(__file__).resolve().parents[2]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    folder = data / "tau2_banking_knowledge"
    if not folder.is_dir():
        pytest.skip(f"no tau2_banking_knowledge in {data}; set COREACT_DATA to the folder that has it")
    world = load_documents(folder)
    assert (len(world.documents), len(world.tasks)) == (698, 97)
    assert sum(len(task.supporting_ids) for task in world.tasks) == 949
    corpus = Corpus(world.documents)
    found = [[hit.passage.id for hit in corpus.search(task.scenario, k=10)] for task in world.tasks]
    share = mean(gold_share(ids, task) for ids, task in zip(found, world.tasks, strict=True))
    assert 0.1 < share < 0.4
