"""Stores to look at: one with everything a record can hold, evidence, hostile text and disputes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from coreact.judge import Cost, Evidence, Judgement, Verdict
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Criterion, Rubric, ToolCall
from coreact.testing.store_suite import record_into, sample_trajectory
from coreact.trace import (
    Attempt,
    Evaluator,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    SQLiteTraceStore,
    StepRecord,
    Trajectory,
)
from coreact.view import create_app

HOSTILE = (
    "<script>alert('script')</script><img src=x onerror=\"alert('onerror')\"></script></pre></style>"
    "<a href='javascript:alert(1)'>javascript:alert(2)</a><iframe src='https://example.org/x'></iframe>"
    "<svg onload=alert(3)>{{ 7*7 }}{% raw %}\x1b[31mred\x1b[0m \x07"
    " \u202egnp.exe\u2066 \u200b \x00 \ud800 -->]]>"
    " " + "W" * 600
)
"""What a web page may say to whoever looks at it."""

PASSAGE = "Passau lies where the Danube, the Inn and the Ilz meet. The Ilz is 65 km long."
STARTED_NS = 1_790_000_000_000_000_000
EMOJI = "Family 👨‍👩‍👧 at the ﬁne “Ilz”."

RUBRIC = Rubric(
    criteria=(
        Criterion(id="river", text="Name one of the three rivers", weight=3, veto=True, kind="hard"),
        Criterion(id="source", text="Rest on a passage that was read", weight=2),
        Criterion(id="brief", text=f"Stay brief {HOSTILE[:200]}", kind="style", visibility="judge_only"),
    ),
    threshold=0.6,
)


def _message(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data}


def _verdicts(*statuses: str, quote: Evidence | None = None) -> tuple[Verdict, ...]:
    reasons = {"met": "it does", "unmet": f"it does not {HOSTILE[:60]}", "unknown": "nobody could tell"}
    return tuple(
        Verdict.model_validate(
            {
                "criterion": criterion.id,
                "reason": reasons.get(status, "half of it"),
                "status": status,
                "decided_by": "judge-a",
                "evidence": (quote,) if quote is not None and status == "met" else (),
            }
        )
        for criterion, status in zip(RUBRIC, statuses, strict=True)
    )


def judged(*statuses: str, quote: Evidence | None = None) -> Judgement:
    return judgement(RUBRIC, _verdicts(*statuses, quote=quote))


def showcase(run: str = "showcase-1") -> Trajectory:
    """Two searches and an answer: one rejected candidate, evidence, a dispute, hostile text."""
    quote = Evidence(message_id="tool-message-1", quote="The Ilz is 65 km long", start=56, end=77)
    lost = Evidence(message_id="nowhere", quote="a quote that stands nowhere")
    search = Action(
        call=ToolCall(name="search", arguments={"query": "Passau rivers", "note": HOSTILE}, id="call-1")
    )
    wrong = Action(call=ToolCall(name="search", arguments={"query": "Danube"}, id="call-0"))
    again = Action(call=ToolCall(name="fetch", arguments={"url": "javascript:alert(4)"}, id="call-2"))
    answer = Action(answer=f"The Ilz. {HOSTILE}")
    steps = (
        StepRecord(
            run=run, index=0, node="model", phase="early", rubric=RUBRIC, generator="heuristic.1",
            guidance="Next step:\n1. Name one of the three rivers",
            prompt_added=(_message("human", content=f"Which river? {HOSTILE}", id="h"),),
            attempts=(
                Attempt(
                    index=0, source="first", message=_message("ai", content=""), actions=(wrong,),
                    judgements=(judged("unmet", "unknown", "met"),), rejected_by="judge-a",
                    reason="the query names no river of the three",
                    cost=Cost(calls=1, input_tokens=120, output_tokens=9, seconds=0.4),
                ),
                Attempt(
                    index=1, source="retry", message=_message("ai", content=HOSTILE), actions=(search,),
                    judgements=(judged("met", "unknown", "partial"),), selected=True,
                    feedback="Name one of the rivers that meet there.",
                ),
            ),
            dispositions=("run",),
            cost=Cost(calls=2, input_tokens=300, output_tokens=30, seconds=1.2, usd=0.0004),
        ),
        StepRecord(
            run=run, index=1, node="model", phase="middle", rubric=RUBRIC, generator="heuristic.1",
            prompt_kept=1,
            prompt_added=(
                _message("ai", content="", tool_calls=[{"name": "search", "args": {}, "id": "call-1"}]),
                _message("tool", content=PASSAGE, id="tool-message-1", tool_call_id="call-1"),
            ),
            attempts=(
                Attempt(
                    index=0, source="candidate", message=_message("ai", content=""), actions=(again,),
                    judgements=(judged("unmet", "unmet", "met"),), selected=True,
                ),
            ),
            dispositions=("run",), error="JudgingError: too slow",
        ),
        StepRecord(
            run=run, index=2, node="model", phase="late", rubric=RUBRIC, generator="heuristic.1",
            prompt_kept=3,
            attempts=(
                Attempt(
                    index=0, source="first", message=_message("ai", content="The Ilz."), actions=(answer,),
                    judgements=(
                        judgement(
                            RUBRIC,
                            (
                                *_verdicts("met", "met", "met", quote=quote)[:2],
                                _verdicts("met", "met", "met", quote=lost)[2],
                            ),
                        ),
                    ),
                    selected=True,
                ),
            ),
            dispositions=("answered",),
        ),
    )  # fmt: skip
    return Trajectory(
        run=RunRecord(
            id=run, question=f"Which river at Passau is the shortest? {EMOJI}", agent="searcher",
            started_ns=STARTED_NS,
        ),
        steps=tuple(one.model_copy(update={"at_ns": STARTED_NS + one.index}) for one in steps),
        observations=(
            ObservationRecord(run=run, step=0, call_id="call-1", tool="search", text=PASSAGE, seconds=0.02),
            ObservationRecord(run=run, step=1, call_id="call-2", tool="fetch", text=HOSTILE, failed=True),
        ),
        end=RunEnd(
            run=run, status="done", answer=f"The Ilz. {HOSTILE}", score=0.61,
            ended_ns=1_790_000_009_000_000_000
        ),
        judgements=(
            JudgementRecord(
                id=f"{run}-later", run=run, step=2, attempt=0, action=0, rubric=RUBRIC,
                judgement=judged("met", "unmet", "met"),
                evaluator=Evaluator(name="judge-b", version="coreact.json.1:b", kind="model", model="large"),
            ),
            JudgementRecord(
                id=f"{run}-whole", run=run, rubric=RUBRIC, judgement=judged("met", "met", "unknown"),
                evaluator=Evaluator(name="Ada", version="", kind="human"), note=f"good {HOSTILE[:80]}",
            ),
        ),
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteTraceStore]:
    opened = SQLiteTraceStore(tmp_path / "traces.db")
    record_into(opened, sample_trajectory())
    record_into(opened, showcase())
    opened.flush()
    yield opened
    opened.close()


@pytest.fixture
def client(store: SQLiteTraceStore) -> Iterator[TestClient]:
    with TestClient(create_app(store, reviewer="Grace"), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture(name="showcase")
def the_showcase() -> Trajectory:
    """The run that shows everything."""
    return showcase()


@pytest.fixture
def hostile() -> str:
    """What a page of the web may say."""
    return HOSTILE


@pytest.fixture
def rubric() -> Rubric:
    """The rubric of the showcase."""
    return RUBRIC
