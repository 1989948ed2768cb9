"""Four public data sets: what is judged, what the labels mean, and the traps in each."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from coreact.bench.qualify.cases import JudgeCase
from coreact.bench.qualify.datasets import SETS, load_cases
from coreact.errors import LabelFileError

WICE = {
    "id": "w1",
    "claim": "Arnold is the publisher.",
    "label": "partially_supported",
    "supporting_sentences": [[0]],
    "evidence": ["Media Play News.", "Arnold, editor."],
    "claim_title": "Hedgecock",
    "claim_section": "Career",
    "claim_context": "Arnold is the publisher of everything.",
}
DIALOGUE = {
    "id": "d1",
    "system": 1,
    "annotator": 7,
    "human": {"Q0": 4, "Q1": 0, "Q2": 1, "Q3": 2, "Q4": 3, "Q5": 4, "Q6": 1, "Q7": 4, "Q8": 2},
    "gpt35_probs": {},
    "topic": "invoices",
    "messages": [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "By card."}],
    "references": "[1] Pay by card.",
}
TRACE = {
    "id": "t1",
    "task": "word_sorting",
    "input": "b a",
    "steps": ["a is first", "b is first", "so b a"],
    "target": "a b",
    "answer": "b a",
    "mistake_index": 1,
}


def turn(role: str, text: str | None = None, *, call: tuple[str, str] | None = None) -> dict[str, Any]:
    if call is None:
        return {"role": role, "content": text}
    function = {"name": call[0], "arguments": call[1]}
    return {
        "role": role,
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": function}],
    }


RUN = {
    "id": "r1",
    "instruction": "You are Yusuf and want a lamp.",
    "history": [
        turn("system", "Authenticate first."),
        turn("user", "A lamp?"),
        turn("assistant", "Who are you?"),
        turn("user", "Yusuf."),
        turn("assistant", call=("find_user", '{"name": "Yusuf"}')),
        turn("tool", "yusuf_1"),
        turn("assistant", call=("order", '{"item": "vase"}')),
        turn("tool", "done"),
        turn("assistant", "Ordered."),
        turn("user", "A vase?!"),
        turn("assistant", "Yes."),
    ],
    "failures": [
        {"step_index": 6, "failed_agent": "Assistant"},
        {"step_index": 9, "failed_agent": "User"},
        {"step_index": 10, "failed_agent": "Assistant"},
    ],
}


def load(folder: Path, file: str, *rows: Any) -> tuple[JudgeCase, ...]:
    folder.joinpath(file).write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return load_cases(folder).cases


def test_wice_judges_a_claim_against_the_page_and_nothing_else(tmp_path: Path) -> None:
    rows = [
        {**WICE, "id": label, "label": label}
        for label in ("supported", "partially_supported", "not_supported")
    ]
    cases = load(tmp_path, "claims.jsonl", *rows)
    assert [case.labels["supported"] for case in cases] == ["met", "partial", "unmet"]
    case = cases[0]
    assert case.action.answer == WICE["claim"]
    assert case.state.last_observation is not None
    assert case.state.last_observation.text == "Media Play News.\nArnold, editor."
    assert "everything" not in str(case.state)  # the context says more than the page
    assert case.cluster == "Hedgecock"
    assert case.criteria[0].kind == "fact"


def test_llm_rubric_scales_scores_and_knows_nought_for_not_applicable(tmp_path: Path) -> None:
    (case,) = load(tmp_path, "dialogues.jsonl", DIALOGUE)
    assert case.labels == {
        "Q0": 1.0,
        "Q1": "not_applicable",
        "Q2": 0.0,
        "Q3": pytest.approx(1 / 3),
        "Q4": pytest.approx(2 / 3),
        "Q5": 1.0,
        "Q6": 0.0,
        "Q7": 1.0,
        "Q8": 0.5,  # its scale ends at 3
    }
    assert case.action.answer == "User: How?\n\nAssistant: By card."
    assert case.steps[0].observation is not None
    (bare,) = load(tmp_path, "dialogues.jsonl", {**DIALOGUE, "references": None})
    assert bare.steps == ()


def test_a_trace_ends_with_its_first_mistake(tmp_path: Path) -> None:
    cases = load(tmp_path, "traces.jsonl", TRACE, {**TRACE, "id": "t2", "mistake_index": None})
    assert [case.id for case in cases] == ["t1/0", "t1/1", "t2/0", "t2/1", "t2/2"]
    assert [case.labels["sound"] for case in cases] == ["met", "unmet", "met", "met", "met"]
    assert [len(case.steps) for case in cases] == [0, 1, 0, 1, 2]
    assert {case.cluster for case in cases} == {"t1", "t2"}
    assert {case.stratum for case in cases} == {"word_sorting"}
    assert cases[1].action.call is not None
    assert cases[1].action.call.arguments == {"thought": "b is first"}


def test_a_failed_run_gives_the_steps_before_its_first_failure_and_those_that_failed(tmp_path: Path) -> None:
    cases = load(tmp_path, "trajectories.jsonl", RUN)
    # Step 8 follows a failure and was not marked; step 9 is the user's.
    assert [(case.id, case.labels["fitting"]) for case in cases] == [
        ("r1/2", "met"),
        ("r1/4", "met"),
        ("r1/6", "unmet"),
        ("r1/10", "unmet"),
    ]
    last = cases[-1]
    assert [step.call.name for step in last.steps] == ["respond", "find_user", "order", "respond"]
    assert [step.observation.text for step in last.steps if step.observation] == [
        "Yusuf.",
        "yusuf_1",
        "done",
        "A vase?!",
    ]
    assert (last.question, last.given) == ("A lamp?", ("Authenticate first.",))
    assert "want a lamp" not in str(last.state)  # the simulated user's secret
    assert str(last.action) == "respond(text='Yes.')"


@pytest.mark.parametrize(
    ("file", "row", "what"),
    [
        ("claims.jsonl", {**WICE, "label": "maybe"}, "no label 'maybe'"),
        ("claims.jsonl", {"id": "w2"}, "'label' is missing"),
        ("dialogues.jsonl", {**DIALOGUE, "human": {**DIALOGUE["human"], "Q8": 4}}, "rating 4"),  # type: ignore[dict-item]
        ("traces.jsonl", {**TRACE, "mistake_index": 3}, "mistake_index 3"),
        ("traces.jsonl", {**TRACE, "mistake_index": -1}, "mistake_index -1"),
        ("traces.jsonl", {**TRACE, "steps": None}, "do not fit"),
        ("trajectories.jsonl", {**RUN, "failures": []}, "do not fit"),
        ("trajectories.jsonl", {**RUN, "failures": [{"step_index": 99}]}, "do not fit"),
        ("traces.jsonl", TRACE, "'t1/0' is taken"),
    ],
)
def test_a_line_that_does_not_fit_its_set(tmp_path: Path, file: str, row: Any, what: str) -> None:
    first = {
        "claims.jsonl": WICE,
        "dialogues.jsonl": DIALOGUE,
        "traces.jsonl": TRACE,
        "trajectories.jsonl": RUN,
    }
    with pytest.raises(LabelFileError, match=what) as raised:
        load(tmp_path, file, first[file], row)
    assert raised.value.line == 2


def test_a_folder_without_a_known_set(tmp_path: Path) -> None:
    with pytest.raises(LabelFileError, match=r"claims\.jsonl"):
        load_cases(tmp_path)
    assert len({known.file for known in SETS}) == 4


# --- the real ones ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "cases", "groups", "labels"),
    [
        ("wice_dev_open", 349, 308, {"met": 115, "partial": 191, "unmet": 43}),
        ("llm_rubric_open", 73, 73, {"met": 228, "partial": 303, "unmet": 31, "not_applicable": 95}),
        ("bigbench_mistake", 17447, 2186, {"met": 15739, "unmet": 1708}),
        ("agentrx_tau_open", 343, 29, {"met": 315, "unmet": 28}),
    ],
)
def test_the_published_files(folder: str, cases: int, groups: int, labels: dict[str, int]) -> None:
    root = Path(__file__).parents[3]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data") / folder
    if not data.is_dir():
        pytest.skip(f"no {folder} in {data.parent}; set COREACT_DATA to the folder that has it")
    found = load_cases(data).cases
    assert len(found) == cases
    assert len({case.cluster for case in found}) == groups
    assert Counter(status for case in found for status in case.statuses().values()) == labels
