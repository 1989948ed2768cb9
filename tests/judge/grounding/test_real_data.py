"""On public data: how often code alone is right about claims, citations, conflicts and paths.

The figures in the documentation of `support`, `conflicts` and `soundness` are the ones checked here.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from coreact.judge.grounding.citations import audit
from coreact.judge.grounding.disagreement import disagreement
from coreact.judge.grounding.soundness import Soundness, soundness
from coreact.judge.grounding.sources import Passage
from coreact.judge.grounding.support import Support
from coreact.judge.grounding.values import names, numbers
from coreact.judge.records import Verdict
from coreact.rubric import Observation, State, Step, ToolCall, ToolContract

READ = ToolContract(name="read", role="read")
SEARCH = ToolContract(name="search", role="search")


def rows(folder: str, name: str) -> list[dict[str, Any]]:
    root = Path(__file__).resolve().parents[3]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    path = data / folder / name
    if not path.is_file():
        pytest.skip(f"no {folder}/{name} in {data}; set COREACT_DATA to the folder that has it")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read(name: str, text: str) -> Step:
    return Step(call=ToolCall(name="read", arguments={"id": name}), observation=Observation(text=text))


def test_wice_a_claim_that_code_refutes_is_rarely_one_that_people_call_supported() -> None:
    found: Counter[tuple[str, str]] = Counter()
    claims = rows("wice_dev_open", "claims.jsonl")
    for row in claims:
        page = "\n".join(row["evidence"])
        support = Support(State.start(row["claim_title"], tools=(READ,)).after(read("page", page)))
        verdict = support.weigh(row["claim"], (Passage(0, "observation-1", page, 0, pure=True),), "c1")
        found[row["label"], verdict.status if verdict else "open"] += 1
    assert len(claims) == 349
    refuted = {
        label: found[label, "unmet"] for label in ("supported", "partially_supported", "not_supported")
    }
    assert refuted == {"supported": 2, "partially_supported": 50, "not_supported": 11}
    assert sum(count for (_, status), count in found.items() if status == "met") <= 2


def test_hotpot_passages_quoted_word_for_word_are_supported_and_rarely_in_conflict() -> None:
    passages = {row["id"]: row for row in rows("multihop_qa_open", "passages.jsonl")}
    claims = supported = candidates = cited = 0
    for question in rows("multihop_qa_open", "questions.jsonl")[:80]:
        steps = [
            read(name, f"[{name}] {passages[name]['title']}: {passages[name]['text']}")
            for name in question["context_ids"]
        ]
        state = State.start(question["question"], tools=(READ,)).after(*steps)
        answer = "\n\n".join(f"{passages[name]['text']} [{name}]" for name in question["supporting_ids"])
        found = audit(answer, state)
        assert found.standing("invented") == ()
        assert {reference.standing for reference in found.references} <= {"opened"}
        claims += len(found.claims)
        cited += found.cited
        supported += found.supported
        candidates += len(found.conflicts)
        assert not any(audited.verdict.status == "unmet" for audited in found.claims)
    assert cited >= 150
    assert supported >= 0.9 * cited
    assert candidates <= 0.01 * claims


def fireact(name: str) -> list[tuple[dict[str, Any], Soundness]]:
    found = []
    for row in rows("fireact_hotpot_trajectories", name):
        state, answer = State.start(row["question"], tools=(SEARCH,)), None
        for step in row["steps"]:
            action = re.fullmatch(r"(\w+)\[(.*)\]", step.get("action") or "", re.DOTALL)
            if action and action[1].lower() == "finish":
                answer = action[2]
                break
            call = ToolCall(name="search", arguments={"query": action[2] if action else ""})
            state = state.after(Step(call=call, observation=Observation(text=step.get("observation") or "")))
        found.append((row, soundness(state, answer, correct=row["em"])))
    return found


def test_fireact_outcomes_alone_reward_answers_from_nowhere() -> None:
    found = fireact("gpt-3.5-ft.jsonl")
    table = disagreement([row["em"] for row, _ in found], [sound.sound for _, sound in found])
    assert table.total == 465
    assert table.false_positives is not None
    assert 0.2 < table.false_positives < 0.35
    # Most of them answered without a single search; agents that always search rarely jump.
    miracles = [row for row, sound in found if sound.miracle]
    assert sum(row["n_steps"] == 1 for row in miracles) > 0.8 * len(miracles)
    searching = fireact("llama2-13b-lora.jsonl")
    rate = disagreement([row["em"] for row, _ in searching], [s.sound for _, s in searching]).false_positives
    assert rate is not None
    assert rate < 0.05


def test_fireact_an_accused_answer_is_not_in_what_was_observed() -> None:
    accused = 0
    for row, found in fireact("llama2-7b-lora.jsonl"):
        answer = found.steps[-1]
        if not answer.values:
            continue
        accused += 1
        observed = " ".join(
            (step.get("observation") or "")
            for step in row["steps"]
            if "finish[" not in (step.get("action") or "")
        )
        for value in answer.values:
            assert value.casefold() not in observed.casefold() or not (numbers(value) or names(f"a {value}"))
    assert accused >= 10


def test_bigbench_mistake_the_first_wrong_step_is_the_first_jump() -> None:
    traces = rows("bigbench_mistake", "traces.jsonl")
    judged = []
    for trace in traces:
        wrong = trace["mistake_index"]
        verdicts = [
            Verdict(criterion=f"step-{n}", reason="as marked", status="unmet" if n == wrong else "met")
            for n in range(len(trace["steps"]))
        ]
        judged.append(Soundness.of(verdicts, correct=trace["answer"] == trace["target"]))
    assert [found.first_jump for found in judged] == [trace["mistake_index"] for trace in traces]
    assert all((found.score == 1.0) == (found.first_jump is None) for found in judged)
    table = disagreement([found.correct for found in judged], [found.sound for found in judged])
    assert (table.total, table.unknown) == (2186, 0)
    lucky = [found for found in judged if found.miracle]
    assert len(lucky) == table.counts[True, False] > 0
    assert all(found.miracles == (found.first_jump,) for found in lucky)
    assert table.false_positives == pytest.approx(213 / 660)
